// SPDX-License-Identifier: Apache-2.0
//! The ways to people: a log line, a webhook, e-mail.

mod email;
mod log;
mod webhook;

use dstreams_streaming::{Config, config::keys};

pub use email::Email;
pub use log::LogLine;
pub use webhook::Webhook;

use crate::{error::AlertError, notice::Notice};

/// A way to people. A notice that cannot be sent is tried again for some time.
pub trait Channel: Send {
    /// Sends one notice, or says why that was not possible.
    fn send(&mut self, notice: &Notice) -> Result<(), AlertError>;
}

/// The ways that the configuration asks for.
pub(crate) fn channels(config: &Config) -> Result<Vec<Box<dyn Channel>>, AlertError> {
    let mut channels: Vec<Box<dyn Channel>> = Vec::new();
    if config.get(&keys::ALERT_LOG) {
        channels.push(Box::new(LogLine));
    }
    if let Some(url) = config.get(&keys::ALERT_WEBHOOK) {
        channels.push(Box::new(Webhook::new(&url)?));
    }
    if config.get(&keys::ALERT_EMAIL_TO).is_some() {
        channels.push(Box::new(Email::of(config)?));
    }
    Ok(channels)
}
