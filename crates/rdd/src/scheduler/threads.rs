// SPDX-License-Identifier: Apache-2.0
//! The local backend: a fixed number of slots, and as many threads that are fed from one queue.

use std::{
    sync::Arc,
    thread::{JoinHandle, ThreadId},
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::{Condvar, Mutex};

use super::{backend::Backend, task::Task};
use crate::error::Error;

/// `local[n]`: n slots and n worker threads. A thread that would only wait may take a slot and run a task itself.
pub(crate) struct Threads {
    number: usize,
    slots: Arc<Slots>,
    queue: Mutex<Option<Sender<Queued>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

/// A task, and where in the program it was submitted, so that what it logs says so.
type Queued = (tracing::Span, Task);

impl Threads {
    pub(crate) fn start(number: usize) -> Result<Self, Error> {
        let (sender, receiver) = unbounded::<Queued>();
        let slots = Arc::new(Slots::new(number));
        let workers = (0..number)
            .map(|worker| {
                let (queue, slots): (Receiver<Queued>, _) = (receiver.clone(), Arc::clone(&slots));
                std::thread::Builder::new().name(format!("dstreams-worker-{worker}")).spawn(move || {
                    for (span, task) in &queue {
                        let slot = slots.wait();
                        span.in_scope(|| task.run(slot));
                        slots.give_back(slot);
                    }
                })
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|cause| Error::Threads(Arc::new(cause)))?;
        Ok(Self { number, slots, queue: Mutex::new(Some(sender)), workers: Mutex::new(workers) })
    }
}

impl Backend for Threads {
    fn slots(&self) -> usize {
        self.number
    }

    fn submit(&self, task: Task) {
        let queue = self.queue.lock().clone();
        match queue {
            Some(queue) => {
                // The workers hold the receiving end for as long as the queue is open.
                let _ = queue.send((tracing::Span::current(), task));
            }
            None => task.refuse(),
        }
    }

    fn run(&self, task: Task) {
        // Those that are queued were there first.
        let borrowed = self.queue.lock().as_ref().and_then(|queue| self.slots.borrow(queue.len()));
        let Some(slot) = borrowed else { return self.submit(task) };
        task.run(slot);
        self.slots.return_borrowed(slot);
    }

    fn shutdown(&self) {
        drop(self.queue.lock().take());
        let workers = std::mem::take(&mut *self.workers.lock());
        let this_thread = std::thread::current().id();
        for worker in workers {
            // The last handle of a context can be dropped by a task; a thread cannot join itself.
            if worker.thread().id() != this_thread {
                // A worker ends only with its queue; panics of tasks were caught.
                let _ = worker.join();
            }
        }
        self.slots.await_borrowed();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// As many tasks run as there are slots, on whatever threads.
struct Slots {
    state: Mutex<SlotState>,
    changed: Condvar,
}

struct SlotState {
    free: Vec<usize>,
    /// The threads that are no workers and have a slot.
    borrowers: Vec<ThreadId>,
}

impl Slots {
    fn new(number: usize) -> Self {
        let state = SlotState { free: (0..number).rev().collect(), borrowers: Vec::new() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The number of a slot, once one is free.
    fn wait(&self) -> usize {
        let mut state = self.state.lock();
        loop {
            if let Some(slot) = state.free.pop() {
                return slot;
            }
            self.changed.wait(&mut state);
        }
    }

    fn give_back(&self, slot: usize) {
        self.state.lock().free.push(slot);
        self.changed.notify_all();
    }

    /// A slot for this thread, if so many are `wanted` by others and one more is free.
    fn borrow(&self, wanted: usize) -> Option<usize> {
        let mut state = self.state.lock();
        if state.free.len() <= wanted {
            return None;
        }
        let slot = state.free.pop()?;
        state.borrowers.push(std::thread::current().id());
        Some(slot)
    }

    fn return_borrowed(&self, slot: usize) {
        let this_thread = std::thread::current().id();
        let mut state = self.state.lock();
        state.free.push(slot);
        state.borrowers.retain(|borrower| *borrower != this_thread);
        drop(state);
        // A worker may wait for the slot, and another thread for the end of all tasks.
        self.changed.notify_all();
    }

    /// Blocks until no other thread has a slot that is not a worker's.
    fn await_borrowed(&self) {
        let this_thread = std::thread::current().id();
        let mut state = self.state.lock();
        while state.borrowers.iter().any(|borrower| *borrower != this_thread) {
            self.changed.wait(&mut state);
        }
    }
}
