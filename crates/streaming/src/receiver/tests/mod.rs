// SPDX-License-Identifier: Apache-2.0
//! Blocks of a stream and their log below the receivers: stored, planned, lost with the process, restored.
#![allow(clippy::unwrap_used, reason = "tests")]

mod against_a_model;
mod cleaning;
mod crashes;
mod faults;
mod received_block_handler_suite;
mod received_block_tracker_suite;
mod receivers;
mod threads;

use std::{collections::BTreeMap, path::Path};

use dstreams_rdd::{RddContext, RddOptions, StorageLevel};
use dstreams_wal::Options;

use super::{
    BlockId, BlockInfo, ReceivedBlocks, ReceivedPlan,
    blocks::{Incoming, NotStored},
};
use crate::{input::StreamId, time::Time};

const STREAM: StreamId = StreamId(1);

/// The blocks of one run of a program, whose records are texts.
struct Run {
    rdd: RddContext,
    blocks: ReceivedBlocks<String>,
}

impl Run {
    fn new() -> Self {
        Self::with(1 << 20, StorageLevel::MEMORY_AND_DISK)
    }

    fn with(memory: usize, level: StorageLevel) -> Self {
        let options = RddOptions { threads: 1, memory_budget: memory, ..RddOptions::default() };
        let rdd = RddContext::new(options).unwrap();
        Self { blocks: ReceivedBlocks::new(STREAM, rdd.clone(), level), rdd }
    }

    /// A run with a log in `dir` that rolls every second, and what earlier runs have left there.
    fn logged(dir: &Path) -> Self {
        let run = Self::new();
        run.blocks.attach(dir, Some(rolling_each_second())).unwrap();
        run
    }

    /// A run that goes on with what was planned by those before, the first of which began with an empty log.
    fn restored(dir: &Path, plans: &[(i64, ReceivedPlan)]) -> Self {
        let run = Self::logged(dir);
        let plans: Vec<_> = plans.iter().map(|(time, plan)| (at(*time), plan.clone())).collect();
        run.blocks.restore(0, &plans);
        run
    }

    /// Stores a block of its own for each text, at a time in ms.
    fn store(&self, time: i64, texts: &[&str]) -> Vec<BlockInfo> {
        let store = |text: &&str| self.try_store(time, vec![(*text).to_owned()]).unwrap();
        texts.iter().map(store).collect()
    }

    fn try_store(&self, time: i64, records: Vec<String>) -> Result<BlockInfo, NotStored> {
        let id = self.blocks.next_whole(at(time), records.len());
        self.store_as(id, time, records)
    }

    fn store_as(&self, id: BlockId, time: i64, records: Vec<String>) -> Result<BlockInfo, NotStored> {
        self.blocks.store(&mut Incoming::new(id, records, &BTreeMap::new()), at(time))
    }

    fn plan(&self, time: i64) -> (i64, ReceivedPlan) {
        (time, self.blocks.plan(at(time)))
    }

    /// The records of a plan.
    fn read(&self, (_, plan): &(i64, ReceivedPlan)) -> Vec<String> {
        self.try_read(plan).unwrap()
    }

    fn try_read(&self, plan: &ReceivedPlan) -> Result<Vec<String>, dstreams_rdd::Error> {
        self.blocks.rdd(&self.rdd, plan.clone()).collect()
    }
}

fn at(ms: i64) -> Time {
    Time::from_millis(ms)
}

fn rolling_each_second() -> Options {
    Options { place: "received", rolling_interval: std::time::Duration::from_secs(1), ..Options::default() }
}

/// The names of the segments in `dir`.
fn segments(dir: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("log-")).collect();
    names.sort();
    names
}
