// SPDX-License-Identifier: Apache-2.0
//! What a case expects of the streams of a finished run: what they are set to and what they still remember.

use std::collections::BTreeMap;

use dstreams::{Duration, streaming::testing::StreamReport};
use serde_json::Value as Json;

use super::ops::CONVERSION;

/// The first difference in the streams from the last one to the source. Only what the case names is compared.
pub(super) fn compare_lineage(
    expected: &[BTreeMap<String, Json>],
    got: &[StreamReport],
) -> Result<(), String> {
    let got: Vec<_> = got.iter().filter(|stream| stream.name.as_deref() != Some(CONVERSION)).collect();
    if expected.len() != got.len() {
        let operators: Vec<_> = got.iter().map(|stream| stream.operator).collect();
        return Err(format!("lineage: expected {} streams, got {}", expected.len(), operators.join(" <- ")));
    }
    for (expected, got) in expected.iter().zip(got) {
        for (field, expected) in expected {
            if let Some(shown) = difference(field, expected, got) {
                return Err(format!("lineage: {}: expected {field} {expected}, got {shown}", got.operator));
            }
        }
    }
    Ok(())
}

/// What the stream has instead, if a field differs.
fn difference(field: &str, expected: &Json, got: &StreamReport) -> Option<String> {
    let differs = |got: Option<i64>| {
        (millis(expected) != got).then(|| got.map_or_else(|| "none".to_owned(), |got| format!("{got} ms")))
    };
    match field {
        field if field.starts_with("slide") => differs(Some(got.slide.as_millis())),
        field if field.starts_with("remember") => differs(Some(got.remember.as_millis())),
        field if field.starts_with("checkpoint") => differs(got.checkpoint.map(Duration::as_millis)),
        field if field.starts_with("storage") => {
            let is_kept = !matches!(expected.as_str(), None | Some("NONE" | "None" | ""));
            (is_kept != got.is_kept).then(|| if got.is_kept { "a level" } else { "none" }.to_owned())
        }
        field if field.starts_with("cached") => {
            let mut times: Vec<_> = expected.as_array().into_iter().flatten().filter_map(millis).collect();
            times.sort_unstable();
            let got: Vec<_> = got.remembered.iter().map(|time| time.as_millis()).collect();
            (times != got).then(|| format!("{got:?}"))
        }
        _ => None,
    }
}

/// A number of milliseconds, or a text such as `3000 ms`.
fn millis(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| json.as_str()?.trim_end_matches("ms").trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use dstreams::{Time, time::seconds};
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_compared_by_what_they_mean() {
        let report = StreamReport {
            operator: "window",
            name: None,
            slide: seconds(1),
            remember: seconds(3),
            checkpoint: None,
            is_kept: true,
            remembered: vec![Time::from_millis(1000), Time::from_millis(2000)],
        };
        let told = |expected: Json| {
            let expected: Vec<_> = serde_json::from_value(expected).expect("it is a list of streams");
            compare_lineage(&expected, std::slice::from_ref(&report))
        };
        let fields = json!([{"slide_ms": 1000, "remember_ms": "3000 ms", "checkpoint_ms": null,
            "storage": "MEMORY_ONLY_SER", "cached_times_ms": [2000, 1000], "class": "WindowedDStream"}]);
        assert_eq!(told(fields), Ok(()));
        assert!(
            told(json!([{"remember_ms": 4000}])).is_err() && told(json!([{"checkpoint_ms": 1}])).is_err()
        );
        assert!(
            told(json!([{"cached_times_ms": [1000]}])).is_err() && told(json!([{"storage": null}])).is_err()
        );
        assert_eq!(told(json!([])), Err("lineage: expected 0 streams, got window".to_owned()));
    }
}
