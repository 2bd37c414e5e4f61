// SPDX-License-Identifier: Apache-2.0
//! Addresses of all kinds, and servers without TLS.
#![allow(clippy::unwrap_used, reason = "tests")]

use dstreams_https::{AddressError, advice, agent};
use dstreams_test_servers::{SchemaRegistryServer, TlsFront};
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};
use ureq::Agent;

#[test]
fn an_address_is_one_of_http_or_https() {
    for good in ["http://h:1/p", "https://h", "HTTPS://h"] {
        assert!(agent(good, Agent::config_builder()).is_ok(), "{good}");
    }
    for bad in ["", "registry:8081", "ftp://h", "https:/h", "//h"] {
        assert_eq!(agent(bad, Agent::config_builder()).err(), Some(AddressError), "{bad}");
    }
}

#[test]
fn a_plain_server_that_sends_on_to_tls_is_an_error_with_advice() {
    let registry = SchemaRegistryServer::start().unwrap();
    let Some(front) = TlsFront::start_or_skip("sending on", &registry.url()) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/schemas/ids/1", listener.local_addr().unwrap());
    let elsewhere = format!("{}/schemas/ids/1", front.url());
    let server = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let _ = connection.read(&mut [0; 4096]).unwrap();
        write!(connection, "HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    });
    let error = agent(&url, Agent::config_builder()).unwrap().get(&url).call().unwrap_err();
    server.join().unwrap();
    assert!(advice(&url, &error).unwrap().contains("https://"), "{error}");
    assert_eq!(registry.requests(), 0);
}
