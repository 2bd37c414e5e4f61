// SPDX-License-Identifier: Apache-2.0
//! `dstreams stop`: has an application process what it has received and stop, and waits until it has.

use std::{error::Error, fs, path::PathBuf};

use dstreams::{
    Duration,
    streaming::clock::{Clock as _, StopFlag, SystemClock},
    time::milliseconds,
};
use rustix::process::Signal;
use serde::Deserialize;

use crate::process;

/// Options of `dstreams stop`.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    application: Application,
    /// How long to wait for the end, such as 10min; 0 does not wait.
    #[arg(long, default_value = "10min", value_parser = crate::length)]
    wait: Duration,
    /// The token of a UI that is open to other machines.
    #[arg(long, env = "DSTREAMS_UI_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// Which application.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Application {
    /// The address of its web UI, such as `http://127.0.0.1:4040`
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// The number of its process.
    #[arg(long)]
    pid: Option<u32>,
    /// The file for which it looks (dstreams.shutdown.markerPlaced): it is put there.
    #[arg(long, value_name = "FILE")]
    marker: Option<PathBuf>,
    /// The file that it has put there (dstreams.shutdown.markerDeleted): it is deleted.
    #[arg(long, value_name = "FILE")]
    delete_marker: Option<PathBuf>,
}

/// How often it is looked whether the application has stopped.
const LOOK: Duration = milliseconds(100);

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Asks the application to stop, and waits for it.
pub(crate) fn run(options: &Options) -> Outcome {
    let Application { url, pid, marker, delete_marker } = &options.application;
    if let Some(url) = url {
        return stop_by_url(url.trim_end_matches('/'), options);
    }
    if let Some(pid) = *pid {
        if !process::is_alive(pid)? {
            return Err(format!("there is no process {pid}").into());
        }
        process::signal(pid, Signal::TERM)?;
        return options.await_end(|| Ok(!process::is_alive(pid)?));
    }
    if let Some(marker) = delete_marker {
        fs::remove_file(marker).map_err(|cause| format!("cannot delete {}: {cause}", marker.display()))?;
        // The application says nothing more there; that it has ended is seen elsewhere.
        return Ok(());
    }
    marker.as_ref().map_or(Ok(()), |marker| stop_by_marker(marker, options))
}

fn stop_by_marker(marker: &PathBuf, options: &Options) -> Outcome {
    let left = |suffix| {
        let mut path = marker.clone().into_os_string();
        path.push(suffix);
        PathBuf::from(path)
    };
    let (completed, incomplete) = (left(".COMPLETED"), left(".INCOMPLETE"));
    // Those of an earlier stop would be taken for the answer.
    for path in [&completed, &incomplete] {
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    fs::write(marker, "").map_err(|cause| format!("cannot write {}: {cause}", marker.display()))?;
    options.await_end(|| Ok(!marker.exists()))?;
    if let Ok(report) = fs::read_to_string(&completed) {
        print!("{report}");
    }
    match fs::read_to_string(&incomplete) {
        Ok(report) => Err(format!("not everything received has been processed:\n{report}").into()),
        Err(_) => Ok(()),
    }
}

/// An application as its REST interface tells of it.
#[derive(Deserialize)]
struct Listed {
    id: String,
}

fn stop_by_url(url: &str, options: &Options) -> Outcome {
    let agent = agent();
    let applications = format!("{url}/api/v1/applications");
    let listed = ask(agent.get(&applications), options).call();
    let listed =
        listed.map_err(|error| format!("{url} does not answer: {error}"))?.into_body().read_to_string()?;
    let listed: Vec<Listed> = serde_json::from_str(&listed)
        .map_err(|error| format!("{url} is not the UI of an application: {error}"))?;
    let id = &listed.first().ok_or_else(|| format!("{url} knows no application"))?.id;
    let stop = ask(agent.post(format!("{applications}/{id}/streaming/stop")), options);
    let stop = stop.header("X-Requested-By", "dstreams").send_empty();
    stop.map_err(|error| format!("{url} does not stop its application: {error}"))?;
    options.await_end(|| Ok(ask(agent.get(&applications), options).call().is_err()))
}

fn agent() -> ureq::Agent {
    let answer = std::time::Duration::from_secs(30);
    ureq::Agent::config_builder().timeout_global(Some(answer)).build().into()
}

fn ask<T>(request: ureq::RequestBuilder<T>, options: &Options) -> ureq::RequestBuilder<T> {
    match &options.token {
        Some(token) => request.header("Authorization", format!("Bearer {token}")),
        None => request,
    }
}

impl Options {
    /// Waits until the application has stopped.
    fn await_end(&self, mut has_ended: impl FnMut() -> Outcome<bool>) -> Outcome {
        let begun = SystemClock.now();
        while self.wait.is_positive() && !has_ended()? {
            if SystemClock.now() - begun >= self.wait {
                return Err(
                    format!("the application was asked to stop and still runs after {}", self.wait).into()
                );
            }
            let _time_has_passed = SystemClock.sleep(LOOK, &StopFlag::new());
        }
        Ok(())
    }
}
