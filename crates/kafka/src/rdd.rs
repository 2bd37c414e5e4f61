// SPDX-License-Identifier: Apache-2.0
//! `create_rdd`: offset ranges as a dataset, without a stream.

use std::{ops::Deref, sync::Arc};

use dstreams_rdd::chunk::BoxChunks;
use dstreams_streaming::{Config, Duration, Rdd, RddContext};

use crate::{
    error::Error, params::Params, ranges::OffsetRange, readers::Readers, reading::RangeChunks,
    record::Record, settings::Settings,
};

/// The records of offset ranges: a dataset, and the ranges that it was made from.
#[derive(Clone)]
pub struct KafkaRdd {
    rdd: Rdd<Record>,
    ranges: Arc<[OffsetRange]>,
}

impl KafkaRdd {
    /// The ranges, one for each partition of the dataset.
    pub fn offset_ranges(&self) -> &[OffsetRange] {
        &self.ranges
    }
}

impl Deref for KafkaRdd {
    type Target = Rdd<Record>;

    fn deref(&self) -> &Rdd<Record> {
        &self.rdd
    }
}

impl From<KafkaRdd> for Rdd<Record> {
    fn from(kafka: KafkaRdd) -> Self {
        kafka.rdd
    }
}

/// The records of `ranges`, one partition for each range, read anew by each action. A range that goes beyond the end of
/// its partition fails the task which reads it, and so do records that are not there any more.
///
/// ```no_run
/// use dstreams_kafka::{OffsetRange, Params, create_rdd};
/// let sc = dstreams_rdd::RddContext::local(2)?;
/// let clicks = create_rdd(&sc, &Params::new("localhost:9092"), &[OffsetRange::new("clicks", 0, 0, 1_000)])?;
/// println!("{} of 1000 are still there", clicks.count()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn create_rdd(context: &RddContext, params: &Params, ranges: &[OffsetRange]) -> Result<KafkaRdd, Error> {
    // What is wrong with the parameters is said at once and not by a task.
    params.client(&[])?;
    let settings = Settings::new(&Config::new(), Duration::ZERO);
    let readers = Arc::new(Readers::new(params.clone(), settings.reading));
    readers.expect(ranges.len());
    Ok(KafkaRdd { rdd: read(context, &readers, ranges.to_vec()), ranges: ranges.into() })
}

/// The records of `ranges`.
pub(crate) fn read(context: &RddContext, readers: &Arc<Readers>, ranges: Vec<OffsetRange>) -> Rdd<Record> {
    let readers = Arc::clone(readers);
    context.from_chunks("kafka", ranges.len(), move |partition| {
        RangeChunks::open(&readers, ranges[partition].clone()).map(|chunks| chunks as BoxChunks<Record>)
    })
}
