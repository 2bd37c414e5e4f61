// SPDX-License-Identifier: Apache-2.0
//! A word that borrows from the input. Its bounds ask that it can be serialized; as all workers are in one process it
//! never is.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::dataflow::Key;

/// A part of a line.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Word(&'static str);

impl From<&'static str> for Word {
    fn from(word: &'static str) -> Self {
        Self(word)
    }
}

impl Key for Word {
    fn as_str(&self) -> &str {
        self.0
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("a word that borrows from the input cannot come from elsewhere"))
    }
}
