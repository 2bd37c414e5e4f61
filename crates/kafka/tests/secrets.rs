// SPDX-License-Identifier: Apache-2.0
//! Passwords are used, and appear nowhere: not in logs, errors, `Debug`, events or checkpoints.
#![cfg(feature = "ssl")]

mod support;

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
};

use dstreams_kafka::{Consumer, KafkaSink, Params, direct_stream, receiver_stream};
use dstreams_streaming::{BoxError, StreamingListener, event::BatchInfo, testing::TestContext};
use dstreams_test_servers::{Certificates, Kafka, SecuredKafka};
use support::{Broker, config_with, interval, value};
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

/// All that is logged, and all that listeners are told.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no panic")).into_owned()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Said {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl StreamingListener for Said {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        write!(self.clone(), "{batch:?}").expect("a buffer takes everything");
    }
}

/// Writes what a program that uses all kinds of clients says, and leaves what it stores in `directory`.
fn run(said: &Said, params: &Params, directory: &Path, topic: &str) -> Result<(), BoxError> {
    let test = TestContext::with(config_with(&[("dstreams.kafka.requestTimeout", "5s")]), interval())?;
    test.context().checkpoint(directory.to_str().ok_or("a path that is text")?);
    test.context().add_listener(Arc::new(said.clone()));
    write!(said.clone(), "{params:?}")?;
    let ssc = test.context();
    let stream = direct_stream(ssc, Consumer::subscribe([topic]), params.clone())?;
    let values = stream.map(|record| value(&record));
    let sink = KafkaSink::new(params.clone(), "secret-copy", |value: String, record| {
        record.value(value);
    })?;
    write!(said.clone(), "{sink:?}")?;
    values.write_to(sink).named(topic);
    let read = test.collect(&values);
    let group = params.clone().group(format!("{topic}-receiver"));
    let received = receiver_stream(ssc, Consumer::subscribe([topic]), group, 1)?;
    let received = test.collect(&received.map(|record| value(&record)));
    let all = ["a".to_owned(), "b".to_owned()];
    test.run_until(|| read.batches().concat() == all && received.batches().concat() == all)?;
    test.stop();
    Ok(())
}

#[test]
fn passwords_are_used_and_appear_nowhere() -> Result<(), BoxError> {
    let test_name = "passwords_are_used_and_appear_nowhere";
    let Some(kafka) = SecuredKafka::start_or_skip(test_name, None) else { return Ok(()) };
    let said = Said::default();
    tracing_subscriber::fmt().with_writer(said.clone()).with_max_level(LevelFilter::TRACE).init();
    let broker = Broker::at(&kafka.address());
    broker.create("secret-copy", 1);
    let wrong = "wrong-password-77aa";
    // The client library says what it is configured with, and what it does.
    let to = |address: String| Params::new(address).set("auto.offset.reset", "earliest").set("debug", "all");
    let by_module = |password: &str| {
        let module = format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{}\" password=\"{password}\";",
            Kafka::SASL_USER
        );
        let params = to(kafka.sasl_address()).set("security.protocol", "SASL_PLAINTEXT");
        params.set("sasl.mechanism", "PLAIN").set("sasl.jaas.config", module)
    };
    let (certificates, key) = (kafka.certificates(), fs::read_to_string(kafka.certificates().client_key())?);
    let tls = |address, protocol| {
        to(address)
            .set("security.protocol", protocol)
            .set("ssl.ca.location", certificates.authority().to_string_lossy())
    };
    let scram = tls(kafka.sasl_tls_address(), "SASL_SSL")
        .set("sasl.mechanism", "SCRAM-SHA-512")
        .set("sasl.username", SecuredKafka::SCRAM_USER)
        .set("sasl.password", SecuredKafka::SCRAM_PASSWORD);
    let certified = tls(kafka.tls_address(), "SSL")
        .set("ssl.certificate.location", certificates.client().to_string_lossy())
        .set("ssl.key.password", Certificates::KEY_PASSWORD);
    let in_file = certified.clone().set("ssl.key.location", certificates.client_key().to_string_lossy());
    let in_text = certified.clone().set("ssl.key.pem", &key);
    let directory = tempfile::tempdir()?;
    for (name, params) in [
        ("module", by_module(Kafka::SASL_PASSWORD)),
        ("scram", scram.clone()),
        ("key-in-file", in_file),
        ("key-in-text", in_text.clone()),
    ] {
        broker.create(name, 1);
        broker.send(name, 0, ["a", "b"]);
        run(&said, &params, &directory.path().join(name), name)?;
    }
    // What is not let in, and what the library refuses, is named without its value.
    for (params, problem) in [
        (by_module(wrong), "Authentication failed"),
        (scram.set("sasl.password", wrong), "Authentication failed"),
        (in_text.clone().set("ssl.key.password", wrong), "ssl.key.pem"),
        (by_module(wrong).set("ssl.key.password.typo", wrong), "ssl.key.password.typo"),
    ] {
        let outcome = run(&said, &params, &directory.path().join("wrong"), "module");
        let refused = outcome.expect_err("it cannot be used");
        assert!(refused.to_string().contains(problem), "{refused}");
        write!(said.clone(), "{refused} {refused:?}")?;
    }
    let all = said.text();
    // The configuration is said, too, and something is stored.
    assert!(all.contains("sasl.username"), "the library has said nothing");
    assert!(file_with(directory.path(), "key-in-text")?.is_some());
    let of_key = key.lines().nth(1).ok_or("a key of several lines")?;
    let passwords = [Kafka::SASL_PASSWORD, SecuredKafka::SCRAM_PASSWORD, Certificates::KEY_PASSWORD];
    for secret in passwords.into_iter().chain([wrong, of_key]) {
        let line = all.lines().find(|line| line.contains(secret));
        assert_eq!(line, None);
        assert_eq!(file_with(directory.path(), secret)?, None);
    }
    Ok(())
}

/// A file below `directory` that has the text in it.
fn file_with(directory: &Path, text: &str) -> io::Result<Option<String>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            file_with(&path, text)?
        } else {
            let bytes = fs::read(&path)?;
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
                .then(|| path.display().to_string())
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
