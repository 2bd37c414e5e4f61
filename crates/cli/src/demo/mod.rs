// SPDX-License-Identifier: Apache-2.0
//! `dstreams demo`: pipelines to watch. Here is what they have in common: settings, signals, and how numbers look.

mod retail;
pub(crate) mod show;
mod words;

use std::{error::Error, process, sync::mpsc, thread};

use dstreams::{Config, StreamingContext, Watched, log::Level, streaming::config::keys};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

/// What the demo is asked to do.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[group(skip)]
pub(crate) struct Options {
    #[command(subcommand)]
    pipeline: Option<Pipeline>,
    #[command(flatten)]
    words: words::Options,
}

#[derive(clap::Subcommand)]
enum Pipeline {
    /// Sales of retail stores, exactly once into tables of SQLite or PostgreSQL, with a proof of the totals at the end.
    Retail(retail::Options),
}

impl Options {
    /// What is worth a line on standard error when nothing is said about it.
    pub(crate) fn quiet_level(&self) -> Level {
        match &self.pipeline {
            None => self.words.quiet_level(),
            Some(Pipeline::Retail(options)) => options.quiet_level(),
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    match &options.pipeline {
        None => words::run(&options.words),
        Some(Pipeline::Retail(options)) => retail::run(options),
    }
}

/// Why a demo ends.
pub(crate) enum End {
    /// The batches asked for have been run.
    Enough,
    /// A signal.
    Interrupted,
    /// The stream failed.
    Failed,
}

/// The settings of a demo: its own, then those of the environment, then those of the command line.
fn config(
    own: &[(&str, &str)],
    settings: &[String],
    master: &str,
    name: &str,
) -> Result<Config, Box<dyn Error>> {
    let mut config = Config::new();
    for (key, value) in own {
        config.set(key, value)?;
    }
    config.load_environment(std::env::vars_os())?;
    for setting in settings {
        config.set_argument(setting)?;
    }
    config.set(keys::MASTER.name(), master)?;
    config.set(keys::APP_NAME.name(), name)?;
    Ok(config)
}

/// Where the pages are, to be said with what is done.
fn watched_at(watched: &Watched) -> String {
    watched.url().map_or_else(String::new, |url| format!("\nWatch it at {url}\n"))
}

/// The first signal asks for the end, the second one is not waited for.
pub(crate) fn watch_signals(
    mut interrupted: impl FnMut() -> bool + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 || !interrupted() {
                process::exit(128 + signal);
            }
        }
    })?;
    Ok(())
}

fn watch_errors(ssc: &StreamingContext, ends: mpsc::Sender<End>) {
    let ssc = ssc.clone();
    thread::spawn(move || {
        if ssc.await_termination().is_err() {
            // Nobody listens any more when the demo has ended for another reason.
            let _ = ends.send(End::Failed);
        }
    });
}
