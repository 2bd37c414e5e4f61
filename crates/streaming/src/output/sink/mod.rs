// SPDX-License-Identifier: Apache-2.0
//! `Sink`: an output that takes the records of each partition exactly once, whatever fails and however often it is run.

mod error;
mod files;
mod history;
mod write;

pub use error::SinkError;
pub use files::{CommittedFile, FileSink, FileTransaction, committed_files, read_committed};
pub use history::{CommittedPositions, History};

use std::{collections::BTreeSet, sync::Arc};

use super::{PartitionRecords, identity::BatchIdentity, identity::PartitionIdentity};
use crate::input::Batch;

/// A system that keeps what it is given together with where it comes from.
///
/// The records of a partition and the [identity](PartitionIdentity) of that partition become visible together or not at
/// all. A batch that is run again is then known: what the sink has is not written a second time, nor even computed.
/// [`DStream::write_to`](crate::DStream::write_to) does the asking, the skipping and the retries; a sink says what it
/// has, and writes.
///
/// ```
/// use std::{collections::BTreeMap, sync::{Arc, Mutex}};
/// use dstreams_streaming::{
///     Batch, Begin, BatchIdentity, Committed, PartitionIdentity, PartitionRecords, Sink, SinkError, SinkTransaction,
///     testing::TestContext,
/// };
///
/// /// Partition by partition, under its identity: what a table with the identity as its key would be.
/// #[derive(Clone, Default)]
/// struct Table(Arc<Mutex<BTreeMap<PartitionIdentity, Vec<String>>>>);
///
/// struct Insert { table: Table, partition: PartitionIdentity, rows: Vec<String> }
///
/// impl Sink<String> for Table {
///     type Transaction = Insert;
///
///     fn name(&self) -> String {
///         "table".to_owned()
///     }
///
///     fn committed(&self, batch: &BatchIdentity) -> Result<Committed, SinkError> {
///         Ok(self.0.lock().unwrap().keys().filter(|key| key.batch == *batch).collect())
///     }
///
///     fn begin(&self, partition: &PartitionIdentity) -> Result<Begin<Insert>, SinkError> {
///         if self.0.lock().unwrap().contains_key(partition) {
///             return Ok(Begin::Committed);
///         }
///         Ok(Begin::Transaction(Insert { table: self.clone(), partition: partition.clone(), rows: Vec::new() }))
///     }
/// }
///
/// impl SinkTransaction<String> for Insert {
///     fn write(&mut self, records: &mut PartitionRecords<String>) -> Result<u64, SinkError> {
///         self.rows.extend(records);
///         Ok(self.rows.len() as u64)
///     }
///
///     fn commit(self, _positions: &Batch) -> Result<(), SinkError> {
///         self.table.0.lock().unwrap().insert(self.partition, self.rows);
///         Ok(())
///     }
/// }
///
/// let table = Table::default();
/// let test = TestContext::new()?;
/// test.input(vec![vec!["to".to_owned(), "be".to_owned()]]).write_to(table.clone()).named("words");
/// test.run(1)?;
/// assert_eq!(table.0.lock().unwrap().values().flatten().count(), 2);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub trait Sink<T>: Send + Sync + 'static {
    /// A partition that is being written.
    type Transaction: SinkTransaction<T>;

    /// What logs and errors call it, such as `SQLite /var/lib/words.db`.
    fn name(&self) -> String;

    /// What it has of a batch. Asked before the batch is computed; what it has is skipped.
    fn committed(&self, batch: &BatchIdentity) -> Result<Committed, SinkError>;

    /// Begins to write a partition, in a task. This is where the identity must be safe: of two transactions with the same
    /// one, the first to commit wins and the other must find out, here or when it commits.
    fn begin(&self, partition: &PartitionIdentity) -> Result<Begin<Self::Transaction>, SinkError>;

    /// Called after all partitions of a batch have been committed, and again when a batch that was complete is run
    /// again. The place for work that concerns whole batches, which must be bounded.
    fn batch_committed(&self, _batch: &CommittedBatch<'_>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// One partition on its way into a sink. Dropped without a commit, it leaves nothing behind.
pub trait SinkTransaction<T> {
    /// Takes all the records of the partition and returns how many there were. When the task fails while they are read,
    /// this call is unwound and the transaction dropped.
    fn write(&mut self, records: &mut PartitionRecords<T>) -> Result<u64, SinkError>;

    /// Makes the records durable together with the identity of the partition and what the batch was made of. Returns only
    /// when they are; an error may leave open which.
    fn commit(self, positions: &Batch) -> Result<(), SinkError>;
}

/// What a sink says when it is to write a partition.
#[derive(Debug)]
pub enum Begin<X> {
    /// It has the partition.
    Committed,
    /// It does not; here is where to write it.
    Transaction(X),
}

/// What a sink has of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Of how many partitions the batch was when these were committed; 0 when there are none.
    pub partitions: usize,
    /// Which of them the sink has.
    pub done: BTreeSet<usize>,
}

impl Committed {
    /// Nothing of the batch.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// All `partitions` partitions of the batch.
    pub fn all(partitions: usize) -> Self {
        Self { partitions, done: (0..partitions).collect() }
    }

    /// For a sink whose transaction could not add `partition`, after the check before the batch: nothing to do when
    /// another one has written the same, and an error when the batch is there in other partitions.
    pub fn instead_of(&self, partition: &PartitionIdentity) -> Result<(), SinkError> {
        if self.partitions == partition.partitions && self.done.contains(&partition.partition) {
            return Ok(());
        }
        Err(SinkError::PartitionsChanged {
            batch: partition.batch.clone(),
            done: self.done.len(),
            then: self.partitions,
            now: partition.partitions,
        })
    }

    /// Whether that is the whole batch, in the partitions that it had then.
    pub fn is_complete(&self) -> bool {
        self.partitions > 0 && self.done.len() == self.partitions
    }
}

impl<'a> FromIterator<&'a PartitionIdentity> for Committed {
    fn from_iter<I: IntoIterator<Item = &'a PartitionIdentity>>(partitions: I) -> Self {
        let mut committed = Self::nothing();
        for partition in partitions {
            committed.partitions = partition.partitions;
            committed.done.insert(partition.partition);
        }
        committed
    }
}

/// A batch that a sink has as a whole.
#[derive(Debug)]
#[non_exhaustive]
pub struct CommittedBatch<'a> {
    /// Which batch.
    pub identity: &'a BatchIdentity,
    /// Of how many partitions it was when it was committed.
    pub partitions: usize,
    /// What it was made of.
    pub positions: &'a Batch,
}

impl<T, S: Sink<T>> Sink<T> for Arc<S> {
    type Transaction = S::Transaction;

    fn name(&self) -> String {
        (**self).name()
    }

    fn committed(&self, batch: &BatchIdentity) -> Result<Committed, SinkError> {
        (**self).committed(batch)
    }

    fn begin(&self, partition: &PartitionIdentity) -> Result<Begin<Self::Transaction>, SinkError> {
        (**self).begin(partition)
    }

    fn batch_committed(&self, batch: &CommittedBatch<'_>) -> Result<(), SinkError> {
        (**self).batch_committed(batch)
    }
}
