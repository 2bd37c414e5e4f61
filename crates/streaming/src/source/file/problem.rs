// SPDX-License-Identifier: Apache-2.0
//! What can be wrong with a selected file, and where that is counted, logged and reported.

use std::{
    collections::BTreeSet,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

use super::SelectedFile;
use crate::time::Time;

/// How many problems the metadata of one batch shows.
const SHOWN: usize = 20;

/// A file of a batch that could not be read as it was selected. The other files of the batch are read all the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct FileProblem {
    /// The batch that took the file.
    pub batch_time: Time,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: FileFault,
}

/// What is wrong with a file that was selected for a batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FileFault {
    /// It could not be opened or not be read to its end, for this reason. Records read before are in the batch.
    Unreadable(String),
    /// It holds less than when it was selected; nothing of it is in the batch.
    Shorter {
        /// Its length in bytes when it was selected.
        selected: u64,
        /// Its length when it was to be read.
        found: u64,
    },
    /// One of its records was left out, for this reason.
    RecordSkipped(String),
    /// It holds more than when it was selected. The batch has what it held then; the rest is in no batch.
    Longer {
        /// Its length in bytes when it was selected.
        selected: u64,
        /// Its length when it was to be read.
        found: u64,
    },
    /// It was modified since it was selected, with the same length. The batch has what it holds now.
    Rewritten,
    /// It held nothing when it was selected, and what comes later will be in no batch.
    Empty,
}

impl FileFault {
    /// Whether data of the file that was there when it was selected is missing in the batch.
    pub fn is_dead(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::Shorter { .. })
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(reason) => write!(f, "cannot be read: {reason}"),
            Self::Shorter { selected, found } => {
                write!(
                    f,
                    "has been cut from {selected} to {found} bytes since it was selected; it is not read"
                )
            }
            Self::RecordSkipped(reason) => write!(f, "a record is left out: {reason}"),
            Self::Longer { selected, found } => write!(
                f,
                "has grown from {selected} to {found} bytes since it was selected; what was added is not read"
            ),
            Self::Rewritten => write!(f, "has been modified since it was selected; it is read as it is now"),
            Self::Empty => write!(f, "was empty when it was selected; what is written later is not read"),
        }
    }
}

impl FileProblem {
    pub(super) fn new(batch_time: Time, file: &SelectedFile, fault: FileFault) -> Self {
        Self { batch_time, path: file.path().to_owned(), fault }
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.fault)
    }
}

/// Counts the problems of a stream, each once however often its batch is read.
pub(super) struct Problems {
    on_problem: Arc<dyn Fn(&FileProblem) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Those of the batches that may still be read.
    known: BTreeSet<FileProblem>,
    /// The files that are dead, of the batches that may still be read.
    dead: BTreeSet<(Time, PathBuf)>,
    dead_files: u64,
    /// The first of those that no batch has shown yet.
    to_show: Vec<String>,
    not_shown: usize,
}

impl Problems {
    pub(super) fn new(on_problem: Arc<dyn Fn(&FileProblem) + Send + Sync>) -> Self {
        Self { on_problem, state: Mutex::default() }
    }

    pub(super) fn report(&self, problem: &FileProblem) {
        {
            let mut state = self.state.lock();
            if state.known.contains(problem) {
                return;
            }
            state.known.insert(problem.clone());
            if problem.fault.is_dead() && state.dead.insert((problem.batch_time, problem.path.clone())) {
                state.dead_files += 1;
            }
            if state.to_show.len() < SHOWN {
                state.to_show.push(problem.to_string());
            } else {
                state.not_shown += 1;
            }
        }
        log(&problem.path, problem.batch_time, &problem.fault);
        // Outside of the lock, and caught: the callback is the user's, and must not cost the batch its other files.
        if catch_unwind(AssertUnwindSafe(|| (self.on_problem)(problem))).is_err() {
            tracing::error!(%problem, "the callback for problems of files panicked");
        }
    }

    /// The problems that no batch has shown yet, and how many files have been dead so far.
    pub(super) fn take_for_display(&self) -> (Vec<String>, u64) {
        let mut state = self.state.lock();
        let mut shown = std::mem::take(&mut state.to_show);
        let more = std::mem::take(&mut state.not_shown);
        if more > 0 {
            shown.push(format!("and {more} more"));
        }
        (shown, state.dead_files)
    }

    /// Forgets the problems of the batches at and before `time`.
    pub(super) fn forget(&self, time: Time) {
        let mut state = self.state.lock();
        state.known.retain(|problem| problem.batch_time > time);
        state.dead.retain(|(batch_time, _)| *batch_time > time);
    }
}

fn log(path: &Path, batch_time: Time, fault: &FileFault) {
    let path = path.display();
    if fault.is_dead() {
        tracing::error!(%path, %batch_time, %fault, "a file of a batch is not read");
    } else {
        tracing::warn!(%path, %batch_time, %fault, "a file of a batch is not as it was selected");
    }
}
