// SPDX-License-Identifier: Apache-2.0
//! Running totals in SQLite: right after every fault, since each partition is added once.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path};

use dstreams_sqlite::{SqliteSink, rusqlite::Connection};
use dstreams_streaming::{
    Config, Error, History as _, RddContext, Result, Time,
    testing::TestContext,
    time::{milliseconds, seconds},
};
use dstreams_wal::fault::{self, Fault};

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS totals (word TEXT PRIMARY KEY, n INTEGER NOT NULL CHECK (n < 1000))";
const ADD: &str = "INSERT INTO totals VALUES (?1, ?2) ON CONFLICT (word) DO UPDATE SET n = n + excluded.n";

fn totals_sink(database: &Path) -> SqliteSink<(&'static str, i64)> {
    SqliteSink::new(database, ADD, |row, add| add.execute(row)).setup(TABLE)
}

/// Two batches, each in two partitions.
fn input() -> Vec<Vec<(&'static str, i64)>> {
    vec![vec![("to", 1), ("be", 2), ("or", 3), ("not", 4)], vec![("to", 10), ("be", 20)]]
}

fn run(sink: SqliteSink<(&'static str, i64)>) -> Result<()> {
    let test = TestContext::new()?;
    test.input(input()).write_to(sink).named("totals");
    test.run(2)
}

fn totals(database: &Path) -> Vec<(String, i64)> {
    let connection = Connection::open(database).unwrap();
    let mut query = connection.prepare("SELECT word, n FROM totals ORDER BY word").unwrap();
    query.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(|row| row.unwrap()).collect()
}

fn count(database: &Path, sql: &str) -> i64 {
    Connection::open(database).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}

fn expected() -> Vec<(String, i64)> {
    [("be", 22), ("not", 4), ("or", 3), ("to", 11)].map(|(word, n)| (word.to_owned(), n)).to_vec()
}

#[test]
fn a_second_run_of_the_same_batches_adds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("totals.db");
    for _run in 0..3 {
        run(totals_sink(&database)).unwrap();
        assert_eq!(totals(&database), expected());
    }
    assert_eq!(count(&database, "SELECT count(*) FROM dstreams_commits"), 4);
    let positions = "SELECT count(*) FROM dstreams_commits WHERE positions = '{\"0\":{\"records\":4}}'
        AND application = 'test' AND output = 'totals' AND batch_ms = 1000 AND partitions = 2";
    assert_eq!(count(&database, positions), 2);
}

#[test]
fn totals_are_right_after_a_fault_at_any_step() {
    for step in ["begin", "write", "commit", "committed"] {
        for nth in 1..=4 {
            for fault in [Fault::DiskFull, Fault::Error] {
                let dir = tempfile::tempdir().unwrap();
                let database = dir.path().join("totals.db");
                let _armed = fault::arm(dir.path(), &format!("sqlite.{step}"), nth, fault);
                let test = TestContext::new().unwrap();
                test.input(input()).write_to(totals_sink(&database)).named("totals");
                test.context().start().unwrap();
                // The batch of the fault waits for 100 ms and is then complete.
                let failing = if nth <= 2 { 1 } else { 2 };
                for batch in 1..=2 {
                    test.clock().set(Time::from_millis(batch * 1_000));
                    if batch == failing {
                        let retry = Time::from_millis(batch * 1_000 + 100);
                        test.clock().await_waiter_for(retry);
                        test.clock().set(retry);
                    }
                    test.run(0).unwrap();
                    test.clock().await_waiter_for(Time::from_millis(batch * 1_000 + 1_000));
                }
                test.stop();
                assert_eq!(totals(&database), expected(), "{step} {nth} {fault:?}");
                run(totals_sink(&database)).unwrap();
                assert_eq!(totals(&database), expected(), "{step} {nth} {fault:?}, run again");
            }
        }
    }
}

#[test]
fn a_database_that_is_locked_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("totals.db");
    run(totals_sink(&database)).unwrap();
    let other = Connection::open(&database).unwrap();
    other.execute_batch("DELETE FROM totals; DELETE FROM dstreams_commits; BEGIN IMMEDIATE").unwrap();
    let test = TestContext::new().unwrap();
    let sink = totals_sink(&database).busy_timeout(milliseconds(200));
    test.input(input()).write_to(sink).named("totals");
    test.context().start().unwrap();
    test.clock().advance(seconds(1));
    test.clock().await_waiter_for(Time::from_millis(1_100));
    other.execute_batch("ROLLBACK").unwrap();
    test.clock().advance(milliseconds(100));
    test.run(1).unwrap();
    assert_eq!(totals(&database), expected());
}

#[test]
fn a_record_that_is_refused_fails_its_batch_and_leaves_nothing_of_its_partition() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("totals.db");
    let test = TestContext::new().unwrap();
    let rows = test.input_with(vec![Some(vec![("to", 1), ("be", 5_000)]), Some(vec![("or", 1)])], 1);
    rows.write_to(totals_sink(&database)).named("totals");
    let error = test.run(1).unwrap_err();
    assert!(
        matches!(error, Error::Output { .. }) && error.to_string().contains("CHECK constraint"),
        "{error}"
    );
    assert_eq!(totals(&database), []);
    assert_eq!(count(&database, "SELECT count(*) FROM dstreams_commits"), 0);
}

#[test]
fn a_task_that_panics_half_way_leaves_nothing_of_its_partition() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("totals.db");
    let rdd =
        RddContext::new(dstreams_rdd::RddOptions { threads: 2, max_task_failures: 2, ..Default::default() });
    let test = TestContext::on(rdd.unwrap(), Config::default(), seconds(1)).unwrap();
    let failures = std::sync::atomic::AtomicUsize::new(0);
    let rows = test.input(vec![(0..4_000).map(|n| ("n", i64::from(n % 2 == 0 && n < 800))).collect()]);
    let rows = rows.map(move |row| {
        let fails = row.1 == 0 && failures.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2_500;
        assert!(!fails, "as some do");
        row
    });
    rows.write_to(totals_sink(&database)).named("totals");
    test.run(1).unwrap();
    assert_eq!(totals(&database), [("n".to_owned(), 400)]);
}

#[test]
fn identities_are_kept_as_long_as_batches_may_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("totals.db");
    let test = TestContext::new().unwrap();
    let rows = test.input((0..10).map(|_| vec![("to", 1), ("be", 1)]).collect());
    rows.write_to(totals_sink(&database).keep_identities(seconds(3))).named("totals");
    test.run(10).unwrap();
    let rows = "SELECT count(*) FROM dstreams_commits";
    assert_eq!(count(&database, rows), 2 * 4);
    assert_eq!(count(&database, "SELECT min(batch_ms) FROM dstreams_commits"), 7_000);
}

/// Commits a partition of batch 1000 as another process does, while the batch is computed and after the sink was asked.
fn run_against_another(database: &Path, partition: usize, partitions: usize) -> Result<()> {
    let test = TestContext::new()?;
    let other = database.to_owned();
    let rows = test.input_with(vec![Some(vec![("to", 1)])], 1).map(move |row| {
        let commit = "INSERT INTO dstreams_commits VALUES ('test', 'totals', 1000, ?1, ?2, '{}', '')";
        Connection::open(&other).unwrap().execute(commit, (partition, partitions)).unwrap();
        row
    });
    rows.write_to(totals_sink(database)).named("totals");
    test.run(1)
}

#[test]
fn of_two_processes_with_one_batch_the_second_finds_out() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("totals.db");
    run_against_another(&database, 0, 1).unwrap();
    assert_eq!(totals(&database), []);
    let database = dir.path().join("others.db");
    let error = run_against_another(&database, 3, 4).unwrap_err().to_string();
    assert!(error.contains("1 of 4 partitions were written before, and now the batch has 1"), "{error}");
    assert_eq!(totals(&database), []);
}

#[test]
fn a_directory_that_is_missing_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("later/totals.db");
    let test = TestContext::new().unwrap();
    test.input(input()).write_to(totals_sink(&database)).named("totals");
    test.context().start().unwrap();
    test.clock().advance(seconds(1));
    test.clock().await_waiter_for(Time::from_millis(1_100));
    fs::create_dir(dir.path().join("later")).unwrap();
    test.clock().advance(milliseconds(100));
    test.run(1).unwrap();
    assert_eq!(totals(&database), expected());
}

/// What the processes do that the test below starts.
const CRASH_WITH: &str = "SQLITE_SINK_CRASH_WITH";

/// Does nothing in a test run of its own.
#[test]
fn process_that_is_to_crash() {
    if let Some(database) = std::env::var_os(CRASH_WITH) {
        run(totals_sink(Path::new(&database))).unwrap();
    }
}

#[test]
fn a_process_that_ends_at_any_step_loses_and_doubles_nothing() {
    for step in ["begin", "write", "commit", "committed"] {
        for nth in 1..=4 {
            let dir = tempfile::tempdir().unwrap();
            let database = dir.path().join("totals.db");
            let mut process = std::process::Command::new(std::env::current_exe().unwrap());
            process.args(["process_that_is_to_crash", "--exact"]).env(CRASH_WITH, &database);
            let ended = process.env(fault::FAULTS, format!("sqlite.{step}@{nth}=crash")).output().unwrap();
            assert!(!ended.status.success(), "{step} {nth}");
            run(totals_sink(&database)).unwrap();
            assert_eq!(totals(&database), expected(), "{step} {nth}");
        }
    }
}

#[test]
fn the_latest_batches_are_told_with_what_they_are_made_of()
-> std::result::Result<(), dstreams_streaming::BoxError> {
    let directory = tempfile::tempdir()?;
    let database = directory.path().join("results.db");
    run(totals_sink(&database))?;
    let latest = totals_sink(&database).latest("test", "totals", 1)?;
    assert_eq!(latest.len(), 1);
    assert_eq!(latest[0].batch_time.as_millis(), 2000);
    assert!(latest[0].committed.is_complete() && latest[0].positions.contains("records"));
    let delete = "DELETE FROM dstreams_commits WHERE batch_ms = 1000 AND partition = 0";
    Connection::open(&database)?.execute(delete, [])?;
    let latest = totals_sink(&database).latest("test", "totals", 9)?;
    let complete: Vec<_> = latest.iter().map(|batch| batch.committed.is_complete()).collect();
    assert_eq!(complete, [true, false]);
    assert_eq!(totals_sink(&database).latest("test", "others", 9)?, []);
    Ok(())
}
