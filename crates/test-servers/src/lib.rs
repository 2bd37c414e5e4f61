// SPDX-License-Identifier: Apache-2.0
//! Real servers for tests: private ones, in a directory of their own, gone with the test.
#![forbid(unsafe_code)]

mod kafka;
mod postgres;
mod schema_registry;

pub use kafka::{KAFKA_VARIABLE, Kafka, KafkaDaemon, KafkaError, KafkaStatus};
pub use postgres::{Postgres, StartError};
pub use schema_registry::SchemaRegistryServer;
