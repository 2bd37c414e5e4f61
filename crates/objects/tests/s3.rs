// SPDX-License-Identifier: Apache-2.0
//! Programs whose checkpoint directory is on a real S3 server.

use std::sync::LazyLock;

use dstreams_streaming::{
    CheckpointContents, Config, DStream, Error, Location,
    storage::location,
    testing::{Collected, TestContext},
    time::{Duration, seconds},
};
use dstreams_test_servers::S3;

/// One server for all tests; each has a directory of its own.
fn server(test: &str) -> Option<&'static S3> {
    static SERVER: LazyLock<Option<S3>> = LazyLock::new(|| S3::start_or_skip("the tests on S3"));
    dstreams_objects::register();
    let server = SERVER.as_ref();
    if server.is_none() {
        eprintln!("{test} was not run");
    }
    server
}

fn config(server: &S3, settings: &[(&str, &str)]) -> Config {
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
fn context(server: &S3, dir: &str, start: i64, settings: &[(&str, &str)]) -> TestContext {
    let test = TestContext::with(config(server, settings), seconds(1)).expect("an engine");
    test.context().checkpoint(server.url(dir));
    test.clock().advance(seconds(start));
    test
}

fn place(server: &S3, path: &str) -> Location {
    location(&server.url(path), &config(server, &[])).expect("a place")
}

/// `batches` batches of the number of the batch.
fn numbers(test: &TestContext, batches: i64) -> DStream<i64> {
    test.input((1..=batches).map(|n| vec![n]).collect())
}

fn sums(test: &TestContext) -> Collected<(char, i64)> {
    let sum = |new: Vec<i64>, sum: Option<i64>| Some(sum.unwrap_or(0) + new.iter().sum::<i64>());
    test.collect(&numbers(test, 20).map(|n| ('s', n)).update_state_by_key(sum))
}

fn sum_of(n: i64) -> Vec<(char, i64)> {
    vec![('s', n * (n + 1) / 2)]
}

#[test]
fn states_go_on_where_they_were() {
    let Some(server) = server("states") else { return };
    for start in 0..4 {
        let test = context(server, "states", 3 * start, &[]);
        let seen = sums(&test);
        test.run(3).expect("all batches succeed");
        let expected: Vec<_> = (3 * start + 1..=3 * start + 3).map(sum_of).collect();
        assert_eq!(seen.batches(), expected, "from {start}");
    }
    let shown = CheckpointContents::read_with(&server.url("states"), &config(server, &[]));
    let shown = shown.expect("it is whole");
    assert_eq!(shown.completed.map(|time| time.as_millis()), Some(12_000));
}
