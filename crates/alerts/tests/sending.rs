// SPDX-License-Identifier: Apache-2.0
//! Alerts on their way: over real HTTP and SMTP connections, in order, and again when they could not be sent.
#![allow(clippy::unwrap_used, reason = "tests")]

mod notice;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use dstreams_alerts::{AlertError, Alerts, Channel, Email, Notice, Rules, Watch, Webhook};
use dstreams_streaming::{Config, Time, clock::ManualClock, testing::TestContext};
use notice::notice;

const STUCK_AFTER: Duration = Duration::from_secs(60);

/// Answers each HTTP request with the next of `statuses`, and gives the bodies.
fn http_server(statuses: &'static [&'static str]) -> (String, mpsc::Receiver<String>) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", server.local_addr().unwrap());
    let (sender, bodies) = mpsc::channel();
    thread::spawn(move || {
        for status in statuses {
            let mut stream = BufReader::new(server.accept().unwrap().0);
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let line = line.trim_end().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let _ = sender.send(String::from_utf8(body).unwrap());
            write!(stream.get_mut(), "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
        }
    });
    (address, bodies)
}

#[test]
fn a_webhook_gets_the_notice_and_a_line_for_people() {
    let (url, bodies) = http_server(&["200 OK"]);
    Webhook::new(&url).unwrap().send(&notice()).unwrap();
    let body: serde_json::Value = serde_json::from_str(&bodies.recv_timeout(STUCK_AFTER).unwrap()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "text": "orders: Kafka [0]: 2000 records wait, more than 1000",
            "application": "orders", "rule": "lag", "subject": "Kafka [0]", "state": "raised",
            "time": 2000, "since": 1000, "problem": "2000 records wait, more than 1000"
        })
    );
}

#[test]
fn a_webhook_that_refuses_is_an_error_without_its_path() {
    let (url, _bodies) = http_server(&["500 Internal Server Error"]);
    let error = Webhook::new(&url).unwrap().send(&notice()).unwrap_err().to_string();
    assert!(error.contains("500") && !error.contains("hook"), "{error}");
    assert!(matches!(Webhook::new("ftp://here"), Err(AlertError::Setting { .. })));
}

/// Speaks SMTP for one message, and gives what it was told.
fn smtp_server() -> (String, mpsc::Receiver<(Vec<String>, String)>) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("smtp://{}", server.local_addr().unwrap());
    let (sender, messages) = mpsc::channel();
    thread::spawn(move || {
        let mut stream = BufReader::new(server.accept().unwrap().0);
        let say = |stream: &mut BufReader<TcpStream>, line: &str| {
            write!(stream.get_mut(), "{line}\r\n").unwrap();
        };
        let mut commands = Vec::new();
        say(&mut stream, "220 test server");
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap() == 0 {
                return;
            }
            let line = line.trim_end().to_owned();
            commands.push(line.clone());
            match line.split([' ', ':']).next().unwrap() {
                "EHLO" => say(&mut stream, "250-hello\r\n250 AUTH PLAIN LOGIN"),
                "AUTH" => say(&mut stream, "235 welcome"),
                "DATA" => {
                    say(&mut stream, "354 go on");
                    let mut text = String::new();
                    while !text.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut text).unwrap();
                    }
                    say(&mut stream, "250 taken");
                    let _ = sender.send((std::mem::take(&mut commands), text));
                }
                "QUIT" => {
                    say(&mut stream, "221 bye");
                    return;
                }
                _ => say(&mut stream, "250 fine"),
            }
        }
    });
    (address, messages)
}

#[test]
fn an_e_mail_is_sent_with_a_login() {
    let (server, messages) = smtp_server();
    let mut config = Config::default();
    for (key, value) in [
        ("to", "ops@example.org, Night Shift <night@example.org>"),
        ("from", "dstreams@example.org"),
        ("server", &server),
        ("user", "mailer"),
        ("password", "secret"),
    ] {
        config.set(&format!("dstreams.alerts.email.{key}"), value).unwrap();
    }
    Email::of(&config).unwrap().send(&notice()).unwrap();
    let (commands, text) = messages.recv_timeout(STUCK_AFTER).unwrap();
    assert!(commands.iter().any(|line| line.starts_with("AUTH PLAIN")), "{commands:?}");
    for expected in
        ["MAIL FROM:<dstreams@example.org>", "RCPT TO:<ops@example.org>", "RCPT TO:<night@example.org>"]
    {
        assert!(commands.iter().any(|line| line.starts_with(expected)), "{expected}: {commands:?}");
    }
    assert!(text.contains("Subject: [orders] alert: Lag of Kafka [0]\r\n"), "{text}");
    assert!(text.contains("orders: Kafka [0]: 2000 records wait, more than 1000\r\n"), "{text}");
}

#[test]
fn an_e_mail_without_a_sender_is_an_error_at_the_start() {
    let mut config = Config::default();
    config.set("dstreams.alerts.email.to", "ops@example.org").unwrap();
    let error = Email::of(&config).unwrap_err().to_string();
    assert!(error.contains("dstreams.alerts.email.from"), "{error}");
}

#[test]
fn an_e_mail_that_is_not_sent_is_an_error_without_the_password() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = Config::default();
    for (key, value) in
        [("to", "a@b.org"), ("from", "c@d.org"), ("server", &format!("smtp://mailer:secret@{free}"))]
    {
        config.set(&format!("dstreams.alerts.email.{key}"), value).unwrap();
    }
    let error = Email::of(&config).unwrap().send(&notice()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("the alert was not sent to smtp://{free}: ")), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

/// Fails so many times, then gives what it is to send.
struct Wavering {
    failures: usize,
    sent: mpsc::Sender<String>,
}

impl Channel for Wavering {
    fn send(&mut self, notice: &Notice) -> Result<(), AlertError> {
        if self.failures > 0 {
            self.failures -= 1;
            return Err(AlertError::Setting { key: "", value: String::new(), problem: "not now".to_owned() });
        }
        let _ = self.sent.send(notice.to_string());
        Ok(())
    }
}

#[test]
fn a_notice_that_could_not_be_sent_is_tried_again_before_the_next() {
    let (sent, arrived) = mpsc::channel();
    let clock = Arc::new(ManualClock::default());
    let mut config = Config::default();
    config.set("dstreams.alerts.noCheckpointFor", "1s").unwrap();
    let watch = Watch::new("orders", Rules::of(&config));
    let channel = Wavering { failures: 2, sent };
    let alerts = Alerts::with(watch, vec![Box::new(channel)], Arc::clone(&clock) as _).unwrap();
    let tell = |event: &str| alerts.listener().on_event(&serde_json::from_str(event).unwrap());
    tell(
        r#"{"event":"Graph","data":{"application":"orders","interval":1000,"checkpoint_dir":"/c","inputs":[],"operators":[],"outputs":[]}}"#,
    );
    tell(r#"{"event":"StreamingStarted","data":0}"#);
    tell(r#"{"event":"StreamingStarted","data":0}"#);
    clock.await_waiter_for(Time::from_millis(1000));
    clock.set(Time::from_millis(1000));
    // The clock of the alerts looks again, and the channel waits for its next attempt.
    for next in [1500, 2500] {
        clock.await_waiter_for(Time::from_millis(next));
        clock.set(Time::from_millis(next));
    }
    assert_eq!(arrived.recv_timeout(STUCK_AFTER).unwrap(), "orders: no checkpoint for 1 s");
    tell(r#"{"event":"CheckpointWritten","data":{"batch_time":0,"time":2600,"duration":1,"bytes":0}}"#);
    drop(alerts);
    assert_eq!(arrived.iter().collect::<Vec<_>>(), ["orders: over after 1 s 600 ms: no checkpoint for 1 s"]);
}

#[test]
fn a_context_raises_what_its_configuration_asks_for() {
    let (url, bodies) = http_server(&["200 OK", "200 OK"]);
    let mut config = Config::default();
    config.set("dstreams.alerts.batchFailed", "true").unwrap();
    config.set("dstreams.alerts.webhook", &url).unwrap();
    config.set("spark.app.name", "failing").unwrap();
    let test = TestContext::with(config, dstreams_streaming::time::seconds(1)).unwrap();
    let alerts = Alerts::start(test.context()).unwrap().unwrap();
    test.input(vec![vec![1], vec![2], vec![3]]).for_each_rdd(|_, time| {
        if time.as_millis() == 2000 { Err(dstreams_streaming::Error::user("no table")) } else { Ok(()) }
    });
    assert!(test.run(2).is_err());
    test.clock().advance(dstreams_streaming::time::seconds(1));
    let body = || bodies.recv_timeout(STUCK_AFTER).unwrap();
    assert!(body().contains("no table"));
    assert!(body().contains(r#""state":"recovered""#));
    test.stop();
    drop(alerts);
}
