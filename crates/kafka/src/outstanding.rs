// SPDX-License-Identifier: Apache-2.0
//! `Outstanding`: the offset ranges of batches, until they are complete and until they are forgotten.

use std::{collections::BTreeMap, sync::Arc};

use dstreams_streaming::Time;

use crate::{cluster::Offsets, ranges::OffsetRange};

/// The batches that are known.
#[derive(Default)]
pub(crate) struct Outstanding {
    batches: BTreeMap<Time, Batch>,
    /// A batch has failed: what comes after it is never committed.
    halted: bool,
}

struct Batch {
    ranges: Arc<[OffsetRange]>,
    progress: Progress,
}

#[derive(PartialEq)]
enum Progress {
    /// Made by an earlier process, which may have completed it.
    Restored,
    Planned,
    Completed,
    Committed,
}

impl Outstanding {
    /// A batch has been made.
    pub(crate) fn planned(&mut self, time: Time, ranges: &[OffsetRange]) {
        self.insert(time, ranges, Progress::Planned);
    }

    /// An earlier process has made a batch.
    pub(crate) fn restored(&mut self, time: Time, ranges: &[OffsetRange]) {
        self.insert(time, ranges, Progress::Restored);
    }

    fn insert(&mut self, time: Time, ranges: &[OffsetRange], progress: Progress) {
        self.batches.insert(time, Batch { ranges: ranges.into(), progress });
    }

    pub(crate) fn given_back(&mut self, ranges: &[OffsetRange]) {
        self.batches.retain(|_, batch| *batch.ranges != *ranges || batch.progress != Progress::Planned);
    }

    /// A batch is complete. Returns what may be committed: up to the first batch that is not.
    pub(crate) fn completed(&mut self, time: Time) -> Offsets {
        if let Some(batch) = self.batches.get_mut(&time) {
            batch.progress = Progress::Completed;
        }
        let mut offsets = Offsets::new();
        for (of, batch) in &mut self.batches {
            match batch.progress {
                Progress::Committed => continue,
                Progress::Completed if !self.halted => {}
                // Batches complete in their order across processes.
                Progress::Restored if *of < time => {}
                _ => break,
            }
            batch.progress = Progress::Committed;
            offsets.extend(batch.ranges.iter().map(|range| (range.partition.clone(), range.until)));
        }
        offsets
    }

    /// How many records the batches have that are not complete.
    pub(crate) fn pending(&self) -> u64 {
        let pending = self.batches.values().filter(|batch| batch.progress == Progress::Planned);
        pending.flat_map(|batch| batch.ranges.iter()).map(OffsetRange::count).sum()
    }

    /// A batch has failed for good.
    pub(crate) fn failed(&mut self) {
        self.halted = true;
    }

    /// The ranges of a batch.
    pub(crate) fn ranges(&self, time: Time) -> Option<Arc<[OffsetRange]>> {
        self.batches.get(&time).map(|batch| Arc::clone(&batch.ranges))
    }

    /// Nobody will ask for the batches at and before `time` any more.
    pub(crate) fn forget(&mut self, time: Time) {
        let halted = self.halted;
        self.batches.retain(|of, batch| *of > time || batch.progress == Progress::Planned && !halted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranges::TopicPartition;

    fn at(seconds: i64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn range(from: i64, until: i64) -> [OffsetRange; 1] {
        [OffsetRange::new("t", 0, from, until)]
    }

    fn offset(offset: i64) -> Offsets {
        Offsets::from([(TopicPartition::new("t", 0), offset)])
    }

    #[test]
    fn what_is_committed_ends_before_the_first_batch_that_is_not_complete() {
        let mut batches = Outstanding::default();
        for n in 1..=4 {
            batches.planned(at(n), &range(n, n + 1));
        }
        assert_eq!(batches.pending(), 4);
        assert_eq!(batches.completed(at(2)), Offsets::new());
        assert_eq!(batches.completed(at(1)), offset(3));
        batches.failed();
        assert_eq!(batches.completed(at(4)), Offsets::new());
    }

    #[test]
    fn a_batch_that_is_run_again_takes_the_earlier_ones_with_it() {
        let mut batches = Outstanding::default();
        batches.restored(at(1), &range(0, 5));
        batches.restored(at(2), &range(5, 6));
        batches.planned(at(3), &range(6, 9));
        assert_eq!(batches.completed(at(2)), offset(6));
        assert_eq!(batches.completed(at(3)), offset(9));
    }

    #[test]
    fn ranges_are_known_until_they_are_forgotten_and_complete() {
        let mut batches = Outstanding::default();
        batches.planned(at(1), &range(0, 5));
        batches.planned(at(2), &range(5, 5));
        batches.completed(at(1));
        batches.forget(at(2));
        assert!(batches.ranges(at(1)).is_none());
        assert_eq!(*batches.ranges(at(2)).expect("it is not complete"), range(5, 5));
        batches.given_back(&range(5, 5));
        assert!(batches.ranges(at(2)).is_none());
    }
}
