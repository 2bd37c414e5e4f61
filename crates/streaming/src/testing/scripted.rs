// SPDX-License-Identifier: Apache-2.0
//! Input that a test has written down in advance.

use std::sync::Arc;

use dstreams_rdd::{Data, Rdd, RddContext};

use crate::{
    error::Result,
    input::InputInfo,
    source::Source,
    time::{Duration, Time},
};

/// Gives the n-th list of records to the batch at n intervals; a plan is n.
pub(super) struct ScriptedSource<T> {
    batches: Vec<Option<Arc<Vec<T>>>>,
    partitions: usize,
    interval: Duration,
}

impl<T> ScriptedSource<T> {
    pub(super) fn new(batches: Vec<Option<Vec<T>>>, partitions: usize, interval: Duration) -> Self {
        let batches = batches.into_iter().map(|batch| batch.map(Arc::new)).collect();
        Self { batches, partitions, interval }
    }

    fn records(&self, batch: usize) -> Option<&Arc<Vec<T>>> {
        self.batches.get(batch).and_then(Option::as_ref)
    }
}

impl<T: Data> Source for ScriptedSource<T> {
    type Record = T;
    type Plan = usize;

    fn name(&self) -> String {
        "Scripted stream".to_owned()
    }

    fn plan(&self, time: Time) -> Result<Option<usize>> {
        let number = usize::try_from(time.as_millis() / self.interval.as_millis() - 1).unwrap_or(usize::MAX);
        let has_none = self.batches.get(number).is_some_and(Option::is_none);
        Ok((!has_none).then_some(number))
    }

    fn info(&self, plan: &usize) -> InputInfo {
        InputInfo::of_records(self.records(*plan).map_or(0, |records| records.len() as u64))
    }

    fn rdd(&self, context: &RddContext, plan: usize) -> Result<Rdd<T>> {
        let records = self.records(plan).map(|records| records.to_vec()).unwrap_or_default();
        Ok(context.parallelize_in(records, self.partitions))
    }
}
