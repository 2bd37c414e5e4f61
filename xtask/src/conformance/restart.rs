// SPDX-License-Identifier: Apache-2.0
//! Cases of kind `restart_table`: some batches, the end of the context, and another one that goes on in its checkpoints.

use std::{cell::RefCell, collections::BTreeMap, path::Path};

use dstreams::{Config, Duration, streaming::testing::TestContext};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    compare::{Compare, ExpectedOutput},
    ops::{Builder, Op, Pipeline, default_input},
    table::{Input, one_second},
    value::Value,
};

/// A case.
#[derive(Deserialize)]
pub(super) struct Restart {
    #[serde(default = "one_second")]
    batch_ms: i64,
    inputs: BTreeMap<String, Input>,
    #[serde(default = "default_input")]
    from: String,
    #[serde(default)]
    ops: Vec<Op>,
    remember_ms: Option<i64>,
    expected: Vec<Vec<Json>>,
    batches_before_restart: usize,
    total_batches: usize,
    #[serde(default)]
    compare: Compare,
}

/// What came out of one context, batch by batch.
type Output = Vec<(i64, Vec<Value>)>;

impl Restart {
    /// Runs the case; the first difference from what it expects is the error.
    pub(super) fn run(self) -> Result<(), String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let before = self.first_context(dir.path())?;
        let first: Vec<_> = self.expected.iter().take(before.len()).cloned().collect();
        self.same(first, &before).map_err(|difference| format!("before the restart: {difference}"))?;
        let after = self.second_context(dir.path())?;
        // The original processes the last batch before the restart again; who does not need to has one less.
        let again = (before.len() + after.len()).checked_sub(self.expected.len());
        let again = again.ok_or_else(|| {
            format!(
                "{} batches came before the restart and {} after it, and not {}",
                before.len(),
                after.len(),
                self.expected.len()
            )
        })?;
        let rest = self.expected.iter().skip(before.len() - again.min(before.len())).cloned().collect();
        self.same(rest, &after).map_err(|difference| format!("after the restart: {difference}"))
    }

    fn first_context(&self, dir: &Path) -> Result<Output, String> {
        self.in_context(dir, 0, |test| test.run(self.batches_before_restart))
    }

    /// The batches up to the end have come while there was no context.
    fn second_context(&self, dir: &Path) -> Result<Output, String> {
        self.in_context(dir, self.total_batches, TestContext::catch_up)
    }

    fn in_context(
        &self,
        dir: &Path,
        batches: usize,
        run: impl FnOnce(&TestContext) -> dstreams::Result<()>,
    ) -> Result<Output, String> {
        let told = |error: dstreams::Error| error.to_string();
        let interval = Duration::from_millis(self.batch_ms);
        let test = TestContext::with(Config::default(), interval).map_err(told)?;
        test.context().checkpoint(dir.to_string_lossy());
        if let Some(length) = self.remember_ms {
            test.context().remember(Duration::from_millis(length)).map_err(told)?;
        }
        test.clock().advance(interval * i64::try_from(batches).map_err(|error| error.to_string())?);
        let inputs = self.inputs.iter().map(|(name, input)| (name.clone(), input.stream(&test))).collect();
        let builder = Builder { test: &test, inputs, snapshots: RefCell::default() };
        let pipeline = Pipeline { from: self.from.clone(), ops: self.ops.clone() };
        let seen = test.collect(&builder.pipeline(&pipeline)?);
        run(&test).map_err(told)?;
        Ok(seen.timed())
    }

    fn same(&self, expected: Vec<Vec<Json>>, got: &Output) -> Result<(), String> {
        self.compare.output(&ExpectedOutput { times_ms: None, batches: expected }, got, None)
    }
}
