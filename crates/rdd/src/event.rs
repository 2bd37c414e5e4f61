// SPDX-License-Identifier: Apache-2.0
//! What the engine reports while it works: typed events, delivered to listeners in order.

use std::{sync::Arc, time::Duration};

use parking_lot::RwLock;

use crate::{lineage::RddId, scheduler::task::TaskId};

/// Something that happened in the engine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EngineEvent {
    /// An action has begun.
    JobStarted {
        /// The job.
        job: u64,
        /// The dataset it runs on.
        rdd: RddId,
        /// How many of its partitions are asked for.
        partitions: usize,
    },
    /// An action has ended.
    JobEnded {
        /// The job.
        job: u64,
        /// Why it failed, if it did.
        error: Option<String>,
    },
    /// The tasks of a stage were submitted.
    StageStarted {
        /// The job it belongs to.
        job: u64,
        /// The stage.
        stage: u64,
        /// The dataset that it computes.
        rdd: RddId,
        /// The operator of that dataset, with its name if it has one.
        name: String,
        /// The shuffle that it writes; none for the last stage of a job.
        shuffle: Option<u64>,
        /// How many tasks.
        tasks: usize,
    },
    /// All tasks of a stage have ended.
    StageEnded {
        /// The job it belongs to.
        job: u64,
        /// The stage.
        stage: u64,
        /// Why it failed, if it did.
        error: Option<String>,
    },
    /// An attempt has begun.
    TaskStarted {
        /// Which one.
        task: TaskId,
    },
    /// An attempt has ended.
    TaskEnded {
        /// Which one.
        task: TaskId,
        /// Records written to a shuffle or read by the action.
        records: u64,
        /// How long it ran.
        elapsed: Duration,
        /// Which operators took that time.
        operators: Vec<OperatorTime>,
        /// Why it failed, if it did.
        error: Option<String>,
    },
    /// An accumulator was created.
    AccumulatorCreated {
        /// Its number.
        id: u64,
        /// Its name.
        name: String,
    },
    /// A task that succeeded has added to an accumulator.
    AccumulatorUpdated {
        /// Its number.
        id: u64,
        /// Its name.
        name: String,
        /// Its value now, as text.
        value: String,
    },
    /// A broadcast value was created.
    BroadcastCreated {
        /// Its number.
        id: u64,
        /// Its name.
        name: String,
    },
    /// A kept partition left memory because of the memory budget.
    BlockEvicted {
        /// The dataset.
        rdd: RddId,
        /// The partition.
        partition: usize,
        /// How many bytes were freed, as estimated.
        bytes: usize,
        /// Whether it was written to disk; otherwise it is computed again when needed.
        to_disk: bool,
    },
    /// A shuffle or sort wrote records to disk because of the memory budget.
    Spilled {
        /// What spilled, such as `shuffle 3`.
        what: String,
        /// How many bytes were written.
        bytes: u64,
    },
}

/// The time that an operator took in one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorTime {
    /// To whom its dataset belongs: see [`owned_by`](crate::owned_by).
    pub owner: Option<u64>,
    /// Its kind, such as `map`.
    pub operator: &'static str,
    /// How long its code ran.
    pub spent: Duration,
}

/// Receives engine events, on the thread that causes them: it must be quick and must not block.
pub trait EngineListener: Send + Sync {
    /// Called for every event.
    fn on_event(&self, event: &EngineEvent);
}

/// The listeners of a context.
#[derive(Clone, Default)]
pub struct EventBus {
    listeners: Arc<RwLock<Vec<Arc<dyn EngineListener>>>>,
}

impl EventBus {
    /// Adds a listener.
    pub fn add(&self, listener: Arc<dyn EngineListener>) {
        self.listeners.write().push(listener);
    }

    /// Removes a listener added before; compared by identity.
    pub fn remove(&self, listener: &Arc<dyn EngineListener>) {
        self.listeners.write().retain(|other| !Arc::ptr_eq(other, listener));
    }

    /// Whether both are handles to the same listeners.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.listeners, &other.listeners)
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        !self.listeners.read().is_empty()
    }

    /// Delivers an event, which is made only if somebody listens.
    pub(crate) fn post(&self, event: impl FnOnce() -> EngineEvent) {
        let listeners = self.listeners.read();
        if listeners.is_empty() {
            return;
        }
        let event = event();
        for listener in listeners.iter() {
            listener.on_event(&event);
        }
    }
}
