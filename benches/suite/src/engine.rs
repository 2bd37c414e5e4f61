// SPDX-License-Identifier: Apache-2.0
//! A streaming context whose input is in memory, and whose batches follow each other as fast as they are processed.

use std::{ops::Range, path::Path, sync::Arc};

use dstreams::{
    Config, DStream, Data, Rdd, RddContext, Text, Time,
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

    /// Keeps what has to outlive the process in this directory.
    pub(crate) fn checkpoint(&self, directory: &Path) {
        self.test.context().checkpoint(directory.to_string_lossy());
    }

    /// A stream whose batch n is dataset n; after the last one the first follows again.
    pub(crate) fn stream<T: Data>(&self, datasets: Vec<Rdd<T>>) -> DStream<T> {
        self.test.context().stream("prepared", |_| Arc::new(Prepared { datasets }))
    }

    /// A dataset with a partition for each thread.
    pub(crate) fn dataset<T: Data>(&self, records: Vec<T>) -> Rdd<T> {
        self.test.context().rdd_context().parallelize_in(records, self.threads)
    }

    /// The lines of the input file as the engine reads them, a dataset for each distinct batch.
    pub(crate) fn lines(&self, arguments: &Arguments) -> Result<DStream<Text>> {
        let context = self.test.context().rdd_context();
        let lines = context.text_file(text::file(arguments)?)?.collect()?;
        let batches = lines.chunks(arguments.scaled(text::LINES));
        Ok(self.stream(batches.map(|batch| self.dataset(batch.to_vec())).collect()))
    }

    /// Runs these batches, all of which are due at once as in a stream that is behind.
    pub(crate) fn run(&self, batches: Range<usize>) -> Result<()> {
        let count = i64::try_from(batches.len())?;
        if count > 0 {
            // Waits until the context runs and its timer waits for the clock.
            self.test.run(0)?;
            self.test.clock().advance(seconds(count));
            self.test.catch_up()?;
        }
        Ok(())
    }
}

/// The number of a batch, from 0.
pub(crate) fn number(time: Time) -> usize {
    usize::try_from(time.as_millis() / 1000 - 1).expect("the first batch is at one second")
}

struct Prepared<T> {
    datasets: Vec<Rdd<T>>,
}

impl<T: Data> Source for Prepared<T> {
    type Record = T;
    type Plan = usize;

    fn name(&self) -> String {
        "Prepared datasets".to_owned()
    }

    fn plan(&self, time: Time) -> dstreams::Result<Option<usize>> {
        Ok(Some(number(time) % self.datasets.len()))
    }

    fn info(&self, _plan: &usize) -> InputInfo {
        InputInfo::default()
    }

    fn rdd(&self, _context: &RddContext, plan: usize) -> dstreams::Result<Rdd<T>> {
        Ok(self.datasets[plan].clone())
    }
}
