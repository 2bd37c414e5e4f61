// SPDX-License-Identifier: Apache-2.0
//! Appends to a log from many threads, of which one writes for all that wait.

use std::{
    fmt, mem,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{
    cleaner,
    error::{Error, Result},
    frame::{Handle, MAX_RECORD},
    options::Options,
    recovery::TornTail,
    storage::{Local, Storage},
    tail::{Entry, Tail},
};

/// The one writer of a log. Share it by reference or `Arc`: all methods may be called from many threads at once.
///
/// Nothing is made on disk until the first append, but a directory that exists is locked and its log mended at once.
///
/// ```
/// use dstreams_wal::{Error, Options, Writer};
///
/// let dir = tempfile::tempdir()?;
/// let writer = Writer::open(dir.path(), Options::default())?;
/// writer.append(b"first", 1_000)?;
/// writer.append(b"second", 70_000)?;
/// assert_eq!(writer.clean(61_001)?, 1);
/// assert!(matches!(Writer::open(dir.path(), Options::default()), Err(Error::Locked { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Writer {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    options: Options,
    pub(crate) queue: Mutex<Queue>,
    /// Signalled when the leader has ended.
    changed: Condvar,
    /// The end of the log, once the directory exists; used by the leader, `clean` and `close`.
    tail: Mutex<Option<Tail>>,
    torn: Mutex<Vec<TornTail>>,
}

/// The appends that wait. The first thread that finds nobody leading takes them all, its own among them, and writes them.
#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) waiting: Vec<Arc<Append>>,
    pub(crate) is_led: bool,
    pub(crate) is_closed: bool,
}

pub(crate) struct Append {
    entry: Entry,
    result: OnceLock<Result<Handle>>,
}

impl Writer {
    /// Opens the log in a directory for writing, after cutting off what an unfinished write left at its end.
    ///
    /// Fails with [`Error::Locked`] while another writer has it open, and with [`Error::Corrupt`] if the last segment is
    /// damaged elsewhere than at its end.
    pub fn open(dir: impl Into<PathBuf>, options: Options) -> Result<Self> {
        Self::open_on(Arc::new(Local(options.place)), dir.into(), options)
    }

    pub(crate) fn open_on(storage: Arc<dyn Storage>, dir: PathBuf, options: Options) -> Result<Self> {
        let exists = storage.dir_exists(&dir).map_err(Error::io("open", &dir))?;
        let writer = Self {
            storage,
            dir,
            options,
            queue: Mutex::default(),
            changed: Condvar::new(),
            tail: Mutex::default(),
            torn: Mutex::default(),
        };
        if exists {
            *writer.tail.lock() = Some(writer.open_tail()?);
        }
        Ok(writer)
    }

    /// What was cut off the end of the log when it was opened.
    pub fn torn(&self) -> Vec<TornTail> {
        self.torn.lock().clone()
    }

    /// Appends a record at a time in ms and returns when it is as durable as the options say.
    ///
    /// Records are in the log in the order in which they were appended, whatever their times; a record later than the
    /// stop of the current segment begins a new one. After an error the record is not in the log, with one exception:
    /// when the disk refused to take it back as well and no later append succeeds, it may be.
    pub fn append(&self, record: &[u8], time: i64) -> Result<Handle> {
        if record.len() > MAX_RECORD {
            return Err(Error::TooLong { length: record.len(), limit: MAX_RECORD });
        }
        let entry = Entry { time, bytes: record.to_vec(), checksum: crc32fast::hash(record) };
        let append = Arc::new(Append { entry, result: OnceLock::new() });

        let mut queue = self.queue.lock();
        if queue.is_closed {
            return Err(self.closed());
        }
        queue.waiting.push(append.clone());
        loop {
            if let Some(result) = append.result.get() {
                return result.clone();
            }
            if queue.is_led {
                self.changed.wait(&mut queue);
                continue;
            }
            queue.is_led = true;
            let group = mem::take(&mut queue.waiting);
            MutexGuard::unlocked(&mut queue, || self.write(&group));
            queue.is_led = false;
            self.changed.notify_all();
        }
    }

    /// Removes the segments that hold only records from before `threshold`, in ms, and says how many they were.
    ///
    /// The segment that is being written stays. Who has a segment open reads on.
    pub fn clean(&self, threshold: i64) -> Result<usize> {
        let open = match &*self.tail.lock() {
            Some(tail) => tail.current(),
            None if self.queue.lock().is_closed => return Err(self.closed()),
            // Nothing was ever written.
            None => return Ok(0),
        };
        cleaner::clean(&*self.storage, &self.dir, threshold, open)
    }

    /// Waits for the appends that have begun, makes everything durable and lets others write the log. Appends fail from
    /// now on. A second call does nothing.
    pub fn close(&self) -> Result<()> {
        let mut queue = self.queue.lock();
        queue.is_closed = true;
        while queue.is_led || !queue.waiting.is_empty() {
            self.changed.wait(&mut queue);
        }
        drop(queue);
        self.tail.lock().take().map_or(Ok(()), Tail::close)
    }

    /// Writes the records of a group and tells each append what became of its own.
    fn write(&self, group: &[Arc<Append>]) {
        let mut tail = self.tail.lock();
        let mut rest = group;
        while !rest.is_empty() {
            let (count, results) = match self.opened(&mut tail) {
                Ok(tail) => tail.add(&rest.iter().map(|append| &append.entry).collect::<Vec<_>>()),
                Err(error) => (rest.len(), Err(error)),
            };
            let (done, left) = rest.split_at(count);
            for (index, append) in done.iter().enumerate() {
                let result = results.as_ref().map(|handles| handles[index]).map_err(Clone::clone);
                append.result.set(result).expect("an append is in one group");
            }
            rest = left;
        }
    }

    fn opened<'a>(&self, tail: &'a mut Option<Tail>) -> Result<&'a mut Tail> {
        match tail {
            Some(tail) => Ok(tail),
            None => Ok(tail.insert(self.open_tail()?)),
        }
    }

    fn open_tail(&self) -> Result<Tail> {
        let (tail, torn) = Tail::open(self.storage.clone(), &self.dir, self.options.clone())?;
        *self.torn.lock() = torn;
        Ok(tail)
    }

    fn closed(&self) -> Error {
        Error::Closed { dir: self.dir.clone() }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!("the log {} may have lost its last records: {error}", self.dir.display());
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("dir", &self.dir)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
