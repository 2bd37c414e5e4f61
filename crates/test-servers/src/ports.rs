// SPDX-License-Identifier: Apache-2.0
//! What servers that have ports need: free ones, and to know when somebody listens.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
};

/// How often a port is tried before the server is given up.
const TRIES: usize = 1_000_000;

/// A port that nobody has, for TCP and UDP.
pub(crate) fn free_port() -> io::Result<u16> {
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
}

/// Returns when somebody listens on a port.
pub(crate) fn until_listening(port: u16) -> io::Result<()> {
    for _ in 0..TRIES {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
        std::thread::yield_now();
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "nobody listens"))
}
