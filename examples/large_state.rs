// SPDX-License-Identifier: Apache-2.0
//! Measures a state for each of many keys: how long batches take, how long a restart takes, and how much memory.
//!
//! `cargo run --release --example large_state -- --keys 20000000 --touch 200000 --batches 5 --store disk` gives each key a
//! state and then touches some at random in each batch. It goes on where it was when it is started again with the same
//! `--directory`, also after `kill -9`. `--text 200` gives each state a text of so many bytes.

use std::{
    fs,
    str::FromStr,
    sync::{Arc, Mutex, mpsc},
    time::Instant,
};

use dstreams::{
    Config, Rdd, RddContext, StopOptions, StreamingContext, StreamingListener, Time, get_or_create,
    streaming::{InputInfo, Source, State, StateSpec, event::BatchInfo},
};

/// A user and what is known of them: how many visits, and some text.
type Visits = (u64, String);

/// What is to be done.
#[derive(Clone)]
struct Options {
    keys: u64,
    touch: u64,
    batches: u64,
    text: usize,
    partitions: usize,
    directory: String,
    config: Config,
}

impl Options {
    fn from_arguments() -> Result<Self, Box<dyn std::error::Error>> {
        let mut config = Config::default();
        config.set("spark.app.name", "large-state")?;
        config.set("dstreams.batch.interval", "1s")?;
        config.set("dstreams.recovery.missedBatches", "skip")?;
        let directory = "/tmp/large-state".to_owned();
        let mut options =
            Self { keys: 1_000_000, touch: 10_000, batches: 10, text: 0, partitions: 2, directory, config };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--keys" => options.keys = number(&value)?,
                "--touch" => options.touch = number(&value)?,
                "--batches" => options.batches = number(&value)?,
                "--text" => options.text = number(&value)?,
                "--partitions" => options.partitions = number(&value)?,
                "--directory" => options.directory = value,
                "--store" => options.config.set("dstreams.state.store", &value)?,
                "--conf" => options.config.set_argument(&value)?,
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        Ok(options)
    }
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text} is not a number"))
}

/// The key of a user, which says nothing about the keys of the next ones.
fn key(user: u64) -> u64 {
    let mut bits = user.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Visits of users picked at random, made up from the number of the batch.
struct MadeUp {
    users: u64,
    touch: u64,
    /// The number of the last batch, and how many there are to be yet.
    at: Mutex<(u64, u64)>,
}

impl Source for MadeUp {
    type Record = (u64, u64);
    /// The number of the batch, and of its visits.
    type Plan = (u64, u64);

    fn name(&self) -> String {
        "Made up visits".to_owned()
    }

    fn plan(&self, _time: Time) -> dstreams::Result<Option<(u64, u64)>> {
        let mut at = self.at.lock().expect("nothing panics with the lock");
        let (last, left) = *at;
        if left == 0 {
            return Ok(Some((last, 0)));
        }
        *at = (last + 1, left - 1);
        Ok(Some((last + 1, self.touch)))
    }

    fn info(&self, (_, visits): &(u64, u64)) -> InputInfo {
        InputInfo::of_records(*visits)
    }

    fn rdd(&self, context: &RddContext, (batch, visits): (u64, u64)) -> dstreams::Result<Rdd<(u64, u64)>> {
        let (users, first) = (self.users, batch * self.touch);
        Ok(in_two(context, visits).map(move |visit| (key(key(first + visit) % users), 1)))
    }

    fn restore(&self, _memory: &[u8], plans: Vec<(Time, (u64, u64))>) -> dstreams::Result<()> {
        let last = plans.last().map_or(0, |(_, (batch, _))| *batch);
        self.at.lock().expect("nothing panics with the lock").0 = last;
        Ok(())
    }
}

/// The numbers below `end`, which are made when they are asked for.
fn in_two(context: &RddContext, end: u64) -> Rdd<u64> {
    let halves = context.from_partitions(vec![vec![(0, end / 2)], vec![(end / 2, end)]]);
    halves.flat_map(|(first, end)| first..end)
}

fn build(ssc: &StreamingContext, options: &Options) {
    let at = Mutex::new((0, options.batches));
    let source = MadeUp { users: options.keys, touch: options.touch, at };
    let text = options.text;
    let first = in_two(ssc.rdd_context(), options.keys);
    let first = first.map(move |user| (key(user), (0, text_of(user, text))));
    let spec = StateSpec::function(|_: &u64, visit: Option<u64>, state: &mut State<'_, Visits>| {
        let (visits, text) = state.get().cloned().unwrap_or_default();
        state.update((visits + visit.unwrap_or(0), text));
        visits
    });
    let visits = ssc.stream("made_up", |_| Arc::new(source));
    visits
        .map_with_state(spec.partitions(options.partitions).initial_state(first))
        .for_each_rdd(|counts, _| counts.count().map(drop).map_err(Into::into));
}

/// A text that does not compress to nothing.
fn text_of(user: u64, length: usize) -> String {
    let words = (0..).map(|n| format!("/page/{:03}?q=", key(user + n) % 1000));
    let mut text = String::with_capacity(length + 16);
    for word in words.take_while(|_| length > 0) {
        text.push_str(&word);
        if text.len() >= length {
            break;
        }
    }
    text.truncate(length);
    text
}

/// Sends what is known of each batch that has ended.
struct Ended(mpsc::Sender<BatchInfo>);

impl StreamingListener for Ended {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let _gone_when_measured_enough = self.0.send(batch.clone());
    }
}

/// What the system says of the memory of this process, in megabytes.
fn memory(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    dstreams::log::to_stderr(dstreams::log::Level::WARN);
    #[expect(clippy::disallowed_methods, reason = "what is measured is this process, not the stream")]
    let begin = Instant::now();
    let options = Options::from_arguments()?;
    let ssc = get_or_create(&options.directory, options.config.clone(), |ssc| {
        build(ssc, &options);
        Ok(())
    })?;
    let (ended, batches) = mpsc::channel();
    ssc.add_listener(Arc::new(Ended(ended)));
    ssc.start()?;
    println!("started after {:.2} s: {} MB", begin.elapsed().as_secs_f64(), memory("VmRSS"));
    println!(
        "{:>6} {:>9} {:>9} {:>10} {:>10} {:>8} {:>8}",
        "batch", "records", "time", "per s", "since", "RSS", "peak"
    );
    // Batches whose time came after the last made up visits have none.
    let with_visits = batches.iter().filter(|batch| batch.num_records() > 0);
    for (number, batch) in (1..=options.batches).zip(with_visits) {
        if let Some(failed) =
            batch.output_operations.values().find_map(|output| output.failure_reason.as_ref())
        {
            return Err(failed.clone().into());
        }
        let seconds = batch.processing_delay().map_or(0.0, |delay| delay.as_secs_f64());
        println!(
            "{number:>6} {:>9} {seconds:>7.2} s {:>10.0} {:>8.2} s {:>5} MB {:>5} MB",
            batch.num_records(),
            batch.num_records() as f64 / seconds,
            begin.elapsed().as_secs_f64(),
            memory("VmRSS"),
            memory("VmHWM"),
        );
    }
    ssc.stop_with(StopOptions::graceful())?;
    println!("stopped after {:.2} s: peak {} MB", begin.elapsed().as_secs_f64(), memory("VmHWM"));
    Ok(())
}
