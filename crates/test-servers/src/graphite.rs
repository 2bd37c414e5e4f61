// SPDX-License-Identifier: Apache-2.0
//! A private Graphite: `carbon-cache` with its files below a temporary directory.

use std::{
    fs,
    io::{self, BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    ports::free_port,
    start::{StartError, find_in_path, or_skip},
};

/// A `carbon-cache` that takes lines and pickled batches.
pub struct Carbon {
    directory: TempDir,
    process: Child,
    lines: u16,
    pickles: u16,
}

impl Carbon {
    /// A server for a test; none where it is not installed, which is said in one line. With `CI` set that is a failure.
    ///
    /// # Panics
    ///
    /// When the server does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }

    fn start() -> Result<Self, StartError> {
        find_in_path("carbon-cache", "graphite-carbon")?;
        let directory = tempfile::Builder::new().prefix("carbon").tempdir()?;
        let root = directory.path();
        let (lines, pickles, queries) = (free_port()?, free_port()?, free_port()?);
        let settings = format!(
            "[cache]\nSTORAGE_DIR = {root}\nLOCAL_DATA_DIR = {root}/whisper\nCONF_DIR = {root}\nLOG_DIR = {root}/log\n\
             PID_DIR = {root}\nUSER =\nMAX_CACHE_SIZE = inf\nMAX_UPDATES_PER_SECOND = inf\nMAX_CREATES_PER_MINUTE = inf\n\
             LINE_RECEIVER_INTERFACE = 127.0.0.1\nLINE_RECEIVER_PORT = {lines}\n\
             PICKLE_RECEIVER_INTERFACE = 127.0.0.1\nPICKLE_RECEIVER_PORT = {pickles}\n\
             CACHE_QUERY_INTERFACE = 127.0.0.1\nCACHE_QUERY_PORT = {queries}\n",
            root = root.display()
        );
        fs::write(root.join("carbon.conf"), settings)?;
        fs::write(root.join("storage-schemas.conf"), "[all]\npattern = .*\nretentions = 1s:1d\n")?;
        let mut process = Command::new("carbon-cache")
            .arg(format!("--config={}", root.join("carbon.conf").display()))
            .args(["--nodaemon", "start"])
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let said = process.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let server = Self { directory, process, lines, pickles };
        let mut said = BufReader::new(said).lines().map_while(Result::ok);
        for port in [lines, pickles] {
            let ready = format!("starting on {port}");
            if !said.any(|line| line.ends_with(&ready)) {
                return Err(io::Error::other(format!("it has not said: {ready}")).into());
            }
        }
        // The server must not wait for a reader of what it says; it ends with the server.
        std::thread::spawn(move || said.for_each(drop));
        Ok(server)
    }

    /// The port for lines.
    pub fn line_port(&self) -> u16 {
        self.lines
    }

    /// The port for pickled batches.
    pub fn pickle_port(&self) -> u16 {
        self.pickles
    }

    /// The value that is stored of a metric at a time in seconds; waits until it is.
    ///
    /// # Panics
    ///
    /// When it never is.
    pub fn value(&self, metric: &str, time: i64) -> String {
        let file = self.directory.path().join("whisper").join(metric.replace('.', "/") + ".wsp");
        for _ in 0..200 {
            if let Some(value) = stored(&file, time) {
                return value;
            }
        }
        panic!("{metric} has never been stored");
    }
}

/// What `whisper-fetch` finds.
fn stored(file: &Path, time: i64) -> Option<String> {
    let found = Command::new("whisper-fetch")
        .args([format!("--from={}", time - 1), format!("--until={}", time + 1)])
        .arg(file)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with(&time.to_string()))?;
    line.split_whitespace().nth(1).filter(|value| *value != "None").map(str::to_owned)
}

impl Drop for Carbon {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}
