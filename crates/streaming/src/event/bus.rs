// SPDX-License-Identifier: Apache-2.0
//! Delivers streaming events to listeners on a thread of its own.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use crossbeam_channel::{Sender, TrySendError, bounded};
use parking_lot::{Mutex, RwLock};

use super::{StreamingEvent, StreamingListener};
use crate::error::{Error, Result};

/// Events that may wait for slow listeners; more are dropped and counted.
const CAPACITY: usize = 10_000;

type Listeners = Arc<RwLock<Vec<Arc<dyn StreamingListener>>>>;

/// The listeners of a context and the queue to them.
#[derive(Default)]
pub(crate) struct ListenerBus {
    listeners: Listeners,
    running: Mutex<Option<Running>>,
    dropped: AtomicU64,
}

struct Running {
    queue: Sender<StreamingEvent>,
    thread: JoinHandle<()>,
}

thread_local! {
    static ON_BUS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is delivering events to listeners.
pub(crate) fn on_bus_thread() -> bool {
    ON_BUS.get()
}

impl ListenerBus {
    pub(crate) fn add(&self, listener: Arc<dyn StreamingListener>) {
        self.listeners.write().push(listener);
    }

    pub(crate) fn remove(&self, listener: &Arc<dyn StreamingListener>) {
        self.listeners.write().retain(|other| !Arc::ptr_eq(other, listener));
    }

    pub(crate) fn start(&self) -> Result<()> {
        let (queue, events) = bounded::<StreamingEvent>(CAPACITY);
        let listeners = Arc::clone(&self.listeners);
        let thread = std::thread::Builder::new()
            .name("dstreams-listeners".to_owned())
            .spawn(move || {
                ON_BUS.set(true);
                for event in events {
                    // Delivered outside of the lock, so that a listener may add or remove listeners.
                    let listeners = listeners.read().clone();
                    for listener in listeners {
                        if catch_unwind(AssertUnwindSafe(|| listener.on_event(&event))).is_err() {
                            tracing::error!(?event, "a streaming listener panicked");
                        }
                    }
                }
            })
            .map_err(|cause| Error::system("start the listener thread", cause))?;
        *self.running.lock() = Some(Running { queue, thread });
        Ok(())
    }

    /// How many events were dropped as listeners were too slow.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Queues an event; before the start and after the stop it goes nowhere. Where nobody listens it is not made.
    pub(crate) fn post(&self, event: impl FnOnce() -> StreamingEvent) {
        if self.listeners.read().is_empty() {
            return;
        }
        let queue = self.running.lock().as_ref().map(|running| running.queue.clone());
        let Some(queue) = queue else { return };
        if matches!(queue.try_send(event()), Err(TrySendError::Full(_))) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "a streaming listener is too slow; events are dropped");
            }
        }
    }

    /// Delivers what is queued and ends the thread.
    pub(crate) fn stop(&self) {
        let running = self.running.lock().take();
        if let Some(Running { queue, thread }) = running {
            drop(queue);
            if !on_bus_thread() && thread.join().is_err() {
                tracing::error!("the listener thread panicked");
            }
        }
    }
}
