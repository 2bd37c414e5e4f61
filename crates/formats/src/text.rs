// SPDX-License-Identifier: Apache-2.0
//! Text and bytes: the formats that have none.

use dstreams_streaming::Text;

use crate::{DecodeError, EncodeError, Encoding, Format};

/// Records as text. See [`text()`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Utf8;

/// Records as bytes. See [`bytes()`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Bytes;

/// Records as text; what is not UTF-8 is bad.
///
/// ```
/// use dstreams_formats::{DecodeError, Format, text};
/// assert_eq!(text().decode(b"to be")?, "to be");
/// assert!(text().decode(&[0xff]).is_err());
/// # Ok::<(), DecodeError>(())
/// ```
pub fn text() -> Utf8 {
    Utf8
}

/// Records as bytes of their own.
///
/// ```
/// use dstreams_formats::{DecodeError, Format, bytes};
/// assert_eq!(bytes().decode(&[0xff])?, [0xff]);
/// # Ok::<(), DecodeError>(())
/// ```
pub fn bytes() -> Bytes {
    Bytes
}

impl Format for Utf8 {
    type Value = Text;

    fn decode(&self, bytes: &[u8]) -> Result<Text, DecodeError> {
        std::str::from_utf8(bytes).map(Text::from).map_err(DecodeError::record)
    }
}

impl Format for Bytes {
    type Value = Vec<u8>;

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        Ok(bytes.to_vec())
    }
}

impl<T: AsRef<str> + ?Sized> Encoding<T> for Utf8 {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(value.as_ref().as_bytes());
        Ok(())
    }
}

impl<T: AsRef<[u8]> + ?Sized> Encoding<T> for Bytes {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(value.as_ref());
        Ok(())
    }
}
