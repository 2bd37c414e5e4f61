// SPDX-License-Identifier: Apache-2.0
//! JSON, by way of serde.

use std::{fmt, marker::PhantomData};

use dstreams_streaming::Data;
use serde::{Serialize, de::DeserializeOwned};

use crate::{DecodeError, EncodeError, Encoding, Format};

/// Values of `T` as JSON. See [`json()`].
pub struct Json<T>(PhantomData<fn() -> T>);

/// Values of `T` as JSON.
///
/// ```
/// use dstreams_formats::{Encoding, Format, json};
/// #[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
/// struct Click { page: String, user: u32 }
///
/// let click: Click = json().decode(br#"{"page": "/", "user": 7}"#)?;
/// assert_eq!(click, Click { page: "/".to_owned(), user: 7 });
/// let mut bytes = Vec::new();
/// json().encode(&click, &mut bytes)?;
/// assert_eq!(bytes, br#"{"page":"/","user":7}"#);
/// assert!(json::<Click>().decode(b"{}").unwrap_err().to_string().contains("missing field `page`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn json<T>() -> Json<T> {
    Json(PhantomData)
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        json()
    }
}

impl<T> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json")
    }
}

impl<T: Data + DeserializeOwned> Format for Json<T> {
    type Value = T;

    fn decode(&self, bytes: &[u8]) -> Result<T, DecodeError> {
        serde_json::from_slice(bytes).map_err(DecodeError::record)
    }
}

impl<T: Serialize> Encoding<T> for Json<T> {
    fn encode(&self, value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        serde_json::to_writer(out, value).map_err(EncodeError::value)
    }
}
