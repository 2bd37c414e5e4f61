// SPDX-License-Identifier: Apache-2.0
//! `dstreams demo`: word count on a live stream, with a table of its batches.

mod generator;
mod pipeline;
mod source;
mod table;

use std::{error::Error, sync::mpsc};

use dstreams::{Config, StopOptions, StreamingContext, log::Level, streaming::config::keys};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use self::{generator::Generator, source::Source, table::Table};

/// What the demo is asked to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the text comes from: `socket://host:port`, or `file:///dir` for files that appear in a directory;
    /// generated text over a loopback socket if not given.
    #[arg(long)]
    source: Option<Source>,
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
        if self.source.is_none() { Level::ERROR } else { Level::WARN }
    }
}

/// Why the demo ends.
pub(crate) enum End {
    /// The batches asked for have been run.
    Enough,
    /// A signal.
    Interrupted,
    /// The stream failed.
    Failed,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let ssc = StreamingContext::new(config(options)?, options.interval.parse()?)?;
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
    watch_signals(ends.clone())?;

    println!("Counting words of {source}, a batch every {}. Ctrl-C to stop.\n", ssc.batch_interval());
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

fn config(options: &Options) -> Result<Config, Box<dyn Error>> {
    let mut config = Config::new();
    config.load_environment(std::env::vars_os())?;
    for setting in &options.conf {
        config.set_argument(setting)?;
    }
    config.set(keys::MASTER.name(), &options.master)?;
    config.set(keys::APP_NAME.name(), "dstreams-demo")?;
    Ok(config)
}

/// The first signal asks for the end, the second one is not waited for.
fn watch_signals(ends: mpsc::Sender<End>) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 || ends.send(End::Interrupted).is_err() {
                std::process::exit(128 + signal);
            }
        }
    })?;
    Ok(())
}

fn watch_errors(ssc: &StreamingContext, ends: mpsc::Sender<End>) {
    let ssc = ssc.clone();
    std::thread::spawn(move || {
        if ssc.await_termination().is_err() {
            // Nobody listens any more when the demo has ended for another reason.
            let _ = ends.send(End::Failed);
        }
    });
}
