// SPDX-License-Identifier: Apache-2.0
//! A disk in memory that fails where a test says so, and that forgets at a crash what was not made durable.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Condvar, Mutex};

use super::{Lock, Sink, Source, Storage};

/// An operation that changes something and can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Write,
    Sync,
    Truncate,
    Rename,
    Remove,
    SyncDir,
}

/// Which operations fail, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This one.
    At(usize, io::ErrorKind),
    /// This one and all after it: the machine is going down.
    From(usize),
    /// All of this kind.
    Each(Operation),
}

/// A file: what is read, and what a crash leaves of it.
#[derive(Debug, Default, Clone)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

type File = Arc<Mutex<Content>>;

#[derive(Debug, Default)]
struct State {
    has_dir: bool,
    named: BTreeMap<PathBuf, File>,
    durably_named: BTreeMap<PathBuf, File>,
    locked: HashSet<PathBuf>,
    done: Vec<Operation>,
    faults: Vec<Fault>,
    short_writes: bool,
    syncs_held: bool,
    stale_list: Option<Vec<String>>,
}

/// A disk. Clones are the same disk.
#[derive(Debug, Default, Clone)]
pub(crate) struct Disk(Arc<(Mutex<State>, Condvar)>);

impl Disk {
    /// From now on fails so and not otherwise, counting operations from the first of the disk.
    pub(crate) fn fail(&self, faults: &[Fault]) {
        self.0.0.lock().faults = faults.to_vec();
    }

    /// Writes take a few bytes at a time.
    pub(crate) fn write_short(&self) {
        self.0.0.lock().short_writes = true;
    }

    /// What was done so far, failures included.
    pub(crate) fn done(&self) -> Vec<Operation> {
        self.0.0.lock().done.clone()
    }

    /// Whether syncs of files wait, from now on.
    pub(crate) fn hold_syncs(&self, hold: bool) {
        self.0.0.lock().syncs_held = hold;
        self.0.1.notify_all();
    }

    /// The next list is this one.
    pub(crate) fn list_once(&self, names: Vec<String>) {
        self.0.0.lock().stale_list = Some(names);
    }

    /// The files and what is in them.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.0.0.lock().named.iter().map(|(path, file)| (path.clone(), file.lock().now.clone())).collect()
    }

    /// Changes a file behind the back of its log.
    pub(crate) fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.0.0.lock().named[path].lock().now);
    }

    /// The disk after the machine failed: new names either all kept or lost, and of the bytes that were not durable
    /// this share.
    pub(crate) fn crash(&self, keeps_names: bool, percent: usize) -> Self {
        let old = self.0.0.lock();
        let before = if keeps_names { &old.named } else { &old.durably_named };
        let named: BTreeMap<PathBuf, File> = before
            .iter()
            .map(|(path, file)| {
                let Content { now, durable } = &*file.lock();
                let fresh = now.len().saturating_sub(durable.len()) * percent / 100;
                let kept = if fresh > 0 { now[..durable.len() + fresh].to_vec() } else { durable.clone() };
                (path.clone(), Arc::new(Mutex::new(Content { now: kept.clone(), durable: kept })))
            })
            .collect();
        let state = State { has_dir: old.has_dir, durably_named: named.clone(), named, ..State::default() };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    /// Counts an operation, which fails if it shall.
    fn enter(&self, operation: Operation) -> io::Result<()> {
        let mut state = self.0.0.lock();
        while operation == Operation::Sync && state.syncs_held {
            self.0.1.wait(&mut state);
        }
        let index = state.done.len();
        state.done.push(operation);
        let fails = |fault: &Fault| match *fault {
            Fault::At(at, kind) => (at == index).then(|| kind.into()),
            Fault::From(from) => (index >= from).then(|| io::Error::other("the machine goes down")),
            Fault::Each(failing) => (failing == operation).then(|| io::Error::other("it always fails")),
        };
        state.faults.iter().find_map(fails).map_or(Ok(()), Err)
    }

    fn file(&self, path: &Path) -> io::Result<File> {
        self.0.0.lock().named.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Storage for Disk {
    fn dir_exists(&self, _: &Path) -> io::Result<bool> {
        Ok(self.0.0.lock().has_dir)
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        self.0.0.lock().has_dir = true;
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = self.0.0.lock();
        if let Some(names) = state.stale_list.take() {
            return Ok(names);
        }
        let name = |path: &PathBuf| Some(path.strip_prefix(dir).ok()?.to_str()?.to_owned());
        Ok(state.named.keys().filter_map(name).collect())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let is_free = self.0.0.lock().locked.insert(path.to_owned());
        Ok(is_free.then(|| Box::new(Held(self.clone(), path.to_owned())) as Lock))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        self.enter(Operation::Create)?;
        let file = File::default();
        self.0.0.lock().named.insert(path.to_owned(), file.clone());
        Ok(Box::new(Open(self.clone(), file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>> {
        Ok(Box::new(Open(self.clone(), self.file(path)?)))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        Open(self.clone(), self.file(path)?).truncate(length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.enter(Operation::Rename)?;
        let file = self.file(from)?;
        let mut state = self.0.0.lock();
        state.named.remove(from);
        state.named.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.enter(Operation::Remove)?;
        self.file(path)?;
        self.0.0.lock().named.remove(path);
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.enter(Operation::SyncDir)?;
        let mut state = self.0.0.lock();
        state.durably_named = state.named.clone();
        Ok(())
    }
}

struct Held(Disk, PathBuf);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.0.lock().locked.remove(&self.1);
    }
}

struct Open(Disk, File);

impl Sink for Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let at_most = if self.0.0.0.lock().short_writes { bytes.len().min(7) } else { bytes.len() };
        let failed = self.0.enter(Operation::Write);
        // A write that fails has left a part.
        let written = if failed.is_err() { at_most / 2 } else { at_most };
        self.1.lock().now.extend_from_slice(&bytes[..written]);
        failed.map(|()| written)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.enter(Operation::Sync)?;
        let mut content = self.1.lock();
        content.durable = content.now.clone();
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.enter(Operation::Truncate)?;
        let mut content = self.1.lock();
        content.now.truncate(usize::try_from(length).expect("a short file"));
        content.durable = content.now.clone();
        Ok(())
    }
}

impl Source for Open {
    fn length(&self) -> io::Result<u64> {
        Ok(self.1.lock().now.len() as u64)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let content = self.1.lock();
        let rest =
            usize::try_from(offset).ok().and_then(|offset| content.now.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}
