// SPDX-License-Identifier: Apache-2.0
//! `CheckpointContents`: what a checkpoint directory holds, for people to read.

use std::{fmt, io, path::Path};

use dstreams_wal::{Location, Reader};

use super::{
    cut::Cut,
    directory::CheckpointDirectory,
    durable::{Shape, Snapshot},
    recovered::Recovered,
};
use crate::{
    config::Config,
    error::{CheckpointError, Result},
    storage::location,
    time::{Duration, Time},
};

/// What a checkpoint directory holds. Shown as a page of text.
///
/// ```
/// use dstreams_streaming::{CheckpointContents, testing::TestContext};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().to_str().ok_or("a path that is text")?;
/// let test = TestContext::new()?;
/// test.context().checkpoint(path);
/// test.input(vec![vec![1], vec![2]]).print();
/// test.run(2)?;
/// test.stop();
/// let contents = CheckpointContents::read(dir.path())?;
/// assert_eq!(contents.completed.map(|time| time.as_millis()), Some(2000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointContents {
    /// The application that the directory belongs to.
    pub application: String,
    /// The time between two batches.
    pub interval: Option<Duration>,
    /// The last batch that is complete; nothing before the first start.
    pub completed: Option<Time>,
    /// The batches that were planned and are not complete, with the number of their records as far as it is known.
    pub pending: Vec<(Time, u64)>,
    /// What the inputs of the last program were called.
    pub inputs: Vec<String>,
    /// The operators of the last program with their states.
    pub states: Vec<StateContents>,
    /// What the outputs of the last program were called.
    pub outputs: Vec<String>,
    /// The checkpoint files, oldest first, each with what is wrong with it if anything is.
    pub files: Vec<(Time, Option<String>)>,
    /// The logs and other parts of the directory, with the bytes of each.
    pub parts: Vec<(String, u64)>,
}

/// What is stored of an operator with a state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateContents {
    /// Its name, or its kind and number.
    pub operator: String,
    /// Its kind.
    pub kind: String,
    /// The type of its keys, with the fields of a struct.
    pub key: String,
    /// The type of its states, with the fields of a struct.
    pub state: String,
    /// Where the states are while a program runs, `memory` or `disk`.
    pub store: String,
    /// The batch of the latest snapshot, and the keys and bytes in it.
    pub snapshot: Option<(Time, u64, u64)>,
    /// In how many later batches states changed, and the bytes that this takes in the log.
    pub changes: (usize, u64),
}

impl CheckpointContents {
    /// Reads a directory, which may be in use, and changes nothing in it.
    pub fn read(dir: &Path) -> Result<Self> {
        Self::read_from(&dir.into())
    }

    /// As [`read`](Self::read), of a directory that may be a URL for which a storage is [registered](crate::storage); the
    /// configuration has its options.
    pub fn read_with(dir: &str, config: &Config) -> Result<Self> {
        Self::read_from(&location(dir, config)?)
    }

    fn read_from(dir: &Location) -> Result<Self> {
        let Some(application) = CheckpointDirectory::application(dir)? else {
            let problem = "it is not a checkpoint directory: it has no application.json".to_owned();
            return Err(CheckpointError::Unreadable { dir: dir.path().to_owned(), problem }.into());
        };
        let records = Reader::new(CheckpointDirectory::batches(dir)).read_all()?;
        let found = Recovered::read(dir, records, |_, _| ())?;
        let mut contents = Self {
            application: application.name,
            interval: None,
            completed: None,
            pending: Vec::new(),
            inputs: Vec::new(),
            states: Vec::new(),
            outputs: Vec::new(),
            files: files(dir)?,
            parts: parts(dir).map_err(CheckpointError::io("list", dir.path()))?,
        };
        if let Some(found) = found {
            contents.take(found);
        }
        Ok(contents)
    }

    fn take(&mut self, found: Recovered) {
        let records =
            |batch: &crate::Batch| batch.inputs.values().map(|input| input.info.records).sum::<u64>();
        self.pending = found.pending().map(|batch| (batch.time, records(batch))).collect();
        self.interval = Some(found.program.interval);
        self.completed = Some(found.completed);
        self.states = found
            .program
            .operators
            .iter()
            .map(|(operator, stored)| {
                let snapshot = found.snapshots.get(operator).and_then(|snapshots| snapshots.last());
                StateContents {
                    operator: operator.clone(),
                    kind: stored.kind.clone(),
                    key: shown(&stored.schema.key),
                    state: shown(&stored.schema.state),
                    store: stored.schema.store.clone(),
                    snapshot: snapshot.map(|Snapshot { time, keys, bytes, .. }| (*time, *keys, *bytes)),
                    changes: changes_since(&found, operator, snapshot.map(|snapshot| snapshot.time)),
                }
            })
            .collect();
        self.inputs = found.program.inputs.into_iter().map(|input| input.name).collect();
        self.outputs = found.program.outputs;
    }
}

/// How many batches after a snapshot have logged changes of an operator, and their bytes.
fn changes_since(found: &Recovered, operator: &str, snapshot: Option<Time>) -> (usize, u64) {
    let later = found.changes.iter().filter(|(time, _)| snapshot.is_none_or(|snapshot| **time > snapshot));
    let lengths =
        later.filter_map(|(_, changes)| changes.get(operator)).map(|handle| u64::from(handle.length));
    lengths.fold((0, 0), |(batches, bytes), length| (batches + 1, bytes + length))
}

/// `Session { clicks: u64, since: i64 }`, or the name alone.
fn shown(shape: &Shape) -> String {
    if shape.fields.is_empty() {
        return shape.name.clone();
    }
    let fields: Vec<_> = shape.fields.iter().map(|(name, text)| format!("{name}: {text}")).collect();
    format!("{} {{ {} }}", shape.name, fields.join(", "))
}

fn files(dir: &Location) -> Result<Vec<(Time, Option<String>)>> {
    let times = Cut::list(dir).map_err(CheckpointError::io("list", dir.path()))?;
    Ok(times.into_iter().map(|time| (time, Cut::read(dir, time).err())).collect())
}

/// The parts of the directory and the bytes of all files in each.
fn parts(dir: &Location) -> io::Result<Vec<(String, u64)>> {
    let dirs = dir.list()?.into_iter().filter(|entry| entry.bytes.is_none());
    dirs.map(|entry| Ok((entry.name.clone(), dir.join(&entry.name).bytes()?))).collect()
}

impl fmt::Display for CheckpointContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "application  {:?}", self.application)?;
        match (self.interval, self.completed) {
            (Some(interval), Some(completed)) => {
                writeln!(f, "batches      every {interval}; the last complete one is {completed}")?;
            }
            _ => writeln!(f, "batches      none yet")?,
        }
        for (time, records) in &self.pending {
            writeln!(f, "pending      {time} ({records} records)")?;
        }
        for name in &self.inputs {
            writeln!(f, "input        {name}")?;
        }
        for state in &self.states {
            writeln!(f, "state        {state}")?;
        }
        for name in &self.outputs {
            writeln!(f, "output       {name}")?;
        }
        for (time, damage) in &self.files {
            let damage = damage.as_ref().map(|damage| format!(", damaged: {damage}")).unwrap_or_default();
            writeln!(f, "file         checkpoint-{}{damage}", time.as_millis())?;
        }
        for (name, bytes) in &self.parts {
            writeln!(f, "bytes        {name}: {bytes}")?;
        }
        Ok(())
    }
}

impl fmt::Display for StateContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, kind, key, state, store, snapshot, changes: (batches, bytes) } = self;
        write!(f, "{operator} ({kind}, in {store}): {key} to {state}; ")?;
        match snapshot {
            Some((time, keys, bytes)) => write!(f, "snapshot of {time} with {keys} keys in {bytes} bytes")?,
            None => write!(f, "no snapshot yet")?,
        }
        if *batches > 0 {
            write!(f, ", changes of {batches} later batches in {bytes} bytes")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestContext;

    #[test]
    fn what_a_program_has_left_is_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        {
            let test = TestContext::new().expect("an engine");
            test.context().checkpoint(dir.path().to_string_lossy());
            let ones = test.input(vec![vec![(1_u8, "a".to_owned())]; 3]);
            let last = ones.update_state_by_key(|new: Vec<String>, _| new.into_iter().next_back());
            last.named("last").write_to(crate::testing::MemorySink::new()).named("table");
            test.run(2).expect("all batches succeed");
            test.stop();
        }
        let text = CheckpointContents::read(dir.path()).expect("it is whole").to_string();
        for line in [
            "batches      every 1000 ms; the last complete one is 2000 ms",
            "input        Scripted stream [0]",
            "state        last (update_state_by_key, in memory): u8 to string; snapshot of 2000 ms with 1 keys in",
            "output       table",
            "file         checkpoint-2000",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_directory_of_something_else_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let refused = CheckpointContents::read(dir.path()).expect_err("it is empty").to_string();
        assert!(refused.contains("no application.json"), "{refused}");
    }
}
