// SPDX-License-Identifier: Apache-2.0
//! Reports to OpenTelemetry: OTLP over HTTP, in the binary form of Protocol Buffers.

mod encode;

use std::{collections::BTreeMap, io, time::Duration};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use regex_lite::Regex;
use ureq::{
    Agent,
    http::{HeaderName, HeaderValue},
};

use self::encode::request;
use super::Sink;
use crate::{
    error::Result,
    settings::Options,
    snapshot::{Snapshot, Value},
};

/// A collector, or whoever else takes OTLP.
pub(crate) struct Otlp {
    url: String,
    /// For the log: the address may hold a password in its path.
    host: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    service: Option<String>,
    only: Option<Regex>,
    agent: Agent,
    /// When the first report was made, in milliseconds: counters are told from then on.
    start: Option<i64>,
}

/// Where a collector listens on this machine.
const ENDPOINT: &str = "http://localhost:4318";
/// Where collectors take metrics.
const PATH: &str = "/v1/metrics";
/// How long an answer may take. The next report is tried anyhow.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are looked at.
const ANSWER: u64 = 64 * 1024;

impl Otlp {
    pub(crate) fn new(options: &Options<'_>) -> Result<Self> {
        let endpoint = options.text("endpoint").unwrap_or(ENDPOINT);
        let problem = || options.bad("endpoint", format!("{endpoint} is no address such as {ENDPOINT}"));
        let (scheme, rest) = endpoint.split_once("://").ok_or_else(problem)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !["http", "https"].contains(&scheme) || host.is_empty() {
            return Err(problem());
        }
        // As with the environment variables of OpenTelemetry: what has a path is taken as it is.
        let url = if path.is_empty() { format!("{scheme}://{host}{PATH}") } else { endpoint.to_owned() };
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        let agent = dstreams_https::agent(&url, config).map_err(|_| problem())?;
        Ok(Self {
            url,
            host: host.rsplit('@').next().unwrap_or(host).to_owned(),
            headers: headers(options)?,
            service: options.text("service").map(str::to_owned),
            only: options.regex("regex")?,
            agent,
            start: None,
        })
    }
}

/// `name=value`, separated by commas, as in `OTEL_EXPORTER_OTLP_HEADERS`. Values are not shown: they are often tokens.
fn headers(options: &Options<'_>) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let pairs = options.text("headers").unwrap_or_default().split(',').filter(|pair| !pair.trim().is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let mut value: HeaderValue = value.trim().parse().ok()?;
            value.set_sensitive(true);
            Some((name.trim().parse().ok()?, value))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| options.bad("headers", "expected name=value, separated by commas".to_owned()))
}

impl Sink for Otlp {
    fn name(&self) -> String {
        format!("OTLP at {}", self.host)
    }

    fn report(&mut self, values: &BTreeMap<String, Value>, now: i64) -> io::Result<()> {
        let snapshot = Snapshot { metrics: values.clone(), ..Snapshot::default() };
        self.report_labelled(&snapshot, values, now)
    }

    fn report_labelled(
        &mut self,
        snapshot: &Snapshot,
        _: &BTreeMap<String, Value>,
        now: i64,
    ) -> io::Result<()> {
        let start = *self.start.get_or_insert(now);
        let body = request(snapshot, self.service.as_deref(), self.only.as_ref(), start, now).encode_to_vec();
        let request = self.agent.post(&self.url).header("Content-Type", "application/x-protobuf");
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let mut answer =
            request.send(&body).map_err(|error| match dstreams_https::advice(&self.url, &error) {
                Some(advice) => io::Error::other(format!("{error}: {advice}")),
                None => io::Error::other(error),
            })?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(ANSWER).read_to_vec().map_err(io::Error::other)?;
        if !status.is_success() {
            let said = String::from_utf8_lossy(&body);
            return Err(io::Error::other(format!("it answers {status}: {}", said.trim())));
        }
        // An answer that cannot be read is one of 200 nevertheless.
        let refused =
            ExportMetricsServiceResponse::decode(body.as_slice()).unwrap_or_default().partial_success;
        match refused {
            Some(refused) if refused.rejected_data_points > 0 => Err(io::Error::other(format!(
                "{} values are refused: {}",
                refused.rejected_data_points, refused.error_message
            ))),
            _ => Ok(()),
        }
    }
}
