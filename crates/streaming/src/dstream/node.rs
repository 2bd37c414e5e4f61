// SPDX-License-Identifier: Apache-2.0
//! A stream as a node of the graph: what it is derived from, its grid of times, and the datasets it remembers.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Bound,
    panic::Location,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use dstreams_rdd::{Data, Rdd};
use parking_lot::Mutex;

use super::{DStream, NewStream};
use crate::{
    error::Result,
    input::Batches,
    time::{Duration, Time},
};

/// How a kind of stream makes the dataset of a batch. Five kinds suffice: input, transform, window, reduced window,
/// state.
pub(crate) trait StreamNode<T>: Send + Sync {
    /// The dataset at `time`; nothing when the stream has none, which is different from an empty one.
    fn compute(&self, time: Time, batches: &Batches) -> Result<Option<Rdd<T>>>;

    /// Whose datasets are kept when those of the stream are to be.
    fn keeps(&self) -> Keeps<'_, T> {
        Keeps::Own
    }
}

/// The streams that a storage level is for.
pub(crate) enum Keeps<'a, T> {
    /// The stream itself.
    Own,
    /// In its place another one, which has the same records.
    Instead(&'a DStream<T>),
    /// Itself and another one.
    Both(&'a DStream<T>),
    /// None: it keeps its datasets in its own way.
    Already,
}

impl<T, F> StreamNode<T> for F
where
    F: Fn(Time, &Batches) -> Result<Option<Rdd<T>>> + Send + Sync,
{
    fn compute(&self, time: Time, batches: &Batches) -> Result<Option<Rdd<T>>> {
        self(time, batches)
    }
}

/// Sets how a new dataset is kept.
pub(crate) type Keep<T> = Arc<dyn Fn(&Rdd<T>) + Send + Sync>;

/// How the datasets of a stream are kept.
struct Kept<T> {
    keep: Keep<T>,
    /// Nobody has asked for it but the operator, for the jobs that read a dataset again.
    by_default: bool,
}

/// A stream: its place in the graph, how it computes, and what it has computed.
pub(crate) struct Node<T> {
    meta: NodeMeta,
    kind: Box<dyn StreamNode<T>>,
    keep: Mutex<Option<Kept<T>>>,
    /// Makes a dataset forget what it was computed from, when a checkpoint is due.
    cut: OnceLock<fn(&Rdd<T>)>,
    remembered: Mutex<BTreeMap<Time, Rdd<T>>>,
    /// Up to here, what was kept of datasets has been released.
    released: Mutex<Time>,
}

impl<T: Data> Node<T> {
    pub(crate) fn new(meta: NodeMeta, kind: impl StreamNode<T> + 'static) -> Self {
        Self {
            meta,
            kind: Box::new(kind),
            keep: Mutex::default(),
            cut: OnceLock::new(),
            remembered: Mutex::default(),
            released: Mutex::new(Time::ZERO),
        }
    }

    /// Keeps new datasets with `keep`, and no longer as was asked for before.
    pub(crate) fn keep_with(&self, keep: &Keep<T>) {
        self.for_kept(&|present| *present = Some(Kept { keep: Arc::clone(keep), by_default: false }));
    }

    /// Keeps new datasets with `keep` unless something else has been or will be asked for.
    pub(crate) fn keep_by_default(&self, keep: &Keep<T>) {
        self.for_kept(&|present| {
            present.get_or_insert_with(|| Kept { keep: Arc::clone(keep), by_default: true });
        });
    }

    fn for_kept(&self, set: &dyn Fn(&mut Option<Kept<T>>)) {
        let (own, other) = match self.kind.keeps() {
            Keeps::Own => (true, None),
            Keeps::Instead(other) => (false, Some(other)),
            Keeps::Both(other) => (true, Some(other)),
            Keeps::Already => (false, None),
        };
        if own {
            set(&mut self.keep.lock());
        }
        if let Some(other) = other {
            other.node.for_kept(set);
        }
    }

    pub(crate) fn cut_with(&self, cut: fn(&Rdd<T>)) {
        let _always_the_same = self.cut.set(cut);
    }

    pub(crate) fn rdd_at(&self, time: Time, batches: &Batches) -> Result<Option<Rdd<T>>> {
        if let Some(rdd) = self.remembered.lock().get(&time) {
            return Ok(Some(rdd.clone()));
        }
        if !self.meta.is_on_grid(time) {
            return Ok(None);
        }
        let made = dstreams_rdd::owned_by(self.meta.id() as u64, || self.kind.compute(time, batches));
        let Some(rdd) = made? else { return Ok(None) };
        let rdd = match self.meta.name() {
            Some(name) => rdd.named(name),
            None => rdd,
        };
        if let Some(kept) = &*self.keep.lock() {
            (kept.keep)(&rdd);
        }
        if let Some(cut) = self.cut.get()
            && self.meta.is_checkpoint_due(time)
        {
            cut(&rdd);
        }
        self.remembered.lock().insert(time, rdd.clone());
        Ok(Some(rdd))
    }

    /// Remembers a dataset that an earlier process made.
    pub(crate) fn restore(&self, time: Time, rdd: Rdd<T>) {
        self.remembered.lock().insert(time, rdd);
    }

    /// The dataset at `time`, if it is remembered.
    pub(crate) fn remembered_at(&self, time: Time) -> Option<Rdd<T>> {
        self.remembered.lock().get(&time).cloned()
    }

    /// The latest dataset before `time` that is remembered.
    pub(crate) fn latest_before(&self, time: Time) -> Option<(Time, Rdd<T>)> {
        self.remembered.lock().range(..time).next_back().map(|(time, rdd)| (*time, rdd.clone()))
    }
}

impl<T> Node<T> {
    pub(crate) fn meta(&self) -> &NodeMeta {
        &self.meta
    }
}

/// A node without the type of its records.
pub(crate) trait AnyNode: Send + Sync {
    /// Its place in the graph.
    fn meta(&self) -> &NodeMeta;

    /// Makes sure that the dataset at `time` is remembered, if there is one.
    fn prepare(&self, time: Time, batches: &Batches) -> Result<()>;

    /// Forgets the datasets at and before `time`.
    fn forget(&self, time: Time);

    /// Gives up what is kept of the datasets at and before `time`, which no job reads any more, unless the program has
    /// asked for it to be kept. They can still be asked for, and are then computed again.
    fn release(&self, time: Time);

    /// Forgets the dataset at `time` alone.
    fn discard(&self, time: Time);

    /// The times of the datasets that are remembered.
    fn remembered(&self) -> Vec<Time>;

    /// Whether datasets are kept at a storage level.
    fn is_kept(&self) -> bool;
}

impl<T: Data> AnyNode for Node<T> {
    fn meta(&self) -> &NodeMeta {
        &self.meta
    }

    fn prepare(&self, time: Time, batches: &Batches) -> Result<()> {
        self.rdd_at(time, batches).map(drop)
    }

    fn discard(&self, time: Time) {
        let _discarded = self.remembered.lock().remove(&time);
    }

    fn forget(&self, time: Time) {
        // Dropped outside of the lock: the last handle of a dataset frees its blocks and files.
        let _forgotten = {
            let mut remembered = self.remembered.lock();
            let kept = remembered.split_off(&(time + Duration::from_millis(1)));
            std::mem::replace(&mut *remembered, kept)
        };
    }

    fn release(&self, time: Time) {
        // Whether datasets are kept for the jobs alone, where they are kept.
        let for_jobs = self.keep.lock().as_ref().map(|kept| kept.by_default);
        let due = {
            let (remembered, mut released) = (self.remembered.lock(), self.released.lock());
            let mut old = remembered.range((Bound::Excluded(*released), Bound::Unbounded)).peekable();
            let mut due = Vec::new();
            while let Some((made, rdd)) = old.next_if(|(made, _)| **made <= time) {
                // What comes after it may be made from it.
                if for_jobs.is_some() && !old.peek().is_some_and(|(_, next)| next.is_kept()) {
                    break;
                }
                due.push(rdd.clone());
                *released = *made;
            }
            due
        };
        for rdd in &due {
            rdd.discard_shuffles();
            if for_jobs == Some(true) {
                rdd.discard_kept();
            }
        }
    }

    fn remembered(&self) -> Vec<Time> {
        self.remembered.lock().keys().copied().collect()
    }

    fn is_kept(&self) -> bool {
        self.keep.lock().is_some()
    }
}

/// The place of a stream in the graph.
pub(crate) struct NodeMeta {
    id: usize,
    operator: &'static str,
    name: OnceLock<String>,
    location: &'static Location<'static>,
    slide: Duration,
    parents: Vec<Arc<dyn AnyNode>>,
    reach: Duration,
    checkpoint: Mutex<Option<Duration>>,
    zero: OnceLock<Time>,
    /// Later than the zero time when an earlier program had no such stream.
    begins_after: OnceLock<Time>,
    remember: Mutex<Duration>,
    past_needed: Mutex<Duration>,
    /// How long after its batch jobs read a dataset.
    read_again: Mutex<Duration>,
    /// Whether a dataset cannot be made in a later batch than its own.
    passes: AtomicBool,
}

impl NodeMeta {
    pub(crate) fn new(id: usize, new: NewStream, location: &'static Location<'static>) -> Self {
        Self {
            id,
            operator: new.operator,
            name: OnceLock::new(),
            location,
            slide: new.slide,
            parents: new.parents,
            reach: new.reach,
            checkpoint: Mutex::new(new.checkpoint),
            zero: OnceLock::new(),
            begins_after: OnceLock::new(),
            remember: Mutex::new(Duration::ZERO),
            past_needed: Mutex::new(Duration::ZERO),
            read_again: Mutex::new(Duration::ZERO),
            passes: AtomicBool::new(false),
        }
    }

    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// Where in the program it was made.
    pub(crate) fn location(&self) -> &Location<'_> {
        self.location
    }

    pub(crate) fn operator(&self) -> &'static str {
        self.operator
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.get().map(String::as_str)
    }

    pub(crate) fn set_name(&self, name: &str) {
        let _first_stays = self.name.set(name.to_owned());
    }

    pub(crate) fn slide(&self) -> Duration {
        self.slide
    }

    pub(crate) fn parents(&self) -> &[Arc<dyn AnyNode>] {
        &self.parents
    }

    pub(crate) fn zero(&self) -> Option<Time> {
        self.zero.get().copied()
    }

    pub(crate) fn checkpoint_interval(&self) -> Option<Duration> {
        *self.checkpoint.lock()
    }

    pub(crate) fn set_checkpoint_interval(&self, interval: Duration) {
        *self.checkpoint.lock() = Some(interval);
    }

    fn is_checkpoint_due(&self, time: Time) -> bool {
        let Some((interval, zero)) = self.checkpoint_interval().zip(self.zero()) else { return false };
        (time - zero).is_multiple_of(interval)
    }

    /// How long its datasets are remembered.
    pub(crate) fn remember(&self) -> Duration {
        *self.remember.lock()
    }

    /// What its parents must remember for it.
    pub(crate) fn parent_remember(&self) -> Duration {
        self.remember() + self.reach
    }

    /// Remembers at least this long. Returns whether that is longer than before.
    pub(crate) fn remember_at_least(&self, length: Duration) -> bool {
        let mut remember = self.remember.lock();
        let longer = length > *remember;
        if longer {
            *remember = length;
        }
        longer
    }

    /// How long before a batch the datasets are that its jobs are made from.
    pub(crate) fn past_needed(&self) -> Duration {
        *self.past_needed.lock()
    }

    /// Says that a stream derived from this one asks for datasets of this long ago.
    pub(crate) fn need_past(&self, length: Duration) {
        let mut needed = self.past_needed.lock();
        *needed = length.max(*needed);
    }

    /// How long after its batch jobs read a dataset again.
    pub(crate) fn read_again(&self) -> Duration {
        *self.read_again.lock()
    }

    /// Says that jobs read datasets of this long ago.
    pub(crate) fn reads_again(&self, length: Duration) {
        let mut read_again = self.read_again.lock();
        *read_again = length.max(*read_again);
    }

    /// Says that a dataset cannot be made any more when its batch is over.
    pub(crate) fn pass_with_the_batch(&self) {
        self.passes.store(true, Ordering::Relaxed);
    }

    /// Whether its dataset must be made in each batch for the sake of later ones.
    pub(crate) fn is_needed_in_each_batch(&self) -> bool {
        self.passes.load(Ordering::Relaxed) && self.past_needed().is_positive()
    }

    /// How much further back than itself it asks its parents for datasets.
    pub(crate) fn reach(&self) -> Duration {
        self.reach
    }

    /// Fixes the zero time. Returns false when it has been fixed before.
    pub(crate) fn initialize(&self, zero: Time) -> bool {
        self.zero.set(zero).is_ok()
    }

    /// Says that it has no dataset before the end of this batch.
    pub(crate) fn begin_after(&self, time: Time) {
        let _set_once = self.begins_after.set(time);
    }

    pub(crate) fn is_on_grid(&self, time: Time) -> bool {
        let begun = self.begins_after.get().is_none_or(|begins_after| time > *begins_after);
        begun && self.zero().is_some_and(|zero| time > zero && (time - zero).is_multiple_of(self.slide))
    }
}

impl fmt::Display for NodeMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({} at {})", self.operator, short(self.location)),
            None => write!(f, "{} at {}", self.operator, short(self.location)),
        }
    }
}

/// `file.rs:12`: where in the program, without the folders.
pub(crate) fn short(location: &Location<'_>) -> String {
    let file = location.file();
    let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
    format!("{file}:{}", location.line())
}
