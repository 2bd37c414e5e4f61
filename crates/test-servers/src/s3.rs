// SPDX-License-Identifier: Apache-2.0
//! A private S3 server: moto, a program in Python.

use std::{ops::Deref, process::Command};

use crate::{
    object_server::ObjectServer,
    packages::python,
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
pub struct S3(ObjectServer);

impl S3 {
    /// Starts a server, installing it first if it must.
    pub fn start() -> Result<Self, StartError> {
        let mut command = Command::new("python3");
        command
            .args(["-c", PROGRAM])
            .env("PYTHONPATH", python(NAME, &PACKAGES)?)
            .env("PYTHONUNBUFFERED", "1");
        let mut server = ObjectServer::start(&mut command, READY)?;
        server.make_bucket("/bucket")?;
        "s3://bucket".clone_into(&mut server.root);
        server.settings = vec![
            ("dstreams.objectStore.endpoint", format!("http://{}", server.address)),
            ("dstreams.objectStore.allowHttp", "true".to_owned()),
            ("dstreams.objectStore.region", "us-east-1".to_owned()),
            ("dstreams.objectStore.accessKeyId", "test".to_owned()),
            ("dstreams.objectStore.secretAccessKey", "test".to_owned()),
        ];
        Ok(Self(server))
    }

    /// A server for a test; none where it cannot be installed, which is said in one line. With `CI` set that is a failure.
    ///
    /// # Panics
    ///
    /// When the server does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }
}

impl Deref for S3 {
    type Target = ObjectServer;

    fn deref(&self) -> &ObjectServer {
        &self.0
    }
}
