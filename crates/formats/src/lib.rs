// SPDX-License-Identifier: Apache-2.0
//! Formats of records, by feature: text and bytes, `json`, `avro` with or without a registry of schemas, `protobuf`.
//!
//! A [`Format`] is for [`DStream::decode`](dstreams_streaming::DStream::decode), an [`Encoding`] for sinks.
#![forbid(unsafe_code)]

#[cfg(feature = "avro")]
mod avro;
mod encoding;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "protobuf")]
mod protobuf;
mod text;
#[cfg(any(feature = "avro", feature = "protobuf"))]
mod wire;

#[cfg(feature = "avro")]
pub use avro::{
    Avro, RegistryAvro, RegistryAvroEncoding, RegistryError, SchemaError, SchemaRegistry, avro, registry_avro,
};
pub use dstreams_streaming::{DecodeError, Format, Payload};
pub use encoding::{EncodeError, Encoding};
#[cfg(feature = "json")]
pub use json::{Json, json};
#[cfg(feature = "protobuf")]
pub use protobuf::{Protobuf, protobuf, registry_protobuf};
pub use text::{Bytes, Utf8, bytes, text};
