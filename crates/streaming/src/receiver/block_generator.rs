// SPDX-License-Identifier: Apache-2.0
//! `BlockGenerator`: collects single records and cuts a block of them every block interval.

use std::{
    collections::VecDeque,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};

use dstreams_rdd::{BoxError, panic_text};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::block::BlockId;
use crate::{
    clock::{Clock, StopFlag, Waited},
    config::{Config, keys},
    error::{Error, Result},
    input::StreamId,
    rate::RateLimiter,
    time::{Duration, Time},
    timer::{RecurringTimer, RunningTimer, StopTimer},
};

/// Cuts a stream of single records into blocks, one per `spark.streaming.blockInterval`, and hands them to its
/// listener on a thread of its own.
///
/// At most `spark.streaming.blockQueueSize` blocks wait for the listener. When there are more, adding waits too, and
/// so does who sends the data.
///
/// A graceful end does not wait for the next tick as the original does: what is left is cut at once. Nor does a batch:
/// what has come before it is in it, and not in the one after it because the block was still open.
///
/// ```
/// use std::sync::Arc;
/// use dstreams_streaming::{BoxError, Config, StreamId, clock::{ManualClock, StopFlag}};
/// use dstreams_streaming::receiver::{BlockGenerator, BlockId, BlockListener};
///
/// struct Print;
/// impl BlockListener<&'static str> for Print {
///     type Metadata = ();
///     fn on_push_block(&self, id: BlockId, records: Vec<&'static str>) -> Result<(), BoxError> {
///         assert_eq!((id.to_string().as_str(), records), ("input-0-0", vec!["to", "be"]));
///         Ok(())
///     }
/// }
///
/// let clock = Arc::new(ManualClock::default());
/// let generator = BlockGenerator::new(StreamId(0), &Config::default(), clock, StopFlag::new(), Print);
/// generator.start()?;
/// generator.add("to")?;
/// generator.add("be")?;
/// generator.stop();
/// assert!(generator.add("too late").is_err());
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub struct BlockGenerator<T, L> {
    shared: Arc<Shared<T, L>>,
    running: Mutex<Option<Running>>,
}

/// What a [`BlockGenerator`] tells its user, who stores the blocks. Reliable receivers keep track here of what each
/// block contains, to acknowledge it once the block is stored.
pub trait BlockListener<T>: Send + Sync + 'static {
    /// What may be said about records when they are added, such as an offset.
    type Metadata;

    /// Records were added with metadata. Called under the same lock as
    /// [`on_generate_block`](Self::on_generate_block), so that no record comes between; must be quick.
    fn on_add_data(&self, records: &[T], metadata: Self::Metadata) {
        let _ = (records, metadata);
    }

    /// A block was cut: what was added since the block before is in it.
    fn on_generate_block(&self, id: BlockId) {
        let _ = id;
    }

    /// A block is to be stored. Blocks come one after the other, in order.
    fn on_push_block(&self, id: BlockId, records: Vec<T>) -> Result<(), BoxError>;

    /// A block could not be stored; its records are gone.
    fn on_error(&self, message: &str, error: BoxError) {
        tracing::error!(%error, "{message}");
    }
}

/// A listener that its user looks at, too.
impl<T, L: BlockListener<T>> BlockListener<T> for Arc<L> {
    type Metadata = L::Metadata;

    fn on_add_data(&self, records: &[T], metadata: L::Metadata) {
        (**self).on_add_data(records, metadata);
    }

    fn on_generate_block(&self, id: BlockId) {
        (**self).on_generate_block(id);
    }

    fn on_push_block(&self, id: BlockId, records: Vec<T>) -> Result<(), BoxError> {
        (**self).on_push_block(id, records)
    }

    fn on_error(&self, message: &str, error: BoxError) {
        (**self).on_error(message, error);
    }
}

struct Running {
    timer: RunningTimer,
    pusher: JoinHandle<()>,
    /// Where the interval begins that ends with the first tick.
    start: Time,
}

struct Shared<T, L> {
    stream: StreamId,
    interval: Duration,
    queue_size: usize,
    clock: Arc<dyn Clock>,
    limits: Limits,
    listener: L,
    buffer: Mutex<Buffer<T>>,
    /// Signalled on every change but the growth of the current block.
    changed: Condvar,
    /// Raised when nothing can be added any more.
    closed: StopFlag,
    /// Raised when what is not stored yet is given up.
    abandoned: StopFlag,
}

/// What is in front of a generator. Records are asked for before they come, bytes paid for when they are stored.
pub(super) struct Limits {
    pub(super) records: Arc<RateLimiter>,
    pub(super) bytes: Option<Arc<RateLimiter>>,
}

/// How long a batch waits until what was cut for it is stored. A log that is slower makes it part of the next batch.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(20);

struct Buffer<T> {
    phase: Phase,
    /// The block in the making.
    records: Vec<T>,
    /// When it began.
    start: Time,
    /// Records that were ever added.
    added: u64,
    /// The blocks that wait for the listener.
    waiting: VecDeque<(BlockId, Vec<T>)>,
    /// Whether the listener has one.
    pushing: bool,
    /// Whether a block is to be cut and cannot be as too many wait.
    stalled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Initialized,
    Active,
    StoppedAddingData,
    StoppedGeneratingBlocks,
    StoppedAll,
}

impl<T: Send + 'static, L: BlockListener<T>> BlockGenerator<T, L> {
    /// A generator for the blocks of `stream`, with the interval, queue size and rate limit of `config`. Raising
    /// `abandon` has it give up what is not stored yet and end.
    pub fn new(
        stream: StreamId,
        config: &Config,
        clock: Arc<dyn Clock>,
        abandon: StopFlag,
        listener: L,
    ) -> Self {
        let records = Arc::new(RateLimiter::from_config(config, Arc::clone(&clock)));
        Self::limited_by(stream, config, clock, abandon, listener, Limits { records, bytes: None })
    }

    pub(super) fn limited_by(
        stream: StreamId,
        config: &Config,
        clock: Arc<dyn Clock>,
        abandon: StopFlag,
        listener: L,
        limits: Limits,
    ) -> Self {
        let shared = Shared {
            stream,
            interval: config.get(&keys::BLOCK_INTERVAL),
            queue_size: config.get(&keys::BLOCK_QUEUE_SIZE),
            limits,
            clock,
            listener,
            buffer: Mutex::new(Buffer {
                phase: Phase::Initialized,
                records: Vec::new(),
                start: Time::ZERO,
                added: 0,
                waiting: VecDeque::new(),
                pushing: false,
                stalled: false,
            }),
            changed: Condvar::new(),
            closed: StopFlag::new(),
            abandoned: abandon,
        };
        Self { shared: Arc::new(shared), running: Mutex::new(None) }
    }

    /// Starts the timer; the first block ends at the next multiple of the block interval. Possible once.
    pub fn start(&self) -> Result<()> {
        let mut running = self.running.lock();
        if self.shared.buffer.lock().phase != Phase::Initialized {
            return Err(Error::IllegalState("a block generator can be started only once".to_owned()));
        }
        let shared = Arc::clone(&self.shared);
        let pusher = std::thread::Builder::new()
            .name(format!("dstreams-blocks-{}", self.shared.stream))
            .spawn(move || shared.push_blocks())
            .map_err(|cause| Error::system("start the thread that stores blocks", cause))?;
        let shared = Arc::clone(&self.shared);
        let timer = RecurringTimer::new(
            format!("dstreams-block-timer-{}", self.shared.stream),
            Arc::clone(&self.shared.clock),
            self.shared.interval,
            move |tick| shared.tick(tick),
        );
        let started = timer.and_then(|timer| {
            let first = timer.start_time();
            let start = first - self.shared.interval;
            {
                let mut buffer = self.shared.buffer.lock();
                (buffer.phase, buffer.start) = (Phase::Active, start);
            }
            Ok((timer.start_at(first)?, start))
        });
        match started {
            Ok((timer, start)) => *running = Some(Running { timer, pusher, start }),
            Err(error) => {
                self.shared.enter(Phase::StoppedAll);
                // The thread ends without having done anything.
                let _ = pusher.join();
                return Err(Error::source(error));
            }
        }
        Ok(())
    }

    /// Adds a record to the current block, as soon as the rate limit and the blocks that wait let it.
    pub fn add(&self, record: T) -> Result<()> {
        self.shared.permit(1)?;
        let mut buffer = self.shared.lock_to_add()?;
        buffer.records.push(record);
        buffer.added += 1;
        Ok(())
    }

    /// Adds many records, far cheaper than one by one; they may come into different blocks. After an error
    /// `records` holds those that were not added.
    pub fn add_many(&self, records: &mut Vec<T>) -> Result<()> {
        while !records.is_empty() {
            let permitted = self.shared.permit(records.len())?;
            let mut buffer = self.shared.lock_to_add()?;
            buffer.added += permitted as u64;
            if permitted < records.len() {
                buffer.records.extend(records.drain(..permitted));
            } else if buffer.records.is_empty() {
                mem::swap(&mut buffer.records, records);
            } else {
                buffer.records.append(records);
            }
        }
        Ok(())
    }

    /// As [`add`](Self::add); the listener is told `metadata` in the same moment.
    pub fn add_with_callback(&self, record: T, metadata: L::Metadata) -> Result<()> {
        self.add_many_with_callback(vec![record], metadata)
    }

    /// Adds records that all come into one block; the listener is told `metadata` once, in the same moment.
    pub fn add_many_with_callback(&self, mut records: Vec<T>, metadata: L::Metadata) -> Result<()> {
        let mut permitted = 0;
        while permitted < records.len() {
            permitted += self.shared.permit(records.len() - permitted)?;
        }
        let mut buffer = self.shared.lock_to_add()?;
        self.shared.listener.on_add_data(&records, metadata);
        buffer.added += records.len() as u64;
        buffer.records.append(&mut records);
        Ok(())
    }

    /// Refuses new records, cuts what is left, waits until all blocks are stored. Does nothing the second time.
    pub fn stop(&self) {
        let Some(Running { timer, pusher, start }) = self.close() else { return };
        let last = timer.stop(StopTimer::Now).unwrap_or(start);
        {
            let mut buffer = self.shared.buffer.lock();
            let last = buffer.start.max(last);
            self.shared.cut(&mut buffer, last + self.shared.interval);
            buffer.phase = Phase::StoppedGeneratingBlocks;
            self.shared.changed.notify_all();
        }
        if pusher.join().is_err() {
            tracing::error!(stream = %self.shared.stream, "the thread that stores blocks panicked");
        }
        self.shared.enter(Phase::StoppedAll);
    }

    /// Ends the block in the making for the batch at `time`, and waits a little until what was cut is stored.
    pub(super) fn cut_for_batch(&self, time: Time) {
        let mut buffer = self.shared.buffer.lock();
        if buffer.phase == Phase::Active && !buffer.stalled && buffer.start < time {
            self.shared.cut(&mut buffer, time);
            self.shared.changed.notify_all();
        }
        while buffer.pushing || !buffer.waiting.is_empty() {
            if self.shared.changed.wait_for(&mut buffer, PATIENCE).timed_out() {
                break;
            }
        }
    }

    /// Gives up what is not stored: adding, cutting and storing end with what they are doing.
    pub fn abandon(&self) {
        self.shared.closed.raise();
        self.shared.abandoned.raise();
        // Taken and given back, so that nobody is between his look at the flag and his wait.
        drop(self.shared.buffer.lock());
        self.shared.changed.notify_all();
    }

    /// Whether records can be added.
    pub fn is_active(&self) -> bool {
        self.shared.buffer.lock().phase == Phase::Active
    }

    /// Whether all has been stored and nothing will come any more.
    pub fn is_stopped(&self) -> bool {
        self.shared.buffer.lock().phase == Phase::StoppedAll
    }

    /// Whether adding waits now, because too many blocks wait to be stored.
    pub fn is_stalled(&self) -> bool {
        self.shared.buffer.lock().stalled
    }

    /// How many records were ever added.
    pub fn added(&self) -> u64 {
        self.shared.buffer.lock().added
    }

    /// The limit in front of every record.
    pub fn limiter(&self) -> &Arc<RateLimiter> {
        &self.shared.limits.records
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Ends the adding; the parts that run, for who is the first to stop them.
    fn close(&self) -> Option<Running> {
        let running = self.running.lock().take();
        let after = if running.is_some() { Phase::StoppedAddingData } else { Phase::StoppedAll };
        self.shared.closed.raise();
        if matches!(self.shared.buffer.lock().phase, Phase::Initialized | Phase::Active) {
            self.shared.enter(after);
        }
        running
    }
}

impl<T, L> Drop for BlockGenerator<T, L> {
    fn drop(&mut self) {
        self.shared.closed.raise();
        self.shared.abandoned.raise();
        self.shared.enter(Phase::StoppedGeneratingBlocks);
    }
}

impl<T, L> Shared<T, L> {
    fn enter(&self, phase: Phase) {
        self.buffer.lock().phase = phase;
        self.changed.notify_all();
    }

    /// Waits until at least one of `wanted` records may pass; how many may.
    fn permit(&self, wanted: usize) -> Result<usize> {
        let Limits { records, bytes } = &self.limits;
        if bytes.as_ref().is_some_and(|bytes| bytes.await_open(&self.closed) == Waited::Stopped) {
            return Err(closed());
        }
        records.acquire_some(wanted, &self.closed).ok_or_else(closed)
    }

    /// The buffer, once a record may be added to it.
    fn lock_to_add(&self) -> Result<MutexGuard<'_, Buffer<T>>> {
        let mut buffer = self.buffer.lock();
        while buffer.stalled && buffer.phase == Phase::Active && !self.abandoned.is_raised() {
            self.changed.wait(&mut buffer);
        }
        if buffer.phase == Phase::Active && !self.abandoned.is_raised() { Ok(buffer) } else { Err(closed()) }
    }
}

impl<T, L: BlockListener<T>> Shared<T, L> {
    /// The end of a block interval.
    fn tick(&self, tick: Time) {
        let mut buffer = self.buffer.lock();
        while buffer.waiting.len() >= self.queue_size && !self.abandoned.is_raised() {
            buffer.stalled = true;
            self.changed.wait(&mut buffer);
        }
        // A batch may have been first.
        if buffer.start < tick {
            self.cut(&mut buffer, tick);
        }
        buffer.stalled = false;
        self.changed.notify_all();
    }

    /// Makes a block of what was added since the last cut, if there is anything. The next one begins at `end`.
    fn cut(&self, buffer: &mut Buffer<T>, end: Time) {
        let start = buffer.start.max(end - self.interval);
        buffer.start = end;
        if buffer.records.is_empty() {
            return;
        }
        // The next block will be about as large as this one.
        let next = Vec::with_capacity(buffer.records.len());
        let records = mem::replace(&mut buffer.records, next);
        let id = BlockId { stream: self.stream, time: start, number: 0 };
        self.listener.on_generate_block(id);
        buffer.waiting.push_back((id, records));
    }

    /// Hands the blocks to the listener until no more will come.
    fn push_blocks(&self) {
        let mut given_up = 0;
        while let Some((id, records)) = self.next_block() {
            let count = records.len();
            if self.abandoned.is_raised() {
                given_up += count;
                continue;
            }
            let pushed = catch_unwind(AssertUnwindSafe(|| self.listener.on_push_block(id, records)));
            let error = match pushed {
                Ok(Ok(())) => continue,
                Ok(Err(_)) if self.abandoned.is_raised() => {
                    given_up += count;
                    continue;
                }
                Ok(Err(error)) => error,
                Err(panic) => panic_text(&*panic).into(),
            };
            self.listener.on_error(&format!("Error in block pushing thread: cannot store {id}"), error);
        }
        if given_up > 0 {
            tracing::info!(stream = %self.stream, records = given_up, "records were received and not stored any more");
        }
    }

    /// Waits for the next block; nothing once no more will come.
    fn next_block(&self) -> Option<(BlockId, Vec<T>)> {
        let mut buffer = self.buffer.lock();
        if mem::take(&mut buffer.pushing) {
            self.changed.notify_all();
        }
        loop {
            if let Some(block) = buffer.waiting.pop_front() {
                buffer.pushing = true;
                self.changed.notify_all();
                return Some(block);
            }
            if buffer.phase >= Phase::StoppedGeneratingBlocks {
                return None;
            }
            self.changed.wait(&mut buffer);
        }
    }
}

fn closed() -> Error {
    Error::IllegalState(
        "Cannot add data as BlockGenerator has not been started or has been stopped".to_owned(),
    )
}
