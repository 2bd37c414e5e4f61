// SPDX-License-Identifier: Apache-2.0
//! Workloads on renoir. It has no batches, so that each batch is a job of its own.

mod word;

use std::{hash::Hash, process::ExitCode};

use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure, text};
use renoir::{BatchMode, RuntimeConfig, StreamContext, operator::ExchangeData};

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

/// What words are counted as.
pub(crate) trait Key: From<&'static str> + ExchangeData + Eq + Hash {
    fn as_str(&self) -> &str;
}

impl Key for String {
    fn as_str(&self) -> &str {
        self
    }
}

/// The lines of a batch, which jobs borrow to the end of the process.
type Lines = &'static [String];

/// Runs a batch as a job on so many workers.
type Job = fn(Lines, workers: u64, number: usize, &Outcome) -> Result<()>;

fn run() -> Result<Report> {
    let arguments = Arguments::parse()?;
    let is_owned = arguments.system.starts_with("renoir-owned");
    let job: Job = match arguments.workload.as_str() {
        "grep" => grep,
        "word-count" if is_owned => word_count::<String>,
        "word-count" => word_count::<word::Word>,
        other => return Err(format!("there is no {other} for renoir").into()),
    };
    let workers = arguments.threads().ok_or("the system is renoir[N]")? as u64;
    let batches: &'static [Vec<String>] = text::batches(&arguments, text::LINES)?.leak();
    let outcome = Outcome::new(&arguments);
    measure(&arguments, text::records(&arguments, text::LINES), &outcome, |range| {
        for number in range {
            job(&batches[number % batches.len()], workers, number, &outcome)?;
        }
        Ok(())
    })
}

fn grep(lines: Lines, workers: u64, number: usize, outcome: &Outcome) -> Result<()> {
    let context = StreamContext::new(RuntimeConfig::local(workers)?);
    let found = context
        .stream_par_iter(move |index, peers| share(lines, index, peers))
        .batch_mode(BatchMode::fixed(1024))
        .filter(|line| line.contains(text::PATTERN))
        .fold_assoc(0u64, |count, _| *count += 1, |sum, count| *sum += count)
        .collect_vec();
    context.execute_blocking();
    for count in found.get().ok_or("the job has no result")? {
        outcome.add(number, count, 0);
    }
    Ok(())
}

fn word_count<K: Key>(lines: Lines, workers: u64, number: usize, outcome: &Outcome) -> Result<()> {
    let context = StreamContext::new(RuntimeConfig::local(workers)?);
    let counts = context
        .stream_par_iter(move |index, peers| share(lines, index, peers))
        .batch_mode(BatchMode::fixed(1024))
        .flat_map(|line| line.split_whitespace().map(K::from))
        .group_by_count(|word: &K| word.clone())
        .collect_vec();
    context.execute_blocking();
    let counts = counts.get().ok_or("the job has no result")?;
    outcome.take(number, counts.iter().map(|(word, count)| (word.as_str(), *count as u64)));
    Ok(())
}

/// The lines that one of the workers reads.
fn share(lines: Lines, index: u64, peers: u64) -> impl Iterator<Item = &'static str> + Send + use<> {
    let part = lines.len().div_ceil(usize::try_from(peers).unwrap_or(1));
    lines
        .chunks(part)
        .nth(usize::try_from(index).unwrap_or(usize::MAX))
        .unwrap_or_default()
        .iter()
        .map(String::as_str)
}
