// SPDX-License-Identifier: Apache-2.0
//! `dstreams supervise`: runs an application and starts it again when it fails, on machines where nothing else does.

use std::{
    collections::VecDeque,
    error::Error,
    ffi::OsString,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, ExitCode, ExitStatus},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
};

use dstreams::{
    Duration, Time,
    exit::{FAILED, MISCONFIGURED},
    streaming::clock::{Clock as _, SystemClock},
};
use rustix::process::Signal;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::process;

/// Options of `dstreams supervise`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often the application is started at most within the validity; 0 for no limit.
    #[arg(long, default_value_t = 2)]
    max_attempts: usize,
    /// Failures that are longer ago do not count, such as 1h.
    #[arg(long, default_value = "1h", value_parser = crate::length)]
    validity: Duration,
    /// How long to wait before the second start; it doubles with each failure after that.
    #[arg(long, default_value = "1s", value_parser = crate::length)]
    delay: Duration,
    /// The longest wait between two starts.
    #[arg(long, default_value = "1min", value_parser = crate::length)]
    max_delay: Duration,
    /// The application and its arguments.
    #[arg(value_name = "APP", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    application: Vec<OsString>,
}

/// What happens.
enum News {
    /// A signal has come.
    Signal(i32),
    /// The application has ended.
    Ended(std::io::Result<ExitStatus>),
}

/// Runs the application until it has stopped as asked, or has failed too often. Its last exit code is the result.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let (sender, news) = channel();
    forward_signals(sender.clone())?;
    let mut attempts = Attempts::new(options);
    loop {
        attempts.begin();
        let end = run_once(&options.application, &sender, &news)?;
        let code = code(end.status);
        if end.asked || code == 0 {
            return Ok(ExitCode::from(code));
        }
        if code == MISCONFIGURED {
            eprintln!(
                "dstreams: the application cannot start with this configuration, also not if it is started again"
            );
            return Ok(ExitCode::from(code));
        }
        let Some(delay) = attempts.after_failure() else {
            eprintln!(
                "dstreams: the application has ended with {} after {} starts within {}: given up",
                end.status, options.max_attempts, options.validity
            );
            return Ok(ExitCode::from(code));
        };
        eprintln!("dstreams: the application has ended with {}: starting it again in {delay}", end.status);
        if let Ok(News::Signal(signal)) = news.recv_timeout(delay.to_std()) {
            return Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(FAILED)));
        }
    }
}

/// How one run of the application has ended.
struct End {
    status: ExitStatus,
    /// Whether a signal had asked for it.
    asked: bool,
}

/// Runs the application to its end; signals are passed on to it.
fn run_once(
    application: &[OsString],
    sender: &Sender<News>,
    news: &Receiver<News>,
) -> Result<End, Box<dyn Error>> {
    let [program, arguments @ ..] = application else { return Err("no application is given".into()) };
    // In a group of its own: a signal of the terminal would reach it twice, and the second one is not waited for.
    let child = Command::new(program).args(arguments).process_group(0).spawn();
    let child = child.map_err(|cause| format!("cannot run {}: {cause}", program.display()))?;
    let id = child.id();
    let sender = sender.clone();
    thread::Builder::new().name("application".to_owned()).spawn(move || await_end(child, &sender))?;
    let mut asked = false;
    loop {
        match news.recv_timeout(std::time::Duration::MAX) {
            Ok(News::Signal(signal)) => {
                asked = true;
                if let Some(signal) = Signal::from_named_raw(signal) {
                    process::signal(id, signal)?;
                }
            }
            Ok(News::Ended(status)) => return Ok(End { status: status?, asked }),
            // This thread holds a sender.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

fn await_end(mut child: Child, sender: &Sender<News>) {
    // Nobody waits any more when this process ends itself.
    let _ = sender.send(News::Ended(child.wait()));
}

fn forward_signals(sender: Sender<News>) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let _ = sender.send(News::Signal(signal));
        }
    })?;
    Ok(())
}

/// The exit code as a shell tells it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED)
}

/// When the application was started, as far as it counts.
struct Attempts<'a> {
    options: &'a Options,
    starts: VecDeque<Time>,
}

impl<'a> Attempts<'a> {
    fn new(options: &'a Options) -> Self {
        Self { options, starts: VecDeque::new() }
    }

    fn begin(&mut self) {
        self.starts.push_back(SystemClock.now());
    }

    /// How long to wait before the next start; nothing when there is to be none.
    fn after_failure(&mut self) -> Option<Duration> {
        self.after_failure_at(SystemClock.now())
    }

    fn after_failure_at(&mut self, now: Time) -> Option<Duration> {
        let Options { max_attempts, validity, delay, max_delay, .. } = *self.options;
        while self.starts.front().is_some_and(|start| now - *start >= validity) {
            self.starts.pop_front();
        }
        let failures = self.starts.len();
        if max_attempts > 0 && failures >= max_attempts {
            return None;
        }
        let doubled = 1_i64.checked_shl(u32::try_from(failures.saturating_sub(1).min(30)).unwrap_or(30));
        // Without a limit the starts that count are many and say nothing more.
        self.starts.drain(..self.starts.len().saturating_sub(max_attempts.max(64)));
        Some((delay * doubled.unwrap_or(1)).min(max_delay))
    }
}

#[cfg(test)]
mod tests {
    use dstreams::time::{minutes, seconds};

    use super::*;

    fn options(max_attempts: usize) -> Options {
        Options {
            max_attempts,
            validity: minutes(60),
            delay: seconds(1),
            max_delay: seconds(60),
            application: Vec::new(),
        }
    }

    fn at(second: i64) -> Time {
        Time::ZERO + seconds(second)
    }

    /// The waits after failures, each so many seconds after its start; `None` at the end.
    fn waits(options: &Options, starts: &[(i64, i64)]) -> Vec<Option<Duration>> {
        let mut attempts = Attempts::new(options);
        let waits = starts.iter().map(|(start, end)| {
            attempts.starts.push_back(at(*start));
            attempts.after_failure_at(at(*end))
        });
        waits.collect()
    }

    #[test]
    fn there_are_so_many_starts_within_the_validity() {
        assert_eq!(waits(&options(2), &[(0, 5), (6, 9)]), [Some(seconds(1)), None]);
    }

    #[test]
    fn a_failure_that_is_long_ago_does_not_count() {
        let waits = waits(&options(2), &[(0, 5), (6, 3700), (3701, 3702), (3703, 3704)]);
        assert_eq!(waits, [Some(seconds(1)), Some(seconds(1)), Some(seconds(1)), None]);
    }

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let starts: Vec<_> = (0..9).map(|start| (start, start)).collect();
        let waits: Vec<_> = waits(&options(0), &starts)
            .into_iter()
            .map(|wait| wait.map(|wait| wait.as_millis() / 1000))
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60].map(Some));
    }
}
