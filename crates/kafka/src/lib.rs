// SPDX-License-Identifier: Apache-2.0
//! Apache Kafka as a source of discretized streams, whose batches read offset ranges that were fixed and logged before,
//! and as a sink that takes each partition of a batch once.
#![deny(unsafe_code)]

mod admin;
mod claims;
mod client;
mod cluster;
mod commits;
mod error;
mod limits;
mod native;
mod offset_store;
mod outstanding;
mod pace;
mod params;
mod partition_reader;
mod plan;
mod planner;
mod ranges;
mod rdd;
mod readers;
mod reading;
mod receiver;
mod record;
mod settings;
mod sink;
mod source;
mod stream;
mod subscription;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(test)]
extern crate self as dstreams_kafka;

pub use admin::Admin;
pub use commits::CommitOutcome;
pub use error::Error;
pub use offset_store::{FileOffsets, GroupOffsets, OffsetStore, ResultOffsets};
pub use params::Params;
pub use ranges::{OffsetRange, ParseOffsetRangeError, TopicPartition};
pub use rdd::{KafkaRdd, create_rdd};
pub use receiver::receiver_stream;
pub use record::{Header, Headers, Record};
pub use sink::{KafkaSink, KafkaTransaction, ProducerRecord, Sender};
pub use stream::{KafkaStream, direct_stream};
pub use subscription::{Consumer, PartitionRate, StartAt};
