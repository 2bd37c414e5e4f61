// SPDX-License-Identifier: Apache-2.0
//! What a start does with a checkpoint directory: takes it, compares, and puts back what an earlier process left.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use dstreams_wal::{Location, Options, Reader};

use crate::{
    batch::keeper::Keeper,
    checkpoint::{
        CheckpointDirectory, Program, Recovered, RecoveryReport, StoredInput, StoredOperator, TimedLog,
        durable::{DurableState, Stored},
    },
    config::{Config, keys},
    dstream::scope::Scope,
    error::{CheckpointError, Error, Result},
    graph::{GraphSettings, RunningGraph},
    input::{Batch, StreamId},
    storage::location,
    time::{Duration, Time},
};

/// A checkpoint directory that this context has, and what was found in it.
pub(super) struct Opened {
    directory: CheckpointDirectory,
    batches: TimedLog,
    changes: TimedLog,
    found: Option<Recovered>,
}

/// What is to be done before the first batch of the clock.
pub(super) struct ToDo {
    pub(super) keeper: Arc<Keeper>,
    /// Batches to be processed again.
    pub(super) pending: Vec<Time>,
    /// Batches to be made up for.
    pub(super) missed: Vec<Time>,
    pub(super) report: Option<RecoveryReport>,
}

/// When batches are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    /// The time before the first batch of all.
    pub(super) zero: Time,
    /// The first batch of the clock.
    pub(super) first: Time,
}

impl Opened {
    /// Takes the directory and reads what is in it.
    pub(super) fn open(dir: &str, config: &Config) -> Result<Self> {
        let application = config.get(&keys::APP_NAME).unwrap_or_default();
        let mut directory = CheckpointDirectory::open(&location(dir, config)?, &application)?;
        let options = |place| Options {
            place,
            rolling_interval: config.get(&keys::DRIVER_LOG_ROLLING_INTERVAL).to_std(),
            max_failures: config.get(&keys::DRIVER_LOG_MAX_FAILURES),
            ..Options::default()
        };
        let batches = CheckpointDirectory::batches(directory.location());
        let batches = TimedLog::open(&batches, options("batches"))?;
        directory.own(batches.epoch())?;
        let changes = CheckpointDirectory::changes(directory.location());
        let changes = TimedLog::open(&changes, options("changes"))?;
        let found = Recovered::read(directory.location(), batches.read_all()?, |time, segment| {
            batches.note(time, segment);
        })?;
        for damaged in found.iter().flat_map(|found| &found.damaged) {
            tracing::warn!("a checkpoint file is damaged, the one before is used: {damaged}");
        }
        Ok(Self { directory, batches, changes, found })
    }

    /// The last batch that an earlier process has planned or left out.
    pub(super) fn last_batch(&self) -> Option<Time> {
        self.found.as_ref().map(|found| found.last)
    }

    /// When batches are made: where an earlier process has begun, its batches are continued.
    pub(super) fn schedule(&self, now: Time, interval: Duration) -> Result<Schedule> {
        schedule(&self.directory, self.found.as_ref(), now, interval)
    }

    /// Puts back what was found, and writes down that this process goes on from there.
    pub(super) fn restore(
        self,
        scope: &Scope,
        graph: &Arc<RunningGraph>,
        schedule: Schedule,
    ) -> Result<ToDo> {
        let Self { directory, batches, changes, mut found } = self;
        for input in graph.inputs() {
            input.attach(&directory.input(input.id()))?;
        }
        for operator in graph.states() {
            operator.state.attach(&directory.state(&operator.id))?;
        }
        let program = program(scope, graph, schedule.zero, found.as_ref())?;
        let report = found.as_ref().map(|found| RecoveryReport::new(found, &program));
        let (mut snapshots, mut logged) = (BTreeMap::new(), BTreeMap::new());
        if let Some(found) = &mut found {
            // What another operator of the same name has left is not taken for this one's.
            let before = &found.program.operators;
            let goes_on = |operator: &String| {
                before.get(operator).is_some_and(|stored| program.continues(operator, stored))
            };
            snapshots = std::mem::take(&mut found.snapshots);
            snapshots.retain(|operator, _| goes_on(operator));
            logged = std::mem::take(&mut found.changes);
            for changes in logged.values_mut() {
                changes.retain(|operator, _| goes_on(operator));
            }
        }
        for operator in graph.states() {
            graph.begin_after(
                operator,
                program.operators.get(&operator.id).map_or(schedule.zero, |stored| stored.since),
            );
        }
        let keeper =
            Keeper::new(directory, (batches, changes), program, Arc::clone(graph), snapshots, logged);
        let Some(found) = found else {
            keeper.started(schedule.zero, true)?;
            return Ok(ToDo { keeper: Arc::new(keeper), pending: Vec::new(), missed: Vec::new(), report });
        };
        let batches = found.known_batches(keeper.program());
        restore_inputs(graph, &found, &batches, keeper.program())?;
        restore_states(graph, &found, &keeper)?;
        let pending: Vec<Time> = batches.keys().copied().filter(|time| *time > found.completed).collect();
        if found.program.interval == scope.interval() {
            scope.batches().write().extend(batches);
        }
        keeper.started(found.last, false)?;
        let missed = missed(scope, &found, schedule, &keeper)?;
        Ok(ToDo { keeper: Arc::new(keeper), pending, missed, report })
    }
}

/// When batches are made: where an earlier process has begun, its batches are continued.
fn schedule(
    directory: &CheckpointDirectory,
    found: Option<&Recovered>,
    now: Time,
    interval: Duration,
) -> Result<Schedule> {
    let Some(found) = found else { return Ok(Schedule::fresh(now, interval)) };
    let stored = found.program.interval;
    if stored == interval {
        let zero = found.program.zero;
        let first = now.next_multiple(interval, zero).max(found.last + interval);
        return Ok(Schedule { zero, first });
    }
    let pending = found.pending().count();
    if pending > 0 {
        let dir = directory.location().path().to_owned();
        return Err(CheckpointError::Interval { dir, stored, now: interval, pending }.into());
    }
    tracing::warn!(%stored, now = %interval, "the batch interval has changed: windows begin anew, states are kept");
    Ok(Schedule::fresh(now.max(found.last), interval))
}

/// What a start would make of what is in the directory; nothing where there is nothing. Nothing is changed there, and
/// nothing is taken over.
pub(super) fn explain(dir: &str, scope: &Arc<Scope>) -> Result<Option<RecoveryReport>> {
    let dir = location(dir, scope.config())?;
    if CheckpointDirectory::application(&dir)?.is_none() {
        return Ok(None);
    }
    let application = scope.config().get(&keys::APP_NAME).unwrap_or_default();
    let directory = CheckpointDirectory::open(&dir, &application)?;
    let Some(found) = read(&dir)? else { return Ok(None) };
    let Schedule { zero, .. } = schedule(&directory, Some(&found), scope.clock().now(), scope.interval())?;
    let graph =
        RunningGraph::start(scope, &GraphSettings { zero, remember: None, has_checkpoint_dir: true })?;
    Ok(Some(RecoveryReport::new(&found, &program(scope, &graph, zero, Some(&found))?)))
}

/// What earlier processes have left, whether one of them still works with it or not.
fn read(dir: &Location) -> Result<Option<Recovered>> {
    let records = Reader::new(CheckpointDirectory::batches(dir)).read_all()?;
    Recovered::read(dir, records, |_, _| ())
}

impl Schedule {
    /// For a context that begins.
    pub(super) fn fresh(now: Time, interval: Duration) -> Self {
        let first = now.next_multiple(interval, Time::ZERO);
        Self { zero: first - interval, first }
    }
}

/// The program of this process.
fn program(scope: &Scope, graph: &RunningGraph, zero: Time, found: Option<&Recovered>) -> Result<Program> {
    let memory = |id: StreamId, name: &str| {
        let stored = found.into_iter().flat_map(|found| &found.program.inputs);
        let same = |input: &&StoredInput| input.id == id && input.name == name;
        stored.into_iter().find(same).map(|input| input.memory.clone())
    };
    let inputs = graph.inputs().iter().map(|input| {
        let (id, name) = (input.id(), input.name());
        let memory = memory(id, &name).unwrap_or_else(|| input.memory());
        StoredInput { id, name, memory }
    });
    let operators = graph.states().iter().map(|operator| {
        let before = found.and_then(|found| found.program.operators.get(&operator.id));
        let since = match before.filter(|before| before.kind == operator.kind) {
            Some(before) => before.since,
            None => found.map_or(zero, |found| found.completed),
        };
        let schema = operator.state.schema()?;
        Ok((operator.id.clone(), StoredOperator { since, kind: operator.kind.to_owned(), schema }))
    });
    Ok(Program {
        zero,
        interval: scope.interval(),
        parallelism: scope.rdd_context().default_parallelism(),
        inputs: inputs.collect(),
        operators: operators.collect::<Result<_>>()?,
        outputs: graph.output_ids(),
    })
}

impl Program {
    /// Whether the operator of this name is the one that is stored.
    fn continues(&self, operator: &str, stored: &StoredOperator) -> bool {
        self.operators.get(operator).is_some_and(|now| now.kind == stored.kind)
    }
}

impl Recovered {
    /// The batches with the input of those streams that are the same in this program.
    fn known_batches(&self, now: &Program) -> BTreeMap<Time, Arc<Batch>> {
        let same: BTreeSet<StreamId> = RecoveryReport::same_inputs(&self.program, now).into_iter().collect();
        let known = |batch: &Batch| {
            let mut batch = batch.clone();
            batch.inputs.retain(|id, _| same.contains(id));
            Arc::new(batch)
        };
        self.batches.iter().map(|(time, batch)| (*time, known(batch))).collect()
    }
}

fn restore_inputs(
    graph: &RunningGraph,
    found: &Recovered,
    batches: &BTreeMap<Time, Arc<Batch>>,
    program: &Program,
) -> Result<()> {
    let same = RecoveryReport::same_inputs(&found.program, program);
    for input in graph.inputs().iter().filter(|input| same.contains(&input.id())) {
        if !input.is_recoverable() {
            return Err(Error::IllegalState(format!(
                "{} cannot be recovered: queueStream doesn't support checkpointing. Please don't use queueStream when checkpointing is enabled.",
                input.name()
            )));
        }
        let stored = program.inputs.iter().find(|stored| stored.id == input.id());
        let memory = stored.map_or(&[][..], |stored| &stored.memory);
        let inputs: Vec<_> = batches
            .iter()
            .filter_map(|(time, batch)| Some((*time, batch.inputs.get(&input.id())?)))
            .collect();
        input.restore(memory, &inputs)?;
    }
    Ok(())
}

fn restore_states(graph: &RunningGraph, found: &Recovered, keeper: &Keeper) -> Result<()> {
    for operator in graph.states() {
        let stored = found.program.operators.get(&operator.id);
        let stored = stored.filter(|stored| keeper.program().continues(&operator.id, stored));
        let Some(stored) = stored else { continue };
        let state: &dyn DurableState = &*operator.state;
        let snapshots = keeper.snapshots_of(&operator.id);
        let since = snapshots.last().map_or(stored.since, |last| last.time);
        let since = (since - state.remembers()).max(stored.since);
        let mut changes = keeper.changes_of(&operator.id, since, found.completed);
        let keys = state
            .restore(Stored {
                snapshots: &snapshots,
                changes: &mut changes,
                version: found.completed,
                schema: &stored.schema,
            })
            .map_err(|cause| CheckpointError::State {
                operator: operator.id.clone(),
                cause: Arc::new(cause.into()),
            })?;
        tracing::info!(operator = operator.id, keys, version = %found.completed, "state restored");
    }
    Ok(())
}

/// The batches between the last one of an earlier process and the first of the clock, unless they are left out.
fn missed(scope: &Scope, found: &Recovered, schedule: Schedule, keeper: &Keeper) -> Result<Vec<Time>> {
    let interval = scope.interval();
    let (first, last) = (found.last + interval, schedule.first - interval);
    if found.program.interval != interval || first > last {
        return Ok(Vec::new());
    }
    let missed: Vec<Time> = first.to(last, interval).collect();
    if scope.config().get(&keys::MISSED_BATCHES) == "generate" {
        return Ok(missed);
    }
    let batches = missed.len() as u64;
    tracing::warn!(batches, %first, %last, "the batches that were missed are left out");
    keeper.skipped(first, last, batches)?;
    Ok(Vec::new())
}

/// What the last program in a checkpoint directory had as its default parallelism, when batches of it wait: they must
/// be processed in as many partitions as before, by which their outputs are known.
pub(super) fn parallelism_of_pending(dir: &str, config: &Config) -> Result<Option<usize>> {
    let dir = location(dir, config)?;
    if CheckpointDirectory::application(&dir)?.is_none() {
        return Ok(None);
    }
    Ok(read(&dir)?.filter(|found| found.pending().next().is_some()).map(|found| found.program.parallelism))
}
