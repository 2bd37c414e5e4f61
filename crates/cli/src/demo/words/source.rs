// SPDX-License-Identifier: Apache-2.0
//! Where the demo's text comes from, as the command line names it.

use std::{fmt, str::FromStr};

/// A source of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// `socket://host:port`.
    Socket(String),
    /// `file:///dir`.
    Directory(String),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let form = "expected socket://host:port or file:///directory";
        match url.split_once("://") {
            Some(("socket", address)) => match address.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Self::Socket(address.to_owned()))
                }
                _ => Err(format!("`{address}` is no host:port; {form}")),
            },
            Some(("file", path)) if path.starts_with('/') => Ok(Self::Directory(path.to_owned())),
            Some(("file", path)) => Err(format!("`{path}` is not an absolute path; {form}")),
            _ => Err(form.to_owned()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => write!(f, "socket://{address}"),
            Self::Directory(path) => write!(f, "file://{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!("socket://localhost:9999".parse(), Ok(Source::Socket("localhost:9999".to_owned())));
        assert_eq!("file:///tmp/in".parse(), Ok(Source::Directory("/tmp/in".to_owned())));
        for wrong in [
            "localhost:9999",
            "socket://localhost",
            "socket://:1",
            "socket://h:99999",
            "file://rel",
            "ftp://x",
        ] {
            assert!(
                wrong.parse::<Source>().is_err_and(|error| error.contains("expected socket://")),
                "{wrong}"
            );
        }
    }
}
