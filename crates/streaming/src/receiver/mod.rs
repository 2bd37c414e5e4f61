// SPDX-License-Identifier: Apache-2.0
//! Receivers: the `Receiver` trait of programs that are sent data, and what keeps them running and stores it.

mod block;
mod block_generator;
mod blocks;
mod handle;
mod ledger;
mod link;
pub(crate) mod log;
mod plan;
mod report;
pub(crate) mod socket;
mod store;
pub(crate) mod supervisor;
#[cfg(test)]
mod tests;

use dstreams_rdd::{BoxError, StorageLevel, Wire};

pub use block::{BlockId, BlockInfo};
pub use block_generator::{BlockGenerator, BlockListener};
pub(crate) use blocks::ReceivedBlocks;
pub use handle::ReceiverHandle;
pub(crate) use plan::ReceivedPlan;

/// How the blocks of a receiver are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiverOptions {
    /// Where blocks are until they are processed; `MEMORY_AND_DISK` if not said otherwise. A level without disk has the
    /// receiver wait for memory.
    pub storage_level: StorageLevel,
}

impl Default for ReceiverOptions {
    fn default() -> Self {
        Self { storage_level: StorageLevel::MEMORY_AND_DISK }
    }
}

impl ReceiverOptions {
    /// Keeps blocks at `storage_level`.
    #[must_use]
    pub fn storage_level(self, storage_level: StorageLevel) -> Self {
        Self { storage_level }
    }
}

/// Takes in data that comes on its own: from a socket, a device, a queue.
///
/// A receiver starts threads and returns; these store what they receive through the [`ReceiverHandle`]. When
/// something goes wrong it asks for a restart: it is stopped, and started again after a delay, for as long as the
/// context runs. Both methods are called on the receiver's own supervising thread, one after the other.
///
/// ```
/// use dstreams_streaming::{BoxError, receiver::{Receiver, ReceiverHandle}, testing::TestContext};
///
/// struct Countdown(u32);
///
/// impl Receiver for Countdown {
///     type Record = u32;
///
///     fn on_start(&mut self, handle: ReceiverHandle<u32>) -> Result<(), BoxError> {
///         let from = self.0;
///         handle.spawn("countdown", move |handle| Ok(handle.store_block((0..from).rev().collect()).map(drop)?))
///     }
/// }
///
/// let test = TestContext::new()?;
/// let seen = test.collect(&test.context().receiver_stream(Countdown(3)));
/// test.run_until(|| seen.batches().concat().len() == 3)?;
/// assert_eq!(seen.batches().concat(), [2, 1, 0]);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub trait Receiver: Send + 'static {
    /// What it receives.
    type Record: Wire;

    /// Starts to receive. Must not block: what waits belongs on a thread, best one of
    /// [`ReceiverHandle::spawn`]. An error, or a panic, is followed by a restart.
    fn on_start(&mut self, handle: ReceiverHandle<Self::Record>) -> Result<(), BoxError>;

    /// Ends what `on_start` began: closes connections, so that threads which read come back. The threads of
    /// [`ReceiverHandle::spawn`] are waited for afterwards; others must be waited for here, as what they store later
    /// is refused.
    fn on_stop(&mut self) {}

    /// What events and pages call it; the name of the type if not said otherwise.
    fn name(&self) -> String {
        let name = std::any::type_name::<Self>();
        let without_parameters = name.split('<').next().unwrap_or(name);
        without_parameters.rsplit("::").next().unwrap_or(without_parameters).to_owned()
    }
}
