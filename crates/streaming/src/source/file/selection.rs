// SPDX-License-Identifier: Apache-2.0
//! Which of the files that are there a batch takes: those modified since a threshold and not taken recently.

use std::collections::BTreeMap;

use std::ffi::OsString;

use super::SelectedFile;
use crate::time::{Duration, Time};

/// The rule, and the files taken recently.
#[derive(Debug)]
pub(super) struct Selection {
    /// Files that were not modified after this time are never taken.
    initial_ignore: Time,
    interval: Duration,
    window: Duration,
    /// The batch that took each file.
    recent: BTreeMap<OsString, Time>,
}

impl Selection {
    /// A rule for batches every `interval` that looks back for `min_remember`, rounded up to whole intervals.
    pub(super) fn new(initial_ignore: Time, interval: Duration, min_remember: Duration) -> Self {
        let step = interval.as_millis().max(1);
        let intervals = min_remember.as_millis().max(1).saturating_add(step - 1) / step;
        Self { initial_ignore, interval, window: interval * intervals, recent: BTreeMap::new() }
    }

    /// How far back from a batch a file may have been modified to be taken.
    pub(super) fn window(&self) -> Duration {
        self.window
    }

    /// The files that the batch at `time` takes of those that are there, in the same order.
    pub(super) fn select(&mut self, time: Time, listed: Vec<SelectedFile>) -> Vec<SelectedFile> {
        // A file that its batch took longer ago is too old by now, unless it was modified since and is to be read
        // again. This depends on batch times alone, so that it is the same whenever earlier batches complete.
        let remembered_since = time - self.interval - self.window;
        self.recent.retain(|_, batch| *batch >= remembered_since);
        let threshold = self.initial_ignore.max(time - self.window);
        let mut selected = listed;
        selected.retain(|file| {
            file.modified > threshold && file.modified <= time && !self.recent.contains_key(&file.path)
        });
        self.recent.extend(selected.iter().map(|file| (file.path.clone(), time)));
        selected
    }

    /// Lets a later batch take the files again.
    pub(super) fn give_back(&mut self, files: &[SelectedFile]) {
        for file in files {
            self.recent.remove(&file.path);
        }
    }
}
