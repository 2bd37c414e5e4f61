// SPDX-License-Identifier: Apache-2.0
//! Where tasks run: the one seam between the scheduler and the threads or machines behind it.

use super::task::Task;

/// Runs tasks. A backend owes every task exactly one outcome, also when it is being shut down.
pub trait Backend: Send + Sync {
    /// How many tasks can run at the same time.
    fn slots(&self) -> usize;

    /// Queues a task; never blocks.
    fn submit(&self, task: Task);

    /// Finishes what was queued and joins the workers.
    fn shutdown(&self);
}
