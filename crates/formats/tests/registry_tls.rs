// SPDX-License-Identifier: Apache-2.0
//! A registry of schemas behind TLS, whose authority is made for the test, and addresses that are none.
#![cfg(feature = "avro")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    env,
    process::{Command, Output},
};

use dstreams_formats::{DecodeError, EncodeError, Encoding as _, Format as _, SchemaRegistry, registry_avro};
use dstreams_test_servers::{Authority, SchemaRegistryServer, TlsFront};

const NUMBER: &str = r#""long""#;

/// Whom a process that was started by a test asks.
const REGISTRY: &str = "DSTREAMS_FORMATS_TEST_REGISTRY";

/// Asks the registry at `url` from a process with a variable of the environment: what is trusted is read once from there.
/// `test` is the test that calls this, with [`ask_if_asked`] at its beginning.
fn ask(test: &str, url: &str, variable: &str, trusted: &std::path::Path) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(REGISTRY, url);
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").env(variable, trusted).output().unwrap()
}

/// In a process that was started by a test: writes and reads a value, and ends.
fn ask_if_asked() {
    let Ok(url) = env::var(REGISTRY) else { return };
    let writer = registry_avro::<i64>(&SchemaRegistry::new(&url)).write_as("numbers-value", NUMBER).unwrap();
    let mut bytes = Vec::new();
    match writer.encode(&7, &mut bytes) {
        Ok(()) => {}
        Err(EncodeError::Unavailable(error)) => {
            println!("unavailable: {error}");
            std::process::exit(1);
        }
        Err(other) => panic!("{other}"),
    }
    // Another one, which does not know the schema yet.
    let registry = SchemaRegistry::new(url).header("Authorization", "Basic secret");
    assert_eq!(registry_avro::<i64>(&registry).decode(&bytes).unwrap(), 7);
    std::process::exit(0);
}

#[test]
fn a_registry_behind_tls_is_asked_when_its_authority_is_trusted() {
    ask_if_asked();
    let name = "a_registry_behind_tls_is_asked_when_its_authority_is_trusted";
    let registry = SchemaRegistryServer::start().unwrap();
    let Some(front) = TlsFront::start_or_skip(name, &registry.url()) else { return };
    let file = front.authority().certificate();
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(&file, directory.path().join("own.pem")).unwrap();
    let url = format!("{}/", front.url());
    let asked = ask(name, &url, "SSL_CERT_FILE", &file);
    assert!(asked.status.success(), "{asked:?}");
    let asked = ask(name, &url, "SSL_CERT_DIR", directory.path());
    assert!(asked.status.success(), "{asked:?}");
    assert_eq!(registry.requests(), 4);

    let stranger = Authority::new().unwrap();
    let refused = ask(name, &url, "SSL_CERT_FILE", &stranger.certificate());
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let text = String::from_utf8(refused.stdout).unwrap();
    assert!(text.contains("unavailable: ") && text.contains(&front.url()), "{text}");
    assert!(text.contains("UnknownIssuer") && text.contains("SSL_CERT_FILE"), "{text}");
    assert_eq!(registry.requests(), 4);
}

#[test]
fn an_address_that_is_none_fails_the_task_and_says_so() {
    let registry = SchemaRegistry::new("registry:8081");
    let numbers = registry_avro::<i64>(&registry);
    let Err(DecodeError::Unavailable(error)) = numbers.decode(&[0, 0, 0, 0, 1, 14]) else { panic!() };
    let text = "the schema registry cannot be at `registry:8081`: it must begin with http:// or https://";
    assert_eq!(error.to_string(), text);
    let refused = numbers.write_as("t", NUMBER).unwrap().encode(&7, &mut Vec::new());
    assert!(matches!(refused, Err(EncodeError::Unavailable(_))));
}
