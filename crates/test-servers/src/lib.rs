// SPDX-License-Identifier: Apache-2.0
//! Real servers for tests: private ones, in a directory of their own, gone with the test.
#![forbid(unsafe_code)]

mod kafka;
mod postgres;

pub use kafka::{KAFKA_VARIABLE, Kafka, KafkaDaemon, KafkaError, KafkaStatus};
pub use postgres::{Postgres, StartError};
