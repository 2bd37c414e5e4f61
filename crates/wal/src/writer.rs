// SPDX-License-Identifier: Apache-2.0
//! Appends to a log from many threads, of which one writes for all that wait.

use std::{
    fmt, mem,
    sync::{Arc, OnceLock},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{
    cleaner,
    error::{Error, Result},
    frame::{Handle, MAX_RECORD},
    location::Location,
    log_dir::{Kind, LogDir},
    options::Options,
    recovery::TornTail,
    segment::Segment,
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
    dir: LogDir,
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
    /// Shared by records that are appended together: set when one of them has failed.
    failed: Arc<OnceLock<Error>>,
}

impl Append {
    fn new(parts: &[&[u8]], time: i64, failed: &Arc<OnceLock<Error>>) -> Result<Arc<Self>> {
        let length = parts.iter().map(|part| part.len()).sum();
        if length > MAX_RECORD {
            return Err(Error::TooLong { length, limit: MAX_RECORD });
        }
        let bytes = parts.concat();
        let checksum = crc32fast::hash(&bytes);
        let entry = Entry { time, bytes, checksum };
        Ok(Arc::new(Self { entry, result: OnceLock::new(), failed: Arc::clone(failed) }))
    }

    /// Tells whoever waits what became of the record.
    fn end(&self, result: Result<Handle>) {
        if let Err(error) = &result {
            // Only the first failure of records that belong together is told.
            let _ = self.failed.set(error.clone());
        }
        self.result.set(result).expect("an append is in one group");
    }
}

impl Writer {
    /// Opens the log in a directory for writing, after cutting off what an unfinished write left at its end.
    ///
    /// Fails with [`Error::Locked`] while another writer has it open, and with [`Error::Corrupt`] if the last segment is
    /// damaged elsewhere than at its end.
    ///
    /// On an object store it takes the log over from whoever has it open: their next append fails with
    /// [`Error::TakenOver`], and all that they have appended before can be read from now on.
    pub fn open(dir: impl Into<Location>, options: Options) -> Result<Self> {
        Self::open_on(LogDir::new(dir.into(), options.place), options)
    }

    pub(crate) fn open_on(dir: LogDir, options: Options) -> Result<Self> {
        let is_there = match &dir.kind {
            Kind::Files(files) => files.dir_exists(&dir.path).map_err(Error::io("open", &dir.path))?,
            Kind::Objects(_) => true,
        };
        let writer = Self {
            dir,
            options,
            queue: Mutex::default(),
            changed: Condvar::new(),
            tail: Mutex::default(),
            torn: Mutex::default(),
        };
        if is_there {
            *writer.tail.lock() = Some(writer.open_tail()?);
        }
        Ok(writer)
    }

    /// What was cut off the end of the log when it was opened.
    pub fn torn(&self) -> Vec<TornTail> {
        self.torn.lock().clone()
    }

    /// On an object store, the number by which this writer is known to be later than those before: one more than theirs,
    /// or that of the [owner](Location::owned_in).
    pub fn epoch(&self) -> Option<i64> {
        self.tail.lock().as_ref().and_then(Tail::epoch)
    }

    /// Fails with [`Error::TakenOver`] when another writer has taken over the log on an object store, which otherwise the
    /// next append would find out. On files the lock keeps others away.
    pub fn check_owner(&self) -> Result<()> {
        self.tail.lock().as_mut().map_or(Ok(()), Tail::check_owner)
    }

    /// Appends a record at a time in ms and returns when it is as durable as the options say.
    ///
    /// Records are in the log in the order in which they were appended, whatever their times; a record later than the
    /// stop of the current segment begins a new one. After an error the record is not in the log, with one exception:
    /// when the disk refused to take it back as well and no later append succeeds, it may be.
    pub fn append(&self, record: &[u8], time: i64) -> Result<Handle> {
        self.append_parts(&[record], time)
    }

    /// As [`append`](Self::append), of a record that is given in parts, such as a header and what follows it.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let writer = dstreams_wal::Writer::open(dir.path(), dstreams_wal::Options::default())?;
    /// let handle = writer.append_parts(&[b"header ", b"content"], 1_000)?;
    /// assert_eq!(dstreams_wal::Reader::new(dir.path()).read(&handle)?, b"header content");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_parts(&self, parts: &[&[u8]], time: i64) -> Result<Handle> {
        let append = Append::new(parts, time, &Arc::default())?;
        self.await_result(self.enqueue([&append])?, &append)
    }

    /// As [`append`](Self::append), of several records that become durable together: with one fsync as long as they fit
    /// the segment. They follow one another in the log. After an error the first of them may be in the log, but none
    /// without those before it.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let writer = dstreams_wal::Writer::open(dir.path(), dstreams_wal::Options::default())?;
    /// let handles = writer.append_all(&[b"first", b"second"], 1_000)?;
    /// assert_eq!(dstreams_wal::Reader::new(dir.path()).read(&handles[1])?, b"second");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_all(&self, records: &[&[u8]], time: i64) -> Result<Vec<Handle>> {
        let failed = Arc::default();
        let appends: Result<Vec<_>> =
            records.iter().map(|record| Append::new(&[record], time, &failed)).collect();
        let appends = appends?;
        let Some(last) = appends.last() else { return Ok(Vec::new()) };
        // The last one has its result after those before it.
        let end = self.await_result(self.enqueue(&appends)?, last);
        end.and_then(|_| appends.iter().filter_map(|append| append.result.get().cloned()).collect())
    }

    /// Has these records wait to be written, one behind the other.
    fn enqueue<'a>(
        &self,
        appends: impl IntoIterator<Item = &'a Arc<Append>>,
    ) -> Result<MutexGuard<'_, Queue>> {
        let mut queue = self.queue.lock();
        if queue.is_closed {
            return Err(self.closed());
        }
        queue.waiting.extend(appends.into_iter().map(Arc::clone));
        Ok(queue)
    }

    /// Writes what waits, if nobody else does, until this record has its result.
    fn await_result(&self, mut queue: MutexGuard<'_, Queue>, append: &Append) -> Result<Handle> {
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
    /// The segment that is being written stays. Who has a segment open reads on. Segments on an object store have no
    /// times: there only [`clean_before`](Self::clean_before) is of use, and this fails.
    pub fn clean(&self, threshold: i64) -> Result<usize> {
        if self.dir.is_objects() {
            let cause = std::io::ErrorKind::Unsupported.into();
            return Err(Error::io("clean by time", &self.dir.path)(cause));
        }
        self.clean_while(|segment| segment.stop < threshold)
    }

    /// Removes the segments before `first`, whatever their times, and says how many they were. For who keeps handles and
    /// knows which is the oldest that is still needed: a clock that was set back does no harm.
    ///
    /// The segment that is being written stays. Who has a segment open reads on.
    ///
    /// ```
    /// let dir = tempfile::tempdir()?;
    /// let writer = dstreams_wal::Writer::open(dir.path(), dstreams_wal::Options::default())?;
    /// writer.append(b"old", 1_000)?;
    /// let needed = writer.append(b"needed", 70_000)?;
    /// assert_eq!(writer.clean_before(needed.segment)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clean_before(&self, first: Segment) -> Result<usize> {
        self.clean_while(|segment| segment.start < first.start)
    }

    fn clean_while(&self, is_old: impl Fn(Segment) -> bool) -> Result<usize> {
        let open = match &*self.tail.lock() {
            Some(tail) => tail.current(),
            None if self.queue.lock().is_closed => return Err(self.closed()),
            // Nothing was ever written.
            None => return Ok(0),
        };
        let is_open = |segment: Segment| open.is_some_and(|open| open.start == segment.start);
        cleaner::clean(&self.dir, self.options.place, |segment| is_old(segment) && !is_open(segment))
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
        while let Some(first) = rest.first() {
            if let Some(error) = first.failed.get() {
                first.end(Err(error.clone()));
                rest = &rest[1..];
                continue;
            }
            let (count, results) = match self.opened(&mut tail) {
                Ok(tail) => tail.add(&rest.iter().map(|append| &append.entry).collect::<Vec<_>>()),
                Err(error) => (rest.len(), Err(error)),
            };
            let (done, left) = rest.split_at(count);
            for (index, append) in done.iter().enumerate() {
                append.end(results.as_ref().map(|handles| handles[index]).map_err(Clone::clone));
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
        let (tail, torn) = Tail::open(&self.dir, self.options.clone())?;
        *self.torn.lock() = torn;
        Ok(tail)
    }

    fn closed(&self) -> Error {
        Error::Closed { dir: self.dir.path.clone() }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!("the log {} may have lost its last records: {error}", self.dir.path.display());
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("dir", &self.dir.path)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
