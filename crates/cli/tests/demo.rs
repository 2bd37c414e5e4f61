// SPDX-License-Identifier: Apache-2.0
//! The binary itself, over real sockets and real files, stopped by real signals.
#![allow(clippy::unwrap_used, reason = "tests")]

mod process;

use std::{
    fs,
    io::{BufReader, Write},
    net::TcpListener,
    os::fd::OwnedFd,
    process::ChildStdout,
};

use process::Demo;

/// Reads rows until their records add up to `records`.
fn read_records(demo: &mut Demo, records: u64) {
    let mut sum = 0;
    while sum < records {
        let mut row = None;
        while row.is_none() {
            let before = demo.seen.len();
            demo.read_until(|_| true);
            row = records_of(&demo.seen[before..]);
        }
        sum += row.unwrap_or(0);
    }
    assert_eq!(sum, records, "{}", demo.seen);
}

/// The records of a row of the table: a time of day, then a number.
fn records_of(line: &str) -> Option<u64> {
    let mut columns = line.split_whitespace();
    columns.next()?.split([':', '.']).try_for_each(|part| part.parse::<u32>().map(drop)).ok()?;
    columns.next()?.replace(',', "").parse().ok()
}

fn summary(output: &str) -> &str {
    output.lines().find(|line| line.contains("records counted")).unwrap_or_default()
}

#[test]
fn generated_text_is_counted_completely() {
    let demo =
        Demo::start(&["--interval", "100ms", "--batches", "3", "--master", "local[2]", "--rate", "5000"]);
    let (output, errors, status) = demo.finish();
    assert!(status.success(), "{errors}");
    assert!(summary(&output).ends_with("records sent: all of them"), "{output}");
    assert!(output.contains("top words") && output.contains("the "), "{output}");
    assert_eq!(errors, "", "nothing to complain about");
}

#[test]
fn ctrl_c_in_the_middle_drains_and_prints_the_summary() {
    let mut demo = Demo::start(&["--interval", "100ms", "--rate", "5000"]);
    demo.read_until(|line| records_of(line).is_some_and(|records| records > 0));
    demo.signal("-INT");
    let (output, errors, status) = demo.finish();
    assert!(status.success(), "{errors}");
    assert!(summary(&output).ends_with("records sent: all of them"), "{output}");
}

#[test]
fn a_socket_source_is_read_until_a_signal_comes() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!("socket://{}", server.local_addr().unwrap());
    let mut demo = Demo::start(&["--source", &source, "--interval", "100ms"]);
    let (mut connection, _) = server.accept().unwrap();
    connection.write_all("to be or\nnot to be\n\nlast\n".as_bytes()).unwrap();
    read_records(&mut demo, 4);
    demo.signal("-TERM");
    let (output, errors, status) = demo.finish();
    assert!(status.success(), "{errors}");
    assert!(summary(&output).contains("4 records counted"), "{output}");
}

#[test]
fn a_source_that_is_not_there_yet_is_waited_for() {
    // The port is free again when the demo starts, and taken by the server afterwards.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let source = format!("socket://{address}");
    let settings =
        ["--source", &source, "--interval", "100ms", "--conf", "spark.streaming.receiverRestartDelay=100ms"];
    let mut demo = Demo::start(&settings);
    demo.read_until(|line| records_of(line) == Some(0));
    let server = TcpListener::bind(address).unwrap();
    let (mut connection, _) = server.accept().unwrap();
    connection.write_all(b"here\n").unwrap();
    read_records(&mut demo, 1);
    demo.signal("-INT");
    let (_, errors, status) = demo.finish();
    assert!(status.success(), "{errors}");
    assert!(errors.contains(&address.to_string()), "the failed attempts are reported: {errors}");
}

#[test]
fn a_closed_terminal_disturbs_nobody() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let source = format!("socket://{address}");
    let settings =
        ["--source", &source, "--interval", "100ms", "--conf", "spark.streaming.receiverRestartDelay=100ms"];
    let mut demo = Demo::start(&settings);
    // From here on whoever has something to say is told that the pipe is broken.
    demo.process.stderr = None;
    demo.read_until(|line| records_of(line) == Some(0));
    let (reader, _closed) = std::io::pipe().unwrap();
    drop(std::mem::replace(&mut demo.stdout, BufReader::new(ChildStdout::from(OwnedFd::from(reader)))));
    let server = TcpListener::bind(address).unwrap();
    let (mut connection, _) = server.accept().unwrap();
    connection.write_all(b"nobody reads this\n").unwrap();
    demo.signal("-INT");
    assert!(demo.process.wait().unwrap().success());
}

#[test]
fn files_moved_into_a_directory_are_counted() {
    let directory = std::env::temp_dir().join(format!("dstreams-demo-{}", std::process::id()));
    let (incoming, staging) = (directory.join("in"), directory.join("staging"));
    fs::create_dir_all(&incoming).unwrap();
    fs::create_dir_all(&staging).unwrap();
    let source = format!("file://{}", incoming.display());
    let mut demo = Demo::start(&["--source", &source, "--interval", "100ms"]);
    demo.read_until(|line| records_of(line) == Some(0));
    for (name, text) in [("a.txt", "one two\nthree\n"), ("b.txt", "four\n")] {
        fs::write(staging.join(name), text).unwrap();
        fs::rename(staging.join(name), incoming.join(name)).unwrap();
    }
    read_records(&mut demo, 3);
    demo.signal("-INT");
    let (output, errors, status) = demo.finish();
    fs::remove_dir_all(&directory).unwrap();
    assert!(status.success(), "{errors}");
    assert!(summary(&output).contains("3 records counted"), "{output}");
}

#[test]
fn wrong_arguments_are_refused_with_what_to_do() {
    for (arguments, expected) in [
        (vec!["--source", "ftp://x"], "expected socket://host:port or file:///directory"),
        (vec!["--interval", "0s"], "must be longer than zero"),
        (vec!["--interval", "soon"], "soon"),
        (vec!["--master", "yarn"], "local[*]"),
        (vec!["--conf", "spark.streaming.blockIntervall=1s"], "spark.streaming.blockInterval"),
        (vec!["--rate", "0"], "--rate"),
        (vec!["--nonsense"], "--nonsense"),
    ] {
        let (output, errors, status) = Demo::start(&arguments).finish();
        assert!(!status.success(), "{arguments:?}: {output}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[cfg(feature = "kafka")]
#[test]
fn words_go_from_topic_to_topic_exactly_once() {
    use dstreams_test_servers::{Kafka, or_skip};
    // The demo starts one of its own.
    if or_skip("words_go_from_topic_to_topic_exactly_once", Kafka::start()).is_none() {
        return;
    }
    let arguments =
        ["--kafka", "--interval", "300ms", "--batches", "4", "--master", "local[2]", "--rate", "1000"];
    let (output, errors, status) = Demo::start(&arguments).finish();
    assert!(status.success(), "{output}{errors}");
    assert!(output.contains("lag") && output.contains("all of them, each once"), "{output}");
}
