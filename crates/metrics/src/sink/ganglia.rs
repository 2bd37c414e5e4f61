// SPDX-License-Identifier: Apache-2.0
//! Reports to Ganglia: two datagrams per metric, which say what it is and what its value is, in the encoding of XDR.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, ToSocketAddrs as _, UdpSocket},
};

use super::{Sink, full_name, numbers};
use crate::{error::Result, settings::Options, snapshot::Value};

/// A `gmond`, or a group of them.
pub(crate) struct Ganglia {
    host: String,
    port: u16,
    prefix: String,
    /// How many routers a multicast passes; none when one host is meant.
    ttl: Option<u32>,
    /// Seconds after which a metric that is no longer reported is forgotten; never if 0.
    dmax: u32,
    /// The longest time between two reports.
    tmax: u32,
}

/// The datagram that says what a metric is.
const METADATA: u32 = 128;
/// The datagram that has a value as text.
const VALUE: u32 = 133;
/// The value goes up and down.
const SLOPE_BOTH: u32 = 3;

impl Ganglia {
    pub(crate) fn new(options: &Options<'_>) -> Result<Self> {
        let host = options.needed("host")?.to_owned();
        let port = options.needed("port").and_then(|_| options.parsed("port", "a port"))?.unwrap_or_default();
        let ttl = options.parsed("ttl", "a number of routers")?.unwrap_or(1);
        let ttl = match options.text("mode").unwrap_or("multicast").to_ascii_lowercase().as_str() {
            "multicast" => Some(ttl),
            "unicast" => None,
            other => return Err(options.bad("mode", format!("{other} is not multicast or unicast"))),
        };
        Ok(Self {
            host,
            port,
            prefix: options.text("prefix").unwrap_or_default().to_owned(),
            ttl,
            dmax: options.parsed("dmax", "a number of seconds")?.unwrap_or(0),
            tmax: 60,
        })
    }
}

impl Sink for Ganglia {
    fn name(&self) -> String {
        format!("Ganglia at {}:{}", self.host, self.port)
    }

    fn report(&mut self, values: &BTreeMap<String, Value>, _now: i64) -> io::Result<()> {
        let address = (self.host.as_str(), self.port).to_socket_addrs()?.find(SocketAddr::is_ipv4);
        let address =
            address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no IPv4 address"))?;
        let socket = UdpSocket::bind(("0.0.0.0", 0))?;
        if let Some(ttl) = self.ttl {
            socket.set_multicast_ttl_v4(ttl)?;
        }
        let host = host_name();
        for (name, value) in values {
            for (last, number) in numbers(value) {
                let name = full_name(&self.prefix, name, last);
                socket.send_to(&self.metadata(&host, &name), address)?;
                socket.send_to(&self::value(&host, &name, number), address)?;
            }
        }
        Ok(())
    }
}

impl Ganglia {
    fn metadata(&self, host: &str, name: &str) -> Vec<u8> {
        let mut packet = head(METADATA, host, name);
        put_text(&mut packet, "double");
        put_text(&mut packet, name);
        // No unit.
        put_text(&mut packet, "");
        for number in [SLOPE_BOTH, self.tmax, self.dmax, 1] {
            packet.extend(number.to_be_bytes());
        }
        put_text(&mut packet, "GROUP");
        put_text(&mut packet, "dstreams");
        packet
    }
}

fn value(host: &str, name: &str, value: f64) -> Vec<u8> {
    let mut packet = head(VALUE, host, name);
    put_text(&mut packet, "%s");
    put_text(&mut packet, &value.to_string());
    packet
}

fn head(kind: u32, host: &str, name: &str) -> Vec<u8> {
    let mut packet = kind.to_be_bytes().to_vec();
    put_text(&mut packet, host);
    put_text(&mut packet, name);
    // It is about this host.
    packet.extend(0_u32.to_be_bytes());
    packet
}

/// A text with its length before it, filled up to a multiple of four bytes.
fn put_text(packet: &mut Vec<u8>, text: &str) {
    packet.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    packet.extend(text.as_bytes());
    packet.resize(packet.len().next_multiple_of(4), 0);
}

/// What this machine is called.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_filled_up() {
        let mut packet = Vec::new();
        put_text(&mut packet, "abcde");
        put_text(&mut packet, "");
        assert_eq!(packet, b"\0\0\0\x05abcde\0\0\0\0\0\0\0");
    }

    #[test]
    fn a_value_is_a_text_with_its_format() {
        let packet = value("h", "m", 1.5);
        assert_eq!(
            packet,
            b"\0\0\0\x85\0\0\0\x01h\0\0\0\0\0\0\x01m\0\0\0\0\0\0\0\0\0\0\x02%s\0\0\0\0\0\x031.5\0"
        );
    }
}
