// SPDX-License-Identifier: Apache-2.0
//! What the REST interface of an application tells, as far as it is shown here.

use std::{collections::BTreeMap, io::Read, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};

/// An application by the address of its UI.
#[derive(Clone)]
pub(super) struct Client {
    base: String,
    token: Option<String>,
    agent: ureq::Agent,
    /// For answers that have no end.
    patient: ureq::Agent,
}

/// An application at one moment.
pub(super) struct Seen {
    pub(super) application: Application,
    pub(super) health: Health,
    pub(super) statistics: Statistics,
    pub(super) streams: Vec<InputStream>,
    /// The newest first.
    pub(super) batches: Vec<Batch>,
    pub(super) engine: Engine,
}

#[derive(Deserialize)]
pub(super) struct Application {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attempt {
    pub(super) completed: bool,
    pub(super) duration: i64,
}

#[derive(Deserialize)]
pub(super) struct Health {
    pub(super) level: String,
    pub(super) headline: String,
    pub(super) notes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statistics {
    pub(super) batch_duration: i64,
    pub(super) num_total_completed_batches: u64,
    pub(super) num_active_batches: u64,
    pub(super) num_processed_records: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InputStream {
    pub(super) stream_id: usize,
    pub(super) stream_name: String,
    pub(super) is_active: Option<bool>,
    pub(super) last_error_message: Option<String>,
    pub(super) last_error: Option<String>,
    pub(super) avg_event_rate: Option<f64>,
    pub(super) event_rates: Vec<(i64, f64)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Batch {
    #[serde(rename = "batchId")]
    pub(super) time: i64,
    pub(super) status: String,
    pub(super) input_size: u64,
    pub(super) scheduling_delay: Option<i64>,
    pub(super) processing_time: Option<i64>,
    pub(super) total_delay: Option<i64>,
    pub(super) num_completed_output_ops: usize,
    pub(super) num_total_output_ops: usize,
    pub(super) first_failure_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Engine {
    pub(super) memory: Option<Memory>,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) states: Vec<StateSize>,
    pub(super) lag: Vec<Lag>,
    pub(super) limits: Vec<Limit>,
    pub(super) dead_letters: Vec<DeadLetters>,
}

#[derive(Deserialize)]
pub(super) struct Memory {
    pub(super) used: u64,
    pub(super) limit: u64,
}

#[derive(Deserialize)]
pub(super) struct Checkpoint {
    pub(super) age: i64,
    pub(super) duration: i64,
    pub(super) bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StateSize {
    pub(super) operator: String,
    pub(super) keys: Option<u64>,
    pub(super) keys_per_minute: Option<f64>,
    pub(super) snapshot_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lag {
    pub(super) stream_id: usize,
    pub(super) records: Option<u64>,
    pub(super) oldest: Option<i64>,
    pub(super) parts: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Limit {
    pub(super) stream_id: usize,
    pub(super) records_per_second: Option<i64>,
    pub(super) why: String,
}

#[derive(Deserialize)]
pub(super) struct DeadLetters {
    pub(super) output: String,
    pub(super) letters: u64,
    pub(super) records: u64,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many batches are looked at.
const BATCHES: usize = 200;

impl Client {
    /// `url` may lack `http://`, and may be that of a page.
    pub(super) fn new(url: &str, token: Option<String>) -> Self {
        let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let trimmed = with_scheme.trim_end_matches('/');
        let base = trimmed.strip_suffix("/streaming").unwrap_or(trimmed).to_owned();
        let config = || ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config().timeout_global(Some(PATIENCE)).build().into();
        let patient =
            config().timeout_connect(Some(PATIENCE)).timeout_recv_response(Some(PATIENCE)).build().into();
        Self { base, token, agent, patient }
    }

    /// All there is to be seen now; what is wrong, in words, if nothing is.
    pub(super) fn look(&self) -> Result<Seen, String> {
        let mut applications: Vec<Application> = self.get("/api/v1/applications", &[200])?;
        let application = applications.pop().ok_or_else(|| self.is_another("it has no application"))?;
        let path = |rest: &str| format!("/api/v1/applications/{}/streaming/{rest}", application.id);
        Ok(Seen {
            // One that is not ready has its verdict with the status 503.
            health: self.get("/health/ready", &[200, 503])?,
            statistics: self.get(&path("statistics"), &[200])?,
            streams: self.get(&path("receivers"), &[200])?,
            batches: self.get(&path(&format!("batches?limit={BATCHES}")), &[200])?,
            engine: self.get(&path("engine"), &[200])?,
            application,
        })
    }

    /// What tells that something has changed: an answer without an end.
    pub(super) fn events(&self) -> Result<impl Read + use<>, String> {
        let answer = self.ask(&self.patient, "/events")?;
        self.check(&answer, &[200])?;
        Ok(answer.into_body().into_reader())
    }

    fn get<T: DeserializeOwned>(&self, path: &str, expected: &[u16]) -> Result<T, String> {
        let answer = self.ask(&self.agent, path)?;
        self.check(&answer, expected)?;
        let text = answer.into_body().read_to_string().map_err(|error| self.is_away(&error))?;
        serde_json::from_str(&text)
            .map_err(|error| self.is_another(&format!("{path} has another form: {error}")))
    }

    fn ask(&self, agent: &ureq::Agent, path: &str) -> Result<ureq::http::Response<ureq::Body>, String> {
        let request = agent.get(format!("{}{path}", self.base));
        let request = match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        };
        request.call().map_err(|error| self.is_away(&error))
    }

    fn check(&self, answer: &ureq::http::Response<ureq::Body>, expected: &[u16]) -> Result<(), String> {
        let base = &self.base;
        match answer.status().as_u16() {
            status if expected.contains(&status) => Ok(()),
            401 if self.token.is_some() => {
                Err(format!("{base} does not accept this token (dstreams.ui.token)"))
            }
            401 => Err(format!("{base} needs a token: give it with --token or in DSTREAMS_UI_TOKEN")),
            403 => Err(format!(
                "{base} answers to its own machine only: say http://127.0.0.1 or http://localhost there"
            )),
            _ => Err(self.is_another(&format!("it answers {}", answer.status()))),
        }
    }

    fn is_away(&self, error: &ureq::Error) -> String {
        format!(
            "nobody answers at {} ({error}); is this the address that the application has logged?",
            self.base
        )
    }

    fn is_another(&self, why: &str) -> String {
        format!("{} is not the UI of a dstreams application: {why}", self.base)
    }
}

impl Seen {
    /// The length of a batch.
    pub(super) fn interval(&self) -> dstreams::Duration {
        dstreams::Duration::from_millis(self.statistics.batch_duration)
    }
}
