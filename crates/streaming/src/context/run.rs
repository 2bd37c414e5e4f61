// SPDX-License-Identifier: Apache-2.0
//! `run`: a whole application from one function that builds its graph.

use std::io::Write as _;

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{StreamingContext, life::StopOptions};
use crate::{
    config::{CommandLine, Config, keys},
    error::{Error, Result},
};

/// Runs an application until it fails or is told to stop.
///
/// Reads the configuration (defaults, then the properties file, the environment and the command line, each over those
/// before), builds the graph with `build`, starts it, and returns the error that stopped it. The first SIGINT or
/// SIGTERM processes what has been received and stops; a second one ends the process at once.
///
/// ```no_run
/// fn main() -> dstreams_streaming::Result<()> {
///     dstreams_streaming::run("network-word-count", |ssc| {
///         ssc.socket_text_stream("localhost:9999")
///             .flat_map(|line| line.words())
///             .map(|word| (word, 1u64))
///             .reduce_by_key(|a, b| a + b)
///             .print();
///         Ok(())
///     })
/// }
/// ```
pub fn run(name: &str, build: impl FnOnce(&StreamingContext) -> Result<()>) -> Result<()> {
    match Config::load(name, std::env::args_os().skip(1))? {
        CommandLine::Run(config) => run_with(config, build),
        CommandLine::Help(text) => std::io::stdout()
            .write_all(text.as_bytes())
            .map_err(|cause| Error::system("show the help text", cause)),
    }
}

/// As [`run`], with a configuration that has been read already.
pub fn run_with(config: Config, build: impl FnOnce(&StreamingContext) -> Result<()>) -> Result<()> {
    let ssc = match config.get(&keys::CHECKPOINT_DIRECTORY) {
        Some(directory) => get_or_create(&directory, config, build)?,
        None => create(config, build)?,
    };
    for warning in ssc.config().warnings() {
        tracing::warn!("{warning}");
    }
    ssc.start()?;
    stop_on_signals(&ssc)?;
    let result = ssc.await_termination();
    ssc.stop()?;
    result
}

/// A context with `directory` as its checkpoint directory, built by `build`.
///
/// The same function builds the graph at the first start and at every later one: what will be stored is data only, found
/// again by the names and positions of the operators. This version stores nothing there that outlives the process, so
/// every start begins anew; a warning says so.
pub fn get_or_create(
    directory: &str,
    config: Config,
    build: impl FnOnce(&StreamingContext) -> Result<()>,
) -> Result<StreamingContext> {
    create(config, |ssc| {
        ssc.checkpoint(directory);
        build(ssc)
    })
}

fn create(config: Config, build: impl FnOnce(&StreamingContext) -> Result<()>) -> Result<StreamingContext> {
    let interval = config.get(&keys::BATCH_INTERVAL);
    let ssc = StreamingContext::new(config, interval)?;
    build(&ssc)?;
    Ok(ssc)
}

/// Starts the thread that turns signals into a stop.
fn stop_on_signals(ssc: &StreamingContext) -> Result<()> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|cause| Error::system("install signal handlers", cause))?;
    let ssc = ssc.clone();
    std::thread::Builder::new()
        .name("dstreams-signals".to_owned())
        .spawn(move || {
            let mut stopping = false;
            for signal in signals.forever() {
                if stopping {
                    tracing::warn!(signal, "second signal: stopping at once");
                    std::process::exit(128 + signal);
                }
                stopping = true;
                let graceful = ssc.config().get(&keys::STOP_GRACEFULLY_ON_SHUTDOWN);
                tracing::info!(signal, graceful, "stopping; signal again to stop at once");
                let ssc = ssc.clone();
                let stop = move || {
                    if let Err(error) = ssc.stop_with(StopOptions { graceful, rdd_context: None }) {
                        tracing::error!(%error, "cannot stop");
                    }
                };
                if std::thread::Builder::new().name("dstreams-stop".to_owned()).spawn(stop).is_err() {
                    std::process::exit(128 + signal);
                }
            }
        })
        .map_err(|cause| Error::system("start the signal thread", cause))?;
    Ok(())
}
