// SPDX-License-Identifier: Apache-2.0
//! `Monitor`: listens to a context and its engine, and keeps a store up to date on a thread of its own.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use dstreams_metrics::{Plan, Registry, Snapshot, Value};
use dstreams_rdd::event::{EngineEvent, EngineListener};
use dstreams_streaming::{
    Config, StreamingContext, StreamingListener, Time,
    clock::Clock,
    config::keys,
    event::{StreamingEvent, running_output},
};
use parking_lot::{Mutex, RwLock};

use crate::{
    error::Result,
    event::{Application, EngineStep, Event, OperatorRun, Setting, TaskRun},
    history::EventLog,
    metrics, reporter,
    store::{Limits, Store},
};

/// Events that may wait for the monitor; more are dropped and counted, so that no task ever waits.
const CAPACITY: usize = 20_000;

/// What has changed, for those who show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A batch was submitted, has begun, or has ended.
    Batch(Time),
    /// Something else.
    Other,
}

type Subscriber = Box<dyn Fn(Change) + Send + Sync>;

/// Listens to one context.
///
/// ```
/// use dstreams_monitor::Monitor;
/// use dstreams_streaming::testing::TestContext;
/// let test = TestContext::new()?;
/// let monitor = Monitor::attach(test.context())?;
/// test.input(vec![vec![1, 2], vec![3]]).for_each_rdd(|rdd, _| rdd.count().map(drop).map_err(Into::into));
/// test.run(2)?;
/// test.stop();
/// monitor.settle();
/// assert_eq!(monitor.read(|store| store.totals().processed_records), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Monitor {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    namespace: Option<String>,
    queue: Mutex<Option<Sender<Message>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    dropped: AtomicU64,
}

struct Shared {
    store: RwLock<Store>,
    subscribers: RwLock<Vec<Subscriber>>,
}

enum Message {
    Event(Box<Event>),
    /// Answered when all before it has been taken in.
    Settle(Sender<()>),
}

impl Monitor {
    /// Listens to `context` from now on, usually before its start.
    pub fn attach(context: &StreamingContext) -> Result<Arc<Self>> {
        let config = context.config();
        let limits = Limits {
            batches: config.get(&keys::UI_RETAINED_BATCHES),
            jobs: config.get(&keys::UI_RETAINED_JOBS),
            stages: config.get(&keys::UI_RETAINED_STAGES),
        };
        let namespace = config.get(&keys::METRICS_NAMESPACE);
        let application = application(context);
        let log = if config.get(&keys::EVENT_LOG_ENABLED) {
            let limit = config.get(&keys::EVENT_LOG_MAX_SIZE).as_usize() as u64;
            Some(EventLog::open(config.get(&keys::EVENT_LOG_DIR).as_ref(), &application.id, limit)?)
        } else {
            None
        };
        let monitor = Self::start(Store::new(limits), Arc::clone(context.clock()), namespace, log)?;
        monitor.tell(Event::Engine(EngineStep::Application(application)));
        context.add_listener(Arc::clone(&monitor) as Arc<dyn StreamingListener>);
        context.rdd_context().events().add(Arc::clone(&monitor) as Arc<dyn EngineListener>);
        Ok(monitor)
    }

    /// A monitor of a store that nothing is heard of any more.
    pub fn of(store: Store, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self::idle(store, clock, None))
    }

    fn idle(store: Store, clock: Arc<dyn Clock>, namespace: Option<String>) -> Self {
        Self {
            shared: Arc::new(Shared { store: RwLock::new(store), subscribers: RwLock::default() }),
            clock,
            namespace,
            queue: Mutex::default(),
            thread: Mutex::default(),
            dropped: AtomicU64::new(0),
        }
    }

    fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        namespace: Option<String>,
        log: Option<EventLog>,
    ) -> Result<Arc<Self>> {
        let (queue, messages) = bounded(CAPACITY);
        let monitor = Self::idle(store, clock, namespace);
        let shared = Arc::clone(&monitor.shared);
        let thread = std::thread::Builder::new()
            .name("dstreams-monitor".to_owned())
            .spawn(move || shared.work(&messages, log))?;
        *monitor.queue.lock() = Some(queue);
        *monitor.thread.lock() = Some(thread);
        Ok(Arc::new(monitor))
    }

    /// Looks at the store. What is read is copied out of it, so that events do not wait for whoever shows it.
    pub fn read<R>(&self, look: impl FnOnce(&Store) -> R) -> R {
        look(&self.shared.store.read())
    }

    /// The time now on the clock of the context.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The values of all metrics now: those of the context, and those of [`Registry::global`].
    pub fn metrics(&self) -> Snapshot {
        let namespace = self.namespace.as_deref();
        self.read(|store| metrics::snapshot(store, namespace, Registry::global(), self.now()))
    }

    /// The same without labels, by full name.
    pub fn values(&self) -> BTreeMap<String, Value> {
        self.metrics().flat(&self.metrics_prefix())
    }

    /// What stands before the names of metrics with labels where there are no labels.
    pub fn metrics_prefix(&self) -> String {
        self.read(|store| metrics::flat_prefix(store, self.namespace.as_deref()))
    }

    /// The sinks and paths that a configuration asks for.
    pub fn metrics_plan(config: &Config) -> Result<Plan> {
        Ok(reporter::settings(config)?.plan()?)
    }

    /// Calls `subscriber` after each change, on the thread of the monitor.
    pub fn subscribe(&self, subscriber: impl Fn(Change) + Send + Sync + 'static) {
        self.shared.subscribers.write().push(Box::new(subscriber));
    }

    /// Blocks until all events that were posted before have been taken in.
    pub fn settle(&self) {
        let (done, waiting) = bounded(1);
        let queue = self.queue.lock().clone();
        if queue.is_some_and(|queue| queue.send(Message::Settle(done)).is_ok()) {
            // An error means that the thread has ended, after all that it was told.
            let _ = waiting.recv();
        }
    }

    fn tell(&self, event: Event) {
        let Some(queue) = self.queue.lock().clone() else { return };
        if let Err(TrySendError::Full(_)) = queue.try_send(Message::Event(Box::new(event))) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "the monitor is too slow; what pages and REST show has gaps");
            }
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.queue.lock().take());
        let thread = self.thread.lock().take();
        // The last handle can be dropped by a subscriber; a thread cannot join itself.
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the monitor panicked");
        }
    }
}

impl Shared {
    fn work(&self, messages: &Receiver<Message>, mut log: Option<EventLog>) {
        for message in messages {
            match message {
                Message::Event(event) => {
                    let change = change_of(&event);
                    match &mut log {
                        None => self.store.write().apply(*event),
                        Some(log) => {
                            self.store.write().apply((*event).clone());
                            log.write(&event, &self.store.read());
                        }
                    }
                    self.subscribers.read().iter().for_each(|subscriber| subscriber(change));
                }
                Message::Settle(done) => {
                    // Nobody may be waiting any more.
                    let _ = done.send(());
                }
            }
        }
    }
}

fn change_of(event: &Event) -> Change {
    use StreamingEvent::{BatchCompleted, BatchStarted, BatchSubmitted};
    match event {
        Event::Streaming(BatchSubmitted(info) | BatchStarted(info) | BatchCompleted(info)) => {
            Change::Batch(info.batch_time)
        }
        _ => Change::Other,
    }
}

fn application(context: &StreamingContext) -> Application {
    let config = context.config();
    let settings = config.explain().into_iter().map(|row| Setting {
        set: row.origin != dstreams_streaming::config::Origin::Default,
        key: row.key,
        value: row.value,
        origin: row.origin.to_string(),
        meaning: row.meaning.to_owned(),
    });
    Application {
        id: format!("local-{}", context.clock().now().as_millis()),
        name: config.get(&keys::APP_NAME).unwrap_or_else(|| "dstreams".to_owned()),
        interval_ms: context.batch_interval().as_millis(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settings: settings.collect(),
    }
}

impl StreamingListener for Monitor {
    fn on_event(&self, event: &StreamingEvent) {
        self.tell(Event::Streaming(event.clone()));
    }
}

impl EngineListener for Monitor {
    fn on_event(&self, event: &EngineEvent) {
        let time = || self.clock.now();
        let step = match event {
            EngineEvent::JobStarted { job, .. } => {
                // Jobs that no batch has asked for are none of ours.
                let Some(output) = running_output() else { return };
                let (batch, output) = (output.batch_time, output.id);
                EngineStep::JobStarted { job: *job, batch, output, time: time() }
            }
            EngineEvent::JobEnded { job, error } => {
                EngineStep::JobEnded { job: *job, time: time(), error: error.clone() }
            }
            EngineEvent::StageStarted { job, stage, name, shuffle, tasks, .. } => EngineStep::StageStarted {
                job: *job,
                stage: *stage,
                name: name.clone(),
                shuffle: shuffle.is_some(),
                tasks: *tasks,
                time: time(),
            },
            EngineEvent::StageEnded { job, stage, error } => {
                EngineStep::StageEnded { job: *job, stage: *stage, time: time(), error: error.clone() }
            }
            EngineEvent::TaskEnded { task, records, elapsed, operators, error } => EngineStep::TaskEnded {
                job: task.job,
                stage: task.stage,
                task: TaskRun {
                    partition: task.partition,
                    attempt: task.attempt,
                    end: time(),
                    micros: micros(*elapsed),
                    records: *records,
                    error: error.clone(),
                    operators: operators
                        .iter()
                        .map(|operator| OperatorRun {
                            stream: operator.owner,
                            operator: operator.operator.to_owned(),
                            micros: micros(operator.spent),
                        })
                        .collect(),
                },
            },
            _ => return,
        };
        self.tell(Event::Engine(step));
    }
}

fn micros(length: std::time::Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}
