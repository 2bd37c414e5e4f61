// SPDX-License-Identifier: Apache-2.0
//! `SchemaRegistry`: asks a registry of schemas over HTTP or HTTPS, once for each schema.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use apache_avro::Schema;
use dstreams_https::AddressError;
use parking_lot::Mutex;
use serde::Deserialize;

/// How long the registry may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// So many schemas are kept. No program has as many; numbers that are not schemas are not kept.
const KEPT: usize = 10_000;

const JSON: &str = "application/vnd.schemaregistry.v1+json";

/// A registry of schemas with the interface of the one by Confluent, which others have too. Clones share what they know.
///
/// With `https://` its certificate must be signed by an authority that the system trusts. Where it is signed by one of your
/// own, set the environment variable `SSL_CERT_FILE` to a file in PEM format with the certificates of all authorities to
/// trust, or `SSL_CERT_DIR` to directories of such files: they are used in place of those of the system.
#[derive(Clone)]
pub struct SchemaRegistry {
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    headers: Vec<(String, String)>,
    agent: Result<ureq::Agent, AddressError>,
    schemas: Mutex<HashMap<u32, Arc<Schema>>>,
    /// Numbers by subject and text.
    registered: Mutex<HashMap<(String, String), u32>>,
}

/// Why the registry gave no schema.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The program was given a URL that is none.
    #[error("the schema registry cannot be at `{url}`: {problem}")]
    Address {
        /// What it was given.
        url: String,
        /// What is wrong.
        problem: AddressError,
    },
    /// It cannot be reached, or cannot answer now.
    #[error("the schema registry {url} does not answer: {problem}")]
    Unavailable {
        /// Where it is.
        url: String,
        /// What happened.
        problem: String,
    },
    /// It lets nobody in with these headers.
    #[error(
        "the schema registry {url} does not let this program in: {status} {text}; give what it asks for with `SchemaRegistry::header`, mostly `Authorization`"
    )]
    Denied {
        /// Where it is.
        url: String,
        /// The status of HTTP: 401, 403 or 407.
        status: u16,
        /// What it says.
        text: String,
    },
    /// It says no.
    #[error("the schema registry refuses: {status} {text}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What it says.
        text: String,
    },
    /// What it gave cannot be used.
    #[error("the schema registry gave no schema that can be used: {0}")]
    Answer(String),
}

#[derive(Deserialize)]
struct SchemaAnswer {
    schema: String,
    #[serde(rename = "schemaType", default)]
    kind: Option<String>,
    #[serde(default)]
    references: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct IdAnswer {
    id: u32,
}

impl RegistryError {
    /// Whether the record may be good: only the registry itself can say that there is no such schema.
    pub(super) fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::Unavailable { .. } | Self::Denied { .. })
    }
}

impl SchemaRegistry {
    /// The registry at a URL such as `http://registry:8081` or `https://registry.example.org`. Nothing is asked before the
    /// first record; one that finds no URL with `http://` or `https://` here fails its task.
    pub fn new(url: impl Into<String>) -> Self {
        Self::with(&url.into(), Vec::new())
    }

    fn with(url: &str, headers: Vec<(String, String)>) -> Self {
        let config = ureq::Agent::config_builder();
        let config = config.timeout_global(Some(ANSWERED_WITHIN)).http_status_as_error(false);
        let shared = Shared {
            url: url.trim_end_matches('/').to_owned(),
            headers,
            agent: dstreams_https::agent(url, config),
            schemas: Mutex::default(),
            registered: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Sends a header with each request, such as `Authorization`. Its value is never shown. Give a password to addresses with
    /// `https://` only: others can read it on the way.
    #[must_use]
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let mut headers = self.shared.headers.clone();
        headers.push((name.into(), value.into()));
        Self::with(&self.shared.url, headers)
    }

    /// The schema of a number.
    pub(super) fn schema(&self, id: u32) -> Result<Arc<Schema>, RegistryError> {
        if let Some(schema) = self.shared.schemas.lock().get(&id) {
            return Ok(Arc::clone(schema));
        }
        let answer: SchemaAnswer = self.ask(&format!("schemas/ids/{id}"), None)?;
        if let Some(kind) = answer.kind.filter(|kind| kind != "AVRO") {
            return Err(RegistryError::Answer(format!("schema {id} is one of {kind} and not of Avro")));
        }
        if !answer.references.is_empty() {
            return Err(RegistryError::Answer(format!(
                "schema {id} refers to other schemas, which is not supported"
            )));
        }
        let schema = Schema::parse_str(&answer.schema);
        let schema = Arc::new(schema.map_err(|error| RegistryError::Answer(error.to_string()))?);
        let mut schemas = self.shared.schemas.lock();
        if schemas.len() >= KEPT {
            schemas.clear();
        }
        schemas.insert(id, Arc::clone(&schema));
        Ok(schema)
    }

    /// The number of a schema under a subject; the registry takes it in if it is new.
    pub(super) fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let key = (subject.to_owned(), schema.to_owned());
        if let Some(id) = self.shared.registered.lock().get(&key) {
            return Ok(*id);
        }
        let body = serde_json::json!({ "schema": schema }).to_string();
        let IdAnswer { id } = self.ask(&format!("subjects/{subject}/versions"), Some(body))?;
        let mut registered = self.shared.registered.lock();
        if registered.len() >= KEPT {
            registered.clear();
        }
        registered.insert(key, id);
        Ok(id)
    }

    fn ask<A: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        body: Option<String>,
    ) -> Result<A, RegistryError> {
        let Shared { url, headers, agent, .. } = &*self.shared;
        let agent = agent
            .as_ref()
            .map_err(|problem| RegistryError::Address { url: url.clone(), problem: *problem })?;
        let unavailable = |error: &dyn fmt::Display| RegistryError::Unavailable {
            url: url.clone(),
            problem: error.to_string(),
        };
        let place = format!("{url}/{path}");
        let response = match body {
            None => {
                let request = agent.get(place).header("Accept", JSON);
                headers.iter().fold(request, |request, (name, value)| request.header(name, value)).call()
            }
            Some(body) => {
                let request = agent.post(place).header("Accept", JSON).header("Content-Type", JSON);
                headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send(body)
            }
        };
        let mut response = response.map_err(|error| match dstreams_https::advice(url, &error) {
            Some(advice) => unavailable(&format_args!("{error}: {advice}")),
            None => unavailable(&error),
        })?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().map_err(|error| unavailable(&error))?;
        match status {
            200..300 => serde_json::from_str(&text).map_err(|error| RegistryError::Answer(error.to_string())),
            // It is too busy, or broken.
            408 | 429 | 500.. => Err(unavailable(&format!("{status} {text}"))),
            // Nothing is wrong with the record.
            401 | 403 | 407 => Err(RegistryError::Denied { url: url.clone(), status, text }),
            status => Err(RegistryError::Refused { status, text }),
        }
    }
}

impl fmt::Debug for SchemaRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaRegistry").field("url", &self.shared.url).finish_non_exhaustive()
    }
}
