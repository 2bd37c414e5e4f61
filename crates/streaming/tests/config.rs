// SPDX-License-Identifier: Apache-2.0
//! The configuration: layers, checks, errors, warnings and what is shown.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use dstreams_streaming::config::{ByteSize, Config, ConfigError, Origin, Warning, keys};
use dstreams_streaming::time::{milliseconds, seconds};
use proptest::prelude::*;
use tempfile::TempDir;

const BLOCK_INTERVAL: &str = "spark.streaming.blockInterval";

/// A properties file with this text, in a directory that lives as long as the test holds it.
fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.properties");
    fs::write(&path, text).unwrap();
    (directory, path)
}

fn origin(config: &Config, key: &str) -> Origin {
    config.explain().into_iter().find(|row| row.key == key).unwrap().origin
}

#[test]
fn every_default_is_a_value_of_its_key() {
    let mut config = Config::new();
    for row in config.explain() {
        assert_eq!(row.origin, Origin::Default);
        if let Some(default) = config.text(&row.key).map(str::to_owned) {
            config.set(&row.key, &default).unwrap();
        }
    }
}

#[test]
fn the_documented_defaults() {
    let config = Config::new();
    assert!(config.get(&keys::MASTER).threads() >= 1);
    assert_eq!(config.get(&keys::BATCH_INTERVAL), seconds(1));
    assert_eq!(config.get(&keys::BLOCK_INTERVAL), milliseconds(200));
    assert_eq!(config.get(&keys::BLOCK_QUEUE_SIZE), 10);
    assert_eq!(config.get(&keys::RECEIVER_MAX_RATE), None);
    assert_eq!(config.get(&keys::RECEIVER_RESTART_DELAY), seconds(2));
    assert_eq!(config.get(&keys::RECEIVER_MAX_RESTART_DELAY), seconds(60));
    assert_eq!(config.get(&keys::GRACEFUL_STOP_TIMEOUT), None);
    assert_eq!(config.get(&keys::MEMORY_BUDGET), ByteSize::from_bytes(256 << 20));
    assert_eq!(config.get(&keys::SOCKET_MAX_LINE_LENGTH).as_usize(), 1 << 20);
    assert_eq!(config.get(&keys::UI_PORT), 4040);
    assert!(!config.get(&keys::BACKPRESSURE_ENABLED));
}

#[test]
fn later_layers_win_in_whatever_order_they_are_loaded() {
    let (_directory, path) = file("spark.streaming.blockInterval = 1ms");
    let mut config = Config::new();
    config.set_argument("spark.streaming.blockInterval=3ms").unwrap();
    config.load_environment([("SPARK_STREAMING_BLOCKINTERVAL", "2ms")]).unwrap();
    config.load_file(&path).unwrap();
    assert_eq!(config.get(&keys::BLOCK_INTERVAL), milliseconds(3));
    assert_eq!(origin(&config, BLOCK_INTERVAL), Origin::CommandLine);
    config.set(BLOCK_INTERVAL, "4ms").unwrap();
    config.set_argument("spark.streaming.blockInterval=5ms").unwrap();
    assert_eq!(config.get(&keys::BLOCK_INTERVAL), milliseconds(4));

    let mut config = Config::new();
    config.load_file(&path).unwrap();
    assert_eq!(origin(&config, BLOCK_INTERVAL), Origin::File { path, line: 1 });
    config.load_environment([("SPARK_STREAMING_BLOCKINTERVAL", "2ms")]).unwrap();
    assert_eq!(config.get(&keys::BLOCK_INTERVAL), milliseconds(2));
}

#[test]
fn within_a_layer_the_last_one_wins() {
    let (_directory, path) = file("spark.streaming.blockInterval 1ms\nspark.streaming.blockInterval 2ms\n");
    let mut config = Config::new();
    config.load_file(&path).unwrap();
    assert_eq!(config.get(&keys::BLOCK_INTERVAL), milliseconds(2));
}

#[test]
fn plain_numbers_count_in_the_unit_of_their_key() {
    let mut config = Config::new();
    for (key, text) in [
        (BLOCK_INTERVAL, "50"),
        ("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "5"),
        ("spark.streaming.receiverRestartDelay", "7"),
        ("dstreams.memory.budget", "1000"),
    ] {
        config.set(key, text).unwrap();
    }
    assert_eq!(config.get(&keys::BLOCK_INTERVAL), milliseconds(50));
    assert_eq!(config.get(&keys::RECEIVER_LOG_ROLLING_INTERVAL), seconds(5));
    assert_eq!(config.get(&keys::RECEIVER_RESTART_DELAY), milliseconds(7));
    assert_eq!(config.get(&keys::MEMORY_BUDGET).as_bytes(), 1000);
}

#[test]
fn bad_values_are_refused_with_key_value_form_and_origin() {
    let (_directory, path) = file("# intervals\nspark.streaming.blockInterval=soon\n");
    let message = Config::new().load_file(&path).unwrap_err().to_string();
    let place = format!("{}:2", path.display());
    for part in [BLOCK_INTERVAL, "`soon`", "a time such as 500ms", "above 0 ms", place.as_str()] {
        assert!(message.contains(part), "{message} lacks {part}");
    }
}

#[test]
fn values_outside_the_range_of_their_key_are_refused_and_leave_no_trace() {
    let mut config = Config::new();
    for (key, text) in [
        (BLOCK_INTERVAL, "0"),
        (BLOCK_INTERVAL, "-5ms"),
        ("spark.streaming.blockQueueSize", "0"),
        ("spark.streaming.blockQueueSize", "1.5"),
        ("spark.ui.port", "65536"),
        ("spark.streaming.stopGracefullyOnShutdown", "yes"),
        ("spark.streaming.backpressure.pid.minRate", "0"),
        ("spark.streaming.backpressure.pid.integral", "-0.1"),
        ("spark.streaming.backpressure.pid.integral", "NaN"),
        ("spark.streaming.backpressure.rateEstimator", "oracle"),
        ("spark.streaming.checkpoint.directory", ""),
        ("dstreams.memory.budget", "0"),
        ("dstreams.memory.budget", "lots"),
    ] {
        let error = config.set(key, text).unwrap_err();
        assert!(matches!(error, ConfigError::BadValue { .. }), "{error}");
    }
    assert!(config.explain().iter().all(|row| row.origin == Origin::Default));
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    let mut config = Config::new();
    for (key, expected) in [
        (
            "spark.streaming.receiver.wrteAheadLog.enable",
            Some("spark.streaming.receiver.writeAheadLog.enable"),
        ),
        ("spark.streaming.blockinterval", Some(BLOCK_INTERVAL)),
        ("blockInterval", Some(BLOCK_INTERVAL)),
        ("dstreams.memory.buget", Some("dstreams.memory.budget")),
        ("colour", None),
        ("app.", None),
    ] {
        match config.set(key, "1").unwrap_err() {
            ConfigError::UnknownKey { nearest, .. } => assert_eq!(nearest.as_deref(), expected, "{key}"),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn keys_of_the_program_are_free() {
    let mut config = Config::new();
    config.set_argument("app.topic=a=b").unwrap();
    assert_eq!(config.text("app.topic"), Some("a=b"));
    assert_eq!(config.text("app.other"), None);
    assert_eq!(origin(&config, "app.topic"), Origin::CommandLine);
}

#[test]
fn an_argument_without_a_key_or_a_value_is_refused() {
    for argument in ["spark.master", "", "=local"] {
        let error = Config::new().set_argument(argument).unwrap_err();
        assert!(matches!(error, ConfigError::NotAnAssignment { .. }), "{error}");
    }
}

#[test]
fn keys_without_a_meaning_are_accepted_with_one_warning_each() {
    let mut config = Config::new();
    for key in [
        "spark.executor.memory",
        "spark.yarn.queue",
        "spark.yarn.queue",
        "spark.speculation",
        "spark.ui.filters",
    ] {
        config.set(key, "4g").unwrap();
    }
    let names: Vec<&str> = config.warnings().iter().map(Warning::name).collect();
    assert_eq!(names, ["spark.executor.memory", "spark.yarn.queue", "spark.speculation", "spark.ui.filters"]);
    let shown = config.warnings()[0].to_string();
    assert!(
        shown.starts_with("`spark.executor.memory` (program) is ignored: ") && shown.contains("JVM"),
        "{shown}"
    );
    config.set("spark.streaming.checkpoint.directory", "/tmp/here").unwrap();
    assert_eq!(config.get(&keys::CHECKPOINT_DIRECTORY).as_deref(), Some("/tmp/here"));
    assert_eq!(config.warnings().len(), 4);
    // A name that only begins with the same letters is not below it.
    assert!(config.set("spark.yarnish", "1").is_err());
}

#[test]
fn an_old_name_sets_the_key_it_stands_for() {
    let mut config = Config::new();
    config.set("spark.streaming.minRememberDuration", "90").unwrap();
    assert_eq!(config.get(&keys::FILE_MIN_REMEMBER_DURATION), seconds(90));
    assert!(matches!(config.warnings(), [Warning::Renamed { .. }]));
}

#[test]
fn variables_of_others_are_left_alone_and_slips_of_the_pen_are_warned_about() {
    let mut config = Config::new();
    let variables = [
        ("PATH", "/bin"),
        ("SPARK_HOME", "/opt/spark"),
        ("DSTREAMS_SERVICE_HOST", "10.0.0.1"),
        ("SPARK_STREAMING_BLOCKINTERVALL", "1s"),
        ("DSTREAMS_MEMORY_BUDGET", "1g"),
    ];
    config.load_environment(variables).unwrap();
    assert_eq!(config.get(&keys::MEMORY_BUDGET).as_bytes(), 1 << 30);
    let shown: Vec<String> = config.warnings().iter().map(ToString::to_string).collect();
    let expected = "environment variable SPARK_STREAMING_BLOCKINTERVALL is ignored: \
                    it is close to SPARK_STREAMING_BLOCKINTERVAL";
    assert_eq!(shown, [expected]);
    let error = config.load_environment([("SPARK_UI_PORT", "tcp://10.0.0.1:4040")]).unwrap_err();
    assert!(error.to_string().contains("environment variable SPARK_UI_PORT"), "{error}");
}

#[test]
fn every_key_has_its_own_environment_variable() {
    let rows = Config::new().explain();
    let variables: HashSet<String> =
        rows.iter().map(|row| row.key.to_uppercase().replace('.', "_")).collect();
    assert_eq!(variables.len(), rows.len());
}

#[test]
fn secrets_are_masked_wherever_settings_are_shown() {
    let mut config = Config::new();
    for key in [
        "app.db.Password",
        "app.secretName",
        "app.api_TOKEN",
        "app.s3.access.key",
        "app.kafka.sasl.jaas.config",
        "app.kafka.ssl.key.pem",
        "app.kafka.ssl.keystore.key",
        "app.registry.credentials",
        "app.kafka.assertion.private.key.passphrase",
    ] {
        config.set(key, "hunter2").unwrap();
        assert_eq!(config.text(key), Some("hunter2"));
    }
    for option in
        ["accountKey", "azure_storage_account_key", "sasKey", "serviceAccountKey", "secretAccessKey"]
    {
        config.set(&format!("dstreams.objectStore.{option}"), "hunter2").unwrap();
    }
    config.set("app.topic", "visible").unwrap();
    let shown = format!("{config:?} {:?}", config.explain());
    assert!(!shown.contains("hunter2") && shown.contains("visible"), "{shown}");
}

#[test]
fn files_that_cannot_be_read_or_parsed_say_so() {
    let error = Config::new().load_file("/nowhere/app.properties").unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    assert!(error.to_string().contains("/nowhere/app.properties"));
    let (_directory, path) = file("spark.app.name = x\nspark.master = \\u00zz");
    let error = Config::new().load_file(&path).unwrap_err();
    assert!(matches!(error, ConfigError::Syntax { line: 2, .. }), "{error}");
}

proptest! {
    #[test]
    fn no_properties_file_panics(text in "[a.= :\\\\u0#\n]{0,60}") {
        let (_directory, path) = file(&text);
        let _ = Config::new().load_file(&path);
    }

    #[test]
    fn any_text_survives_the_way_through_a_properties_file(text in "[ -~\u{e9}\u{1f600}\t]{0,30}") {
        let escaped: String = text.trim().chars().flat_map(|c| ['\\', c]).collect();
        // Letters after a backslash may be escapes, so only the others are escaped.
        let escaped = escaped.chars().collect::<Vec<_>>().chunks(2).map(|pair| match pair[1] {
            c if c.is_ascii_alphabetic() => c.to_string(),
            '\t' => "\\t".to_owned(),
            c => format!("\\{c}"),
        }).collect::<String>();
        let (_directory, path) = file(&format!("app.text = {escaped}\n"));
        let mut config = Config::new();
        config.load_file(&path).unwrap();
        prop_assert_eq!(config.text("app.text"), Some(text.trim()));
    }
}

#[test]
fn a_key_of_a_feature_to_come_is_checked_and_accepted_with_a_warning() {
    let mut config = Config::new();
    config.set("spark.streaming.kinesis.retry.maxAttempts", "5").unwrap();
    config.set("spark.streaming.kinesis.retry.waitTime", "1s").unwrap();
    assert!(config.set("spark.streaming.kinesis.retry.waitTime", "many").is_err());
    let warnings: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for warning in &warnings {
        assert!(warning.contains("this version has no Kinesis sources"), "{warning}");
    }
}
