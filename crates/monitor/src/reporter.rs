// SPDX-License-Identifier: Apache-2.0
//! `Reporter`: tells the sinks of a program its metrics, each as often as it is configured.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    thread::JoinHandle,
};

use dstreams_metrics::{Settings, Sink, Snapshot, Value};
use dstreams_streaming::{
    Config, Duration, Time,
    clock::{Clock, StopFlag},
    config::keys,
};

use crate::{error::Result, monitor::Monitor};

/// Reports until it is dropped, and once more then.
pub struct Reporter {
    stop: StopFlag,
    thread: Option<JoinHandle<()>>,
}

/// A sink and when it is due.
struct Due {
    sink: Box<dyn Sink>,
    period: Duration,
    next: Time,
    /// Whether the last report failed, so that a sink that is away is not told of again and again.
    failed: bool,
}

/// The settings of metrics: those of the file, then those of the configuration.
pub(crate) fn settings(config: &Config) -> Result<Settings> {
    let mut settings = Settings::default();
    if let Some(path) = config.get(&keys::METRICS_CONF) {
        settings.extend(Config::read_properties(path)?);
    }
    settings.extend(config.under("spark.metrics.conf."));
    Ok(settings)
}

impl Reporter {
    /// Starts to report what `monitor` knows to `sinks`; nothing where there are none.
    pub fn start(
        monitor: &Arc<Monitor>,
        clock: Arc<dyn Clock>,
        sinks: Vec<(std::time::Duration, Box<dyn Sink>)>,
    ) -> Result<Option<Self>> {
        if sinks.is_empty() {
            return Ok(None);
        }
        let now = clock.now();
        let due = sinks.into_iter().map(|(period, sink)| {
            let period = Duration::from(period);
            Due { sink, period, next: now + period, failed: false }
        });
        let due = due.collect();
        let (stop, monitor) = (StopFlag::new(), Arc::downgrade(monitor));
        let stopping = stop.clone();
        let thread = std::thread::Builder::new()
            .name("dstreams-metrics".to_owned())
            .spawn(move || work(&monitor, &*clock, due, &stopping))?;
        Ok(Some(Self { stop, thread: Some(thread) }))
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.stop.raise();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the reporter of metrics panicked");
        }
    }
}

fn work(monitor: &Weak<Monitor>, clock: &dyn Clock, mut due: Vec<Due>, stop: &StopFlag) {
    while let Some(next) = due.iter().map(|due| due.next).min() {
        let ended = clock.wait_until(next, stop) == dstreams_streaming::clock::Waited::Stopped;
        let Some(monitor) = monitor.upgrade() else { return };
        let (now, snapshot) = (clock.now(), monitor.metrics());
        let values = snapshot.flat(&monitor.metrics_prefix());
        for due in &mut due {
            if ended || due.next <= now {
                due.report(&snapshot, &values, now);
            }
        }
        if ended {
            return;
        }
    }
}

impl Due {
    fn report(&mut self, snapshot: &Snapshot, values: &BTreeMap<String, Value>, now: Time) {
        // What was missed, say while the machine slept, is not made up for.
        self.next = now + self.period;
        match self.sink.report_labelled(snapshot, values, now.as_millis()) {
            Ok(()) if self.failed => {
                tracing::info!("metrics are reported again to {}", self.sink.name());
                self.failed = false;
            }
            Err(error) if !self.failed => {
                tracing::warn!(%error, "metrics cannot be reported to {}; it is tried again", self.sink.name());
                self.failed = true;
            }
            // All is well, or it is known that it is not.
            Ok(()) | Err(_) => {}
        }
    }
}
