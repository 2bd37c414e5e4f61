// SPDX-License-Identifier: Apache-2.0
//! `dstreams demo --kafka`: a broker of its own, words from one topic to another exactly once, and the lag of the group.

use std::{
    error::Error,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use dstreams::{
    Duration, RddContext, StopOptions, StreamingContext, StreamingListener, Text,
    kafka::{Admin, Consumer, KafkaSink, Params, Sender, create_rdd, direct_stream},
    streaming::{
        clock::{Clock as _, StopFlag, SystemClock, Waited},
        event::BatchInfo,
    },
    time::milliseconds,
};
use dstreams_test_servers::Kafka;

use super::{
    super::{
        End,
        show::{grouped, time_of_day, write},
        watch_errors, watch_signals,
    },
    Options,
    generator::Lines,
};

/// How often lines are sent, in milliseconds.
const TICK: i64 = 10;

/// The partitions of the topic of lines.
const PARTITIONS: i32 = 4;

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    println!("Starting Apache Kafka …");
    let broker = Kafka::start()?;
    let params = Params::new(broker.address()).group("dstreams-demo").set("auto.offset.reset", "earliest");
    let admin = Admin::new(&params)?;
    admin.create_topic("lines", PARTITIONS, &[])?;
    admin.create_topic("words", PARTITIONS, &[])?;

    let config = super::super::config(&[], &options.conf, &options.master, "dstreams-demo")?;
    let ssc = StreamingContext::new(config, options.interval.parse()?)?;
    let sink = KafkaSink::new(Params::new(broker.address()), "words", |(word, n): (Text, u64), record| {
        record.key(word).value(n.to_string());
    })?;
    direct_stream(&ssc, Consumer::subscribe(["lines"]), params.clone())?
        .try_map(|record| record.value_text())
        .flat_map(|line| line.words())
        .map(|word| (word, 1u64))
        .reduce_by_key(|a, b| a + b)
        .write_to(sink)
        .named("words");

    let (ends, end) = mpsc::channel();
    let table = Arc::new(Table {
        admin,
        interval: ssc.batch_interval(),
        wanted: options.batches,
        ends: Mutex::new(ends.clone()),
        batches: Mutex::new(0),
    });
    ssc.add_listener(table.clone());
    let interrupts = ends.clone();
    watch_signals(move || interrupts.send(End::Interrupted).is_ok())?;
    println!(
        "Counting words from topic lines to topic words at {}, a batch every {}. Ctrl-C to stop.\n",
        broker.address(),
        ssc.batch_interval()
    );
    let feeder = Feeder::start(Params::new(broker.address()), options.rate)?;
    ssc.start()?;
    watch_errors(&ssc, ends);
    let _reason = end.recv();
    let sent = feeder.finish()?;
    wait_until_read(&table.admin, &ssc)?;
    ssc.stop_with(StopOptions::graceful())?;
    ssc.await_termination()?;
    let counted = counted(&params, &table.admin)?;
    let verdict = if counted == sent { "all of them, each once" } else { "NOT THE SAME" };
    println!("\n{} words sent, {} counted in topic words: {verdict}", grouped(sent), grouped(counted));
    if counted == sent { Ok(()) } else { Err("the counts are wrong".into()) }
}

/// The batches go on until the group has no lag; a stream that has stopped by itself has none to wait for.
fn wait_until_read(admin: &Admin, ssc: &StreamingContext) -> Result<(), Box<dyn Error>> {
    let never = StopFlag::new();
    while admin.lag("lines")? > 0 && ssc.state() == dstreams::streaming::StreamingContextState::Active {
        let Waited::Reached = SystemClock.sleep(milliseconds(50), &never) else { break };
    }
    Ok(())
}

/// The sum of all counts that a reader of committed records sees.
fn counted(params: &Params, admin: &Admin) -> Result<u64, Box<dyn Error>> {
    let context = RddContext::local(2)?;
    let counts = create_rdd(&context, params, &admin.ranges("words")?)?;
    let counts = counts.try_map(|record| record.value_text().map_err(|error| error.to_string()));
    Ok(counts.try_map(|text| text.parse::<u64>()).fold(0, |sum, n| sum + n)?)
}

/// A row for each batch.
struct Table {
    admin: Admin,
    interval: Duration,
    wanted: Option<u64>,
    ends: Mutex<mpsc::Sender<End>>,
    batches: Mutex<u64>,
}

impl StreamingListener for Table {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        if batches.is_multiple_of(20) {
            let _ = writeln!(text, "        batch    records  processing        lag");
        }
        let records: u64 = batch.inputs.values().map(|input| input.records).sum();
        let processing = batch.processing_delay().unwrap_or(Duration::ZERO);
        let lag = self.admin.lag("lines").map_or_else(|_| "?".to_owned(), grouped);
        let time = time_of_day(batch.batch_time, self.interval);
        let _ =
            writeln!(text, "{time:>13} {:>10} {:>11} {lag:>10}", grouped(records), processing.to_string());
        write(&text);
        *batches += 1;
        if self.wanted == Some(*batches) {
            let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
            // The demo may be ending for another reason already.
            let _ = ends.send(End::Enough);
        }
    }
}

/// Sends lines at a steady rate, by their first words as keys.
struct Feeder {
    stopping: StopFlag,
    thread: JoinHandle<Result<u64, dstreams::kafka::Error>>,
}

impl Feeder {
    fn start(params: Params, rate: u64) -> Result<Self, Box<dyn Error>> {
        let stopping = StopFlag::new();
        let stop = stopping.clone();
        let thread =
            thread::Builder::new().name("feeder".to_owned()).spawn(move || feed(&params, rate, &stop))?;
        Ok(Self { stopping, thread })
    }

    /// Stops, and says how many words were sent.
    fn finish(self) -> Result<u64, Box<dyn Error>> {
        self.stopping.raise();
        Ok(self.thread.join().map_err(|_| "the feeder panicked")??)
    }
}

fn feed(params: &Params, rate: u64, stopping: &StopFlag) -> Result<u64, dstreams::kafka::Error> {
    let (mut sender, mut lines) = (Sender::new(params)?, Lines::default());
    let started = SystemClock.now();
    let (mut sent, mut words) = (0, 0);
    loop {
        let elapsed = u64::try_from((SystemClock.now() - started).as_millis()).unwrap_or(0);
        while sent < rate * elapsed / 1000 && !stopping.is_raised() {
            let line = lines.next_line();
            words += line.split(' ').count() as u64;
            let key = line.split(' ').next().unwrap_or_default();
            sender.send("lines", |record| {
                record.key(key).value(line);
            })?;
            sent += 1;
        }
        if SystemClock.sleep(milliseconds(TICK), stopping) == Waited::Stopped {
            sender.flush()?;
            return Ok(words);
        }
    }
}
