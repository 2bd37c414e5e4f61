// SPDX-License-Identifier: Apache-2.0
//! `StreamingContext`: builds the graph, starts it, stops it, waits for it.

mod file_inputs;
mod inputs;
mod life;
mod marker;
mod recovery;
mod run;
mod stop;

use std::sync::Arc;

use dstreams_rdd::{RddContext, RddOptions};
use parking_lot::{Condvar, Mutex};

pub use run::{get_or_create, run, run_with};
pub use stop::StopOptions;

use crate::{
    batch::{progress::Progress, tally::Tally},
    checkpoint::RecoveryReport,
    clock::{Clock, SystemClock},
    config::{Config, keys},
    dstream::scope::{Scope, StreamingContextState},
    error::{Error, Result},
    event::{ShutdownReport, StreamingListener},
    time::{Duration, Time},
};

/// The entry point to streams: makes inputs, holds the graph that is built on them, and runs it.
///
/// A handle is cheap to clone. A context goes from initialized to active to stopped and never back.
///
/// ```
/// use dstreams_streaming::{Config, StreamingContext, time::seconds};
/// let ssc = StreamingContext::new(Config::default(), seconds(1))?;
/// let queue = dstreams_streaming::RddQueue::new();
/// ssc.queue_stream(&queue).map(|n: u32| n + 1).print();
/// ssc.start()?;
/// ssc.stop()?;
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
#[derive(Clone)]
pub struct StreamingContext {
    inner: Arc<Inner>,
}

struct Inner {
    scope: Arc<Scope>,
    progress: Arc<Progress>,
    settings: Mutex<Settings>,
    recovery: Mutex<Option<RecoveryReport>>,
    phase: Mutex<life::Phase>,
    /// Signalled when the context has stopped.
    stopped: Condvar,
    tally: Arc<Tally>,
    shutdown: Mutex<Option<ShutdownReport>>,
}

/// What may be set until the start.
#[derive(Default)]
struct Settings {
    remember: Option<Duration>,
    checkpoint_dir: Option<String>,
}

impl StreamingContext {
    /// A context with a batch every `interval`, on threads of its own as `spark.master` says.
    pub fn new(config: Config, interval: Duration) -> Result<Self> {
        let rdd = RddContext::new(rdd_options(&config))?;
        Self::with_rdd_context(rdd, config, interval)
    }

    /// A context on an engine that the program already has. One engine runs one active streaming context at a time.
    pub fn with_rdd_context(rdd: RddContext, config: Config, interval: Duration) -> Result<Self> {
        Self::with_clock(rdd, config, interval, Arc::new(SystemClock))
    }

    /// A context that takes its time from `clock`.
    pub fn with_clock(
        rdd: RddContext,
        config: Config,
        interval: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        if !interval.is_positive() {
            return Err(Error::IllegalArgument(format!(
                "the batch interval must be longer than zero, but is {interval}; set dstreams.batch.interval or --interval"
            )));
        }
        if rdd.options().threads == 1 {
            tracing::debug!("one worker thread runs all tasks; receivers have threads of their own");
        }
        let checkpoint_dir = config.get(&keys::CHECKPOINT_DIRECTORY);
        let settings = Settings { remember: None, checkpoint_dir };
        let progress = Arc::new(Progress::default());
        let pending = Arc::clone(progress.count());
        Ok(Self {
            inner: Arc::new(Inner {
                scope: Scope::new(rdd, clock, Arc::new(config), interval, pending),
                progress,
                settings: Mutex::new(settings),
                recovery: Mutex::default(),
                phase: Mutex::new(life::Phase::Initialized),
                stopped: Condvar::new(),
                tally: Arc::default(),
                shutdown: Mutex::default(),
            }),
        })
    }

    pub(crate) fn scope(&self) -> &Arc<Scope> {
        &self.inner.scope
    }

    /// Where the context is in its life.
    pub fn state(&self) -> StreamingContextState {
        self.inner.scope.state()
    }

    /// The engine under it.
    pub fn rdd_context(&self) -> &RddContext {
        self.inner.scope.rdd_context()
    }

    /// The clock that it takes its time from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.inner.scope.clock()
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        self.inner.scope.config()
    }

    /// The time between two batches.
    pub fn batch_interval(&self) -> Duration {
        self.inner.scope.interval()
    }

    /// Keeps the datasets of every output's stream at least this long, so that they can still be asked for. May be
    /// called once, before the start.
    pub fn remember(&self, length: Duration) -> Result<()> {
        if !self.inner.scope.check_open() {
            return Err(Error::IllegalState(
                "remember must be called before the context is started".to_owned(),
            ));
        }
        let mut settings = self.inner.settings.lock();
        if let Some(present) = settings.remember {
            return Err(Error::IllegalArgument(format!(
                "the remember duration has been set to {present} already"
            )));
        }
        settings.remember = Some(length);
        Ok(())
    }

    /// Sets the checkpoint directory, a path or a URL, which streams with state require. The start goes on with what an earlier process
    /// of the same application left there, and otherwise begins: see [`get_or_create`].
    pub fn checkpoint(&self, directory: impl Into<String>) {
        self.inner.settings.lock().checkpoint_dir = Some(directory.into());
    }

    /// The directory set by [`checkpoint`](Self::checkpoint) or by `spark.streaming.checkpoint.directory`.
    pub fn checkpoint_directory(&self) -> Option<String> {
        self.inner.settings.lock().checkpoint_dir.clone()
    }

    /// What the start made of what an earlier process left in the checkpoint directory; nothing before the start, and
    /// where there was nothing.
    pub fn recovery(&self) -> Option<RecoveryReport> {
        self.inner.recovery.lock().clone()
    }

    /// Adds a listener to the events of the context.
    pub fn add_listener(&self, listener: Arc<dyn StreamingListener>) {
        self.inner.scope.bus().add(listener);
    }

    /// Removes a listener; compared by identity.
    pub fn remove_listener(&self, listener: &Arc<dyn StreamingListener>) {
        self.inner.scope.bus().remove(listener);
    }

    /// What is wrong with the graph so far: each operation that could not be added as asked, in order.
    pub fn rejected(&self) -> Vec<Error> {
        self.inner.scope.rejected()
    }

    /// Batches whose jobs have not all ended.
    pub fn pending_batches(&self) -> Vec<Time> {
        self.inner.progress.pending()
    }
}

/// The engine settings that a configuration asks for.
fn rdd_options(config: &Config) -> RddOptions {
    let master = config.get(&keys::MASTER);
    RddOptions {
        threads: master.threads(),
        default_parallelism: config.get(&keys::DEFAULT_PARALLELISM),
        max_task_failures: config.get(&keys::TASK_MAX_FAILURES).unwrap_or_else(|| master.max_task_failures()),
        max_stage_attempts: config.get(&keys::STAGE_MAX_CONSECUTIVE_ATTEMPTS),
        take_initial_partitions: config.get(&keys::TAKE_INITIAL_PARTITIONS),
        take_scale_up: config.get(&keys::TAKE_SCALE_UP_FACTOR),
        memory_budget: config.get(&keys::MEMORY_BUDGET).as_usize(),
        local_dir: config.get(&keys::LOCAL_DIR).map(Into::into),
        compress: config.get(&keys::RDD_COMPRESS),
    }
}
