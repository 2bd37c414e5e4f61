// SPDX-License-Identifier: Apache-2.0
//! Setting a checkpoint directory aside, so that the next start begins anew.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

use dstreams_wal::{Location, fault};

use super::{CheckpointDirectory, directory::APPLICATION};
use crate::error::{CheckpointError, Result};

/// Gives the checkpoint directory `dir` the name of `to`, where nothing is.
///
/// On an object store nothing can be renamed: all is copied, then `dir` says that it has been set aside, and then what
/// it has is removed. A process that ends between is one of these: the copy is not whole, and `dir` is what it was; or
/// the copy is whole, and the next start on `dir` removes what is left there and begins anew.
pub(crate) fn set_aside(dir: &Location, to: &Location) -> Result<()> {
    if let (Some(from), Some(to)) = (dir.local_path(), to.local_path()) {
        return rename(from, to).map_err(CheckpointError::io("set aside", from));
    }
    CheckpointDirectory::refuse_another_owner(dir)?;
    copy(dir, to).map_err(CheckpointError::io("copy", dir.path()))?;
    // Copying takes its time.
    CheckpointDirectory::refuse_another_owner(dir)?;
    CheckpointDirectory::say_set_aside(dir, to)?;
    remove_rest(dir)?;
    dir.join(APPLICATION).remove(PLACE).map_err(CheckpointError::io("remove", dir.path()))
}

/// The fault points: `put`, `part` and `finish` of what is copied, and `remove`.
const PLACE: &str = "aside";

/// Removes all but what says that the directory has been set aside.
pub(super) fn remove_rest(dir: &Location) -> Result<()> {
    let removed = dir.list().and_then(|entries| {
        entries.into_iter().filter(|entry| entry.name != APPLICATION).try_for_each(|entry| {
            let there = dir.join(&entry.name);
            let removed = match entry.bytes {
                None => there.remove_dir_all(PLACE),
                Some(_) => there.remove(PLACE),
            };
            match removed {
                Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
                removed => removed,
            }
        })
    });
    removed.map_err(CheckpointError::io("remove what has been set aside from", dir.path()))
}

fn copy(from: &Location, to: &Location) -> io::Result<()> {
    for entry in from.list()? {
        let (from, to) = (from.join(&entry.name), to.join(&entry.name));
        if entry.bytes.is_none() {
            copy(&from, &to)?;
            continue;
        }
        let mut file = to.create(PLACE)?;
        io::copy(&mut from.open()?, &mut file)?;
        file.commit()?;
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault::pass("checkpoint", "aside", from)?;
    fs::rename(from, to)?;
    from.parent().map_or(Ok(()), |dir| dstreams_wal::sync_dir("checkpoint", dir))
}
