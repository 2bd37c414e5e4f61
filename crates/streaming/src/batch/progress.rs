// SPDX-License-Identifier: Apache-2.0
//! How far a context has come: which batches are pending, what went wrong, whether it has stopped. Threads wait here.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::{Condvar, Mutex};

use crate::{
    clock::{Clock, StopFlag, Waited},
    error::{Error, Result},
    time::{Duration, Time},
};

/// Shared by the generator, the runner and everybody who waits for them.
#[derive(Default)]
pub(crate) struct Progress {
    state: Mutex<State>,
    /// How many batches are pending, for those who only want that.
    count: Arc<AtomicUsize>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Batches up to this time have been generated, or have failed to be.
    generated: Option<Time>,
    /// Batches with jobs that have not all ended.
    pending: BTreeSet<Time>,
    /// The latest error. It stays: whoever waits later gets it too.
    error: Option<Error>,
    stopped: bool,
    /// Batches that were missed need not be made up for any more.
    hurried: bool,
    /// A graceful stop waits no more for what is pending.
    given_up: bool,
    /// Raised on every error and stop, to end waits that are bound to the clock.
    news: Vec<StopFlag>,
    /// Raised when no batch is pending any more.
    idle: Vec<StopFlag>,
}

impl Progress {
    /// How many batches are pending, at any time.
    pub(crate) fn count(&self) -> &Arc<AtomicUsize> {
        &self.count
    }

    pub(crate) fn batch_submitted(&self, time: Time) {
        let mut state = self.state.lock();
        state.pending.insert(time);
        self.count.store(state.pending.len(), Ordering::Relaxed);
    }

    pub(crate) fn batch_ended(&self, time: Time) {
        let mut state = self.state.lock();
        state.pending.remove(&time);
        self.count.store(state.pending.len(), Ordering::Relaxed);
        if state.pending.is_empty() {
            state.idle.drain(..).for_each(|flag| flag.raise());
        }
        self.changed.notify_all();
    }

    pub(crate) fn batch_generated(&self, time: Time) {
        self.state.lock().generated = Some(time);
        self.changed.notify_all();
    }

    pub(crate) fn report(&self, error: &Error) {
        {
            let mut state = self.state.lock();
            state.error = Some(error.clone());
            state.tell();
            self.changed.notify_all();
        }
        // Last, so that a subscriber which panics cannot keep the error from those who wait for it.
        tracing::error!(%error, "streaming error");
    }

    pub(crate) fn stopped(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        state.tell();
        self.changed.notify_all();
    }

    /// The first batch with jobs that have not all ended.
    pub(crate) fn first_pending(&self) -> Option<Time> {
        self.state.lock().pending.first().copied()
    }

    pub(crate) fn pending(&self) -> Vec<Time> {
        self.state.lock().pending.iter().copied().collect()
    }

    pub(crate) fn error(&self) -> Option<Error> {
        self.state.lock().error.clone()
    }

    /// Blocks until an error is reported or the context has stopped; the error goes first.
    pub(crate) fn await_termination(&self) -> Result<()> {
        let mut state = self.state.lock();
        loop {
            if let Some(error) = &state.error {
                return Err(error.clone());
            }
            if state.stopped {
                return Ok(());
            }
            self.changed.wait(&mut state);
        }
    }

    /// As [`await_termination`](Self::await_termination), for at most `timeout`; true when the context has stopped.
    pub(crate) fn await_termination_or_timeout(&self, clock: &dyn Clock, timeout: Duration) -> Result<bool> {
        let news = StopFlag::new();
        {
            let mut state = self.state.lock();
            if let Some(error) = &state.error {
                return Err(error.clone());
            }
            if state.stopped {
                return Ok(true);
            }
            state.news.push(news.clone());
        }
        let waited = clock.sleep(timeout, &news);
        if waited == Waited::Reached {
            // Nobody needs the flag any more; raised, it goes with the next look at the list.
            news.raise();
        }
        let mut state = self.state.lock();
        state.news.retain(|flag| !flag.is_raised());
        match &state.error {
            Some(error) => Err(error.clone()),
            None => Ok(state.stopped),
        }
    }

    /// Ends the waits of [`await_fewer_pending`](Self::await_fewer_pending) for good.
    pub(crate) fn hurry(&self) {
        self.state.lock().hurried = true;
        self.changed.notify_all();
    }

    /// Blocks until fewer than `limit` batches are pending. False when the context is being stopped instead.
    pub(crate) fn await_fewer_pending(&self, limit: usize) -> bool {
        let mut state = self.state.lock();
        while !state.hurried && state.pending.len() >= limit {
            self.changed.wait(&mut state);
        }
        !state.hurried
    }

    /// Blocks until the batch at `time` has been generated and all batches up to it have ended.
    pub(crate) fn await_batch(&self, time: Time) {
        let mut state = self.state.lock();
        while !state.stopped
            && (state.generated.is_none_or(|generated| generated < time)
                || state.pending.first().is_some_and(|&first| first <= time))
        {
            self.changed.wait(&mut state);
        }
    }

    /// Ends the wait of [`await_idle`](Self::await_idle) for good.
    pub(crate) fn give_up(&self) {
        let mut state = self.state.lock();
        state.given_up = true;
        state.idle.drain(..).for_each(|flag| flag.raise());
    }

    /// Blocks until no batch is pending, or until `deadline` on `clock`; true when none is.
    pub(crate) fn await_idle(&self, clock: &dyn Clock, deadline: Time) -> bool {
        let idle = StopFlag::new();
        {
            let mut state = self.state.lock();
            if state.pending.is_empty() || state.given_up {
                return state.pending.is_empty();
            }
            state.idle.push(idle.clone());
        }
        let waited = clock.wait_until(deadline, &idle);
        waited == Waited::Stopped && self.state.lock().pending.is_empty()
    }
}

impl State {
    fn tell(&mut self) {
        self.news.drain(..).for_each(|flag| flag.raise());
    }
}
