// SPDX-License-Identifier: Apache-2.0
//! `Known`: which partitions are known to be committed, from the topic and from the transactions of this process.

use std::collections::BTreeMap;

use dstreams_streaming::{BatchIdentity, Committed, CommittedPositions, Time};

use super::identity::IdentityRecord;

/// So many batches are remembered; older ones are asked for again.
const REMEMBERED: usize = 10_000;

/// The batches of one application that are known.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By batch time and output.
    batches: BTreeMap<(Time, String), Found>,
    /// Batches from this time on are known, if they are there.
    since: Option<Time>,
}

/// What is there of a batch.
#[derive(Debug, Default)]
struct Found {
    committed: Committed,
    positions: String,
}

impl Known {
    /// Knows nothing, and will be told of all batches from `since` on.
    pub(super) fn since(since: Time) -> Self {
        Self { batches: BTreeMap::new(), since: Some(since) }
    }

    /// Whether a batch would be known.
    pub(super) fn covers(&self, time: Time) -> bool {
        self.since.is_some_and(|since| since <= time)
    }

    pub(super) fn add(&mut self, record: IdentityRecord) {
        let found = self.batches.entry((record.batch_time(), record.output)).or_default();
        found.committed.partitions = record.partitions;
        found.committed.done.insert(record.partition);
        found.positions = record.positions;
        while self.batches.len() > REMEMBERED {
            let Some(((time, _), _)) = self.batches.pop_first() else { return };
            // Another output of the same batch may be left; asking again is right for it too.
            self.since = Some(Time::from_millis(time.as_millis() + 1));
        }
    }

    pub(super) fn of_batch(&self, batch: &BatchIdentity) -> Committed {
        let found = self.batches.get(&(batch.batch_time, batch.output.to_string()));
        found.map(|found| found.committed.clone()).unwrap_or_default()
    }

    /// The latest batches of an output, the latest first.
    pub(super) fn latest(&self, output: &str, limit: usize) -> Vec<CommittedPositions> {
        let found = self.batches.iter().rev().filter(|((_, of), _)| of == output).take(limit);
        found
            .map(|((batch_time, _), found)| CommittedPositions {
                batch_time: *batch_time,
                committed: found.committed.clone(),
                positions: found.positions.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(batch_ms: i64, partition: usize) -> IdentityRecord {
        let (application, output, positions) = ("a".to_owned(), "o".to_owned(), "{}".to_owned());
        IdentityRecord { application, output, batch_ms, partition, partitions: 2, positions }
    }

    fn batch(batch_ms: i64) -> BatchIdentity {
        BatchIdentity { application: "a".into(), output: "o".into(), batch_time: Time::from_millis(batch_ms) }
    }

    #[test]
    fn partitions_add_up_to_batches_and_old_batches_have_to_be_asked_for_again() {
        let mut known = Known::since(Time::from_millis(0));
        known.add(record(1, 0));
        assert!(!known.of_batch(&batch(1)).is_complete());
        known.add(record(1, 1));
        assert!(known.of_batch(&batch(1)).is_complete() && known.covers(Time::from_millis(1)));
        assert_eq!(known.latest("o", 1)[0].batch_time.as_millis(), 1);
        let many = i64::try_from(REMEMBERED).expect("a small number");
        for time in 2..=many + 1 {
            known.add(record(time, 0));
        }
        assert_eq!(known.of_batch(&batch(1)), Committed::nothing());
        assert!(!known.covers(Time::from_millis(1)) && known.covers(Time::from_millis(2)));
        assert!(!Known::default().covers(Time::from_millis(1)));
    }
}
