// SPDX-License-Identifier: Apache-2.0
//! A demo in a process of its own, as tests start it, watch it and end it.

#![allow(dead_code, reason = "tests, each of which uses a part")]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

/// A running `dstreams demo`.
pub(crate) struct Demo {
    pub(crate) process: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
    pub(crate) seen: String,
}

impl Demo {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_dstreams"))
            .arg("demo")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Self { process, stdout, seen: String::new() }
    }

    /// Reads on until `enough` is true of the last line; fails when the output ends before.
    pub(crate) fn read_until(&mut self, enough: impl Fn(&str) -> bool) {
        loop {
            let mut line = String::new();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "the demo ended early:\n{}", self.seen);
            self.seen.push_str(&line);
            if enough(&line) {
                return;
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// All of the output, standard error, and how it ended.
    pub(crate) fn finish(mut self) -> (String, String, ExitStatus) {
        self.stdout.read_to_string(&mut self.seen).unwrap();
        let mut errors = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        let status = self.process.wait().unwrap();
        (std::mem::take(&mut self.seen), errors, status)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // A test that failed half-way must not leave a process behind; one that has ended cannot be killed.
        let _ = self.process.kill();
    }
}
