// SPDX-License-Identifier: Apache-2.0
//! Brokers come up, end as they are told, and come back on the same ports.

use std::{fs, net::TcpStream, process};

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

/// Parent and group of a process.
fn family(process: &str) -> Option<(u32, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before may have spaces in it.
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[test]
fn ctrl_c_at_the_terminal_does_not_reach_a_broker() {
    let Some(_kafka) = Kafka::start_or_skip("ctrl_c_at_the_terminal_does_not_reach_a_broker") else { return };
    let mine = family(&process::id().to_string()).expect("this process runs").1;
    // Other tests have children as well, such as those that format a directory.
    let is_guard = |process: &str| {
        let command = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        command.split('\0').any(|word| word == "kafka-guard")
    };
    let processes = fs::read_dir("/proc").expect("a system with /proc").flatten();
    let names = processes.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let families = names.filter(|process| is_guard(process)).filter_map(|process| family(&process));
    let ours = families.filter(|(parent, _)| *parent == process::id());
    let groups: Vec<u32> = ours.map(|(_, group)| group).collect();
    assert!(!groups.is_empty() && !groups.contains(&mine), "{groups:?} {mine}");
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
