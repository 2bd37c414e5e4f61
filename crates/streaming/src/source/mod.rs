// SPDX-License-Identifier: Apache-2.0
//! Input streams: the `Source` trait that each implements, and how a source becomes a stream.

mod file;
mod queue;
mod received;

use std::sync::Arc;

use dstreams_rdd::{Data, Rdd, RddContext, Wire, codec::Compression};
use dstreams_wal::Location;

use crate::{
    clock::Clock,
    config::Config,
    dstream::{DStream, NewStream, endpoint::AnyInput, node::StreamNode, scope::Scope},
    error::{Error, Result},
    event::{LagInfo, ListenerBus, StreamingEvent},
    input::{BatchInput, Batches, InputInfo, StreamId},
    rate::{Controller, RateHandle, Rates},
    time::{Duration, Time},
};

pub use file::{
    BinaryRecords, FileContent, FileFault, FileProblem, FileReader, FileStreamOptions, SelectedFile,
    TextLines,
};
pub(crate) use file::{Directories, FileSource};
pub(crate) use queue::QueueSource;
pub use queue::{QueueTake, RddQueue};
pub(crate) use received::ReceivedSource;

/// Where the records of an input stream come from.
///
/// For every batch a source first fixes what the batch takes, as data ([`plan`](Self::plan)); the dataset is then made
/// from that plan alone ([`rdd`](Self::rdd)), now or when the batch is run again.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// use dstreams_streaming::{InputInfo, Rdd, RddContext, Result, Source, Time, testing::TestContext};
///
/// /// Gives each batch the next three numbers.
/// struct Numbers(AtomicU64);
///
/// impl Source for Numbers {
///     type Record = u64;
///     type Plan = (u64, u64);
///
///     fn name(&self) -> String {
///         "Numbers".to_owned()
///     }
///
///     fn plan(&self, _time: Time) -> Result<Option<(u64, u64)>> {
///         let from = self.0.fetch_add(3, Ordering::Relaxed);
///         Ok(Some((from, from + 3)))
///     }
///
///     fn info(&self, (from, until): &(u64, u64)) -> InputInfo {
///         InputInfo::of_records(until - from)
///     }
///
///     fn rdd(&self, context: &RddContext, (from, until): (u64, u64)) -> Result<Rdd<u64>> {
///         Ok(context.parallelize(from..until))
///     }
///
///     fn restore(&self, _memory: &[u8], plans: Vec<(Time, (u64, u64))>) -> Result<()> {
///         self.0.store(plans.last().map_or(0, |(_, (_, until))| *until), Ordering::Relaxed);
///         Ok(())
///     }
/// }
///
/// let test = TestContext::new()?;
/// let numbers = test.context().stream("numbers", |_| Arc::new(Numbers(AtomicU64::new(0))));
/// let seen = test.collect(&numbers);
/// test.run(2)?;
/// assert_eq!(seen.batches(), [[0, 1, 2], [3, 4, 5]]);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub trait Source: Send + Sync + 'static {
    /// The records.
    type Record: Data;

    /// What a batch takes: block ids, file names, offset ranges.
    type Plan: Wire;

    /// What pages call the source, such as `Socket stream`.
    fn name(&self) -> String;

    /// Whether data comes on its own and a receiver takes it in.
    fn is_receiver(&self) -> bool {
        false
    }

    /// Fixes what the batch at `time` takes; `None` means that the stream has no dataset at that time, which most
    /// sources never say.
    fn plan(&self, time: Time) -> Result<Option<Self::Plan>>;

    /// What listeners and pages show of a plan.
    fn info(&self, plan: &Self::Plan) -> InputInfo;

    /// The dataset of a plan.
    fn rdd(&self, context: &RddContext, plan: Self::Plan) -> Result<Rdd<Self::Record>>;

    /// Takes back a plan whose batch never came to be.
    fn give_back(&self, plan: Self::Plan) {
        drop(plan);
    }

    /// How long plans must be remembered for the source's own purposes.
    fn min_remember(&self) -> Duration {
        Duration::ZERO
    }

    /// Says that there is a checkpoint directory, and where in it the source keeps files of its own, which may be on an
    /// object store. Called before
    /// [`restore`](Self::restore) and [`start`](Self::start).
    fn attach(&self, dir: &Location) -> Result<()> {
        let _ = dir;
        Ok(())
    }

    /// Goes on where an earlier run of the program has ended. Called once before [`start`](Self::start), when a
    /// checkpoint is recovered, with the [`memory`](Self::memory) of the first start and the plans of all batches that
    /// are still known, oldest first. The newest of them may not have completed and are run again.
    fn restore(&self, memory: &[u8], plans: Vec<(Time, Self::Plan)>) -> Result<()> {
        drop((memory, plans));
        Ok(())
    }

    /// What must be known after a restart although no plan says it; logged once, at the first start.
    fn memory(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Whether batches can be run again after a restart.
    fn is_recoverable(&self) -> bool {
        true
    }

    /// Called once, when the context starts.
    fn start(&self) -> Result<()> {
        Ok(())
    }

    /// Called when the context stops. A graceful stop may take its time to store what is on its way.
    fn stop(&self, graceful: bool) {
        let _ = graceful;
    }

    /// Whether received data waits for a batch; a graceful stop then makes one more.
    fn has_unplanned(&self) -> bool {
        false
    }

    /// Says that the batch at `time` is complete for good: its outputs are committed, and where there are checkpoints
    /// that is on the disk. Batches complete in the order of their times, unless several jobs run at once.
    fn completed(&self, time: Time) {
        let _ = time;
    }

    /// Says that the batch at `time` has failed. Where there are checkpoints it is run again by the next start, and no
    /// later batch completes before.
    fn failed(&self, time: Time) {
        let _ = time;
    }

    /// Called when the context has stopped and no batch is left, after [`stop`](Self::stop).
    fn close(&self) {}

    /// Frees the memory that the batches at and before `time` were made from.
    fn forget(&self, time: Time) {
        let _ = time;
    }

    /// Removes what is stored for batches at and before `time`: not even after a restart will they be asked for.
    fn clean(&self, time: Time) {
        let _ = time;
    }
}

/// What a source is made with: its number, and what it shares with the rest of its context.
#[derive(Clone)]
pub struct SourceContext {
    id: StreamId,
    rdd: RddContext,
    clock: Arc<dyn Clock>,
    config: Arc<Config>,
    interval: Duration,
    bus: Arc<ListenerBus>,
    rates: Arc<Rates>,
}

impl SourceContext {
    fn new(scope: &Scope) -> Self {
        Self {
            id: scope.next_input(),
            rdd: scope.rdd_context().clone(),
            clock: Arc::clone(scope.clock()),
            config: Arc::clone(scope.config()),
            interval: scope.interval(),
            bus: Arc::clone(scope.bus()),
            rates: Arc::clone(scope.rates()),
        }
    }

    /// The number of the input stream.
    pub fn stream_id(&self) -> StreamId {
        self.id
    }

    /// The engine under the context.
    pub fn rdd_context(&self) -> &RddContext {
        &self.rdd
    }

    /// The clock that everything which waits must wait on.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The time between two batches.
    pub fn batch_interval(&self) -> Duration {
        self.interval
    }

    /// How much the source may take in, for one that batches read directly. It must be asked for when the source is made
    /// and looked at when a batch is planned.
    pub fn rate(&self) -> RateHandle {
        self.rates.direct(self.id, &self.config, self.interval)
    }

    /// The same for a receiver.
    pub(crate) fn receiver_rate(&self) -> RateHandle {
        self.rates.receiver(self.id, &self.config, self.interval)
    }

    /// Tells listeners how far the source is behind what it reads from: for pages, metrics and alerts. Best told when
    /// a batch is planned.
    pub fn report_lag(&self, lag: LagInfo) {
        self.bus.post(|| StreamingEvent::Lag(lag));
    }

    pub(crate) fn bus(&self) -> &Arc<ListenerBus> {
        &self.bus
    }
}

impl std::fmt::Debug for SourceContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceContext").field("stream_id", &self.id).finish_non_exhaustive()
    }
}

/// A source with its number: both the first node of a stream and an input of the graph.
struct InputStream<S> {
    id: StreamId,
    context: RddContext,
    source: Arc<S>,
    rate: Option<Arc<Controller>>,
}

impl<T: Data> DStream<T> {
    /// The stream of a source, which is made knowing its number and context. Sources of one context are numbered in
    /// the order of these calls.
    #[track_caller]
    pub(crate) fn from_source<S: Source<Record = T>>(
        scope: &Arc<Scope>,
        operator: &'static str,
        source: impl FnOnce(&SourceContext) -> Arc<S>,
    ) -> Self {
        let context = SourceContext::new(scope);
        let source = source(&context);
        let rate = context.rates.controller(context.id);
        let input = Arc::new(InputStream { id: context.id, context: context.rdd, source, rate });
        if scope.check_open() {
            scope.add_input(Arc::clone(&input) as Arc<dyn AnyInput>);
        }
        let new = NewStream {
            operator,
            slide: scope.interval(),
            parents: Vec::new(),
            reach: Duration::ZERO,
            checkpoint: None,
        };
        let stream = Self::new(scope, new, InputNode(Arc::clone(&input)));
        stream.meta().remember_at_least(input.source.min_remember());
        stream
    }
}

struct InputNode<S>(Arc<InputStream<S>>);

impl<S: Source> StreamNode<S::Record> for InputNode<S> {
    fn compute(&self, time: Time, batches: &Batches) -> Result<Option<Rdd<S::Record>>> {
        let Some(input) = batches.get(time).and_then(|batch| batch.inputs.get(&self.0.id)) else {
            return Ok(None);
        };
        let plan = self.0.decode(input)?;
        self.0.source.rdd(&self.0.context, plan).map(Some)
    }
}

impl<S: Source> InputStream<S> {
    fn decode(&self, input: &BatchInput) -> Result<S::Plan> {
        let mut plan = Vec::with_capacity(1);
        dstreams_rdd::codec::decode_chunk(&input.plan, &mut plan)
            .map_err(|error| Error::source(format!("the plan of {} is unreadable: {error}", self.name())))?;
        plan.pop().ok_or_else(|| Error::source(format!("the plan of {} is empty", self.name())))
    }
}

impl<S: Source> AnyInput for InputStream<S> {
    fn id(&self) -> StreamId {
        self.id
    }

    fn name(&self) -> String {
        format!("{} [{}]", self.source.name(), self.id)
    }

    fn is_receiver(&self) -> bool {
        self.source.is_receiver()
    }

    fn plan(&self, time: Time) -> Result<Option<BatchInput>> {
        let Some(plan) = self.source.plan(time)? else { return Ok(None) };
        let mut info = self.source.info(&plan);
        self.rate.iter().for_each(|rate| rate.note(&mut info));
        let mut bytes = Vec::new();
        dstreams_rdd::codec::encode_chunk([&plan], Compression::None, &mut bytes).map_err(Error::source)?;
        Ok(Some(BatchInput { info, plan: bytes }))
    }

    fn give_back(&self, input: &BatchInput) {
        match self.decode(input) {
            Ok(plan) => self.source.give_back(plan),
            Err(error) => tracing::error!(%error, "input of a batch that was not made is lost"),
        }
    }

    fn start(&self) -> Result<()> {
        self.source.start()
    }

    fn stop(&self, graceful: bool) {
        self.source.stop(graceful);
    }

    fn has_unplanned(&self) -> bool {
        self.source.has_unplanned()
    }

    fn completed(&self, time: Time) {
        self.source.completed(time);
    }

    fn failed(&self, time: Time) {
        self.source.failed(time);
    }

    fn close(&self) {
        self.source.close();
    }

    fn forget(&self, time: Time) {
        self.source.forget(time);
    }

    fn attach(&self, dir: &Location) -> Result<()> {
        self.source.attach(dir)
    }

    fn is_recoverable(&self) -> bool {
        self.source.is_recoverable()
    }

    fn memory(&self) -> Vec<u8> {
        self.source.memory()
    }

    fn restore(&self, memory: &[u8], inputs: &[(Time, &BatchInput)]) -> Result<()> {
        if let Some((rate, (_, last))) = self.rate.as_ref().zip(inputs.last()) {
            rate.restore(&last.info);
        }
        let plans = inputs.iter().map(|(time, input)| Ok((*time, self.decode(input)?)));
        self.source.restore(memory, plans.collect::<Result<_>>()?)
    }

    fn clean(&self, time: Time) {
        self.source.clean(time);
    }
}
