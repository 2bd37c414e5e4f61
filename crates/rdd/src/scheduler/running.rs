// SPDX-License-Identifier: Apache-2.0
//! The jobs that are running, so that they can be given up from outside.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;

/// The running jobs of a scheduler.
#[derive(Default)]
pub(crate) struct RunningJobs {
    jobs: Mutex<BTreeMap<u64, Arc<Progress>>>,
}

/// A job from its start to its end.
pub(crate) struct RunningJob<'a> {
    jobs: &'a RunningJobs,
    pub(crate) id: u64,
    progress: Arc<Progress>,
}

type Progress = Mutex<State>;

#[derive(Default)]
struct State {
    cancelled: bool,
    /// What the tasks of the present stage look at; a job has one stage at a time.
    stage: Arc<AtomicBool>,
}

impl RunningJobs {
    /// A job begins; it ends when the returned value is dropped.
    pub(crate) fn begin(&self, id: u64) -> RunningJob<'_> {
        let progress = Arc::<Progress>::default();
        self.jobs.lock().insert(id, Arc::clone(&progress));
        RunningJob { jobs: self, id, progress }
    }

    /// Gives up all jobs that are running now.
    pub(crate) fn cancel_all(&self) {
        for progress in self.jobs.lock().values() {
            let mut state = progress.lock();
            state.cancelled = true;
            state.stage.store(true, Ordering::Relaxed);
        }
    }
}

impl RunningJob<'_> {
    /// A stage begins. Its tasks end early when the flag is set, which it is from the start if the job has been given
    /// up.
    pub(crate) fn begin_stage(&self) -> Arc<AtomicBool> {
        let mut state = self.progress.lock();
        state.stage = Arc::new(AtomicBool::new(state.cancelled));
        Arc::clone(&state.stage)
    }

    /// Whether it was given up from outside.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.progress.lock().cancelled
    }
}

impl Drop for RunningJob<'_> {
    fn drop(&mut self) {
        self.jobs.jobs.lock().remove(&self.id);
    }
}
