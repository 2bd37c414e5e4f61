// SPDX-License-Identifier: Apache-2.0
//! A receiver of one's own: counts the datagrams that arrive at a UDP port.
//!
//! `cargo run --release --example custom_receiver -- --conf app.listen=127.0.0.1:9998`, then in another terminal
//! `echo hello > /dev/udp/127.0.0.1/9998` (in bash).

use std::{io::ErrorKind, net::UdpSocket, time::Duration};

use dstreams::streaming::{
    BoxError,
    receiver::{Receiver, ReceiverHandle},
};

/// Receives datagrams as text.
struct UdpReceiver {
    address: String,
}

impl Receiver for UdpReceiver {
    type Record = String;

    fn on_start(&mut self, handle: ReceiverHandle<String>) -> Result<(), BoxError> {
        // An error here, such as a port in use, is reported and tried again after a delay.
        let socket = UdpSocket::bind(&self.address)?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        handle.spawn("udp", move |handle| receive(&socket, handle))
    }
}

fn receive(socket: &UdpSocket, handle: &ReceiverHandle<String>) -> Result<(), BoxError> {
    let mut datagram = vec![0; 65_536];
    while !handle.is_stopped() {
        match socket.recv(&mut datagram) {
            Ok(length) => match std::str::from_utf8(&datagram[..length]) {
                Ok(text) => handle.store(text.trim_end().to_owned())?,
                Err(error) => handle.dead_record(&format!("a datagram is not UTF-8: {error}")),
            },
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn main() -> dstreams::Result<()> {
    dstreams::run("custom-receiver", |ssc| {
        let address = ssc.config().text("app.listen").unwrap_or("127.0.0.1:9998").to_owned();
        let datagrams = ssc.receiver_stream(UdpReceiver { address });
        datagrams.count().print();
        datagrams.print();
        Ok(())
    })
}
