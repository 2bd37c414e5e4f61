// SPDX-License-Identifier: Apache-2.0
//! What private servers of objects have in common: a program that keeps them in memory, on a free port of this machine.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use crate::start::StartError;

/// A server with one bucket. It ends with the test.
pub struct ObjectServer {
    child: Child,
    pub(crate) address: String,
    /// The URL of the bucket.
    pub(crate) root: String,
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl ObjectServer {
    /// Runs a program until it says where it listens, which is what follows `ready` in a line of its log, the standard
    /// error. The program must end with its input, which is when this process is gone.
    pub(crate) fn start(command: &mut Command, ready: &str) -> Result<Self, StartError> {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(StartError::Failed)?;
        let log = child.stderr.take().ok_or_else(|| io::Error::other("no log"))?;
        let mut server = Self { child, address: String::new(), root: String::new(), settings: Vec::new() };
        let mut said = Vec::new();
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        for line in lines.by_ref() {
            if let Some((_, address)) = line.split_once(ready) {
                address.trim().clone_into(&mut server.address);
                // The server must not wait for a reader of its log; it ends with the server.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(server);
            }
            said.push(line);
        }
        Err(StartError::Failed(io::Error::other(said.join("\n"))))
    }

    /// Asks it to make the bucket of this path.
    pub(crate) fn make_bucket(&self, path: &str) -> io::Result<()> {
        let mut connection = TcpStream::connect(&self.address)?;
        write!(
            connection,
            "PUT {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 20") { Ok(()) } else { Err(io::Error::other(answer)) }
    }

    /// A URL in the bucket.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.root)
    }

    /// What a program has to be configured with.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        self.settings.clone()
    }

    /// Has the server answer nothing until [`resume`](Self::resume); it forgets nothing.
    pub fn pause(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Has it go on after [`pause`](Self::pause).
    pub fn resume(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("the server cannot be signalled")) }
    }
}

impl Drop for ObjectServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
