// SPDX-License-Identifier: Apache-2.0
//! Names in Kafka: the topic of the identities of an application, and the transactional ids of its partitions.

use dstreams_streaming::PartitionIdentity;

/// What topics of identities begin with.
const PREFIX: &str = "__dstreams_commits-";

/// The longest name of a topic.
const LONGEST: usize = 249;

/// The topic in which an application keeps what it has committed.
pub(super) fn commits_topic(application: &str) -> String {
    let legal = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    let mut name: String = application.chars().map(|char| if legal(char) { char } else { '_' }).collect();
    if name != application || PREFIX.len() + name.len() > LONGEST {
        // Two applications must not get the same name.
        name.truncate(LONGEST - PREFIX.len() - 17);
        name = format!("{name}-{:016x}", fnv1a(application.as_bytes()));
    }
    format!("{PREFIX}{name}")
}

/// A hash that never changes: names are made from it.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The id of the transactions of a partition of an output: whoever takes it over shuts all earlier owners out.
pub(super) fn transactional_id(partition: &PartitionIdentity) -> String {
    of_partition(&partition.batch.application, &partition.batch.output, partition.partition)
}

/// As [`transactional_id`].
pub(super) fn of_partition(application: &str, output: &str, partition: usize) -> String {
    format!("dstreams-{application}-{output}-{partition}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_application_has_a_topic_with_a_legal_name() {
        assert_eq!(commits_topic("word-count_2.0"), "__dstreams_commits-word-count_2.0");
        let (a, b) = (commits_topic("word count"), commits_topic("word/count"));
        assert!(a.starts_with("__dstreams_commits-word_count-") && a != b);
        assert_eq!(commits_topic(&"x".repeat(400)).len(), LONGEST);
        assert!(commits_topic(&"é".repeat(400)).is_ascii());
    }
}
