// SPDX-License-Identifier: Apache-2.0
//! `Sorter`: many keys with values, given in any order and taken back in the order of the keys, through files where they
//! do not fit in memory.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, binary_heap::PeekMut},
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::pass;
use crate::state::error::StateError;

/// Keys with values. Of a key that is given more than once the last value counts.
pub(super) struct Sorter {
    dir: PathBuf,
    budget: usize,
    /// Each entry: the key and then the value.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Files, each in order, oldest first.
    runs: Vec<File>,
}

#[derive(Clone, Copy)]
struct Entry {
    at: usize,
    key: u32,
    value: u32,
}

/// So many files are merged at once.
const MOST_RUNS: usize = 64;

/// What takes the entries.
type Each<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StateError> + 'a;

impl Sorter {
    /// Takes about `budget` bytes of memory, and puts files that nobody else sees into `dir`.
    pub(super) fn new(dir: &Path, budget: usize) -> Self {
        Self { dir: dir.to_owned(), budget, bytes: Vec::new(), entries: Vec::new(), runs: Vec::new() }
    }

    /// Adds an entry, key and value each in two parts.
    pub(super) fn put(&mut self, key: [&[u8]; 2], value: [&[u8]; 2]) -> Result<(), StateError> {
        let at = self.bytes.len();
        let length = |parts: [&[u8]; 2]| {
            u32::try_from(parts[0].len() + parts[1].len())
                .map_err(|_| StateError::Schema("a key or a state takes more than 4 GB".to_owned()))
        };
        let entry = Entry { at, key: length(key)?, value: length(value)? };
        for part in key.into_iter().chain(value) {
            self.bytes.extend_from_slice(part);
        }
        self.entries.push(entry);
        if self.bytes.len() + size_of_val(&*self.entries) >= self.budget { self.spill() } else { Ok(()) }
    }

    /// Gives all entries to `each`, every key once.
    pub(super) fn finish(mut self, each: &mut Each<'_>) -> Result<(), StateError> {
        if self.runs.is_empty() {
            return self.each_in_memory(each);
        }
        self.spill()?;
        (self.bytes, self.entries) = (Vec::new(), Vec::new());
        merge(&mut self.runs, each).map_err(|failed| failed.into_error(&self.dir))
    }

    fn each_in_memory(&mut self, each: &mut Each<'_>) -> Result<(), StateError> {
        let bytes = &self.bytes;
        let key = |entry: &Entry| &bytes[entry.at..entry.at + entry.key as usize];
        // Entries of the same key stay in their order.
        self.entries.sort_by(|one, other| key(one).cmp(key(other)));
        for (number, entry) in self.entries.iter().enumerate() {
            if self.entries.get(number + 1).is_some_and(|next| key(next) == key(entry)) {
                continue;
            }
            let value = entry.at + entry.key as usize;
            each(key(entry), &bytes[value..value + entry.value as usize])?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), StateError> {
        if self.runs.len() == MOST_RUNS {
            let mut runs = std::mem::take(&mut self.runs);
            let run = self.run(|_, each| merge(&mut runs, each))?;
            self.runs.push(run);
        }
        let run = self.run(|this, each| this.each_in_memory(each).map_err(Failed::InEach))?;
        self.runs.push(run);
        self.bytes.clear();
        self.entries.clear();
        Ok(())
    }

    /// Writes entries to a file.
    fn run(
        &mut self,
        entries: impl FnOnce(&mut Self, &mut Each<'_>) -> Result<(), Failed>,
    ) -> Result<File, StateError> {
        pass("sort", &self.dir)?;
        let dir = self.dir.clone();
        let failed = |error| StateError::io("sort states in", &dir)(error);
        let file = tempfile::tempfile_in(&dir).map_err(&failed)?;
        let mut writer = BufWriter::with_capacity(1 << 16, file);
        entries(self, &mut |key, value| write_entry(&mut writer, key, value).map_err(&failed))
            .map_err(|error| error.into_error(&dir))?;
        writer.into_inner().map_err(io::IntoInnerError::into_error).map_err(&failed)
    }
}

fn write_entry(writer: &mut impl Write, key: &[u8], value: &[u8]) -> io::Result<()> {
    for part in [key, value] {
        let length = u32::try_from(part.len()).expect("it was checked when the entry was added");
        writer.write_all(&length.to_le_bytes())?;
    }
    writer.write_all(key)?;
    writer.write_all(value)
}

/// What has failed while entries are merged.
enum Failed {
    Io(io::Error),
    InEach(StateError),
}

impl Failed {
    fn into_error(self, dir: &Path) -> StateError {
        match self {
            Self::Io(error) => StateError::io("sort states in", dir)(error),
            Self::InEach(error) => error,
        }
    }
}

/// The next entry of a file.
struct Head {
    file: BufReader<File>,
    number: usize,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Head {
    fn open(mut file: File, number: usize) -> io::Result<Option<Self>> {
        file.seek(SeekFrom::Start(0))?;
        let file = BufReader::with_capacity(1 << 16, file);
        let mut head = Self { file, number, key: Vec::new(), value: Vec::new() };
        Ok(head.read()?.then_some(head))
    }

    /// Reads the next entry; false at the end.
    fn read(&mut self) -> io::Result<bool> {
        if self.file.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let mut lengths = [[0; 4]; 2];
        for length in &mut lengths {
            self.file.read_exact(length)?;
        }
        for (part, length) in [&mut self.key, &mut self.value].into_iter().zip(lengths) {
            part.resize(u32::from_le_bytes(length) as usize, 0);
            self.file.read_exact(part)?;
        }
        Ok(true)
    }
}

impl Ord for Head {
    /// The smallest key is the greatest head, and of equal keys the one in the newest file.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key).then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

fn merge(runs: &mut Vec<File>, each: &mut Each<'_>) -> Result<(), Failed> {
    let mut heads = BinaryHeap::with_capacity(runs.len());
    for (number, file) in runs.drain(..).enumerate() {
        heads.extend(Head::open(file, number).map_err(Failed::Io)?);
    }
    let mut last: Option<Vec<u8>> = None;
    while let Some(mut head) = heads.peek_mut() {
        if last.as_ref() != Some(&head.key) {
            each(&head.key, &head.value).map_err(Failed::InEach)?;
            last.get_or_insert_default().clone_from(&head.key);
        }
        if !head.read().map_err(Failed::Io)? {
            drop(PeekMut::pop(head));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn sorted(budget: usize, entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let dir = tempfile::tempdir().expect("there is room");
        let mut sorter = Sorter::new(dir.path(), budget);
        for (key, value) in entries {
            let (key, value) = (key.split_at(key.len() / 2), value.split_at(value.len() / 2));
            sorter.put([key.0, key.1], [value.0, value.1]).expect("it is kept");
        }
        let mut all = Vec::new();
        let mut each = |key: &[u8], value: &[u8]| {
            all.push((key.to_vec(), value.to_vec()));
            Ok(())
        };
        sorter.finish(&mut each).expect("it is read");
        all
    }

    fn as_map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        entries.iter().cloned().collect::<BTreeMap<_, _>>().into_iter().collect()
    }

    #[test]
    fn more_files_than_are_merged_at_once() {
        let entries: Vec<_> = (0..=255u8).map(|n| (vec![n.wrapping_mul(77) / 3], vec![n, n])).collect();
        assert_eq!(sorted(1, &entries), as_map(&entries));
    }

    proptest! {
        #[test]
        fn the_last_value_of_each_key_in_order(
            entries in prop::collection::vec((prop::collection::vec(0..4u8, 0..4), any::<Vec<u8>>()), 0..60),
            budget in 1..4000usize,
        ) {
            prop_assert_eq!(sorted(budget, &entries), as_map(&entries));
        }
    }
}
