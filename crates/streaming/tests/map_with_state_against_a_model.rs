// SPDX-License-Identifier: Apache-2.0
//! Random batches through `map_with_state`, with tasks that fail and are tried again, against one plain map.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use dstreams_streaming::{
    Config, RddContext, State, StateSpec, Time,
    testing::{Collected, TestContext},
    time::seconds,
};
use proptest::prelude::*;

/// What a record asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
enum Do {
    Add(i16),
    Read,
    Remove,
    /// As `Add`, after a panic when it is first seen.
    FailThenAdd(i16),
}

/// A key, and a number that no other record has.
type Record = (u8, (usize, Do));

/// The key, the sum after the record, and whether the key times out.
type Mapped = (u8, i32, bool);

#[derive(Debug, Clone)]
struct Plan {
    batches: Vec<Vec<(u8, Do)>>,
    initial: BTreeMap<u8, i32>,
    timeout: Option<i64>,
    partitions: usize,
}

fn plan() -> impl Strategy<Value = Plan> {
    let action = prop_oneof![
        5 => any::<i16>().prop_map(Do::Add),
        2 => Just(Do::Read),
        1 => Just(Do::Remove),
        1 => any::<i16>().prop_map(Do::FailThenAdd),
    ];
    let batches = prop::collection::vec(prop::collection::vec((0..8u8, action), 0..8), 1..14);
    let initial = prop::collection::btree_map(0..8u8, -5..5i32, 0..4);
    (batches, initial, prop::option::of(1..5i64), 1..4usize)
        .prop_map(|(batches, initial, timeout, partitions)| Plan { batches, initial, timeout, partitions })
}

fn spec(plan: &Plan, first: dstreams_streaming::Rdd<(u8, i32)>) -> StateSpec<u8, (usize, Do), i32, Mapped> {
    let failed = Mutex::new(BTreeSet::new());
    let f = move |_: Time, key: &u8, record: Option<(usize, Do)>, sum: &mut State<'_, i32>| {
        let before = sum.get().copied().unwrap_or(0);
        match record {
            None => return Some((*key, before, true)),
            Some((number, Do::FailThenAdd(_))) if failed.lock().unwrap().insert(number) => {
                // Without the panic hook, which would fill the output of the tests.
                std::panic::resume_unwind(Box::new("the first attempt"));
            }
            Some((_, Do::Add(n) | Do::FailThenAdd(n))) => sum.update(before.wrapping_add(n.into())),
            Some((_, Do::Read)) => {}
            Some((_, Do::Remove)) if sum.exists() => sum.remove(),
            Some((_, Do::Remove)) => return None,
        }
        Some((*key, sum.get().copied().unwrap_or(0), false))
    };
    let spec = StateSpec::function_at(f).initial_state(first).partitions(plan.partitions);
    match plan.timeout {
        Some(timeout) => spec.timeout(seconds(timeout)),
        None => spec,
    }
}

/// What a batch maps to, and the states after it.
type Outcome = (Vec<Mapped>, Vec<(u8, i32)>);

fn model(plan: &Plan) -> Vec<Outcome> {
    let mut states: BTreeMap<u8, (i32, i64)> =
        plan.initial.iter().map(|(key, state)| (*key, (*state, 1))).collect();
    let mut seen = Vec::new();
    for (time, batch) in (1..).zip(&plan.batches) {
        let mut mapped = Vec::new();
        for (key, action) in batch {
            let before = states.get(key).map(|(sum, _)| *sum);
            match action {
                Do::Add(n) | Do::FailThenAdd(n) => {
                    let sum = before.unwrap_or(0).wrapping_add((*n).into());
                    states.insert(*key, (sum, time));
                    mapped.push((*key, sum, false));
                }
                Do::Read => {
                    if let Some((_, used)) = states.get_mut(key) {
                        *used = time;
                    }
                    mapped.push((*key, before.unwrap_or(0), false));
                }
                Do::Remove if states.remove(key).is_some() => mapped.push((*key, 0, false)),
                Do::Remove => {}
            }
        }
        if let Some(timeout) = plan.timeout {
            let is_idle = |used: i64| used < time - timeout;
            let idle = states.iter().filter(|(_, (_, used))| is_idle(*used));
            mapped.extend(idle.map(|(key, (sum, _))| (*key, *sum, true)));
            states.retain(|_, (_, used)| !is_idle(*used));
        }
        mapped.sort_unstable();
        seen.push((mapped, states.iter().map(|(key, (sum, _))| (*key, *sum)).collect()));
    }
    seen
}

fn sorted<T: Clone + Ord>(seen: &Collected<T>) -> Vec<Vec<T>> {
    let mut batches = seen.batches();
    for batch in &mut batches {
        batch.sort();
    }
    batches
}

fn engine() -> RddContext {
    // Each record may fail once, all in one task.
    let options = dstreams_rdd::RddOptions { threads: 2, max_task_failures: 10, ..Default::default() };
    RddContext::new(options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// INVARIANT 14.
    #[test]
    fn every_batch_is_applied_once(plan in plan()) {
        let test = TestContext::on(engine(), Config::default(), seconds(1)).unwrap();
        let test = test.with_checkpoint_dir().unwrap();
        let mut numbers = 0..;
        let input: Vec<Vec<Record>> = plan
            .batches
            .iter()
            .map(|batch| batch.iter().map(|(key, action)| (*key, (numbers.next().unwrap(), *action))).collect())
            .collect();
        let first = test.context().rdd_context().parallelize(plan.initial.clone());
        let mapped = test.input(input).map_with_state(spec(&plan, first));
        let early = test.collect(&mapped.state_snapshots());
        let (one, two) = (test.collect(&mapped), test.collect(&mapped.map(Some)));
        let late = test.collect(&mapped.state_snapshots().window(seconds(2)));
        let calls = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&calls);
        mapped.for_each_rdd(move |rdd, _| {
            *counted.lock().unwrap() += rdd.count()?;
            Ok(())
        });
        test.run(plan.batches.len()).unwrap();
        let expected = model(&plan);
        let (mapped, states): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
        prop_assert_eq!(sorted(&one), mapped.clone());
        prop_assert_eq!(sorted(&two), mapped.iter().map(|batch| batch.iter().copied().map(Some).collect::<Vec<_>>()).collect::<Vec<_>>());
        prop_assert_eq!(*calls.lock().unwrap(), mapped.iter().map(|batch| batch.len() as u64).sum::<u64>());
        prop_assert_eq!(sorted(&early), states.clone());
        let windows: Vec<_> = (0..states.len())
            .map(|end| {
                let mut both = states[end.saturating_sub(1)..=end].concat();
                both.sort_unstable();
                both
            })
            .collect();
        prop_assert_eq!(sorted(&late), windows);
    }
}
