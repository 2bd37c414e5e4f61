// SPDX-License-Identifier: Apache-2.0
//! Alerts over TLS to real servers, whose authority is made for the test.
#![allow(clippy::unwrap_used, reason = "tests")]

mod notice;

use std::{
    env,
    process::{Command, Output},
};

use dstreams_alerts::{AlertError, Channel, Email, Webhook};
use dstreams_streaming::Config;
use dstreams_test_servers::{Authority, TlsReceivers};
use notice::notice;

/// To whom a process that was started by a test sends.
const TO: &str = "DSTREAMS_ALERTS_TEST_TO";

/// Sends an alert to `to` from a process that trusts `authority` only: what is trusted is read once from the environment.
/// `test` is the test that calls this, with [`send_if_asked`] at its beginning.
fn send(test: &str, to: &str, authority: &Authority) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(TO, to);
    command.env("SSL_CERT_FILE", authority.certificate()).env_remove("SSL_CERT_DIR").output().unwrap()
}

/// In a process that was started by a test: sends, and ends.
fn send_if_asked() {
    let Ok(to) = env::var(TO) else { return };
    let error = match try_to_send(&to) {
        Ok(()) => std::process::exit(0),
        Err(error) => error,
    };
    println!(
        "{}: {error}",
        if matches!(error, AlertError::NotTrusted { .. }) { "not trusted" } else { "not sent" }
    );
    std::process::exit(1);
}

fn try_to_send(to: &str) -> Result<(), AlertError> {
    let notice = notice();
    if to.starts_with("https:") {
        return Webhook::new(to)?.send(&notice);
    }
    let mut config = Config::default();
    let settings = [
        ("to", "ops@example.org"),
        ("from", "orders@example.org"),
        ("user", "mailer"),
        ("password", "secret"),
    ];
    for (key, value) in settings.into_iter().chain([("server", to)]) {
        config.set(&format!("dstreams.alerts.email.{key}"), value).unwrap();
    }
    Email::of(&config)?.send(&notice)
}

fn said(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_webhook_over_tls_is_called_when_its_authority_is_trusted() {
    send_if_asked();
    let name = "a_webhook_over_tls_is_called_when_its_authority_is_trusted";
    let Some(mut receivers) = TlsReceivers::start_or_skip(name) else { return };
    let sent = send(name, &receivers.https(), receivers.authority());
    assert!(sent.status.success(), "{sent:?}");
    let got = receivers.next_message();
    assert!(got.contains(r#""by": "https", "tls": "TLSv1.3""#) && got.contains("2000 records wait"), "{got}");

    let stranger = Authority::new().unwrap();
    let text = said(send(name, &receivers.https(), &stranger));
    assert!(text.contains("not trusted: the alert was not sent to localhost:"), "{text}");
    assert!(
        text.contains("UnknownIssuer") && text.contains("SSL_CERT_FILE") && !text.contains("hook"),
        "{text}"
    );
}

#[test]
fn mail_over_tls_is_sent_when_the_authority_is_trusted() {
    send_if_asked();
    let name = "mail_over_tls_is_sent_when_the_authority_is_trusted";
    let Some(mut receivers) = TlsReceivers::start_or_skip(name) else { return };
    let starttls = format!("{}?tls=required", receivers.smtp());
    for (by, server) in [("smtp", starttls.clone()), ("smtps", receivers.smtps())] {
        let sent = send(name, &server, receivers.authority());
        assert!(sent.status.success(), "{sent:?}");
        let got = receivers.next_message();
        let expected =
            format!(r#""by": "{by}", "tls": "TLSv1.3", "login": "mailer", "to": ["ops@example.org"]"#);
        assert!(got.contains(&expected) && got.contains("2000 records wait"), "{got}");
    }
    let stranger = Authority::new().unwrap();
    for server in [&starttls, &receivers.smtps()] {
        let text = said(send(name, server, &stranger));
        assert!(text.contains("not trusted: ") && text.contains("UnknownIssuer"), "{server}: {text}");
        assert!(text.contains("SSL_CERT_FILE"), "{server}: {text}");
    }
}

#[test]
fn mail_is_not_sent_without_tls_or_to_another_server() {
    send_if_asked();
    let name = "mail_is_not_sent_without_tls_or_to_another_server";
    let Some(receivers) = TlsReceivers::start_or_skip(name) else { return };
    // The server insists on it.
    let text = said(send(name, &receivers.smtp(), receivers.authority()));
    assert!(text.contains("not sent: "), "{text}");
    // The certificate is that of `localhost`.
    let other = receivers.smtps().replace("localhost", "127.0.0.1");
    let text = said(send(name, &other, receivers.authority()));
    assert!(text.contains("not trusted: ") && text.contains("not valid for name"), "{text}");
}
