// SPDX-License-Identifier: Apache-2.0
//! The wire format of records with a schema in a registry: a zero, the number of the schema, then the value.

use crate::DecodeError;

/// What such a record begins with.
const MAGIC: u8 = 0;

/// The number of the schema, and the rest.
pub(crate) fn split(bytes: &[u8]) -> Result<(u32, &[u8]), DecodeError> {
    match bytes.split_first_chunk::<5>() {
        Some(([MAGIC, id @ ..], value)) => Ok((u32::from_be_bytes(*id), value)),
        Some(_) => Err(DecodeError::record(format!(
            "a record with a schema in a registry begins with a zero and not with {}",
            bytes[0]
        ))),
        None => Err(DecodeError::record(format!(
            "a record with a schema in a registry has more than {} bytes",
            bytes.len()
        ))),
    }
}

/// Begins a record.
#[cfg(feature = "avro")]
pub(crate) fn begin(schema: u32, out: &mut Vec<u8>) {
    out.push(MAGIC);
    out.extend_from_slice(&schema.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_number_of_its_schema() {
        assert_eq!(split(&[0, 0, 0, 1, 2, 9, 8]).expect("well formed"), (258, &[9, 8][..]));
        assert!(split(&[0, 0, 0, 1, 2]).expect("an empty value").1.is_empty());
        assert!(split(&[7, 0, 0, 1, 2, 9]).is_err() && split(&[0, 0]).is_err() && split(&[]).is_err());
    }
}
