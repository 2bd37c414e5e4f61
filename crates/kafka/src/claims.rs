// SPDX-License-Identifier: Apache-2.0
//! `Claims`: which of several receivers has a partition, and how far its records are stored. What one has stored the
//! next one does not store again, however a partition passes from one to the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use crate::{cluster::Offsets, ranges::TopicPartition};

/// How long a wait takes at most before it is looked whether the receiver is to end.
const WAIT: Duration = Duration::from_millis(100);

/// Shared by the receivers of a group in this program.
pub(crate) struct Claims {
    state: Mutex<State>,
    changed: Condvar,
    receivers: usize,
}

#[derive(Default)]
struct State {
    partitions: BTreeMap<TopicPartition, Claim>,
    /// The receivers that have said what they had stored before.
    told: BTreeSet<usize>,
}

#[derive(Default)]
struct Claim {
    owner: Option<usize>,
    /// Whether the owner is storing records right now.
    is_storing: bool,
    /// The offset after the last record that is stored.
    stored: Option<i64>,
}

impl Claims {
    /// For so many receivers.
    pub(crate) fn new(receivers: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), receivers }
    }

    /// A receiver says what it has stored in earlier runs, and waits until all others have.
    pub(crate) fn tell(&self, receiver: usize, stored: Offsets, is_stopped: impl Fn() -> bool) {
        let mut state = self.state.lock();
        for (partition, offset) in stored {
            let claim = state.partitions.entry(partition).or_default();
            claim.stored = claim.stored.max(Some(offset));
        }
        state.told.insert(receiver);
        self.changed.notify_all();
        while state.told.len() < self.receivers && !is_stopped() {
            self.changed.wait_for(&mut state, WAIT);
        }
    }

    /// Gives a partition to a receiver, after what another one is storing of it. Returns how far its records are stored.
    pub(crate) fn claim(&self, receiver: usize, partition: &TopicPartition) -> Option<i64> {
        let mut state = self.state.lock();
        while state
            .partitions
            .get(partition)
            .is_some_and(|claim| claim.is_storing && claim.owner != Some(receiver))
        {
            self.changed.wait(&mut state);
        }
        let claim = state.partitions.entry(partition.clone()).or_default();
        claim.owner = Some(receiver);
        claim.stored
    }

    /// Takes partitions from a receiver, unless another one has them already.
    pub(crate) fn give_up(&self, receiver: usize, partitions: &[TopicPartition]) {
        let mut state = self.state.lock();
        for partition in partitions {
            if let Some(claim) =
                state.partitions.get_mut(partition).filter(|claim| claim.owner == Some(receiver))
            {
                claim.owner = None;
            }
        }
    }

    /// Begins to store records up to these offsets. Returns those partitions that the receiver still has.
    pub(crate) fn begin(&self, receiver: usize, ends: &Offsets) -> Offsets {
        let mut state = self.state.lock();
        let mut mine = Offsets::new();
        for (partition, end) in ends {
            if let Some(claim) =
                state.partitions.get_mut(partition).filter(|claim| claim.owner == Some(receiver))
            {
                claim.is_storing = true;
                mine.insert(partition.clone(), *end);
            }
        }
        mine
    }

    /// Ends what `begin` has begun. The records are stored if `done`.
    pub(crate) fn end(&self, ends: &Offsets, done: bool) {
        let mut state = self.state.lock();
        for (partition, end) in ends {
            if let Some(claim) = state.partitions.get_mut(partition) {
                claim.is_storing = false;
                if done {
                    claim.stored = claim.stored.max(Some(*end));
                }
            }
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    #[test]
    fn a_partition_passes_with_how_far_it_is_stored() {
        let claims = Claims::new(1);
        claims.tell(0, [(partition(0), 3)].into(), || false);
        assert_eq!(claims.claim(0, &partition(0)), Some(3));
        assert_eq!(claims.claim(0, &partition(1)), None);
        let ends: Offsets = [(partition(0), 8), (partition(1), 2)].into();
        assert_eq!(claims.begin(0, &ends), ends);
        claims.end(&ends, true);
        // The second receiver has it now: what the first one still has of it is not stored.
        assert_eq!(claims.claim(1, &partition(0)), Some(8));
        assert_eq!(claims.begin(0, &ends), [(partition(1), 2)].into());
        claims.give_up(0, &[partition(0)]);
        assert_eq!(claims.begin(1, &[(partition(0), 9)].into()), [(partition(0), 9)].into());
    }

    #[test]
    fn a_claim_waits_for_what_is_being_stored() {
        let claims = Claims::new(2);
        claims.claim(0, &partition(0));
        let ends: Offsets = [(partition(0), 5)].into();
        claims.begin(0, &ends);
        std::thread::scope(|threads| {
            let other = threads.spawn(|| claims.claim(1, &partition(0)));
            claims.end(&ends, true);
            assert_eq!(other.join().expect("no panic"), Some(5));
        });
    }

    #[test]
    fn receivers_wait_for_what_all_have_stored() {
        let claims = Claims::new(2);
        std::thread::scope(|threads| {
            let first = threads.spawn(|| {
                claims.tell(0, Offsets::new(), || false);
                claims.claim(0, &partition(0))
            });
            claims.tell(1, [(partition(0), 7)].into(), || false);
            assert_eq!(first.join().expect("no panic"), Some(7));
        });
    }
}
