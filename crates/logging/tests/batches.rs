// SPDX-License-Identifier: Apache-2.0
//! The log of a program that runs: in files by engine and application, each line of a batch with its time.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path, sync::Arc};

use dstreams_streaming::{Config, Error, clock::SystemClock, testing::TestContext};
use serde_json::Value;

fn config(settings: &[(&str, &str)]) -> Config {
    let mut config = Config::default();
    for (key, value) in settings {
        config.set(key, value).unwrap();
    }
    config
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The batch in whose span a line was written.
fn batch(line: &Value) -> Option<i64> {
    line["spans"].as_array()?.iter().find(|span| span["name"] == "batch")?["time"].as_i64()
}

#[test]
fn lines_of_tasks_and_outputs_carry_the_time_of_their_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, application) = (dir.path().join("engine.log"), dir.path().join("application.log"));
    let config = config(&[
        ("dstreams.log.file", engine.to_str().unwrap()),
        ("dstreams.log.applicationFile", application.to_str().unwrap()),
        ("dstreams.log.format", "json"),
        // Without a word of the engine's spans.
        ("dstreams.log.level", "warn,batches=info"),
    ]);
    dstreams_logging::start(&config).unwrap();
    let test = TestContext::new().unwrap();
    test.input(vec![vec![1], vec![2]]).for_each_rdd(|rdd, time| {
        tracing::info!("on the driver");
        rdd.for_each(|n| tracing::info!(n, "in a task"))?;
        if time.as_millis() == 2000 { Err(Error::user("no")) } else { Ok(()) }
    });
    test.run(2).unwrap_err();
    test.stop();

    let said = lines(&application);
    let by_batch = |line: &Value| (batch(line).unwrap(), line["message"].as_str().unwrap().to_owned());
    let told: Vec<_> = said.iter().map(by_batch).collect();
    let expected =
        [(1000, "on the driver"), (1000, "in a task"), (2000, "on the driver"), (2000, "in a task")];
    assert_eq!(told, expected.map(|(time, text)| (time, text.to_owned())));
    assert_eq!(said[1]["n"], 1);
    let errors = lines(&engine);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((batch(&errors[0]), errors[0]["level"].as_str()), (Some(2000), Some("ERROR")));
}

#[test]
fn text_is_one_line_for_each_event_in_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    let config = config(&[("dstreams.log.file", path.to_str().unwrap())]);
    let subscriber = dstreams_logging::subscriber(&config, &(Arc::new(SystemClock) as _)).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(target: "dstreams_streaming", "of the engine");
        tracing::warn!(orders = 3, "of the\napplication");
        tracing::debug!("not asked for");
    });
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].contains("INFO of the engine"), "{text}");
    assert!(lines[1].contains("WARN of the"), "{text}");
    assert!(text.contains("orders=3") && !text.contains("not asked for"), "{text}");
}

#[test]
fn what_cannot_be_logged_as_asked_is_an_error_at_the_start() {
    for (key, value, part) in [
        ("dstreams.log.level", "loud", "give a level such as info"),
        ("dstreams.log.file", "/nonexistent/app.log", "check that its directory exists"),
        ("dstreams.log.maxTotal", "64m", "at least two files must fit"),
    ] {
        let mut config = config(&[(key, value)]);
        if key.ends_with("maxTotal") {
            let file = std::env::temp_dir().join("never-written.log");
            config.set("dstreams.log.file", file.to_str().unwrap()).unwrap();
        }
        let Err(error) = dstreams_logging::subscriber(&config, &(Arc::new(SystemClock) as _)) else {
            panic!("{key}={value} is accepted")
        };
        assert!(error.to_string().contains(part), "{error}");
    }
}
