// SPDX-License-Identifier: Apache-2.0
//! States that outlive their program: what a checkpointer would do, written out, with programs that end and begin again.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc};

use dstreams_rdd::{Key, RddContext, Wire};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::snapshot;
use crate::{
    Config, DStream, MapWithStateStream, Result, State, StateSpec, Time,
    checkpoint::durable::{Changes, DurableState, Snapshot, StateSchema, Stored},
    testing::{Collected, TestContext},
    time::seconds,
};

/// What a checkpoint directory has of one operator.
struct Disk {
    dir: tempfile::TempDir,
    version: Option<Time>,
    schema: Option<StateSchema>,
    changes: Vec<(Time, Vec<u8>)>,
    snapshots: Vec<Snapshot>,
}

/// A program from its start to its end.
struct Life {
    test: TestContext,
    state: Arc<dyn DurableState>,
    /// How many batches later than at once it is told that a batch is durable.
    late: i64,
}

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { dir, version: None, schema: None, changes: Vec::new(), snapshots: Vec::new() }
    }

    /// A context whose first batch is the one after the last completed one.
    fn context(&self) -> TestContext {
        self.context_with("memory")
    }

    fn context_with(&self, store: &str) -> TestContext {
        let mut config = Config::default();
        config.set("dstreams.state.store", store).expect("there is such a store");
        config.set("dstreams.state.memoryBudget", "8m").expect("it is a size");
        let test = TestContext::on(RddContext::local(2).expect("threads"), config, seconds(1));
        let test = test.and_then(TestContext::with_checkpoint_dir).expect("a context");
        if let Some(version) = self.version {
            test.clock().advance(version - Time::ZERO);
        }
        test
    }

    fn begin<K: Key, S: Wire, M: Wire>(
        &mut self,
        test: TestContext,
        stream: &MapWithStateStream<K, S, M>,
    ) -> Result<(Life, u64)> {
        let state = stream.scope().take_states().remove(0);
        state.attach(&self.dir.path().into())?;
        let mut keys = 0;
        if let Some((version, schema)) = self.version.zip(self.schema.as_ref()) {
            let mut changes = self.changes();
            let changes = &mut changes;
            keys = state.restore(Stored { snapshots: &self.snapshots, changes, version, schema })?;
        }
        self.schema = Some(state.schema()?);
        Ok((Life { test, state, late: 0 }, keys))
    }

    fn changes(&self) -> impl Iterator<Item = Result<Changes>> + use<> {
        self.changes.clone().into_iter().map(|(time, bytes)| Ok(Changes { time, bytes }))
    }
}

impl Life {
    fn run(&self, disk: &mut Disk, batches: usize) {
        for _ in 0..batches {
            self.test.run(1).expect("the batch succeeds");
            let time = disk.version.unwrap_or(Time::ZERO) + seconds(1);
            let scope = self.test.context().scope();
            self.state.prepare(time, &scope.batches().read()).expect("it has a dataset");
            let changes = self.state.take_changes(time).expect("there are changes");
            disk.changes.extend(changes.map(|changes| (time, changes)));
            disk.version = Some(time);
            self.state.committed(time - seconds(self.late)).expect("it is written");
        }
    }

    /// Makes a snapshot of a batch, and forgets what is not needed any more.
    fn snapshot(&self, disk: &mut Disk, time: Time) -> Option<Snapshot> {
        let before = disk.snapshots.last().cloned();
        let snapshot =
            self.state.snapshot(time, before.as_ref(), &mut disk.changes()).expect("it is made")?;
        disk.snapshots.push(snapshot.clone());
        let version = disk.version.expect("there was a batch");
        let needed = (version - self.state.remembers()).min(snapshot.time);
        disk.changes.retain(|(time, _)| *time > needed);
        Some(snapshot)
    }
}

/// Adds what comes; a negative number removes, zero only reads.
fn sums(partitions: usize, timeout: Option<i64>) -> StateSpec<u8, i32, i64, (u8, i64, bool)> {
    let spec = StateSpec::function_at(|_, key: &u8, n: Option<i32>, sum: &mut State<'_, i64>| {
        let before = sum.get().copied();
        match n {
            None => return Some((*key, before?, true)),
            Some(0) => {}
            Some(n) if n < 0 => {
                if sum.exists() {
                    sum.remove();
                }
            }
            Some(n) => sum.update(before.unwrap_or(0) + i64::from(n)),
        }
        (n != Some(7)).then(|| (*key, sum.get().copied().unwrap_or(0), false))
    });
    let spec = spec.partitions(partitions);
    match timeout {
        Some(timeout) => spec.timeout(seconds(timeout)),
        None => spec,
    }
}

type Sums = (u8, i64, bool);

/// What is seen of each batch by its time: the mapped records of the last three batches, and the states.
struct Seen {
    window: Collected<Sums>,
    states: Collected<(u8, i64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Batch {
    window: Vec<Sums>,
    states: Vec<(u8, i64)>,
}

impl Seen {
    fn of(test: &TestContext, stream: &MapWithStateStream<u8, i64, Sums>) -> Self {
        // The first partition is all that this one reads.
        stream.for_each_rdd(|rdd, _| rdd.take(1).map(drop).map_err(Into::into));
        stream.meta().need_past(seconds(2));
        let window = test.collect(&stream.window(seconds(3)));
        Self { window, states: test.collect(&stream.state_snapshots()) }
    }

    fn batches(&self) -> BTreeMap<i64, Batch> {
        let windows = self.window.timed().into_iter().zip(self.states.timed());
        windows
            .map(|((time, mut window), (_, mut states))| {
                window.sort_unstable();
                states.sort_unstable();
                (time, Batch { window, states })
            })
            .collect()
    }
}

#[derive(Debug, Clone)]
struct Plan {
    input: Vec<Vec<(u8, i32)>>,
    initial: BTreeMap<u8, i64>,
    timeout: Option<i64>,
    lives: Vec<Span>,
}

/// What one life of the program is like.
#[derive(Debug, Clone)]
struct Span {
    batches: usize,
    partitions: usize,
    store: &'static str,
    late: i64,
    /// How many batches before the end a snapshot is made of.
    snapshot: Option<i64>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let record = (0..12u8, prop_oneof![1..9i32, Just(0), Just(-1)]);
    let input = prop::collection::vec(prop::collection::vec(record, 0..8), 0..16);
    let initial = prop::collection::btree_map(0..12u8, 0..9i64, 0..6);
    let store = prop_oneof![Just("memory"), Just("disk")];
    let lives = (0..6usize, 1..4usize, store, 0..3i64, prop::option::of(0..4i64));
    let lives = lives.prop_map(|(batches, partitions, store, late, snapshot)| Span {
        batches,
        partitions,
        store,
        late,
        snapshot,
    });
    let lives = prop::collection::vec(lives, 1..5);
    (input, initial, prop::option::of(1..5i64), lives).prop_map(|(input, initial, timeout, lives)| Plan {
        input,
        initial,
        timeout,
        lives,
    })
}

impl Plan {
    fn stream(&self, test: &TestContext, partitions: usize) -> MapWithStateStream<u8, i64, Sums> {
        let initial: Vec<_> = self.initial.clone().into_iter().collect();
        let initial = test.context().rdd_context().parallelize(initial);
        let spec = sums(partitions, self.timeout).initial_state(initial);
        test.input(self.input.clone()).map_with_state(spec)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_program_that_ends_and_begins_again_is_like_one_that_does_not(plan in plan()) {
        let batches = plan.lives.iter().map(|life| life.batches).sum();
        let test = Disk::new().context();
        let stream = plan.stream(&test, 2);
        let expected = Seen::of(&test, &stream);
        test.run(batches).expect("the batches succeed");
        let expected = expected.batches();

        let mut disk = Disk::new();
        for span in &plan.lives {
            let test = disk.context_with(span.store);
            let stream = plan.stream(&test, span.partitions);
            let seen = Seen::of(&test, &stream);
            let (mut life, _) = disk.begin(test, &stream).expect("it begins");
            life.late = span.late;
            life.run(&mut disk, span.batches);
            if let Some((back, version)) = span.snapshot.zip(disk.version) {
                let last = disk.snapshots.last().map_or(Time::from_millis(1), |last| last.time);
                life.snapshot(&mut disk, (version - seconds(back)).max(last));
            }
            for (time, batch) in seen.batches() {
                prop_assert_eq!(Some(&batch), expected.get(&time), "at {}", time);
            }
        }
    }
}

/// The states of a stream after its next batch, which has no records.
fn states<K: Key + Ord, S: Wire, M: Wire>(
    disk: &mut Disk,
    spec: StateSpec<K, u32, S, M>,
) -> Result<(Vec<(K, S)>, u64)> {
    let test = disk.context();
    let input: DStream<(K, u32)> = test.input(Vec::new());
    let stream = input.map_with_state(spec);
    let seen = test.collect(&stream.state_snapshots());
    let (life, keys) = disk.begin(test, &stream)?;
    life.run(disk, 1);
    let mut states = seen.batches().pop().expect("there was a batch");
    states.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok((states, keys))
}

mod first {
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) struct Visits {
        pub(super) count: u32,
        pub(super) page: String,
    }
}

mod second {
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) struct Visits {
        pub(super) count: u64,
        #[serde(default)]
        pub(super) country: String,
    }
}

mod third {
    /// Needs what the second version has a default for.
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) struct Visits {
        pub(super) country: String,
    }
}

fn keep<K: Key, S: Wire>() -> StateSpec<K, u32, S, ()> {
    StateSpec::function(|_: &K, _, _: &mut State<'_, S>| ()).partitions(2)
}

/// Three batches of visits: two in a snapshot, one in the log.
fn visited() -> Disk {
    let mut disk = Disk::new();
    let test = disk.context();
    let input = (0..3).map(|batch| (0..5).map(|key| (key, batch)).collect()).collect();
    let spec = StateSpec::function(|key: &u32, n: Option<u32>, state: &mut State<'_, first::Visits>| {
        if *key == n.unwrap_or(0) || !state.exists() {
            state.update(first::Visits { count: n.unwrap_or(0), page: format!("/{key}") });
        }
    });
    let stream = test.input(input).map_with_state(spec.partitions(2));
    stream.for_each_rdd(|rdd, _| rdd.count().map(drop).map_err(Into::into));
    let (life, _) = disk.begin(test, &stream).expect("it begins");
    life.run(&mut disk, 3);
    life.snapshot(&mut disk, Time::from_millis(2_000)).expect("it is made");
    assert_eq!(disk.changes.len(), 1, "what is in the snapshot is not kept in the log");
    disk
}

#[test]
fn fields_of_a_state_are_added_and_removed() {
    let mut disk = visited();
    let (now, keys) = states(&mut disk, keep::<u32, second::Visits>()).expect("it is restored");
    let visits = |count| second::Visits { count, country: String::new() };
    let expected = [0, 1, 2, 0, 0].map(visits).into_iter().enumerate();
    assert_eq!(
        now,
        expected.map(|(key, visits)| (u32::try_from(key).expect("it is small"), visits)).collect::<Vec<_>>()
    );
    assert_eq!(keys, 5);

    // The next snapshot has them as the new program writes them, so that one after that may rely on it.
    let test = disk.context();
    let stream = test.input(Vec::new()).map_with_state(keep::<u32, second::Visits>());
    stream.for_each_rdd(|_, _| Ok(()));
    let (life, _) = disk.begin(test, &stream).expect("it begins");
    life.run(&mut disk, 1);
    let version = disk.version.expect("there was a batch");
    let snapshot = life.snapshot(&mut disk, version).expect("it is made");
    assert_eq!(snapshot.keys, 5);
    let described = snapshot::describe(&disk.dir.path().join(&snapshot.dir).into()).expect("it is described");
    assert!(described.header.schema.state.fields.contains_key("country"));
    let (now, _) = states(&mut disk, keep::<u32, third::Visits>()).expect("it is restored");
    assert_eq!(now[4], (4, third::Visits { country: String::new() }));
}

#[test]
fn a_state_that_cannot_be_read_says_why() {
    let mut disk = visited();
    let error = states(&mut disk, keep::<u32, third::Visits>()).expect_err("there is no country").to_string();
    assert!(error.contains("map_with_state") && error.contains("the new field `country`"), "{error}");
    let error = states(&mut disk, keep::<String, first::Visits>()).expect_err("keys differ").to_string();
    assert!(error.contains("the keys are unreadable: they were u32 and are string now"), "{error}");
}

#[test]
fn a_damaged_snapshot_is_named_with_its_place() {
    let mut disk = visited();
    let part = disk.dir.path().join(&disk.snapshots[0].dir).join("part-00000");
    let mut bytes = fs::read(&part).expect("it is there");
    let last = bytes.len() - 30;
    bytes[last] ^= 1;
    fs::write(&part, bytes).expect("it is written");
    let error = states(&mut disk, keep::<u32, first::Visits>()).expect_err("it is damaged").to_string();
    assert!(error.contains("part-00000 is damaged at byte "), "{error}");
}

#[test]
fn a_type_that_cannot_be_kept_is_refused() {
    let mut disk = Disk::new();
    let error =
        states(&mut disk, keep::<u32, Option<Option<u8>>>()).expect_err("it is ambiguous").to_string();
    assert!(error.contains("Option of an Option"), "{error}");
}

/// A key whose fields change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Wider {
    id: u32,
    #[serde(default)]
    region: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Narrow {
    id: u32,
}

#[test]
fn keys_with_another_field_are_merged_with_what_was_stored_before() {
    let mut disk = Disk::new();
    let life = |disk: &mut Disk, batches| {
        let test = disk.context();
        let input = vec![(0..9).map(|id| (Narrow { id }, 1)).collect()];
        let spec = StateSpec::function(|_: &Narrow, n: Option<u32>, state: &mut State<'_, u32>| {
            state.update(n.unwrap_or(0));
        });
        let stream = test.input(input).map_with_state(spec.partitions(3));
        stream.for_each_rdd(|_, _| Ok(()));
        let (life, _) = disk.begin(test, &stream).expect("it begins");
        life.run(disk, batches);
        life
    };
    life(&mut disk, 1).snapshot(&mut disk, Time::from_millis(1_000)).expect("it is made");

    let test = disk.context();
    let input = vec![vec![], (0..5).map(|id| (Wider { id, region: 0 }, 5)).collect()];
    let spec = StateSpec::function(|_: &Wider, n: Option<u32>, state: &mut State<'_, u32>| {
        state.update(state.get().expect("it is the same key") + n.unwrap_or(0));
    });
    let stream = test.input(input).map_with_state(spec.partitions(2));
    stream.for_each_rdd(|_, _| Ok(()));
    let (life, keys) = disk.begin(test, &stream).expect("it begins");
    assert_eq!(keys, 9);
    life.run(&mut disk, 1);
    let snapshot = life.snapshot(&mut disk, Time::from_millis(2_000)).expect("it is made");
    assert_eq!(snapshot.keys, 9);
    let (now, keys) = states(&mut disk, keep::<Wider, u32>()).expect("it is restored");
    let expected: Vec<_> = (0..9).map(|id| (Wider { id, region: 0 }, if id < 5 { 6 } else { 1 })).collect();
    assert_eq!((now, keys), (expected, 9));
}

#[test]
fn a_key_that_comes_twice_in_the_first_states_is_one_key_with_the_last_of_them() {
    for store in ["memory", "disk"] {
        let mut disk = Disk::new();
        for batch in 0..2 {
            let test = disk.context_with(store);
            let first = test.context().rdd_context().parallelize_in([(1u32, 5u32), (2, 6), (1, 7)], 1);
            let stream = test.input(Vec::new()).map_with_state(keep().initial_state(first));
            let seen = test.collect(&stream.state_snapshots());
            let (life, keys) = disk.begin(test, &stream).expect("it begins");
            assert_eq!(keys, batch * 2, "{store}");
            life.run(&mut disk, 1);
            let mut states = seen.batches().pop().expect("there was a batch");
            states.sort_unstable();
            assert_eq!(states, [(1, 7), (2, 6)], "{store}");
        }
    }
}

#[test]
fn first_states_are_there_for_the_checkpoint_file_from_before_the_first_snapshot() {
    let begin = |disk: &mut Disk| {
        let test = disk.context();
        let first = test.context().rdd_context().parallelize([(1u32, 5u32), (2, 6)]);
        let stream = test.input(Vec::new()).map_with_state(keep().initial_state(first));
        stream.for_each_rdd(|_, _| Ok(()));
        disk.begin(test, &stream).expect("it begins")
    };
    let mut disk = Disk::new();
    let (life, _) = begin(&mut disk);
    let first = disk.dir.path().join("initial");
    for made in 0..3 {
        life.run(&mut disk, 1);
        life.snapshot(&mut disk, Time::ZERO + seconds(made + 1)).expect("it is made");
        // The one that is being made is in no checkpoint file yet.
        assert_eq!(first.exists(), made < 2, "after snapshot {made}");
        if made == 1 {
            let mut older = Disk { snapshots: Vec::new(), schema: disk.schema.clone(), ..Disk::new() };
            std::mem::swap(&mut older.dir, &mut disk.dir);
            older.version = disk.version;
            assert_eq!(begin(&mut older).1, 2);
            std::mem::swap(&mut older.dir, &mut disk.dir);
        }
    }
}

#[test]
fn snapshots_are_wanted_at_checkpoints_when_enough_was_logged() {
    let disk = &mut Disk::new();
    let test = disk.context();
    let stream = test.input(Vec::new()).map_with_state(keep::<u32, u8>()).checkpoint(seconds(5));
    let (life, _) = disk.begin(test, &stream).expect("it begins");
    let wants =
        |time, logged: u64| life.state.wants_snapshot(Time::ZERO + seconds(time), Time::ZERO, logged << 20);
    assert_eq!([wants(5, 16), wants(5, 15), wants(6, 16), wants(10, 100)], [true, false, false, true]);
}

#[test]
fn an_attempt_at_a_snapshot_that_fails_leaves_nothing() {
    use dstreams_wal::fault::{self, Fault};
    let mut disk = visited();
    let test = disk.context();
    let stream = test.input(Vec::new()).map_with_state(keep::<u32, first::Visits>());
    stream.for_each_rdd(|_, _| Ok(()));
    let (life, _) = disk.begin(test, &stream).expect("it begins");
    life.run(&mut disk, 1);
    let version = disk.version.expect("there was a batch");
    let before: Vec<PathBuf> = listing(&disk);
    for step in ["create_dir", "create", "write", "sync", "rename"] {
        let armed = fault::arm(disk.dir.path(), &format!("snapshot.{step}"), 1, Fault::DiskFull);
        let made = life.state.snapshot(version, disk.snapshots.last(), &mut disk.changes());
        assert!(made.is_err(), "{step}");
        drop(armed);
        assert_eq!(listing(&disk), before, "{step}");
    }
    assert!(life.snapshot(&mut disk, version).is_some());
}

fn listing(disk: &Disk) -> Vec<PathBuf> {
    let entries = fs::read_dir(disk.dir.path()).expect("a listing");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}
