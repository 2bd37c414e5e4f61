// SPDX-License-Identifier: Apache-2.0
//! An object store in memory whose answers can be lost.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{Entry, ObjectStorage, Put, Source, Upload};

/// A store. Clones are the same store.
#[derive(Debug, Default, Clone)]
pub(crate) struct Objects(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<PathBuf, Vec<u8>>,
    next_put: Next,
    ignores_conditions: bool,
    opened: usize,
    stale_list: Option<Vec<i64>>,
}

/// What becomes of the next put.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    #[default]
    Done,
    /// It is done, and the caller hears of an error.
    AnswerLost,
    /// It is not done.
    Fails,
}

impl Objects {
    pub(crate) fn next_put(&self, next: Next) {
        self.0.lock().next_put = next;
    }

    /// Takes each put, whatever its condition.
    pub(crate) fn ignore_conditions(&self) {
        self.0.lock().ignores_conditions = true;
    }

    /// How often an object was opened.
    pub(crate) fn opened(&self) -> usize {
        self.0.lock().opened
    }

    /// The next list has the objects of a log with these numbers only.
    pub(crate) fn list_once(&self, numbers: &[i64]) {
        self.0.lock().stale_list = Some(numbers.to_vec());
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let state = self.0.lock();
        state.objects.keys().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }

    /// Changes an object behind the back of its log; removes it if there is no more of it.
    pub(crate) fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.0.lock().objects.get_mut(path).expect("it is there"));
    }

    pub(crate) fn take(&self, path: &Path) -> Vec<u8> {
        self.0.lock().objects.remove(path).expect("it is there")
    }
}

impl ObjectStorage for Objects {
    fn put(&self, path: &Path, bytes: &[u8], put: Put) -> io::Result<()> {
        let mut state = self.0.lock();
        let next = std::mem::take(&mut state.next_put);
        if next == Next::Fails {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let there = state.objects.get(path).filter(|_| put == Put::New && !state.ignores_conditions);
        match there {
            Some(there) if there != bytes => return Err(io::ErrorKind::AlreadyExists.into()),
            _ => state.objects.insert(path.to_owned(), bytes.to_vec()),
        };
        if next == Next::AnswerLost { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }

    fn upload(&self, path: &Path) -> io::Result<Box<dyn Upload>> {
        Ok(Box::new(Parts(self.clone(), path.to_owned(), Vec::new())))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>> {
        let mut state = self.0.lock();
        state.opened += 1;
        let bytes = state.objects.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Read(bytes.clone())))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut state = self.0.lock();
        if let Some(numbers) = state.stale_list.take() {
            let entry = |number| Entry { name: crate::segment::object_name(number), bytes: Some(56) };
            return Ok(numbers.into_iter().map(entry).collect());
        }
        let below = state.objects.iter().filter_map(|(path, bytes)| {
            let rest = path.strip_prefix(dir).ok()?;
            let name = rest.iter().next()?.to_str()?.to_owned();
            Some(Entry { name, bytes: (rest.iter().count() == 1).then_some(bytes.len() as u64) })
        });
        let mut entries: Vec<_> = below.collect();
        entries.sort_unstable();
        entries.dedup();
        Ok(entries)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().objects.remove(path);
        Ok(())
    }
}

struct Read(Vec<u8>);

impl Source for Read {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

struct Parts(Objects, PathBuf, Vec<u8>);

impl Upload for Parts {
    fn part(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        self.2.extend_from_slice(&bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.put(&self.1, &self.2, Put::Over)
    }
}
