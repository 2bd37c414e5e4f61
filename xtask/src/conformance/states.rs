// SPDX-License-Identifier: Apache-2.0
//! The functions of mapWithState that cases name, and how often its states are checkpointed.

use dstreams::{
    Config, Duration, Time,
    streaming::{
        State, StateSpec,
        testing::{TestContext, lineage},
    },
};
use serde_json::{Value as Json, json};

use super::{
    functions::plus,
    units::{PASSED, Row},
    value::{Value, misused},
};

/// Checks how often states are checkpointed; the stream of mapped records has no interval of its own.
pub(super) fn checkpoint_interval(row: &Row<'_>) -> Result<Json, String> {
    let told = |error: dstreams::Error| error.to_string();
    let test =
        TestContext::with(Config::default(), Duration::from_millis(row.int("batch_ms")?)).map_err(told)?;
    let spec = StateSpec::function(|_: &u8, value: Option<u8>, _: &mut State<'_, u8>| value);
    let mut stream = test.input(vec![vec![(1_u8, 1_u8)]]).map_with_state(spec);
    if let Some(explicit) = row.cell("explicit_ms")?.as_i64() {
        stream = stream.checkpoint(Duration::from_millis(explicit));
    }
    let report = lineage(&stream);
    let interval = report.first().and_then(|report| report.checkpoint).map(Duration::as_millis);
    let expected = row.int("state_checkpoint_ms")?;
    if interval == Some(expected) {
        Ok(json!(PASSED))
    } else {
        Err(format!("expected {expected} ms, got {interval:?}"))
    }
}

/// What is done with a record and the state of its key, and what is put out for it.
#[derive(Clone, Copy)]
pub(super) enum StateFunction {
    RunningSum,
    DoubleKey,
    KeyAndSum,
    SumNoOutput,
    Toggle,
    TimeoutKeys,
    TimeoutKeysAt,
    ReadOnlyAfterFirst,
}

impl StateFunction {
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "runningSum" => Ok(Self::RunningSum),
            "doubleKey" => Ok(Self::DoubleKey),
            "keyAndSum" => Ok(Self::KeyAndSum),
            "sumNoOutput" => Ok(Self::SumNoOutput),
            "toggle" => Ok(Self::Toggle),
            "timeoutKeys" => Ok(Self::TimeoutKeys),
            "timeoutKeysAt" => Ok(Self::TimeoutKeysAt),
            "readOnlyAfterFirst" => Ok(Self::ReadOnlyAfterFirst),
            _ => Err(format!("unknown mapWithState function: {name}")),
        }
    }

    pub(super) fn apply(
        self,
        time: Time,
        key: &Value,
        value: Option<Value>,
        state: &mut State<'_, Value>,
    ) -> Option<Value> {
        let at = || Value::pair(key.clone(), Value::Int(time.as_millis()));
        match self {
            Self::RunningSum => Some(add(value, state)),
            Self::DoubleKey => {
                add(value, state);
                Some(match key {
                    Value::Text(text) => Value::text(format!("{text}{text}")),
                    other => misused("doubleKey", other),
                })
            }
            Self::KeyAndSum => Some(Value::pair(key.clone(), add(value, state))),
            Self::SumNoOutput => {
                add(value, state);
                None
            }
            Self::Toggle if state.exists() => {
                state.remove();
                Some(key.clone())
            }
            Self::TimeoutKeys if state.is_timing_out() => Some(key.clone()),
            Self::TimeoutKeysAt | Self::ReadOnlyAfterFirst if state.is_timing_out() => Some(at()),
            Self::ReadOnlyAfterFirst if state.exists() => None,
            Self::Toggle => {
                state.update(value.unwrap_or(Value::Null));
                None
            }
            Self::TimeoutKeys | Self::TimeoutKeysAt | Self::ReadOnlyAfterFirst => {
                state.update(Value::Int(1));
                None
            }
        }
    }
}

/// Adds the value to the state, which is 0 at first.
fn add(value: Option<Value>, state: &mut State<'_, Value>) -> Value {
    let before = state.get().cloned().unwrap_or(Value::Int(0));
    let sum = match value {
        Some(value) => plus(before, &value),
        None => before,
    };
    state.update(sum.clone());
    sum
}
