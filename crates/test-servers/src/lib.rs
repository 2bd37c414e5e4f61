// SPDX-License-Identifier: Apache-2.0
//! Real servers for tests, and a browser: private ones, in a directory of their own, gone with the test.
#![forbid(unsafe_code)]

mod azurite;
mod chromium;
mod ganglia;
mod graphite;
mod kafka;
mod kerberos;
mod object_server;
mod otlp;
mod packages;
mod ports;
mod postgres;
mod s3;
mod schema_registry;
mod start;
mod tls;

pub use azurite::Azurite;
pub use chromium::{BrowserError, Chromium};
pub use ganglia::Gmond;
pub use graphite::Carbon;
pub use kafka::{Certificates, KAFKA_VARIABLE, Kafka, KafkaDaemon, KafkaStatus, SecuredKafka};
pub use kerberos::Kdc;
pub use object_server::ObjectServer;
pub use otlp::OtlpReceiver;
pub use postgres::Postgres;
pub use s3::S3;
pub use schema_registry::SchemaRegistryServer;
pub use start::{StartError, or_skip};
pub use tls::{Authority, TlsFront, TlsReceivers};
