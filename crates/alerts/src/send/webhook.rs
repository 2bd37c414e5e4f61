// SPDX-License-Identifier: Apache-2.0
//! `Webhook`: alerts as JSON, posted to an address.

use std::time::Duration;

use serde::Serialize;
use ureq::Agent;

use super::Channel;
use crate::{error::AlertError, notice::Notice};

/// Posts each notice as JSON: its fields, and as `text` the line that people read, which is what chat services show.
#[derive(Debug)]
pub struct Webhook {
    url: String,
    agent: Agent,
}

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Body<'a> {
    text: String,
    #[serde(flatten)]
    notice: &'a Notice,
}

impl Webhook {
    /// A webhook at `url`, which begins with `http://` or `https://`.
    pub fn new(url: &str) -> Result<Self, AlertError> {
        let config = Agent::config_builder().timeout_global(Some(TIMEOUT));
        let agent = dstreams_https::agent(url, config).map_err(|error| AlertError::Setting {
            key: "dstreams.alerts.webhook",
            value: url.to_owned(),
            problem: error.to_string(),
        })?;
        Ok(Self { url: url.to_owned(), agent })
    }
}

impl Channel for Webhook {
    fn send(&mut self, notice: &Notice) -> Result<(), AlertError> {
        let body = Body { text: notice.to_string(), notice };
        // The path of a webhook is often its password: an error names no more than the host.
        let host = self.url.split('/').nth(2).unwrap_or_default();
        let body = serde_json::to_string(&body).map_err(|cause| AlertError::not_sent(host, cause))?;
        let request = self.agent.post(&self.url).header("Content-Type", "application/json");
        request.send(body).map(drop).map_err(|cause| AlertError::not_sent(host, cause))
    }
}
