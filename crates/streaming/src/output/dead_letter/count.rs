// SPDX-License-Identifier: Apache-2.0
//! `Counts`: how many records of a batch are dead letters, whatever attempts there were at its partitions.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use crate::time::Time;

/// The counts of the batches that are being processed. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts(Arc<Mutex<BTreeMap<Time, BTreeMap<usize, Count>>>>);

/// Dead letters, and the records among which they were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) letters: u64,
    pub(super) records: u64,
}

/// What batches that have failed leave behind is forgotten when so many others have been counted.
const REMEMBERED: usize = 64;

impl Counts {
    /// Begins to count a partition. What an attempt before has counted is forgotten.
    pub(super) fn partition(&self, batch: Time, partition: usize) -> Counter {
        Counter { counts: self.clone(), batch, partition, count: Count::default() }
    }

    /// The sum over the partitions of a batch, which is forgotten.
    pub(super) fn take(&self, batch: Time) -> Count {
        let partitions = self.0.lock().remove(&batch).unwrap_or_default();
        partitions.values().fold(Count::default(), |sum, count| Count {
            letters: sum.letters + count.letters,
            records: sum.records + count.records,
        })
    }
}

/// Counts one partition. What it has counted is known when it is dropped, at the end of the task.
pub(super) struct Counter {
    counts: Counts,
    batch: Time,
    partition: usize,
    count: Count,
}

impl Counter {
    /// Counts a record, and a letter if there is one.
    pub(super) fn count<L>(&mut self, letter: Option<L>) -> Option<L> {
        self.count.records += 1;
        self.count.letters += u64::from(letter.is_some());
        letter
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock();
        counts.entry(self.batch).or_default().insert(self.partition, self.count);
        while counts.len() > REMEMBERED {
            counts.pop_first();
        }
    }
}
