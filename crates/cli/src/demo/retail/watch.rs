// SPDX-License-Identifier: Apache-2.0
//! What is known of each batch when it has been completed, sent to whoever shows it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
};

use dstreams::{Duration, StreamingListener, Time, streaming::event::BatchInfo};
use serde::{Deserialize, Serialize};

use super::source::Pace;

/// What happens to a stream, in its own process or in that of a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Event {
    /// The stream has been started, with all that an earlier process has left; its pages are at this port.
    Started(Option<u16>),
    /// A batch has been completed.
    Batch(Row),
    /// It is to end.
    Interrupted,
    /// It has failed, or its process has ended.
    Ended,
}

/// A completed batch; times are in milliseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) batch: i64,
    pub(super) messages: u64,
    pub(super) sales: u64,
    pub(super) rejected: u64,
    pub(super) processing: i64,
    pub(super) delay: i64,
    pub(super) ended: i64,
}

impl Row {
    pub(super) fn time(&self) -> Time {
        Time::from_millis(self.batch)
    }
}

/// Hears of batches from the listener bus, and of what was in them from an output.
pub(super) struct Watcher {
    interval: Duration,
    events: Mutex<mpsc::Sender<Event>>,
    /// Sales and dead letters of batches that have not been completed.
    counts: Mutex<BTreeMap<Time, (u64, u64)>>,
    /// To be set to what the pipeline can take, where no rate is given.
    pace: Option<Pace>,
}

impl Watcher {
    pub(super) fn new(interval: Duration, events: mpsc::Sender<Event>, pace: Option<Pace>) -> Arc<Self> {
        Arc::new(Self { interval, events: Mutex::new(events), counts: Mutex::default(), pace })
    }

    pub(super) fn set_counts(&self, time: Time, sales: u64, rejected: u64) {
        self.counts().insert(time, (sales, rejected));
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<Time, (u64, u64)>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Aims at batches that take four fifths of the interval, less while batches wait, and grows by no more than a half at
    /// once.
    fn adapt(&self, pace: &Pace, row: &Row) {
        let late = row.delay * 10 > self.interval.as_millis();
        let aim = self.interval.as_millis().unsigned_abs() * if late { 6 } else { 8 } / 10;
        let fitting = row.messages * aim / row.processing.unsigned_abs().max(1);
        pace.set(fitting.min(pace.get() + pace.get() / 2));
    }
}

impl StreamingListener for Watcher {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let (sales, rejected) = self.counts().remove(&batch.batch_time).unwrap_or_default();
        let millis = |duration: Option<Duration>| duration.map_or(0, Duration::as_millis);
        let row = Row {
            batch: batch.batch_time.as_millis(),
            messages: batch.num_records(),
            sales,
            rejected,
            processing: millis(batch.processing_delay()),
            delay: millis(batch.scheduling_delay()),
            ended: batch.processing_end_time.map_or(0, Time::as_millis),
        };
        if let Some(pace) = &self.pace {
            self.adapt(pace, &row);
        }
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody listens when the demo is ending.
        let _ = events.send(Event::Batch(row));
    }
}
