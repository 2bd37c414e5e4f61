// SPDX-License-Identifier: Apache-2.0
//! `Event`: the record that all sources of the program give, and what is computed of it.

use serde::{Deserialize, Serialize};

/// A numbered record of one of the sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) source: u8,
    pub(crate) number: u64,
    pub(crate) key: u32,
    pub(crate) value: i64,
}

/// How many there were, and the sum of their values.
pub(crate) type Sum = (i64, i64);

impl Event {
    /// An event from a line, `number key value`.
    pub(crate) fn parse(source: u8, line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let number = fields.next()?.parse().ok()?;
        let key = fields.next()?.parse().ok()?;
        let value = fields.next()?.parse().ok()?;
        fields.next().is_none().then_some(Self { source, number, key, value })
    }

    /// The event that the source of numbers makes of a number.
    pub(crate) fn of_number(source: u8, keys: u32, number: u64) -> Self {
        let key = u32::try_from(number * 7 % u64::from(keys)).expect("it is less than the number of keys");
        let value = i64::try_from(number % 1000).expect("it is less than a thousand") - 300;
        Self { source, number, key, value }
    }

    /// It alone, to be added to others of its key.
    pub(crate) fn summand(self) -> (u32, Sum) {
        (self.key, (1, self.value))
    }
}

pub(crate) fn add(a: Sum, b: Sum) -> Sum {
    (a.0 + b.0, a.1 + b.1)
}

pub(crate) fn subtract(a: Sum, b: Sum) -> Sum {
    (a.0 - b.0, a.1 - b.1)
}
