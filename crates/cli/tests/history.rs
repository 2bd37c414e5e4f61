// SPDX-License-Identifier: Apache-2.0
//! A run that has ended, looked at again.
#![allow(clippy::unwrap_used, reason = "tests")]

mod process;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
};

use process::Demo;

#[test]
fn a_run_that_has_ended_is_listed_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let logged = format!("spark.eventLog.dir={}", dir.path().display());
    let enabled = ["--conf", "spark.eventLog.enabled=true", "--conf", "spark.ui.port=0", "--conf", &logged];
    let demo = ["--interval", "100ms", "--batches", "3", "--master", "local[2]", "--rate", "5000"];
    let (_, errors, status) = Demo::start(&[&demo[..], &enabled].concat()).finish();
    assert!(status.success(), "{errors}");

    let history = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dstreams"));
        command.arg("history").arg(dir.path()).args(more).stdout(Stdio::piped());
        command
    };
    let listed = history(&["--list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.starts_with("local-") && listed.ends_with("dstreams-demo\n"), "{listed}");

    let mut shown = history(&["--port", "0"]).spawn().unwrap();
    let mut lines = BufReader::new(shown.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| {
        let line = line.unwrap();
        let (_, rest) = line.split_once("http://")?;
        rest.split_once(". ").map(|(address, _)| address.to_owned())
    });
    let mut stream = TcpStream::connect(address.unwrap()).unwrap();
    stream.write_all(b"GET /streaming/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(
        page.contains("Stopped; the last batch was that of") && page.contains("Completed Batches (last "),
        "{page}"
    );
    shown.kill().unwrap();
    shown.wait().unwrap();
}
