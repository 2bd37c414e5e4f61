// SPDX-License-Identifier: Apache-2.0
//! A program whose checkpoint directory is on a private server of objects.

use dstreams_streaming::{
    Config, DStream, Location,
    storage::location,
    testing::{Collected, TestContext},
    time::seconds,
};
use dstreams_test_servers::ObjectServer;

pub(crate) fn config(server: &ObjectServer, settings: &[(&str, &str)]) -> Config {
    let mut config = Config::default();
    for (key, value) in server.settings() {
        config.set(key, &value).expect("a known key");
    }
    for (key, value) in settings {
        config.set(key, value).expect("a known key");
    }
    config
}

/// A context on the directory whose clock has come to `start`.
pub(crate) fn context(
    server: &ObjectServer,
    dir: &str,
    start: i64,
    settings: &[(&str, &str)],
) -> TestContext {
    let test = TestContext::with(config(server, settings), seconds(1)).expect("an engine");
    test.context().checkpoint(server.url(dir));
    test.clock().advance(seconds(start));
    test
}

pub(crate) fn place(server: &ObjectServer, path: &str) -> Location {
    location(&server.url(path), &config(server, &[])).expect("a place")
}

/// `batches` batches of the number of the batch.
pub(crate) fn numbers(test: &TestContext, batches: i64) -> DStream<i64> {
    test.input((1..=batches).map(|n| vec![n]).collect())
}

pub(crate) fn sums(test: &TestContext) -> Collected<(char, i64)> {
    let sum = |new: Vec<i64>, sum: Option<i64>| Some(sum.unwrap_or(0) + new.iter().sum::<i64>());
    test.collect(&numbers(test, 20).map(|n| ('s', n)).update_state_by_key(sum))
}

pub(crate) fn sum_of(n: i64) -> Vec<(char, i64)> {
    vec![('s', n * (n + 1) / 2)]
}
