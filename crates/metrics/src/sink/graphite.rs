// SPDX-License-Identifier: Apache-2.0
//! Reports to Graphite: lines over TCP or UDP, or pickled batches over TCP.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write as _},
    net::{TcpStream, ToSocketAddrs as _, UdpSocket},
    time::Duration,
};

use regex_lite::Regex;

use super::{Sink, full_name, numbers, pickle::pickle};
use crate::{error::Result, settings::Options, snapshot::Value};

/// A server of Graphite.
pub(crate) struct Graphite {
    host: String,
    port: u16,
    prefix: String,
    only: Option<Regex>,
    protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Tcp,
    Udp,
    Pickle,
}

/// How long a server may take to answer. The next report is tried anyhow.
const PATIENCE: Duration = Duration::from_secs(5);
/// Metrics in one pickled batch.
const BATCH: usize = 100;
/// Bytes of one datagram, which pass through any network whole.
const DATAGRAM: usize = 1400;

/// A name, its time in seconds, and its value.
pub(super) type Point = (String, i64, f64);

impl Graphite {
    pub(crate) fn new(options: &Options<'_>) -> Result<Self> {
        let protocol = match options.text("protocol").unwrap_or("tcp").to_ascii_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "pickle" => Protocol::Pickle,
            other => return Err(options.bad("protocol", format!("{other} is not tcp, udp or pickle"))),
        };
        let host = options.needed("host")?.to_owned();
        let port = options.needed("port").and_then(|_| options.parsed("port", "a port"))?.unwrap_or_default();
        let prefix = options.text("prefix").unwrap_or_default().to_owned();
        Ok(Self { host, port, prefix, only: options.regex("regex")?, protocol })
    }

    fn points(&self, values: &BTreeMap<String, Value>, now: i64) -> Vec<Point> {
        let wanted = |name: &str| self.only.as_ref().is_none_or(|only| only.is_match(name));
        let wanted = values.iter().filter(|(name, _)| wanted(name));
        let points = wanted.flat_map(|(name, value)| {
            let point = |(last, number)| (full_name(&self.prefix, name, last), now / 1000, number);
            numbers(value).into_iter().map(point)
        });
        points.collect()
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => {
                    stream.set_write_timeout(Some(PATIENCE))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Sink for Graphite {
    fn name(&self) -> String {
        format!("Graphite at {}:{}", self.host, self.port)
    }

    fn report(&mut self, values: &BTreeMap<String, Value>, now: i64) -> io::Result<()> {
        let points = self.points(values, now);
        match self.protocol {
            Protocol::Tcp => self.connect()?.write_all(lines(&points).as_bytes()),
            Protocol::Pickle => {
                let mut stream = self.connect()?;
                points.chunks(BATCH).try_for_each(|batch| stream.write_all(&pickle(batch)))
            }
            Protocol::Udp => {
                let socket = UdpSocket::bind(("0.0.0.0", 0))?;
                socket.connect((self.host.as_str(), self.port))?;
                let mut datagram = String::new();
                for line in lines(&points).split_inclusive('\n') {
                    if datagram.len() + line.len() > DATAGRAM && !datagram.is_empty() {
                        socket.send(datagram.as_bytes())?;
                        datagram.clear();
                    }
                    datagram += line;
                }
                if datagram.is_empty() { Ok(()) } else { socket.send(datagram.as_bytes()).map(drop) }
            }
        }
    }
}

/// `name value time`, one per line.
fn lines(points: &[Point]) -> String {
    let mut text = String::new();
    for (name, time, value) in points {
        let _ = writeln!(text, "{name} {value} {time}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Number;

    #[test]
    fn lines_have_name_value_and_seconds() {
        let graphite = Graphite {
            host: String::new(),
            port: 0,
            prefix: "shop".to_owned(),
            only: Regex::new("^a").ok(),
            protocol: Protocol::Tcp,
        };
        let values = BTreeMap::from([
            ("a b".to_owned(), Value::Gauge(Number::Float(1.5))),
            ("a.c".to_owned(), Value::Counter(2)),
            ("b".to_owned(), Value::Counter(3)),
        ]);
        assert_eq!(lines(&graphite.points(&values, 12_345)), "shop.a-b 1.5 12\nshop.a.c.count 2 12\n");
    }
}
