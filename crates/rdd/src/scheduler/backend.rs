// SPDX-License-Identifier: Apache-2.0
//! Where tasks run: the one seam between the scheduler and the threads or machines behind it.

use super::task::Task;

/// Runs tasks. A backend owes every task exactly one outcome, also when it is being shut down.
pub trait Backend: Send + Sync {
    /// How many tasks can run at the same time.
    fn slots(&self) -> usize;

    /// Queues a task; never blocks.
    fn submit(&self, task: Task);

    /// As [`submit`](Self::submit), for a caller that has nothing to do but to wait for this and earlier tasks: it may be
    /// run on the caller's thread, which saves handing it over and back.
    fn run(&self, task: Task) {
        self.submit(task);
    }

    /// Finishes what was queued and joins the workers.
    fn shutdown(&self);
}
