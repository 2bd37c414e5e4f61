// SPDX-License-Identifier: Apache-2.0
//! What records are sorted by, and in what form they are compared.

use std::{borrow::Cow, cmp::Ordering};

use crate::record::Data;

/// An order of records by a key.
pub(super) trait SortOrder<T>: Send + Sync + 'static {
    type Key: Data + Ord;

    /// A record while it is being sorted: with its key at hand.
    type Entry;

    fn entry(&self, record: T) -> Self::Entry;

    fn record(entry: &Self::Entry) -> &T;

    fn into_record(entry: Self::Entry) -> T;

    fn key<'a>(&self, record: &'a T) -> Cow<'a, Self::Key>;

    fn compare(&self, left: &Self::Entry, right: &Self::Entry) -> Ordering;
}

/// By a key that a function computes. It is called once for each record that is sorted, not once per comparison.
pub(super) struct ByKeyOf<F> {
    pub(super) key: F,
    pub(super) ascending: bool,
}

impl<T: 'static, K: Data + Ord, F: Fn(&T) -> K + Send + Sync + 'static> SortOrder<T> for ByKeyOf<F> {
    type Key = K;
    type Entry = (K, T);

    fn entry(&self, record: T) -> (K, T) {
        ((self.key)(&record), record)
    }

    fn record((_, record): &(K, T)) -> &T {
        record
    }

    fn into_record((_, record): (K, T)) -> T {
        record
    }

    fn key<'a>(&self, record: &'a T) -> Cow<'a, K> {
        Cow::Owned((self.key)(record))
    }

    fn compare(&self, left: &(K, T), right: &(K, T)) -> Ordering {
        directed(left.0.cmp(&right.0), self.ascending)
    }
}

/// By the key of a pair, where it is.
pub(super) struct ByPairKey {
    pub(super) ascending: bool,
}

impl<K: Data + Ord, V: 'static> SortOrder<(K, V)> for ByPairKey {
    type Key = K;
    type Entry = (K, V);

    fn entry(&self, record: (K, V)) -> (K, V) {
        record
    }

    fn record(entry: &(K, V)) -> &(K, V) {
        entry
    }

    fn into_record(entry: (K, V)) -> (K, V) {
        entry
    }

    fn key<'a>(&self, (key, _): &'a (K, V)) -> Cow<'a, K> {
        Cow::Borrowed(key)
    }

    fn compare(&self, left: &(K, V), right: &(K, V)) -> Ordering {
        directed(left.0.cmp(&right.0), self.ascending)
    }
}

fn directed(ordering: Ordering, ascending: bool) -> Ordering {
    if ascending { ordering } else { ordering.reverse() }
}
