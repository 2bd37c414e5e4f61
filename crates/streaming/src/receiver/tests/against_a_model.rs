// SPDX-License-Identifier: Apache-2.0
//! Random runs of a stream, each ended by a crash: whatever was acknowledged is in exactly one batch, in order.

use std::collections::BTreeMap;

use dstreams_wal::{
    Durability, Options,
    fault::{self, Fault},
};
use proptest::prelude::*;
use tempfile::tempdir;

use super::{Incoming, ReceivedPlan, Run, STREAM, at, rolling_each_second};
use crate::receiver::{BlockId, blocks::Number};

#[derive(Debug, Clone)]
enum Op {
    /// A receiver begins to store a block.
    Begin,
    /// One of those that were begun is stored, by a clock that says this.
    Finish(usize, i64),
    /// One of those that were begun fails at a step; whoever stores it tries again, if he does.
    Fail(usize, &'static str, Fault, bool),
    Plan,
    /// A batch is made and does not come to be.
    GiveBack,
    /// Memory of the batches up to this many before the newest is freed.
    Forget(usize),
    /// The same batches are never run again.
    Clean(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let fault = prop_oneof![Just(Fault::DiskFull), Just(Fault::Error)];
    let step = prop_oneof![Just("write"), Just("sync"), Just("create"), Just("rename"), Just("truncate")];
    prop_oneof![
        6 => Just(Op::Begin),
        6 => (0..4usize, 0..6_000i64).prop_map(|(which, time)| Op::Finish(which, time)),
        2 => (0..4usize, step, fault, any::<bool>())
            .prop_map(|(which, step, fault, again)| Op::Fail(which, step, fault, again)),
        4 => Just(Op::Plan),
        1 => Just(Op::GiveBack),
        1 => (0..3usize).prop_map(Op::Forget),
        1 => (0..3usize).prop_map(Op::Clean),
    ]
}

/// What must be true of the stream, whatever happens.
#[derive(Default)]
struct Model {
    /// The blocks that were acknowledged, by number.
    stored: BTreeMap<u64, String>,
    /// What each batch that came to be was given, and what it has read.
    batches: Vec<((i64, ReceivedPlan), Vec<String>)>,
    /// The batches before this one are not run again.
    cleaned: usize,
    time: i64,
    texts: u32,
}

impl Model {
    fn batch(&mut self, run: &Run) {
        self.time += 1;
        let plan = run.plan(self.time);
        let records = run.read(&plan);
        self.batches.push((plan, records));
    }

    /// All batches that may be run again give what they gave.
    fn check(&self, run: &Run) {
        for (plan, records) in &self.batches[self.cleaned..] {
            assert_eq!(&run.read(plan), records);
        }
    }

    /// The batches that are `back` before the newest and older.
    fn old(&mut self, back: usize) -> Option<(usize, i64)> {
        let old = self.batches.len().checked_sub(back + 1)?;
        Some((old, self.batches[old].0.0))
    }
}

fn run(dir: &std::path::Path, model: &mut Model, ops: &[Op]) {
    let run = Run::new();
    // A crash of the process, not of the machine: nothing needs to be on the disk.
    let options = Options { durability: Durability::Flush, max_failures: 2, ..rolling_each_second() };
    run.blocks.attach(dir, Some(options)).unwrap();
    // The oldest that are cleaned may be forgotten by the log of batches; the newest plan never is.
    let known = model.cleaned.min(model.batches.len().saturating_sub(1));
    let plans: Vec<_> =
        model.batches[known..].iter().map(|((time, plan), _)| (at(*time), plan.clone())).collect();
    run.blocks.restore(0, &plans);
    let newest = model.stored.last_key_value().map(|(_, text)| text.len() as u64);
    assert_eq!(run.blocks.last_stored().map(|block| block.metadata["length"].parse().unwrap()), newest);
    model.check(&run);

    let mut begun: Vec<(Number<'_, String>, Incoming<String>, String)> = Vec::new();
    for op in ops {
        match op {
            Op::Begin => {
                model.texts += 1;
                let text = format!("{:>1$}", model.texts, 6 + model.texts as usize % 3);
                begun.push((run.blocks.begin(), incoming(&text), text));
            }
            Op::Finish(which, time) if *which < begun.len() => {
                let (number, mut block, text) = begun.remove(*which);
                model.stored.insert(number.number, text);
                run.blocks.store_numbered(number, &mut block, at(*time)).unwrap();
            }
            Op::Fail(which, step, fault, again) if *which < begun.len() => {
                let (number, mut block, text) = begun.remove(*which);
                let name = number.number;
                let armed = fault::arm(dir, &format!("received.{step}"), 1, *fault);
                let stored = run.blocks.store_numbered(number, &mut block, at(model.time * 1_000));
                drop(armed);
                if stored.is_ok() {
                    model.stored.insert(name, text);
                } else if *again {
                    let number = run.blocks.begin();
                    model.stored.insert(number.number, text);
                    run.blocks.store_numbered(number, &mut block, at(0)).unwrap();
                }
            }
            Op::Finish(..) | Op::Fail(..) => {}
            Op::Plan => model.batch(&run),
            Op::GiveBack => {
                model.time += 1;
                let (_, plan) = run.plan(model.time);
                run.blocks.give_back(&plan);
            }
            Op::Forget(back) => {
                if let Some((_, time)) = model.old(*back) {
                    run.blocks.forget(at(time));
                }
            }
            Op::Clean(back) => {
                if let Some((old, time)) = model.old(*back) {
                    run.blocks.clean(at(time));
                    model.cleaned = model.cleaned.max(old + 1);
                }
            }
        }
        model.check(&run);
    }
}

fn incoming(text: &str) -> Incoming<String> {
    let id = BlockId { stream: STREAM, time: at(0), number: 1 };
    let metadata = BTreeMap::from([("length".to_owned(), text.len().to_string())]);
    let mut block = Incoming::new(id, vec![text.to_owned()], &metadata);
    block.encode().unwrap();
    block
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_acknowledged_block_is_in_exactly_one_batch(
        runs in prop::collection::vec(prop::collection::vec(op(), 1..25), 1..5)
    ) {
        // INVARIANT 9
        let dir = tempdir().unwrap();
        let mut model = Model::default();
        for ops in &runs {
            run(dir.path(), &mut model, ops);
        }
        run(dir.path(), &mut model, &[Op::Plan]);
        let seen: Vec<String> = model.batches.into_iter().flat_map(|(_, records)| records).collect();
        prop_assert_eq!(seen, model.stored.into_values().collect::<Vec<_>>());
    }
}
