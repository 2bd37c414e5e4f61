// SPDX-License-Identifier: Apache-2.0
//! What can go wrong between this process and the brokers. No error holds the value of a property: it may be a secret.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

use crate::ranges::TopicPartition;

/// The result of what asks brokers.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why Kafka could not be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A property of the parameters cannot be used.
    #[error("the Kafka property {name} cannot be used: {problem}")]
    Property {
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The client could not be made from its properties.
    #[error("the Kafka client cannot be made: {problem}")]
    Client {
        /// What the client library says.
        problem: String,
    },
    /// The brokers did not answer, or refused.
    #[error(
        "cannot {action}: {code}{reason}; check that bootstrap.servers can be reached and that the user may do this"
    )]
    Request {
        /// What was tried, as a verb.
        action: &'static str,
        /// What the client library says.
        code: RDKafkaErrorCode,
        /// What it said last of its connections, in parentheses, where that may be why.
        reason: String,
    },
    /// The brokers do not let this client in, or it does not trust them. That does not pass by itself.
    #[error(
        "the brokers and this client do not accept each other: {reason}; check security.protocol, user and password (sasl.), certificates (ssl.) and that bootstrap.servers has the port for them"
    )]
    Refused {
        /// What the client library says.
        reason: String,
    },
    /// Neither a stored position nor a committed one is there, and `auto.offset.reset` is `none`.
    #[error(
        "there is no offset to start {partition} from: give starting offsets, or set auto.offset.reset to earliest or latest"
    )]
    NoOffset {
        /// Where.
        partition: TopicPartition,
    },
    /// Records were removed before they were read.
    #[error(
        "the records of {partition} from offset {from} to before {until} are not there any more, or the topic was made anew: give Kafka a longer retention, or set dstreams.kafka.failOnDataLoss=false to go on after the gap, which is then counted"
    )]
    DataLoss {
        /// Where.
        partition: TopicPartition,
        /// The first offset that should have been read.
        from: i64,
        /// The first offset after the gap.
        until: i64,
    },
    /// A range makes no sense.
    #[error("{0}")]
    Range(String),
    /// No record came for as long as a task waits.
    #[error(
        "no record of {partition} came after offset {offset} for {waited_ms} ms, the time of spark.streaming.kafka.consumer.poll.ms{reason}"
    )]
    Stalled {
        /// Where.
        partition: TopicPartition,
        /// The next offset.
        offset: i64,
        /// How long the task has waited.
        waited_ms: i64,
        /// What the client library said last, if it did.
        reason: String,
    },
    /// A record was not taken by the brokers.
    #[error("a record was not written to topic {topic}: {code}{reason}")]
    Delivery {
        /// The topic.
        topic: String,
        /// What the client library says.
        code: RDKafkaErrorCode,
        /// What it said last of its connections, in parentheses, where that may be why.
        reason: String,
    },
    /// A partition cannot be read.
    #[error("cannot read {partition} at offset {offset}: {code}")]
    Read {
        /// Where.
        partition: TopicPartition,
        /// The next offset.
        offset: i64,
        /// What the client library says.
        code: RDKafkaErrorCode,
    },
}

impl Error {
    /// The brokers did not do it in time.
    pub(crate) fn late(action: &'static str) -> Self {
        Self::Request { action, code: RDKafkaErrorCode::OperationTimedOut, reason: String::new() }
    }

    /// An error of making a client. The value that is part of some is left out.
    pub(crate) fn client(cause: &KafkaError) -> Self {
        match cause {
            KafkaError::ClientConfig(_, problem, name, _) => {
                Self::Property { name: name.clone(), problem: problem.clone() }
            }
            KafkaError::ClientCreation(problem) => Self::Client { problem: problem.clone() },
            other => Self::Client { problem: other.to_string() },
        }
    }
}

impl From<Error> for dstreams_streaming::Error {
    fn from(error: Error) -> Self {
        Self::source(error)
    }
}
