// SPDX-License-Identifier: Apache-2.0
//! `direct_stream`: topics as a stream, and the handle that knows the offsets of its batches.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use dstreams_streaming::{DStream, StreamingContext, Time};

use crate::{
    commits::CommitOutcome, error::Error, params::Params, ranges::OffsetRange, record::Record,
    source::DirectSource, subscription::Consumer,
};

/// A stream of the records of topics, read in parallel and without a receiver: every batch takes the records that have
/// come since the one before, as offset ranges that are fixed, and logged, before they are read. A batch that is run
/// again reads the same ranges. One task reads each partition, in its order.
///
/// Where it starts: at the position that a checkpoint directory holds, else where `consumer` says, else at the offsets
/// that the group has committed, else as `auto.offset.reset` says. Partitions that are added later are read from their
/// beginning. When a batch is complete, its offsets are committed to the group `group.id`, if there is one.
///
/// ```no_run
/// use dstreams_kafka::{Consumer, Params, direct_stream};
/// # fn build(ssc: &dstreams_streaming::StreamingContext) -> Result<(), Box<dyn std::error::Error>> {
/// let params = Params::new("localhost:9092").group("word-count");
/// direct_stream(ssc, Consumer::subscribe(["lines"]), params)?
///     .try_map(|record| record.value_text())
///     .flat_map(|line| line.words())
///     .count_by_value()
///     .print();
/// # Ok(())
/// # }
/// ```
#[track_caller]
#[expect(clippy::missing_panics_doc, reason = "the context calls the closure before it returns")]
pub fn direct_stream(
    ssc: &StreamingContext,
    consumer: Consumer,
    params: impl Into<Params>,
) -> Result<KafkaStream, Error> {
    let params = params.into();
    // What is wrong with the parameters is said before there is a stream.
    params.client(&[])?;
    let reset = params.reset()?;
    let mut made = None;
    let stream = ssc.stream("kafka_direct_stream", |context| {
        let source = Arc::new(DirectSource::new(context, consumer, params, reset));
        made = Some(Arc::clone(&source));
        source
    });
    let source = made.expect("the closure has run");
    Ok(KafkaStream { stream, source })
}

/// The stream of [`direct_stream`]: a [`DStream`] that can be asked for the offsets of its batches.
#[derive(Clone)]
#[must_use = "streams are lazy: without an output nothing is computed"]
pub struct KafkaStream {
    stream: DStream<Record>,
    source: Arc<DirectSource>,
}

impl KafkaStream {
    /// The offset ranges of the batch at `time`, one for each partition of its dataset; nothing for batches that are not
    /// made yet or are forgotten.
    ///
    /// ```no_run
    /// # fn build(stream: &dstreams_kafka::KafkaStream, save: fn(&[dstreams_kafka::OffsetRange])) {
    /// let offsets = stream.clone();
    /// stream.for_each_rdd(move |rdd, time| {
    ///     let results = rdd.map(|record| record.size()).collect()?;
    ///     save(&offsets.offset_ranges(time).unwrap_or_default());
    ///     Ok(())
    /// });
    /// # }
    /// ```
    pub fn offset_ranges(&self, time: Time) -> Option<Arc<[OffsetRange]>> {
        self.source.ranges(time)
    }

    /// Commits the ends of `ranges` to the group soon, beside the batches: for programs that set
    /// `dstreams.kafka.commitOffsets=false`. Of several requests that wait at the same time one commit is made, and the
    /// latest `callback` is called. What is requested before the stream stops is committed before it has stopped.
    pub fn commit_async(
        &self,
        ranges: &[OffsetRange],
        callback: impl FnOnce(CommitOutcome) + Send + 'static,
    ) -> Result<(), Error> {
        let mut offsets = BTreeMap::new();
        for range in ranges {
            let offset = offsets.entry(range.partition.clone()).or_insert(range.until);
            *offset = range.until.max(*offset);
        }
        self.source.commit(offsets, Some(Box::new(callback)))
    }
}

impl Deref for KafkaStream {
    type Target = DStream<Record>;

    fn deref(&self) -> &DStream<Record> {
        &self.stream
    }
}

impl From<KafkaStream> for DStream<Record> {
    fn from(kafka: KafkaStream) -> Self {
        kafka.stream
    }
}
