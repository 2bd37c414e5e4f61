// SPDX-License-Identifier: Apache-2.0
//! Cases of kind `dstream_table`: input batches through operators on a manual clock, batch by batch.

use std::{cell::RefCell, collections::BTreeMap};

use dstreams::{
    Config, Duration,
    streaming::{
        clock::Clock as _,
        testing::{Collected, TestContext, lineage},
    },
};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    compare::{Compare, ExpectedError, ExpectedOutput, Failure, Stage},
    lineage::compare_lineage,
    ops::{Builder, Op, Pipeline, default_input},
    value::Value,
};

/// The output whose pipeline the case is about.
const MAIN_OUTPUT: &str = "out";

/// A case.
#[derive(Deserialize)]
pub(super) struct Table {
    #[serde(default = "one_second")]
    batch_ms: i64,
    batches: usize,
    inputs: BTreeMap<String, Input>,
    #[serde(default = "default_input")]
    from: String,
    #[serde(default)]
    ops: Vec<Op>,
    #[serde(default)]
    extra_outputs: BTreeMap<String, Vec<Op>>,
    #[serde(default = "yes")]
    checkpoint_dir: bool,
    remember_ms: Option<i64>,
    expect: Expected,
    #[serde(default)]
    compare: Option<Compare>,
}

/// An input stream of a case.
#[derive(Deserialize)]
pub(super) struct Input {
    #[serde(rename = "type", default)]
    records: Records,
    #[serde(rename = "numPartitions", default = "two")]
    partitions: usize,
    /// A batch that is null has no dataset at all.
    batches: Vec<Option<Vec<Json>>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Records {
    #[default]
    Scalar,
    Pair,
}

#[derive(Deserialize)]
struct Expected {
    error: Option<ExpectedError>,
    lineage_after_run: Option<Vec<BTreeMap<String, Json>>>,
    #[serde(flatten)]
    outputs: BTreeMap<String, ExpectedOutput>,
}

impl Table {
    /// Runs the case; the first difference from what it expects is the error.
    pub(super) fn run(self) -> Result<(), String> {
        let mut test = TestContext::with(Config::default(), Duration::from_millis(self.batch_ms))
            .map_err(|error| error.to_string())?;
        if self.checkpoint_dir {
            test = test.with_checkpoint_dir().map_err(|error| error.to_string())?;
        }
        if let Some(length) = self.remember_ms {
            test.context().remember(Duration::from_millis(length)).map_err(|error| error.to_string())?;
        }
        let inputs = self.inputs.iter().map(|(name, input)| (name.clone(), input.stream(&test))).collect();
        let builder = Builder { test: &test, inputs, snapshots: RefCell::default() };
        let main = builder.pipeline(&Pipeline { from: self.from, ops: self.ops })?;
        let mut outputs = BTreeMap::from([(MAIN_OUTPUT.to_owned(), test.collect(&main))]);
        for (name, ops) in &self.extra_outputs {
            outputs.insert(name.clone(), test.collect(&builder.chain(&main, ops)?));
        }
        let failure = run(&test, self.batches);
        // What is forgotten after the last batch is forgotten when the context has stopped.
        test.stop();
        self.expect.compare(self.compare.unwrap_or_default(), &outputs, failure.as_ref())?;
        match &self.expect.lineage_after_run {
            Some(expected) => compare_lineage(expected, &lineage(&main)),
            None => Ok(()),
        }
    }
}

impl Input {
    pub(super) fn stream(&self, test: &TestContext) -> dstreams::DStream<Value> {
        let record = |json: &Json| match self.records {
            Records::Scalar => Value::from(json),
            Records::Pair => Value::from_pair(Value::from(json).into_pair()),
        };
        let batches = self.batches.iter().map(|batch| Some(batch.as_ref()?.iter().map(record).collect()));
        test.input_with(batches.collect(), self.partitions)
    }
}

/// Runs all batches, those after a failed one too. Returns the first failure.
fn run(test: &TestContext, batches: usize) -> Option<Failure> {
    if let Some(error) = test.context().rejected().into_iter().next() {
        return Some(Failure { stage: Stage::Build, error, time_ms: None });
    }
    if let Err(error) = test.context().start() {
        return Some(Failure { stage: Stage::Start, error, time_ms: None });
    }
    let mut first = None;
    for _ in 0..batches {
        if let Err(error) = test.run(1) {
            let time_ms = Some(test.clock().now().as_millis());
            first.get_or_insert(Failure { stage: Stage::Run, error, time_ms });
        }
    }
    first
}

impl Expected {
    fn compare(
        &self,
        compare: Compare,
        outputs: &BTreeMap<String, Collected<Value>>,
        failure: Option<&Failure>,
    ) -> Result<(), String> {
        match (&self.error, failure) {
            (Some(expected), failure) => expected.compare(failure)?,
            (None, Some(failure)) => return Err(format!("error at {:?}: {}", failure.stage, failure.error)),
            (None, None) => {}
        }
        let failed_at = failure.and_then(|failure| failure.time_ms);
        for (name, expected) in &self.outputs {
            let got = outputs.get(name).ok_or_else(|| format!("no output {name}"))?;
            compare.output(expected, &got.timed(), failed_at).map_err(|difference| {
                if name == MAIN_OUTPUT { difference } else { format!("{name}: {difference}") }
            })?;
        }
        Ok(())
    }
}

pub(super) fn one_second() -> i64 {
    1000
}

fn two() -> usize {
    2
}

fn yes() -> bool {
    true
}
