// SPDX-License-Identifier: Apache-2.0
//! `KafkaTransaction`: a partition on its way into topics.

use std::sync::Arc;

use dstreams_streaming::{
    Batch, Begin, PartitionIdentity, PartitionRecords, SinkError, SinkTransaction, time::seconds,
};
use dstreams_wal::fault;

use super::{
    Delivery, Encode, KafkaSink, Options, ProducerRecord, Shared, commit_log::CommitLog, failure::sink_error,
    identity::IdentityRecord, names::transactional_id, pool::Leased,
};

/// A partition on its way into a [`KafkaSink`].
pub struct KafkaTransaction<T> {
    options: Options,
    shared: Arc<Shared>,
    encode: Arc<Encode<T>>,
    partition: PartitionIdentity,
    /// None once the transaction has ended.
    lease: Option<Leased>,
    log: Option<Arc<CommitLog>>,
    /// Whether a transaction is open at the brokers.
    open: bool,
}

impl<T: 'static> KafkaTransaction<T> {
    pub(super) fn begin(
        sink: &KafkaSink<T>,
        partition: &PartitionIdentity,
    ) -> Result<Begin<Self>, SinkError> {
        let (options, shared) = (&sink.options, &sink.shared);
        let is_exact = options.delivery == Delivery::ExactlyOnce;
        let id = is_exact.then(|| transactional_id(partition));
        let log = is_exact.then(|| shared.log(options, &partition.batch.application));
        let lease = shared.producers.lease(id).map_err(sink_error)?;
        if let Some(log) = &log {
            let committed = if lease.fresh {
                // From here on nobody else commits this partition; what was committed before is found now.
                lease.producer.take_over(options.transaction_timeout.to_std()).map_err(sink_error)?;
                log.of_batch_now(&partition.batch)
            } else {
                log.of_batch(&partition.batch)
            };
            let committed = committed.map_err(sink_error)?;
            if !committed.done.is_empty() && committed.partitions != partition.partitions
                || committed.done.contains(&partition.partition)
            {
                // One that has just been made has not shown yet that the offsets of its partition are ours to commit.
                if !lease.fresh {
                    shared.producers.give_back(lease);
                }
                return committed.instead_of(partition).map(|()| Begin::Committed);
            }
        }
        Ok(Begin::Transaction(Self {
            options: options.clone(),
            shared: Arc::clone(shared),
            encode: Arc::clone(&sink.encode),
            partition: partition.clone(),
            lease: Some(lease),
            log,
            open: false,
        }))
    }

    fn commit_with_identity(&mut self, positions: &Batch) -> Result<(), SinkError> {
        let timeout = self.options.transaction_timeout.to_std();
        let Some(lease) = &mut self.lease else { return Err(ended()) };
        let Some(log) = &self.log else {
            fault::pass("kafka", "flush", &self.options.place)?;
            return lease.producer.flush(timeout).map_err(sink_error);
        };
        fault::pass("kafka", "identity", &self.options.place)?;
        let identity = IdentityRecord::new(&self.partition, positions);
        let mut record = ProducerRecord::default();
        record.reset(log.topic());
        record.partition(0).key(transactional_id(&self.partition)).value(identity.encode());
        lease.producer.send(&record).map_err(sink_error)?;
        if let Some(group) = &self.shared.offsets {
            group.add(lease, &self.partition, positions, timeout)?;
        }
        lease.producer.flush(timeout).map_err(sink_error)?;
        fault::pass("kafka", "commit", &self.options.place)?;
        let committed = lease.producer.commit(timeout);
        if committed.is_err() {
            log.doubt();
        }
        committed.map_err(sink_error)?;
        self.open = false;
        log.note(identity);
        fault::pass("kafka", "committed", &self.options.place)?;
        Ok(())
    }
}

impl<T: 'static> SinkTransaction<T> for KafkaTransaction<T> {
    fn write(&mut self, records: &mut PartitionRecords<T>) -> Result<u64, SinkError> {
        // The transaction is not open while the first records are computed.
        let _computed = records.has_more();
        fault::pass("kafka", "write", &self.options.place)?;
        let Some(Leased { producer, .. }) = &mut self.lease else { return Err(ended()) };
        if self.log.is_some() {
            producer.begin().map_err(sink_error)?;
            self.open = true;
        }
        let (mut record, mut written) = (ProducerRecord::default(), 0);
        for value in records {
            record.reset(&self.options.topic);
            (self.encode)(value, &mut record)?;
            producer.send(&record).map_err(sink_error)?;
            written += 1;
        }
        Ok(written)
    }

    fn commit(mut self, positions: &Batch) -> Result<(), SinkError> {
        self.commit_with_identity(positions)?;
        if let Some(mut lease) = self.lease.take() {
            lease.fresh = false;
            self.shared.producers.give_back(lease);
        }
        Ok(())
    }
}

fn ended() -> SinkError {
    SinkError::refused("the transaction has ended")
}

impl<T> Drop for KafkaTransaction<T> {
    fn drop(&mut self) {
        // A producer of which something was left is not used again.
        if let Some(lease) = self.lease.take()
            && self.open
        {
            lease.producer.abort(seconds(10).to_std());
        }
    }
}
