// SPDX-License-Identifier: Apache-2.0
//! How keys and states become bytes: `MessagePack` with the names of fields, so that fields can come and go.

use serde::{Serialize, de::DeserializeOwned};

use super::error::StateError;

/// Appends the bytes of a value. Equal values of a type have equal bytes.
pub(crate) fn encode<T: Serialize>(value: &T, into: &mut Vec<u8>) -> Result<(), StateError> {
    let mut serializer = rmp_serde::Serializer::new(into).with_struct_map();
    value
        .serialize(&mut serializer)
        .map_err(|cause| StateError::Encode { type_name: std::any::type_name::<T>(), cause })
}

/// Reads a value that takes all the bytes. Fields that the type does not have are passed over; those that the bytes
/// do not have are what serde makes of missing fields.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StateError> {
    rmp_serde::from_slice(bytes)
        .map_err(|cause| StateError::Decode { type_name: std::any::type_name::<T>(), cause })
}

/// Appends a number, seven bits to a byte, the low ones first.
pub(super) fn put_number(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    into.push(number.to_le_bytes()[0]);
}

/// Appends a number that may be negative and is likely to be near zero.
pub(super) fn put_signed(number: i64, into: &mut Vec<u8>) {
    put_number(((number << 1) ^ (number >> 63)).cast_unsigned(), into);
}

/// Bytes that are taken from the front.
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The bytes end within a value, or a number is too long.
#[derive(Debug)]
pub(super) struct CutShort(pub(super) usize);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// How many bytes have been taken.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn byte(&mut self) -> Result<u8, CutShort> {
        let byte = *self.bytes.get(self.at).ok_or(CutShort(self.at))?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, CutShort> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(CutShort(self.at))
    }

    #[inline]
    pub(super) fn signed(&mut self) -> Result<i64, CutShort> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// As many bytes as the number before them says.
    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], CutShort> {
        let length = self.number()?;
        self.take(length)
    }

    #[inline]
    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], CutShort> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let bytes = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(CutShort(self.at))?;
        self.at += bytes.len();
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Before {
        visits: u32,
        page: String,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct After {
        #[serde(default)]
        country: String,
        visits: u64,
        referrer: Option<String>,
    }

    #[test]
    fn fields_can_come_and_go() {
        let mut bytes = Vec::new();
        encode(&Before { visits: 3, page: "/".to_owned() }, &mut bytes).expect("it is written");
        let after: After = decode(&bytes).expect("it is read");
        assert_eq!(after, After { country: String::new(), visits: 3, referrer: None });
    }

    #[test]
    fn a_field_that_is_missing_and_has_no_default_is_named() {
        #[derive(Debug, Deserialize)]
        struct Needs {
            #[expect(dead_code, reason = "it is never there")]
            country: String,
        }
        let mut bytes = Vec::new();
        encode(&Before { visits: 3, page: "/".to_owned() }, &mut bytes).expect("it is written");
        let text = decode::<Needs>(&bytes).expect_err("it is not there").to_string();
        assert!(text.contains("Needs") && text.contains("missing field `country`"), "{text}");
    }

    proptest! {
        #[test]
        fn numbers_and_bytes_come_back(numbers: Vec<(u64, i64, Vec<u8>)>) {
            let mut bytes = Vec::new();
            for (number, signed, slice) in &numbers {
                put_number(*number, &mut bytes);
                put_signed(*signed, &mut bytes);
                put_number(slice.len() as u64, &mut bytes);
                bytes.extend(slice);
            }
            let mut input = Input::new(&bytes);
            for (number, signed, slice) in &numbers {
                prop_assert_eq!(input.number().ok(), Some(*number));
                prop_assert_eq!(input.signed().ok(), Some(*signed));
                prop_assert_eq!(input.bytes().ok(), Some(&slice[..]));
            }
            prop_assert!(input.is_empty() && input.byte().is_err());
        }

        #[test]
        fn bytes_that_are_cut_short_are_noticed(slice: Vec<u8>, cut in 0..100usize) {
            let mut bytes = Vec::new();
            put_number(slice.len() as u64, &mut bytes);
            bytes.extend(&slice);
            let cut = cut.min(bytes.len() - 1);
            prop_assert!(Input::new(&bytes[..cut]).bytes().is_err());
        }
    }
}
