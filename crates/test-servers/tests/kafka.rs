// SPDX-License-Identifier: Apache-2.0
//! Brokers come up, end as they are told, and come back on the same ports.

use std::net::TcpStream;

use dstreams_test_servers::{Kafka, KafkaDaemon, KafkaStatus};

#[test]
fn a_broker_that_was_stopped_or_killed_comes_back_on_the_same_ports() {
    let Some(mut kafka) = Kafka::start_or_skip("a_broker_that_was_stopped_or_killed_comes_back") else {
        return;
    };
    let (plain, sasl) = (kafka.address(), kafka.sasl_address());
    for end in [Kafka::stop, Kafka::kill] {
        assert!(TcpStream::connect(&plain).is_ok() && TcpStream::connect(&sasl).is_ok());
        end(&mut kafka);
        assert!(TcpStream::connect(&plain).is_err());
        kafka.resume().expect("it has been started before");
        assert_eq!((kafka.address(), kafka.sasl_address()), (plain.clone(), sasl.clone()));
    }
    assert!(TcpStream::connect(&plain).is_ok());
}

#[test]
fn a_daemon_is_found_by_its_directory_until_it_is_stopped() {
    if Kafka::shared_or_skip("a_daemon_is_found_by_its_directory_until_it_is_stopped").is_none() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory").path().join("daemon");
    let daemon = KafkaDaemon::at(&directory);
    assert_eq!(daemon.status(), KafkaStatus::Stopped);
    let started = daemon.start(None).expect("what it takes is installed");
    assert_ne!(started, KafkaStatus::Stopped);
    assert_eq!(daemon.start(None).expect("it runs"), started);
    assert_eq!(KafkaDaemon::at(&directory).status(), started);
    daemon.stop().expect("it runs");
    assert_eq!(daemon.status(), KafkaStatus::Stopped);
    assert!(!directory.exists());
}
