// SPDX-License-Identifier: Apache-2.0
//! `Alerts`: watches a context while it runs, and sends what is to be told on threads of its own.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use dstreams_streaming::{
    Config, Duration, StreamingContext, StreamingListener,
    clock::{Clock, StopFlag, SystemClock, Waited},
    config::keys,
    event::StreamingEvent,
    time::{milliseconds, seconds},
};
use parking_lot::Mutex;

use crate::{
    error::AlertError,
    notice::Notice,
    rules::Rules,
    send::{Channel, channels},
    watch::Watch,
};

/// The alerts of a context. When this is dropped, what is to be told is still sent, for some seconds.
pub struct Alerts {
    listener: Arc<Listener>,
    stop: StopFlag,
    /// Raised when there is no more time for notices that cannot be sent.
    hurry: StopFlag,
    clock: Arc<dyn Clock>,
    threads: Vec<JoinHandle<()>>,
}

/// How often it is looked whether something has not happened for too long.
const TICK: Duration = seconds(1);

/// Notices that may wait for one way to people; more are dropped, with a warning.
const WAITING: usize = 1_000;

/// How often a notice is tried, and the wait after the first attempt; it doubles with each.
const ATTEMPTS: u32 = 8;
const FIRST_DELAY: Duration = milliseconds(500);

/// How long an application that has stopped waits for its last notices to be sent.
const LAST: Duration = seconds(10);

impl Alerts {
    /// Watches a context as its configuration asks; nothing where no rule is set. Called before the start.
    pub fn start(context: &StreamingContext) -> Result<Option<Self>, AlertError> {
        let config = context.config();
        let rules = Rules::of(config);
        if rules.is_empty() {
            return Ok(None);
        }
        let name = config.get(&keys::APP_NAME).unwrap_or_default();
        let alerts = Self::with(Watch::new(&name, rules), channels(config)?, Arc::new(SystemClock))?;
        context.add_listener(Arc::clone(&alerts.listener) as _);
        Ok(Some(alerts))
    }

    /// Whether the configuration asks for alerts.
    pub fn are_wanted(config: &Config) -> bool {
        !Rules::of(config).is_empty()
    }

    /// Sends what `watch` has to tell through `channels`; the listener has to be added to a context.
    pub fn with(
        watch: Watch,
        channels: Vec<Box<dyn Channel>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AlertError> {
        let (stop, hurry) = (StopFlag::new(), StopFlag::new());
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        for channel in channels {
            let (queue, notices) = bounded(WAITING);
            queues.push(queue);
            let (clock, hurry) = (Arc::clone(&clock), hurry.clone());
            let send = move || send_all(&notices, channel, &*clock, &hurry);
            threads.push(spawn("dstreams-alerts", send)?);
        }
        let listener = Arc::new(Listener { watch: Mutex::new(watch), queues: Mutex::new(queues) });
        let (ticking, ticks, stopped) = (Arc::clone(&listener), Arc::clone(&clock), stop.clone());
        let tick = move || {
            while ticks.sleep(TICK, &stopped) == Waited::Reached {
                ticking.tell(|watch| watch.tick(ticks.now()));
            }
        };
        threads.push(spawn("dstreams-alert-clock", tick)?);
        Ok(Self { listener, stop, hurry, clock, threads })
    }

    /// What has to hear the events of the context.
    pub fn listener(&self) -> Arc<dyn StreamingListener> {
        Arc::clone(&self.listener) as _
    }
}

impl Drop for Alerts {
    fn drop(&mut self) {
        self.stop.raise();
        // The threads end when they have sent what waits.
        self.listener.queues.lock().clear();
        let done = StopFlag::new();
        let threads = std::mem::take(&mut self.threads);
        let all = done.clone();
        let joining = thread::Builder::new().name("dstreams-alerts-end".to_owned()).spawn(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread for alerts panicked");
                }
            }
            all.raise();
        });
        if joining.is_ok() && self.clock.sleep(LAST, &done) == Waited::Reached {
            self.hurry.raise();
            tracing::warn!("the last alerts could not be sent");
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, AlertError> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(AlertError::Thread)
}

/// Hears the events and passes on what is to be told.
struct Listener {
    watch: Mutex<Watch>,
    queues: Mutex<Vec<Sender<Notice>>>,
}

impl StreamingListener for Listener {
    fn on_event(&self, event: &StreamingEvent) {
        self.tell(|watch| watch.observe(event));
    }
}

impl Listener {
    fn tell(&self, look: impl FnOnce(&mut Watch) -> Vec<Notice>) {
        // Under one lock, so that notices are sent in the order in which they came about.
        let mut watch = self.watch.lock();
        for notice in look(&mut watch) {
            for queue in self.queues.lock().iter() {
                if let Err(TrySendError::Full(notice)) = queue.try_send(notice.clone()) {
                    tracing::warn!("too many alerts wait to be sent; this one is dropped: {notice}");
                }
            }
        }
    }
}

/// Sends notices until there will be no more, each until it is sent or was tried often enough.
fn send_all(notices: &Receiver<Notice>, mut channel: Box<dyn Channel>, clock: &dyn Clock, hurry: &StopFlag) {
    for notice in notices {
        let mut delay = FIRST_DELAY;
        for attempt in 1..=ATTEMPTS {
            let Err(error) = channel.send(&notice) else { break };
            if attempt == ATTEMPTS || hurry.is_raised() {
                tracing::error!(%error, "given up after {attempt} attempts; the alert was: {notice}");
                break;
            }
            tracing::debug!(%error, attempt, "an alert could not be sent yet");
            let _hurried_or_not = clock.sleep(delay, hurry);
            delay = delay * 2;
        }
    }
}
