// SPDX-License-Identifier: Apache-2.0
//! What a running context reports: the `StreamingListener` trait and its events, which are all that monitoring reads.

mod batch;
mod bus;
mod checkpoint;
mod flow;
mod life;
mod receiver;

use serde::{Deserialize, Serialize};

pub(crate) use batch::enter_output;
pub use batch::{
    BatchInfo, DeadLettersInfo, FailureInfo, OutputOperationInfo, RunningOutput, running_output,
};
pub(crate) use bus::{ListenerBus, on_bus_thread};
pub use checkpoint::{CheckpointInfo, CommitInfo, RecoveryInfo, SnapshotInfo, StateInfo};
pub use flow::{LagInfo, MemoryInfo, RateInfo, RateTerms};
pub use life::{
    GraphInfo, InputStreamInfo, OperatorInfo, OutputInfo, ShutdownReport, StopInfo, StreamPosition,
};
pub use receiver::ReceiverInfo;

use crate::time::Time;

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
    /// Something has happened. Calls the method of its name; a listener that wants every event as a value, to store it,
    /// say, implements this method alone.
    fn on_event(&self, event: &StreamingEvent) {
        event.deliver(self);
    }

    /// The context has been started.
    fn on_streaming_started(&self, time: Time) {}
    /// What the context runs, told once, right after its start.
    fn on_graph(&self, graph: &GraphInfo) {}
    /// The context goes on where an earlier process has ended.
    fn on_recovered(&self, recovery: &RecoveryInfo) {}
    /// A receiver has been started, for the first time or again.
    fn on_receiver_started(&self, receiver: &ReceiverInfo) {}
    /// A receiver has reported an error.
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {}
    /// A receiver has been stopped, for good or before a restart.
    fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {}
    /// A receiver has to wait, as there is no room for what it has received.
    fn on_receiver_paused(&self, receiver: &ReceiverInfo) {}
    /// There is room again for what a receiver receives.
    fn on_receiver_resumed(&self, receiver: &ReceiverInfo) {}
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
    /// A batch is complete for good: its outputs are done and what it has changed is durable. Comes after
    /// [`on_batch_completed`](Self::on_batch_completed), in the order of the batches, and not for one that has failed.
    fn on_batch_committed(&self, commit: &CommitInfo) {}
    /// An output has written dead letters of a batch. Comes before the completion of that output.
    fn on_dead_letters(&self, letters: &DeadLettersInfo) {}
    /// Something outside of an output went wrong: a batch could not be made, or not be made durable.
    fn on_failure(&self, failure: &FailureInfo) {}
    /// The limit of what a source may take in is another one, or was estimated anew.
    fn on_rate_updated(&self, rate: &RateInfo) {}
    /// How far a source is behind what it reads from; told for each batch by sources that know.
    fn on_lag(&self, lag: &LagInfo) {}
    /// What blocks and shuffles take in memory; told at the end of each batch.
    fn on_memory(&self, memory: &MemoryInfo) {}
    /// How large the states of an operator are; told with each batch that is committed.
    fn on_state(&self, state: &StateInfo) {}
    /// A checkpoint file has been written.
    fn on_checkpoint_written(&self, checkpoint: &CheckpointInfo) {}
    /// The context begins to stop.
    fn on_stop_requested(&self, stop: &StopInfo) {}
    /// The context has stopped; the last event.
    fn on_stopped(&self, report: &ShutdownReport) {}
}

/// One event; each calls the listener method of its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data")]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are documented at the methods of StreamingListener")]
pub enum StreamingEvent {
    StreamingStarted(Time),
    Graph(GraphInfo),
    Recovered(RecoveryInfo),
    ReceiverStarted(ReceiverInfo),
    ReceiverError(ReceiverInfo),
    ReceiverStopped(ReceiverInfo),
    ReceiverPaused(ReceiverInfo),
    ReceiverResumed(ReceiverInfo),
    BatchSubmitted(BatchInfo),
    BatchStarted(BatchInfo),
    BatchCompleted(BatchInfo),
    OutputOperationStarted(OutputOperationInfo),
    OutputOperationCompleted(OutputOperationInfo),
    BatchCommitted(CommitInfo),
    DeadLetters(DeadLettersInfo),
    Failure(FailureInfo),
    RateUpdated(RateInfo),
    Lag(LagInfo),
    Memory(MemoryInfo),
    State(StateInfo),
    CheckpointWritten(CheckpointInfo),
    StopRequested(StopInfo),
    Stopped(ShutdownReport),
}

impl StreamingEvent {
    /// Calls the method of `listener` that the event is for. What [`StreamingListener::on_event`] does, and what
    /// replays stored events.
    ///
    /// ```
    /// use dstreams_streaming::{Time, event::{StreamingEvent, StreamingListener}};
    /// struct Print;
    /// impl StreamingListener for Print {
    ///     fn on_streaming_started(&self, time: Time) {
    ///         assert_eq!(time, Time::from_millis(7));
    ///     }
    /// }
    /// let stored = r#"{"event":"StreamingStarted","data":7}"#;
    /// serde_json::from_str::<StreamingEvent>(stored)?.deliver(&Print);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn deliver<L: StreamingListener + ?Sized>(&self, listener: &L) {
        match self {
            Self::StreamingStarted(time) => listener.on_streaming_started(*time),
            Self::Graph(info) => listener.on_graph(info),
            Self::Recovered(info) => listener.on_recovered(info),
            Self::ReceiverStarted(info) => listener.on_receiver_started(info),
            Self::ReceiverError(info) => listener.on_receiver_error(info),
            Self::ReceiverStopped(info) => listener.on_receiver_stopped(info),
            Self::ReceiverPaused(info) => listener.on_receiver_paused(info),
            Self::ReceiverResumed(info) => listener.on_receiver_resumed(info),
            Self::BatchSubmitted(info) => listener.on_batch_submitted(info),
            Self::BatchStarted(info) => listener.on_batch_started(info),
            Self::BatchCompleted(info) => listener.on_batch_completed(info),
            Self::OutputOperationStarted(info) => listener.on_output_operation_started(info),
            Self::OutputOperationCompleted(info) => listener.on_output_operation_completed(info),
            Self::BatchCommitted(info) => listener.on_batch_committed(info),
            Self::DeadLetters(info) => listener.on_dead_letters(info),
            Self::Failure(info) => listener.on_failure(info),
            Self::RateUpdated(info) => listener.on_rate_updated(info),
            Self::Lag(info) => listener.on_lag(info),
            Self::Memory(info) => listener.on_memory(info),
            Self::State(info) => listener.on_state(info),
            Self::CheckpointWritten(info) => listener.on_checkpoint_written(info),
            Self::StopRequested(info) => listener.on_stop_requested(info),
            Self::Stopped(info) => listener.on_stopped(info),
        }
    }
}
