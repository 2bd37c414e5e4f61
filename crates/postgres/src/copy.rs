// SPDX-License-Identifier: Apache-2.0
//! `CopyRow`: rows in the text format of COPY, which leaves the types of the columns to the server.

use std::fmt::{self, Display, Write as _};

/// The row that a record becomes: one call for each column, in their order.
#[derive(Debug, Default)]
pub struct CopyRow {
    bytes: Vec<u8>,
    has_columns: bool,
}

impl CopyRow {
    /// The value of the next column, as text that the server reads as the type of the column.
    pub fn add(&mut self, value: impl Display) -> &mut Self {
        self.next_column();
        // Writing to memory cannot fail; a `Display` that does leaves its value cut, which the server sees.
        let _written = write!(Escaped(&mut self.bytes), "{value}");
        self
    }

    /// The next column is NULL.
    pub fn null(&mut self) -> &mut Self {
        self.next_column();
        self.bytes.extend(b"\\N");
        self
    }

    /// The value of the next column, or NULL.
    pub fn add_option(&mut self, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.add(value),
            None => self.null(),
        }
    }

    /// The value of the next column, of type `bytea`.
    pub fn add_bytes(&mut self, value: &[u8]) -> &mut Self {
        self.next_column();
        self.bytes.extend(b"\\\\x");
        for byte in value {
            let digit = |half: u8| char::from_digit(u32::from(half), 16).map_or(b'0', |digit| digit as u8);
            self.bytes.extend([digit(byte >> 4), digit(byte & 15)]);
        }
        self
    }

    fn next_column(&mut self) {
        if self.has_columns {
            self.bytes.push(b'\t');
        }
        self.has_columns = true;
    }

    pub(crate) fn end_row(&mut self) {
        self.bytes.push(b'\n');
        self.has_columns = false;
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn take(&mut self, send: impl FnOnce(&[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
        send(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}

/// Marks the characters that have a meaning in the format.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            let mark = match byte {
                b'\\' => b'\\',
                b'\t' => b't',
                b'\n' => b'n',
                b'\r' => b'r',
                byte => {
                    self.0.push(byte);
                    continue;
                }
            };
            self.0.extend([b'\\', mark]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_the_format_is_escaped() {
        let mut row = CopyRow::default();
        row.add("a\tb\\N\n\r").null().add(7).add_option(None::<i32>).add_bytes(&[0, 0xab]);
        row.end_row();
        row.add("").end_row();
        assert_eq!(row.bytes, b"a\\tb\\\\N\\n\\r\t\\N\t7\t\\N\t\\\\x00ab\n\n");
    }
}
