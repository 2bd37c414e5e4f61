// SPDX-License-Identifier: Apache-2.0
//! Streams of TCP connections: InputStreamsSuite as far as sockets go, reconnection, bad input, stopping.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{io::Write as _, net::TcpListener};

use dstreams_streaming::testing::TestContext;

#[test]
fn socket_input_stream() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let test = TestContext::new().unwrap();
    let lines = test.context().socket_text_stream(&server.local_addr().unwrap().to_string());
    let seen = test.collect(&lines);
    test.context().start().unwrap();
    let (mut connection, _) = server.accept().unwrap();
    for line in 1..=5 {
        writeln!(connection, "{line}").unwrap();
    }
    test.run_until(|| seen.batches().concat().len() == 5).unwrap();
    assert_eq!(seen.batches().concat(), ["1", "2", "3", "4", "5"]);
}
