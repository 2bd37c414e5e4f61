// SPDX-License-Identifier: Apache-2.0
//! Marker files: an application is stopped by a file that appears, or by one that is deleted.

use std::io::{self, ErrorKind, Write as _};

use super::StreamingContext;
use crate::{
    checkpoint::set_aside,
    clock::{StopFlag, Waited},
    config::{Config, keys},
    error::{Error, Result},
    event::ShutdownReport,
    storage::{Location, location},
};

/// The marker files of an application while it runs. The threads that look at them end when this is dropped.
pub(super) struct Markers {
    ssc: StreamingContext,
    placed: Option<Marker>,
    deleted: Option<Marker>,
    done: StopFlag,
}

/// A file or an object that is there or not.
#[derive(Clone)]
struct Marker {
    /// As it is configured.
    name: String,
    at: Location,
}

/// What the file that has stopped an application is called afterwards, when all that was received has been processed;
/// and when not.
const COMPLETED: &str = "COMPLETED";
const INCOMPLETE: &str = "INCOMPLETE";

impl Markers {
    /// The markers that the configuration names. The one that is to be deleted is put there now.
    pub(super) fn of(ssc: &StreamingContext) -> Result<Self> {
        let config = ssc.config();
        let marker = |name: Option<String>| name.map(|name| Marker::new(name, config)).transpose();
        let placed = marker(config.get(&keys::MARKER_PLACED))?;
        let deleted = marker(config.get(&keys::MARKER_DELETED))?;
        if let Some(deleted) = &deleted {
            let application = config.get(&keys::APP_NAME).unwrap_or_default();
            let text = format!(
                "application {application}, process {}\nDelete this file to have it process what it has received, and stop.\n",
                std::process::id()
            );
            deleted.put(&text).map_err(|cause| deleted.error("put there", &cause))?;
        }
        Ok(Self { ssc: ssc.clone(), placed, deleted, done: StopFlag::new() })
    }

    /// Begins to look at the files.
    pub(super) fn watch(&self) -> Result<()> {
        let placed = self.placed.clone().map(|marker| (marker, true));
        let deleted = self.deleted.clone().map(|marker| (marker, false));
        for (marker, stops_when_there) in placed.into_iter().chain(deleted) {
            let (ssc, done) = (self.ssc.clone(), self.done.clone());
            std::thread::Builder::new()
                .name("dstreams-marker".to_owned())
                .spawn(move || marker.watch(stops_when_there, &ssc, &done))
                .map_err(|cause| Error::system("start the thread that looks at a marker file", cause))?;
        }
        Ok(())
    }

    /// After the context has stopped: leaves the report where the file was that has asked for the stop, and sets the
    /// checkpoint directory aside if that is wanted.
    pub(super) fn finish(&self) -> Result<()> {
        self.done.raise();
        let Some(report) = self.ssc.shutdown_report() else { return Ok(()) };
        if let Some(deleted) = self.deleted.as_ref().filter(|_| report.graceful) {
            deleted.remove().map_err(|cause| deleted.error("remove", &cause))?;
        }
        let Some(placed) = &self.placed else { return Ok(()) };
        if !report.graceful || !placed.exists().map_err(|cause| placed.error("look for", &cause))? {
            return Ok(());
        }
        if report.finished && self.ssc.config().get(&keys::SET_CHECKPOINTS_ASIDE) {
            self.set_checkpoints_aside(&report)?;
        }
        let suffix = if report.finished { COMPLETED } else { INCOMPLETE };
        let left = Marker::new(format!("{}.{suffix}", placed.name), self.ssc.config())?;
        left.put(&report.to_string()).map_err(|cause| left.error("put there", &cause))?;
        placed.remove().map_err(|cause| placed.error("remove", &cause))
    }

    fn set_checkpoints_aside(&self, report: &ShutdownReport) -> Result<()> {
        let Some(name) = self.ssc.checkpoint_directory() else { return Ok(()) };
        let aside = format!("{}.{}", name.trim_end_matches('/'), report.time.as_millis());
        let place = |name: &str| location(name, self.ssc.config());
        set_aside(&place(&name)?, &place(&aside)?).map_err(|cause| {
            Error::user(format!(
                "the checkpoint directory {name} cannot be set aside: {cause}; move it by hand before the next start"
            ))
        })?;
        tracing::info!(aside, "the checkpoint directory has been set aside");
        Ok(())
    }
}

impl Drop for Markers {
    fn drop(&mut self) {
        self.done.raise();
    }
}

impl Marker {
    fn new(name: String, config: &Config) -> Result<Self> {
        let at = location(&name, config)?;
        Ok(Self { name, at })
    }

    fn exists(&self) -> io::Result<bool> {
        self.at.exists()
    }

    fn put(&self, text: &str) -> io::Result<()> {
        let mut file = self.at.create("marker")?;
        file.write_all(text.as_bytes())?;
        file.commit()
    }

    fn remove(&self) -> io::Result<()> {
        match self.at.remove("marker") {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn error(&self, action: &str, cause: &io::Error) -> Error {
        Error::user(format!(
            "cannot {action} the marker file {}: {cause}; check that its directory exists and may be written",
            self.name
        ))
    }

    /// Looks until the application is to stop, or has stopped.
    fn watch(&self, stops_when_there: bool, ssc: &StreamingContext, done: &StopFlag) {
        let clock = ssc.scope().clock();
        let interval = ssc.config().get(&keys::MARKER_INTERVAL);
        let mut unreachable = false;
        loop {
            match self.exists() {
                Ok(there) if there == stops_when_there => break,
                Ok(_) => unreachable = false,
                // One that cannot be looked at has neither appeared nor been deleted.
                Err(error) => {
                    if !std::mem::replace(&mut unreachable, true) {
                        tracing::warn!(marker = self.name, %error, "cannot look for the marker file; trying again");
                    }
                }
            }
            if clock.sleep(interval, done) == Waited::Stopped {
                return;
            }
        }
        let how = if stops_when_there { "is there" } else { "has been deleted" };
        let reason = format!("the marker file {} {how}", self.name);
        tracing::info!("stopping: {reason}");
        if let Err(error) = ssc.stop_gracefully(&reason) {
            tracing::error!(%error, "cannot stop");
        }
    }
}
