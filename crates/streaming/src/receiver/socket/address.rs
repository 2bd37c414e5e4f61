// SPDX-License-Identifier: Apache-2.0
//! `Address`: where a TCP server is, as a program says it.

use std::{
    fmt, io,
    net::{TcpStream, ToSocketAddrs as _},
};

use crate::error::{Error, Result};

/// How long the system may take for a connection to one of the addresses of a host.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// A host name or address with a port. Looked up anew for each connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// Reads `host:port`, where an IPv6 address stands in brackets.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let invalid = || {
            Error::IllegalArgument(format!(
                "`{text}` is not an address: write host:port with a port from 1 to 65535, such as localhost:9999 or [::1]:9999"
            ))
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port: u16 = port.parse().map_err(|_| invalid())?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        let is_plain =
            !host.is_empty() && !host.contains(char::is_whitespace) && bare.is_some() == host.contains(':');
        if port == 0 || !is_plain {
            return Err(invalid());
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// Connects to the first address of the host that answers.
    pub(super) fn connect(&self) -> io::Result<TcpStream> {
        let mut last = None;
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    // Without probes the end of a server that never says goodbye would not be noticed.
                    socket2::SockRef::from(&stream).set_keepalive(true)?;
                    return Ok(stream);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address")))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_an_address() {
        for text in ["localhost:9999", "127.0.0.1:1", "[::1]:65535", "a-b.example:80"] {
            assert_eq!(Address::parse(text).map(|address| address.to_string()).ok().as_deref(), Some(text));
        }
    }

    #[test]
    fn anything_else_is_an_illegal_argument() {
        for text in
            ["", "localhost", "localhost:", ":9999", "localhost:0", "localhost:65536", "::1:9999", "a b:1"]
        {
            assert!(matches!(Address::parse(text), Err(Error::IllegalArgument(_))), "{text}");
        }
    }
}
