// SPDX-License-Identifier: Apache-2.0
//! The test kit: a context on a manual clock, scripted input, collected output. No test needs to sleep.

mod lineage;
mod memory_sink;
mod scripted;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dstreams_rdd::{Data, RddContext, RddOptions};
use parking_lot::Mutex;

use self::scripted::ScriptedSource;
pub use self::{
    lineage::{StreamReport, lineage},
    memory_sink::MemorySink,
};
use crate::{
    clock::{Clock as _, ManualClock, SystemClock},
    config::{Config, keys},
    context::StreamingContext,
    dstream::DStream,
    error::{Error, Result},
    time::{Duration, Time, seconds},
};

/// Runs `operation` over the given input, one batch of records per element, and returns the records of every batch
/// that it gives, in the order of the partitions.
///
/// ```
/// use dstreams_streaming::testing::run_batches;
/// let counts = run_batches(vec![vec!["a", "b", "a"], vec![]], |words| words.count())?;
/// assert_eq!(counts, [[3], [0]]);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub fn run_batches<T: Data, U: Data>(
    input: Vec<Vec<T>>,
    operation: impl FnOnce(&DStream<T>) -> DStream<U>,
) -> Result<Vec<Vec<U>>> {
    let batches = input.len();
    let test = TestContext::new()?.with_checkpoint_dir()?;
    let output = test.collect(&operation(&test.input(input)));
    test.run(batches)?;
    Ok(output.batches())
}

/// How long a test waits in real time for input before it is declared stuck.
const STUCK_AFTER: Duration = seconds(60);

/// A streaming context whose clock stands still until [`run`](Self::run) moves it, from time 0 on.
///
/// ```
/// use dstreams_streaming::testing::TestContext;
/// let test = TestContext::new()?;
/// let sums = test.collect(&test.input(vec![vec![1, 2], vec![3]]).reduce(|a, b| a + b));
/// test.run(3)?;
/// assert_eq!(sums.timed(), [(1000, vec![3]), (2000, vec![3]), (3000, vec![])]);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub struct TestContext {
    context: StreamingContext,
    clock: Arc<ManualClock>,
    checkpoints: Mutex<Option<PathBuf>>,
}

impl TestContext {
    /// A context with two worker threads and a batch every second.
    pub fn new() -> Result<Self> {
        Self::with(Config::default(), seconds(1))
    }

    /// A context with two worker threads, the given configuration and a batch every `interval`.
    pub fn with(config: Config, interval: Duration) -> Result<Self> {
        let options = RddOptions { threads: 2, ..RddOptions::default() };
        Self::on(RddContext::new(options)?, config, interval)
    }

    /// A context on an engine that the test has made.
    pub fn on(rdd: RddContext, mut config: Config, interval: Duration) -> Result<Self> {
        if config.get(&keys::APP_NAME).is_none() {
            config.set(keys::APP_NAME.name(), "test")?;
        }
        let clock = Arc::new(ManualClock::new(Time::ZERO));
        let context = StreamingContext::with_clock(rdd, config, interval, Arc::clone(&clock) as _)?;
        Ok(Self { context, clock, checkpoints: Mutex::default() })
    }

    /// Gives the context a checkpoint directory of its own, which streams with a state need. It is removed with the
    /// context.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?.with_checkpoint_dir()?;
    /// let ones = test.input(vec![vec![('a', 1)], vec![('a', 1)]]);
    /// let counts = ones.update_state_by_key(|ones, count| Some(count.unwrap_or(0) + ones.len()));
    /// let seen = test.collect(&counts);
    /// test.run(2)?;
    /// assert_eq!(seen.batches(), [[('a', 1)], [('a', 2)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    pub fn with_checkpoint_dir(self) -> Result<Self> {
        let directory =
            fresh_directory().map_err(|cause| Error::system("make a checkpoint directory", cause))?;
        self.context.checkpoint(directory.to_string_lossy());
        *self.checkpoints.lock() = Some(directory);
        Ok(self)
    }

    /// The context itself.
    pub fn context(&self) -> &StreamingContext {
        &self.context
    }

    /// The clock, for tests that move it by other steps than batches.
    pub fn clock(&self) -> &Arc<ManualClock> {
        &self.clock
    }

    /// A stream of the given records, one batch per element in two partitions; empty batches follow.
    #[track_caller]
    pub fn input<T: Data>(&self, batches: Vec<Vec<T>>) -> DStream<T> {
        self.input_with(batches.into_iter().map(Some).collect(), 2)
    }

    /// As [`input`](Self::input) in `partitions` partitions; a batch that is `None` has no dataset at all, which is
    /// different from an empty one.
    #[track_caller]
    pub fn input_with<T: Data>(&self, batches: Vec<Option<Vec<T>>>, partitions: usize) -> DStream<T> {
        self.context.stream("scripted_input", |_| {
            Arc::new(ScriptedSource::new(batches, partitions, self.context.batch_interval()))
        })
    }

    /// Collects what `stream` gives in every batch.
    #[track_caller]
    pub fn collect<T: Data>(&self, stream: &DStream<T>) -> Collected<T> {
        let collected = Collected { batches: Arc::default() };
        let batches = Arc::clone(&collected.batches);
        stream.for_each_rdd(move |rdd, time| {
            let records = rdd.collect()?;
            batches.lock().push((time, records));
            Ok(())
        });
        collected
    }

    /// Starts the context if it has not been started and runs `batches` batches, each to its end before the next.
    /// Returns the first error of any of them.
    pub fn run(&self, batches: usize) -> Result<()> {
        self.context.start()?;
        for _ in 0..batches {
            self.clock.advance(self.context.batch_interval());
            // The clock may have been moved to a time between two batches.
            self.context.await_batch(self.clock_time().floor(self.context.batch_interval()))?;
        }
        Ok(())
    }

    /// Starts the context where an earlier one left off in its checkpoint directory, with the clock at the present time,
    /// and waits until all batches up to that have ended. Returns the first error of any of them.
    ///
    /// ```
    /// use dstreams_streaming::{testing::TestContext, time::seconds};
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path().to_str().ok_or("a path that is text")?;
    /// let counts = |start| {
    ///     let test = TestContext::new()?;
    ///     test.context().checkpoint(dir);
    ///     let ones = test.input(vec![vec![('a', 1)], vec![('a', 1)], vec![('a', 1)]]);
    ///     let seen = test.collect(&ones.update_state_by_key(|ones, n| Some(n.unwrap_or(0) + ones.len())));
    ///     test.clock().advance(seconds(start));
    ///     if start == 0 { test.run(1)? } else { test.catch_up()? }
    ///     Ok::<_, dstreams_streaming::Error>(seen.batches())
    /// };
    /// assert_eq!(counts(0)?, [[('a', 1)]]);
    /// assert_eq!(counts(3)?, [[('a', 2)], [('a', 3)]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn catch_up(&self) -> Result<()> {
        self.context.start()?;
        self.context.await_batch(self.clock_time().floor(self.context.batch_interval()))
    }

    /// Runs batches until `done` says so, which it does in the end: for input that arrives in real time, as from a
    /// socket.
    ///
    /// # Panics
    ///
    /// After a minute of real time, so that a test fails instead of hanging.
    pub fn run_until(&self, done: impl Fn() -> bool) -> Result<()> {
        let begun = SystemClock.now();
        while !done() {
            assert!(
                SystemClock.now() - begun < STUCK_AFTER,
                "what the test waits for has not happened within a minute"
            );
            self.run(1)?;
            // Whoever makes it happen may need the processor.
            std::thread::yield_now();
        }
        Ok(())
    }

    fn clock_time(&self) -> Time {
        self.clock.now()
    }

    /// Stops the context after everything that has been received.
    pub fn stop(&self) {
        if let Err(error) = self.context.stop_with(crate::StopOptions::graceful()) {
            tracing::error!(%error, "cannot stop the test context");
        }
    }
}

impl Drop for TestContext {
    fn drop(&mut self) {
        if self.context.stop().is_err() {
            tracing::error!("a test context was dropped inside a listener");
        }
        if let Some(directory) = self.checkpoints.lock().take() {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// A batch time and the records of the batch.
type TimedRecords<T> = (Time, Vec<T>);

/// An empty directory among the temporary files.
fn fresh_directory() -> io::Result<PathBuf> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("dstreams-test-{}-{number}", std::process::id()));
        match std::fs::create_dir(&directory) {
            Ok(()) => return Ok(directory),
            // Left behind by an earlier process of the same number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// What an output has collected so far.
pub struct Collected<T> {
    batches: Arc<Mutex<Vec<TimedRecords<T>>>>,
}

impl<T: Clone> Collected<T> {
    /// The records of each batch.
    pub fn batches(&self) -> Vec<Vec<T>> {
        self.batches.lock().iter().map(|(_, records)| records.clone()).collect()
    }

    /// The records of each batch with the batch time in milliseconds.
    pub fn timed(&self) -> Vec<(i64, Vec<T>)> {
        self.batches.lock().iter().map(|(time, records)| (time.as_millis(), records.clone())).collect()
    }
}
