// SPDX-License-Identifier: Apache-2.0
//! Protocol Buffers, by way of prost.

use std::{fmt, marker::PhantomData};

use dstreams_streaming::Data;
use prost::Message;

use crate::{DecodeError, EncodeError, Encoding, Format, wire};

/// Messages of type `M`. See [`protobuf()`] and [`registry_protobuf()`].
pub struct Protobuf<M> {
    framed: bool,
    message: PhantomData<fn() -> M>,
}

/// Messages of type `M`, alone.
///
/// ```
/// use dstreams_formats::{Encoding, Format, protobuf};
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct Click { #[prost(string, tag = "1")] page: String, #[prost(uint32, tag = "2")] user: u32 }
///
/// let click = Click { page: "/".to_owned(), user: 7 };
/// let mut bytes = Vec::new();
/// protobuf().encode(&click, &mut bytes)?;
/// assert_eq!(protobuf::<Click>().decode(&bytes)?, click);
/// assert!(protobuf::<Click>().decode(&[0xff]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn protobuf<M>() -> Protobuf<M> {
    Protobuf { framed: false, message: PhantomData }
}

/// Messages of type `M` behind the number of their schema and the place of the message in it, as programs with a registry
/// of schemas write them. The registry is not asked: a message says by itself which fields it has.
pub fn registry_protobuf<M>() -> Protobuf<M> {
    Protobuf { framed: true, message: PhantomData }
}

impl<M> fmt::Debug for Protobuf<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protobuf").field("framed", &self.framed).finish_non_exhaustive()
    }
}

impl<M: Message + Default + Data> Format for Protobuf<M> {
    type Value = M;

    fn decode(&self, bytes: &[u8]) -> Result<M, DecodeError> {
        let value = if self.framed { without_place(wire::split(bytes)?.1)? } else { bytes };
        M::decode(value).map_err(DecodeError::record)
    }
}

impl<M: Message> Encoding<M> for Protobuf<M> {
    /// Fails with the framing of a registry, which needs the number of a schema: such messages are only read.
    fn encode(&self, value: &M, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.framed {
            return Err(EncodeError::Value("messages with a schema in a registry can only be read".into()));
        }
        value.encode(out).map_err(EncodeError::value)
    }
}

/// Leaves out the place of the message in its schema: how many numbers there are, and these, as zigzag varints.
fn without_place(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let mut rest = bytes;
    let mut next = || prost::encoding::decode_varint(&mut rest).map_err(DecodeError::record);
    // The number is twice what it stands for; it is never negative.
    let count = next()? / 2;
    for _ in 0..count {
        next()?;
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Pair {
        #[prost(string, tag = "1")]
        word: String,
        #[prost(uint64, tag = "2")]
        count: u64,
    }

    #[test]
    fn messages_behind_the_number_of_a_schema_are_read() {
        let pair = Pair { word: "be".to_owned(), count: 2 };
        let value = pair.encode_to_vec();
        // The first message is so common that a single zero stands for it; another one: two numbers, 1 and 3.
        for place in [&[0][..], &[4, 2, 6]] {
            let bytes = [&[0, 0, 0, 0, 9], place, &value].concat();
            assert_eq!(registry_protobuf::<Pair>().decode(&bytes).expect("well formed"), pair);
        }
        assert!(registry_protobuf::<Pair>().decode(&[0, 0, 0, 0, 9, 4, 2]).is_err());
        assert!(registry_protobuf::<Pair>().decode(&value).is_err());
    }
}
