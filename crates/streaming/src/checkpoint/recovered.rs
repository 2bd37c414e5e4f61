// SPDX-License-Identifier: Apache-2.0
//! `Recovered`: what earlier processes left in a checkpoint directory, read back.

use std::collections::BTreeMap;

use dstreams_wal::{Handle, Location, Records, Segment};

use super::{
    cut::{Cut, RETAINED},
    durable::Snapshot,
    log::decode,
    record::{BatchRecord, Program},
};
use crate::{
    error::{CheckpointError, Result},
    input::Batch,
    time::Time,
};

/// Where earlier processes have come to.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The program that ran last.
    pub(crate) program: Program,
    /// The last batch whose outputs and changes are all there; the zero time when there is none.
    pub(crate) completed: Time,
    /// The last batch that was planned or left out.
    pub(crate) last: Time,
    /// The batches that can still be asked for; those after `completed` have to be processed again.
    pub(crate) batches: BTreeMap<Time, Batch>,
    /// The snapshots of each operator, the latest last.
    pub(crate) snapshots: BTreeMap<String, Vec<Snapshot>>,
    /// Where the changes of each completed batch are logged.
    pub(crate) changes: BTreeMap<Time, BTreeMap<String, Handle>>,
    /// Checkpoint files that could not be read, each with the reason; an older one serves in their place.
    pub(crate) damaged: Vec<String>,
}

impl Recovered {
    /// Reads the checkpoint files and the log of batches of a directory; nothing where no process has ever begun.
    /// `place` hears in which segment each record is.
    pub(crate) fn read(
        dir: &Location,
        records: Records,
        mut place: impl FnMut(Time, Segment),
    ) -> Result<Option<Self>> {
        let (cut, damaged) = newest_cut(dir)?;
        let mut reader = LogReader::default();
        for record in records {
            let record = record?;
            let segment = record.handle.segment;
            let record: BatchRecord = decode(&record.bytes, dir.path())?;
            place(record.time(), segment);
            reader.take(record);
        }
        if cut.is_none() && !damaged.is_empty() && !reader.from_the_start {
            let problem = format!(
                "no checkpoint file is readable ({}), and the log no longer reaches back to the start; put a copy of a checkpoint file back, or begin anew in another directory",
                damaged.join("; ")
            );
            return Err(CheckpointError::Unreadable { dir: dir.path().to_owned(), problem }.into());
        }
        let cut_time = cut.as_ref().map(|cut| cut.time);
        let (cut_program, snapshots) =
            cut.map_or((None, BTreeMap::new()), |cut| (Some(cut.program), cut.snapshots));
        let Some(program) = reader.program.or(cut_program) else { return Ok(None) };
        let completed = reader.completed.max(cut_time).unwrap_or(program.zero);
        let last = reader.last.max(Some(completed)).unwrap_or(completed);
        Ok(Some(Self {
            program,
            completed,
            last,
            batches: reader.batches,
            snapshots,
            changes: reader.changes,
            damaged,
        }))
    }

    /// The batches that have to be processed again, oldest first.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Batch> {
        let after = (std::ops::Bound::Excluded(self.completed), std::ops::Bound::Unbounded);
        self.batches.range::<Time, _>(after).map(|(_, batch)| batch)
    }
}

/// The newest checkpoint file that can be read, and why newer ones cannot. Those before the last two are not looked at:
/// the logs need not reach back to them.
fn newest_cut(dir: &Location) -> Result<(Option<Cut>, Vec<String>)> {
    let times = Cut::list(dir).map_err(CheckpointError::io("list", dir.path()))?;
    let mut damaged = Vec::new();
    for time in times.into_iter().rev().take(RETAINED) {
        match Cut::read(dir, time) {
            Ok(cut) => return Ok((Some(cut), damaged)),
            Err(reason) => damaged.push(reason),
        }
    }
    Ok((None, damaged))
}

/// What the log of batches comes to.
#[derive(Default)]
struct LogReader {
    from_the_start: bool,
    program: Option<Program>,
    completed: Option<Time>,
    last: Option<Time>,
    batches: BTreeMap<Time, Batch>,
    changes: BTreeMap<Time, BTreeMap<String, Handle>>,
}

impl LogReader {
    fn take(&mut self, record: BatchRecord) {
        let time = record.time();
        match record {
            BatchRecord::Started { program, first, .. } => {
                self.from_the_start |= first;
                self.program = Some(program);
            }
            BatchRecord::Planned(batch) => {
                self.last = self.last.max(Some(time));
                self.batches.insert(time, batch);
            }
            BatchRecord::Completed { changes, .. } => {
                self.completed = self.completed.max(Some(time));
                self.changes.insert(time, changes);
            }
            BatchRecord::Skipped { .. } => self.last = self.last.max(Some(time)),
        }
    }
}
