// SPDX-License-Identifier: Apache-2.0
//! The states of `map_with_state` through the ends of processes: in memory and on disk, with other partitions.

use dstreams_streaming::{Config, State, StateSpec, testing::TestContext, time::seconds};

/// Sums by key, and what a window sees of their last three batches, in the batches after `before`.
fn in_two(stores: [&str; 2], partitions: [usize; 2], before: usize) -> Vec<Vec<(u32, i64)>> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut seen = Vec::new();
    for life in 0..2 {
        let mut config = Config::default();
        config.set("dstreams.state.store", stores[life]).expect("there is such a store");
        let test = TestContext::with(config, seconds(1)).expect("an engine");
        test.context().checkpoint(dir.path().to_string_lossy());
        let (start, batches) = if life == 0 { (0, before) } else { (before, 8 - before) };
        test.clock().advance(seconds(start.try_into().expect("a few batches")));
        let first = test.context().rdd_context().parallelize(vec![(0, 100), (9, 900)]);
        let spec = StateSpec::function(|key: &u32, n: Option<i64>, sum: &mut State<'_, i64>| {
            let total = sum.get().unwrap_or(&0) + n.unwrap_or(0);
            sum.update(total);
            (*key, total)
        });
        let input = (1..=8).map(|n| vec![(0, n), (u32::try_from(n).expect("it is small"), n)]).collect();
        let spec = spec.partitions(partitions[life]).initial_state(first);
        let sums = test.input(input).map_with_state(spec);
        let window = test.collect(&sums.window(seconds(3)));
        test.run(batches).expect("all batches succeed");
        seen = window.batches();
        for batch in &mut seen {
            batch.sort_unstable();
        }
    }
    seen
}

#[test]
fn states_and_mapped_records_go_on_where_they_were() {
    let of = |n: i64| [(0, 100 + n * (n + 1) / 2), (u32::try_from(n).expect("it is small"), n)];
    for (stores, partitions) in [
        (["memory", "memory"], [2, 2]),
        (["memory", "disk"], [2, 3]),
        (["disk", "disk"], [3, 3]),
        (["disk", "memory"], [1, 2]),
    ] {
        for before in [1, 4] {
            let expected: Vec<_> = (before + 1..=8i64)
                .map(|last| {
                    let mut window: Vec<_> = ((last - 2).max(1)..=last).flat_map(of).collect();
                    window.sort_unstable();
                    window
                })
                .collect();
            let before = usize::try_from(before).expect("it is small");
            assert_eq!(in_two(stores, partitions, before), expected, "{stores:?} after {before} batches");
        }
    }
}
