// SPDX-License-Identifier: Apache-2.0
//! Cases of kind `unit_table`: a function and rows of its arguments and results.

use std::{collections::BTreeMap, sync::Arc};

use dstreams::{
    Config, Duration, Time,
    streaming::{
        clock::ManualClock,
        rate::{PidGains, PidRateEstimator, RateEstimator as _, RateLimiter},
        time::{milliseconds, minutes, seconds},
    },
};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{pages, received, states, value::Value};

/// A case.
#[derive(Deserialize)]
pub(super) struct Units {
    target: Json,
    columns: Vec<String>,
    rows: Vec<Vec<Json>>,
}

/// What a target makes of a row.
pub(super) type Stateless = fn(&Row<'_>) -> Result<Json, String>;

/// As [`Stateless`] for targets that remember the rows before.
type Function = Box<dyn FnMut(&Row<'_>) -> Result<Json, String>>;

impl Units {
    /// Runs all rows; the first that differs is the error.
    pub(super) fn run(self) -> Result<(), String> {
        let mut function = self.function()?;
        for (number, cells) in self.rows.iter().enumerate() {
            let row = Row { columns: &self.columns, cells };
            let checked = function(&row).and_then(|got| row.expect(&got));
            checked.map_err(|difference| format!("row {}: {difference}", number + 1))?;
        }
        Ok(())
    }

    fn function(&self) -> Result<Function, String> {
        let unknown = || format!("unknown target: {}", self.target);
        match &self.target {
            // A target without a name.
            Json::String(target)
                if target.is_empty() && self.columns == ["setting", "driver", "receiver"] =>
            {
                Ok(Box::new(received::log_defaults))
            }
            Json::String(target) => match stateless(target).or_else(|| pages::function(&self.columns)) {
                Some(function) => Ok(Box::new(function)),
                None => Err(unknown()),
            },
            Json::Object(target) if target.contains_key("estimator") => pid(&target["estimator"]),
            _ => Err(unknown()),
        }
    }
}

/// One row by the names of its columns.
pub(super) struct Row<'a> {
    columns: &'a [String],
    cells: &'a [Json],
}

impl Row<'_> {
    pub(super) fn cell(&self, column: &str) -> Result<&Json, String> {
        let place = self.columns.iter().position(|name| name == column);
        place.and_then(|place| self.cells.get(place)).ok_or_else(|| format!("no column {column}"))
    }

    pub(super) fn int(&self, column: &str) -> Result<i64, String> {
        self.cell(column)?.as_i64().ok_or_else(|| format!("{column} is no integer"))
    }

    pub(super) fn text(&self, column: &str) -> Result<&str, String> {
        self.cell(column)?.as_str().ok_or_else(|| format!("{column} is no text"))
    }

    pub(super) fn float(&self, column: &str) -> Result<f64, String> {
        self.cell(column)?.as_f64().ok_or_else(|| format!("{column} is no number"))
    }

    pub(super) fn time(&self, column: &str) -> Result<Time, String> {
        self.int(column).map(Time::from_millis)
    }

    pub(super) fn duration(&self, column: &str) -> Result<Duration, String> {
        self.int(column).map(Duration::from_millis)
    }

    /// The result stands in the last column.
    fn expect(&self, got: &Json) -> Result<(), String> {
        let expected = self.cells.last().ok_or("the row is empty")?;
        if got == PASSED || Value::from(expected) == Value::from(got) {
            return Ok(());
        }
        let arguments = &self.cells[..self.cells.len() - 1];
        Err(format!("{}: expected {expected}, got {got}", Json::from(arguments)))
    }
}

/// What a target gives whose rows have no result: all that is asked has been checked.
pub(super) const PASSED: &str = "passed";

fn stateless(target: &str) -> Option<Stateless> {
    Some(match target {
        "Time({a}) < Time({b})" => |row| times(row, |a, b| json!(a < b)),
        "Time({a}) <= Time({b})" => |row| times(row, |a, b| json!(a <= b)),
        "Time({a}) > Time({b})" => |row| times(row, |a, b| json!(a > b)),
        "Time({a}) >= Time({b})" => |row| times(row, |a, b| json!(a >= b)),
        "Time.min" => |row| times(row, |a, b| json!(a.min(b).as_millis())),
        "Time.max" => |row| times(row, |a, b| json!(a.max(b).as_millis())),
        "Time - Time -> Duration" => |row| times(row, |a, b| json!((a - b).as_millis())),
        "Time + Duration" => {
            |row| Ok(json!((row.time("time_ms")? + row.duration("duration_ms")?).as_millis()))
        }
        "Time - Duration -> Time" => {
            |row| Ok(json!((row.time("time_ms")? - row.duration("duration_ms")?).as_millis()))
        }
        "Time.isMultipleOf(duration)" => {
            |row| Ok(json!(row.time("time_ms")?.is_multiple_of(row.duration("duration_ms")?)))
        }
        "interval of the state RDD checkpoint of mapWithState, given batch interval and an optional explicit mapWithState stream .checkpoint(d)" => {
            states::checkpoint_interval
        }
        "Time.until(end exclusive, step)" => |row| {
            let times = row.time("from_ms")?.until(row.time("end_ms")?, row.duration("step_ms")?);
            Ok(times.map(Time::as_millis).collect())
        },
        "Time.to(end inclusive, step)" => |row| {
            let times = row.time("from_ms")?.to(row.time("end_ms")?, row.duration("step_ms")?);
            Ok(times.map(Time::as_millis).collect())
        },
        floor if floor.starts_with("Time.floor(duration") => |row| {
            let (time, step) = (row.time("time_ms")?, row.duration("duration_ms")?);
            let floored = match row.cell("zero_ms") {
                Ok(Json::Null) | Err(_) => time.floor(step),
                Ok(_) => time.floor_from(step, row.time("zero_ms")?),
            };
            Ok(json!(floored.as_millis()))
        },
        "Duration({a}) < Duration({b})" => |row| durations(row, |a, b| json!(a < b)),
        "Duration({a}) <= Duration({b})" => |row| durations(row, |a, b| json!(a <= b)),
        "Duration({a}) > Duration({b})" => |row| durations(row, |a, b| json!(a > b)),
        "Duration({a}) >= Duration({b})" => |row| durations(row, |a, b| json!(a >= b)),
        "Duration + Duration" => |row| durations(row, |a, b| json!((a + b).as_millis())),
        "Duration - Duration" => |row| durations(row, |a, b| json!((a - b).as_millis())),
        "Duration / Duration -> double" => |row| durations(row, |a, b| json!(a / b)),
        "Duration.isMultipleOf" => |row| durations(row, |a, b| json!(a.is_multiple_of(b))),
        "Duration.min" => |row| durations(row, |a, b| json!(a.min(b).as_millis())),
        "Duration.max" => |row| durations(row, |a, b| json!(a.max(b).as_millis())),
        "Duration * int" => |row| Ok(json!((row.duration("a_ms")? * row.int("n")?).as_millis())),
        "Duration.isZero" => |row| Ok(json!(row.duration("a_ms")?.is_zero())),
        "Milliseconds(n) Seconds(n) Minutes(n)" => |row| {
            let n = row.int("n")?;
            let duration = match row.cell("unit")?.as_str() {
                Some("Milliseconds") => milliseconds(n),
                Some("Seconds") => seconds(n),
                Some("Minutes") => minutes(n),
                other => return Err(format!("unknown unit {other:?}")),
            };
            Ok(json!(duration.as_millis()))
        },
        limiter if limiter.starts_with("limiter with optional spark.streaming.receiver.maxRate") => {
            rate_limit
        }
        estimator if estimator.starts_with("constructor (batchIntervalMillis, proportional") => no_estimator,
        records if records.starts_with("number of records reported by a store") => received::count,
        blocks if blocks.ends_with("reading gives all data in order") => received::sources,
        _ => return None,
    })
}

fn times(row: &Row<'_>, f: impl Fn(Time, Time) -> Json) -> Result<Json, String> {
    Ok(f(row.time("a_ms")?, row.time("b_ms")?))
}

fn durations(row: &Row<'_>, f: impl Fn(Duration, Duration) -> Json) -> Result<Json, String> {
    Ok(f(row.duration("a_ms")?, row.duration("b_ms")?))
}

fn rate_limit(row: &Row<'_>) -> Result<Json, String> {
    let mut config = Config::new();
    if let Some(max_rate) = row.cell("maxRate")?.as_i64() {
        let set = config.set("spark.streaming.receiver.maxRate", &max_rate.to_string());
        set.map_err(|error| error.to_string())?;
    }
    let limiter = RateLimiter::from_config(&config, Arc::new(ManualClock::default()));
    limiter.update_rate(row.int("update")?);
    Ok(json!(limiter.current_limit()))
}

/// The rows are parameters that must be refused.
fn no_estimator(row: &Row<'_>) -> Result<Json, String> {
    let gains = PidGains {
        proportional: row.float("p")?,
        integral: row.float("i")?,
        derivative: row.float("d")?,
        min_rate: row.float("minRate")?,
    };
    match PidRateEstimator::new(row.duration("batch")?, gains) {
        Ok(_) => Err(format!("{} were not refused", Json::from(row.cells))),
        Err(_) => Ok(json!(PASSED)),
    }
}

/// One estimator gets the rows one after the other.
fn pid(parameters: &Json) -> Result<Function, String> {
    let parameters: BTreeMap<String, f64> =
        serde_json::from_value(parameters.clone()).map_err(|error| error.to_string())?;
    let parameter = |name: &str| parameters.get(name).copied().ok_or_else(|| format!("no parameter {name}"));
    let gains = PidGains {
        proportional: parameter("p")?,
        integral: parameter("i")?,
        derivative: parameter("d")?,
        min_rate: parameter("minRate")?,
    };
    #[allow(clippy::cast_possible_truncation, reason = "a batch interval in milliseconds is small and whole")]
    let interval = Duration::from_millis(parameter("batch_ms")? as i64);
    let mut estimator = PidRateEstimator::new(interval, gains).map_err(|error| error.to_string())?;
    Ok(Box::new(move |row| {
        let (processing, scheduling) = (row.duration("procDelay")?, row.duration("schedDelay")?);
        Ok(json!(estimator.compute(row.time("time")?, row.int("elements")?, processing, scheduling)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(table: Json) -> Result<(), String> {
        serde_json::from_value::<Units>(table).map_err(|error| error.to_string())?.run()
    }

    #[test]
    fn rows_are_read_by_the_names_of_their_columns() {
        let table = |result| json!({"target": "Duration * int", "columns": ["n", "a_ms", "result_ms"], "rows": [[3, 50, result]]});
        assert_eq!(run(table(150)), Ok(()));
        assert_eq!(run(table(151)), Err("row 1: [3,50]: expected 151, got 150".to_owned()));
    }

    #[test]
    fn an_unknown_target_is_told() {
        let table = json!({"target": "Time.ceil", "columns": [], "rows": []});
        assert_eq!(run(table), Err("unknown target: \"Time.ceil\"".to_owned()));
    }

    #[test]
    fn parameters_that_are_not_refused_fail() {
        let columns = ["batch", "p", "i", "d", "minRate"];
        let target = "constructor (batchIntervalMillis, proportional, integral, derivative, minRate)";
        assert_eq!(run(json!({"target": target, "columns": columns, "rows": [[0, 1, 1, 1, 1]]})), Ok(()));
        assert!(run(json!({"target": target, "columns": columns, "rows": [[100, 1, 1, 1, 1]]})).is_err());
    }
}
