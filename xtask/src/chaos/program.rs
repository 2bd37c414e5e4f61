// SPDX-License-Identifier: Apache-2.0
//! The program under test as a process: built, started, listened to, killed.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use super::{feed::KEYS, wait};
use crate::Result;

/// How the program is started, again and again, on the same directory.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Input, output, logs, and checkpoints if they are files, are below it.
    pub(super) home: PathBuf,
    pub(super) interval: Duration,
    /// The checkpoint directory, or its URL.
    pub(super) checkpoints: String,
    pub(super) postgres: Option<String>,
    pub(super) settings: Vec<(&'static str, String)>,
}

/// What the program says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Started,
    /// The outputs of the batch of this time are done.
    Batch(i64),
}

/// One life of the program.
pub(super) struct Life {
    child: Child,
    said: Receiver<(Instant, Said)>,
    pub(super) log: PathBuf,
}

/// Builds a program under test; returns where it is.
pub(super) fn build(root: &Path, name: &str) -> Result<PathBuf> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).args(["build", "--quiet", "--package", "xtask", "--bin", name]);
    if !command.status()?.success() {
        return Err("the program under test cannot be built".into());
    }
    let here = std::env::current_exe()?;
    let dir = here.parent().ok_or("a program without a directory")?;
    Ok(dir.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

impl Program {
    pub(super) fn input(&self) -> PathBuf {
        self.home.join("input")
    }

    pub(super) fn output(&self) -> PathBuf {
        self.home.join("output")
    }

    /// Starts it with a log of its own.
    pub(super) fn start(&self, life: &str, environment: &[(&str, &str)]) -> Result<Life> {
        let logs = self.home.join("logs");
        fs::create_dir_all(&logs)?;
        fs::create_dir_all(self.output())?;
        let log = logs.join(life);
        let mut command = Command::new(&self.path);
        command.args(["--master", "local[2]", "--interval", &format!("{}ms", self.interval.as_millis())]);
        let mut set = |key: &str, value: &str| {
            command.args(["--conf", &format!("{key}={value}")]);
        };
        set("app.input", &self.input().to_string_lossy());
        set("app.output", &self.output().to_string_lossy());
        set("app.keys", &KEYS.to_string());
        set("spark.streaming.checkpoint.directory", &self.checkpoints);
        set("spark.default.parallelism", "2");
        set("spark.ui.enabled", "false");
        // A stop lets what waits be processed, however slow the machine is.
        set("spark.streaming.gracefulStopTimeout", "60s");
        if let Some(url) = &self.postgres {
            set("app.postgres", url);
        }
        for (key, value) in &self.settings {
            set(key, value);
        }
        command.envs(environment.iter().copied());
        // It ends when this process is gone, and with it the other end.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut child = command.spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        let (sender, said) = channel();
        thread::spawn(move || {
            for said in lines.map_while(std::result::Result::ok).filter_map(|line| parse(&line)) {
                // The life may be over.
                let _ = sender.send((wait::now(), said));
            }
        });
        Ok(Life { child, said, log })
    }
}

fn parse(line: &str) -> Option<Said> {
    match line.split_once(' ') {
        Some(("batch", time)) => time.parse().ok().map(Said::Batch),
        _ => (line == "started").then_some(Said::Started),
    }
}

impl Life {
    /// The next thing it says until `end`; nothing when it says nothing, and an error when it has ended.
    pub(super) fn hear(&self, end: Instant) -> Result<Option<(Instant, Said)>> {
        match self.said.recv_timeout(end.saturating_duration_since(wait::now())) {
            Ok(said) => Ok(Some(said)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(format!("the program has ended by itself; its log is {}", self.log.display()).into())
            }
        }
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Ends it as `kill -9` does; returns when it is gone.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to process what it has and to stop.
    pub(super) fn ask_to_stop(&self) -> Result<()> {
        let id = self.child.id().to_string();
        // It may have ended just now, which its exit status tells.
        Command::new("kill").args(["-TERM", &id]).stderr(Stdio::null()).status()?;
        Ok(())
    }

    /// Waits for its end.
    pub(super) fn await_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("the end of the program, whose log is {}", self.log.display());
        wait::until(&what, limit, || Ok(self.child.try_wait()?))
    }

    /// The last lines of its log, for a person.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
