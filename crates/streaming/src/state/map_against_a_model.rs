// SPDX-License-Identifier: Apache-2.0
//! Random batches on a `StateMap`, some of them undone, against plain maps of which every version is kept.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::map::StateMap;
use crate::time::Time;

#[derive(Debug, Clone)]
enum Op {
    Put(u8, u32),
    Touch(u8),
    Remove(u8),
}

#[derive(Debug, Clone)]
struct Batch {
    /// What an attempt does that is undone.
    failed: Option<Vec<Op>>,
    ops: Vec<Op>,
    /// Whether it is done, undone though it had ended, and done again.
    twice: bool,
}

type Model = BTreeMap<u8, (u32, Time)>;

fn op() -> impl Strategy<Value = Op> {
    let key = 0..6u8;
    prop_oneof![
        3 => (key.clone(), any::<u32>()).prop_map(|(key, state)| Op::Put(key, state)),
        2 => key.clone().prop_map(Op::Touch),
        1 => key.prop_map(Op::Remove),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    let ops = || prop::collection::vec(op(), 0..6);
    (prop::option::of(ops()), ops(), any::<bool>()).prop_map(|(failed, ops, twice)| Batch {
        failed,
        ops,
        twice,
    })
}

/// Does the operations and lets time out what was not used for three batches.
fn run(map: &mut StateMap<u8, u32>, ops: &[Op], time: Time) {
    map.begin(time);
    for op in ops {
        match op {
            Op::Put(key, state) => map.put(key, *state, time),
            Op::Touch(key) => map.touch(key, time),
            Op::Remove(key) => map.remove(key),
        }
    }
    for key in map.take_idle(time - IDLE) {
        map.remove(&key);
    }
}

const IDLE: crate::Duration = crate::time::milliseconds(3);

fn model(states: &mut Model, ops: &[Op], time: Time) {
    for op in ops {
        match op {
            Op::Put(key, state) => drop(states.insert(*key, (*state, time))),
            Op::Touch(key) => drop(states.get_mut(key).map(|(_, used)| *used = time)),
            Op::Remove(key) => drop(states.remove(key)),
        }
    }
    states.retain(|_, (_, used)| *used >= time - IDLE);
}

fn entries(map: &StateMap<u8, u32>) -> Model {
    map.entries().into_iter().map(|(key, state, used)| (key, (state, used))).collect()
}

proptest! {
    #[test]
    fn every_version_is_as_if_nothing_had_been_undone(batches in prop::collection::vec(batch(), 1..20), pinned in 1..10i64) {
        let mut map = StateMap::new(true);
        let mut states = Model::new();
        let mut versions = Vec::new();
        for (number, batch) in (1..).zip(batches) {
            let time = Time::from_millis(number);
            if let Some(failed) = &batch.failed {
                run(&mut map, failed, time);
                map.roll_back();
                prop_assert_eq!(entries(&map), states.clone());
            }
            // From some version on, all are looked at.
            let looked_behind = (number >= pinned).then(|| Time::from_millis(pinned));
            for _ in 0..=usize::from(batch.twice) {
                run(&mut map, &batch.ops, time);
                map.commit(looked_behind);
            }
            model(&mut states, &batch.ops, time);
            prop_assert_eq!(entries(&map), states.clone());
            prop_assert_eq!(map.applied().last(), Some(time));
            if looked_behind.is_some() {
                versions.push((time, states.clone()));
            }
            for (time, states) in &versions {
                let seen: BTreeMap<_, _> = map.at(*time).expect("nothing is read from disk").into_iter().collect();
                prop_assert_eq!(seen, states.iter().map(|(key, (state, _))| (*key, *state)).collect());
            }
        }
    }
}
