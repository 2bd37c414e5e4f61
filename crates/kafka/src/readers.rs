// SPDX-License-Identifier: Apache-2.0
//! `Readers`: the consumers of a stream in this process, kept from batch to batch so that they fetch ahead.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    client::{self, Client},
    error::Result,
    params::Params,
    partition_reader::PartitionReader,
    ranges::TopicPartition,
    settings::Reading,
};

/// What a record costs in the memory of the client library beyond its bytes, more or less.
const OVERHEAD: u64 = 512;

/// Gives readers of partitions to tasks, and takes them back.
///
/// All partitions share one client, a lane. A partition that several tasks read at once, as the parts of a large range,
/// has a reader in as many lanes; but for the first lane they fetch only while they are used.
pub(crate) struct Readers {
    params: Params,
    reading: Reading,
    pool: Mutex<Pool>,
    /// How many partitions the stream has, by which the memory is divided.
    partitions: AtomicUsize,
    pub(crate) totals: Totals,
}

/// What was read, since the start.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Offsets that were gone when a task came to read them.
    pub(crate) lost: AtomicU64,
}

#[derive(Default)]
struct Pool {
    /// A lane that is not used any more leaves a hole.
    lanes: Vec<Option<Lane>>,
    /// The readers that no task has, the one that was given back last at the end.
    idle: VecDeque<Lent>,
    closed: bool,
}

struct Lane {
    client: Arc<Client>,
    /// What it has ever read: a client does not get a partition twice, so that nothing fetched before can turn up.
    used: HashSet<TopicPartition>,
    /// How many readers it has.
    readers: usize,
}

/// A reader, and where it belongs.
pub(crate) struct Lent {
    pub(crate) reader: PartitionReader,
    lane: usize,
}

impl Readers {
    pub(crate) fn new(params: Params, reading: Reading) -> Self {
        Self {
            params,
            reading,
            pool: Mutex::default(),
            partitions: AtomicUsize::new(1),
            totals: Totals::default(),
        }
    }

    pub(crate) fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Says how many partitions are read, for the consumers that are made from now on.
    pub(crate) fn expect(&self, partitions: usize) {
        self.partitions.store(partitions.max(1), Ordering::Relaxed);
    }

    /// A reader of the partition at `from`: the one that has fetched ahead to there, if there is one.
    pub(crate) fn lend(&self, partition: &TopicPartition, from: i64) -> Result<Lent> {
        let found = {
            let mut pool = self.pool.lock();
            let of_partition = |lent: &Lent| lent.reader.partition() == partition;
            let exact =
                pool.idle.iter().position(|lent| of_partition(lent) && lent.reader.position() == from);
            let found = exact.or_else(|| pool.idle.iter().position(of_partition));
            found.and_then(|index| pool.idle.remove(index))
        };
        let Some(Lent { reader, lane }) = found else { return self.open(partition, from) };
        client::listen(reader.client());
        let reader = if reader.position() == from {
            reader
        } else {
            match reader.seek(from, self.reading.request_timeout) {
                Ok(reader) => reader,
                Err(error) => {
                    tracing::debug!(%partition, from, %error, "a new consumer is made");
                    self.left(lane);
                    return self.open(partition, from);
                }
            }
        };
        if lane > 0 {
            reader.resume()?;
        }
        Ok(Lent { reader, lane })
    }

    fn open(&self, partition: &TopicPartition, from: i64) -> Result<Lent> {
        let mut pool = self.pool.lock();
        let usable = |lane: &Option<Lane>| lane.as_ref().is_none_or(|lane| !lane.used.contains(partition));
        let index = pool.lanes.iter().position(usable).unwrap_or(pool.lanes.len());
        if index == pool.lanes.len() {
            pool.lanes.push(None);
        }
        let lane = match &mut pool.lanes[index] {
            Some(lane) => lane,
            hole => hole.insert(Lane { client: self.connect()?, used: HashSet::new(), readers: 0 }),
        };
        client::listen(&lane.client);
        lane.used.insert(partition.clone());
        let reader = PartitionReader::open(&lane.client, partition, from)?;
        lane.readers += 1;
        Ok(Lent { reader, lane: index })
    }

    fn connect(&self) -> Result<Arc<Client>> {
        let partitions = self.partitions.load(Ordering::Relaxed) as u64;
        let share = self.reading.prefetch.as_bytes() / partitions;
        let kbytes = (share / 2 / 1024).clamp(64, 2_097_151).to_string();
        let messages = (share / OVERHEAD).clamp(1_000, 1_000_000).to_string();
        let by_default = [
            ("queued.max.messages.kbytes", kbytes.as_str()),
            ("queued.min.messages", messages.as_str()),
            // With queues this short a second without a fetch would be a second without records.
            ("fetch.queue.backoff.ms", "5"),
            // The end of a partition is told with the first fetch that finds nothing: ranges that end with offsets
            // without a record wait for that.
            ("fetch.wait.max.ms", "100"),
        ];
        let mut properties = vec![
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "error"),
        ];
        let is_open = |name: &&str| self.params.get(name).is_none();
        properties.extend(by_default.iter().filter(|(name, _)| is_open(name)));
        client::connect(&self.params, &properties)
    }

    /// Takes a reader back. Without `keep` it is closed.
    pub(crate) fn give_back(&self, lent: Lent, keep: bool) {
        let mut closing = Vec::new();
        {
            let mut pool = self.pool.lock();
            if keep && !pool.closed {
                if lent.lane > 0 {
                    lent.reader.pause();
                }
                pool.idle.push_back(lent);
                while pool.idle.len() > self.reading.kept {
                    closing.extend(pool.idle.pop_front());
                }
            } else {
                closing.push(lent);
            }
        }
        for Lent { reader, lane } in closing {
            reader.close();
            self.left(lane);
        }
    }

    /// A lane without readers is given up.
    fn left(&self, index: usize) {
        let _closed_without_the_lock = {
            let mut pool = self.pool.lock();
            let Some(Some(lane)) = pool.lanes.get_mut(index) else { return };
            lane.readers -= 1;
            if lane.readers == 0 { pool.lanes[index].take() } else { None }
        };
    }

    /// Closes all consumers; those that tasks still have are closed when they come back.
    pub(crate) fn close(&self) {
        let pool = {
            let mut pool = self.pool.lock();
            pool.closed = true;
            std::mem::take(&mut pool.idle)
        };
        for Lent { reader, lane } in pool {
            reader.close();
            self.left(lane);
        }
    }
}
