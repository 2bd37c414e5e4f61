// SPDX-License-Identifier: Apache-2.0
//! What the configuration says about Kafka streams.

use std::time::Duration as Waiting;

use dstreams_streaming::{
    Config, Duration,
    config::{ByteSize, keys},
};

use crate::limits::Limits;

/// The settings of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) per_task: Option<u64>,
    pub(crate) fail_on_data_loss: bool,
    pub(crate) commit: bool,
    /// Records per second before the first estimate of backpressure, if that is on.
    pub(crate) initial_rate: Option<i64>,
    pub(crate) request_timeout: Waiting,
    /// How long a start waits for the brokers.
    pub(crate) start_timeout: Duration,
    pub(crate) metadata_interval: Duration,
    pub(crate) reading: Reading,
}

/// What tasks that read need to know.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// How long a task waits for a record; for ever if there is no limit.
    pub(crate) poll_timeout: Option<Duration>,
    /// How many partitions have their consumers kept; none if they are made for each task.
    pub(crate) kept: usize,
    pub(crate) prefetch: ByteSize,
    pub(crate) fail_on_data_loss: bool,
    pub(crate) request_timeout: Waiting,
}

impl Settings {
    pub(crate) fn new(config: &Config, interval: Duration) -> Self {
        let fail_on_data_loss = config.get(&keys::KAFKA_FAIL_ON_DATA_LOSS);
        let request_timeout = config.get(&keys::KAFKA_REQUEST_TIMEOUT).to_std();
        let is_kept = config.get(&keys::KAFKA_CONSUMER_CACHE_ENABLED);
        let positive = |count: i64| u64::try_from(count).ok();
        Self {
            limits: Limits {
                interval,
                max_rate: config.get(&keys::KAFKA_MAX_RATE_PER_PARTITION),
                min_records: config.get(&keys::KAFKA_MIN_RATE_PER_PARTITION),
                max_records: config.get(&keys::KAFKA_MAX_RECORDS_PER_BATCH),
                max_bytes: config.get(&keys::KAFKA_MAX_BYTES_PER_BATCH).map(ByteSize::as_bytes),
            },
            per_task: config.get(&keys::KAFKA_MAX_RECORDS_PER_TASK).and_then(positive),
            fail_on_data_loss,
            commit: config.get(&keys::KAFKA_COMMIT_OFFSETS),
            initial_rate: config
                .get(&keys::BACKPRESSURE_INITIAL_RATE)
                .filter(|_| config.get(&keys::BACKPRESSURE_ENABLED)),
            request_timeout,
            start_timeout: config.get(&keys::KAFKA_REQUEST_TIMEOUT),
            metadata_interval: config.get(&keys::KAFKA_METADATA_INTERVAL),
            reading: Reading {
                poll_timeout: config
                    .get(&keys::KAFKA_POLL_TIMEOUT)
                    .or_else(|| config.get(&keys::NETWORK_TIMEOUT)),
                kept: if is_kept { config.get(&keys::KAFKA_CONSUMER_CACHE_MAX_CAPACITY) } else { 0 },
                prefetch: config.get(&keys::KAFKA_PREFETCH_MEMORY),
                fail_on_data_loss,
                request_timeout,
            },
        }
    }
}
