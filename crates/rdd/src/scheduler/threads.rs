// SPDX-License-Identifier: Apache-2.0
//! The local backend: a fixed pool of threads fed from one queue.

use std::{sync::Arc, thread::JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use super::{backend::Backend, task::Task};
use crate::error::Error;

/// `local[n]`: n worker threads.
pub(crate) struct Threads {
    slots: usize,
    queue: Mutex<Option<Sender<Queued>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

/// A task, and where in the program it was submitted, so that what it logs says so.
type Queued = (tracing::Span, Task);

impl Threads {
    pub(crate) fn start(slots: usize) -> Result<Self, Error> {
        let (sender, receiver) = unbounded::<Queued>();
        let workers = (0..slots)
            .map(|worker| {
                let queue: Receiver<Queued> = receiver.clone();
                std::thread::Builder::new()
                    .name(format!("dstreams-worker-{worker}"))
                    .spawn(move || queue.iter().for_each(|(span, task)| span.in_scope(|| task.run(worker))))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|cause| Error::Threads(Arc::new(cause)))?;
        Ok(Self { slots, queue: Mutex::new(Some(sender)), workers: Mutex::new(workers) })
    }
}

impl Backend for Threads {
    fn slots(&self) -> usize {
        self.slots
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
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shutdown();
    }
}
