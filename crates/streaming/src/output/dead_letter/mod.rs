// SPDX-License-Identifier: Apache-2.0
//! Dead letters: records that a stream could not use, kept with the error and where they came from, to be replayed.

mod count;
mod decode;
mod replay;
mod store;
mod stream;

pub use decode::{DecodeError, Format, Payload};
pub use replay::{LetterFilter, ReplayError, ReplayTarget, Replayed};
pub use store::DeadLetters;
pub use stream::{Rejected, Rejection};

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A record that a stream could not use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The record as it was received.
    #[serde(flatten, with = "raw_bytes")]
    pub raw: Vec<u8>,
    /// What was wrong with it.
    pub error: String,
    /// Where it came from, if its source tells: for a record of Kafka its topic, partition and offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The application that received it: `spark.app.name`.
    pub application: String,
    /// The stream that could not use it: its name, or the operator and its place in the program.
    pub stream: String,
    /// The batch that it was in.
    #[serde(rename = "batch_ms")]
    pub batch_time: Time,
    /// The partition of that batch.
    pub partition: usize,
    /// How many records of the partition were before it.
    pub position: u64,
}

impl DeadLetter {
    /// The record as text; what is not UTF-8 becomes `U+FFFD`.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.raw)
    }
}

/// Bytes as text where they are text, else in hexadecimal digits, under another name.
mod raw_bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    #[derive(Serialize, Deserialize)]
    struct Raw {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw_hex: Option<String>,
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let raw = std::str::from_utf8(bytes).map_or_else(
            |_| Raw { raw: None, raw_hex: Some(to_hex(bytes)) },
            |text| Raw { raw: Some(text.to_owned()), raw_hex: None },
        );
        raw.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        match Raw::deserialize(deserializer)? {
            Raw { raw: Some(text), .. } => Ok(text.into_bytes()),
            Raw { raw_hex: Some(hex), .. } => {
                from_hex(&hex).ok_or_else(|| D::Error::custom("raw_hex is not in hexadecimal digits"))
            }
            _ => Err(D::Error::missing_field("raw")),
        }
    }

    fn to_hex(bytes: &[u8]) -> String {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
    }

    fn from_hex(hex: &str) -> Option<Vec<u8>> {
        let digits = hex.as_bytes();
        if !digits.len().is_multiple_of(2) {
            return None;
        }
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits.chunks(2).map(byte).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_letter_is_one_readable_line_and_comes_back() {
        let letter = |raw: &[u8]| DeadLetter {
            raw: raw.to_vec(),
            error: "no number".to_owned(),
            origin: None,
            application: "app".to_owned(),
            stream: "parsed".to_owned(),
            batch_time: Time::from_millis(1_000),
            partition: 1,
            position: 2,
        };
        let lines =
            [&b"a \"b\"\n"[..], &[0xff, 0x01]].map(|raw| serde_json::to_string(&letter(raw)).unwrap());
        let rest = r#""error":"no number","application":"app","stream":"parsed","batch_ms":1000,"partition":1,"position":2}"#;
        assert_eq!(lines[0], format!(r#"{{"raw":"a \"b\"\n",{rest}"#));
        assert_eq!(lines[1], format!(r#"{{"raw_hex":"ff01",{rest}"#));
        let read = lines.map(|line| serde_json::from_str::<DeadLetter>(&line).unwrap());
        assert_eq!(read, [letter(b"a \"b\"\n"), letter(&[0xff, 0x01])]);
    }
}
