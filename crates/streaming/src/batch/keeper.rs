// SPDX-License-Identifier: Apache-2.0
//! `Keeper`: writes down what happens to batches and states, cuts checkpoints, and removes what no start can need.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Included},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use dstreams_wal::Handle;
use parking_lot::Mutex;

use crate::{
    checkpoint::{
        BatchRecord, CheckpointDirectory, Cut, Program, RETAINED, TimedLog,
        durable::{Changes, Snapshot},
        encode,
    },
    error::{CheckpointError, Error, Result},
    event::{SnapshotInfo, StateInfo},
    graph::{RunningGraph, StateOperator},
    input::Batch,
    time::{Duration, Time, seconds},
};

/// The checkpoints of an active context.
pub(crate) struct Keeper {
    directory: CheckpointDirectory,
    program: Program,
    graph: Arc<RunningGraph>,
    batches: TimedLog,
    changes: TimedLog,
    /// Where the changes of each completed batch are, as far back as a snapshot may need them.
    logged: Mutex<BTreeMap<Time, BTreeMap<String, Handle>>>,
    kept: Mutex<Kept>,
    /// Set when no further batches can be made.
    halted: AtomicBool,
}

/// What is there beside the logs.
#[derive(Default)]
struct Kept {
    /// What the changes of each operator take in the log since its last snapshot, or a little more.
    logged: BTreeMap<String, u64>,
    snapshots: BTreeMap<String, Vec<Snapshot>>,
    /// What the last checkpoint file leaves needed. It takes effect when there is another one after it.
    limits: Option<Limits>,
    last_cut: Option<Time>,
}

/// What a start from a checkpoint file still needs.
#[derive(Clone, Copy)]
struct Limits {
    /// Inputs of the batches after this time.
    inputs: Time,
    /// Changes of the batches after this time.
    changes: Time,
}

/// The least time between two checkpoint files for which no snapshot is due.
const CUT_INTERVAL: Duration = seconds(10);

impl Keeper {
    /// Goes on in `directory`, where `snapshots` and `changes` have been found.
    pub(crate) fn new(
        directory: CheckpointDirectory,
        (batches, changes): (TimedLog, TimedLog),
        program: Program,
        graph: Arc<RunningGraph>,
        snapshots: BTreeMap<String, Vec<Snapshot>>,
        logged: BTreeMap<Time, BTreeMap<String, Handle>>,
    ) -> Self {
        for (time, handles) in &logged {
            for handle in handles.values() {
                changes.note(*time, handle.segment);
            }
        }
        let kept = Mutex::new(Kept { snapshots, ..Kept::default() });
        let logged = Mutex::new(logged);
        let halted = AtomicBool::new(false);
        let keeper = Self { directory, program, graph, batches, changes, logged, kept, halted };
        keeper.count_logged(&mut keeper.kept.lock());
        keeper
    }

    /// The program of this process.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// The snapshots of an operator, the latest last.
    pub(crate) fn snapshots_of(&self, operator: &str) -> Vec<Snapshot> {
        self.kept.lock().snapshots.get(operator).cloned().unwrap_or_default()
    }

    /// Writes down that the process begins to make batches.
    pub(crate) fn started(&self, after: Time, first: bool) -> Result<()> {
        self.log(&BatchRecord::Started { after, program: self.program.clone(), first })
    }

    /// Writes down what a batch is made of. From here on it is processed, here or by a later process.
    pub(crate) fn planned(&self, batch: &Batch) -> Result<()> {
        self.log(&BatchRecord::Planned(batch.clone()))
    }

    /// Writes down that batches are left out.
    pub(crate) fn skipped(&self, first: Time, last: Time, batches: u64) -> Result<()> {
        self.log(&BatchRecord::Skipped { first, last, batches })
    }

    /// Makes durable what the batch has changed, and that it is complete; returns the bytes that this took in the log.
    /// Called in the order of the batches.
    pub(crate) fn commit(&self, time: Time) -> Result<u64> {
        let mut operators = Vec::new();
        let mut records = Vec::new();
        for StateOperator { id, state, .. } in self.graph.states() {
            if let Some(bytes) = state.take_changes(time)? {
                operators.push(id.clone());
                records.push(bytes);
            }
        }
        let bytes = records.iter().map(|record| record.len() as u64).sum();
        let handles = self.as_owner(self.changes.append(time, &records))?;
        let changes: BTreeMap<_, _> = operators.into_iter().zip(handles).collect();
        self.log(&BatchRecord::Completed { time, changes: changes.clone() })?;
        if !changes.is_empty() {
            let mut kept = self.kept.lock();
            for (operator, handle) in &changes {
                *kept.logged.entry(operator.clone()).or_default() += self.cost(*handle);
            }
            drop(kept);
            self.logged.lock().insert(time, changes);
        }
        self.graph.states().iter().try_for_each(|operator| operator.state.committed(time))?;
        Ok(bytes)
    }

    /// How large the states are after the batch at `time`.
    pub(crate) fn states(&self, time: Time) -> Vec<StateInfo> {
        let kept = self.kept.lock();
        let state = |StateOperator { id, state, .. }: &StateOperator| StateInfo {
            operator: id.clone(),
            batch_time: time,
            keys: state.keys(),
            logged_bytes: kept.logged.get(id).copied().unwrap_or(0),
            snapshot: kept.last_of(id).map(|last| SnapshotInfo {
                batch_time: last.time,
                keys: last.keys,
                bytes: last.bytes,
            }),
        };
        self.graph.states().iter().map(state).collect()
    }

    fn log(&self, record: &BatchRecord) -> Result<()> {
        self.as_owner(self.batches.append(record.time(), &[encode(record)?])).map(drop)
    }

    /// What has been done to a log; says who it was when another process has taken the directory over.
    fn as_owner<T>(&self, done: Result<T>) -> Result<T> {
        done.map_err(|error| match error {
            Error::Checkpoint(CheckpointError::Log(dstreams_wal::Error::TakenOver { .. })) => {
                let (dir, holder) = (self.directory.location().path().to_owned(), self.directory.owner());
                CheckpointError::TakenOver { dir, holder }.into()
            }
            other => other,
        })
    }

    /// Says that no further batches can be made: one could not be logged, or too many wait for one that has failed.
    pub(crate) fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    /// Whether a checkpoint file is due after the batch at `time`.
    pub(crate) fn is_cut_due(&self, time: Time) -> bool {
        let kept = self.kept.lock();
        let last = kept.last_cut.unwrap_or(self.program.zero);
        time - last >= CUT_INTERVAL
            || self.graph.states().iter().any(|operator| self.is_due(operator, &kept, time))
    }

    fn is_due(&self, operator: &StateOperator, kept: &Kept, time: Time) -> bool {
        let last = kept.last_of(&operator.id).map_or(self.since(&operator.id), |last| last.time);
        let logged = kept.logged.get(&operator.id).copied().unwrap_or(0);
        last < time && operator.state.wants_snapshot(time, self.program.zero, logged)
    }

    /// The batch after which an operator began.
    fn since(&self, operator: &str) -> Time {
        self.program.operators.get(operator).map_or(self.program.zero, |stored| stored.since)
    }

    /// Where the changes are that the batches after `since` and up to `time` made to an operator.
    fn logged_since(&self, operator: &str, since: Time, time: Time) -> Vec<(Time, Handle)> {
        if since >= time {
            return Vec::new();
        }
        let logged = self.logged.lock();
        let batches = logged.range((Excluded(since), Included(time)));
        batches.filter_map(|(time, changes)| Some((*time, *changes.get(operator)?))).collect()
    }

    /// What the batches after `since` and up to `time` changed in an operator, read one by one.
    pub(crate) fn changes_of(
        &self,
        operator: &str,
        since: Time,
        time: Time,
    ) -> impl Iterator<Item = Result<Changes>> + '_ {
        let logged = self.logged_since(operator, since, time);
        logged.into_iter().map(|(time, handle)| Ok(Changes { time, bytes: self.changes.read(&handle)? }))
    }

    /// Writes the snapshots that are due after the batch at `time`, then a checkpoint file, and removes what is not
    /// needed any more. At the `end` all that would have to be computed again is written, too. Returns the bytes of the
    /// snapshots.
    pub(crate) fn cut(&self, time: Time, end: bool) -> Result<u64> {
        // From an owner that went before, one file may still come and nothing may still go: see `retire`.
        self.as_owner(self.batches.check_owner())?;
        let mut bytes = 0;
        for operator in self.graph.states() {
            bytes += self.snapshot(operator, time, end)?;
        }
        // The lock is not held while the file is written: batches that complete meanwhile need it.
        let (limits, snapshots) = {
            let mut kept = self.kept.lock();
            self.count_logged(&mut kept);
            (self.limits(&mut kept, time), kept.snapshots.clone())
        };
        Cut { time, program: self.program.clone(), snapshots }.write(self.directory.location())?;
        let before = {
            let mut kept = self.kept.lock();
            kept.last_cut = Some(time);
            kept.limits.replace(limits)
        };
        self.retire(time)?;
        if let Some(limits) = before {
            self.clean(limits)?;
        }
        Ok(bytes)
    }

    /// Sums up what is logged since the last snapshots.
    fn count_logged(&self, kept: &mut Kept) {
        let mut sums = BTreeMap::new();
        for (time, changes) in self.logged.lock().iter() {
            for (operator, handle) in changes {
                if kept.last_of(operator).is_none_or(|last| last.time < *time) {
                    *sums.entry(operator.clone()).or_default() += self.cost(*handle);
                }
            }
        }
        kept.logged = sums;
    }

    /// Writes a snapshot of an operator if one is due; its bytes.
    fn snapshot(&self, operator: &StateOperator, time: Time, end: bool) -> Result<u64> {
        let StateOperator { id, state, .. } = operator;
        let last = {
            let kept = self.kept.lock();
            let last = kept.last_of(id).cloned();
            let newer = last.as_ref().is_none_or(|last| last.time < time);
            let wanted = self.is_due(operator, &kept, time) || end && newer && !state.logs_changes();
            if !wanted {
                return Ok(0);
            }
            last
        };
        let since = last.as_ref().map_or(self.since(id), |last| last.time);
        let mut changes = self.changes_of(id, since, time);
        if let Some(snapshot) = state.snapshot(time, last.as_ref(), &mut changes)? {
            tracing::debug!(operator = id, time = %snapshot.time, keys = snapshot.keys, bytes = snapshot.bytes, "snapshot");
            let bytes = snapshot.bytes;
            self.kept.lock().snapshots.entry(id.clone()).or_default().push(snapshot);
            Ok(bytes)
        } else {
            tracing::debug!(operator = id, %time, "no snapshot of this batch can be made any more");
            Ok(0)
        }
    }

    /// What a start after the batch at `time` may need; snapshots that are older are left out from now on.
    fn limits(&self, kept: &mut Kept, time: Time) -> Limits {
        let mut limits = Limits { inputs: time, changes: time };
        for StateOperator { id, state, .. } in self.graph.states() {
            let snapshots = kept.snapshots.entry(id.clone()).or_default();
            // The states of this time must be there, from it or computed again from an earlier snapshot.
            let needed = time - state.remembers();
            let from = snapshots.partition_point(|snapshot| snapshot.time <= needed).saturating_sub(1);
            let from = if state.logs_changes() { snapshots.len().saturating_sub(1) } else { from };
            snapshots.drain(..from);
            let oldest = snapshots.first().map_or(self.since(id), |snapshot| snapshot.time);
            if state.logs_changes() {
                limits.changes = limits.changes.min(oldest).min(needed);
            } else {
                limits.inputs = limits.inputs.min(oldest);
            }
        }
        kept.snapshots.retain(|_, snapshots| !snapshots.is_empty());
        Limits { inputs: limits.inputs - self.graph.remember(), ..limits }
    }

    /// Removes older checkpoint files than are kept, and the snapshots from before `time` that none of those left speaks
    /// of. Later ones are of a process that has taken the directory over, if there are any.
    fn retire(&self, time: Time) -> Result<()> {
        let dir = self.directory.location();
        let failed = |action| CheckpointError::io(action, dir.path());
        let times = Cut::list(dir).map_err(failed("list"))?;
        let (old, retained) = times.split_at(times.len().saturating_sub(RETAINED));
        let mut needed: BTreeSet<(String, String)> = BTreeSet::new();
        for time in retained {
            match Cut::read(dir, *time) {
                Ok(cut) => needed.extend(cut.snapshots.into_iter().flat_map(|(operator, snapshots)| {
                    let operator = CheckpointDirectory::state_name(&operator);
                    snapshots.into_iter().map(move |snapshot| (operator.clone(), snapshot.dir))
                })),
                // A file that cannot be read may speak of any snapshot.
                Err(_) => return Ok(()),
            }
        }
        for time in old {
            Cut::remove(dir, *time).map_err(failed("remove an old checkpoint file from"))?;
        }
        for (operator, name) in self.snapshots_before(time).map_err(failed("list the snapshots in"))? {
            let snapshot = self.directory.states().join(&operator).join(&name);
            if !needed.contains(&(operator, name)) {
                let removed = snapshot.remove_dir_all("snapshot");
                removed.map_err(CheckpointError::io("remove", snapshot.path()))?;
            }
        }
        Ok(())
    }

    /// The snapshots from before `time`, each with the directory of its operator.
    fn snapshots_before(&self, time: Time) -> std::io::Result<Vec<(String, String)>> {
        let is_old = |name: &str| {
            let millis = name.strip_prefix("snapshot-").and_then(|millis| millis.parse().ok());
            millis.is_some_and(|millis| Time::from_millis(millis) < time)
        };
        let mut found = Vec::new();
        for operator in self.directory.states().list()? {
            let names = self.directory.states().join(&operator.name).list()?.into_iter();
            let old = names.map(|entry| entry.name).filter(|name| is_old(name));
            found.extend(old.map(|name| (operator.name.clone(), name)));
        }
        Ok(found)
    }

    fn clean(&self, limits: Limits) -> Result<()> {
        let next = |time: Time| time + Duration::from_millis(1);
        self.graph.clean(limits.inputs);
        self.batches.clean(next(limits.inputs.min(limits.changes)))?;
        self.changes.clean(next(limits.changes))?;
        let mut logged = self.logged.lock();
        let kept = logged.split_off(&next(limits.changes));
        *logged = kept;
        Ok(())
    }

    /// What it takes to read changes again: the least is that of finding them, which is more where each batch has an
    /// object of its own.
    fn cost(&self, handle: Handle) -> u64 {
        let least = if self.directory.location().is_local() { 4 << 10 } else { 256 << 10 };
        u64::from(handle.length).max(least)
    }

    /// Nothing is written from now on.
    pub(crate) fn close(&self) -> Result<()> {
        self.batches.close().and(self.changes.close())
    }
}

impl Kept {
    fn last_of(&self, operator: &str) -> Option<&Snapshot> {
        self.snapshots.get(operator).and_then(|snapshots| snapshots.last())
    }
}
