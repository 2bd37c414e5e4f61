// SPDX-License-Identifier: Apache-2.0
//! The part of Python's pickle format, protocol 2, that Graphite takes: a list of `(name, (time, value))`.

use super::graphite::Point;

/// A batch with its length before it.
pub(super) fn pickle(points: &[Point]) -> Vec<u8> {
    // Protocol 2, an empty list, a mark: what follows are its elements.
    let mut body = vec![0x80, 2, b']', b'('];
    for (name, time, value) in points {
        body.push(b'X');
        body.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend(name.as_bytes());
        // A long integer of eight bytes.
        body.extend([0x8a, 8]);
        body.extend(time.to_le_bytes());
        body.push(b'G');
        body.extend(value.to_be_bytes());
        // Two tuples of two, one in the other.
        body.extend([0x86, 0x86]);
    }
    // The elements are appended to the list; the end.
    body.extend(b"e.");
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[..], &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_pair_of_name_and_pair() {
        let bytes = pickle(&[("a".to_owned(), 1, 0.5)]);
        let mut expected = vec![0, 0, 0, 33, 0x80, 2, b']', b'(', b'X', 1, 0, 0, 0, b'a'];
        expected.extend([
            0x8a, 8, 1, 0, 0, 0, 0, 0, 0, 0, b'G', 0x3f, 0xe0, 0, 0, 0, 0, 0, 0, 0x86, 0x86, b'e', b'.',
        ]);
        assert_eq!(bytes, expected);
    }
}
