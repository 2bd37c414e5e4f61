// SPDX-License-Identifier: Apache-2.0
//! Real servers for tests: private ones, in a directory of their own, without a port or with one that is free, gone with
//! the test.
#![forbid(unsafe_code)]

mod kafka;
mod postgres;
mod s3;

pub use kafka::{KAFKA_VARIABLE, Kafka, KafkaDaemon, KafkaError, KafkaStatus};
pub use postgres::{Postgres, StartError};
pub use s3::S3;
