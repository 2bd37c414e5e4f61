// SPDX-License-Identifier: Apache-2.0
//! `dstreams history`: the pages of an application that has ended, from its event log.

use std::{error::Error, path::PathBuf, sync::Arc, sync::mpsc};

use dstreams::{
    Config, Time,
    monitor::{
        Limits, Monitor,
        history::{self, Run},
    },
    streaming::{clock::ManualClock, config::keys},
    web::WebUi,
};

use crate::demo::watch_signals;

/// What is to be shown.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The directory of event logs (`spark.eventLog.dir`), or that of one run.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The id of the run; the one that was started last if not given.
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Only list the runs.
    #[arg(long)]
    list: bool,
    /// The port of the pages; the next free one is taken.
    #[arg(long, default_value_t = 18080)]
    port: u16,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let runs = history::runs(&options.directory)?;
    if options.list {
        for run in &runs {
            println!("{}  {}", run.application.id, run.application.name);
        }
        return Ok(());
    }
    let run = choose(&runs, options)?;
    let store = history::read(&run.path, Limits::default())?;
    let clock = Arc::new(ManualClock::new(store.last_event().unwrap_or(Time::ZERO)));
    let monitor = Monitor::of(store, clock);
    let mut config = Config::new();
    config.set(keys::UI_PORT.name(), &options.port.to_string())?;
    let ui = WebUi::show(monitor, &config)?;
    let (interrupt, interrupted) = mpsc::channel();
    watch_signals(move || interrupt.send(()).is_ok())?;
    println!("{} ({}), of {} runs there", run.application.name, run.application.id, runs.len());
    println!("Look at it at {}. Ctrl-C to end.", ui.url());
    // An error means that the thread that waits for signals has ended.
    let _ = interrupted.recv();
    Ok(())
}

fn choose<'a>(runs: &'a [Run], options: &Options) -> Result<&'a Run, Box<dyn Error>> {
    let found = match &options.run {
        Some(id) => runs.iter().find(|run| run.application.id == *id),
        None => runs.last(),
    };
    found.ok_or_else(|| {
        let directory = options.directory.display();
        match &options.run {
            Some(id) => {
                format!("{directory} has no event log of {id}; see `dstreams history {directory} --list`")
            }
            None => {
                format!("{directory} has no event logs; set spark.eventLog.enabled and spark.eventLog.dir")
            }
        }
        .into()
    })
}
