// SPDX-License-Identifier: Apache-2.0
//! A streaming context whose input is in memory, and whose batches follow each other as fast as they are processed.

use std::{ops::Range, path::Path, sync::Arc};

use dstreams::{
    Config, DStream, Data, Rdd, RddContext, StreamingContext, Text, Time,
    rdd::RddOptions,
    streaming::{InputInfo, Source, testing::TestContext},
    time::seconds,
};
use dstreams_bench_kit::{Arguments, Result, text};

/// A context with a manual clock on `local[n]`.
pub(crate) struct Engine {
    test: TestContext,
    threads: usize,
}

impl Engine {
    pub(crate) fn start(arguments: &Arguments) -> Result<Self> {
        Self::with(arguments, Config::default())
    }

    pub(crate) fn with(arguments: &Arguments, config: Config) -> Result<Self> {
        let threads = arguments.threads().ok_or("the system is local[N]")?;
        let rdd = RddContext::new(RddOptions { threads, ..RddOptions::default() })?;
        Ok(Self { test: TestContext::on(rdd, config, seconds(1))?, threads })
    }

    /// With a checkpoint directory, which states and windows with an inverse need.
    pub(crate) fn with_checkpoints(arguments: &Arguments, directory: &Path) -> Result<Self> {
        let engine = Self::start(arguments)?;
        engine.test.context().checkpoint(directory.join("checkpoints").to_string_lossy());
        Ok(engine)
    }

    pub(crate) fn context(&self) -> &StreamingContext {
        self.test.context()
    }

    /// A stream whose batch n is dataset n; after the last one the first follows again.
    pub(crate) fn stream<T: Data>(&self, datasets: Vec<Rdd<T>>) -> DStream<T> {
        self.stream_after(Vec::new(), datasets)
    }

    /// As [`stream`](Self::stream), after some datasets that come only once.
    pub(crate) fn stream_after<T: Data>(&self, first: Vec<Rdd<T>>, then: Vec<Rdd<T>>) -> DStream<T> {
        self.context().stream("prepared", |_| Arc::new(Prepared { first, then }))
    }

    /// A dataset with a partition for each thread.
    pub(crate) fn dataset<T: Data>(&self, records: Vec<T>) -> Rdd<T> {
        self.context().rdd_context().parallelize_in(records, self.threads)
    }

    /// The lines of the input file as the engine reads them, in batches of so many lines in the full run.
    pub(crate) fn lines(&self, arguments: &Arguments, size: usize) -> Result<DStream<Text>> {
        let lines = self.context().rdd_context().text_file(text::file(arguments)?)?.collect()?;
        let batches = lines.chunks_exact(arguments.scaled(size));
        Ok(self.stream(batches.map(|batch| self.dataset(batch.to_vec())).collect()))
    }

    /// Runs these batches, all of which are due at once as in a stream that is behind.
    pub(crate) fn run(&self, batches: Range<usize>) -> Result<()> {
        let count = i64::try_from(batches.len())?;
        if count > 0 {
            self.test.run(0)?;
            self.test.clock().advance(seconds(count));
            self.test.catch_up()?;
        }
        Ok(())
    }

    /// Runs these batches, each due when the one before has been processed.
    pub(crate) fn run_one_by_one(&self, batches: Range<usize>) -> Result<()> {
        Ok(self.test.run(batches.len())?)
    }
}

/// The number of a batch, from 0.
pub(crate) fn number(time: Time) -> usize {
    usize::try_from(time.as_millis() / 1000 - 1).expect("the first batch is at one second")
}

struct Prepared<T> {
    first: Vec<Rdd<T>>,
    then: Vec<Rdd<T>>,
}

impl<T: Data> Source for Prepared<T> {
    type Record = T;
    type Plan = usize;

    fn name(&self) -> String {
        "Prepared datasets".to_owned()
    }

    fn plan(&self, time: Time) -> dstreams::Result<Option<usize>> {
        Ok(Some(number(time)))
    }

    fn info(&self, _plan: &usize) -> InputInfo {
        InputInfo::default()
    }

    fn rdd(&self, _context: &RddContext, plan: usize) -> dstreams::Result<Rdd<T>> {
        Ok(match plan.checked_sub(self.first.len()) {
            None => self.first[plan].clone(),
            Some(after) => self.then[after % self.then.len()].clone(),
        })
    }
}
