// SPDX-License-Identifier: Apache-2.0
//! A private receiver of OpenTelemetry: that of its collector, built once with Go, which prints what it gets.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use crate::start::{StartError, complete, find_in_path, or_skip};

/// The program and what it is built from.
const SOURCES: [(&str, &str); 3] = [
    ("main.go", include_str!("../otlp/main.go")),
    ("go.mod", include_str!("../otlp/go.mod")),
    ("go.sum", include_str!("../otlp/go.sum")),
];
/// The tests of one process wait for each other.
static BUILDING: Mutex<()> = Mutex::new(());
/// Where it is built, once for all tests, below the target directory.
const BUILT: &str = "go/otlp-0.140";

/// A receiver of OTLP over HTTP.
pub struct OtlpReceiver {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl OtlpReceiver {
    /// A receiver for a test; none where it cannot be built, which is said in one line. With `CI` set that is a failure.
    ///
    /// # Panics
    ///
    /// When it does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }

    fn start() -> Result<Self, StartError> {
        let mut process = Command::new(build()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let said = process.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut receiver = Self { process, lines: BufReader::new(said).lines(), address: String::new() };
        let first = receiver.next_line()?;
        let address = first.strip_prefix("listening on ").ok_or_else(|| io::Error::other(first.clone()))?;
        address.clone_into(&mut receiver.address);
        Ok(receiver)
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was sent with the next request, as JSON: `metrics`, and as `token` what the header `x-token` held.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn next_request(&mut self) -> String {
        self.next_line().expect("the receiver runs")
    }

    fn next_line(&mut self) -> io::Result<String> {
        self.lines.next().unwrap_or_else(|| Err(io::Error::other("it has ended")))
    }
}

impl Drop for OtlpReceiver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program, built unless it is there. It takes a minute or two where nothing of it is there.
fn build() -> Result<PathBuf, StartError> {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let built = target.join(BUILT);
    let _alone = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    if built.exists() {
        return Ok(built);
    }
    find_in_path("go", "golang-go")?;
    let parent = built.parent().unwrap_or(&target);
    fs::create_dir_all(parent)?;
    // So may do other processes; the last that is ready gives it its name.
    let sources = tempfile::Builder::new().prefix("build").tempdir_in(parent)?;
    for (name, text) in SOURCES {
        fs::write(sources.path().join(name), text)?;
    }
    let mut go = Command::new("go");
    complete(go.args(["build", "-o", "receiver", "."]).current_dir(sources.path())).map_err(|error| {
        StartError::NotInstalled(format!("a receiver of OTLP cannot be built with go: {error}"))
    })?;
    fs::rename(sources.path().join("receiver"), &built)?;
    Ok(built)
}
