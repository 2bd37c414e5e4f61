// SPDX-License-Identifier: Apache-2.0
//! The tuned loop's map from words to counts: open addressing, words in one arena, hashed byte by byte while they are
//! looked for.

/// A slot: where the word is in the arena, a part of its hash, and its count. A count of 0 is an empty slot.
#[derive(Clone, Copy, Default)]
struct Slot {
    start: u32,
    length: u32,
    hash: u32,
    count: u32,
}

/// Words and their counts.
pub(crate) struct WordTable {
    slots: Vec<Slot>,
    used: usize,
    arena: Vec<u8>,
}

impl Default for WordTable {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); 1 << 12], used: 0, arena: Vec::new() }
    }
}

impl WordTable {
    /// Forgets all words and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.slots.fill(Slot::default());
        self.used = 0;
        self.arena.clear();
    }

    /// Counts the words of a text, which are what is between blanks and line ends.
    pub(crate) fn count_words(&mut self, text: &[u8]) {
        let (mut start, mut hash) = (0, 0u64);
        for (at, &byte) in text.iter().enumerate() {
            if byte == b' ' || byte == b'\n' {
                if at > start {
                    self.add(&text[start..at], hash);
                }
                (start, hash) = (at + 1, 0);
            } else {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            }
        }
        if start < text.len() {
            self.add(&text[start..], hash);
        }
    }

    fn add(&mut self, word: &[u8], hash: u64) {
        let mask = self.slots.len() - 1;
        // The high bits of a product depend on all of its factors' bits.
        let (mut at, tag) = (index(hash) & mask, tag(hash));
        loop {
            let slot = &mut self.slots[at];
            if slot.count == 0 {
                break;
            }
            if slot.hash == tag && bytes(&self.arena, *slot) == word {
                slot.count += 1;
                return;
            }
            at = (at + 1) & mask;
        }
        let start = u32::try_from(self.arena.len()).expect("the words of a batch fit into 4 GB");
        let length = u32::try_from(word.len()).expect("a word fits into 4 GB");
        self.arena.extend_from_slice(word);
        self.slots[at] = Slot { start, length, hash: tag, count: 1 };
        self.used += 1;
        if self.used * 2 > self.slots.len() {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 4 - 1;
        let mut slots = vec![Slot::default(); mask + 1];
        for slot in self.slots.iter().filter(|slot| slot.count > 0) {
            let mut at = index(hash(bytes(&self.arena, *slot))) & mask;
            while slots[at].count > 0 {
                at = (at + 1) & mask;
            }
            slots[at] = *slot;
        }
        self.slots = slots;
    }

    /// The words and their counts, in no order.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.slots.iter().filter(|slot| slot.count > 0).map(|slot| {
            let word = std::str::from_utf8(bytes(&self.arena, *slot)).expect("the input is text");
            (word, u64::from(slot.count))
        })
    }
}

fn bytes(arena: &[u8], slot: Slot) -> &[u8] {
    &arena[slot.start as usize..(slot.start + slot.length) as usize]
}

fn hash(word: &[u8]) -> u64 {
    word.iter().fold(0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn index(hash: u64) -> usize {
    (hash >> 32) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "the part of the hash that is wanted")]
fn tag(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_as_by_a_plain_loop_also_when_the_table_grows() {
        let words: Vec<_> = (0..20_000).map(|n| format!("w{} \n{}", n % 9_000, n % 7)).collect();
        let text = words.join(" ");
        let mut table = WordTable::default();
        for _ in 0..2 {
            table.clear();
            table.count_words(text.as_bytes());
            let mut expected = std::collections::BTreeMap::new();
            for word in text.split_whitespace() {
                *expected.entry(word).or_insert(0) += 1;
            }
            assert_eq!(table.counts().collect::<std::collections::BTreeMap<_, _>>(), expected);
        }
    }
}
