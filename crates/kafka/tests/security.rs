// SPDX-License-Identifier: Apache-2.0
//! Brokers that ask clients who they are: what is right is let in, everywhere a client connects; what is wrong is a clear
//! error.
#![cfg(feature = "gssapi")]

mod support;

use std::{env, process::Command};

use dstreams_kafka::{
    Admin, Consumer, KafkaSink, OffsetRange, Params, create_rdd, direct_stream, receiver_stream,
};
use dstreams_rdd::RddContext;
use dstreams_streaming::{BoxError, testing::TestContext};
use dstreams_test_servers::{Kafka, Kdc, SecuredKafka};
use support::{Broker, config, config_with, interval, value};

/// Reads two records and writes them to a topic, as a user that the broker knows.
fn copy(broker: &Broker, params: &Params, topic: &str) -> Result<(), BoxError> {
    let copied = format!("{topic}-copy");
    broker.create(topic, 1);
    broker.create(&copied, 1);
    broker.send(topic, 0, ["a", "b"]);
    let test = TestContext::with(config(), interval())?;
    let params = params.clone().group(format!("{topic}-group")).set("auto.offset.reset", "earliest");
    let stream = direct_stream(test.context(), Consumer::subscribe([topic]), params.clone())?;
    let sink = KafkaSink::new(params.clone(), &copied, |value: String, record| {
        record.value(value);
    })?;
    stream.map(|record| value(&record)).write_to(sink).named(topic);
    test.run(1)?;
    test.stop();
    let values: Vec<_> =
        broker.read(&copied, 1, "read_committed").into_iter().map(|seen| seen.value).collect();
    assert_eq!(values, ["a", "b"]);
    assert_eq!(broker.committed(&format!("{topic}-group"), topic, 0), Some(2));
    Ok(())
}

/// What the start of a stream fails with.
fn refused(params: Params) -> Result<String, BoxError> {
    let test = TestContext::with(config_with(&[("dstreams.kafka.requestTimeout", "2s")]), interval())?;
    direct_stream(test.context(), Consumer::subscribe(["refused"]), params)?.count().print();
    Ok(test.run(1).expect_err("the broker does not let it in").to_string())
}

fn over_tls(kafka: &SecuredKafka, mechanism: &str, (user, password): (&str, &str)) -> Params {
    Params::new(kafka.sasl_tls_address())
        .set("security.protocol", "SASL_SSL")
        .set("ssl.ca.location", kafka.certificates().authority().to_string_lossy())
        .set("sasl.mechanism", mechanism)
        .set("sasl.username", user)
        .set("sasl.password", password)
}

fn by_certificate(kafka: &SecuredKafka) -> Params {
    let certificates = kafka.certificates();
    Params::new(kafka.tls_address())
        .set("security.protocol", "SSL")
        .set("ssl.ca.location", certificates.authority().to_string_lossy())
        .set("ssl.certificate.location", certificates.client().to_string_lossy())
        .set("ssl.key.location", certificates.client_key().to_string_lossy())
        .set("ssl.key.password", dstreams_test_servers::Certificates::KEY_PASSWORD)
}

#[test]
fn passwords_and_certificates_let_a_program_in() -> Result<(), BoxError> {
    let Some(kafka) = SecuredKafka::start_or_skip("passwords_and_certificates_let_a_program_in", None) else {
        return Ok(());
    };
    let broker = Broker::at(&kafka.address());
    let alice = (Kafka::SASL_USER, Kafka::SASL_PASSWORD);
    let bob = (SecuredKafka::SCRAM_USER, SecuredKafka::SCRAM_PASSWORD);
    copy(&broker, &over_tls(&kafka, "PLAIN", alice), "plain")?;
    copy(&broker, &over_tls(&kafka, "SCRAM-SHA-256", bob), "scram-256")?;
    copy(&broker, &over_tls(&kafka, "SCRAM-SHA-512", bob), "scram-512")?;
    copy(&broker, &by_certificate(&kafka), "certificate")?;
    // The other kinds of clients.
    let params = over_tls(&kafka, "SCRAM-SHA-512", bob).set("auto.offset.reset", "earliest");
    let context = RddContext::local(1)?;
    assert_eq!(create_rdd(&context, &params, &[OffsetRange::new("plain", 0, 0, 2)])?.count()?, 2);
    Admin::new(&params)?.create_topic("by-bob", 1, &[])?;
    let test = TestContext::with(config(), interval())?;
    let received =
        receiver_stream(test.context(), Consumer::subscribe(["plain"]), params.group("secured-receiver"), 1)?;
    let values = test.collect(&received.map(|record| value(&record)));
    test.run_until(|| values.batches().concat() == ["a", "b"])?;
    Ok(())
}

#[test]
fn a_program_that_is_not_let_in_fails_at_its_start_and_says_why() -> Result<(), BoxError> {
    let test_name = "a_program_that_is_not_let_in_fails_at_its_start_and_says_why";
    let Some(kafka) = SecuredKafka::start_or_skip(test_name, None) else { return Ok(()) };
    let bob = (SecuredKafka::SCRAM_USER, SecuredKafka::SCRAM_PASSWORD);
    let wrong = (SecuredKafka::SCRAM_USER, "wrong-password-90aa");
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let error = refused(over_tls(&kafka, mechanism, wrong))?;
        assert!(error.contains("Authentication failed") && error.contains("sasl."), "{error}");
    }
    let other = kafka.certificates().other_authority().to_string_lossy().into_owned();
    let error = refused(over_tls(&kafka, "SCRAM-SHA-512", bob).set("ssl.ca.location", &other))?;
    assert!(error.contains("certificate verify failed") && error.contains("ssl.ca.location"), "{error}");
    // A client without a certificate.
    let anonymous = Params::new(kafka.tls_address())
        .set("security.protocol", "SSL")
        .set("ssl.ca.location", kafka.certificates().authority().to_string_lossy());
    let error = refused(anonymous)?;
    assert!(error.contains("certificate") && error.contains("ssl."), "{error}");
    // A key that cannot be opened is an error before anything is connected.
    let error = refused(by_certificate(&kafka).set("ssl.key.password", wrong.1))?;
    assert!(error.contains("ssl.key.location") && !error.contains(wrong.1), "{error}");
    Ok(())
}

#[test]
fn a_sink_that_is_not_let_in_says_why() -> Result<(), BoxError> {
    let test_name = "a_sink_that_is_not_let_in_says_why";
    let Some(kafka) = SecuredKafka::start_or_skip(test_name, None) else { return Ok(()) };
    let wrong = over_tls(&kafka, "SCRAM-SHA-256", (SecuredKafka::SCRAM_USER, "wrong-password-90aa"));
    for at_least_once in [false, true] {
        let test = TestContext::with(config(), interval())?;
        let params = wrong.clone().set("transaction.timeout.ms", "30000").set("delivery.timeout.ms", "2000");
        let sink = KafkaSink::new(params.set("linger.ms", "0"), "closed-copy", |value: String, record| {
            record.value(value);
        });
        let sink = if at_least_once { sink?.at_least_once() } else { sink? };
        let input = test.input(vec![vec!["a".to_owned()]]);
        input.write_to(sink).named("copy");
        let error = test.run(1).expect_err("the broker does not let it in");
        assert!(error.to_string().contains("Authentication failed"), "{at_least_once} {error}");
    }
    Ok(())
}

/// Says to the part of a test that runs with another environment where the brokers are.
const ADDRESSES: &str = "DSTREAMS_TEST_KERBEROS";

#[test]
fn tickets_let_a_program_in() -> Result<(), BoxError> {
    let test_name = "tickets_let_a_program_in";
    if let Ok(addresses) = env::var(ADDRESSES) {
        let mut addresses = addresses.split(' ').map(str::to_owned);
        let mut next = || addresses.next().ok_or("it is missing");
        let (plain, kerberos, principal, keytab) = (next()?, next()?, next()?, next()?);
        let params = |principal: &str| {
            Params::new(&kerberos)
                .set("security.protocol", "SASL_PLAINTEXT")
                .set("sasl.mechanism", "GSSAPI")
                .set("sasl.kerberos.service.name", "kafka")
                .set("sasl.kerberos.principal", principal)
                .set("sasl.kerberos.keytab", &keytab)
        };
        // Without a ticket first: the one that is got later is for all clients of the process.
        let error = refused(params("nobody@DSTREAMS.TEST"))?;
        assert!(error.contains("No Kerberos credentials available"), "{error}");
        copy(&Broker::at(&plain), &params(&principal), "tickets")?;
        return Ok(());
    }
    let Some(kdc) = Kdc::start_or_skip(test_name) else { return Ok(()) };
    let Some(kafka) = SecuredKafka::start_or_skip(test_name, Some(&kdc)) else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let keytab = directory.path().join("client.keytab");
    let principal = kdc.add_principal("reports", &keytab)?;
    let addresses =
        [kafka.address(), kafka.kerberos_address(), principal, keytab.to_string_lossy().into_owned()];
    // The library takes the configuration of Kerberos from the environment of the process.
    let mut program = Command::new(env::current_exe()?);
    program.args(["--exact", test_name, "--nocapture"]).envs(kdc.environment());
    let output = program.env(ADDRESSES, addresses.join(" ")).output()?;
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    Ok(())
}
