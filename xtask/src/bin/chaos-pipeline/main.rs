// SPDX-License-Identifier: Apache-2.0
//! The program that `cargo xtask chaos` kills: three sources, states, windows and a shuffle, into several sinks.
//!
//! `--conf app.input=DIR --conf app.output=DIR --conf spark.streaming.checkpoint.directory=DIR`. It prints `started` and
//! then `batch MILLISECONDS` for each batch whose outputs are done.

mod clock;
mod driven;
mod event;
mod journal;
mod numbers;
mod outputs;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use dstreams::{
    Config, DStream, Duration, RddContext, Result, StreamingContext, Text,
    rdd::RddOptions,
    streaming::{
        Error, FileStreamOptions, State, StateSpec, TextLines,
        clock::SteadyClock,
        config::{CommandLine, keys},
    },
};

use crate::{
    event::{Event, Sum, add, subtract},
    journal::Journal,
    numbers::Numbers,
    outputs::Outputs,
};

const NAME: &str = "chaos-pipeline";

fn main() -> Result<()> {
    driven::end_with_the_driver();
    let CommandLine::Run(config) = Config::load(NAME, std::env::args_os().skip(1))? else {
        return dstreams::run(NAME, build);
    };
    match config.text("app.clock") {
        None => dstreams::run(NAME, build),
        Some(offset) => run_with_clock(clock::set_by(offset.into()), config),
    }
}

/// As `dstreams::run`, with another clock than that of the system. It runs until it fails or is killed.
fn run_with_clock(clock: SteadyClock, config: Config) -> Result<()> {
    dstreams::log::to_stderr(dstreams::log::Level::INFO);
    dstreams::objects::register();
    let options = RddOptions {
        threads: config.get(&keys::MASTER).threads(),
        default_parallelism: config.get(&keys::DEFAULT_PARALLELISM),
        ..RddOptions::default()
    };
    let interval = config.get(&keys::BATCH_INTERVAL);
    let ssc = StreamingContext::with_clock(RddContext::new(options)?, config, interval, Arc::new(clock))?;
    build(&ssc)?;
    ssc.start()?;
    let result = ssc.await_termination();
    ssc.stop()?;
    result
}

/// The sources by the numbers that their events bear.
const JOURNAL: u8 = 0;
const NUMBERS: u8 = 1;
const FILES: u8 = 2;

fn build(ssc: &StreamingContext) -> Result<()> {
    let config = ssc.config();
    let path = |key: &str| {
        let text = config.text(key).ok_or_else(|| Error::IllegalArgument(format!("{key} is not set")));
        text.map(PathBuf::from)
    };
    let number =
        |key: &str, default: u64| config.text(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (input, output) = (path("app.input")?, path("app.output")?);
    let outputs = Outputs {
        files: output.join("files"),
        sqlite: output.join("results.db"),
        postgres: config.text("app.postgres").map(str::to_owned),
        panic_every: config.text("app.panicEvery").and_then(|text| text.parse().ok()),
    };
    let checkpoints = ssc.batch_interval() * i64::try_from(number("app.checkpointEvery", 10)).unwrap_or(10);
    let keys = u32::try_from(number("app.keys", 16)).unwrap_or(16);
    let block = usize::try_from(number("app.block", 50)).unwrap_or(50);

    ssc.add_listener(Arc::new(driven::Progress));
    let events = events(ssc, &input, keys, block);
    outputs.events(&events);
    compute(&events, &outputs, checkpoints);
    Ok(())
}

/// The events of all sources.
fn events(ssc: &StreamingContext, input: &Path, keys: u32, block: usize) -> DStream<Event> {
    let journal = ssc.receiver_stream(Journal {
        source: JOURNAL,
        path: input.join("journal"),
        acknowledged: input.join("acknowledged"),
        block,
    });
    let limit = input.join("numbers");
    let numbers = ssc.stream("numbers", |_| {
        let batch = 4 * block as u64;
        Arc::new(Numbers { source: NUMBERS, keys, limit, batch, next: Mutex::new(0) })
    });
    // Files may be there before the first start.
    let options = FileStreamOptions::default().new_files_only(false);
    let lines: DStream<Text> = ssc.file_stream_with(input.join("files"), options, TextLines::default());
    let files = lines.try_map(|line| Event::parse(FILES, &line).ok_or("a line of a file is no event"));
    journal.union(&numbers).union(&files)
}

/// The operators that have something to lose.
fn compute(events: &DStream<Event>, outputs: &Outputs, checkpoints: Duration) {
    let interval = events.slide();
    let summands = events.map(Event::summand);
    let sums = summands.reduce_by_key(add);
    outputs.sums(&sums);

    let totals = sums.update_state_by_key(|new, total: Option<Sum>| new.into_iter().chain(total).reduce(add));
    outputs.keyed("totals", &totals.named("totals").checkpoint(checkpoints));

    let window = sums.reduce_by_key_and_window_inverse(add, subtract, interval * 8, interval);
    outputs.keyed("inverse_window", &window.named("window").checkpoint(checkpoints));

    let window = sums.window_with(interval * 6, interval * 2).reduce_by_key(add);
    outputs.keyed("plain_window", &window);

    let running = summands.map_with_state(StateSpec::function(
        |key: &u32, new: Option<Sum>, sum: &mut State<'_, Sum>| {
            let now = [sum.get().copied(), new].into_iter().flatten().reduce(add).unwrap_or_default();
            sum.update(now);
            (*key, now)
        },
    ));
    outputs.keyed("running", &running.checkpoint(checkpoints));
}
