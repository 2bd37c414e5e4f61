// SPDX-License-Identifier: Apache-2.0
//! `dstreams demo`: word count on a live stream, with a table of its batches.

mod generator;
#[cfg(feature = "kafka")]
mod kafka;
mod pipeline;
mod source;
mod table;

use std::{error::Error, sync::mpsc};

use dstreams::{StopOptions, StreamingContext, Watched, log::Level};

use self::{generator::Generator, source::Source, table::Table};
use super::{End, watch_errors, watch_signals};

/// What the demo is asked to do.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Where the text comes from: `socket://host:port`, or `file:///dir` for files that appear in a directory;
    /// generated text over a loopback socket if not given.
    #[arg(long)]
    source: Option<Source>,
    /// Start an Apache Kafka, which takes Java, feed it with generated text, count from topic to topic, and show the lag.
    #[arg(long, conflicts_with = "source")]
    kafka: bool,
    /// Length of a batch, such as 500ms or 2s.
    #[arg(long, default_value = "1s")]
    interval: String,
    /// Where to run, such as `local[2]`.
    #[arg(long, default_value = "local[*]")]
    master: String,
    /// Stop after this many batches; otherwise at Ctrl-C.
    #[arg(long)]
    batches: Option<u64>,
    /// Lines per second of the generated text.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Any setting, as `key=value`; can be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    conf: Vec<String>,
}

impl Options {
    /// A source of its own ends the demo by closing the connection, which is nothing to warn of.
    pub(crate) fn quiet_level(&self) -> Level {
        if self.source.is_none() && !self.kafka { Level::ERROR } else { Level::WARN }
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if options.kafka {
        return with_kafka(options);
    }
    let config = super::config(&[], &options.conf, &options.master, "dstreams-demo")?;
    let ssc = StreamingContext::new(config, options.interval.parse()?)?;
    let generator = match &options.source {
        Some(_) => None,
        None => Some(Generator::listen(options.rate)?),
    };
    let source = match (&options.source, &generator) {
        (Some(source), _) => source.clone(),
        (None, Some(generator)) => Source::Socket(generator.address().to_string()),
        (None, None) => unreachable!("without a source there is a generator"),
    };

    let (ends, end) = mpsc::channel();
    let table = Table::new(ssc.batch_interval(), options.batches, ends.clone());
    pipeline::build(&ssc, &source, &table);
    ssc.add_listener(table.clone());
    let interrupts = ends.clone();
    watch_signals(move || interrupts.send(End::Interrupted).is_ok())?;

    let watched = Watched::of(&ssc)?;
    println!(
        "Counting words of {source}, a batch every {}. Ctrl-C to stop.{}\n",
        ssc.batch_interval(),
        super::watched_at(&watched)
    );
    ssc.start()?;
    watch_errors(&ssc, ends);

    // The main thread holds no sender of its own, so this ends with the first reason or with the last watcher.
    let _reason = end.recv();
    let sent = generator.map(Generator::finish).transpose()?;
    ssc.stop_with(StopOptions::graceful())?;
    let outcome = ssc.await_termination();
    table.print_summary(sent);
    outcome?;
    match sent {
        Some(sent) if sent != table.records() => {
            Err(format!("{sent} records were sent, but {} were counted", table.records()).into())
        }
        _ => Ok(()),
    }
}

#[cfg(feature = "kafka")]
fn with_kafka(options: &Options) -> Result<(), Box<dyn Error>> {
    kafka::run(options)
}

#[cfg(not(feature = "kafka"))]
fn with_kafka(_: &Options) -> Result<(), Box<dyn Error>> {
    Err("this program was built without Kafka; build it with `cargo build --features kafka`".into())
}
