// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask soak`: runs a program with many small batches for a long time and fails when it grows.
#![expect(
    clippy::disallowed_methods,
    reason = "what is watched here is another process, which has no clock of ours"
)]

mod sample;
mod trend;
mod visitor;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sample::Sample;
use trend::Trend;
use visitor::Visitor;

use crate::Result;

/// Options of `cargo xtask soak`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long the program runs, in minutes. The first fifth, at most two minutes, is not looked at.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Lines a second.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Build the program with optimizations.
    #[arg(long)]
    release: bool,
}

/// How often the program is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// What may be kept longer than it is used: the first checkpoints, logs and merged files.
const LONGEST_WARM_UP: Duration = Duration::from_secs(120);

/// How long the program may take until its pages are there.
const START: Duration = Duration::from_secs(5);

/// The log of the program: what its lines may take on the disk.
const LOG_BOUND: u64 = 2 << 20;

/// Runs the program and looks at what it takes.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let program = build(root, options.release)?;
    let home = tempfile::Builder::new().prefix("dstreams-soak-").tempdir()?;
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    let mut visitor = Visitor::new()?;
    let mut process = start(&program, home.path(), visitor.port, options)?;
    println!("process {} in {}, {length:?}", process.id(), home.path().display());
    let outcome = watch(&mut process, home.path(), &mut visitor, length);
    // Also after an error nothing is left behind.
    let stopped = stop(&mut process);
    let samples = outcome?;
    let report = stopped?;
    judge(&samples)?;
    let log = sample::bytes_below(&home.path().join("logs"))?;
    if log > LOG_BOUND {
        return Err(format!("the log takes {log} bytes, and may take {LOG_BOUND}").into());
    }
    println!("pages and metrics: {} answers", visitor.answers());
    println!("log: {log} of at most {LOG_BOUND} bytes\n{report}");
    Ok(())
}

/// Builds the program; returns where it is.
fn build(root: &Path, release: bool) -> Result<PathBuf> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).args(["build", "--quiet", "--package", "xtask", "--bin", "soak-pipeline"]);
    command.args(release.then_some("--release"));
    if !command.status()?.success() {
        return Err("the program cannot be built".into());
    }
    let here = std::env::current_exe()?;
    let target = here.parent().and_then(Path::parent).ok_or("a program without a directory")?;
    Ok(target.join(if release { "release" } else { "debug" }).join("soak-pipeline"))
}

fn start(program: &Path, home: &Path, port: u16, options: &Options) -> Result<Child> {
    std::fs::create_dir(home.join("logs"))?;
    let path = |name: &str| home.join(name).display().to_string();
    let settings = [
        ("spark.streaming.checkpoint.directory", path("checkpoints")),
        ("spark.streaming.backpressure.enabled", "true".to_owned()),
        ("spark.ui.port", port.to_string()),
        ("spark.local.dir", path("")),
        // Short, so that what is to be removed is removed within the time of the test.
        ("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "5".to_owned()),
        ("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "5".to_owned()),
        ("dstreams.memory.budget", "64m".to_owned()),
        ("dstreams.log.file", path("logs/soak.log")),
        ("dstreams.log.level", "debug".to_owned()),
        ("dstreams.log.format", "json".to_owned()),
        ("dstreams.log.maxSize", "256k".to_owned()),
        ("dstreams.log.maxTotal", LOG_BOUND.to_string() + "b"),
        ("app.output", path("output")),
        ("app.rate", options.rate.to_string()),
    ];
    let mut command = Command::new(program);
    command.args(["--master", "local[2]", "--interval", "100ms"]);
    for (key, value) in settings {
        command.args(["--conf", &format!("{key}={value}")]);
    }
    Ok(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?)
}

fn watch(process: &mut Child, home: &Path, visitor: &mut Visitor, length: Duration) -> Result<Vec<Sample>> {
    let begun = Instant::now();
    let warm_up = (length / 5).min(LONGEST_WARM_UP);
    let mut samples = Vec::new();
    println!("{}", Sample::HEADER);
    let mut next = begun + PERIOD;
    while next <= begun + length {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        if let Some(status) = process.try_wait()? {
            return Err(format!("the program has ended: {status}\n{}", said(process)).into());
        }
        if begun.elapsed() > START {
            visitor.visit()?;
        }
        let sample = Sample::take(process.id(), home, begun.elapsed())?;
        if begun.elapsed() > warm_up {
            samples.push(sample);
        }
        if sample.at.as_secs() % 30 == 0 || samples.len() == 1 {
            println!("{sample}");
        }
        next += PERIOD;
    }
    Ok(samples)
}

/// Stops the program as its users do; what it said last.
fn stop(process: &mut Child) -> Result<String> {
    if process.try_wait()?.is_none() {
        Command::new("kill").args(["-TERM", &process.id().to_string()]).status()?;
    }
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait()? {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(60) {
            process.kill()?;
            return Err("the program did not stop within a minute".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let said = said(process);
    if status.success() { Ok(said) } else { Err(format!("the program ended with {status}\n{said}").into()) }
}

/// What the program has written to standard error.
fn said(process: &mut Child) -> String {
    let lines =
        process.stderr.take().map(|stderr| BufReader::new(stderr).lines().map_while(|line| line.ok()));
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// Prints the trends, and fails when something grows.
fn judge(samples: &[Sample]) -> Result<()> {
    let of = |name, unit, value: fn(&Sample) -> f64, slack| {
        Trend::of(name, unit, samples.iter().map(|sample| (sample.at.as_secs_f64(), value(sample))), slack)
    };
    let trends = [
        of("resident memory", "KiB", |sample| sample.resident_kib as f64, 8192.0),
        of("file descriptors", "", |sample| sample.descriptors as f64, 8.0),
        of("threads", "", |sample| sample.threads as f64, 2.0),
        of("disk", "KiB", |sample| sample.disk as f64 / 1024.0, 8192.0),
    ];
    let mut growing = Vec::new();
    for trend in trends {
        let trend = trend.ok_or("too few samples; give it more minutes")?;
        println!("{trend}");
        if trend.grows() {
            growing.push(trend.name);
        }
    }
    if growing.is_empty() { Ok(()) } else { Err(format!("not flat: {}", growing.join(", ")).into()) }
}
