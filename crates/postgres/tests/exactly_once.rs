// SPDX-License-Identifier: Apache-2.0
//! Running totals on a real server: right after every fault and restart, since each partition is added once.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};

use dstreams_postgres::{
    PostgresSink,
    postgres::{Client, Error, NoTls},
};
use dstreams_rdd::RddOptions;
use dstreams_streaming::{
    Config, History as _, RddContext, Result, Time, testing::TestContext, time::seconds,
};
use dstreams_test_servers::Postgres;
use dstreams_wal::fault::{self, Fault};

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS totals (word text PRIMARY KEY, n bigint NOT NULL CHECK (n < 1000))";
const MERGE: &str =
    "INSERT INTO totals SELECT * FROM staged ON CONFLICT (word) DO UPDATE SET n = totals.n + excluded.n";

type Row = (&'static str, i64);

fn totals_sink(url: &str) -> PostgresSink<Row> {
    let encode = |(word, n): Row, row: &mut dstreams_postgres::CopyRow| {
        row.add(word).add(n);
    };
    PostgresSink::new(url, "totals", ["word", "n"], encode).setup(TABLE).merge(MERGE)
}

/// Two batches, each in two partitions.
fn input() -> Vec<Vec<Row>> {
    vec![vec![("to", 1), ("be", 2), ("or", 3), ("not", 4)], vec![("to", 10), ("be", 20)]]
}

fn run(sink: PostgresSink<Row>) -> Result<()> {
    let test = TestContext::new()?;
    test.input(input()).write_to(sink).named("totals");
    test.run(2)
}

fn client(url: &str) -> Client {
    Client::connect(url, NoTls).unwrap()
}

fn totals(url: &str) -> Vec<(String, i64)> {
    let rows = client(url).query("SELECT word, n FROM totals ORDER BY word", &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn count(url: &str, condition: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM dstreams_commits WHERE {condition}");
    client(url).query_one(&sql, &[]).unwrap().get(0)
}

fn expected() -> Vec<(String, i64)> {
    [("be", 22), ("not", 4), ("or", 3), ("to", 11)].map(|(word, n)| (word.to_owned(), n)).to_vec()
}

#[test]
fn totals_are_right_after_a_fault_at_any_step_and_when_run_again() {
    let Some(server) = Postgres::start_or_skip("the test of faults with PostgreSQL") else { return };
    for step in ["begin", "write", "commit", "committed"] {
        for nth in 1..=4 {
            let database = format!("{step}{nth}");
            client(&server.url("postgres")).batch_execute(&format!("CREATE DATABASE {database}")).unwrap();
            let url = server.url(&database);
            let _armed = fault::arm(&database, &format!("postgres.{step}"), nth, Fault::Error);
            let test = TestContext::new().unwrap();
            test.input(input()).write_to(totals_sink(&url)).named("totals");
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
                test.clock().await_waiter_for(Time::from_millis(batch * 1_000 + 1_000));
            }
            test.stop();
            assert_eq!(totals(&url), expected(), "{database}");
            run(totals_sink(&url)).unwrap();
            assert_eq!(totals(&url), expected(), "{database}, run again");
            assert_eq!(count(&url, "application = 'test' AND output = 'totals' AND partitions = 2"), 4);
        }
    }
}

#[test]
fn a_server_that_goes_away_is_waited_for() {
    let Some(mut server) = Postgres::start_or_skip("the test of an outage of PostgreSQL") else { return };
    let url = server.url("postgres");
    let test = TestContext::new().unwrap();
    test.input(input()).write_to(totals_sink(&url)).named("totals");
    test.run(1).unwrap();
    server.kill();
    test.clock().set(Time::from_millis(2_000));
    for retry in [2_100, 2_300] {
        test.clock().await_waiter_for(Time::from_millis(retry));
        test.clock().set(Time::from_millis(retry));
    }
    test.clock().await_waiter_for(Time::from_millis(2_700));
    server.resume().unwrap();
    test.clock().set(Time::from_millis(2_700));
    test.run(1).unwrap();
    assert_eq!(totals(&url), expected());
    // The other way to end it, which tells the clients.
    server.stop().unwrap();
    server.resume().unwrap();
    run(totals_sink(&url)).unwrap();
    assert_eq!(totals(&url), expected());
}

#[test]
fn what_the_server_refuses_fails_its_batch_and_leaves_nothing_of_its_partition() {
    let Some(server) = Postgres::start_or_skip("the test of refused rows with PostgreSQL") else { return };
    let url = server.url("postgres");
    let test = TestContext::new().unwrap();
    let rows = test.input_with(vec![Some(vec![("to", 1), ("be", 5_000)])], 1);
    rows.write_to(totals_sink(&url)).named("totals");
    let error = test.run(1).unwrap_err().to_string();
    assert!(error.contains("ERROR 23514: new row for relation \"totals\" violates check"), "{error}");
    assert_eq!((totals(&url), count(&url, "true")), (vec![], 0));
    drop(test);

    let test = TestContext::new().unwrap();
    let nowhere = PostgresSink::new(&url, "nowhere", ["n"], |n: i32, row| {
        row.add(n);
    });
    test.input(vec![vec![1]]).write_to(nowhere);
    let error = test.run(1).unwrap_err().to_string();
    assert!(error.contains("relation \"nowhere\" does not exist"), "{error}");
}

#[test]
fn a_task_that_fails_half_way_leaves_nothing_of_its_partition_and_a_usable_connection() {
    let Some(server) = Postgres::start_or_skip("the test of failing tasks with PostgreSQL") else { return };
    let url = server.url("postgres");
    let options = RddOptions { threads: 2, max_task_failures: 3, ..RddOptions::default() };
    let test = TestContext::on(RddContext::new(options).unwrap(), Config::default(), seconds(1)).unwrap();
    let seen = AtomicUsize::new(0);
    let rows = test.input((0..2).map(|_| (0..20_000).map(|n| ("n", n % 2)).collect()).collect());
    let rows = rows.filter(move |_| {
        assert!(seen.fetch_add(1, Ordering::Relaxed) % 30_000 != 15_000, "as some do");
        true
    });
    let copied = PostgresSink::new(&url, "rows", ["n"], |(_, n): Row, row| {
        row.add(n);
    });
    rows.write_to(copied.setup("CREATE TABLE IF NOT EXISTS rows (n bigint)")).named("rows");
    test.run(2).unwrap();
    let row = client(&url).query_one("SELECT count(*), sum(n)::bigint FROM rows", &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (40_000, 20_000));
}

#[test]
fn rows_are_copied_as_they_are_and_old_identities_go() {
    let Some(server) = Postgres::start_or_skip("the test of rows with PostgreSQL") else { return };
    let url = server.url("postgres");
    let texts = PostgresSink::new(&url, "texts", ["t", "n", "b"], |(text, n): (&str, Option<i32>), row| {
        row.add(text).add_option(n).add_bytes(text.as_bytes());
    });
    let texts =
        texts.setup("CREATE TABLE IF NOT EXISTS texts (t text, n int, b bytea)").keep_identities(seconds(3));
    let odd = "tab\there\\N\nline\r, \"quoted\" 'é'";
    let test = TestContext::new().unwrap();
    let batches = (0..10).map(|batch| vec![(odd, Some(batch)), ("\\.", None)]).collect();
    test.input_with(batches_of(batches), 2).write_to(texts).named("texts");
    let sum = PostgresSink::with(&url, |client, records| {
        let mut written = 0;
        for n in records {
            client.execute("UPDATE sums SET n = n + $1", &[&n])?;
            written += 1;
        }
        Ok::<u64, Error>(written)
    });
    let sum = sum.setup(
        "CREATE TABLE IF NOT EXISTS sums (one int PRIMARY KEY, n bigint); INSERT INTO sums VALUES (1, 0) ON CONFLICT DO NOTHING",
    );
    test.input_with(batches_of((1..=10i64).map(|n| vec![n, n]).collect()), 1).write_to(sum).named("sum");
    test.run(10).unwrap();
    let rows = client(&url).query("SELECT t, n FROM texts WHERE convert_from(b, 'UTF8') = t", &[]).unwrap();
    let read: Vec<(String, Option<i32>)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(read.iter().filter(|(text, n)| text == odd && n.is_some()).count(), 10);
    assert_eq!(read.iter().filter(|(text, n)| text == "\\." && n.is_none()).count(), 10);
    assert_eq!(client(&url).query_one("SELECT n FROM sums", &[]).unwrap().get::<_, i64>(0), 110);
    assert_eq!(
        (count(&url, "output = 'texts'"), count(&url, "batch_ms < 7000 AND output = 'texts'")),
        (8, 0)
    );
}

fn batches_of<T>(batches: Vec<Vec<T>>) -> Vec<Option<Vec<T>>> {
    batches.into_iter().map(Some).collect()
}

/// What the processes do that the test below starts.
const CRASH_WITH: &str = "POSTGRES_SINK_CRASH_WITH";

/// Does nothing in a test run of its own.
#[test]
fn process_that_is_to_crash() {
    if let Ok(url) = std::env::var(CRASH_WITH) {
        run(totals_sink(&url)).unwrap();
    }
}

#[test]
fn a_process_that_ends_at_any_step_loses_and_doubles_nothing() {
    let Some(server) = Postgres::start_or_skip("the test of crashes with PostgreSQL") else { return };
    for step in ["begin", "write", "commit", "committed"] {
        for nth in 1..=4 {
            let database = format!("crash_{step}{nth}");
            client(&server.url("postgres")).batch_execute(&format!("CREATE DATABASE {database}")).unwrap();
            let url = server.url(&database);
            let mut process = std::process::Command::new(std::env::current_exe().unwrap());
            process.args(["process_that_is_to_crash", "--exact"]).env(CRASH_WITH, &url);
            let ended = process.env(fault::FAULTS, format!("postgres.{step}@{nth}=crash")).output().unwrap();
            assert!(!ended.status.success(), "{database}");
            run(totals_sink(&url)).unwrap();
            assert_eq!(totals(&url), expected(), "{database}");
        }
    }
}

#[test]
fn the_latest_batches_are_told_with_what_they_are_made_of()
-> std::result::Result<(), dstreams_streaming::BoxError> {
    let Some(server) = Postgres::start_or_skip("the_latest_batches_are_told") else { return Ok(()) };
    let url = server.url("postgres");
    run(totals_sink(&url))?;
    let latest = totals_sink(&url).latest("test", "totals", 1)?;
    assert_eq!(latest.len(), 1);
    assert_eq!(latest[0].batch_time.as_millis(), 2000);
    assert!(latest[0].committed.is_complete() && latest[0].positions.contains("records"));
    client(&url).execute("DELETE FROM dstreams_commits WHERE batch_ms = 1000 AND partition = 0", &[])?;
    let latest = totals_sink(&url).latest("test", "totals", 9)?;
    let complete: Vec<_> = latest.iter().map(|batch| batch.committed.is_complete()).collect();
    assert_eq!(complete, [true, false]);
    assert_eq!(totals_sink(&url).latest("test", "others", 9)?, []);
    Ok(())
}
