// SPDX-License-Identifier: Apache-2.0
//! Avro with a registry of schemas: a real one behind HTTP, schemas that grow, and a registry that goes away.
#![cfg(feature = "avro")]

use dstreams_formats::{DecodeError, EncodeError, Encoding as _, Format as _, SchemaRegistry, registry_avro};
use dstreams_streaming::{BoxError, testing::MemorySink, testing::TestContext};
use dstreams_test_servers::SchemaRegistryServer;
use serde::{Deserialize, Serialize};

const TWEET: &str = r#"{"type": "record", "name": "Tweet", "fields": [
    {"name": "username", "type": "string"},
    {"name": "text", "type": "string"}]}"#;

const NEWER: &str = r#"{"type": "record", "name": "Tweet", "fields": [
    {"name": "username", "type": "string"},
    {"name": "text", "type": "string"},
    {"name": "likes", "type": "long", "default": 3}]}"#;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tweet {
    username: String,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct NewerTweet {
    username: String,
    text: String,
    likes: i64,
}

fn tweet(text: &str) -> Tweet {
    Tweet { username: "ann".to_owned(), text: text.to_owned() }
}

#[test]
fn the_registry_is_asked_once_for_each_schema() -> Result<(), BoxError> {
    let server = SchemaRegistryServer::start()?;
    let registry = SchemaRegistry::new(server.url()).header("Authorization", "Basic secret");
    assert!(!format!("{registry:?}").contains("secret"));
    let tweets = registry_avro::<Tweet>(&registry);
    let writer = tweets.write_as("tweets-value", TWEET)?;
    for text in ["one", "two", "three"] {
        let mut bytes = Vec::new();
        writer.encode(&tweet(text), &mut bytes)?;
        assert_eq!(bytes[..5], [0, 0, 0, 0, 1]);
        assert_eq!(tweets.decode(&bytes)?, tweet(text));
    }
    assert_eq!(server.requests(), 2);
    Ok(())
}

#[test]
fn values_are_read_as_another_schema_sees_them() -> Result<(), BoxError> {
    let server = SchemaRegistryServer::start()?;
    let registry = SchemaRegistry::new(server.url());
    let mut bytes = Vec::new();
    registry_avro(&registry).write_as("t", TWEET)?.encode(&tweet("be"), &mut bytes)?;
    let newer = registry_avro::<NewerTweet>(&registry).read_as(NEWER)?.decode(&bytes)?;
    assert_eq!(newer, NewerTweet { username: "ann".to_owned(), text: "be".to_owned(), likes: 3 });
    assert!(registry_avro::<NewerTweet>(&registry).decode(&bytes).is_err(), "a field is missing");
    assert!(registry_avro::<Tweet>(&registry).read_as("{").is_err());
    Ok(())
}

#[test]
fn records_are_not_bad_because_the_registry_is_away() -> Result<(), BoxError> {
    let server = SchemaRegistryServer::start()?;
    let mut bytes = Vec::new();
    let first = SchemaRegistry::new(server.url());
    registry_avro(&first).write_as("t", TWEET)?.encode(&tweet("be"), &mut bytes)?;
    server.set_available(false);
    let registry = SchemaRegistry::new(server.url());
    let tweets = registry_avro::<Tweet>(&registry);
    assert!(matches!(tweets.decode(&bytes), Err(DecodeError::Unavailable(_))));
    let refused = tweets.write_as("t", TWEET)?.encode(&tweet("be"), &mut Vec::new());
    assert!(matches!(refused, Err(EncodeError::Unavailable(_))));
    server.set_available(true);
    assert_eq!(tweets.decode(&bytes)?, tweet("be"));
    // A number that the registry does not know, a record of another kind, one that is cut.
    for bad in
        [&[0, 0, 0, 0, 77, 1][..], b"text", &bytes[..bytes.len() - 1], &[bytes.clone(), vec![1]].concat()]
    {
        assert!(matches!(tweets.decode(bad), Err(DecodeError::Record(_))), "{bad:?}");
    }
    Ok(())
}

#[test]
fn records_are_not_bad_because_a_password_is_missing() -> Result<(), BoxError> {
    let server = SchemaRegistryServer::start()?;
    server.ask_for("Basic secret");
    let registry = SchemaRegistry::new(server.url()).header("Authorization", "Basic secret");
    let mut bytes = Vec::new();
    registry_avro(&registry).write_as("t", TWEET)?.encode(&tweet("be"), &mut bytes)?;
    assert_eq!(registry_avro::<Tweet>(&registry).decode(&bytes)?, tweet("be"));
    let stranger = registry_avro::<Tweet>(&SchemaRegistry::new(server.url()));
    let Err(DecodeError::Unavailable(error)) = stranger.decode(&bytes) else { panic!("it is let in") };
    let text = error.to_string();
    assert!(text.contains("401") && text.contains("SchemaRegistry::header"), "{text}");
    let refused = stranger.write_as("t", TWEET)?.encode(&tweet("be"), &mut Vec::new());
    assert!(matches!(refused, Err(EncodeError::Unavailable(_))));
    Ok(())
}

#[test]
fn bad_records_become_dead_letters_and_an_outage_fails_the_batch() -> Result<(), BoxError> {
    let server = SchemaRegistryServer::start()?;
    let mut bytes = Vec::new();
    let registry = SchemaRegistry::new(server.url());
    registry_avro(&registry).write_as("t", TWEET)?.encode(&tweet("be"), &mut bytes)?;
    let run = |registry: SchemaRegistry| {
        let (letters, test) = (MemorySink::new(), TestContext::new()?);
        let records = test.input(vec![vec![bytes.clone(), b"no record".to_vec()]]);
        let good = records.decode(registry_avro::<Tweet>(&registry)).dead_letter(letters.clone());
        let seen = test.collect(&good);
        test.run(1)?;
        Ok::<_, BoxError>((seen.batches(), letters.records()))
    };
    let (good, letters) = run(registry)?;
    assert_eq!(good, [[tweet("be")]]);
    assert_eq!(letters.len(), 1);
    assert!(letters[0].error.contains("begins with a zero"), "{}", letters[0].error);
    server.set_available(false);
    let error = run(SchemaRegistry::new(server.url())).expect_err("the schema is not known").to_string();
    assert!(error.contains("does not answer"), "{error}");
    Ok(())
}
