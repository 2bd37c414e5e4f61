// SPDX-License-Identifier: Apache-2.0
//! A headless Chromium that shows pages to a test, driven by the DevTools protocol over two pipes.

use std::{
    env, fmt,
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::start::{StartError, or_skip};

/// Under which names the browser is found in the path.
const NAMES: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// How long a page may take to become what a test waits for, in milliseconds of its own clock.
const PATIENCE: u32 = 30_000;

/// Why the browser does not do what it is told.
#[derive(Debug)]
pub enum BrowserError {
    /// It cannot be started or spoken to.
    Io(io::Error),
    /// It refuses, or a script of the page has failed.
    Refused(String),
}

impl fmt::Display for BrowserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "Chromium cannot be used: {error}"),
            Self::Refused(reason) => write!(f, "Chromium: {reason}"),
        }
    }
}

impl std::error::Error for BrowserError {}

impl From<io::Error> for BrowserError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

type Result<T> = std::result::Result<T, BrowserError>;

/// A browser with one open page.
pub struct Chromium {
    pipes: TempDir,
    to: File,
    from: BufReader<File>,
    last: u64,
    session: Option<String>,
    /// Events that came while something else was waited for.
    loaded: bool,
}

impl Chromium {
    /// Starts a browser with a profile of its own.
    pub fn start() -> std::result::Result<Self, StartError> {
        let not_installed = || format!("Chromium is not installed: none of {NAMES:?} is in the path");
        let program = find().ok_or_else(|| StartError::NotInstalled(not_installed()))?;
        Self::run(&program).map_err(|error| StartError::Failed(io::Error::other(error)))
    }

    fn run(program: &Path) -> Result<Self> {
        let pipes = tempfile::Builder::new().prefix("chromium").tempdir()?;
        let (to, from) = (pipes.path().join("to"), pipes.path().join("from"));
        let made = Command::new("mkfifo").args([&to, &from]).status()?;
        if !made.success() {
            return Err(BrowserError::Refused("mkfifo has failed".to_owned()));
        }
        // Open for both directions, so that nobody waits for the other end.
        let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
        let (writer, reader) = (open(&to)?, open(&from)?);
        let mut browser = Command::new("sh")
            .args(["-c", r#"to=$1; from=$2; shift 2; exec "$@" 3<"$to" 4>"$from""#, "sh"])
            .args([&to, &from])
            .arg(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--disable-extensions", "--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", pipes.path().join("profile").display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut end = reader.try_clone()?;
        std::thread::spawn(move || {
            // Whoever waits for an answer learns that there will be none.
            let _ended = browser.wait();
            let _told = end.write_all(b"\0");
        });
        let mut chromium =
            Self { pipes, to: writer, from: BufReader::new(reader), last: 0, session: None, loaded: false };
        let target = chromium.call("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let attached = json!({ "targetId": target["targetId"], "flatten": true });
        let session = chromium.call("Target.attachToTarget", &attached)?;
        chromium.session = session["sessionId"].as_str().map(str::to_owned);
        chromium.call("Page.enable", &json!({}))?;
        Ok(chromium)
    }

    /// A browser for a test; none where Chromium is not installed, which is said in one line. With `CI` set that is a
    /// failure.
    ///
    /// # Panics
    ///
    /// When the browser does not start.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }

    /// Sets the size of the window in pixels, and whether the user prefers dark colours.
    pub fn look(&mut self, width: u32, height: u32, dark: bool) -> Result<()> {
        let mobile = width < 600;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.call("Emulation.setDeviceMetricsOverride", &size)?;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &media).map(drop)
    }

    /// Shows a page; returns when it and what belongs to it are loaded.
    pub fn open(&mut self, url: &str) -> Result<()> {
        self.loaded = false;
        let answer = self.call("Page.navigate", &json!({ "url": url }))?;
        if let Some(reason) = answer["errorText"].as_str() {
            return Err(BrowserError::Refused(format!("{url}: {reason}")));
        }
        while !self.loaded {
            self.receive()?;
        }
        Ok(())
    }

    /// The value of an expression of JavaScript on the page.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", &asked)?;
        match answer.get("exceptionDetails") {
            None => Ok(answer["result"]["value"].clone()),
            Some(details) => {
                let text =
                    details["exception"]["description"].as_str().or(details["exception"]["value"].as_str());
                Err(BrowserError::Refused(format!("{expression}: {}", text.unwrap_or("failed"))))
            }
        }
    }

    /// The text that an expression gives.
    pub fn text(&mut self, expression: &str) -> Result<String> {
        self.evaluate(expression).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// Waits until an expression is true on the page.
    pub fn wait_for(&mut self, expression: &str) -> Result<()> {
        let waiting = format!(
            "new Promise((done, fail) => {{
                const look = () => {{ if ({expression}) done(true); else setTimeout(look, 20); }};
                setTimeout(() => fail('not so within {PATIENCE} ms'), {PATIENCE});
                look();
            }})"
        );
        self.evaluate(&waiting).map(drop)
    }

    /// What the whole page looks like, as PNG.
    pub fn screenshot(&mut self) -> Result<Vec<u8>> {
        let size = self.call("Page.getLayoutMetrics", &json!({}))?;
        let size = &size["cssContentSize"];
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let answer = self.call(
            "Page.captureScreenshot",
            &json!({ "format": "png", "captureBeyondViewport": true, "clip": clip }),
        )?;
        Ok(from_base64(answer["data"].as_str().unwrap_or_default()))
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes())?;
        loop {
            let mut answer = self.receive()?;
            if answer["id"] == json!(self.last) {
                return match answer.get("error") {
                    None => Ok(answer["result"].take()),
                    Some(error) => Err(BrowserError::Refused(format!("{method}: {error}"))),
                };
            }
        }
    }

    /// The next message; notes what it says of the page.
    fn receive(&mut self) -> Result<Value> {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes)?;
        bytes.pop();
        if bytes.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let message: Value = serde_json::from_slice(&bytes).map_err(io::Error::from)?;
        self.loaded |= message["method"] == "Page.loadEventFired";
        Ok(message)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.session = None;
        // It ends its helpers itself when it is asked; when it does not answer, there is nothing more to do.
        let _closed = self.call("Browser.close", &json!({}));
        while self.receive().is_ok() {}
        let _removed = std::fs::remove_dir_all(self.pipes.path());
    }
}

fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let named =
        NAMES.iter().flat_map(|name| env::split_paths(&path).map(move |directory| directory.join(name)));
    named.into_iter().find(|program| program.is_file())
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let (mut out, mut bits, mut count) = (Vec::with_capacity(text.len() * 3 / 4), 0_usize, 0);
    for digit in digits {
        bits = (bits << 6 | digit) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap_or(0));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        assert_eq!(from_base64("aGVsbG8="), b"hello");
        assert_eq!(from_base64("iVBORw0KGgo="), b"\x89PNG\r\n\x1a\n");
    }
}
