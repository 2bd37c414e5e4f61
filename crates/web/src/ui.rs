// SPDX-License-Identifier: Apache-2.0
//! `WebUi`: serves the pages of a context until it is dropped.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
};

use dstreams_metrics::Paths;
use dstreams_monitor::Monitor;
use dstreams_rdd::RddContext;
use dstreams_streaming::{Config, StreamingContext, config::keys};

use crate::{
    access::Access,
    error::{Error, Result},
    live::Live,
    server::Server,
};

/// The web UI of a context. It is served until this is dropped, also after the context has stopped.
///
/// ```
/// use dstreams_streaming::testing::TestContext;
/// use dstreams_web::WebUi;
/// # let mut config = dstreams_streaming::Config::new();
/// # config.set("spark.ui.port", "0")?;
/// # let test = TestContext::with(config, dstreams_streaming::time::seconds(1))?;
/// let ui = WebUi::start(test.context())?.ok_or("spark.ui.enabled is false")?;
/// assert!(ui.url().starts_with("http://127.0.0.1:"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WebUi {
    monitor: Arc<Monitor>,
    server: Server,
}

/// What all requests share.
pub(crate) struct App {
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) live: Live,
    /// Where metrics are served.
    pub(crate) metrics: Paths,
    /// Whether the numbers of executors are served as well.
    pub(crate) has_executors: bool,
    /// By it the context is found that runs, if one does.
    pub(crate) engine: Option<RddContext>,
}

impl WebUi {
    /// Listens to a context and serves its pages where the configuration says; nothing if that says not to
    /// (`spark.ui.enabled`). Call it before the start of the context.
    pub fn start(context: &StreamingContext) -> Result<Option<Self>> {
        if !context.config().get(&keys::UI_ENABLED) {
            return Ok(None);
        }
        Self::of(context, Monitor::attach(context)?)
    }

    /// As [`start`](Self::start), with a monitor that listens to the context already.
    pub fn of(context: &StreamingContext, monitor: Arc<Monitor>) -> Result<Option<Self>> {
        if !context.config().get(&keys::UI_ENABLED) {
            return Ok(None);
        }
        Self::serve(context.config(), monitor, Some(context.rdd_context().clone())).map(Some)
    }

    /// Serves what `monitor` knows, where `config` says.
    pub fn show(monitor: Arc<Monitor>, config: &Config) -> Result<Self> {
        Self::serve(config, monitor, None)
    }

    fn serve(config: &Config, monitor: Arc<Monitor>, engine: Option<RddContext>) -> Result<Self> {
        let metrics = Monitor::metrics_plan(config)?.paths;
        let (listener, access) = listen(config)?;
        let has_executors = config.get(&keys::UI_PROMETHEUS_ENABLED);
        let app =
            App { live: Live::of(&monitor), monitor: Arc::clone(&monitor), metrics, has_executors, engine };
        let server = Server::start(listener, access, Arc::new(app))?;
        Ok(Self { monitor, server })
    }

    /// Where the pages are.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The address of the first page, for this machine.
    pub fn url(&self) -> String {
        let address = self.address();
        if address.ip().is_unspecified() {
            format!("http://127.0.0.1:{}", address.port())
        } else {
            format!("http://{address}")
        }
    }

    /// What the pages are made from.
    pub fn monitor(&self) -> &Arc<Monitor> {
        &self.monitor
    }
}

/// Takes the port that is configured, or the next one that is free.
fn listen(config: &Config) -> Result<(TcpListener, Access)> {
    let text = config.get(&keys::UI_ADDRESS);
    let address: IpAddr = text.parse().map_err(|_| Error::BadAddress { text })?;
    let access = Access::new(config.get(&keys::UI_TOKEN));
    if !address.is_loopback() && !access.has_token() {
        return Err(Error::TokenNeeded { address });
    }
    let first = config.get(&keys::UI_PORT);
    let more = if first == 0 { 0 } else { config.get(&keys::PORT_MAX_RETRIES) };
    let last = first.saturating_add(u16::try_from(more).unwrap_or(u16::MAX));
    let mut cause = None;
    for port in first..=last {
        match TcpListener::bind((address, port)) {
            Ok(listener) => return Ok((listener, access)),
            Err(error) => cause = Some(error),
        }
    }
    let cause = Arc::new(cause.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()));
    Err(Error::NoPort { address, first, last, cause })
}
