// SPDX-License-Identifier: Apache-2.0
//! `MemorySink`: a sink that keeps records in memory, and that a test can take down and up again.

use std::{collections::BTreeMap, sync::Arc};

use dstreams_rdd::Data;
use parking_lot::Mutex;

use crate::{
    input::Batch,
    output::{
        BatchIdentity, Begin, Committed, PartitionIdentity, PartitionRecords, Sink, SinkError,
        SinkTransaction,
    },
};

/// A sink in memory. Clones are the same sink, so that a test can keep one, and give it to a second context that runs
/// the same batches again.
///
/// ```
/// use dstreams_streaming::testing::{MemorySink, TestContext};
/// let sink = MemorySink::new();
/// for _run in 0..2 {
///     let test = TestContext::new()?;
///     test.input(vec![vec![1, 2], vec![3]]).write_to(sink.clone()).named("numbers");
///     test.run(2)?;
/// }
/// assert_eq!(sink.records(), [1, 2, 3]);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub struct MemorySink<T> {
    shared: Arc<Mutex<Shared<T>>>,
}

struct Shared<T> {
    partitions: BTreeMap<PartitionIdentity, Stored<T>>,
    available: bool,
    /// How often it was asked to write a partition.
    begun: usize,
}

struct Stored<T> {
    records: Vec<T>,
    positions: String,
}

impl<T> Clone for MemorySink<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T: Data> Default for MemorySink<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Data> MemorySink<T> {
    /// An empty sink that is available.
    pub fn new() -> Self {
        let shared = Shared { partitions: BTreeMap::new(), available: true, begun: 0 };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// All records, in the order of outputs, batches and partitions.
    pub fn records(&self) -> Vec<T> {
        self.shared.lock().partitions.values().flat_map(|stored| stored.records.clone()).collect()
    }

    /// The partitions that it has.
    pub fn identities(&self) -> Vec<PartitionIdentity> {
        self.shared.lock().partitions.keys().cloned().collect()
    }

    /// What the batch of each partition was made of, as [`Batch::positions`] tells it.
    pub fn positions(&self) -> Vec<String> {
        self.shared.lock().partitions.values().map(|stored| stored.positions.clone()).collect()
    }

    /// How many transactions have been asked for.
    pub fn begun(&self) -> usize {
        self.shared.lock().begun
    }

    /// Makes it fail as a server does that is down, or end that.
    pub fn set_available(&self, available: bool) {
        self.shared.lock().available = available;
    }

    /// Forgets a partition, as if it had never been written.
    pub fn remove(&self, partition: &PartitionIdentity) {
        self.shared.lock().partitions.remove(partition);
    }
}

impl<T> Shared<T> {
    fn check(&self) -> Result<(), SinkError> {
        if self.available { Ok(()) } else { Err(SinkError::unavailable("the memory sink is down")) }
    }
}

impl<T: Data> Sink<T> for MemorySink<T> {
    type Transaction = MemoryTransaction<T>;

    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn committed(&self, batch: &BatchIdentity) -> Result<Committed, SinkError> {
        let shared = self.shared.lock();
        shared.check()?;
        Ok(shared.partitions.keys().filter(|partition| partition.batch == *batch).collect())
    }

    fn begin(&self, partition: &PartitionIdentity) -> Result<Begin<MemoryTransaction<T>>, SinkError> {
        let mut shared = self.shared.lock();
        shared.begun += 1;
        shared.check()?;
        if shared.partitions.contains_key(partition) {
            return Ok(Begin::Committed);
        }
        let (sink, partition) = (self.clone(), partition.clone());
        Ok(Begin::Transaction(MemoryTransaction { sink, partition, records: Vec::new() }))
    }
}

/// A partition on its way into a [`MemorySink`].
pub struct MemoryTransaction<T> {
    sink: MemorySink<T>,
    partition: PartitionIdentity,
    records: Vec<T>,
}

impl<T: Data> SinkTransaction<T> for MemoryTransaction<T> {
    fn write(&mut self, records: &mut PartitionRecords<T>) -> Result<u64, SinkError> {
        self.records.extend(records);
        Ok(self.records.len() as u64)
    }

    fn commit(self, positions: &Batch) -> Result<(), SinkError> {
        let mut shared = self.sink.shared.lock();
        shared.check()?;
        let stored = Stored { records: self.records, positions: positions.positions() };
        shared.partitions.entry(self.partition).or_insert(stored);
        Ok(())
    }
}
