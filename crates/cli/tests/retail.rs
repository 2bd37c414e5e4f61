// SPDX-License-Identifier: Apache-2.0
//! `dstreams demo retail`: the binary itself, its tables, and what signals and kills leave of them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod process;

use std::{path::Path, process::Command};

use dstreams::sqlite::rusqlite::Connection;
use dstreams_test_servers::Postgres;
use process::Demo;

const PROVED: &str = "proved: nothing lost, nothing twice";

/// Small batches, quickly.
const SMALL: [&str; 6] = ["--interval", "200ms", "--rate", "3000", "--master", "local[2]"];

fn start(dir: &Path, arguments: &[&str]) -> Demo {
    let dir = ["retail", "--dir", dir.to_str().unwrap()];
    Demo::start(&[&dir[..], &SMALL, arguments].concat())
}

/// The numbers of a line of the proof: generated and found.
fn proved(output: &str, what: &str) -> (u64, u64) {
    let line = output.lines().rfind(|line| line.starts_with(what));
    let line = line.unwrap_or_else(|| panic!("no `{what}` in\n{output}"));
    let mut numbers = line[26..].split_whitespace().map(|number| number.replace(',', "").parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn number(database: &Path, sql: &str) -> u64 {
    Connection::open(database).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}

fn is_row(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|time| time.matches(':').count() == 2)
}

#[test]
fn every_sale_is_stored_once_and_the_totals_are_proved() {
    let dir = tempfile::tempdir().unwrap();
    let (output, errors, status) = start(dir.path(), &["--batches", "5"]).finish();
    assert!(status.success(), "{output}{errors}");
    assert_eq!(errors, "", "nothing to complain about");
    assert!(output.ends_with(&format!("{PROVED}\n")), "{output}");
    assert!(output.lines().filter(|line| is_row(line)).count() >= 5, "{output}");
    let database = dir.path().join("retail.db");
    let (sales, cents) = (proved(&output, "sales "), proved(&output, "revenue in cents"));
    assert_eq!(number(&database, "SELECT count(*) FROM sales"), sales.0);
    assert_eq!(number(&database, "SELECT count(DISTINCT id) FROM sales"), sales.0);
    assert_eq!(number(&database, "SELECT sum(cents) FROM sales"), cents.0);
    assert_eq!(number(&database, "SELECT sum(cents) FROM customers"), cents.0);
    assert_eq!(number(&database, "SELECT count(*) FROM sales WHERE region = '' OR category = ''"), 0);
}

#[test]
fn an_interrupted_demo_goes_on_in_the_same_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = start(dir.path(), &[]);
    demo.read_until(is_row);
    demo.signal("-INT");
    let (first, errors, status) = demo.finish();
    assert!(status.success() && first.contains(PROVED), "{first}{errors}");
    let (second, errors, status) = start(dir.path(), &["--batches", "3"]).finish();
    assert!(status.success() && second.contains(PROVED), "{second}{errors}");
    assert!(second.contains("going on"), "{second}");
    assert!(proved(&second, "messages ").1 >= proved(&first, "messages ").1 + 3 * 3, "{first}{second}");
}

#[test]
fn nothing_is_lost_or_doubled_by_kills_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let (output, errors, status) = start(dir.path(), &["--chaos", "--kills", "3"]).finish();
    assert!(status.success() && output.contains(PROVED), "{output}{errors}");
    assert!(output.contains("kill 3: SIGKILL after batch ") && output.contains("back after "), "{output}");
}

#[test]
fn the_pages_come_back_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = start(dir.path(), &["--chaos", "--conf", "spark.ui.port=0"]);
    demo.read_until(|line| line.starts_with("Watch it at "));
    let address = demo.seen.lines().last().unwrap();
    let address = address.strip_prefix("Watch it at ").unwrap().split(", ").next().unwrap().to_owned();
    for _ in 0..2 {
        demo.read_until(|line| line.contains("back after"));
        // It may be killed again at this very moment, and is back in the next.
        let mut top = Command::new(env!("CARGO_BIN_EXE_dstreams"));
        let top = top.args(["top", "--once", &address]);
        let shown =
            std::iter::repeat_with(|| top.output().unwrap()).take(1000).find(|top| top.status.success());
        let shown = String::from_utf8(shown.expect("it comes back").stdout).unwrap();
        assert!(shown.starts_with("dstreams-demo-retail ("), "{shown}");
    }
    demo.signal("-INT");
    let (output, errors, status) = demo.finish();
    assert!(status.success() && output.contains(PROVED), "{output}{errors}");
    assert_eq!(output.matches("Watch it at ").count(), 1, "{output}");
}

#[test]
fn the_supervisor_stops_its_worker_at_ctrl_c() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = start(dir.path(), &["--chaos"]);
    demo.read_until(|line| line.contains("back after"));
    demo.signal("-INT");
    let (output, errors, status) = demo.finish();
    assert!(status.success() && output.contains(PROVED), "{output}{errors}");
}

#[test]
fn postgres_gets_the_same_and_no_two_demos_share_it() {
    let Some(server) = Postgres::start_or_skip("the retail demo") else { return };
    let url = server.url("postgres");
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["--batches", "3"][..], &["--chaos", "--kills", "1"]] {
        let arguments = [&["--postgres", &url], arguments].concat();
        let (output, errors, status) = start(dir.path(), &arguments).finish();
        assert!(status.success() && output.contains(PROVED), "{output}{errors}");
    }
    let other = tempfile::tempdir().unwrap();
    let (_, errors, status) = start(other.path(), &["--postgres", &url]).finish();
    assert!(!status.success() && errors.contains("give the --dir of that demo"), "{errors}");
}

#[test]
fn tables_that_are_wrong_are_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let (output, errors, status) = start(dir.path(), &["--batches", "2"]).finish();
    assert!(status.success(), "{output}{errors}");
    let database = Connection::open(dir.path().join("retail.db")).unwrap();
    database
        .execute_batch(
            "DELETE FROM sales WHERE rowid = 1;
             INSERT INTO sales SELECT * FROM sales WHERE rowid = 2;
             UPDATE store_revenue SET cents = cents + 1 WHERE window_end_ms IN (SELECT max(window_end_ms) FROM store_revenue);",
        )
        .unwrap();
    drop(database);
    let (output, errors, status) = start(dir.path(), &["--batches", "1"]).finish();
    assert!(!status.success(), "{output}");
    assert!(output.contains("1 lost, 1 duplicated") && output.contains("WRONG"), "{output}");
    assert!(errors.contains("the tables are not what they should be"), "{errors}");
}

#[test]
fn a_directory_keeps_what_its_messages_are_made_from() {
    let dir = tempfile::tempdir().unwrap();
    let (output, errors, status) = start(dir.path(), &["--batches", "1"]).finish();
    assert!(status.success(), "{output}{errors}");
    let (_, errors, status) = start(dir.path(), &["--seed", "7"]).finish();
    assert!(!status.success() && errors.contains("begun with --seed 42 --interval 200 ms"), "{errors}");
}

#[test]
fn wrong_arguments_are_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below_a_file = file.join("dir");
    for (arguments, expected) in [
        (vec!["--rate", "0"], "above zero, or `max`"),
        (vec!["--rate", "fast"], "above zero, or `max`"),
        (vec!["--interval", "0s"], "above 0 ms"),
        (vec!["--interval", "soon"], "soon"),
        (vec!["--kills", "3"], "--chaos"),
        (vec!["--postgres", "postgres://localhost/shop"], "--dir"),
        (vec!["--dir", below_a_file.to_str().unwrap()], "cannot make"),
        (vec!["--conf", "spark.streaming.blockIntervall=1s"], "spark.streaming.blockInterval"),
        (vec!["--master", "yarn"], "local[*]"),
        (vec!["--source", "socket://localhost:1"], "--source"),
    ] {
        let (output, errors, status) = Demo::start(&[&["retail"], &arguments[..]].concat()).finish();
        assert!(!status.success(), "{arguments:?}: {output}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}
