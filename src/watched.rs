// SPDX-License-Identifier: Apache-2.0
//! What `run` adds to a program so that it can be watched: the web UI, and reports of metrics.

#[cfg(feature = "web")]
use std::sync::Arc;

#[cfg(feature = "web")]
use dstreams_monitor::{Monitor, Reporter};
#[cfg(feature = "web")]
use dstreams_streaming::{Config, Error, config::keys};
use dstreams_streaming::{Result, StreamingContext};
#[cfg(feature = "web")]
use dstreams_web::WebUi;

/// Who watches a program: its pages, its event log and its reports of metrics. They go when this is dropped.
///
/// [`run`](crate::run) does all of this itself. A program with a context of its own does it before the start:
///
/// ```
/// # let mut config = dstreams::Config::new();
/// # config.set("spark.master", "local[1]")?;
/// # config.set("spark.ui.port", "0")?;
/// # let ssc = dstreams::StreamingContext::new(config, dstreams::time::seconds(1))?;
/// let watched = dstreams::Watched::of(&ssc)?;
/// assert!(watched.url().is_some_and(|url| url.starts_with("http://127.0.0.1:")));
/// # Ok::<(), dstreams::Error>(())
/// ```
#[cfg(feature = "web")]
#[derive(Default)]
pub struct Watched {
    monitor: Option<Arc<Monitor>>,
    ui: Option<WebUi>,
    reporter: Option<Reporter>,
}

/// Nobody watches a program that is built without the feature `web`.
#[cfg(not(feature = "web"))]
#[derive(Default)]
pub(crate) struct Watched(());

#[cfg(feature = "web")]
impl Watched {
    /// Watches a context that is about to be started, as its configuration says.
    pub fn of(context: &StreamingContext) -> Result<Self> {
        let mut watched = Self::default();
        watched.start(context)?;
        Ok(watched)
    }

    /// Where the pages are, for this machine. There are none when they are not wanted, or when every port is taken.
    pub fn url(&self) -> Option<String> {
        self.ui.as_ref().map(WebUi::url)
    }

    /// The port of the pages.
    pub fn port(&self) -> Option<u16> {
        self.ui.as_ref().map(|ui| ui.address().port())
    }

    /// Watches a context that is about to be started, as its configuration says.
    pub(crate) fn start(&mut self, context: &StreamingContext) -> Result<()> {
        if !is_run(context.config()) {
            return Ok(());
        }
        let plan = Monitor::metrics_plan(context.config()).map_err(Error::user)?;
        for unused in &plan.unused {
            tracing::warn!("{} has no effect: {}", unused.key, unused.reason);
        }
        let wants_ui = context.config().get(&keys::UI_ENABLED);
        let wants_log = context.config().get(&keys::EVENT_LOG_ENABLED);
        if !wants_ui && !wants_log && plan.sinks.is_empty() {
            return Ok(());
        }
        let monitor = Monitor::attach(context).map_err(Error::user)?;
        let clock = Arc::clone(context.clock());
        self.reporter = Reporter::start(&monitor, clock, plan.sinks).map_err(Error::user)?;
        self.monitor = Some(Arc::clone(&monitor));
        self.ui = match WebUi::of(context, monitor) {
            Ok(ui) => ui,
            // A program works without its pages. A token that is missing is another matter.
            Err(error @ dstreams_web::Error::NoPort { .. }) => {
                tracing::warn!("{error}");
                None
            }
            Err(error) => return Err(Error::user(error)),
        };
        if let Some(ui) = &self.ui {
            tracing::info!("web UI at {}", ui.url());
        }
        Ok(())
    }
}

/// Whether the context is started at all.
#[cfg(feature = "web")]
fn is_run(config: &Config) -> bool {
    config.get(&keys::RECOVERY_MODE) != "explain"
}

#[cfg(not(feature = "web"))]
impl Watched {
    /// Says that nobody watches, if the configuration asks for it.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    pub(crate) fn start(&mut self, context: &StreamingContext) -> Result<()> {
        use dstreams_streaming::config::Origin;
        let settings = context.config().explain();
        let ours = ["spark.ui.", "dstreams.ui.", "spark.metrics.", "spark.eventLog."];
        let mut ours =
            settings.iter().filter(|setting| ours.iter().any(|start| setting.key.starts_with(start)));
        if let Some(set) = ours.find(|setting| setting.origin != Origin::Default) {
            tracing::warn!("{} has no effect: build the program with the feature `web` of dstreams", set.key);
        }
        Ok(())
    }
}
