// SPDX-License-Identifier: Apache-2.0
//! A private PostgreSQL server on a Unix socket below a temporary directory.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader},
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::start::{StartError, complete, or_skip};

/// Where Debian and others put the programs of a server, which are not in the path.
const VERSIONS: &str = "/usr/lib/postgresql";

/// What the server says when it can be used.
const READY: &str = "database system is ready to accept connections";

/// A server with a superuser `postgres`, without a password. It can be stopped and started again on the same data.
pub struct Postgres {
    programs: PathBuf,
    owner: Option<Owner>,
    directory: TempDir,
    running: Option<Child>,
}

/// Whom the server runs as: it refuses to run as root.
#[derive(Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

impl Postgres {
    /// Makes a new database cluster and starts a server on it.
    pub fn start() -> Result<Self, StartError> {
        let programs = find_programs().ok_or_else(not_installed)?;
        let directory = tempfile::Builder::new().prefix("pg").tempdir()?;
        let owner = other_than_root(directory.path())?;
        let mut server = Self { programs, owner, directory, running: None };
        if let Some(Owner { user, group }) = server.owner {
            chown(server.directory.path(), Some(user), Some(group))?;
        }
        let arguments = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"];
        complete(server.command("initdb").arg("--pgdata").arg(server.data()).args(arguments))?;
        server.resume()?;
        Ok(server)
    }

    /// A server for a test; none where PostgreSQL is not installed, which is said in one line. With `CI` set that is a
    /// failure.
    ///
    /// # Panics
    ///
    /// When the server does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }

    /// Starts the server again after [`stop`](Self::stop) or [`kill`](Self::kill); returns when it can be used.
    pub fn resume(&mut self) -> Result<(), StartError> {
        if self.running.is_some() {
            return Ok(());
        }
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
        command.args(["-c", "listen_addresses=", "-c", "max_connections=50"]);
        // What it has written outlives the server without that, and tests do not end the system.
        command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]).stderr(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).stdin(Stdio::null()).spawn()?;
        let log = child.stderr.take().ok_or_else(|| io::Error::other("no log"))?;
        self.running = Some(child);
        let mut said = Vec::new();
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
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

    /// Ends all connections and the server, as an administrator would.
    pub fn stop(&mut self) -> Result<(), StartError> {
        if let Some(mut child) = self.running.take() {
            let mut command = self.command("pg_ctl");
            command.arg("stop").arg("-D").arg(self.data()).args(["-m", "fast", "-w", "-s"]);
            complete(&mut command)?;
            child.wait()?;
        }
        Ok(())
    }

    /// Ends the server as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            let mut command = self.command("pg_ctl");
            command.arg("stop").arg("-D").arg(self.data()).args(["-m", "immediate", "-w", "-s"]);
            if complete(&mut command).is_err() {
                // Its children notice that it is gone.
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }

    /// How to connect to one of its databases; `postgres` is there from the beginning.
    pub fn url(&self, database: &str) -> String {
        format!("host={} user=postgres dbname={database}", self.directory.path().display())
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.directory.path()).env("LC_ALL", "C");
        if let Some(Owner { user, group }) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn not_installed() -> StartError {
    StartError::NotInstalled(format!(
        "PostgreSQL is not installed: initdb and postgres are neither in the path nor below {VERSIONS}"
    ))
}

/// The directory with `initdb` and `postgres`: in the path, else the latest version that is installed.
fn find_programs() -> Option<PathBuf> {
    let in_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    installed.sort_by_key(|bin| {
        let version =
            bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok());
        std::cmp::Reverse(version)
    });
    let mut all: Vec<PathBuf> = in_path;
    all.push("/usr/local/bin".into());
    all.extend(installed);
    all.into_iter().find(|bin| ["initdb", "postgres", "pg_ctl"].iter().all(|name| bin.join(name).is_file()))
}

/// The user `postgres`, else `nobody`, when this process runs as root.
fn other_than_root(mine: &Path) -> io::Result<Option<Owner>> {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata(mine)?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let user = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = user.split(':').skip(2).map(str::parse);
        Some(Owner { user: fields.next()?.ok()?, group: fields.next()?.ok()? })
    };
    let owner = find("postgres").or_else(|| find("nobody"));
    owner.map(Some).ok_or_else(|| io::Error::other("there is no user but root to run it as"))
}
