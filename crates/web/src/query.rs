// SPDX-License-Identifier: Apache-2.0
//! The parameters of a request, by name.

use std::fmt::Write as _;

/// The parameters after the question mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes `a=b&c=d`.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(decoded).collect())
    }

    /// The first value of a name.
    pub(crate) fn get<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The text of all parameters but those of one name.
    pub(crate) fn without(&self, name: &str) -> String {
        let rest = self.0.iter().filter(|(known, _)| known != name);
        rest.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
    }
}

fn decoded((name, value): (&str, &str)) -> (String, String) {
    (decode(name), decode(value))
}

/// Undoes `%41` and `+`. What is no such code stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match (byte, code) {
            (_, Some(code)) => {
                out.push(code);
                at += 2;
            }
            (b'+', None) => out.push(b' '),
            (byte, None) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A text as it may stand in an address.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse("a.sort=Batch+Time&b=%C3%A9%25&status=X&status=Y&odd=%zz%4&flag");
        assert_eq!(query.get("a.sort"), Some("Batch Time"));
        assert_eq!(query.get("b"), Some("é%"));
        assert_eq!(query.all("status").collect::<Vec<_>>(), ["X", "Y"]);
        assert_eq!((query.get("odd"), query.get("flag"), query.get("none")), (Some("%zz%4"), Some(""), None));
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        let text = "a b&c=d/é%";
        assert_eq!(Query::parse(&format!("x={}", encode(text))).get("x"), Some(text));
        assert_eq!(Query::parse("token=1&page=2&n=a+b").without("token"), "page=2&n=a+b");
    }
}
