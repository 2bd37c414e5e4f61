// SPDX-License-Identifier: Apache-2.0
//! `dstreams supervise` and `dstreams stop` with real processes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod process;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use process::Demo;

fn dstreams() -> Command {
    Command::new(env!("CARGO_BIN_EXE_dstreams"))
}

/// Supervises a shell script that notes each of its starts in a file, and returns how often it was started.
fn supervise(dir: &Path, arguments: &[&str], script: &str) -> (usize, Output) {
    let starts = dir.join("starts");
    let script = format!("echo start >> {}; {script}", starts.display());
    let output = dstreams()
        .args(["supervise", "--delay", "1ms"])
        .args(arguments)
        .args(["--", "sh", "-c", &script])
        .output()
        .unwrap();
    (fs::read_to_string(starts).unwrap().lines().count(), output)
}

#[test]
fn an_application_that_fails_is_started_again_as_often_as_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let (starts, output) = supervise(dir.path(), &["--max-attempts", "3"], "exit 5");
    assert_eq!((starts, output.status.code()), (3, Some(5)));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("after 3 starts within"), "{said}");
}

#[test]
fn an_application_that_has_stopped_is_not_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let (starts, output) = supervise(dir.path(), &[], "exit 0");
    assert_eq!((starts, output.status.code()), (1, Some(0)));
}

#[test]
fn an_application_that_is_misconfigured_is_not_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let (starts, output) = supervise(dir.path(), &["--max-attempts", "9"], "exit 78");
    assert_eq!((starts, output.status.code()), (1, Some(78)));
}

#[test]
fn an_application_that_was_killed_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("[ -e {0} ] || {{ touch {0}; kill -9 $$; }}", dir.path().join("second").display());
    let (starts, output) = supervise(dir.path(), &[], &script);
    assert_eq!((starts, output.status.code()), (2, Some(0)));
}

/// A supervised demo that runs.
fn supervised_demo() -> (Child, BufReader<ChildStdout>) {
    let mut supervisor = dstreams()
        .args([
            "supervise",
            "--",
            env!("CARGO_BIN_EXE_dstreams"),
            "demo",
            "--interval",
            "100ms",
            "--rate",
            "1000",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(supervisor.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    (supervisor, stdout)
}

#[test]
fn a_signal_is_passed_on_and_ends_both() {
    let (mut supervisor, mut stdout) = supervised_demo();
    let stopped =
        dstreams().args(["stop", "--pid", &supervisor.id().to_string(), "--wait", "0s"]).status().unwrap();
    assert!(stopped.success());
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert_eq!(supervisor.wait().unwrap().code(), Some(0));
}

#[test]
fn a_process_is_stopped_and_waited_for() {
    let mut demo = Demo::start(&["--interval", "100ms", "--rate", "1000"]);
    demo.read_until(|_| true);
    let id = demo.process.id().to_string();
    // The demo is a child of this test and is there until it has been waited for.
    let stop = dstreams().args(["stop", "--pid", &id, "--wait", "0s"]).status().unwrap();
    assert!(stop.success());
    let (_, _, status) = demo.finish();
    assert_eq!(status.code(), Some(0));
    let again = dstreams().args(["stop", "--pid", &id]).output().unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().contains("there is no process"));
}

#[test]
fn a_marker_is_placed_and_its_answer_shown() {
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("stop");
    let name = marker.to_str().unwrap();
    // In the place of an application.
    let script = format!("until [ -e {name} ]; do :; done; echo all done > {name}.$ANSWER; rm {name}");
    for (answer, code) in [("COMPLETED", 0), ("INCOMPLETE", 1)] {
        let mut application = Command::new("sh").args(["-c", &script]).env("ANSWER", answer).spawn().unwrap();
        let stop = dstreams().args(["stop", "--marker", name]).output().unwrap();
        assert!(application.wait().unwrap().success());
        assert_eq!(stop.status.code(), Some(code), "{stop:?}");
        let said = [stop.stdout, stop.stderr].concat();
        assert!(String::from_utf8(said).unwrap().contains("all done"));
    }
}

#[test]
fn an_address_where_nobody_is_is_said() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let stop = dstreams().args(["stop", &format!("http://127.0.0.1:{port}")]).output().unwrap();
    assert_eq!(stop.status.code(), Some(1));
    assert!(String::from_utf8(stop.stderr).unwrap().contains("does not answer"));
}
