// SPDX-License-Identifier: Apache-2.0
//! TLS in front of a server that has none.

use std::{
    io::{self, BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::Authority;
use crate::start::{StartError, find_in_path, or_skip};

const PROGRAM: &str = include_str!("front.py");

/// Takes connections with TLS and passes on to a server what they say.
pub struct TlsFront {
    process: Child,
    port: u16,
    authority: Authority,
}

impl TlsFront {
    /// One in front of the server at a URL with `http://`; none where there is no Python or OpenSSL, which is said in one
    /// line. With `CI` set that is a failure.
    ///
    /// # Panics
    ///
    /// When it does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str, server: &str) -> Option<Self> {
        or_skip(test, Self::start(server))
    }

    fn start(server: &str) -> Result<Self, StartError> {
        find_in_path("python3", "python3")?;
        let authority = Authority::new()?;
        let (certificate, key) = authority.vouch()?;
        let mut command = Command::new("python3");
        command.args([Path::new("-c"), Path::new(PROGRAM), &certificate, &key]);
        command.arg(server.trim_start_matches("http://"));
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let said = process.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut front = Self { process, port: 0, authority };
        let mut first = String::new();
        BufReader::new(said).read_line(&mut first)?;
        front.port = first.trim().parse().map_err(|_| io::Error::other(format!("no port: {first}")))?;
        Ok(front)
    }

    /// Who vouches for it.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
