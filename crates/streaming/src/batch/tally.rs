// SPDX-License-Identifier: Apache-2.0
//! `Tally`: how far a context has come with batches that are complete, for the report at its end.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::{
    input::{Batch, InputInfo, StreamId},
    time::Time,
};

/// The last complete batch and what was taken of each input stream up to it.
#[derive(Default)]
pub(crate) struct Tally {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Option<Time>,
    completed: u64,
    positions: BTreeMap<StreamId, (Time, InputInfo)>,
}

impl Tally {
    /// The batches up to `last` were completed by earlier processes; those of `batches` are still known.
    pub(crate) fn found<'a>(&self, last: Time, batches: impl Iterator<Item = &'a Batch>) {
        let mut state = self.state.lock();
        state.last = Some(last);
        batches.filter(|batch| batch.time <= last).for_each(|batch| state.note(batch));
    }

    /// A batch is complete.
    pub(crate) fn completed(&self, batch: &Batch) {
        let mut state = self.state.lock();
        state.completed += 1;
        state.note(batch);
    }

    /// The last complete batch.
    pub(crate) fn last(&self) -> Option<Time> {
        self.state.lock().last
    }

    /// How many batches this process has completed.
    pub(crate) fn count(&self) -> u64 {
        self.state.lock().completed
    }

    /// What the last complete batch that has anything of a stream took of it.
    pub(crate) fn positions(&self) -> BTreeMap<StreamId, (Time, InputInfo)> {
        self.state.lock().positions.clone()
    }
}

impl State {
    fn note(&mut self, batch: &Batch) {
        // With several jobs at a time a batch may be overtaken.
        self.last = self.last.max(Some(batch.time));
        for (stream, input) in &batch.inputs {
            let before = self.positions.get(stream);
            let newer = before.is_none_or(|(time, _)| *time < batch.time);
            let has_something =
                input.info.records > 0 || input.info.metadata.keys().any(|key| InputInfo::is_position(key));
            if newer && (has_something || before.is_none()) {
                self.positions.insert(*stream, (batch.time, input.info.clone()));
            }
        }
    }
}
