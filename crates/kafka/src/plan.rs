// SPDX-License-Identifier: Apache-2.0
//! `Plan`: what a batch takes of a Kafka stream, and what listeners are told of it.

use std::{cmp::Reverse, fmt::Write as _};

use dstreams_streaming::InputInfo;
use serde::{Deserialize, Serialize};

use crate::ranges::{OffsetRange, TopicPartition};

/// The offset ranges of a batch, and how it was with the topics when it was made. Logged with the batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// One range for each task. Every partition that is known is here, if need be with a range without offsets: from the
    /// last plan alone the next one can be made.
    pub(crate) ranges: Vec<OffsetRange>,
    /// Records that wait for later batches.
    pub(crate) lag: u64,
    /// Records that were removed before they were read, since the start.
    pub(crate) lost: u64,
    /// What was wrong when the batch was made.
    pub(crate) problems: Vec<String>,
}

impl Plan {
    /// The metadata key of how many records wait for later batches.
    const LAG: &str = "lag";
    /// The metadata key of how many records were gone before they were read, since the start.
    const LOST: &str = "lost records";

    pub(crate) fn info(&self) -> InputInfo {
        let merged = OffsetRange::merged(&self.ranges);
        let mut info = InputInfo::of_records(merged.iter().map(OffsetRange::count).sum());
        let mut add = |name: &str, text: String| info.metadata.insert(name.to_owned(), text);
        add(OffsetRange::METADATA, lines(merged.iter().map(ToString::to_string)));
        let mut full: Vec<&OffsetRange> = merged.iter().filter(|range| !range.is_empty()).collect();
        full.sort_by_key(|range| Reverse(range.count()));
        add(InputInfo::DESCRIPTION, lines(full.into_iter().map(describe)));
        add(Self::LAG, self.lag.to_string());
        if self.lost > 0 {
            add(Self::LOST, self.lost.to_string());
        }
        if !self.problems.is_empty() {
            add(InputInfo::PROBLEMS, lines(self.problems.iter().cloned()));
        }
        info
    }
}

fn describe(range: &OffsetRange) -> String {
    let OffsetRange { partition: TopicPartition { topic, partition }, from, until } = range;
    format!("topic: {topic}\tpartition: {partition}\toffsets: {from} to {until}\tcount: {}", range.count())
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        let separator = if text.is_empty() { "" } else { "\n" };
        write!(text, "{separator}{line}").expect("a string takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_told_the_ranges_the_largest_first() {
        let ranges = vec![
            OffsetRange::new("t", 0, 0, 2),
            OffsetRange::new("t", 1, 0, 3),
            OffsetRange::new("t", 1, 3, 6),
            OffsetRange::new("t", 2, 4, 4),
        ];
        let info = Plan { ranges: ranges.clone(), lag: 7, ..Plan::default() }.info();
        assert_eq!(info.records, 8);
        assert_eq!(OffsetRange::list_of(&info), OffsetRange::merged(&ranges));
        assert_eq!(
            info.metadata[InputInfo::DESCRIPTION],
            "topic: t\tpartition: 1\toffsets: 0 to 6\tcount: 6\ntopic: t\tpartition: 0\toffsets: 0 to 2\tcount: 2"
        );
        assert_eq!(info.metadata[Plan::LAG], "7");
        assert!(!info.metadata.contains_key(InputInfo::PROBLEMS));
    }
}
