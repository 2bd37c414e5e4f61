// SPDX-License-Identifier: Apache-2.0
//! `Batch`: a batch time and what each input stream gives to it. Data only, fixed before any job is made from it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// The number of an input stream, in creation order from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(pub usize);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One batch: everything that its jobs are made from, and all that must be logged to make them again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The end of the interval in which the input arrived.
    pub time: Time,
    /// What each input stream gives; a stream that is missing has no dataset at this time.
    pub inputs: BTreeMap<StreamId, BatchInput>,
}

/// What one input stream gives to one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchInput {
    /// What listeners and pages show of it.
    pub info: InputInfo,
    /// The source's own description (block ids, file names, offset ranges), encoded.
    pub plan: Vec<u8>,
}

/// What is known of the input of one stream in one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputInfo {
    /// Number of records, as far as it is known before they are read.
    pub records: u64,
    /// More about it, by name; [`InputInfo::DESCRIPTION`] is shown on the batch page.
    pub metadata: BTreeMap<String, String>,
}

impl InputInfo {
    /// The metadata key whose text is shown to people.
    pub const DESCRIPTION: &'static str = "Description";

    /// The metadata key of the files that a batch of a file stream reads, one path per line.
    pub const FILES: &'static str = "files";

    /// The metadata key of what was wrong with the input up to the making of the batch, one line each.
    pub const PROBLEMS: &'static str = "problems";

    /// The metadata key of how many files of earlier batches could not be read, since the start of the stream.
    pub const DEAD_FILES: &'static str = "deadFiles";

    /// The metadata key of how many bytes the records take, where the source knows when the batch is made.
    pub const BYTES: &'static str = "bytes";

    /// The metadata key of the records per second that the source was allowed when the batch was made.
    pub const RATE_LIMIT: &'static str = "rate limit";

    /// The metadata key of the bytes per second that the source was allowed when the batch was made.
    pub const BYTES_RATE_LIMIT: &'static str = "rate limit in bytes";

    /// How many bytes the records take, where that is known.
    pub fn bytes(&self) -> Option<u64> {
        self.metadata.get(Self::BYTES)?.parse().ok()
    }

    /// Whether an entry of the metadata says where in the source the input is, and not how it came to be as much as it is.
    pub(crate) fn is_position(key: &str) -> bool {
        ![Self::BYTES, Self::RATE_LIMIT, Self::BYTES_RATE_LIMIT].contains(&key)
    }

    /// Input of `records` records and nothing more to say.
    pub fn of_records(records: u64) -> Self {
        Self { records, metadata: BTreeMap::new() }
    }
}

/// The batches that streams may still ask for: the present one and those remembered.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    by_time: BTreeMap<Time, Arc<Batch>>,
}

impl Batches {
    /// The batch of `time`, unless it is unknown or forgotten.
    pub(crate) fn get(&self, time: Time) -> Option<&Arc<Batch>> {
        self.by_time.get(&time)
    }

    pub(crate) fn insert(&mut self, batch: Arc<Batch>) {
        self.by_time.insert(batch.time, batch);
    }

    pub(crate) fn extend(&mut self, batches: impl IntoIterator<Item = (Time, Arc<Batch>)>) {
        self.by_time.extend(batches);
    }

    pub(crate) fn remove(&mut self, time: Time) {
        self.by_time.remove(&time);
    }

    /// The latest batch before `time` that is remembered and fits.
    pub(crate) fn latest_before(&self, time: Time, fits: impl Fn(Time) -> bool) -> Option<Time> {
        self.by_time.range(..time).rev().map(|(&before, _)| before).find(|&before| fits(before))
    }

    /// All that are known, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Batch> {
        self.by_time.values().map(|batch| &**batch)
    }

    /// The times of the batches after `time`, of all if there is none.
    pub(crate) fn after(&self, time: Option<Time>) -> Vec<Time> {
        self.by_time.keys().copied().filter(|batch| Some(*batch) > time).collect()
    }

    /// Forgets the batches at and before `time`.
    pub(crate) fn forget(&mut self, time: Time) {
        self.by_time.retain(|&batch, _| batch > time);
    }
}

/// After the cases of the original's `InputInfoTrackerSuite`.
#[cfg(test)]
mod tests {
    use super::*;

    fn batch(millis: i64, records: &[u64]) -> Arc<Batch> {
        let input = |records: &u64| BatchInput { info: InputInfo::of_records(*records), plan: Vec::new() };
        let inputs = records.iter().map(input).enumerate().map(|(id, input)| (StreamId(id), input)).collect();
        Arc::new(Batch { time: Time::from_millis(millis), inputs })
    }

    fn records(batches: &Batches, millis: i64) -> Vec<(usize, u64)> {
        let found = batches.get(Time::from_millis(millis));
        found.map_or_else(Vec::new, |batch| {
            batch.inputs.iter().map(|(id, input)| (id.0, input.info.records)).collect()
        })
    }

    #[test]
    fn what_streams_report_is_found_by_time() {
        let mut batches = Batches::default();
        batches.insert(batch(0, &[100, 300]));
        assert_eq!(records(&batches, 0), [(0, 100), (1, 300)]);
        assert_eq!(records(&batches, 1), []);
    }

    #[test]
    fn what_is_older_than_the_oldest_that_is_needed_is_forgotten() {
        let mut batches = Batches::default();
        for (millis, count) in [(0, 100), (1, 300)] {
            batches.insert(batch(millis, &[count]));
        }
        let needed_from = |millis: i64| Time::from_millis(millis - 1);
        batches.forget(needed_from(0));
        assert_eq!([records(&batches, 0), records(&batches, 1)], [[(0, 100)], [(0, 300)]]);
        batches.forget(needed_from(1));
        assert_eq!((records(&batches, 0), records(&batches, 1)), (vec![], vec![(0, 300)]));
    }
}
