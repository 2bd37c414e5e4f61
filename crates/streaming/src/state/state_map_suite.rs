// SPDX-License-Identifier: Apache-2.0
//! `StateMapSuite` of the original. A copy there is the next version here: the copied map is what it is looked back at.

use std::collections::BTreeMap;

use super::{map::StateMap, store::StateStore};
use crate::time::Time;

fn ms(time: i64) -> Time {
    Time::from_millis(time)
}

/// A map in its first version.
fn new() -> StateMap<i32, i32> {
    let mut map = StateMap::new(true);
    map.begin(ms(1));
    map
}

/// Goes on with a copy; the map so far is version `number`, which stays readable.
fn copy(map: &mut StateMap<i32, i32>, number: i64) {
    map.commit(Some(ms(1)));
    map.begin(ms(number + 1));
}

fn put(map: &mut StateMap<i32, i32>, states: &[(i32, i32, i64)]) {
    for (key, state, time) in states {
        map.put(key, *state, ms(*time));
    }
}

fn all(map: &StateMap<i32, i32>) -> Vec<(i32, i32, i64)> {
    let mut all: Vec<_> =
        map.entries().into_iter().map(|(key, state, used)| (key, state, used.as_millis())).collect();
    all.sort_unstable();
    all
}

fn by_time(map: &StateMap<i32, i32>, before: i64) -> Vec<(i32, i32, i64)> {
    all(map).into_iter().filter(|(_, _, used)| *used < before).collect()
}

fn version(map: &StateMap<i32, i32>, number: i64) -> Vec<(i32, i32)> {
    let mut states = map.at(ms(number)).expect("nothing is read from disk");
    states.sort_unstable();
    states
}

#[test]
fn an_empty_map_has_nothing() {
    let mut map = new();
    assert_eq!((map.get(&1), all(&map)), (None, vec![]));
    assert!(map.take_idle(ms(10_000)).is_empty());
    map.remove(&1);
    assert_eq!(version(&map, 1), []);
}

#[test]
fn put_get_by_time_and_remove() {
    let mut map = new();
    put(&mut map, &[(1, 100, 10)]);
    assert_eq!((map.get(&1), map.get(&2)), (Some(&100), None));
    assert_eq!(by_time(&map, 11), [(1, 100, 10)]);
    assert_eq!(by_time(&map, 10), []);
    put(&mut map, &[(2, 200, 20)]);
    assert_eq!(by_time(&map, 21), [(1, 100, 10), (2, 200, 20)]);
    assert_eq!(by_time(&map, 11), [(1, 100, 10)]);
    assert_eq!(all(&map), [(1, 100, 10), (2, 200, 20)]);
    map.remove(&1);
    assert_eq!((map.get(&1), all(&map)), (None, vec![(2, 200, 20)]));
}

#[test]
fn a_copy_leaves_its_parent_as_it_was() {
    let mut map = new();
    put(&mut map, &[(1, 100, 1), (2, 200, 2)]);
    map.remove(&1);
    copy(&mut map, 1);
    assert_eq!((map.get(&1), map.get(&2)), (None, Some(&200)));
    assert_eq!((by_time(&map, 10), by_time(&map, 2)), (vec![(2, 200, 2)], vec![]));
    put(&mut map, &[(3, 300, 3), (4, 400, 4)]);
    assert_eq!(by_time(&map, 10), [(2, 200, 2), (3, 300, 3), (4, 400, 4)]);
    assert_eq!(by_time(&map, 4), [(2, 200, 2), (3, 300, 3)]);
    assert_eq!(version(&map, 1), [(2, 200)]);
    map.remove(&4);
    map.remove(&2);
    assert_eq!((map.get(&4), map.get(&2), all(&map)), (None, None, vec![(3, 300, 3)]));
    assert_eq!(version(&map, 1), [(2, 200)]);
    put(&mut map, &[(1, 1000, 100), (2, 2000, 200), (3, 3000, 300), (4, 4000, 400)]);
    assert_eq!(all(&map), [(1, 1000, 100), (2, 2000, 200), (3, 3000, 300), (4, 4000, 400)]);
    assert_eq!(version(&map, 1), [(2, 200)]);
    map.remove(&2);
    let parent = all(&map);
    copy(&mut map, 2);
    assert_eq!((all(&map), map.get(&1), map.get(&2)), (parent, Some(&1000), None));
    put(&mut map, &[(2, 20_000, 200)]);
    assert_eq!(map.get(&2), Some(&20_000));
    assert_eq!(version(&map, 2), [(1, 1000), (3, 3000), (4, 4000)]);
    assert_eq!(version(&map, 1), [(2, 200)]);
}

/// Nine operations on each of 512 keys, which see every sequence of putting and removing.
#[test]
fn all_sequences_of_operations_with_copies() {
    let mut map = new();
    let mut model = BTreeMap::new();
    let mut versions = Vec::new();
    for (time, operation) in (1..).zip(0..9) {
        for key in 0..512 {
            if (key >> (8 - operation)) & 1 == 0 {
                let state = key * 10 + operation;
                map.put(&key, state, ms(time));
                model.insert(key, (state, time));
            } else {
                map.remove(&key);
                model.remove(&key);
            }
        }
        let expected: Vec<_> = model.iter().map(|(key, (state, used))| (*key, *state, *used)).collect();
        assert_eq!(all(&map), expected);
        for key in 0..512 {
            assert_eq!(map.get(&key), model.get(&key).map(|(state, _)| state));
        }
        for (number, states) in &versions {
            assert_eq!(&version(&map, *number), states);
        }
        if operation % 3 == 2 {
            let number = i64::try_from(versions.len()).expect("there are three") + 1;
            copy(&mut map, number);
            versions
                .push((number, expected.into_iter().map(|(key, state, _)| (key, state)).collect::<Vec<_>>()));
        }
    }
}

#[test]
fn what_nobody_looks_back_at_is_not_kept() {
    let mut map = new();
    for batch in 2..50 {
        put(&mut map, &[(1, 1, batch), (2, 2, batch), (2, 3, batch)]);
        map.commit(None);
        assert_eq!(map.kept(), (1, 2), "each key once, for the latest batch");
        map.begin(ms(batch));
    }
}

/// Who makes batches durable would wait for the end of the next one otherwise, and for ever here.
#[test]
fn what_a_batch_has_changed_is_told_while_the_next_one_has_the_states() {
    let store = StateStore::<u8, u64>::new(1, false, None);
    let (first, second) = (Time::from_millis(1000), Time::from_millis(2000));
    let mut map = store.partition(0).lock();
    map.applied().log();
    map.begin(first);
    map.put(&1, 5, first);
    map.log_batch(None).expect("it can be encoded");
    map.commit(None);
    map.begin(second);
    map.put(&2, 6, second);
    assert!(store.is_applied(first) && !store.is_applied(second));
    assert_eq!(store.keys(), 1);
    let changed = store.applied(0).take(first).expect("it is logged");
    assert!(!changed.keys.is_empty());
    assert!(store.applied(0).take(second).is_none());
}
