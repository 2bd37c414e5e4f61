// SPDX-License-Identifier: Apache-2.0
//! The functions that cases name: of map, flatMap, filter, reduce and updateStateByKey.

use std::collections::BTreeMap;

use super::value::{Value, misused};

/// A function from record to record.
#[derive(Clone)]
pub(super) struct MapFunction {
    name: String,
    kind: MapKind,
}

#[derive(Clone, Copy)]
enum MapKind {
    Identity,
    Text,
    Int,
    Add(i64),
    Multiply(i64),
    PairWithOne,
    PairWithX,
    PairModulo(i64),
    Swap,
    First,
    Second,
    FailIf(i64),
}

impl MapFunction {
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let kind = match split(name) {
            ("id" | "seq", None) => MapKind::Identity,
            ("str", None) => MapKind::Text,
            ("int", None) => MapKind::Int,
            ("add", Some(k)) => MapKind::Add(parameter(name, k)?),
            ("mul", Some(k)) => MapKind::Multiply(parameter(name, k)?),
            ("pair1", None) => MapKind::PairWithOne,
            ("pairx", None) => MapKind::PairWithX,
            ("pairMod", Some(k)) => match parameter(name, k)? {
                0 => return Err(format!("{name}: nothing is left modulo zero")),
                k => MapKind::PairModulo(k),
            },
            ("swap", None) => MapKind::Swap,
            ("fst", None) => MapKind::First,
            ("snd", None) => MapKind::Second,
            ("failIf", Some(k)) => MapKind::FailIf(parameter(name, k)?),
            _ => return Err(format!("unknown map function: {name}")),
        };
        Ok(Self { name: name.to_owned(), kind })
    }

    /// Whether the function can fail, so that it goes to the `try_` form of an operator.
    pub(super) fn is_fallible(&self) -> bool {
        matches!(self.kind, MapKind::Int | MapKind::FailIf(_))
    }

    /// The result of a function that cannot fail.
    pub(super) fn apply(&self, x: Value) -> Value {
        self.try_apply(x).unwrap_or_else(Value::Text)
    }

    pub(super) fn try_apply(&self, x: Value) -> Result<Value, String> {
        let name = &self.name;
        let result = match self.kind {
            MapKind::Text => match x {
                Value::Text(text) => Value::Text(text),
                other => Value::Text(other.to_string()),
            },
            MapKind::Int => return int(name, x),
            MapKind::Add(k) => Value::arithmetic(name, &x, &Value::Int(k), i64::wrapping_add, |a, b| a + b),
            MapKind::Multiply(k) => {
                Value::arithmetic(name, &x, &Value::Int(k), i64::wrapping_mul, |a, b| a * b)
            }
            MapKind::PairWithOne => Value::pair(x, Value::Int(1)),
            MapKind::PairWithX => Value::pair(x, Value::text("x")),
            MapKind::PairModulo(k) => {
                let rest = Value::arithmetic(name, &x, &Value::Int(k), i64::wrapping_rem, |a, b| a % b);
                Value::pair(rest, Value::Int(1))
            }
            MapKind::Swap => {
                let (key, value) = x.into_pair();
                Value::pair(value, key)
            }
            MapKind::First => x.into_pair().0,
            MapKind::Second => x.into_pair().1,
            MapKind::FailIf(k) if x == Value::Int(k) => return Err(format!("boom {k}")),
            MapKind::Identity | MapKind::FailIf(_) => x,
        };
        Ok(result)
    }
}

fn int(name: &str, x: Value) -> Result<Value, String> {
    match x {
        Value::Text(text) => {
            let parsed = text.parse().map(Value::Int);
            parsed.map_err(|_| format!("For input string: {text:?}"))
        }
        #[allow(clippy::cast_possible_truncation, reason = "that is what the function is for")]
        Value::Float(x) => Ok(Value::Int(x as i64)),
        Value::Int(n) => Ok(Value::Int(n)),
        other => Ok(misused(name, &other)),
    }
}

/// A function from record to any number of records.
#[derive(Clone, Copy)]
pub(super) enum FlatMapFunction {
    Double,
    PlusTen,
    Words,
    Nothing,
}

impl FlatMapFunction {
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "dup2" => Ok(Self::Double),
            "plus10" => Ok(Self::PlusTen),
            "words" => Ok(Self::Words),
            "none" => Ok(Self::Nothing),
            _ => Err(format!("unknown flatMap function: {name}")),
        }
    }

    pub(super) fn apply(self, x: Value) -> Vec<Value> {
        match self {
            Self::Double => {
                let twice = Value::arithmetic("dup2", &x, &x, i64::wrapping_add, |a, b| a + b);
                vec![x, twice]
            }
            Self::PlusTen => {
                let more = Value::arithmetic("plus10", &x, &Value::Int(10), i64::wrapping_add, |a, b| a + b);
                vec![x, more]
            }
            Self::Words => match x {
                Value::Text(text) => text.split_whitespace().map(Value::text).collect(),
                other => vec![misused("words", &other)],
            },
            Self::Nothing => Vec::new(),
        }
    }
}

/// A condition on records.
#[derive(Clone, Copy)]
pub(super) enum Condition {
    Even,
    NonZeroValue,
    PositiveValue,
}

impl Condition {
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "even" => Ok(Self::Even),
            "nonzeroVal" => Ok(Self::NonZeroValue),
            "posVal" => Ok(Self::PositiveValue),
            _ => Err(format!("unknown filter function: {name}")),
        }
    }

    pub(super) fn holds(self, x: &Value) -> bool {
        let value = || x.clone().into_pair().1;
        match self {
            Self::Even => matches!(x, Value::Int(n) if n % 2 == 0),
            Self::NonZeroValue => value() != Value::Int(0),
            Self::PositiveValue => value() > Value::Int(0),
        }
    }
}

/// A function that makes one record of two.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum ReduceFunction {
    Plus,
    Minus,
    Max,
    First,
    Fail,
}

impl ReduceFunction {
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "plus" => Ok(Self::Plus),
            "minus" => Ok(Self::Minus),
            "max" => Ok(Self::Max),
            "first" => Ok(Self::First),
            "fail" => Ok(Self::Fail),
            _ => Err(format!("unknown reduce function: {name}")),
        }
    }

    pub(super) fn try_apply(self, a: Value, b: Value) -> Result<Value, String> {
        match self {
            Self::Plus => Ok(plus(a, &b)),
            Self::Minus => Ok(Value::arithmetic("minus", &a, &b, i64::wrapping_sub, |a, b| a - b)),
            Self::Max => Ok(a.max(b)),
            Self::First => Ok(a),
            Self::Fail => Err("fail".to_owned()),
        }
    }

    /// As a closure that cannot return an error; `fail` then panics, without the noise of a panic.
    pub(super) fn apply(self, a: Value, b: Value) -> Value {
        self.try_apply(a, b).unwrap_or_else(|error| std::panic::resume_unwind(Box::new(error)))
    }
}

/// Numbers add, texts and lists are put together.
pub(super) fn plus(a: Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Value::Text(a + b),
        (Value::List(mut a), Value::List(b)) => {
            a.extend_from_slice(b);
            Value::List(a)
        }
        (a, b) => Value::arithmetic("plus", &a, b, i64::wrapping_add, |a, b| a + b),
    }
}

/// The sum on top of `start`, or of the values alone; nothing sums up to zero.
fn sum(start: Option<Value>, values: &[Value]) -> Value {
    let add = |sum: Option<Value>, value: &Value| {
        Some(match sum {
            Some(sum) => plus(sum, value),
            None => value.clone(),
        })
    };
    values.iter().fold(start, add).unwrap_or(Value::Int(0))
}

/// A function that makes the new state of a key.
#[derive(Clone, Copy)]
pub(super) enum UpdateFunction {
    Sum,
    SumDropAtThree,
    Append,
    Calls,
    DropIdle,
    ExpireAfterTwo,
}

/// The fields of the state of `expire2`.
pub(super) const COUNTER: &str = "counter";
const IDLE: &str = "idle";

impl UpdateFunction {
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "sum" => Ok(Self::Sum),
            "sumDropAt3" => Ok(Self::SumDropAtThree),
            "append" => Ok(Self::Append),
            "calls" => Ok(Self::Calls),
            "dropIdle" => Ok(Self::DropIdle),
            "expire2" => Ok(Self::ExpireAfterTwo),
            _ => Err(format!("unknown updateStateByKey function: {name}")),
        }
    }

    pub(super) fn apply(self, values: Vec<Value>, state: Option<Value>) -> Option<Value> {
        match self {
            Self::SumDropAtThree => Some(sum(state, &values)).filter(|sum| *sum < Value::Int(3)),
            Self::Append => Some(plus(state.unwrap_or(Value::List(Vec::new())), &Value::List(values))),
            Self::Calls => Some(sum(state, &[Value::Int(1)])),
            Self::DropIdle if values.is_empty() => None,
            Self::Sum | Self::DropIdle => Some(sum(state, &values)),
            Self::ExpireAfterTwo => expire(&values, state),
        }
    }
}

fn expire(values: &[Value], state: Option<Value>) -> Option<Value> {
    let mut fields = match state {
        Some(Value::Object(fields)) => fields,
        Some(other) => return Some(misused("expire2", &other)),
        None => BTreeMap::new(),
    };
    let counter = fields.remove(COUNTER);
    let idle = match values {
        [] => sum(fields.remove(IDLE), &[Value::Int(1)]),
        _ => Value::Int(0),
    };
    if idle == Value::Int(2) {
        return None;
    }
    let counter = sum(counter, values);
    Some(Value::Object(BTreeMap::from([(COUNTER.to_owned(), counter), (IDLE.to_owned(), idle)])))
}

/// `name` or `name:parameter`.
fn split(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((name, parameter)) => (name, Some(parameter)),
        None => (name, None),
    }
}

fn parameter(name: &str, text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| format!("{name}: the parameter is no integer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_functions_take_their_parameter_from_their_name() {
        let apply = |name, x| MapFunction::parse(name).map(|f| f.apply(Value::Int(x)));
        assert_eq!(apply("add:-4", 1), Ok(Value::Int(-3)));
        assert_eq!(apply("mul:3", 5), Ok(Value::Int(15)));
        assert_eq!(apply("pairMod:3", 8), Ok(Value::pair(Value::Int(2), Value::Int(1))));
        assert!(apply("add", 1).is_err() && apply("add:x", 1).is_err() && apply("pairMod:0", 1).is_err());
    }

    #[test]
    fn a_misused_function_shows_in_the_result() {
        let add = MapFunction::parse("add:1").expect("it is known");
        assert_eq!(add.apply(Value::text("a")), Value::text("<add:1 cannot take [\"a\",1]>"));
    }

    #[test]
    fn the_state_of_expire2_goes_after_two_idle_batches() {
        let step = |values: &[i64], state| {
            UpdateFunction::ExpireAfterTwo.apply(values.iter().copied().map(Value::Int).collect(), state)
        };
        let first = step(&[1, 2], None);
        let idle = step(&[], first.clone());
        assert_eq!(idle.clone().map(|state| state.to_string()), Some(r#"{"counter":3,"idle":1}"#.to_owned()));
        assert_eq!(step(&[], idle.clone()), None);
        assert_eq!(
            step(&[4], idle).map(|state| state.to_string()),
            Some(r#"{"counter":7,"idle":0}"#.to_owned())
        );
    }
}
