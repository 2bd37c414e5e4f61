// SPDX-License-Identifier: Apache-2.0
//! Lines from a socket: counted, their words counted, and how long it takes from their arrival to the counts of their
//! words when they come at a given rate. Another process sends them.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    sync::mpsc::channel,
};

use dstreams_bench_kit::{Arguments, Report, Result, now, text};

use super::Workload;
use crate::{feed::Feeder, real_time, real_time::Progress};

pub(super) const COUNT: Workload = Workload {
    name: "socket-count",
    input: super::lines,
    by_hand: Some(count_by_hand),
    tuned: None,
    dstreams: count,
};

pub(super) const WORD_COUNT: Workload = Workload {
    name: "socket-word-count",
    input: super::lines,
    by_hand: Some(words_by_hand),
    tuned: None,
    dstreams: count_words,
};

pub(super) const LATENCY: Workload =
    Workload { name: "latency", input: super::lines, by_hand: None, tuned: None, dstreams: count_words };

/// Lines that a loop processes before it looks at the clock.
const LOOK: u64 = 10_000;

fn count_by_hand(arguments: &Arguments) -> Result<Report> {
    let feeder = Feeder::start(arguments)?;
    let mut progress = Progress::new(arguments);
    let mut count = 0;
    for line in BufReader::new(TcpStream::connect(&feeder.address)?).lines() {
        line?;
        count += 1;
        if count == LOOK || count == progress.left() {
            if progress.add(count, now()) {
                break;
            }
            count = 0;
        }
    }
    progress.report()
}

fn words_by_hand(arguments: &Arguments) -> Result<Report> {
    let feeder = Feeder::start(arguments)?;
    let mut progress = Progress::new(arguments);
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut lines = 0;
    for line in BufReader::new(TcpStream::connect(&feeder.address)?).lines() {
        for word in line?.split_whitespace() {
            match counts.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(counts.insert(word.to_owned(), 1)),
            }
        }
        lines += 1;
        // As many lines as make a batch.
        if lines == text::LINES as u64 || lines == progress.left() {
            let stamped = counts.iter().filter(|(word, _)| word.starts_with('@'));
            if progress.add(stamped.map(|(_, count)| count).sum(), now()) {
                break;
            }
            counts.clear();
            lines = 0;
        }
    }
    progress.report()
}

fn count(arguments: &Arguments) -> Result<Report> {
    let feeder = Feeder::start(arguments)?;
    let context = real_time::context(arguments)?;
    let (send, counts) = channel();
    context.socket_text_stream(&feeder.address).count().for_each_rdd(move |rdd, _| {
        let count: u64 = rdd.collect()?.iter().sum();
        // The main thread has all lines that it waits for.
        let _nobody_waits = send.send((count, now()));
        Ok(())
    });
    let mut progress = Progress::new(arguments);
    context.start()?;
    loop {
        let (count, at) = counts.recv()?;
        if progress.add(count, at) {
            break;
        }
    }
    context.stop()?;
    progress.report()
}

fn count_words(arguments: &Arguments) -> Result<Report> {
    let feeder = Feeder::start(arguments)?;
    let context = real_time::context(arguments)?;
    let (send, batches) = channel();
    let counts = context
        .socket_text_stream(&feeder.address)
        .flat_map(|line| line.words())
        .map(|word| (word, 1u64))
        .reduce_by_key(|a, b| a + b);
    counts.for_each_rdd(move |rdd, _| {
        let counts = rdd.collect()?;
        let at = now();
        // Each line begins with the time at which it was due.
        let stamps =
            counts.iter().filter_map(|(word, count)| Some((word.strip_prefix('@')?.parse().ok()?, *count)));
        let _nobody_waits = send.send((at, stamps.collect()));
        Ok(())
    });
    let mut progress = Progress::new(arguments);
    context.start()?;
    loop {
        let (at, stamps): (u64, Vec<(u64, u64)>) = batches.recv()?;
        if progress.add_stamped(&stamps, at) {
            break;
        }
    }
    context.stop()?;
    progress.report()
}
