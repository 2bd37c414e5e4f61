// SPDX-License-Identifier: Apache-2.0
//! The output directory of one job: tasks write below `_temporary`, and the files move to their places when all are
//! written.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    scheduler::task::TaskId,
};

const TEMPORARY: &str = "_temporary";
const SUCCESS: &str = "_SUCCESS";
const PART: &str = "part-";

/// An output directory that is being written. Dropped without a commit, it takes back what it has made.
pub(super) struct OutputDirectory {
    path: PathBuf,
    /// Whether the directory was not there before.
    created: bool,
    committed: bool,
}

impl OutputDirectory {
    /// Prepares the directory and those that it lies in.
    pub(super) fn create(path: &Path, overwrite: bool) -> Result<Self> {
        let existed = fs::exists(path).map_err(|cause| Error::io("look at", path, cause))?;
        if existed && !overwrite {
            return Err(Error::OutputExists(path.display().to_string()));
        }
        fs::create_dir_all(path).map_err(|cause| Error::io("create", path, cause))?;
        let output = Self { path: path.to_owned(), created: !existed, committed: false };
        // What is there was left by a process that died; nobody will commit it.
        output.remove_temporary()?;
        let temporary = output.temporary();
        fs::create_dir(&temporary).map_err(|cause| Error::io("create", &temporary, cause))?;
        Ok(output)
    }

    fn temporary(&self) -> PathBuf {
        self.path.join(TEMPORARY)
    }

    /// Makes the name of the file that an attempt writes; a retry does not meet the file of a failed attempt.
    pub(super) fn attempt_paths(&self) -> impl Fn(TaskId) -> PathBuf + Send + Sync + 'static {
        let temporary = self.temporary();
        move |task| temporary.join(format!("{}.{}", part_name(task.partition), task.attempt))
    }

    /// Moves the files of the partitions, given in their order, to their places, and marks the directory as complete.
    ///
    /// Of older files only those of an earlier job are replaced or removed. The mark of success goes first and comes
    /// last: a directory that has it is whole.
    pub(super) fn commit(mut self, files: &[PathBuf]) -> Result<()> {
        let success = self.path.join(SUCCESS);
        remove_if_present(&success).map_err(|cause| Error::io("remove", &success, cause))?;
        for (partition, file) in files.iter().enumerate() {
            let part = self.path.join(part_name(partition));
            fs::rename(file, &part).map_err(|cause| Error::io("move output to", part, cause))?;
        }
        self.remove_parts_from(files.len())?;
        self.remove_temporary()?;
        fs::File::create(&success).map_err(|cause| Error::io("create", &success, cause))?;
        self.committed = true;
        Ok(())
    }

    /// Removes the files that an earlier job with more partitions has left.
    fn remove_parts_from(&self, partitions: usize) -> Result<()> {
        let listing = |cause| Error::io("list", &self.path, cause);
        for entry in fs::read_dir(&self.path).map_err(listing)? {
            let entry = entry.map_err(listing)?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(PART)?.parse::<usize>().ok());
            if number.is_some_and(|number| number >= partitions) {
                fs::remove_file(entry.path()).map_err(|cause| Error::io("remove", entry.path(), cause))?;
            }
        }
        Ok(())
    }

    fn remove_temporary(&self) -> Result<()> {
        let temporary = self.temporary();
        match fs::remove_dir_all(&temporary) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", temporary, cause))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for OutputDirectory {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        // The error of the job is the one to return, so that another one is only logged.
        if let Err(error) = self.remove_temporary() {
            tracing::warn!(%error, "the output of a failed job cannot be removed");
        }
        if self.created {
            // Fails when it is not empty: what somebody else has put there is not ours to remove.
            let _stays_with_its_files = fs::remove_dir(&self.path);
        }
    }
}

fn part_name(partition: usize) -> String {
    format!("{PART}{partition:05}")
}

fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
