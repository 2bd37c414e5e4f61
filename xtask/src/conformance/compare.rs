// SPDX-License-Identifier: Apache-2.0
//! What a case expects beside what came out: batches in four ways of comparing, and errors.

use dstreams::Error;
use serde::Deserialize;
use serde_json::Value as Json;

use super::value::{Value, listed};

/// How the records of a batch are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Compare {
    /// The same records in the same order.
    Ordered,
    /// The same records as often, in any order.
    #[default]
    Multiset,
    /// The same records, in any order and any number.
    Set,
    /// As `Multiset`, and in lists within records the order is free too.
    MultisetOfMultisets,
}

/// What an output is expected to give.
#[derive(Deserialize)]
pub(super) struct ExpectedOutput {
    pub(super) times_ms: Option<Vec<i64>>,
    pub(super) batches: Vec<Vec<Json>>,
}

/// The error that a case is expected to end with.
#[derive(Deserialize)]
pub(super) struct ExpectedError {
    stage: Stage,
    category: Option<String>,
    message: Option<String>,
    cause: Option<Json>,
}

/// When an error came to light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    Build,
    Start,
    Run,
}

/// An error that came.
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) error: Error,
    /// The batch that failed.
    pub(super) time_ms: Option<i64>,
}

impl Compare {
    /// The first difference of an output from what was expected. What came after the batch that failed counts only
    /// where it is expected: the original may have been stopped there.
    pub(super) fn output(
        self,
        expected: &ExpectedOutput,
        got: &[(i64, Vec<Value>)],
        failed_at: Option<i64>,
    ) -> Result<(), String> {
        let expected_times: Vec<i64> = match &expected.times_ms {
            Some(times) => times.clone(),
            None => got.iter().map(|(time, _)| *time).take(expected.batches.len()).collect(),
        };
        let is_extra =
            |time: &i64| failed_at.is_some_and(|failed| *time > failed) && !expected_times.contains(time);
        let got: Vec<_> = got.iter().filter(|(time, _)| !is_extra(time)).collect();
        let times: Vec<i64> = got.iter().map(|(time, _)| *time).collect();
        if times != expected_times || times.len() != expected.batches.len() {
            return Err(format!("expected batches at {expected_times:?} ms, got them at {times:?} ms"));
        }
        let sample = got.iter().find_map(|(_, records)| records.first());
        for ((time, records), expected) in got.into_iter().zip(&expected.batches) {
            let expected: Vec<Value> = expected.iter().map(|json| shaped(json.into(), sample)).collect();
            if self.arranged(&expected) != self.arranged(records) {
                return Err(format!(
                    "batch {time} ms: expected {}, got {}",
                    listed(&expected),
                    listed(records)
                ));
            }
        }
        Ok(())
    }

    /// The records in an order that depends only on what is compared.
    fn arranged(self, records: &[Value]) -> Vec<Value> {
        let mut records = match self {
            Self::MultisetOfMultisets => records.iter().cloned().map(with_lists_sorted).collect(),
            _ => records.to_vec(),
        };
        if self != Self::Ordered {
            records.sort();
        }
        if self == Self::Set {
            records.dedup();
        }
        records
    }
}

/// An expected value with pairs where the sample has them: JSON writes pairs as lists.
fn shaped(expected: Value, sample: Option<&Value>) -> Value {
    match (expected, sample) {
        (Value::List(list), Some(Value::Pair(pair))) => match <[Value; 2]>::try_from(list) {
            Ok([first, second]) => Value::pair(shaped(first, Some(&pair.0)), shaped(second, Some(&pair.1))),
            Err(list) => Value::List(list),
        },
        (Value::List(list), Some(Value::List(samples))) => {
            Value::List(list.into_iter().map(|item| shaped(item, samples.first())).collect())
        }
        (expected, _) => expected,
    }
}

fn with_lists_sorted(value: Value) -> Value {
    match value {
        Value::List(list) => {
            let mut list: Vec<_> = list.into_iter().map(with_lists_sorted).collect();
            list.sort();
            Value::List(list)
        }
        Value::Pair(pair) => Value::pair(with_lists_sorted(pair.0), with_lists_sorted(pair.1)),
        other => other,
    }
}

impl ExpectedError {
    /// How the error that came, if any, differs from this one.
    pub(super) fn compare(&self, got: Option<&Failure>) -> Result<(), String> {
        let wanted = self.message.as_deref().unwrap_or("an error");
        let Some(failure) = got else {
            return Err(format!("expected an error at {:?}: {wanted}; got none", self.stage));
        };
        let text = failure.error.to_string();
        if failure.stage != self.stage {
            return Err(format!(
                "expected an error at {:?}, got it at {:?}: {text}",
                self.stage, failure.stage
            ));
        }
        if let Some(expected) = &self.category
            && !category(&failure.error).is_called(expected)
        {
            return Err(format!(
                "expected the category {expected}, got {:?}: {text}",
                category(&failure.error)
            ));
        }
        let cause = self.cause.as_ref().map(|cause| match cause {
            Json::String(text) => text.clone(),
            other => other.get("message").and_then(Json::as_str).unwrap_or_default().to_owned(),
        });
        let message = self.message.as_deref().is_none_or(|expected| says(&text, expected));
        if message && cause.is_none_or(|cause| says(&text, without_class(&cause))) {
            Ok(())
        } else {
            Err(format!("expected the error {wanted:?}, got {text:?}"))
        }
    }
}

/// What kind of mistake an error tells of.
#[derive(Debug, PartialEq, Eq)]
enum Category {
    IllegalArgument,
    IllegalState,
    /// What the original raises itself while it runs.
    Engine,
    /// What user code raised on the driver.
    User,
}

impl Category {
    fn is_called(&self, name: &str) -> bool {
        let name = name.to_lowercase().replace([' ', '-'], "_");
        let illegal = name.starts_with("illegal");
        match self {
            Self::IllegalArgument => name.starts_with("illegal_argument"),
            Self::IllegalState => name.starts_with("illegal_state"),
            Self::Engine => name.starts_with("engine"),
            Self::User => !illegal && !name.starts_with("engine"),
        }
    }
}

fn category(error: &Error) -> Category {
    match error {
        Error::IllegalArgument(_) | Error::Config(_) => Category::IllegalArgument,
        Error::IllegalState(_) => Category::IllegalState,
        Error::Output { cause, .. } => category(cause),
        Error::User(cause) | Error::Generation { cause, .. } => {
            cause.downcast_ref().map_or(Category::User, category)
        }
        _ => Category::Engine,
    }
}

/// How the message of a failed job starts, here as in the original.
const JOB_FAILED: &str = "Job aborted due to stage failure";

/// Whether our message holds what the original says. Names of the original's stream classes stand for any name; of a
/// failed job the user's own error counts, since numbers of stages and hosts differ.
fn says(ours: &str, expected: &str) -> bool {
    let first_line = expected.lines().next().unwrap_or_default();
    let expected = first_line.trim_start_matches("requirement failed: ");
    if expected.starts_with(JOB_FAILED) {
        let reason = expected.rsplit(": ").next().unwrap_or(expected);
        return ours.contains(JOB_FAILED) && (reason.starts_with(JOB_FAILED) || ours.contains(reason.trim()));
    }
    let ours = plain(ours);
    let mut rest = ours.as_str();
    plain(expected).split('\0').all(|piece| match rest.find(piece.trim()) {
        Some(at) => {
            rest = &rest[at + piece.trim().len()..];
            true
        }
        None => false,
    })
}

/// One space between words, one way to write paths, and a zero for each name of a stream class.
fn plain(text: &str) -> String {
    let is_class = |word: &str| word.len() > "DStream".len() && word.ends_with("DStream");
    let words = text.split_whitespace().map(|word| if is_class(word) { "\0" } else { word });
    words.collect::<Vec<_>>().join(" ").replace("::", ".")
}

/// An error's text without the class that it starts with.
fn without_class(cause: &str) -> &str {
    match cause.split_once(": ") {
        Some((class, text)) if !class.contains(' ') => text,
        _ => cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(json: &str) -> Vec<Json> {
        serde_json::from_str(json).expect("it is JSON")
    }

    fn output(compare: Compare, expected: &str, got: Vec<Value>) -> Result<(), String> {
        let expected = ExpectedOutput { times_ms: Some(vec![1000]), batches: vec![batch(expected)] };
        compare.output(&expected, &[(1000, got)], None)
    }

    fn ints(values: &[i64]) -> Vec<Value> {
        values.iter().copied().map(Value::Int).collect()
    }

    #[test]
    fn each_way_of_comparing_forgives_only_its_own() {
        assert!(output(Compare::Ordered, "[1,2]", ints(&[1, 2])).is_ok());
        assert!(output(Compare::Ordered, "[1,2]", ints(&[2, 1])).is_err());
        assert!(output(Compare::Multiset, "[1,2,2]", ints(&[2, 1, 2])).is_ok());
        assert!(output(Compare::Multiset, "[1,2]", ints(&[2, 1, 2])).is_err());
        assert!(output(Compare::Set, "[1,2]", ints(&[2, 1, 2])).is_ok());
        assert!(output(Compare::Set, "[1,2,3]", ints(&[2, 1, 2])).is_err());
        let lists = |a: &[i64], b: &[i64]| vec![Value::List(ints(a)), Value::List(ints(b))];
        assert!(output(Compare::MultisetOfMultisets, "[[1,2],[3]]", lists(&[3], &[2, 1])).is_ok());
        assert!(output(Compare::Multiset, "[[1,2],[3]]", lists(&[3], &[2, 1])).is_err());
    }

    #[test]
    fn the_order_within_a_pair_is_never_free() {
        let pair = |a, b| vec![Value::pair(Value::Int(a), Value::Int(b))];
        assert!(output(Compare::MultisetOfMultisets, "[[1,2]]", pair(1, 2)).is_ok());
        assert!(output(Compare::MultisetOfMultisets, "[[1,2]]", pair(2, 1)).is_err());
    }

    #[test]
    fn the_first_difference_is_told() {
        let told = output(Compare::Ordered, "[1,2]", ints(&[1, 3])).expect_err("they differ");
        assert_eq!(told, "batch 1000 ms: expected [1,2], got [1,3]");
    }

    #[test]
    fn batches_that_lack_or_abound_are_told() {
        let expected = ExpectedOutput { times_ms: Some(vec![1000]), batches: vec![batch("[1]")] };
        let got = [(1000, ints(&[1])), (2000, ints(&[2])), (3000, ints(&[3]))];
        assert!(Compare::Ordered.output(&expected, &got, None).is_err());
        assert!(Compare::Ordered.output(&expected, &got[..2], Some(1500)).is_ok());
        assert!(Compare::Ordered.output(&expected, &got, Some(2500)).is_err());
        assert!(Compare::Ordered.output(&expected, &[], None).is_err());
    }

    #[test]
    fn messages_are_compared_by_their_words() {
        let ours = "The checkpoint interval for update_state_by_key at a.rs:1 has been set to 3 ms which not a multiple";
        assert!(says(
            ours,
            "requirement failed: The checkpoint interval for StateDStream has been set to 3 ms"
        ));
        assert!(!says(ours, "The checkpoint interval for StateDStream has been set to 4 ms"));
        assert!(says(
            "Please set it by StreamingContext::checkpoint().",
            "set it by StreamingContext.checkpoint()."
        ));
        let job = "Job aborted due to stage failure: Task 0 in stage 1 failed 1 times, most recent failure: map (rdd 2): boom 3";
        let theirs = "Job aborted due to stage failure: Task 0 in stage 0.0 failed 1 times, most recent failure: Lost task 0.0 in stage 0.0 (TID 0) (h executor driver): java.lang.RuntimeException: boom ";
        assert!(says(job, &format!("{theirs}3")) && !says(job, &format!("{theirs}4")));
    }
}
