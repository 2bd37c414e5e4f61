// SPDX-License-Identifier: Apache-2.0
//! A flag that is raised once and wakes everyone who waits on a clock with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};

use parking_lot::Mutex;

/// A shared flag, raised once, that ends every [`Clock`](super::Clock) wait it was given to.
///
/// Clones are the same flag. It serves as the stop of a thread as well as the "done" that a wait with a
/// deadline is really for.
///
/// ```
/// use dstreams_streaming::clock::StopFlag;
///
/// let stop = StopFlag::new();
/// let seen_by_a_thread = stop.clone();
/// stop.raise();
/// assert!(seen_by_a_thread.is_raised());
/// ```
#[derive(Debug, Clone, Default)]
pub struct StopFlag {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    raised: AtomicBool,
    waiting: Mutex<Vec<Thread>>,
}

impl StopFlag {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag and wakes the threads that wait with it. Raising it again does nothing.
    pub fn raise(&self) {
        self.shared.raised.store(true, Ordering::Release);
        for thread in self.shared.waiting.lock().iter() {
            thread.unpark();
        }
    }

    /// True once the flag was raised.
    pub fn is_raised(&self) -> bool {
        self.shared.raised.load(Ordering::Acquire)
    }

    /// Has the current thread unparked when the flag is raised, until the registration is dropped.
    ///
    /// Look at the flag after registering and before each park: a flag raised in between leaves an
    /// unpark behind, so that no wake-up is lost.
    pub(super) fn register_current_thread(&self) -> Registration<'_> {
        self.shared.waiting.lock().push(thread::current());
        Registration { flag: self }
    }
}

/// The current thread's place among those a flag wakes.
pub(super) struct Registration<'a> {
    flag: &'a StopFlag,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let current = thread::current().id();
        let mut waiting = self.flag.shared.waiting.lock();
        if let Some(place) = waiting.iter().position(|thread| thread.id() == current) {
            waiting.swap_remove(place);
        }
    }
}
