// SPDX-License-Identifier: Apache-2.0
//! `Applied`: what the batches have done that a partition has applied, for those who make them durable.

use std::collections::VecDeque;

use parking_lot::Mutex;

use super::changes::PartitionChanges;
use crate::time::Time;

/// How far a partition is. It has a lock of its own, so that a batch can become durable while the next one, which has the
/// states locked, is applied.
#[derive(Default)]
pub(super) struct Applied(Mutex<Progress>);

#[derive(Default)]
struct Progress {
    last: Option<Time>,
    keys: usize,
    /// What the batches changed that are not taken yet, oldest first; nothing when there is no log.
    log: Option<VecDeque<(Time, PartitionChanges)>>,
}

impl Applied {
    /// The latest batch whose changes are all made.
    pub(super) fn last(&self) -> Option<Time> {
        self.0.lock().last
    }

    /// How many keys there are after that batch.
    pub(super) fn keys(&self) -> usize {
        self.0.lock().keys
    }

    /// Says that the latest batch is the one at `last`, after which there are `keys` keys.
    pub(super) fn set(&self, last: Option<Time>, keys: usize) {
        let mut progress = self.0.lock();
        (progress.last, progress.keys) = (last, keys);
    }

    /// Writes down from now on what each batch changes.
    pub(super) fn log(&self) {
        self.0.lock().log.get_or_insert_default();
    }

    /// About how many bytes the changes of a batch take, if they are to be written down: most batches are like the one
    /// before.
    pub(super) fn expected_bytes(&self) -> Option<usize> {
        self.0.lock().log.as_ref().map(|log| log.back().map_or(0, |(_, changes)| changes.keys.len()))
    }

    /// Adds what the batch at `time` has changed.
    pub(super) fn push(&self, time: Time, changes: PartitionChanges) {
        if let Some(log) = &mut self.0.lock().log {
            log.push_back((time, changes));
        }
    }

    /// Takes what the batch at `time` has changed.
    pub(super) fn take(&self, time: Time) -> Option<PartitionChanges> {
        let mut progress = self.0.lock();
        let log = progress.log.as_mut()?;
        while log.front().is_some_and(|(oldest, _)| *oldest < time) {
            // It has been taken before, and was made again since.
            log.pop_front();
        }
        if log.front().is_some_and(|(oldest, _)| *oldest == time) {
            log.pop_front().map(|(_, changes)| changes)
        } else {
            None
        }
    }

    /// Forgets what the batch at `time` has changed.
    pub(super) fn forget(&self, time: Time) {
        if let Some(log) = &mut self.0.lock().log {
            log.retain(|(logged, _)| *logged != time);
        }
    }

    /// Forgets the changes of all batches.
    pub(super) fn forget_all(&self) {
        if let Some(log) = &mut self.0.lock().log {
            log.clear();
        }
    }
}
