// SPDX-License-Identifier: Apache-2.0
//! `run`: a whole application from one function that builds its graph.

use std::io::Write as _;

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{StreamingContext, marker::Markers, recovery::parallelism_of_pending, stop::StopOptions};
use crate::{
    clock::StopFlag,
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
    if ssc.config().get(&keys::RECOVERY_MODE) == "explain" {
        return explain(&ssc);
    }
    // Before the start, so that no signal ends the process half-way through it.
    let stopping = stop_on_signals(&ssc)?;
    let markers = Markers::of(&ssc)?;
    if let Err(error) = ssc.start() {
        return if stopping.is_raised() { Ok(()) } else { Err(error) };
    }
    markers.watch()?;
    let result = ssc.await_termination();
    ssc.stop()?;
    result.and(markers.finish())
}

/// A context with `directory` as its checkpoint directory, built by `build`.
///
/// The same function builds the graph at the first start and at every later one: what is stored is data only, found
/// again by the names and positions of inputs and operators. A later start goes on where the earlier process was, however
/// that has ended:
///
/// - States are those after the last batch that is complete.
/// - Batches that were planned and are not complete are processed again, with exactly the input that they had.
/// - Batches whose time came while no process was running are made up for, or left out
///   (`dstreams.recovery.missedBatches`).
/// - The table of what was kept, migrated, dropped or begun anew is logged and is in
///   [`recovery`](StreamingContext::recovery).
///
/// The directory may be a URL for which a storage is [registered](crate::storage).
///
/// The start fails when another process works with the directory, unless it is on an object store, when it belongs to an application of another name, and
/// when something in it is damaged that nothing can take the place of.
///
/// ```
/// use dstreams_streaming::{Config, get_or_create, time::seconds};
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path().to_str().ok_or("a path that is text")?;
/// for _start in 0..2 {
///     let ssc = get_or_create(dir, Config::default(), |ssc| {
///         ssc.text_file_stream("/tmp/orders").map(|line| (line, 1)).update_state_by_key(|new, n| {
///             Some(n.unwrap_or(0) + new.len())
///         }).print();
///         Ok(())
///     })?;
///     ssc.start()?;
///     ssc.stop()?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn get_or_create(
    directory: &str,
    mut config: Config,
    build: impl FnOnce(&StreamingContext) -> Result<()>,
) -> Result<StreamingContext> {
    if config.get(&keys::DEFAULT_PARALLELISM).is_none()
        && let Some(parallelism) = parallelism_of_pending(directory, &config)?
    {
        config.set(keys::DEFAULT_PARALLELISM.name(), &parallelism.to_string())?;
    }
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

/// Prints what a start would make of the checkpoint directory.
fn explain(ssc: &StreamingContext) -> Result<()> {
    let text = match ssc.explain_recovery()? {
        Some(report) => report.to_string(),
        None => "nothing to go on from: everything would begin anew\n".to_owned(),
    };
    let shown = std::io::stdout().write_all(text.as_bytes());
    shown.map_err(|cause| Error::system("show what would be recovered", cause))
}

/// Starts the thread that turns signals into a stop. The flag is raised when one has come.
fn stop_on_signals(ssc: &StreamingContext) -> Result<StopFlag> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|cause| Error::system("install signal handlers", cause))?;
    let (ssc, came) = (ssc.clone(), StopFlag::new());
    let coming = came.clone();
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
                coming.raise();
                let graceful = ssc.config().get(&keys::STOP_GRACEFULLY_ON_SHUTDOWN);
                tracing::info!(signal, graceful, "stopping; signal again to stop at once");
                let options = StopOptions { graceful, ..StopOptions::default() };
                if ssc.stop_in_the_background(options.reason(format!("signal {signal}"))).is_err() {
                    std::process::exit(128 + signal);
                }
            }
        })
        .map_err(|cause| Error::system("start the signal thread", cause))?;
    Ok(came)
}
