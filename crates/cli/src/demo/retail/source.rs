// SPDX-License-Identifier: Apache-2.0
//! The queue of messages as a source: a batch takes the next numbers, and its dataset reads just these.
//!
//! This is what makes a reliable source simple: the plan of a batch is a range that is logged before the batch runs, and
//! whoever has the plan can read the same messages again. A topic of Kafka is read like that, too.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use dstreams::{
    Duration, Error, Rdd, RddContext, Result, Text, Time,
    rdd::{
        TaskError,
        chunk::{BoxChunks, Chunks},
    },
    streaming::{InputInfo, Source},
};
use serde::{Deserialize, Serialize};

use super::generator::{Generated, SALES_PER_MESSAGE, Tills};

/// Under which name the numbers of a batch are kept with its outputs.
pub(super) const MESSAGES: &str = "messages";

/// How many messages a chunk holds; a message is much larger than the records that chunks are meant for.
const CHUNK: u64 = 16;

/// How many messages a batch takes. Shared with what watches the batches.
#[derive(Debug, Clone)]
pub(super) struct Pace(Arc<AtomicU64>);

impl Pace {
    /// As many as make `sales_per_second`, at least one.
    pub(super) fn new(sales_per_second: u64, interval: Duration) -> Self {
        let pace = Self(Arc::default());
        let per_batch = sales_per_second as f64 * interval.as_secs_f64() / SALES_PER_MESSAGE as f64;
        pace.set(per_batch.round() as u64);
        pace
    }

    pub(super) fn set(&self, messages: u64) {
        self.0.store(messages.max(1), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The messages of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Range {
    pub(super) from: u64,
    pub(super) until: u64,
}

/// What must be the same for as long as there is a directory: with other values the totals would be others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) seed: u64,
    pub(super) interval: String,
}

pub(super) struct MessageQueue {
    tills: Tills,
    terms: Terms,
    pace: Pace,
    next: Mutex<u64>,
}

impl MessageQueue {
    pub(super) fn new(seed: u64, interval: Duration, pace: Pace) -> Self {
        let terms = Terms { seed, interval: interval.to_string() };
        Self { tills: Tills { seed }, terms, pace, next: Mutex::new(0) }
    }
}

impl Source for MessageQueue {
    type Record = Text;
    type Plan = Range;

    fn name(&self) -> String {
        "Message queue".to_owned()
    }

    fn plan(&self, _time: Time) -> Result<Option<Range>> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let from = *next;
        *next = from + self.pace.get();
        Ok(Some(Range { from, until: *next }))
    }

    fn give_back(&self, plan: Range) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = plan.from;
    }

    fn info(&self, plan: &Range) -> InputInfo {
        let mut info = InputInfo::of_records(plan.until - plan.from);
        info.metadata.insert(MESSAGES.to_owned(), format!("{}..{}", plan.from, plan.until));
        info
    }

    fn rdd(&self, context: &RddContext, plan: Range) -> Result<Rdd<Text>> {
        let (tills, partitions) = (self.tills, context.default_parallelism());
        Ok(context.from_chunks("messages", partitions, move |partition| {
            let share = |partition: usize| {
                plan.from + (plan.until - plan.from) * partition as u64 / partitions as u64
            };
            Ok(Box::new(Reader {
                tills,
                next: share(partition),
                until: share(partition + 1),
                message: Generated::empty(),
                bytes: Vec::new(),
            }) as BoxChunks<Text>)
        }))
    }

    fn memory(&self) -> Vec<u8> {
        serde_json::to_vec(&self.terms).expect("terms are always JSON")
    }

    fn restore(&self, memory: &[u8], plans: Vec<(Time, Range)>) -> Result<()> {
        let began: Terms = serde_json::from_slice(memory).map_err(Error::source)?;
        if began != self.terms {
            let Terms { seed, interval } = began;
            return Err(Error::source(format!(
                "the directory was begun with --seed {seed} --interval {interval}: give the same, or another --dir"
            )));
        }
        if let Some((_, newest)) = plans.last() {
            *self.next.lock().unwrap_or_else(PoisonError::into_inner) = newest.until;
        }
        Ok(())
    }
}

/// Receives the messages of one partition.
struct Reader {
    tills: Tills,
    next: u64,
    until: u64,
    message: Generated,
    bytes: Vec<u8>,
}

impl Chunks<Text> for Reader {
    fn next_chunk(&mut self, out: &mut Vec<Text>) -> std::result::Result<bool, TaskError> {
        let end = self.until.min(self.next + CHUNK);
        for number in self.next..end {
            self.tills.generate(number, &mut self.message);
            self.message.text(&mut self.bytes);
            let text = std::str::from_utf8(&self.bytes).expect("what is generated is ASCII");
            out.push(Text::from(text));
        }
        Ok(std::mem::replace(&mut self.next, end) < end)
    }
}
