// SPDX-License-Identifier: Apache-2.0
//! Reads Java properties, the grammar of Spark's configuration files, with the line of each assignment.
//!
//! Written here because the grammar is small and errors must name a line; a crate would bring a regular
//! expression engine and character set tables for it.

/// One assignment of a properties file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The line it begins in, counted from 1.
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) value: String,
}

/// A line that does not follow the grammar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) problem: &'static str,
}

/// The assignments of a properties file in order. Values lose the white space at their end, as in Spark.
pub(super) fn parse(text: &str) -> Result<Vec<Assignment>, SyntaxError> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = (1..).zip(text.split('\n').map(|line| line.trim_start_matches(BLANK)));
    let mut assignments = Vec::new();
    while let Some((line, first)) = lines.next() {
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while ends_with_continuation(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, more)) => logical.push_str(more),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        let unescaped = |text| unescape(text).map_err(|problem| SyntaxError { line, problem });
        let value = unescaped(value)?.trim_end().to_owned();
        assignments.push(Assignment { line, key: unescaped(key)?, value });
    }
    Ok(assignments)
}

const BLANK: [char; 3] = [' ', '\t', '\u{c}'];

/// True when the line ends in a backslash that is not itself escaped.
fn ends_with_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Splits a line at the first `=`, `:` or white space that is not escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (BLANK.contains(&c) || c == '=' || c == ':');
        escaped = !escaped && c == '\\';
        ends
    });
    let Some(end) = end else { return (line, "") };
    let rest = line[end..].trim_start_matches(BLANK);
    (&line[..end], rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(BLANK))
}

/// Resolves the escapes. Characters beyond 16 bits are escaped as two halves, so the text is put together
/// in UTF-16.
fn unescape(text: &str) -> Result<String, &'static str> {
    let mut units = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    units.push(
                        hexadecimal_unit(&mut chars)
                            .ok_or("\\u is not followed by four hexadecimal digits")?,
                    );
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            c => c,
        };
        units.extend_from_slice(literal.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16(&units).map_err(|_| "a \\u escape is half of a character")
}

fn hexadecimal_unit(chars: &mut impl Iterator<Item = char>) -> Option<u16> {
    (0..4).try_fold(0, |unit: u16, _| {
        let digit = chars.next()?.to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        let assignments = parse(text).expect("the text is well formed");
        assignments.into_iter().map(|found| (found.line, found.key, found.value)).collect()
    }

    fn pair(text: &str) -> (String, String) {
        let (_, key, value) = pairs(text).remove(0);
        (key, value)
    }

    #[test]
    fn separators_are_equals_colon_and_white_space() {
        for text in ["k=v", "k:v", "k v", "k\tv", "  k = v  ", "k  :v", "k  =  v", "\u{feff}k=v"] {
            assert_eq!(pair(text), ("k".to_owned(), "v".to_owned()), "{text:?}");
        }
        assert_eq!(pair("k==v").1, "=v");
        assert_eq!(pair("k a = b: c").1, "a = b: c");
        assert_eq!(pair("k"), ("k".to_owned(), String::new()));
    }

    #[test]
    fn comments_and_blank_lines_are_skipped_and_lines_are_counted() {
        let text = "# one\n\n  ! two \\\na=1\r\nb=2\rc=3 # not a comment";
        let expected = [(4, "a", "1"), (5, "b", "2"), (6, "c", "3 # not a comment")];
        assert_eq!(pairs(text), expected.map(|(line, key, value)| (line, key.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_backslash_at_the_end_continues_the_line() {
        let text = "fruits = apple, \\\n    pear, \\\n  # fig\nnext = 1\nescaped = a\\\\\nlast = b\\";
        let found = pairs(text);
        assert_eq!(found[0], (1, "fruits".to_owned(), "apple, pear, # fig".to_owned()));
        assert_eq!(found[1], (4, "next".to_owned(), "1".to_owned()));
        assert_eq!(found[2].2, "a\\");
        assert_eq!(found[3].2, "b");
    }

    #[test]
    fn escapes() {
        assert_eq!(pair(r"a\ b\=c\:d = 1").0, "a b=c:d");
        assert_eq!(pair(r"k = \ta\n\u00e9\ud83d\ude00\z").1, "\ta\n\u{e9}\u{1f600}z");
        assert_eq!(pair(r"\#k = v").0, "#k");
    }

    #[test]
    fn malformed_escapes_name_their_line() {
        for text in ["a=1\nb=\\u12", "a=1\nb=\\u12g4", "a=1\nb=\\ud83d x", "a=1\n\\ude00=x"] {
            assert_eq!(parse(text).expect_err(text).line, 2);
        }
    }
}
