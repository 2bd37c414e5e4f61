// SPDX-License-Identifier: Apache-2.0
//! A private Ganglia: a `gmond` that collects what it is sent and measures nothing itself.

use std::{
    fs,
    io::Read as _,
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    ports::{free_port, until_listening},
    start::{StartError, find_in_path, or_skip},
};

/// A `gmond`.
pub struct Gmond {
    _directory: TempDir,
    process: Child,
    port: u16,
}

impl Gmond {
    /// A server for a test; none where it is not installed, which is said in one line. With `CI` set that is a failure.
    ///
    /// # Panics
    ///
    /// When the server does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }

    fn start() -> Result<Self, StartError> {
        find_in_path("gmond", "ganglia-monitor")?;
        let directory = tempfile::Builder::new().prefix("gmond").tempdir()?;
        let port = free_port()?;
        let settings = format!(
            "globals {{ daemonize = no setuid = no mute = yes deaf = no allow_extra_data = yes host_dmax = 0 cleanup_threshold = 300 }}\n\
             cluster {{ name = \"test\" }}\nudp_recv_channel {{ port = {port} bind = 127.0.0.1 }}\n\
             tcp_accept_channel {{ port = {port} bind = 127.0.0.1 }}\n"
        );
        let file = directory.path().join("gmond.conf");
        fs::write(&file, settings)?;
        let process = Command::new("gmond")
            .arg("--conf")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self { _directory: directory, process, port };
        until_listening(port)?;
        Ok(server)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The element of a metric in what it tells of all; waits until it is there.
    ///
    /// # Panics
    ///
    /// When it never is.
    pub fn metric(&self, name: &str) -> String {
        for _ in 0..2000 {
            let mut text = String::new();
            let stream = TcpStream::connect(("127.0.0.1", self.port));
            let _read = stream.and_then(|mut stream| stream.read_to_string(&mut text));
            let start = format!("<METRIC NAME=\"{name}\"");
            if let Some(at) = text.find(&start) {
                let rest = &text[at..];
                let end = rest.find("</METRIC>").unwrap_or(rest.len());
                return rest[..end].to_owned();
            }
        }
        panic!("{name} has never come");
    }
}

impl Drop for Gmond {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}
