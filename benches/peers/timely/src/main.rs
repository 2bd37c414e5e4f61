// SPDX-License-Identifier: Apache-2.0
//! Workloads on timely: a batch is an epoch, and each worker reads its share of the lines of a batch.

mod dataflow;
mod word;

use std::{
    ops::Range,
    process::ExitCode,
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
};

use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure, text};
use timely::worker::Worker;

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            println!("{}", report.to_json());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a worker needs besides timely's own things.
pub(crate) struct Share {
    /// The lines of each distinct batch. Workers borrow them for as long as they run, which is to the end of the process.
    pub(crate) lines: &'static [Vec<String>],
    pub(crate) outcome: Outcome,
    /// The batches to be run next.
    pub(crate) orders: Receiver<Range<usize>>,
    /// Says that they have been run.
    pub(crate) done: Sender<()>,
}

fn run() -> Result<Report> {
    let arguments = Arguments::parse()?;
    let is_owned = arguments.system.starts_with("timely-owned");
    let build: fn(&mut Worker, &Share) = match arguments.workload.as_str() {
        "grep" => dataflow::grep,
        "word-count" if is_owned => dataflow::word_count::<String>,
        "word-count" => dataflow::word_count::<word::Word>,
        other => return Err(format!("there is no {other} for timely").into()),
    };
    let workers = arguments.threads().ok_or("the system is timely[N]")?;
    let lines = text::batches(&arguments, text::LINES)?.leak();
    let outcome = Outcome::new(&arguments);
    let (done, ended) = channel();
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..workers).map(|_| channel()).unzip();
    let shares = receivers
        .into_iter()
        .map(|orders| Some(Share { lines, outcome: outcome.clone(), orders, done: done.clone() }));
    let shares = Mutex::new(shares.collect::<Vec<_>>());
    let config = if workers == 1 { timely::Config::thread() } else { timely::Config::process(workers) };
    // Waits for the workers when it is dropped, after the senders.
    let _running = timely::execute(config, move |worker| {
        let share = shares.lock().expect("no worker panics with the lock")[worker.index()].take();
        build(worker, &share.expect("workers have different numbers"));
    })?;
    measure(&arguments, text::records(&arguments, text::LINES), &outcome, move |range| {
        for worker in &senders {
            worker.send(range.clone())?;
        }
        for _ in &senders {
            ended.recv()?;
        }
        Ok(())
    })
}
