// SPDX-License-Identifier: Apache-2.0
//! How many keys a combining table is going to have, as far as tables of the same operator had before.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

/// What each operator of each owner expects. Datasets that are made once have no owner, and expect nothing.
#[derive(Default)]
pub(crate) struct Expectations(Mutex<HashMap<(u64, &'static str), Expected>>);

impl Expectations {
    pub(crate) fn of(&self, owner: Option<u64>, operator: &'static str) -> Expected {
        let Some(owner) = owner else { return Expected::default() };
        self.0.lock().entry((owner, operator)).or_default().clone()
    }
}

/// The keys that the next table of an operator is expected to have. Clones share what they learn.
#[derive(Clone, Default)]
pub(crate) struct Expected(Arc<Mutex<LastTwo>>);

#[derive(Clone, Copy, Default)]
struct LastTwo {
    last: usize,
    before: usize,
}

impl Expected {
    /// The fewer keys of the last two tables: where tables differ, too much room would cost more than it saves.
    pub(crate) fn keys(&self) -> usize {
        let LastTwo { last, before } = *self.0.lock();
        last.min(before)
    }

    /// Says how many keys a table had.
    pub(crate) fn learn(&self, keys: usize) {
        let mut known = self.0.lock();
        *known = LastTwo { last: keys, before: known.last };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_one_of_two_tables_is_expected() {
        let expectations = Expectations::default();
        let of_seven = || expectations.of(Some(7), "reduce_by_key");
        let seen: Vec<_> = [50, 70, 60, 1]
            .map(|keys| {
                of_seven().learn(keys);
                of_seven().keys()
            })
            .into();
        assert_eq!(seen, [0, 50, 60, 1]);
        assert_eq!(expectations.of(Some(8), "reduce_by_key").keys(), 0);
        expectations.of(None, "reduce_by_key").learn(9);
        expectations.of(None, "reduce_by_key").learn(9);
        assert_eq!(expectations.of(None, "reduce_by_key").keys(), 0);
    }
}
