// SPDX-License-Identifier: Apache-2.0
//! The programs that run workloads: how they are built and run, and which are missing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use dstreams_test_servers::Kafka;

use super::{Sample, System, spark};
use crate::{Result, kafka};

/// The programs that there are, and where they find and leave files.
pub(super) struct Programs {
    root: PathBuf,
    /// For files that cost nothing to make durable.
    scratch: PathBuf,
    /// Spark's classes with ours, if they are there.
    spark: Option<spark::Classes>,
    has_peers: bool,
    broker: Option<(Kafka, (&'static str, String))>,
    missing: Vec<String>,
}

impl Programs {
    /// Builds what can be built, and says of the peers that cannot be why.
    pub(super) fn prepare(root: &Path, with_peers: bool) -> Result<Self> {
        let mut build = cargo(root, &["build", "--release", "--package", "dstreams-bench"]);
        if !build.status()?.success() {
            return Err("the benchmarks do not build".into());
        }
        let in_memory = Path::new("/dev/shm");
        let scratch = if in_memory.is_dir() { in_memory } else { &root.join("target/bench") };
        let scratch = scratch.join(format!("dstreams-bench-{}", std::process::id()));
        let mut programs = Self {
            root: root.to_owned(),
            scratch,
            spark: None,
            has_peers: false,
            broker: None,
            missing: Vec::new(),
        };
        if !with_peers {
            return Ok(programs);
        }
        let mut build =
            cargo(&root.join("benches/peers"), &["build", "--release", "--locked", "--target-dir"]);
        if build.arg(root.join("target/bench/peers")).status()?.success() {
            programs.has_peers = true;
        } else {
            programs.miss("timely and renoir do not build here".to_owned());
        }
        match spark::prepare(root) {
            Ok(classes) => programs.spark = Some(classes),
            Err(error) => programs.miss(format!("Spark Streaming cannot be run here: {error}")),
        }
        Ok(programs)
    }

    /// Starts a broker for the workloads that read from one. Without it they are missing.
    pub(super) fn start_broker(&mut self) -> Result<bool> {
        self.broker = kafka::for_tests()?;
        if self.broker.is_none() {
            self.miss("there is no Apache Kafka here: it takes Java and Maven".to_owned());
        }
        Ok(self.broker.is_some())
    }

    fn miss(&mut self, line: String) {
        eprintln!("skipped: {line}");
        self.missing.push(line);
    }

    /// A line for each system that cannot be run, with the reason.
    pub(super) fn missing(&self) -> &[String] {
        &self.missing
    }

    /// The classes of Spark that are measured.
    pub(super) fn spark(&self) -> Option<&spark::Classes> {
        self.spark.as_ref()
    }

    pub(super) fn have(&self, system: System) -> bool {
        match system {
            System::Loop | System::Tuned | System::Dstreams(_) => true,
            System::Spark(_) => self.spark.is_some(),
            System::Timely(_) | System::TimelyOwned(_) | System::Renoir(_) | System::RenoirOwned(_) => {
                self.has_peers
            }
        }
    }

    /// The input files of a workload, which only our own program makes.
    pub(super) fn make_input(&self, workload: &str, arguments: &[String]) -> Result<()> {
        let mut command = Command::new(self.root.join("target/release/dstreams-bench"));
        command.arg(workload).arg("input").args(arguments);
        let output = self.with_places(&mut command).output()?;
        if output.status.success() { Ok(()) } else { Err(failure(workload, "its input", &output)) }
    }

    /// Runs a workload once.
    pub(super) fn run(&self, workload: &str, system: System, arguments: &[String]) -> Result<Sample> {
        let mut command = match system {
            System::Loop | System::Tuned | System::Dstreams(_) => {
                Command::new(self.root.join("target/release/dstreams-bench"))
            }
            System::Timely(_) | System::TimelyOwned(_) => {
                Command::new(self.root.join("target/bench/peers/release/bench-timely"))
            }
            System::Renoir(_) | System::RenoirOwned(_) => {
                Command::new(self.root.join("target/bench/peers/release/bench-renoir"))
            }
            System::Spark(_) => self.spark.as_ref().ok_or("Spark is missing")?.command(),
        };
        command.arg(workload).arg(system.name()).args(arguments);
        let command = self.with_places(&mut command);
        let output = output_within(LONGEST_RUN, command.arg("--spawned").arg(now().to_string()))?;
        let told = String::from_utf8_lossy(&output.stdout);
        match told.lines().rev().find(|line| line.starts_with('{')) {
            Some(line) if output.status.success() => Sample::parse(line),
            _ => Err(failure(workload, &system.name(), &output)),
        }
    }

    /// How many instructions a run of a workload on `local[1]` takes in all, with so many measured batches.
    pub(super) fn count_instructions(&self, workload: &str, scale: f64, batches: u32) -> Result<u64> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--"]);
        command.arg(self.root.join("target/release/dstreams-bench"));
        command.args([workload, "local[1]", "--warm", "2", "--scale", &scale.to_string()]);
        command.args(["--batches", &batches.to_string()]);
        let output = self.with_places(&mut command).output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        let count = told.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
        let count = count.filter(|_| output.status.success());
        count.ok_or_else(|| failure(workload, "valgrind", &output))
    }

    /// Tells a program where its input is and where it may write. Each run finds an empty directory for that.
    fn with_places<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let disk = self.root.join("target/bench/scratch");
        for directory in [&self.scratch, &disk] {
            let _it_may_not_be_there = fs::remove_dir_all(directory);
            let _the_program_will_say_so = fs::create_dir_all(directory);
        }
        command.envs(self.broker.iter().map(|(_, (name, address))| (name, address)));
        let feeder = self.root.join("target/release/dstreams-bench");
        command.arg("--data").arg(self.root.join("target/bench/data"));
        command.arg("--scratch").arg(&self.scratch).arg("--disk").arg(disk).arg("--feeder").arg(feeder)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let _it_may_not_be_there = fs::remove_dir_all(&self.scratch);
    }
}

/// How long a run may take. The longest are those of Spark Streaming, of a minute or two.
const LONGEST_RUN: Duration = Duration::from_secs(600);

/// Runs a command to its end. One that takes longer is killed: a peer that hangs must not hold up all others.
fn output_within(limit: Duration, command: &mut Command) -> Result<Output> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let process = child.id().to_string();
    let (running, ended) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        let is_late = ended.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
        is_late
            && Command::new("kill").args(["-KILL", &process]).status().is_ok_and(|status| status.success())
    });
    let output = child.wait_with_output()?;
    drop(running);
    if watch.join().unwrap_or(false) {
        return Err(format!("{command:?} was killed, since it took longer than {limit:?}").into());
    }
    Ok(output)
}

fn cargo(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(directory).args(arguments);
    command
}

fn failure(workload: &str, what: &str, output: &Output) -> Box<dyn std::error::Error> {
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = errors.lines().collect();
    let last = lines[lines.len().saturating_sub(40)..].join("\n");
    format!("{workload} on {what} ended with {}:\n{last}", output.status).into()
}

/// Nanoseconds since 1970, from which the start of a program is measured.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_takes_too_long_is_killed() {
        let error =
            output_within(Duration::ZERO, Command::new("sleep").arg("1000")).expect_err("it is killed");
        assert!(error.to_string().contains("longer than 0ns"), "{error}");
        let output = output_within(LONGEST_RUN, Command::new("echo").arg("done")).expect("it ends");
        assert_eq!(output.stdout, b"done\n");
    }
}
