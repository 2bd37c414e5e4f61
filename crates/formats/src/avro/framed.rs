// SPDX-License-Identifier: Apache-2.0
//! Avro behind the number of its schema in a registry, as most programs write it to Kafka.

use std::{fmt, marker::PhantomData, sync::Arc};

use apache_avro::Schema;
use dstreams_streaming::Data;
use serde::{Serialize, de::DeserializeOwned};

use super::{SchemaError, SchemaRegistry, parse, read, write};
use crate::{DecodeError, EncodeError, Encoding, Format, wire};

/// Values of `T` that say with which schema they were written. See [`registry_avro()`].
pub struct RegistryAvro<T> {
    registry: SchemaRegistry,
    wanted: Option<Arc<Schema>>,
    value: PhantomData<fn() -> T>,
}

/// Values of `T` behind the number of the schema with which they were written, which `registry` knows.
///
/// ```no_run
/// use dstreams_formats::{SchemaRegistry, registry_avro};
/// #[derive(Clone, serde::Deserialize)]
/// struct Tweet { username: String, text: String }
/// # fn build(records: &dstreams_streaming::DStream<Vec<u8>>, letters: impl dstreams_streaming::Sink<dstreams_streaming::DeadLetter>) {
/// let registry = SchemaRegistry::new("http://registry:8081");
/// records.decode(registry_avro::<Tweet>(&registry)).dead_letter(letters).map(|tweet| tweet.text).print();
/// # }
/// ```
pub fn registry_avro<T>(registry: &SchemaRegistry) -> RegistryAvro<T> {
    RegistryAvro { registry: registry.clone(), wanted: None, value: PhantomData }
}

impl<T> RegistryAvro<T> {
    /// Reads values as they look with `schema`, whatever schema they were written with: fields that are new have their
    /// defaults.
    pub fn read_as(mut self, schema: &str) -> Result<Self, SchemaError> {
        self.wanted = Some(Arc::new(parse(schema)?));
        Ok(self)
    }

    /// Writes values with `schema`, which the registry is told under the name `subject` with the first value: for the
    /// values of a topic that is `<topic>-value`.
    pub fn write_as(&self, subject: &str, schema: &str) -> Result<RegistryAvroEncoding<T>, SchemaError> {
        Ok(RegistryAvroEncoding {
            registry: self.registry.clone(),
            subject: subject.to_owned(),
            schema: Arc::new(parse(schema)?),
            text: schema.to_owned(),
            value: PhantomData,
        })
    }
}

impl<T> fmt::Debug for RegistryAvro<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryAvro").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl<T: Data + DeserializeOwned> Format for RegistryAvro<T> {
    type Value = T;

    fn decode(&self, bytes: &[u8]) -> Result<T, DecodeError> {
        let (id, value) = wire::split(bytes)?;
        let written = self.registry.schema(id).map_err(|error| {
            if error.is_of_the_connection() {
                DecodeError::unavailable(error)
            } else {
                DecodeError::record(error)
            }
        })?;
        read(value, &written, self.wanted.as_deref())
    }
}

/// Writes values of `T` behind the number of their schema. See [`RegistryAvro::write_as`].
pub struct RegistryAvroEncoding<T> {
    registry: SchemaRegistry,
    subject: String,
    schema: Arc<Schema>,
    text: String,
    value: PhantomData<fn(T)>,
}

impl<T> fmt::Debug for RegistryAvroEncoding<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryAvroEncoding").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl<T: Serialize> Encoding<T> for RegistryAvroEncoding<T> {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let id = self.registry.register(&self.subject, &self.text).map_err(|error| {
            if error.is_of_the_connection() {
                EncodeError::Unavailable(error.into())
            } else {
                EncodeError::value(error)
            }
        })?;
        wire::begin(id, out);
        write(value, &self.schema, out)
    }
}
