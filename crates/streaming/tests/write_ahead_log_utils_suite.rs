// SPDX-License-Identifier: Apache-2.0
//! How logs are configured, after the original's `WriteAheadLogUtilsSuite`.
#![allow(clippy::unwrap_used, reason = "tests")]

use dstreams_streaming::{
    Config,
    config::{Warning, keys},
    time::seconds,
};

#[test]
fn log_selection_and_creation() {
    // There is one kind of log. A class is accepted, so that a properties file can be used as it is, and warned of.
    for key in ["spark.streaming.driver.writeAheadLog.class", "spark.streaming.receiver.writeAheadLog.class"]
    {
        let mut config = Config::new();
        config.set(key, "org.example.MyLog").unwrap();
        assert!(matches!(config.warnings(), [Warning::Ignored { key: ignored, .. }] if ignored == key));
    }
}

#[test]
fn defaults() {
    let config = Config::new();
    assert_eq!(config.get(&keys::RECEIVER_LOG_ENABLE), None, "on where there is a checkpoint directory");
    assert!(config.get(&keys::DRIVER_LOG_ALLOW_BATCHING));
    assert!(!config.get(&keys::DRIVER_LOG_CLOSE_AFTER_WRITE));
    assert!(!config.get(&keys::RECEIVER_LOG_CLOSE_AFTER_WRITE));
    assert_eq!(config.get(&keys::RECEIVER_LOG_ROLLING_INTERVAL), seconds(60));
    assert_eq!(config.get(&keys::RECEIVER_LOG_MAX_FAILURES), 3);
}

#[test]
fn settings_of_the_log_of_receivers_have_an_effect() {
    let mut config = Config::new();
    let settings = [
        ("enable", "true"),
        ("rollingIntervalSecs", "5"),
        ("maxFailures", "1"),
        ("closeFileAfterWrite", "true"),
    ];
    for (name, value) in settings {
        config.set(&format!("spark.streaming.receiver.writeAheadLog.{name}"), value).unwrap();
    }
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    assert_eq!(config.get(&keys::RECEIVER_LOG_ENABLE), Some(true));
    assert_eq!(config.get(&keys::RECEIVER_LOG_ROLLING_INTERVAL), seconds(5));
    assert!(config.set("spark.streaming.receiver.writeAheadLog.maxFailures", "0").is_err());
}
