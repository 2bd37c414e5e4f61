// SPDX-License-Identifier: Apache-2.0
//! `KeyPlaces`: where each key is in a list of records, found by its hash.

use hashbrown::HashTable;

/// The places of keys in a list. It holds no keys: it has 32 bits of their hashes, which is also all that it needs when
/// it grows, and asks the list for the rest.
#[derive(Default)]
pub(super) struct KeyPlaces(HashTable<Entry>);

struct Entry {
    hash: u32,
    place: u32,
}

impl KeyPlaces {
    /// How many places can be numbered.
    pub(super) const LIMIT: usize = u32::MAX as usize - 1;

    pub(super) fn reserve(&mut self, keys: usize) {
        self.0.reserve(keys, Entry::rehash);
    }

    /// The place of the key with this hash of which `is_key` says that it is the one.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_key: impl Fn(usize) -> bool) -> Option<usize> {
        let low = low(hash);
        self.0
            .find(spread(low), |entry| entry.hash == low && is_key(entry.place as usize))
            .map(|entry| entry.place as usize)
    }

    /// Adds a key that is not there.
    ///
    /// # Panics
    ///
    /// When the place is beyond the [limit](Self::LIMIT).
    #[inline]
    pub(super) fn insert(&mut self, hash: u64, place: usize) {
        let entry = Entry { hash: low(hash), place: number(place) };
        self.0.insert_unique(spread(entry.hash), entry, Entry::rehash);
    }

    /// Forgets the key at a place.
    pub(super) fn remove(&mut self, hash: u64, place: usize) {
        let place = number(place);
        if let Ok(entry) = self.0.find_entry(spread(low(hash)), |entry| entry.place == place) {
            entry.remove();
        }
    }

    /// Notes that a key is at another place now.
    pub(super) fn relocate(&mut self, hash: u64, from: usize, to: usize) {
        let from = number(from);
        if let Some(entry) = self.0.find_mut(spread(low(hash)), |entry| entry.place == from) {
            entry.place = number(to);
        }
    }

    /// The memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * (size_of::<Entry>() + 1)
    }

    /// The memory that it would take with this many keys, at most.
    pub(super) fn bytes_for(keys: usize) -> usize {
        keys.saturating_mul(size_of::<Entry>() + 1).saturating_mul(2)
    }
}

impl Entry {
    fn rehash(&self) -> u64 {
        spread(self.hash)
    }
}

/// The half of a hash that is kept. Partitioners have used the other end: the high bits are alike for all keys of a
/// partition.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn low(hash: u64) -> u32 {
    hash as u32
}

/// The table uses both ends of what it is given.
#[inline]
fn spread(low: u32) -> u64 {
    u64::from(low).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[inline]
fn number(place: usize) -> u32 {
    u32::try_from(place).expect("memory ends before the numbers do")
}
