// SPDX-License-Identifier: Apache-2.0
//! `GroupOffsets`: the offsets that a partition is made of, committed to a group in its transaction.

use std::{sync::Arc, time::Duration};

use dstreams_streaming::{Batch, PartitionIdentity, SinkError};
use parking_lot::Mutex;
use rdkafka::{Offset, TopicPartitionList, consumer::Consumer as _};

use super::{failure::sink_error, pool::Leased};
use crate::{
    client::{self, Client},
    cluster::Cluster,
    error::{Error, Result},
    params::Params,
    ranges::OffsetRange,
};

/// A consumer group to which only transactions commit.
pub(super) struct GroupOffsets {
    params: Params,
    group: String,
    /// A consumer that reads nothing; it stands for the group.
    client: Mutex<Option<Arc<Client>>>,
}

impl GroupOffsets {
    pub(super) fn new(params: &Params, group: &str) -> Self {
        Self { params: params.clone().group(group), group: group.to_owned(), client: Mutex::default() }
    }

    /// Adds the ends of the ranges of a partition to the transaction of a producer.
    pub(super) fn add(
        &self,
        lease: &Leased,
        partition: &PartitionIdentity,
        batch: &Batch,
        timeout: Duration,
    ) -> Result<(), SinkError> {
        let ranges = ranges_of(partition, batch).map_err(SinkError::refused)?;
        if lease.fresh {
            // Whoever had the partition before may have committed after this program asked where to start.
            self.check(&ranges, timeout)?;
        }
        let mut list = TopicPartitionList::with_capacity(ranges.len());
        for range in &ranges {
            list.add_partition_offset(
                &range.partition.topic,
                range.partition.partition,
                Offset::Offset(range.until),
            )
            .map_err(|_| sink_error(Error::Range(format!("{range} has no offsets"))))?;
        }
        if ranges.is_empty() {
            return Ok(());
        }
        let client = self.client().map_err(sink_error)?;
        let group = client.group_metadata().ok_or_else(|| SinkError::refused("the group has no members"))?;
        lease.producer.send_offsets(&list, &group, timeout).map_err(sink_error)
    }

    fn client(&self) -> Result<Arc<Client>> {
        let mut client = self.client.lock();
        if let Some(client) = &*client {
            return Ok(Arc::clone(client));
        }
        let properties = [("enable.auto.commit", "false"), ("enable.auto.offset.store", "false")];
        let made = client::connect(&self.params, &properties)?;
        *client = Some(Arc::clone(&made));
        Ok(made)
    }

    fn check(&self, ranges: &[OffsetRange], timeout: Duration) -> Result<(), SinkError> {
        let cluster = Cluster::new(&self.params, timeout).map_err(sink_error)?;
        let committed = cluster.committed(ranges.iter().map(|range| &range.partition)).map_err(sink_error)?;
        let ahead = ranges.iter().find_map(|range| {
            let committed = committed.get(&range.partition)?;
            (*committed > range.from).then_some((range, committed))
        });
        match ahead {
            None => Ok(()),
            Some((range, committed)) => Err(SinkError::refused(format!(
                "group {} has committed offset {committed}, and this batch has {range}: another instance of the program has gone on with it. Stop that one, and start this one again",
                self.group
            ))),
        }
    }
}

/// What a partition of a batch is made of.
fn ranges_of(partition: &PartitionIdentity, batch: &Batch) -> Result<Vec<OffsetRange>, String> {
    let streams: Vec<_> = batch.inputs.values().map(|input| OffsetRange::list_of(&input.info)).collect();
    let streams: Vec<_> = streams.into_iter().filter(|ranges| !ranges.is_empty()).collect();
    if partition.partitions == 1 {
        return Ok(OffsetRange::merged(&streams.concat()));
    }
    match streams.as_slice() {
        [] => Ok(Vec::new()),
        [ranges] if ranges.len() == partition.partitions => {
            let range = &ranges[partition.partition];
            let parts = ranges.iter().filter(|other| other.partition == range.partition).count();
            if parts > 1 {
                return Err(format!(
                    "{} is read by {parts} tasks, whose transactions may end in any order: unset dstreams.kafka.maxRecordsPerTask to commit offsets with the results",
                    range.partition
                ));
            }
            Ok(vec![range.clone()])
        }
        _ => Err(format!(
            "it is not known which offsets {partition} is made of: to commit offsets with the results, a stream must have the partitions of one Kafka stream, or a single one"
        )),
    }
}

#[cfg(test)]
mod tests {
    use dstreams_streaming::{BatchIdentity, BatchInput, InputInfo, StreamId, Time};

    use super::*;

    fn batch(streams: &[&[OffsetRange]]) -> Batch {
        let input = |ranges: &[OffsetRange]| {
            let mut info = InputInfo::of_records(1);
            let lines: Vec<_> = ranges.iter().map(ToString::to_string).collect();
            info.metadata.insert(OffsetRange::METADATA.to_owned(), lines.join("\n"));
            BatchInput { info, plan: Vec::new() }
        };
        let inputs = streams.iter().enumerate().map(|(id, ranges)| (StreamId(id), input(ranges))).collect();
        Batch { time: Time::from_millis(1), inputs }
    }

    fn partition(partition: usize, partitions: usize) -> PartitionIdentity {
        let batch =
            BatchIdentity { application: "a".into(), output: "o".into(), batch_time: Time::from_millis(1) };
        PartitionIdentity { batch, partition, partitions }
    }

    #[test]
    fn a_partition_has_its_own_range_or_all_of_them() {
        let (a, b) = (OffsetRange::new("t", 0, 1, 5), OffsetRange::new("t", 1, 0, 9));
        let one = batch(&[&[a.clone(), b.clone()]]);
        assert_eq!(ranges_of(&partition(1, 2), &one), Ok(vec![b.clone()]));
        assert_eq!(ranges_of(&partition(0, 1), &one), Ok(vec![a.clone(), b.clone()]));
        assert!(ranges_of(&partition(0, 3), &one).is_err());
        let (front, back) = (OffsetRange::new("t", 0, 0, 5), OffsetRange::new("t", 0, 5, 9));
        let split = batch(&[&[front, back]]);
        assert!(ranges_of(&partition(0, 2), &split).is_err());
        assert_eq!(ranges_of(&partition(0, 1), &split), Ok(vec![OffsetRange::new("t", 0, 0, 9)]));
        let two = batch(&[std::slice::from_ref(&a), std::slice::from_ref(&b)]);
        assert!(ranges_of(&partition(0, 2), &two).is_err());
        assert_eq!(ranges_of(&partition(0, 1), &two), Ok(vec![a, b]));
        assert_eq!(ranges_of(&partition(0, 2), &batch(&[])), Ok(Vec::new()));
    }
}
