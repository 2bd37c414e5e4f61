// SPDX-License-Identifier: Apache-2.0
//! A private S3 server: moto, a Python program that keeps objects in memory, on a free port of this machine.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use crate::{
    python::install,
    start::{StartError, or_skip},
};

/// What is installed.
const PACKAGES: [&str; 3] = ["moto[s3]==5.2.*", "flask==3.*", "flask-cors==6.*"];
const NAME: &str = "moto-5.2";

/// It ends when the process that has started it is gone, and with that the other end of its input.
const PROGRAM: &str = "
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.server import main
main(['-H', '127.0.0.1', '-p', '0'])
";

/// What the server says when it can be used; the address follows.
const READY: &str = "Running on http://";

/// A server with one bucket. Whoever asks may do anything.
pub struct S3 {
    child: Child,
    address: String,
}

impl S3 {
    /// The bucket that is there from the beginning.
    pub const BUCKET: &str = "bucket";

    /// Starts a server, installing it first if it must.
    pub fn start() -> Result<Self, StartError> {
        let packages = install(NAME, &PACKAGES)?;
        let mut command = Command::new("python3");
        command.args(["-c", PROGRAM]);
        command.env("PYTHONPATH", packages).env("PYTHONUNBUFFERED", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(StartError::Failed)?;
        let log = child.stderr.take().ok_or_else(|| io::Error::other("no log"))?;
        let mut server = Self { child, address: String::new() };
        let mut said = Vec::new();
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        for line in lines.by_ref() {
            if let Some((_, address)) = line.split_once(READY) {
                address.trim().clone_into(&mut server.address);
                // The server must not wait for a reader of its log; it ends with the server.
                std::thread::spawn(move || lines.for_each(drop));
                server.make_bucket()?;
                return Ok(server);
            }
            said.push(line);
        }
        Err(StartError::Failed(io::Error::other(said.join("\n"))))
    }

    /// A server for a test; none where it cannot be installed, which is said in one line. With `CI` set that is a failure.
    ///
    /// # Panics
    ///
    /// When the server does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }

    /// A URL in the bucket.
    pub fn url(&self, path: &str) -> String {
        format!("s3://{}/{path}", Self::BUCKET)
    }

    /// What a program has to be configured with.
    pub fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("dstreams.objectStore.endpoint", format!("http://{}", self.address)),
            ("dstreams.objectStore.allowHttp", "true".to_owned()),
            ("dstreams.objectStore.region", "us-east-1".to_owned()),
            ("dstreams.objectStore.accessKeyId", "test".to_owned()),
            ("dstreams.objectStore.secretAccessKey", "test".to_owned()),
        ]
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

    fn make_bucket(&self) -> io::Result<()> {
        let mut connection = TcpStream::connect(&self.address)?;
        write!(
            connection,
            "PUT /{} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Self::BUCKET,
            self.address
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(io::Error::other(answer)) }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
