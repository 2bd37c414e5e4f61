// SPDX-License-Identifier: Apache-2.0
//! The program of `cargo xtask soak`: a receiver, states, windows, dead letters and a sink of files, with a batch every
//! 100 ms. It never ends by itself.

use std::path::PathBuf;

use dstreams::{
    DeadLetters, Duration, FileSink, Rejected, StreamingContext,
    streaming::{
        BoxError, ReducedWindowOptions, State, StateSpec,
        clock::Waited,
        receiver::{Receiver, ReceiverHandle},
    },
    time::{milliseconds, seconds},
};

/// Lines that are numbers, and now and then one that is none.
struct Lines {
    per_tick: u64,
}

const TICK: Duration = milliseconds(20);

/// Keys come and go: this many are in use at a time.
const KEYS: u64 = 5_000;

/// One line in so many is no number.
const BAD: u64 = 10_007;

impl Receiver for Lines {
    type Record = String;

    fn on_start(&mut self, handle: ReceiverHandle<String>) -> Result<(), BoxError> {
        let per_tick = self.per_tick;
        handle.spawn("lines", move |handle| {
            let mut next = 0_u64;
            while handle.clock().sleep(TICK, handle.stop_flag()) == Waited::Reached {
                let line = |n: u64| if n.is_multiple_of(BAD) { format!("line {n}") } else { n.to_string() };
                handle.store_many(&mut (next..next + per_tick).map(line).collect())?;
                next += per_tick;
                tracing::debug!(next, "lines were stored");
            }
            Ok(())
        })
    }
}

fn build(ssc: &StreamingContext) -> dstreams::Result<()> {
    let setting = |key: &str| ssc.config().text(key).map(str::to_owned);
    let per_second: u64 = setting("app.rate").and_then(|rate| rate.parse().ok()).unwrap_or(10_000);
    let output = setting("app.output").map(PathBuf::from);
    let output =
        output.ok_or_else(|| dstreams::Error::IllegalArgument("app.output is not set".to_owned()))?;
    let kept = seconds(20);
    let lines = ssc.receiver_stream(Lines { per_tick: per_second / 50 });
    let numbers = lines
        .map(|line| line.parse::<u64>().map_err(|error| Rejected::new(&line, error)))
        .named("numbers")
        .cache()
        .dead_letter_named("bad lines", DeadLetters::sink(output.join("letters")).keep(kept));
    // The keys of now; those of before time out.
    let pairs = numbers.map(|n| (n / 100_000 * KEYS + n % KEYS, 1_u64));

    // States are long, so that what is logged of them is soon worth a snapshot, and there are many in a short run.
    let count = |_: &u64, n: Option<u64>, sum: &mut State<'_, (u64, String)>| {
        // A state that times out cannot be changed any more.
        if let Some(n) = n {
            let total = sum.get().map_or(0, |(total, _)| *total) + n;
            sum.update((total, format!("{total:0100}")));
        }
    };
    let sums = pairs.map_with_state(StateSpec::function(count).timeout(kept));
    sums.for_each_rdd(|rdd, _| Ok(rdd.count().map(drop)?));
    let (window, slide) = (seconds(3), milliseconds(500));
    let in_use = ReducedWindowOptions::default().filter(|(_, n)| *n > 0);
    let windows =
        pairs.reduce_by_key_and_window_inverse_with(|a, b| a + b, |a, b| a - b, window, slide, in_use);
    windows
        .map(|(key, n)| format!("{key} {n}"))
        .write_to(FileSink::text(output.join("windows")).keep(kept))
        .named("windows");
    windows.for_each_rdd(|rdd, time| {
        let keys = rdd.count()?;
        tracing::info!(keys, %time, "window");
        Ok(())
    });
    Ok(())
}

fn main() -> std::process::ExitCode {
    dstreams::exit::code(&dstreams::run("soak", build))
}
