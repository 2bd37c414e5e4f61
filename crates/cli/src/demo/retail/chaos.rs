// SPDX-License-Identifier: Apache-2.0
//! `--chaos`: a worker process does the work, is killed at random moments, and is started again.

use std::{
    error::Error,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
};

use dstreams::{
    Duration, Time,
    streaming::{
        clock::{Clock as _, SystemClock},
        config::keys,
    },
};

use super::{
    super::{show::write, watch_signals},
    Plan, Rate,
    generator::Random,
    view::View,
    watch::Event,
};

/// Runs workers until the batches or the kills asked for are done, or a signal comes.
pub(super) fn supervise(plan: &Plan<'_>, view: &mut View) -> Result<(), Box<dyn Error>> {
    let (sender, events) = mpsc::channel();
    let signals = sender.clone();
    watch_signals(move || signals.send(FromWorker { number: 0, event: Event::Interrupted }).is_ok())?;
    let mut supervisor = Supervisor {
        plan,
        view,
        events,
        sender,
        random: Random::new(plan.options.seed, SystemClock.now().as_millis().unsigned_abs()),
        kills: 0,
        number: 0,
        killed: None,
        port: None,
    };
    while supervisor.watch_worker()? == Fate::Killed {}
    write(&format!("\n{} kills", supervisor.kills));
    Ok(())
}

/// How a worker has ended.
#[derive(PartialEq, Eq)]
enum Fate {
    Killed,
    /// As it was asked to.
    Stopped,
}

/// An event with the number of its worker: what one has said before it was killed may be heard later.
struct FromWorker {
    number: u64,
    event: Event,
}

struct Supervisor<'a> {
    plan: &'a Plan<'a>,
    view: &'a mut View,
    events: mpsc::Receiver<FromWorker>,
    sender: mpsc::Sender<FromWorker>,
    random: Random,
    kills: u64,
    /// Of the present worker, from 1.
    number: u64,
    /// When the worker before was killed, until this one has completed a batch.
    killed: Option<Time>,
    /// Where the pages of a worker are, once one has said so: those of the next come back there.
    port: Option<u16>,
}

impl Supervisor<'_> {
    /// Starts a worker and watches it to its end.
    fn watch_worker(&mut self) -> Result<Fate, Box<dyn Error>> {
        self.number += 1;
        let mut worker = Worker::start(self.plan, self.number, self.port, self.sender.clone())?;
        // Some do not live until they are back, which is the worst moment for what they have to recover.
        let mut kill_at = (self.killed.is_some() && self.random.below(4) == 0)
            .then(|| SystemClock.now() + self.within(Duration::from_millis(300)));
        loop {
            let heard = match kill_at {
                Some(time) => self.events.recv_timeout((time - SystemClock.now()).to_std()),
                None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match heard {
                Err(RecvTimeoutError::Timeout) if self.is_enough() => kill_at = None,
                Err(RecvTimeoutError::Timeout) => {
                    worker.process.kill()?;
                    worker.process.wait()?;
                    self.say_killed();
                    return Ok(Fate::Killed);
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the supervisor holds a sender"),
                Ok(FromWorker { event: Event::Interrupted, .. }) => {
                    worker.stop();
                    kill_at = None;
                }
                Ok(FromWorker { number, .. }) if number != self.number => {}
                Ok(FromWorker { event: Event::Started(port), .. }) => self.say_pages(port),
                Ok(FromWorker { event: Event::Batch(row), .. }) => {
                    let before = self.view.batches();
                    self.say_back();
                    self.view.show(&row);
                    if self.is_enough() {
                        worker.stop();
                        kill_at = None;
                    } else if kill_at.is_none() && self.view.batches() > before && worker.input.is_some() {
                        kill_at = Some(SystemClock.now() + self.within(self.plan.interval * 4));
                    }
                }
                Ok(FromWorker { event: Event::Ended, .. }) => {
                    let status = worker.process.wait()?;
                    let asked = worker.input.is_none();
                    return if status.success() && asked {
                        Ok(Fate::Stopped)
                    } else {
                        Err(format!("the worker ended by itself: {status}").into())
                    };
                }
            }
        }
    }

    fn within(&mut self, longest: Duration) -> Duration {
        let millis = u32::try_from(longest.as_millis()).unwrap_or(u32::MAX);
        Duration::from_millis(self.random.below(millis).into())
    }

    fn is_enough(&self) -> bool {
        let options = self.plan.options;
        options.batches.is_some_and(|wanted| self.view.batches() >= wanted)
            || self.killed.is_none() && options.kills.is_some_and(|wanted| self.kills >= wanted)
    }

    fn say_pages(&mut self, port: Option<u16>) {
        if let (None, Some(port)) = (self.port, port) {
            self.port = Some(port);
            write(&format!("Watch it at http://127.0.0.1:{port}, again after each kill.\n\n"));
        }
    }

    fn say_killed(&mut self) {
        self.kills += 1;
        let again = if self.killed.is_some() { "\n" } else { "" };
        let after = self.view.last_batch().map_or_else(String::new, |batch| format!(" after batch {batch}"));
        write(&format!("{again}  kill {}: SIGKILL{after} … ", self.kills));
        self.killed.get_or_insert(SystemClock.now());
    }

    /// Ends the line of a kill, when the first batch after it is done.
    fn say_back(&mut self) {
        if let Some(killed) = self.killed.take() {
            write(&format!("back after {}\n", SystemClock.now() - killed));
        }
    }
}

struct Worker {
    process: Child,
    /// Open for as long as it is to work.
    input: Option<ChildStdin>,
}

impl Worker {
    fn start(
        plan: &Plan<'_>,
        number: u64,
        port: Option<u16>,
        events: mpsc::Sender<FromWorker>,
    ) -> Result<Self, Box<dyn Error>> {
        let options = plan.options;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["demo", "retail", "--worker", "--interval", &options.interval]);
        command.args(["--master", &options.master, "--seed", &options.seed.to_string()]);
        command.arg("--dir").arg(&plan.dir);
        match options.rate {
            Rate::SalesPerSecond(rate) => command.args(["--rate", &rate.to_string()]),
            Rate::Max => command.args(["--rate", "max"]),
        };
        command.args(options.conf.iter().flat_map(|setting| ["--conf", setting]));
        if let Some(port) = port {
            // No other one: whoever looks at the pages would not find them again.
            command.args(["--conf", &format!("{}={port}", keys::UI_PORT.name())]);
            command.args(["--conf", &format!("{}=0", keys::PORT_MAX_RETRIES.name())]);
        }
        command.args(options.postgres.iter().flat_map(|url| ["--postgres", url]));
        // A group of its own, so that Ctrl-C reaches the supervisor only.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let input = process.stdin.take();
        let output = process.stdout.take().ok_or("the worker has no output")?;
        let worker = Self { process, input };
        thread::Builder::new().name("worker".to_owned()).spawn(move || read(output, number, &events))?;
        Ok(worker)
    }

    /// Asks it to complete what it has, and to end.
    fn stop(&mut self) {
        self.input = None;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Passes on what a worker says. The last line of one that was killed may be cut.
fn read(output: ChildStdout, number: u64, events: &mpsc::Sender<FromWorker>) {
    let lines = BufReader::new(output).lines().map_while(Result::ok);
    let said = lines.filter_map(|line| serde_json::from_str(&line).ok());
    for event in said.chain([Event::Ended]) {
        if events.send(FromWorker { number, event }).is_err() {
            return;
        }
    }
}
