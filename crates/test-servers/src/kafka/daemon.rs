// SPDX-License-Identifier: Apache-2.0
//! A broker that outlives the command which has started it: started, looked for and stopped by its process file.

use std::{
    fmt, fs,
    fs::File,
    io,
    net::TcpStream,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    jars,
    settings::{self, CLUSTER, Extra, FILE, Ports, Topics},
};
use crate::start::{StartError, complete};

const PROCESS: &str = "process";

/// A broker in a directory that stays until it is removed.
pub struct KafkaDaemon {
    directory: PathBuf,
}

/// How it is with a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KafkaStatus {
    /// It runs.
    Running {
        /// Its process.
        process: u32,
        /// What clients connect to.
        address: String,
    },
    /// It does not.
    Stopped,
}

impl fmt::Display for KafkaStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { process, address } => write!(f, "running at {address}, process {process}"),
            Self::Stopped => f.write_str("not running"),
        }
    }
}

impl KafkaDaemon {
    /// The broker of `directory`, running or not.
    pub fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Starts it on `port`, else on one that is free, and returns when it can be used. One that runs is left alone.
    pub fn start(&self, port: Option<u16>) -> Result<KafkaStatus, StartError> {
        let status = self.status();
        if status != KafkaStatus::Stopped {
            return Ok(status);
        }
        let classpath = jars::classpath()?;
        fs::create_dir_all(&self.directory)?;
        let ports = port.map_or_else(Ports::free, Ports::with_plain)?;
        settings::write(&self.directory, &ports, Topics::WhenUsed, &Extra::default())?;
        let mut format = settings::java(&self.directory, &classpath, "kafka.tools.StorageTool", &[]);
        complete(format.args(["format", "--ignore-formatted", "--cluster-id", CLUSTER, "--config", FILE]))?;
        let log = File::create(self.directory.join("log"))?;
        let mut server = settings::java(&self.directory, &classpath, "kafka.Kafka", &[FILE]);
        // Ctrl-C at the terminal is for other programs.
        server.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let mut server = server.spawn()?;
        let address = format!("127.0.0.1:{}", ports.plain);
        fs::write(self.directory.join(PROCESS), format!("{} {address}", server.id()))?;
        while TcpStream::connect(&address).is_err() {
            if let Some(status) = server.try_wait()? {
                let said = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("it ended with {status}\n{said}")).into());
            }
            pause()?;
        }
        Ok(self.status())
    }

    /// Whether it runs, and where.
    pub fn status(&self) -> KafkaStatus {
        let text = fs::read_to_string(self.directory.join(PROCESS)).unwrap_or_default();
        let Some((process, address)) = text.split_once(' ') else { return KafkaStatus::Stopped };
        // The number may have passed to another process.
        let command = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let is_broker = command.split(|byte| *byte == 0).any(|word| word == b"kafka.Kafka");
        match process.parse() {
            Ok(number) if is_broker && !is_zombie(process) => {
                KafkaStatus::Running { process: number, address: address.to_owned() }
            }
            _ => KafkaStatus::Stopped,
        }
    }

    /// Stops it, if it runs, and removes its directory with all topics.
    pub fn stop(&self) -> Result<(), StartError> {
        if let KafkaStatus::Running { process, .. } = self.status() {
            complete(Command::new("kill").args(["-TERM", &process.to_string()]))?;
            while self.status() != KafkaStatus::Stopped {
                pause()?;
            }
        }
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Whether the process has ended and its parent has not noticed yet.
fn is_zombie(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z'))
}

/// There is no event of the end or the start of a process that is not a child.
fn pause() -> io::Result<()> {
    Command::new("sleep").arg("0.1").status().map(drop)
}
