// SPDX-License-Identifier: Apache-2.0
//! A private Apache Kafka: one node that is broker and controller, on free ports of the loopback interface.

mod certificates;
mod daemon;
mod jars;
mod secured;
mod settings;

use std::{
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
};

use tempfile::TempDir;

pub use certificates::Certificates;
pub use daemon::{KafkaDaemon, KafkaStatus};
pub use secured::SecuredKafka;
use settings::{Extra, Ports, Topics};

use crate::start::{StartError, complete, or_skip};

/// Where tests find a broker that somebody else has started, as `host:port`.
pub const KAFKA_VARIABLE: &str = "DSTREAMS_TEST_KAFKA";

/// What the server says when it can be used.
const READY: &str = "Kafka Server started";

/// Starts the server, and ends it with the signal that it reads, or when its input ends: whatever becomes of the process
/// that has started it, the server does not outlive it. The first argument is removed then, if it is not empty.
const GUARD: &str = r#"
exec 3<&0
rubbish=$1; shift
"$@" </dev/null 3<&- &
server=$!
exec >/dev/null
read -r signal <&3
kill -s "${signal:-KILL}" "$server"
wait "$server"
[ -z "$rubbish" ] || rm -rf "$rubbish"
"#;

/// A broker of one's own, without authentication. It can be stopped, killed, and started again on the same data and
/// ports.
pub struct Kafka {
    classpath: String,
    directory: PathBuf,
    ports: Ports,
    extra: Extra,
    running: Option<Running>,
    /// Removed last.
    temporary: Option<TempDir>,
}

struct Running {
    guard: Child,
    /// The guard ends the server when this is closed.
    lifeline: ChildStdin,
}

impl Kafka {
    /// Formats a new directory and starts a broker on it.
    pub fn start() -> Result<Self, StartError> {
        let temporary = tempfile::Builder::new().prefix("kafka").tempdir()?;
        let mut kafka = Self::new(temporary.path().to_owned(), Extra::default())?;
        kafka.temporary = Some(temporary);
        kafka.launch("")?;
        Ok(kafka)
    }

    /// A broker of one's own for a test; none where it takes something that is not installed, which is said in one
    /// line. With `CI` set that is a failure.
    ///
    /// # Panics
    ///
    /// When the broker does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }

    /// The address of a broker that tests share: that of the environment variable `DSTREAMS_TEST_KAFKA`, else of one
    /// that is started for this process and ends with it. None as for [`start_or_skip`](Self::start_or_skip). Tests
    /// use topics and groups of names that no other test uses.
    ///
    /// # Panics
    ///
    /// As [`start_or_skip`](Self::start_or_skip).
    pub fn shared_or_skip(test: &str) -> Option<String> {
        static SHARED: OnceLock<Result<Kafka, StartError>> = OnceLock::new();
        if let Ok(address) = env::var(KAFKA_VARIABLE) {
            return Some(address);
        }
        let shared = SHARED.get_or_init(|| {
            // A value that lives as long as the process is never dropped: the guard removes the directory.
            let directory = tempfile::Builder::new().prefix("kafka").disable_cleanup(true).tempdir()?.keep();
            let mut kafka = Self::new(directory.clone(), Extra::default())?;
            kafka.launch(&directory.to_string_lossy())?;
            Ok(kafka)
        });
        let address = shared.as_ref().map(Kafka::address).map_err(|error| match error {
            StartError::NotInstalled(what) => StartError::NotInstalled(what.clone()),
            StartError::Failed(cause) => io::Error::other(cause.to_string()).into(),
        });
        or_skip(test, address)
    }

    fn new(directory: PathBuf, extra: Extra) -> Result<Self, StartError> {
        let classpath = jars::classpath()?;
        let ports = Ports::free()?;
        let kafka = Self { classpath, directory, ports, extra, running: None, temporary: None };
        settings::write(&kafka.directory, &kafka.ports, Topics::OnPurpose, &kafka.extra)?;
        let mut format = kafka.java("kafka.tools.StorageTool", &[]);
        format.args(["format", "--ignore-formatted", "--cluster-id", settings::CLUSTER, "--config"]);
        format.arg(kafka.directory.join(settings::FILE));
        format.args(kafka.extra.scram.iter().flat_map(|user| ["--add-scram", user]));
        complete(&mut format)?;
        Ok(kafka)
    }

    /// What clients connect to.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plain)
    }

    /// What clients connect to with SASL PLAIN, as user [`SASL_USER`](Self::SASL_USER).
    pub fn sasl_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.sasl)
    }

    /// The user whom the SASL listener knows.
    pub const SASL_USER: &str = "alice";

    /// The password of [`SASL_USER`](Self::SASL_USER).
    pub const SASL_PASSWORD: &str = "open-sesame-5f2d";

    /// Starts the broker again after [`stop`](Self::stop) or [`kill`](Self::kill); returns when it can be used.
    pub fn resume(&mut self) -> Result<(), StartError> {
        if self.running.is_some() { Ok(()) } else { self.launch("") }
    }

    fn launch(&mut self, rubbish: &str) -> Result<(), StartError> {
        let server = self.java("kafka.Kafka", &[settings::FILE]);
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "kafka-guard", rubbish]).arg(server.get_program());
        command.args(&self.extra.machine).args(server.get_args());
        command.current_dir(&self.directory).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for the program, which may still need the server to end in order.
        let mut guard = command.stderr(Stdio::null()).process_group(0).spawn()?;
        let no_pipe = || io::Error::other("the shell has no pipes");
        let lifeline = guard.stdin.take().ok_or_else(no_pipe)?;
        let output = guard.stdout.take().ok_or_else(no_pipe)?;
        self.running = Some(Running { guard, lifeline });
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines.by_ref() {
            let is_ready = line.contains(READY);
            said.push(line);
            if is_ready {
                // The server must not wait for a reader of its log; it ends with the server.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(());
            }
        }
        self.kill();
        Err(StartError::Failed(io::Error::other(said.join("\n"))))
    }

    /// Ends the broker as an administrator would.
    pub fn stop(&mut self) {
        self.end(b"TERM\n");
    }

    /// Ends the broker as a crash would.
    pub fn kill(&mut self) {
        self.end(b"KILL\n");
    }

    fn end(&mut self, signal: &[u8]) {
        if let Some(Running { mut guard, mut lifeline }) = self.running.take() {
            // A guard that is gone has nothing left to end.
            let _ = lifeline.write_all(signal);
            let _ = guard.wait();
        }
    }

    fn java(&self, class: &str, arguments: &[&str]) -> Command {
        settings::java(&self.directory, &self.classpath, class, arguments)
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.kill();
        drop(self.temporary.take());
    }
}
