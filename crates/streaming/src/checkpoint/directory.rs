// SPDX-License-Identifier: Apache-2.0
//! `CheckpointDirectory`: a checkpoint directory that this process alone works with, and where in it things are.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
};

use dstreams_wal::{Location, fault};
use serde::{Deserialize, Serialize};

use super::aside;
use crate::{
    error::{CheckpointError, Error, Result},
    input::StreamId,
};

/// The format of a checkpoint directory that this version writes.
pub(crate) const FORMAT: u32 = 1;

/// A checkpoint directory under a lease, which ends with the value or with the process.
///
/// | name | what it holds |
/// |---|---|
/// | `application.json` | whose directory it is, and its format |
/// | `lease` | locked by the process that works with it, and says which; on an object store it says so only |
/// | `batches/` | the log of batches: planned, completed |
/// | `changes/` | the log of what batches changed in states |
/// | `state/<operator>/` | snapshots of the states of an operator, and its database if it has one |
/// | `inputs/<number>/` | what a source keeps itself, such as the log of a receiver |
/// | `checkpoint-<ms>` | which snapshots belong together, and what the program looked like |
#[derive(Debug)]
pub(crate) struct CheckpointDirectory {
    location: Location,
    application: String,
    /// On an object store the logs keep others away.
    _lease: Option<File>,
}

/// What `application.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Application {
    pub(crate) format: u32,
    #[serde(rename = "application")]
    pub(crate) name: String,
    /// Where all of it has been copied. What is still there belongs to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) set_aside: Option<String>,
}

/// What the lease says of who has it.
#[derive(Serialize, Deserialize)]
struct Holder {
    process: u32,
    application: String,
    /// On an object store, by what number it is the owner of the logs.
    #[serde(default)]
    epoch: Option<i64>,
    /// On an object store, the name of its machine.
    #[serde(default)]
    host: Option<String>,
}

impl CheckpointDirectory {
    /// Takes the directory for `application`, making it if it must.
    pub(crate) fn open(location: &Location, application: &str) -> Result<Self> {
        let (location, lease) = match location.local_path() {
            Some(path) => {
                location.create_dir("checkpoint").map_err(CheckpointError::io("create", path))?;
                let path = fs::canonicalize(path).map_err(CheckpointError::io("find", path))?;
                let lease = lease(&path, application)?;
                (Location::local(path), Some(lease))
            }
            None => (location.clone(), None),
        };
        match Self::stored(&location)? {
            Some(Application { set_aside: Some(_), .. }) => {
                aside::remove_rest(&location)?;
                write_json(&location.join(APPLICATION), &Application::of(application))?;
            }
            Some(theirs) if theirs.name != application => {
                let ours = application.to_owned();
                let (dir, theirs) = (location.path().to_owned(), theirs.name);
                return Err(CheckpointError::OtherApplication { dir, theirs, ours }.into());
            }
            Some(_) => {}
            None => write_json(&location.join(APPLICATION), &Application::of(application))?,
        }
        Ok(Self { location, application: application.to_owned(), _lease: lease })
    }

    /// Makes this process the owner of all that is in the directory, where its logs and not the lease keep others away;
    /// `epoch` is that of the log of batches. Says in the lease who it is.
    pub(crate) fn own(&mut self, epoch: Option<i64>) -> Result<()> {
        let Some(number) = epoch else { return Ok(()) };
        self.location = self.location.clone().owned_in(epoch);
        let (process, application) = (std::process::id(), self.application.clone());
        let host = host();
        write_json(&self.location.join(LEASE), &Holder { process, application, epoch: Some(number), host })
    }

    /// Who has the directory on an object store, as far as is known.
    pub(crate) fn owner(&self) -> String {
        let text = self.location.join(LEASE).read().unwrap_or_default();
        shown_holder(&String::from_utf8_lossy(&text))
    }

    /// Fails where the directory is on an object store and has been taken over.
    pub(super) fn refuse_another_owner(dir: &Location) -> Result<()> {
        let text = match dir.join(LEASE).read() {
            Ok(text) => text,
            // Nobody has said so.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(CheckpointError::io("read", dir.path())(cause)),
        };
        let holder = serde_json::from_slice::<Holder>(&text);
        if holder.is_ok_and(|holder| holder.process == std::process::id() && holder.host == host()) {
            return Ok(());
        }
        let holder = shown_holder(&String::from_utf8_lossy(&text));
        Err(CheckpointError::TakenOver { dir: dir.path().to_owned(), holder }.into())
    }

    /// Writes down that all of it is in another directory.
    pub(super) fn say_set_aside(dir: &Location, to: &Location) -> Result<()> {
        let Some(known) = Self::application(dir)? else { return Ok(()) };
        write_json(&dir.join(APPLICATION), &Application { set_aside: Some(to.to_string()), ..known })
    }

    /// Whose directory it is; nothing for one that is not a checkpoint directory yet, or not any more.
    pub(crate) fn application(dir: &Location) -> Result<Option<Application>> {
        Ok(Self::stored(dir)?.filter(|stored| stored.set_aside.is_none()))
    }

    fn stored(dir: &Location) -> Result<Option<Application>> {
        let file = dir.join(APPLICATION);
        let text = match file.read() {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(CheckpointError::io("read", file.path())(cause)),
        };
        let path = dir.path();
        let found: Application =
            serde_json::from_slice(&text).map_err(|cause| CheckpointError::Unreadable {
                dir: path.to_owned(),
                problem: format!("{APPLICATION} is damaged ({cause}); put it back from a copy"),
            })?;
        if found.format > FORMAT {
            let dir = path.to_owned();
            return Err(CheckpointError::Format { dir, found: found.format, known: FORMAT }.into());
        }
        Ok(Some(found))
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// The log of batches in the checkpoint directory `dir`.
    pub(crate) fn batches(dir: &Location) -> Location {
        dir.join("batches")
    }

    /// The log of changes in the checkpoint directory `dir`.
    pub(crate) fn changes(dir: &Location) -> Location {
        dir.join("changes")
    }

    /// Where the operators with a state have theirs.
    pub(crate) fn states(&self) -> Location {
        self.location.join("state")
    }

    /// The directory of an operator with a state.
    pub(crate) fn state(&self, operator: &str) -> Location {
        self.states().join(file_name(operator))
    }

    /// What the directory of an operator with a state is called.
    pub(crate) fn state_name(operator: &str) -> String {
        file_name(operator)
    }

    /// The directory of a source.
    pub(crate) fn input(&self, stream: StreamId) -> Location {
        self.location.join("inputs").join(stream.to_string())
    }
}

impl Application {
    fn of(application: &str) -> Self {
        Self { format: FORMAT, name: application.to_owned(), set_aside: None }
    }
}

/// The name of this machine.
fn host() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned())
}

pub(super) const APPLICATION: &str = "application.json";
const LEASE: &str = "lease";

/// What a lease says, for people.
fn shown_holder(text: &str) -> String {
    serde_json::from_str::<Holder>(text).map_or_else(
        |_| "another process".to_owned(),
        |Holder { process, application, host, .. }| {
            let host = host.map(|host| format!(" on {host}")).unwrap_or_default();
            format!("process {process}{host} ({application})")
        },
    )
}

/// Locks the lease, and says in it who has it.
fn lease(dir: &Path, application: &str) -> Result<File> {
    let path = dir.join(LEASE);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(CheckpointError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Whoever has it may be about to write this.
            let _ = file.read_to_string(&mut text);
            let holder = shown_holder(&text);
            return Err(CheckpointError::InUse { dir: dir.to_owned(), holder }.into());
        }
        Err(TryLockError::Error(cause)) => return Err(CheckpointError::io("lock", path)(cause)),
    }
    let holder =
        Holder { process: std::process::id(), application: application.to_owned(), epoch: None, host: None };
    let text = serde_json::to_vec(&holder).map_err(Error::user)?;
    let written = fault::pass("lease", "write", &path)
        .and_then(|()| file.set_len(0))
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(&text));
    written.map_err(CheckpointError::io("write", path))?;
    Ok(file)
}

fn write_json(file: &Location, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).map_err(Error::user)?;
    let written = file.create("checkpoint").and_then(|mut file| {
        file.write_all(&text)?;
        file.commit()
    });
    written.map_err(CheckpointError::io("write", file.path()))
}

/// A name that any file system takes, and that no two ids share.
fn file_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            name.push(byte.into());
        } else {
            let _always_fits = write!(name, "%{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_operators_become_names_of_files() {
        assert_eq!(file_name("map_with_state-1"), "map_with_state-1");
        assert_eq!(file_name("../sums per day"), "%2e%2e%2fsums%20per%20day");
    }

    #[test]
    fn a_directory_has_one_user_and_one_application() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = CheckpointDirectory::open(&dir.path().into(), "orders").expect("it is free");
        let second =
            CheckpointDirectory::open(&dir.path().into(), "orders").expect_err("it is taken").to_string();
        assert!(second.contains(&format!("process {} (orders)", std::process::id())), "{second}");
        drop(first);
        let other = CheckpointDirectory::open(&dir.path().into(), "payments")
            .expect_err("it is another's")
            .to_string();
        assert!(other.contains("belongs to the application \"orders\""), "{other}");
        CheckpointDirectory::open(&dir.path().into(), "orders").expect("it is free again");
    }
}
