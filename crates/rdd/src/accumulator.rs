// SPDX-License-Identifier: Apache-2.0
//! Accumulators: values that tasks add to and the driver reads, counted once per successful task.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    event::{EngineEvent, EventBus},
    record::Data,
    scheduler::task::{Running, with_running},
};

/// A value that tasks can only add to. What a failed attempt added is forgotten.
///
/// An update in a transformation counts again whenever the dataset is computed again; an update in an action counts
/// exactly once.
///
/// ```
/// use dstreams_rdd::RddContext;
/// let sc = RddContext::local(2)?;
/// let lines = sc.accumulator("lines", 0u64, |sum, n| *sum += n);
/// let counter = lines.clone();
/// sc.parallelize(1..=100).for_each(move |_| counter.add(1))?;
/// assert_eq!(lines.value(), 100);
/// # Ok::<(), dstreams_rdd::Error>(())
/// ```
pub struct Accumulator<T: Data> {
    shared: Arc<Shared<T>>,
}

impl<T: Data> Clone for Accumulator<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// Adds the second value to the first.
type Merge<T> = Box<dyn Fn(&mut T, T) + Send + Sync>;

struct Shared<T> {
    id: u64,
    name: String,
    zero: T,
    merge: Merge<T>,
    value: Mutex<T>,
    /// One slot per worker thread, so that tasks do not contend; a slot is full while its task is adding to it.
    slots: Box<[Mutex<Option<T>>]>,
    events: EventBus,
    show: fn(&T) -> String,
}

/// An accumulator that a task has added to, without its type.
pub(crate) trait Touched: Send + Sync {
    /// Counts what the task of this worker has added, or forgets it.
    fn end_of_task(&self, worker: usize, succeeded: bool);
}

impl<T: Data + fmt::Debug> Accumulator<T> {
    pub(crate) fn new(
        name: &str,
        zero: T,
        merge: impl Fn(&mut T, T) + Send + Sync + 'static,
        workers: usize,
        events: EventBus,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        events.post(|| EngineEvent::AccumulatorCreated { id, name: name.to_owned() });
        let slots = (0..workers).map(|_| Mutex::new(None)).collect();
        Self {
            shared: Arc::new(Shared {
                id,
                name: name.to_owned(),
                value: Mutex::new(zero.clone()),
                zero,
                merge: Box::new(merge),
                slots,
                events,
                show: |value| format!("{value:?}"),
            }),
        }
    }
}

impl<T: Data> Accumulator<T> {
    /// Adds `update`: inside a task to what counts if the task succeeds, elsewhere at once.
    ///
    /// A task of another context counts as elsewhere: that context would not know what to do with the accumulator when
    /// the task fails, and its workers have the same numbers as those of this one.
    pub fn add(&self, update: T) {
        let shared = &self.shared;
        let outside = with_running(|running| match running {
            Some(Running { engine, worker, touched })
                if engine.is_same(&shared.events) && *worker < shared.slots.len() =>
            {
                let mut slot = shared.slots[*worker].lock();
                if slot.is_none() {
                    touched.push(Arc::clone(shared) as Arc<dyn Touched>);
                }
                (shared.merge)(slot.get_or_insert_with(|| shared.zero.clone()), update);
                None
            }
            _ => Some(update),
        });
        if let Some(update) = outside {
            (shared.merge)(&mut shared.value.lock(), update);
        }
    }

    /// The sum of what successful tasks have added so far.
    pub fn value(&self) -> T {
        self.shared.value.lock().clone()
    }

    /// The name, as events show it.
    pub fn name(&self) -> &str {
        &self.shared.name
    }
}

impl<T: Data> Touched for Shared<T> {
    fn end_of_task(&self, worker: usize, succeeded: bool) {
        let update = self.slots[worker].lock().take();
        if let (Some(update), true) = (update, succeeded) {
            let mut value = self.value.lock();
            (self.merge)(&mut value, update);
            self.events.post(|| EngineEvent::AccumulatorUpdated {
                id: self.id,
                name: self.name.clone(),
                value: (self.show)(&value),
            });
        }
    }
}
