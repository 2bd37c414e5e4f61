// SPDX-License-Identifier: Apache-2.0
//! Reports to StatsD: one datagram per value.

use std::{collections::BTreeMap, io, net::UdpSocket};

use regex_lite::Regex;

use super::{Sink, full_name, numbers};
use crate::{error::Result, settings::Options, snapshot::Value};

/// A server of StatsD.
pub(crate) struct Statsd {
    host: String,
    port: u16,
    prefix: String,
    only: Option<Regex>,
    /// What each count was at the last report: the server adds up itself.
    before: BTreeMap<String, u64>,
}

impl Statsd {
    pub(crate) fn new(options: &Options<'_>) -> Result<Self> {
        Ok(Self {
            host: options.text("host").unwrap_or("127.0.0.1").to_owned(),
            port: options.parsed("port", "a port")?.unwrap_or(8125),
            prefix: options.text("prefix").unwrap_or_default().to_owned(),
            only: options.regex("regex")?,
            before: BTreeMap::new(),
        })
    }

    /// What is to be sent; remembers the counts.
    fn messages(&mut self, values: &BTreeMap<String, Value>) -> Vec<String> {
        let mut messages = Vec::new();
        for (name, value) in values {
            if self.only.as_ref().is_some_and(|only| !only.is_match(name)) {
                continue;
            }
            for (last, number) in numbers(value) {
                let full = full_name(&self.prefix, name, last).replace([':', '|', '@'], "_");
                let kind = match (value, last) {
                    (Value::Counter(count), _) => {
                        let before = self.before.insert(name.clone(), *count).unwrap_or(0);
                        messages.push(format!("{full}:{}|c", count.saturating_sub(before)));
                        continue;
                    }
                    // Lengths of time have a kind of their own; rates and counts do not.
                    (Value::Timer(..), last) if last != "count" && !last.ends_with("_rate") => "ms",
                    _ => "g",
                };
                messages.push(format!("{full}:{number}|{kind}"));
            }
        }
        messages
    }
}

impl Sink for Statsd {
    fn name(&self) -> String {
        format!("StatsD at {}:{}", self.host, self.port)
    }

    fn report(&mut self, values: &BTreeMap<String, Value>, _now: i64) -> io::Result<()> {
        let socket = UdpSocket::bind(("0.0.0.0", 0))?;
        socket.connect((self.host.as_str(), self.port))?;
        self.messages(values).iter().try_for_each(|message| socket.send(message.as_bytes()).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Number;

    #[test]
    fn counts_are_what_has_come_since_the_last_report() {
        let mut statsd = Statsd {
            host: String::new(),
            port: 0,
            prefix: "shop".to_owned(),
            only: None,
            before: BTreeMap::new(),
        };
        let values = |count| {
            let gauge = ("a".to_owned(), Value::Gauge(Number::Int(4)));
            BTreeMap::from([gauge, ("n".to_owned(), Value::Counter(count))])
        };
        assert_eq!(statsd.messages(&values(5)), ["shop.a:4|g", "shop.n.count:5|c"]);
        assert_eq!(statsd.messages(&values(7)), ["shop.a:4|g", "shop.n.count:2|c"]);
    }
}
