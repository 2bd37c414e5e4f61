// SPDX-License-Identifier: Apache-2.0
//! `ReceiverHandle`: what a receiver stores records with and tells its supervisor through.

use std::{collections::BTreeMap, sync::Arc};

use dstreams_rdd::{BoxError, Wire};

use super::{
    block::BlockInfo,
    link::{EndSession, Link},
};
use crate::{
    clock::{Clock, StopFlag, Waited},
    error::Result,
    input::StreamId,
    rate::{RateHandle, RateLimiter},
    time::{Duration, milliseconds},
};

/// How often a receiver that cannot store looks whether it can again.
const UNREADY: Duration = milliseconds(50);

/// The way from a receiver into its stream. Cheap to clone; every thread of a receiver has one.
///
/// There are two ways to store. Single records ([`store`](Self::store), [`store_many`](Self::store_many)) are
/// collected and become a block every `spark.streaming.blockInterval`; they are gone if the program fails before that.
/// A block ([`store_block`](Self::store_block)) is stored when the call returns, and on the disk when there is a
/// checkpoint directory: who acknowledges what he has received does it then.
///
/// Both wait when the stream cannot take more, and fail once the context has stopped: then a thread of a receiver
/// returns.
///
/// ```
/// use dstreams_streaming::{BoxError, clock::Waited, time::milliseconds};
/// use dstreams_streaming::{receiver::{Receiver, ReceiverHandle}, testing::TestContext};
///
/// /// A sensor that is asked every 100 ms.
/// struct Sensor;
///
/// impl Receiver for Sensor {
///     type Record = f64;
///     fn on_start(&mut self, handle: ReceiverHandle<f64>) -> Result<(), BoxError> {
///         handle.spawn("sensor", |handle| {
///             while handle.clock().sleep(milliseconds(100), handle.stop_flag()) == Waited::Reached {
///                 match "21.5".parse() {
///                     Ok(degrees) => handle.store(degrees)?,
///                     Err(_) => handle.dead_record("the sensor gave no number"),
///                 }
///             }
///             Ok(())
///         })
///     }
/// }
///
/// let test = TestContext::new()?;
/// let seen = test.collect(&test.context().receiver_stream(Sensor));
/// test.run_until(|| seen.batches().concat().contains(&21.5))?;
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub struct ReceiverHandle<T> {
    link: Arc<Link<T>>,
    session: u64,
    stop: StopFlag,
}

impl<T> Clone for ReceiverHandle<T> {
    fn clone(&self) -> Self {
        Self { link: Arc::clone(&self.link), session: self.session, stop: self.stop.clone() }
    }
}

impl<T> std::fmt::Debug for ReceiverHandle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiverHandle")
            .field("stream_id", &self.link.stream)
            .field("session", &self.session)
            .field("stopped", &self.stop.is_raised())
            .finish_non_exhaustive()
    }
}

impl<T: Wire> ReceiverHandle<T> {
    pub(super) fn new(link: Arc<Link<T>>, session: u64) -> Self {
        Self { link, session, stop: StopFlag::new() }
    }

    pub(super) fn session(&self) -> u64 {
        self.session
    }

    /// Stores one record: it is collected with others. Waits as long as `spark.streaming.receiver.maxRate`, or blocks
    /// that cannot be stored yet, demand it.
    pub fn store(&self, record: T) -> Result<()> {
        self.link.generator.add(record)
    }

    /// Stores many records as [`store`](Self::store) stores one, at a fraction of the cost. `records` is empty
    /// afterwards; after an error it holds what was not stored.
    pub fn store_many(&self, records: &mut Vec<T>) -> Result<()> {
        self.link.generator.add_many(records)
    }

    /// Stores a block. When this returns without an error the records are stored, and will be in a batch. It waits until the
    /// blocks before are paid for, at the rate of `spark.streaming.receiver.maxRate` and backpressure.
    pub fn store_block(&self, records: Vec<T>) -> Result<BlockInfo> {
        self.store_block_with(records, &BTreeMap::new())
    }

    /// As [`store_block`](Self::store_block), with something to say about it: listeners find it in the metadata of
    /// the batch.
    pub fn store_block_with(
        &self,
        records: Vec<T>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<BlockInfo> {
        self.link.permit_whole(&self.stop);
        let block = self.link.store.store_whole(records, metadata)?;
        self.link.charge_whole(block.records);
        Ok(block)
    }

    /// As [`store_block`](Self::store_block), of records that may fail to come: the first error is returned and
    /// nothing stored.
    pub fn store_iter<E: Into<BoxError>>(
        &self,
        records: impl IntoIterator<Item = Result<T, E>>,
    ) -> Result<BlockInfo> {
        let records: Result<Vec<T>, E> = records.into_iter().collect();
        self.store_block(records.map_err(crate::Error::source)?)
    }

    /// The block that was stored last, by this receiver or by the one of this stream before a restart from a checkpoint;
    /// nothing before the first. With it a receiver whose source sends again what was not acknowledged can tell what is
    /// stored already: a block may be logged, and the program end before the acknowledgement.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use dstreams_streaming::{BoxError, receiver::ReceiverHandle};
    ///
    /// /// Stores the records from `offset` on, as far as they are new, and then acknowledges all of them.
    /// fn on_message(
    ///     handle: &ReceiverHandle<u64>,
    ///     offset: usize,
    ///     mut records: Vec<u64>,
    ///     acknowledge: impl FnOnce(usize),
    /// ) -> Result<(), BoxError> {
    ///     let end = offset + records.len();
    ///     let last = handle.last_stored();
    ///     let stored: usize = last.map_or(Ok(0), |block| block.metadata["end"].parse())?;
    ///     records.drain(..stored.clamp(offset, end) - offset);
    ///     if !records.is_empty() {
    ///         let metadata = BTreeMap::from([("end".to_owned(), end.to_string())]);
    ///         handle.store_block_with(records, &metadata)?;
    ///     }
    ///     acknowledge(end);
    ///     Ok(())
    /// }
    /// ```
    pub fn last_stored(&self) -> Option<BlockInfo> {
        self.link.store.blocks().last_stored()
    }

    /// Counts something received that is no record. The number is shown with the batch, and logged now and then with
    /// a description: what it was and where it came from.
    pub fn dead_record(&self, description: &str) {
        self.link.store.blocks().count_dead_record(description);
    }

    /// Tells listeners of an error after which the receiver goes on.
    pub fn report_error(&self, message: &str, error: impl Into<BoxError>) {
        let error = error.into();
        tracing::warn!(stream = %self.link.stream, %error, "{message}");
        self.link.report.error(message, Some(&error));
    }

    /// Has the receiver stopped and started again after `spark.streaming.receiverRestartDelay`, or a longer time if
    /// nothing was stored since the start before. Returns at once.
    pub fn restart(&self, message: &str, error: Option<BoxError>) {
        self.end(message, error, None);
    }

    /// As [`restart`](Self::restart), after exactly `delay`.
    pub fn restart_after(&self, message: &str, error: Option<BoxError>, delay: Duration) {
        self.end(message, error, Some(delay));
    }

    /// Has the receiver stopped. As long as the context runs, a receiver that ended is started again; this is a
    /// [`restart`](Self::restart) by another name. Returns at once.
    pub fn stop(&self, message: &str, error: Option<BoxError>) {
        self.end(message, error, None);
    }

    fn end(&self, message: &str, error: Option<BoxError>, delay: Option<Duration>) {
        self.link.end_session(EndSession {
            session: self.session,
            message: message.to_owned(),
            error,
            delay,
        });
    }

    /// Runs `work` on a thread of the receiver. When it returns an error or panics, the receiver is restarted; when
    /// the receiver is stopped, the thread is waited for.
    pub fn spawn(
        &self,
        name: &str,
        work: impl FnOnce(&Self) -> Result<(), BoxError> + Send + 'static,
    ) -> Result<(), BoxError> {
        let (handle, failing) = (self.clone(), self.clone());
        self.link.spawn(
            name,
            move || work(&handle),
            move |message, error| failing.restart(message, Some(error)),
        )
    }

    /// Whether something can be stored without a wait: the rate allows it, no blocks wait to be stored, and there is room
    /// for them. A receiver that fetches its data looks here before it does, or waits with
    /// [`await_ready`](Self::await_ready), so that what it cannot store yet stays where it is.
    pub fn is_ready(&self) -> bool {
        self.link.is_ready()
    }

    /// Waits until something can be stored without a wait, or until the receiver is stopped.
    ///
    /// ```
    /// use dstreams_streaming::{BoxError, clock::Waited, receiver::{Receiver, ReceiverHandle}, testing::TestContext};
    /// # fn fetch() -> Vec<u32> { vec![1] }
    /// struct Queue;
    ///
    /// impl Receiver for Queue {
    ///     type Record = u32;
    ///     fn on_start(&mut self, handle: ReceiverHandle<u32>) -> Result<(), BoxError> {
    ///         handle.spawn("queue", |handle| {
    ///             while handle.await_ready() == Waited::Reached {
    ///                 handle.store_block(fetch())?;
    /// #               handle.stop_flag().raise();
    ///             }
    ///             Ok(())
    ///         })
    ///     }
    /// }
    /// let test = TestContext::new()?;
    /// let seen = test.collect(&test.context().receiver_stream(Queue));
    /// test.run_until(|| seen.batches().concat() == [1])?;
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn await_ready(&self) -> Waited {
        while !self.is_stopped() {
            if self.is_ready() {
                return Waited::Reached;
            }
            // Why the wait is over is asked above.
            let _ = self.link.clock.sleep(UNREADY, &self.stop);
        }
        Waited::Stopped
    }

    /// What the stream may take in, for a receiver that can ask for less.
    pub fn rate(&self) -> &RateHandle {
        &self.link.rate
    }

    /// Holds another limiter to the rate of the stream, such as that of a second
    /// [`BlockGenerator`](super::BlockGenerator).
    pub fn share_rate(&self, limiter: &Arc<RateLimiter>) {
        self.link.rate.limit(limiter, None);
    }

    /// Whether the receiver runs: it was started and not stopped since.
    pub fn is_started(&self) -> bool {
        !self.is_stopped()
    }

    /// Whether the receiver, as it was started with this handle, is to end or has ended.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_raised()
    }

    /// Raised when the receiver is to end: what a thread gives to the waits of its clock.
    pub fn stop_flag(&self) -> &StopFlag {
        &self.stop
    }

    /// The clock of the context.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.link.clock
    }

    /// The number of the input stream.
    pub fn stream_id(&self) -> StreamId {
        self.link.stream
    }
}
