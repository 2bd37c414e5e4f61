// SPDX-License-Identifier: Apache-2.0
//! `Visitor`: opens the pages and scrapes the metrics of the program, as people and their monitoring do.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::Duration,
};

use crate::Result;

/// What is asked for each time.
const PATHS: [&str; 4] = ["/streaming/", "/metrics/prometheus", "/metrics/json", "/api/v1/applications"];

const TIMEOUT: Duration = Duration::from_secs(10);

/// Visits the web UI at a port.
pub(super) struct Visitor {
    pub(super) port: u16,
    answers: u64,
}

impl Visitor {
    /// A visitor of a program that is yet to be started, on a port that is free now.
    pub(super) fn new() -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        Ok(Self { port, answers: 0 })
    }

    /// Asks for everything once.
    pub(super) fn visit(&mut self) -> Result<()> {
        for path in PATHS {
            let answer = self.get(path).map_err(|error| format!("{path}: {error}"))?;
            if !answer.starts_with("HTTP/1.1 200") {
                return Err(format!("{path}: {}", answer.lines().next().unwrap_or("no answer")).into());
            }
            self.answers += 1;
        }
        Ok(())
    }

    /// How many answers there were.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}
