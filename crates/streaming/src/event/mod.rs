// SPDX-License-Identifier: Apache-2.0
//! What a running context reports: the `StreamingListener` trait and the data of its events.

mod bus;

use std::collections::BTreeMap;

pub(crate) use bus::{ListenerBus, on_bus_thread};

use crate::{
    input::{InputInfo, StreamId},
    time::{Duration, Time},
};

/// Receives the events of a context, one after the other on a thread of their own, in the order in which they
/// happened. All methods do nothing by default. A listener that cannot keep up loses events (with a warning), it does
/// not slow the stream.
///
/// ```
/// use dstreams_streaming::{event::{BatchInfo, StreamingListener}, testing::TestContext};
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// #[derive(Default)]
/// struct Counter(AtomicU64);
/// impl StreamingListener for Counter {
///     fn on_batch_completed(&self, batch: &BatchInfo) {
///         self.0.fetch_add(batch.num_records(), Ordering::Relaxed);
///     }
/// }
/// let test = TestContext::new()?;
/// let counter = Arc::new(Counter::default());
/// test.context().add_listener(counter.clone());
/// test.input(vec![vec![1, 2], vec![3]]).for_each_rdd(|_, _| Ok(()));
/// test.run(2)?;
/// test.stop();
/// assert_eq!(counter.0.load(Ordering::Relaxed), 3);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
#[expect(unused_variables, reason = "the names of the arguments are documentation")]
pub trait StreamingListener: Send + Sync {
    /// The context has been started.
    fn on_streaming_started(&self, time: Time) {}
    /// A receiver has been started, for the first time or again.
    fn on_receiver_started(&self, receiver: &ReceiverInfo) {}
    /// A receiver has reported an error.
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {}
    /// A receiver has been stopped, for good or before a restart.
    fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {}
    /// The jobs of a batch have been queued.
    fn on_batch_submitted(&self, batch: &BatchInfo) {}
    /// The first job of a batch has begun.
    fn on_batch_started(&self, batch: &BatchInfo) {}
    /// All jobs of a batch have ended, with or without success.
    fn on_batch_completed(&self, batch: &BatchInfo) {}
    /// The job of one output has begun.
    fn on_output_operation_started(&self, output: &OutputOperationInfo) {}
    /// The job of one output has ended, with or without success.
    fn on_output_operation_completed(&self, output: &OutputOperationInfo) {}
}

/// One event; each calls the listener method of its name.
#[derive(Debug, Clone)]
pub(crate) enum StreamingEvent {
    StreamingStarted(Time),
    ReceiverStarted(ReceiverInfo),
    ReceiverError(ReceiverInfo),
    ReceiverStopped(ReceiverInfo),
    BatchSubmitted(BatchInfo),
    BatchStarted(BatchInfo),
    BatchCompleted(BatchInfo),
    OutputOperationStarted(OutputOperationInfo),
    OutputOperationCompleted(OutputOperationInfo),
}

impl StreamingEvent {
    fn deliver(&self, listener: &dyn StreamingListener) {
        match self {
            Self::StreamingStarted(time) => listener.on_streaming_started(*time),
            Self::ReceiverStarted(info) => listener.on_receiver_started(info),
            Self::ReceiverError(info) => listener.on_receiver_error(info),
            Self::ReceiverStopped(info) => listener.on_receiver_stopped(info),
            Self::BatchSubmitted(info) => listener.on_batch_submitted(info),
            Self::BatchStarted(info) => listener.on_batch_started(info),
            Self::BatchCompleted(info) => listener.on_batch_completed(info),
            Self::OutputOperationStarted(info) => listener.on_output_operation_started(info),
            Self::OutputOperationCompleted(info) => listener.on_output_operation_completed(info),
        }
    }
}

/// A batch as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchInfo {
    /// The batch time.
    pub batch_time: Time,
    /// What each input stream gave to it.
    pub inputs: BTreeMap<StreamId, InputInfo>,
    /// When its jobs were queued.
    pub submission_time: Time,
    /// When its first job began.
    pub processing_start_time: Option<Time>,
    /// When its last job ended.
    pub processing_end_time: Option<Time>,
    /// Its outputs, by their number in the batch.
    pub output_operations: BTreeMap<usize, OutputOperationInfo>,
}

impl BatchInfo {
    /// From submission to the start of the first job.
    pub fn scheduling_delay(&self) -> Option<Duration> {
        self.processing_start_time.map(|start| start - self.submission_time)
    }

    /// From the start of the first job to the end of the last.
    pub fn processing_delay(&self) -> Option<Duration> {
        Some(self.processing_end_time? - self.processing_start_time?)
    }

    /// From submission to the end of the last job.
    pub fn total_delay(&self) -> Option<Duration> {
        self.processing_end_time.map(|end| end - self.submission_time)
    }

    /// Records over all input streams, as far as they were known when the batch was made.
    pub fn num_records(&self) -> u64 {
        self.inputs.values().map(|input| input.records).sum()
    }
}

/// One output of one batch as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputOperationInfo {
    /// The batch time.
    pub batch_time: Time,
    /// The number of the output in its batch, in definition order from 0.
    pub id: usize,
    /// Its kind and where it stands in the program.
    pub name: String,
    /// The same at greater length.
    pub description: String,
    /// When its job began.
    pub start_time: Option<Time>,
    /// When its job ended.
    pub end_time: Option<Time>,
    /// Why it failed, if it did.
    pub failure_reason: Option<String>,
}

impl OutputOperationInfo {
    /// How long its job took.
    pub fn duration(&self) -> Option<Duration> {
        Some(self.end_time? - self.start_time?)
    }
}

/// A receiver as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverInfo {
    /// The input stream that it feeds.
    pub stream_id: StreamId,
    /// Its kind and stream number, such as `SocketReceiver-0`.
    pub name: String,
    /// Whether it is running.
    pub active: bool,
    /// The host that it runs on.
    pub location: String,
    /// The executor that it runs on.
    pub executor_id: String,
    /// What the receiver said of its last error; empty if there was none.
    pub last_error_message: String,
    /// The text of its last error; empty if there was none.
    pub last_error: String,
    /// When that was.
    pub last_error_time: Option<Time>,
}
