// SPDX-License-Identifier: Apache-2.0
//! Receivers behind TLS: of HTTPS, and of mail with STARTTLS and with TLS from the start; TLS in front of other servers;
//! and who vouches for them.

mod front;

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

pub use front::TlsFront;
use tempfile::TempDir;

use crate::{
    packages::python,
    start::{StartError, complete, find_in_path, or_skip},
};

/// What is installed.
const PACKAGES: [&str; 1] = ["aiosmtpd==1.4.*"];
const NAME: &str = "aiosmtpd-1.4";

/// The receivers.
const PROGRAM: &str = include_str!("tls/receivers.py");

/// An authority for certificates, made for one test.
pub struct Authority {
    directory: TempDir,
}

impl Authority {
    /// A new authority.
    pub fn new() -> Result<Self, StartError> {
        find_in_path("openssl", "openssl")?;
        let authority = Self { directory: tempfile::Builder::new().prefix("authority").tempdir()? };
        let mut request = authority.openssl(&["req", "-x509", "-newkey", "ec", "-pkeyopt", CURVE, "-nodes"]);
        // Another authority has another name.
        let name = format!("/CN={}", authority.directory.path().display().to_string().replace('/', " "));
        request.args(["-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", &name]);
        complete(&mut request)?;
        Ok(authority)
    }

    /// The file with its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Files with a certificate for this machine as `localhost`, and with its key.
    fn vouch(&self) -> Result<(PathBuf, PathBuf), StartError> {
        let path = |name: &str| self.directory.path().join(name);
        fs::write(path("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")?;
        let mut request = self.openssl(&["req", "-newkey", "ec", "-pkeyopt", CURVE, "-nodes"]);
        complete(request.args(["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"]))?;
        let mut sign =
            self.openssl(&["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"]);
        complete(sign.args(["-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem"]))?;
        Ok((path("server.pem"), path("server.key")))
    }

    fn openssl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.directory.path());
        command
    }
}

/// The kind of keys.
const CURVE: &str = "ec_paramgen_curve:prime256v1";

/// Receivers of HTTPS, of mail with STARTTLS, and of mail with TLS from the start. Who sends mail logs in as `mailer` with
/// `secret`.
pub struct TlsReceivers {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    ports: [u16; 3],
    authority: Authority,
}

impl TlsReceivers {
    /// Receivers for a test; none where they cannot be installed, which is said in one line. With `CI` set that is a
    /// failure.
    ///
    /// # Panics
    ///
    /// When they do not start, and when there are none with `CI` set.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }

    fn start() -> Result<Self, StartError> {
        let packages = python(NAME, &PACKAGES)?;
        let authority = Authority::new()?;
        let (certificate, key) = authority.vouch()?;
        let mut command = Command::new("python3");
        command.args([Path::new("-c"), Path::new(PROGRAM), &certificate, &key]).env("PYTHONPATH", packages);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let said = process.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let lines = BufReader::new(said).lines();
        let mut receivers = Self { process, lines, ports: [0; 3], authority };
        let first = receivers.next_line()?;
        let ports: Vec<u16> = first.split(' ').filter_map(|port| port.parse().ok()).collect();
        receivers.ports = ports.try_into().map_err(|_| io::Error::other(first))?;
        Ok(receivers)
    }

    /// Who vouches for them.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Where HTTPS is received.
    pub fn https(&self) -> String {
        format!("https://localhost:{}/hook", self.ports[0])
    }

    /// Where mail is received, which begins without TLS.
    pub fn smtp(&self) -> String {
        format!("smtp://localhost:{}", self.ports[1])
    }

    /// Where mail is received over TLS from the start.
    pub fn smtps(&self) -> String {
        format!("smtps://localhost:{}", self.ports[2])
    }

    /// What was received next, as a line of JSON: `by`, `tls`, `body`, and for mail `login` and `to`.
    ///
    /// # Panics
    ///
    /// When they have ended.
    pub fn next_message(&mut self) -> String {
        self.next_line().expect("the receivers run")
    }

    fn next_line(&mut self) -> io::Result<String> {
        self.lines.next().unwrap_or_else(|| Err(io::Error::other("they have ended")))
    }
}

impl Drop for TlsReceivers {
    fn drop(&mut self) {
        // They may have ended by themselves.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
