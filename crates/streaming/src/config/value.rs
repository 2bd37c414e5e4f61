// SPDX-License-Identifier: Apache-2.0
//! The types a setting can have and the texts they are read from.

use std::fmt;
use std::str::FromStr;

use crate::time::{Duration, TimeUnit};

/// A type that settings can have.
pub trait ConfigValue: Clone + Send + Sync + Sized + 'static {
    /// What a key asks of its values beyond their type.
    type Form: fmt::Debug + Sync + 'static;

    /// The value of a text; `None` when it does not have the form.
    fn parse(text: &str, form: &Self::Form) -> Option<Self>;

    /// The form in words, as in "expected …".
    fn expected(form: &Self::Form) -> String;
}

/// The range of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound<N> {
    /// Everything.
    None,
    /// This value and those above it.
    AtLeast(N),
    /// The values above this one.
    Above(N),
}

impl<N: PartialOrd> Bound<N> {
    fn admits(&self, value: &N) -> bool {
        match self {
            Self::None => true,
            Self::AtLeast(least) => value >= least,
            Self::Above(limit) => value > limit,
        }
    }
}

impl<N: fmt::Display> fmt::Display for Bound<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::AtLeast(least) => write!(f, ", at least {least}"),
            Self::Above(limit) => write!(f, ", above {limit}"),
        }
    }
}

impl ConfigValue for bool {
    type Form = ();

    fn parse(text: &str, (): &()) -> Option<Self> {
        text.to_ascii_lowercase().parse().ok()
    }

    fn expected((): &()) -> String {
        "true or false".to_owned()
    }
}

macro_rules! whole_number {
    ($($type:ty),*) => {$(
        impl ConfigValue for $type {
            type Form = Bound<$type>;

            fn parse(text: &str, form: &Self::Form) -> Option<Self> {
                text.parse().ok().filter(|value| form.admits(value))
            }

            fn expected(form: &Self::Form) -> String {
                format!("a whole number{form}")
            }
        }
    )*};
}

whole_number!(i64, usize, u16);

impl ConfigValue for f64 {
    type Form = Bound<f64>;

    fn parse(text: &str, form: &Self::Form) -> Option<Self> {
        text.parse().ok().filter(|value: &f64| value.is_finite() && form.admits(value))
    }

    fn expected(form: &Self::Form) -> String {
        format!("a number{form}")
    }
}

/// The form of a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeForm {
    /// The unit of a number without one.
    pub plain_unit: TimeUnit,
    /// The range.
    pub bound: Bound<Duration>,
}

impl ConfigValue for Duration {
    type Form = TimeForm;

    fn parse(text: &str, form: &Self::Form) -> Option<Self> {
        Duration::parse(text, form.plain_unit).ok().filter(|value| form.bound.admits(value))
    }

    fn expected(form: &Self::Form) -> String {
        format!("a time such as 500ms or 2min{}; a plain number is in {}", form.bound, form.plain_unit)
    }
}

/// A number of bytes.
///
/// Read from texts such as `512k`, `64m`, `1g`; the units are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ByteSize(u64);

impl ByteSize {
    /// A size of `bytes` bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The size in bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// The size in bytes for use in memory, cut to what the machine can address.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The units of a size and the power of two they stand for, largest first.
const BYTE_UNITS: [(&str, u32); 5] = [("p", 50), ("t", 40), ("g", 30), ("m", 20), ("k", 10)];

impl FromStr for ByteSize {
    type Err = ParseByteSizeError;

    fn from_str(text: &str) -> Result<Self, ParseByteSizeError> {
        let error = || ParseByteSizeError { text: text.to_owned() };
        let lower = text.trim().to_ascii_lowercase();
        let digits = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
        let shift = match lower[digits..].trim_start() {
            "" | "b" => 0,
            suffix => BYTE_UNITS
                .iter()
                .find(|(unit, _)| {
                    suffix.strip_prefix(unit).is_some_and(|rest| rest.is_empty() || rest == "b")
                })
                .map(|(_, shift)| *shift)
                .ok_or_else(error)?,
        };
        let number: u64 = lower[..digits].parse().map_err(|_| error())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for ByteSize {
    /// In the largest unit that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |shift: u32| self.0 != 0 && self.0.trailing_zeros() >= shift;
        match BYTE_UNITS.iter().find(|(_, shift)| fits(*shift)) {
            Some((unit, shift)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A text that is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a size: expected a whole number and one of k, m, g, t, p, such as 64m")]
pub struct ParseByteSizeError {
    text: String,
}

impl ConfigValue for ByteSize {
    type Form = Bound<ByteSize>;

    fn parse(text: &str, form: &Self::Form) -> Option<Self> {
        text.parse().ok().filter(|value| form.admits(value))
    }

    fn expected(form: &Self::Form) -> String {
        format!("a size such as 512k or 64m{form}; a plain number is in bytes")
    }
}

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    /// Any text that is not empty.
    Any,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl ConfigValue for String {
    type Form = TextForm;

    fn parse(text: &str, form: &Self::Form) -> Option<Self> {
        let allowed = match form {
            TextForm::Any => !text.is_empty(),
            TextForm::OneOf(words) => words.contains(&text),
        };
        allowed.then(|| text.to_owned())
    }

    fn expected(form: &Self::Form) -> String {
        match form {
            TextForm::Any => "a text".to_owned(),
            TextForm::OneOf(words) => words.join(" or "),
        }
    }
}

impl<T: ConfigValue> ConfigValue for Option<T> {
    type Form = T::Form;

    fn parse(text: &str, form: &Self::Form) -> Option<Self> {
        T::parse(text, form).map(Some)
    }

    fn expected(form: &Self::Form) -> String {
        T::expected(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_powers_of_1024_and_shown_in_the_largest_unit() {
        for (text, bytes, shown) in [
            ("0", 0, "0"),
            ("100", 100, "100"),
            ("2048b", 2_048, "2k"),
            ("1k", 1_024, "1k"),
            ("256M", 256 << 20, "256m"),
            ("1 gb", 1 << 30, "1g"),
            ("1536k", 1_536 << 10, "1536k"),
            ("3t", 3 << 40, "3t"),
            ("1p", 1 << 50, "1p"),
        ] {
            let size: ByteSize = text.parse().expect(text);
            assert_eq!((size.as_bytes(), size.to_string().as_str()), (bytes, shown), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_is_refused() {
        for text in ["", "m", "-1", "1.5g", "1x", "1kk", "20000p", "99999999999999999999"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}
