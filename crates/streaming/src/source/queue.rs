// SPDX-License-Identifier: Apache-2.0
//! `queue_stream`: a queue of datasets as a stream, for tests and for data that the program makes itself.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use dstreams_rdd::{Data, Rdd, RddContext};
use parking_lot::Mutex;

use super::Source;
use crate::{
    error::{Error, Result},
    input::InputInfo,
    time::{Duration, Time},
};

/// The queue that feeds a `queue_stream`. A handle is cheap to clone; datasets can be pushed at any time.
#[derive(Clone)]
pub struct RddQueue<T> {
    waiting: Arc<Mutex<VecDeque<Rdd<T>>>>,
}

impl<T> Default for RddQueue<T> {
    fn default() -> Self {
        Self { waiting: Arc::default() }
    }
}

impl<T> RddQueue<T> {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a dataset at the end.
    pub fn push(&self, rdd: Rdd<T>) {
        self.waiting.lock().push_back(rdd);
    }

    /// How many datasets wait for a batch.
    pub fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Whether no dataset waits for a batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> FromIterator<Rdd<T>> for RddQueue<T> {
    fn from_iter<I: IntoIterator<Item = Rdd<T>>>(rdds: I) -> Self {
        Self { waiting: Arc::new(Mutex::new(rdds.into_iter().collect())) }
    }
}

/// How a `queue_stream` takes datasets from its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum QueueTake {
    /// One dataset per batch.
    #[default]
    OneAtATime,
    /// Everything that waits, as one dataset.
    All,
}

/// Takes datasets from a queue. A plan names them by number; they are kept until their batches are forgotten.
pub(crate) struct QueueSource<T> {
    queue: RddQueue<T>,
    take: QueueTake,
    default: Option<Rdd<T>>,
    taken: Mutex<Taken<T>>,
}

struct Taken<T> {
    next: u64,
    by_number: BTreeMap<u64, Rdd<T>>,
    by_time: BTreeMap<Time, u64>,
}

impl<T: Data> QueueSource<T> {
    pub(crate) fn new(queue: RddQueue<T>, take: QueueTake, default: Option<Rdd<T>>) -> Self {
        let taken = Taken { next: 0, by_number: BTreeMap::new(), by_time: BTreeMap::new() };
        Self { queue, take, default, taken: Mutex::new(taken) }
    }
}

impl<T: Data> Source for QueueSource<T> {
    type Record = T;
    type Plan = Vec<u64>;

    fn name(&self) -> String {
        "Queue stream".to_owned()
    }

    fn plan(&self, time: Time) -> Result<Option<Vec<u64>>> {
        let mut waiting = self.queue.waiting.lock();
        let count = match self.take {
            QueueTake::OneAtATime => waiting.len().min(1),
            QueueTake::All => waiting.len(),
        };
        let mut taken = self.taken.lock();
        let first = taken.next;
        for rdd in waiting.drain(..count) {
            let number = taken.next;
            taken.next += 1;
            taken.by_number.insert(number, rdd);
        }
        let next = taken.next;
        taken.by_time.insert(time, next);
        Ok(Some((first..next).collect()))
    }

    fn give_back(&self, plan: Vec<u64>) {
        let mut waiting = self.queue.waiting.lock();
        let mut taken = self.taken.lock();
        for number in plan.into_iter().rev() {
            waiting.extend(taken.by_number.remove(&number));
            waiting.rotate_right(1);
        }
    }

    fn info(&self, _plan: &Vec<u64>) -> InputInfo {
        InputInfo::default()
    }

    fn is_recoverable(&self) -> bool {
        false
    }

    fn rdd(&self, context: &RddContext, plan: Vec<u64>) -> Result<Rdd<T>> {
        let taken = self.taken.lock();
        let found: Vec<Rdd<T>> =
            plan.iter().filter_map(|number| taken.by_number.get(number).cloned()).collect();
        if found.len() < plan.len() {
            return Err(Error::source(
                "queue_stream doesn't support checkpointing. Please don't use queue_stream when checkpointing is enabled.",
            ));
        }
        Ok(match <[Rdd<T>; 1]>::try_from(found) {
            Ok([one]) => one,
            Err(none) if none.is_empty() => {
                self.default.clone().unwrap_or_else(|| context.parallelize_in(Vec::new(), 1))
            }
            Err(several) => context.union(several),
        })
    }

    fn forget(&self, time: Time) {
        let mut taken = self.taken.lock();
        let kept_times = taken.by_time.split_off(&(time + Duration::from_millis(1)));
        let forgotten = std::mem::replace(&mut taken.by_time, kept_times);
        if let Some((_, first_kept)) = forgotten.last_key_value() {
            taken.by_number = taken.by_number.split_off(first_kept);
        }
    }
}
