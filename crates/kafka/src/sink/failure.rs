// SPDX-License-Identifier: Apache-2.0
//! Which errors of Kafka may pass and which stay.

use dstreams_streaming::SinkError;
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::error::Error;

/// An error as one of a sink. Brokers that are away come back, and so does the right to a transactional id: the sink is
/// asked what it has before anything is written again. What stays is what a person has to change.
pub(super) fn sink_error(error: Error) -> SinkError {
    let stays = match &error {
        Error::Request { code, .. } | Error::Delivery { code, .. } | Error::Read { code, .. } => stays(*code),
        _ => true,
    };
    if stays { SinkError::refused(error) } else { SinkError::unavailable(error) }
}

fn stays(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::InvalidTopic
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::InvalidTransactionTimeout
            | Code::InvalidReplicationFactor
            | Code::InvalidConfig
            | Code::PolicyViolation
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::UnsupportedSASLMechanism
            | Code::SaslAuthenticationFailed
            | Code::Authentication
            | Code::InvalidArgument
            | Code::InvalidRequest
            | Code::NotImplemented
    )
}
