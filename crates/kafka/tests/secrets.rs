// SPDX-License-Identifier: Apache-2.0
//! Passwords are used, and appear nowhere: not in logs, errors, `Debug`, events or checkpoints.

mod support;

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
};

use dstreams_kafka::{Consumer, Params, direct_stream};
use dstreams_streaming::{BoxError, StreamingListener, event::BatchInfo, testing::TestContext};
use dstreams_test_servers::Kafka;
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

#[test]
fn passwords_are_used_and_appear_nowhere() -> Result<(), BoxError> {
    let Some(kafka) = Kafka::start_or_skip("passwords_are_used_and_appear_nowhere") else { return Ok(()) };
    let said = Said::default();
    tracing_subscriber::fmt().with_writer(said.clone()).with_max_level(LevelFilter::TRACE).init();
    let broker = Broker::at(&kafka.address());
    broker.create("secret", 1);
    broker.send("secret", 0, ["a", "b"]);
    let wrong = "wrong-password-77aa";
    let params = |password: &str| {
        Params::new(kafka.sasl_address())
            .group("secret-group")
            .set("auto.offset.reset", "earliest")
            .set("security.protocol", "SASL_PLAINTEXT")
            .set("sasl.mechanism", "PLAIN")
            .set(
                "sasl.jaas.config",
                format!(
                    "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{}\" password=\"{password}\";",
                    Kafka::SASL_USER
                ),
            )
            // The client library says what it is configured with.
            .set("debug", "conf,security")
    };
    let directory = tempfile::tempdir()?;
    let run = |password: &str, dir: &str, timeout: &str, done: &dyn Fn(&[String]) -> bool| {
        let dir = directory.path().join(dir);
        let test = TestContext::with(config_with(&[("dstreams.kafka.requestTimeout", timeout)]), interval())?;
        test.context().checkpoint(dir.to_str().ok_or("a path that is text")?);
        test.context().add_listener(Arc::new(said.clone()));
        let params = params(password);
        write!(said.clone(), "{params:?}")?;
        let stream = direct_stream(test.context(), Consumer::subscribe(["secret"]), params)?;
        let values = test.collect(&stream.map(|record| value(&record)));
        test.run_until(|| done(&values.batches().concat()))?;
        test.stop();
        Ok::<_, BoxError>(())
    };
    run(Kafka::SASL_PASSWORD, "right", "20s", &|values| values == ["a", "b"])?;
    run(wrong, "wrong", "1s", &|values| values.is_empty() && said.text().contains("Authentication failed"))?;
    // A property that the library refuses is named without its value.
    let refused = params(wrong).set("ssl.key.password.typo", wrong);
    let test = TestContext::with(config_with(&[]), interval())?;
    direct_stream(test.context(), Consumer::subscribe(["secret"]), refused)?.count().print();
    let refused = test.run(1).expect_err("there is no such property");
    assert!(refused.to_string().contains("ssl.key.password.typo"), "{refused}");
    write!(said.clone(), "{refused} {refused:?}")?;
    let all = said.text();
    // The configuration is said, too.
    assert!(all.contains("sasl.username"), "the library has said nothing");
    for secret in [Kafka::SASL_PASSWORD, wrong] {
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
