// SPDX-License-Identifier: Apache-2.0
//! Avro: values of types that serde knows, with a schema that is given or one that a registry has.

mod framed;
mod registry;

pub use framed::{RegistryAvro, RegistryAvroEncoding, registry_avro};
pub use registry::{RegistryError, SchemaRegistry};

use std::{fmt, marker::PhantomData, sync::Arc};

use apache_avro::{Schema, from_avro_datum, from_value, to_avro_datum, to_value};
use dstreams_streaming::Data;
use serde::{Serialize, de::DeserializeOwned};

use crate::{DecodeError, EncodeError, Encoding, Format};

/// A text that is no schema.
#[derive(Debug, thiserror::Error)]
#[error("the schema cannot be read: {0}")]
pub struct SchemaError(String);

/// Values of `T` in Avro's binary form. See [`avro()`].
pub struct Avro<T> {
    schema: Arc<Schema>,
    value: PhantomData<fn() -> T>,
}

/// Values of `T` in Avro's binary form, without a header: reader and writer have agreed on `schema`.
///
/// ```
/// use dstreams_formats::{Encoding, Format, avro};
/// #[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
/// struct Tweet { username: String, text: String, timestamp: i64 }
///
/// let tweets = avro::<Tweet>(r#"{"type": "record", "name": "Tweet", "fields": [
///     {"name": "username", "type": "string"},
///     {"name": "text", "type": "string"},
///     {"name": "timestamp", "type": "long"}]}"#)?;
/// let tweet = Tweet { username: "ann".to_owned(), text: "to be".to_owned(), timestamp: 7 };
/// let mut bytes = Vec::new();
/// tweets.encode(&tweet, &mut bytes)?;
/// assert_eq!(bytes.len(), 11);
/// assert_eq!(tweets.decode(&bytes)?, tweet);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn avro<T>(schema: &str) -> Result<Avro<T>, SchemaError> {
    Ok(Avro { schema: Arc::new(parse(schema)?), value: PhantomData })
}

fn parse(schema: &str) -> Result<Schema, SchemaError> {
    Schema::parse_str(schema).map_err(|error| SchemaError(error.to_string()))
}

/// Reads a value that was written with one schema, as it looks with another, if there is one.
fn read<T: DeserializeOwned>(
    mut bytes: &[u8],
    written: &Schema,
    wanted: Option<&Schema>,
) -> Result<T, DecodeError> {
    let value = from_avro_datum(written, &mut bytes, wanted).map_err(DecodeError::record)?;
    if !bytes.is_empty() {
        return Err(DecodeError::record(format!("{} bytes are left after the value", bytes.len())));
    }
    from_value(&value).map_err(DecodeError::record)
}

fn write<T: Serialize>(value: &T, schema: &Schema, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let value = to_value(value).and_then(|value| value.resolve(schema)).map_err(EncodeError::value)?;
    out.extend(to_avro_datum(schema, value).map_err(EncodeError::value)?);
    Ok(())
}

impl<T> Clone for Avro<T> {
    fn clone(&self) -> Self {
        Self { schema: Arc::clone(&self.schema), value: PhantomData }
    }
}

impl<T> fmt::Debug for Avro<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Avro").field("schema", &self.schema.canonical_form()).finish()
    }
}

impl<T: Data + DeserializeOwned> Format for Avro<T> {
    type Value = T;

    fn decode(&self, bytes: &[u8]) -> Result<T, DecodeError> {
        read(bytes, &self.schema, None)
    }
}

impl<T: Serialize> Encoding<T> for Avro<T> {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        write(value, &self.schema, out)
    }
}
