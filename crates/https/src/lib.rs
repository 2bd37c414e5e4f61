// SPDX-License-Identifier: Apache-2.0
//! HTTP clients: one for an address with `http://` or `https://`, which trusts what the system trusts.
//!
//! Certificates are read once in a process, when the first address with `https://` is met. The environment variables
//! `SSL_CERT_FILE`, a file in PEM format with any number of certificates, and `SSL_CERT_DIR`, directories of such files
//! separated by colons, are used in place of those of the system.
//!
//! ```
//! let config = ureq::Agent::config_builder().http_status_as_error(false);
//! let agent = dstreams_https::agent("https://registry.example.org", config)?;
//! # let _ = agent;
//! let wrong = dstreams_https::agent("registry:8081", ureq::Agent::config_builder());
//! assert_eq!(wrong.unwrap_err().to_string(), "it must begin with http:// or https://");
//! # Ok::<(), dstreams_https::AddressError>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod trust;

use ureq::{Agent, config::ConfigBuilder, typestate::AgentScope};

pub use error::{AddressError, advice, is_about_a_certificate};

/// A client for `url` with this configuration. Nothing is sent yet.
pub fn agent(url: &str, config: ConfigBuilder<AgentScope>) -> Result<Agent, AddressError> {
    let tls = match url.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => trust::of_the_system(),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => trust::nobody(),
        _ => return Err(AddressError),
    };
    Ok(config.tls_config(tls).build().into())
}
