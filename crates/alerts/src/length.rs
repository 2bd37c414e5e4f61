// SPDX-License-Identifier: Apache-2.0
//! Lengths of time as people say them.

use std::fmt;

use dstreams_streaming::Duration;

/// Shows a length in its two largest units: `1 h 5 min`, `2 s 500 ms`.
pub(crate) struct Length(pub(crate) Duration);

const UNITS: [(&str, i64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let largest = UNITS.iter().position(|(_, unit)| millis >= *unit).unwrap_or(UNITS.len() - 1);
        let (name, unit) = UNITS[largest];
        write!(f, "{} {name}", millis / unit)?;
        match UNITS.get(largest + 1) {
            Some((name, smaller)) if millis % unit / smaller > 0 => {
                write!(f, " {} {name}", millis % unit / smaller)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use dstreams_streaming::time::milliseconds;

    use super::*;

    #[test]
    fn two_units_are_enough() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (2_500, "2 s 500 ms"),
            (600_000, "10 min"),
            (3_900_001, "1 h 5 min"),
        ] {
            assert_eq!(Length(milliseconds(millis)).to_string(), text);
        }
    }
}
