// SPDX-License-Identifier: Apache-2.0
//! `Email`: alerts as messages over SMTP.

use std::time::Duration;

use dstreams_streaming::{Config, config::keys};
use lettre::{
    Message, SmtpTransport, Transport as _,
    message::{Mailbox, Mailboxes, header::ContentType},
    transport::smtp::authentication::Credentials,
};

use super::Channel;
use crate::{
    error::AlertError,
    notice::{Notice, State},
};

/// Sends each notice as a message of plain text.
#[derive(Debug)]
pub struct Email {
    from: Mailbox,
    to: Mailboxes,
    server: String,
    transport: SmtpTransport,
}

/// How long the server may take for each step.
const TIMEOUT: Duration = Duration::from_secs(20);

impl Email {
    /// What the keys under `dstreams.alerts.email` ask for.
    pub fn of(config: &Config) -> Result<Self, AlertError> {
        let to = config.get(&keys::ALERT_EMAIL_TO).unwrap_or_default();
        let from = config.get(&keys::ALERT_EMAIL_FROM).unwrap_or_default();
        let server = config.get(&keys::ALERT_EMAIL_SERVER);
        let setting =
            |key, value: &str, problem: String| AlertError::Setting { key, value: value.to_owned(), problem };
        let transport = SmtpTransport::from_url(&server).map_err(|error| {
            let problem =
                format!("{error}; expected smtp://host:25, smtp://host:587?tls=required or smtps://host");
            setting("dstreams.alerts.email.server", &server, problem)
        })?;
        let user = config.get(&keys::ALERT_EMAIL_USER);
        let credentials = user
            .map(|user| Credentials::new(user, config.get(&keys::ALERT_EMAIL_PASSWORD).unwrap_or_default()));
        let transport = match credentials {
            Some(credentials) => transport.credentials(credentials),
            None => transport,
        };
        Ok(Self {
            from: from.parse().map_err(|error| {
                setting("dstreams.alerts.email.from", &from, format!("{error}; expected an address"))
            })?,
            to: to.parse().map_err(|error| {
                setting(
                    "dstreams.alerts.email.to",
                    &to,
                    format!("{error}; expected addresses, separated by commas"),
                )
            })?,
            transport: transport.timeout(Some(TIMEOUT)).build(),
            // Without a name and a password that it may hold.
            server: match server.split_once("://") {
                Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or(rest)),
                None => server,
            },
        })
    }

    fn message(&self, notice: &Notice) -> Result<Message, AlertError> {
        let Notice { application, subject, state, rule, .. } = notice;
        let verb = match state {
            State::Raised => "alert",
            State::Recovered => "over",
        };
        let about = if subject.is_empty() { String::new() } else { format!(" of {subject}") };
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(format!("[{application}] {verb}: {rule:?}{about}"))
            .header(ContentType::TEXT_PLAIN);
        for to in self.to.iter() {
            message = message.to(to.clone());
        }
        let text = format!(
            "{notice}\n\nsince {} ms, told at {} ms since 1970\n",
            notice.since.as_millis(),
            notice.time.as_millis()
        );
        message.body(text).map_err(|cause| AlertError::not_sent(&self.server, cause))
    }
}

impl Channel for Email {
    fn send(&mut self, notice: &Notice) -> Result<(), AlertError> {
        let message = self.message(notice)?;
        self.transport.send(&message).map(drop).map_err(|cause| AlertError::not_sent(&self.server, cause))
    }
}
