// SPDX-License-Identifier: Apache-2.0
//! What a batch changed, as bytes: made in the tasks, put together for the log, read again for restoring and merging.
//!
//! The changes of a batch are the number of their format, the layout (8 bytes), how many partitions there are, and for
//! each partition with something in it: its number, the length of its changes, the changes, whether mapped records
//! follow (0 or 1), and if so how many, how long they are, and the records, each with its length. A change is its tag,
//! the length of the key, the key, and for a new state its length and the state. Numbers have seven bits to a byte.

use serde::Serialize;

use super::{
    codec::{CutShort, Input, encode, put_number},
    disk::IdleMoves,
    error::StateError,
};

const FORMAT: u8 = 1;

/// What a batch did to a key. All keys were used at the time of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyChange<'a> {
    /// It has this state now.
    Put { key: &'a [u8], state: &'a [u8], new: bool },
    /// It was used and has the state that it had.
    Touch { key: &'a [u8] },
    /// It is gone.
    Remove { key: &'a [u8] },
}

const PUT: u8 = 0;
const PUT_NEW: u8 = 1;
const TOUCH: u8 = 2;
const REMOVE: u8 = 3;

impl<'a> KeyChange<'a> {
    pub(super) fn key(&self) -> &'a [u8] {
        let (Self::Put { key, .. } | Self::Touch { key } | Self::Remove { key }) = self;
        key
    }

    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        let (tag, key) = match self {
            Self::Put { key, new: false, .. } => (PUT, key),
            Self::Put { key, new: true, .. } => (PUT_NEW, key),
            Self::Touch { key } => (TOUCH, key),
            Self::Remove { key } => (REMOVE, key),
        };
        into.push(tag);
        put_slice(key, into);
        if let Self::Put { state, .. } = self {
            put_slice(state, into);
        }
    }
}

pub(super) fn put_slice(slice: &[u8], into: &mut Vec<u8>) {
    put_number(slice.len() as u64, into);
    into.extend_from_slice(slice);
}

/// What a batch changed in one partition.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct PartitionChanges {
    /// Encoded [`KeyChange`]s, in their order.
    pub(super) keys: Vec<u8>,
    pub(super) mapped: Option<MappedRecords>,
    /// What is not logged, since it can be found out again.
    pub(super) moves: Option<IdleMoves>,
}

/// The mapped records of a partition, each with its length.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct MappedRecords {
    pub(super) count: u64,
    pub(super) bytes: Vec<u8>,
}

impl MappedRecords {
    pub(super) fn push<M: Serialize>(&mut self, record: &M) -> Result<(), StateError> {
        self.count += 1;
        let start = self.bytes.len();
        encode(record, &mut self.bytes)?;
        // The length comes first and is mostly one byte; what it displaces moves on.
        let length = self.bytes.len() - start;
        put_number(length as u64, &mut self.bytes);
        self.bytes[start..].rotate_left(length);
        Ok(())
    }
}

impl PartitionChanges {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.mapped.is_none()
    }
}

/// The changes of a batch as they are logged; nothing when there are none.
pub(super) fn encode_batch(layout: u64, partitions: &[PartitionChanges]) -> Option<Vec<u8>> {
    let filled = || partitions.iter().enumerate().filter(|(_, changes)| !changes.is_empty());
    filled().next()?;
    let length: usize = filled()
        .map(|(_, changes)| {
            changes.keys.len() + changes.mapped.as_ref().map_or(0, |mapped| mapped.bytes.len()) + 40
        })
        .sum();
    let mut bytes = Vec::with_capacity(length + 20);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&layout.to_le_bytes());
    put_number(partitions.len() as u64, &mut bytes);
    for (number, changes) in filled() {
        put_number(number as u64, &mut bytes);
        put_slice(&changes.keys, &mut bytes);
        bytes.push(u8::from(changes.mapped.is_some()));
        if let Some(mapped) = &changes.mapped {
            put_number(mapped.count, &mut bytes);
            put_slice(&mapped.bytes, &mut bytes);
        }
    }
    Some(bytes)
}

/// The changes of a batch that have been logged.
#[derive(Debug, Default)]
pub(super) struct BatchChanges<'a> {
    pub(super) layout: u64,
    pub(super) parts: Vec<LoggedPart<'a>>,
}

#[derive(Debug)]
pub(super) struct LoggedPart<'a> {
    pub(super) partition: usize,
    keys: &'a [u8],
    mapped: Option<&'a [u8]>,
}

impl<'a> BatchChanges<'a> {
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, StateError> {
        if bytes.first() != Some(&FORMAT) {
            let problem = "they are in a format that this program does not know";
            return Err(StateError::DamagedChanges { offset: 0, problem });
        }
        Self::parts(&bytes[1..]).map_err(cut_short)
    }

    fn parts(bytes: &'a [u8]) -> Result<Self, CutShort> {
        let mut input = Input::new(bytes);
        let mut layout = [0; 8];
        layout.copy_from_slice(input.take(8)?);
        let partitions = index(input.number()?);
        let mut parts = Vec::new();
        while !input.is_empty() {
            let partition = index(input.number()?);
            if partition >= partitions {
                return Err(CutShort(input.position()));
            }
            let keys = input.bytes()?;
            let has_mapped = input.byte()? != 0;
            let mapped = if has_mapped {
                input.number()?;
                Some(input.bytes()?)
            } else {
                None
            };
            parts.push(LoggedPart { partition, keys, mapped });
        }
        Ok(Self { layout: u64::from_le_bytes(layout), parts })
    }
}

impl<'a> LoggedPart<'a> {
    pub(super) fn keys(&self) -> KeyChanges<'a> {
        KeyChanges { input: Input::new(self.keys) }
    }

    /// The change at a [position](KeyChanges::position), if one is there.
    pub(super) fn change_at(&self, position: usize) -> Option<KeyChange<'a>> {
        KeyChanges { input: Input::new(self.keys.get(position..)?) }.change().ok()
    }

    /// The mapped records, each as bytes, where they were logged.
    pub(super) fn mapped(&self) -> Option<Slices<'a>> {
        self.mapped.map(|bytes| Slices { input: Input::new(bytes) })
    }
}

/// The changes of a partition. They end after the first error.
pub(super) struct KeyChanges<'a> {
    input: Input<'a>,
}

impl<'a> KeyChanges<'a> {
    /// Where the next change is in its part.
    pub(super) fn position(&self) -> usize {
        self.input.position()
    }

    #[inline]
    fn change(&mut self) -> Result<KeyChange<'a>, CutShort> {
        let tag = self.input.byte()?;
        let key = self.input.bytes()?;
        Ok(match tag {
            PUT | PUT_NEW => KeyChange::Put { key, state: self.input.bytes()?, new: tag == PUT_NEW },
            TOUCH => KeyChange::Touch { key },
            REMOVE => KeyChange::Remove { key },
            _ => return Err(CutShort(0)),
        })
    }
}

impl<'a> Iterator for KeyChanges<'a> {
    type Item = Result<KeyChange<'a>, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.input.is_empty() {
            return None;
        }
        let change = self.change();
        if change.is_err() {
            self.input = Input::new(&[]);
        }
        Some(change.map_err(cut_short))
    }
}

/// Slices with their lengths. They end after the first error.
pub(super) struct Slices<'a> {
    input: Input<'a>,
}

impl<'a> Iterator for Slices<'a> {
    type Item = Result<&'a [u8], StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.input.is_empty() {
            return None;
        }
        let slice = self.input.bytes();
        if slice.is_err() {
            self.input = Input::new(&[]);
        }
        Some(slice.map_err(cut_short))
    }
}

fn cut_short(CutShort(offset): CutShort) -> StateError {
    StateError::DamagedChanges { offset, problem: "they do not fit in the record" }
}

fn index(number: u64) -> usize {
    // A number beyond the address space is no partition; it is found to be too large by whoever looks for it.
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::codec::decode;

    type Change = (u8, Vec<u8>, Vec<u8>);

    fn as_change((tag, key, state): &Change) -> KeyChange<'_> {
        match tag % 4 {
            PUT => KeyChange::Put { key, state, new: false },
            PUT_NEW => KeyChange::Put { key, state, new: true },
            TOUCH => KeyChange::Touch { key },
            _ => KeyChange::Remove { key },
        }
    }

    proptest! {
        #[test]
        fn what_is_logged_is_what_is_read(
            layout: u64,
            partitions in prop::collection::vec(
                (prop::collection::vec(any::<Change>(), 0..4), prop::option::of(prop::collection::vec(any::<Vec<u8>>(), 0..3))),
                1..4,
            ),
        ) {
            let made: Vec<_> = partitions.iter().map(|(changes, mapped)| {
                let mut part = PartitionChanges::default();
                for change in changes {
                    as_change(change).encode(&mut part.keys);
                }
                part.mapped = mapped.as_ref().map(|records| {
                    let mut made = MappedRecords::default();
                    for record in records {
                        made.push(record).expect("it is written");
                    }
                    made
                });
                part
            }).collect();
            let Some(bytes) = encode_batch(layout, &made) else {
                prop_assert!(made.iter().all(PartitionChanges::is_empty));
                return Ok(());
            };
            let read = BatchChanges::decode(&bytes).expect("it is whole");
            prop_assert_eq!(read.layout, layout);
            for (number, (changes, mapped)) in partitions.iter().enumerate() {
                let Some(part) = read.parts.iter().find(|part| part.partition == number) else {
                    prop_assert!(changes.is_empty() && mapped.is_none());
                    continue;
                };
                let found: Vec<_> = part.keys().map(|change| change.expect("it is whole")).collect();
                prop_assert_eq!(found, changes.iter().map(as_change).collect::<Vec<_>>());
                let found = part.mapped().map(|records| records.map(|record| decode(record.expect("it is whole")).expect("it is read")).collect::<Vec<_>>());
                prop_assert_eq!(&found, mapped);
            }
            // Whatever is cut off, it is an error or a shorter list, never a panic.
            for end in 0..bytes.len() {
                if let Ok(read) = BatchChanges::decode(&bytes[..end]) {
                    read.parts.iter().for_each(|part| part.keys().for_each(drop));
                }
            }
        }
    }
}
