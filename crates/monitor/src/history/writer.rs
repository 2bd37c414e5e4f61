// SPDX-License-Identifier: Apache-2.0
//! Writes the event log of a run.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use dstreams_streaming::event::StreamingEvent;

use super::{failed, file, numbers};
use crate::{
    error::Result,
    event::{EngineStep, Event},
    store::Store,
};

/// The log of a run that is being written. It is for people: it is not forced to the disk, and when it cannot be written
/// the application goes on without it.
pub(crate) struct EventLog {
    run: PathBuf,
    /// What a file may take.
    file_limit: u64,
    /// What all files may take.
    limit: u64,
    /// The files that are complete, with their sizes.
    complete: VecDeque<(u64, u64)>,
    current: u64,
    written: u64,
    /// None once writing has failed.
    writer: Option<BufWriter<File>>,
}

/// Into how many files what is kept is divided: so much of it goes at a time.
const FILES: u64 = 8;

impl EventLog {
    /// Goes on in the directory of a run, which is made if there is none, with no more than `limit` bytes.
    pub(crate) fn open(directory: &Path, run: &str, limit: u64) -> Result<Self> {
        let run = directory.join(run);
        fs::create_dir_all(&run).map_err(failed("make", &run))?;
        let numbers = numbers(&run).map_err(failed("list", &run))?;
        let size = |number| fs::metadata(file(&run, number)).map_or(0, |file| file.len());
        let complete: VecDeque<_> = numbers.iter().map(|number| (*number, size(*number))).collect();
        let current = numbers.last().map_or(0, |last| last + 1);
        let path = file(&run, current);
        let writer = File::create_new(&path).map_err(failed("make", &path))?;
        Ok(Self {
            run,
            file_limit: (limit / FILES).max(1),
            limit,
            complete,
            current,
            written: 0,
            writer: Some(BufWriter::new(writer)),
        })
    }

    /// Writes an event that `store` has taken in already.
    pub(crate) fn write(&mut self, event: &Event, store: &Store) {
        if self.writer.is_none() {
            return;
        }
        if let Err(error) = self.try_write(event, store) {
            tracing::warn!(%error, dir = %self.run.display(), "the event log cannot be written; the application goes on without it");
            self.writer = None;
        }
    }

    fn try_write(&mut self, event: &Event, store: &Store) -> io::Result<()> {
        self.line(event)?;
        if self.written > self.file_limit {
            // What the new file begins with has counted this event.
            return self.roll(store);
        }
        // Whoever looks at the log of a run that has crashed finds the batches that were complete.
        let worth_it = matches!(
            event,
            Event::Streaming(
                StreamingEvent::BatchCompleted(_) | StreamingEvent::Stopped(_) | StreamingEvent::Failure(_)
            )
        );
        match &mut self.writer {
            Some(writer) if worth_it => writer.flush(),
            _ => Ok(()),
        }
    }

    fn line(&mut self, event: &Event) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.written += line.len() as u64;
        writer.write_all(&line)
    }

    /// Goes on in a new file, and removes the oldest ones that there is no room for.
    fn roll(&mut self, store: &Store) -> io::Result<()> {
        if let Some(mut writer) = self.writer.take() {
            writer.flush()?;
        }
        self.complete.push_back((self.current, self.written));
        self.current += 1;
        self.written = 0;
        self.writer = Some(BufWriter::new(File::create_new(file(&self.run, self.current))?));
        for event in store.preamble() {
            self.line(&event)?;
        }
        let mut all: u64 = self.complete.iter().map(|(_, size)| size).sum();
        while all + self.file_limit > self.limit {
            let Some((number, size)) = self.complete.pop_front() else { break };
            fs::remove_file(file(&self.run, number))?;
            all -= size;
        }
        Ok(())
    }
}

impl Store {
    /// What must be known before later events make sense.
    fn preamble(&self) -> Vec<Event> {
        let mut events = vec![Event::Engine(EngineStep::Application(self.application.clone()))];
        events.extend(self.started.map(|time| Event::Streaming(StreamingEvent::StreamingStarted(time))));
        events.extend(self.graph.clone().map(|graph| Event::Streaming(StreamingEvent::Graph(graph))));
        let receivers = self.receivers.values().cloned();
        events.extend(receivers.map(|receiver| {
            Event::Streaming(if receiver.active {
                StreamingEvent::ReceiverStarted(receiver)
            } else {
                StreamingEvent::ReceiverStopped(receiver)
            })
        }));
        events.push(Event::Engine(EngineStep::Counted(self.totals)));
        events
    }
}
