// SPDX-License-Identifier: Apache-2.0
//! Keys of the table whose feature this version does not have. They are checked, and accepted with a warning.

/// The feature that `key` belongs to, when there is none yet.
pub(super) fn feature(key: &str) -> Option<&'static str> {
    let below =
        |name: &str| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    PLANNED.iter().find(|(name, _)| below(name)).map(|(_, feature)| *feature)
}

/// A name stands for the key itself and for all keys below it.
pub(super) const PLANNED: &[(&str, &str)] = &[
    ("spark.streaming.dynamicAllocation", "executors on other machines"),
    ("spark.streaming.kinesis", "Kinesis sources"),
];
