// SPDX-License-Identifier: Apache-2.0
//! `Value`: a record of a case, whatever JSON it was written in.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A dynamic record with the equality, order and hash of the data it stands for; a whole floating-point number equals
/// the integer of the same value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Pair(Box<(Value, Value)>),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

/// What keyed operators work on.
pub(super) type KeyValue = (Value, Value);

impl Value {
    pub(super) fn pair(key: Self, value: Self) -> Self {
        Self::Pair(Box::new((key, value)))
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn count(n: usize) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// Key and value; of what is no pair, a key that says so, which then stands in the result.
    pub(super) fn into_pair(self) -> KeyValue {
        match self {
            Self::Pair(pair) => *pair,
            Self::List(list) => match <[Self; 2]>::try_from(list) {
                Ok([key, value]) => (key, value),
                Err(list) => (misused("a keyed operator", &Self::List(list)), Self::Null),
            },
            other => (misused("a keyed operator", &other), Self::Null),
        }
    }

    pub(super) fn from_pair((key, value): KeyValue) -> Self {
        Self::pair(key, value)
    }

    /// Two numbers by `int` or, if one of them is no integer, by `float`; otherwise a text that says so.
    pub(super) fn arithmetic(
        name: &str,
        left: &Self,
        right: &Self,
        int: impl Fn(i64, i64) -> i64,
        float: impl Fn(f64, f64) -> f64,
    ) -> Self {
        match (left, right) {
            (Self::Int(a), Self::Int(b)) => Self::Int(int(*a, *b)),
            _ => match (left.as_f64(), right.as_f64()) {
                (Some(a), Some(b)) => Self::Float(float(a, b)),
                _ => misused(name, &Self::pair(left.clone(), right.clone())),
            },
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(n) => Some(*n as f64),
            Self::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// The value with whole floating-point numbers as integers.
    fn number(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            Self::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 =>
            {
                #[allow(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
                Some(*x as i64)
            }
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Int(_) | Self::Float(_) => 2,
            Self::Text(_) => 3,
            Self::Pair(_) => 4,
            Self::List(_) => 5,
            Self::Object(_) => 6,
        }
    }
}

/// A visible mark for a function that was given what it does not take: the case fails, and shows why.
pub(super) fn misused(name: &str, value: &Value) -> Value {
    Value::Text(format!("<{name} cannot take {value}>"))
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => {
                match (self.number(), other.number()) {
                    (Some(a), Some(b)) => a.cmp(&b),
                    _ => self.as_f64().unwrap_or(f64::NAN).total_cmp(&other.as_f64().unwrap_or(f64::NAN)),
                }
            }
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Pair(a), Self::Pair(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (Self::Object(a), Self::Object(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Self::Null => {}
            Self::Bool(b) => b.hash(state),
            Self::Int(_) | Self::Float(_) => match self.number() {
                Some(n) => n.hash(state),
                None => self.as_f64().unwrap_or(f64::NAN).to_bits().hash(state),
            },
            Self::Text(text) => text.hash(state),
            Self::Pair(pair) => pair.hash(state),
            Self::List(list) => list.hash(state),
            Self::Object(fields) => fields.hash(state),
        }
    }
}

impl From<&Json> for Value {
    /// Arrays become lists; only where a case says so are they pairs.
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(n), _) => Self::Int(n),
                (None, Some(x)) => Self::Float(x),
                (None, None) => Self::Text(number.to_string()),
            },
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Json::Object(fields) => {
                Self::Object(fields.iter().map(|(name, value)| (name.clone(), value.into())).collect())
            }
        }
    }
}

impl fmt::Display for Value {
    /// As the cases write it, so that a difference can be compared with the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => b.fmt(f),
            Self::Int(n) => n.fmt(f),
            Self::Float(x) => write!(f, "{x:?}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Pair(pair) => write!(f, "[{},{}]", pair.0, pair.1),
            Self::List(list) => f.write_str(&listed(list)),
            Self::Object(fields) => {
                let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
                write!(f, "{{{}}}", fields.join(","))
            }
        }
    }
}

/// Values in brackets, as the cases write a batch.
pub(super) fn listed(values: &[Value]) -> String {
    let values: Vec<_> = values.iter().map(ToString::to_string).collect();
    format!("[{}]", values.join(","))
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher as _;

    use super::*;

    #[test]
    fn a_whole_float_is_the_integer_of_the_same_value() {
        let hash = |value: &Value| {
            std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().hash_one(value)
        };
        assert_eq!(Value::Float(3.0), Value::Int(3));
        assert_eq!(hash(&Value::Float(3.0)), hash(&Value::Int(3)));
        assert_ne!(Value::Float(3.5), Value::Int(3));
        assert!(Value::Float(3.5) > Value::Int(3) && Value::Float(3.5) < Value::Int(4));
    }

    #[test]
    fn values_are_shown_as_the_cases_write_them() {
        let json = r#"[1,2.5,"a",null,true,[{"b":1}]]"#;
        let value = Value::from(&serde_json::from_str::<Json>(json).expect("it is JSON"));
        assert_eq!(value.to_string(), json);
        assert_eq!(Value::pair(Value::Int(1), Value::Null).to_string(), "[1,null]");
    }
}
