// SPDX-License-Identifier: Apache-2.0
//! Streams of TCP connections: `InputStreamsSuite` as far as sockets go, reconnection, bad input, stopping.
#![allow(clippy::unwrap_used, reason = "tests")]

mod probe;

use std::{
    io::{BufRead as _, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use dstreams_rdd::codec::{Compression, encode_chunk};
use dstreams_streaming::{
    BoxError, Config, Error, InputInfo, StreamId, StreamingListener, Text,
    event::BatchInfo,
    testing::{Collected, TestContext},
    time::seconds,
};
use parking_lot::Mutex;
use probe::{Heard, listen};

fn server() -> (TcpListener, SocketAddr) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    (server, address)
}

/// A started text stream and the server's end of its connection.
fn connected(config: Config) -> (TestContext, Collected<Text>, Arc<Inputs>, TcpStream) {
    let (server, address) = server();
    let test = TestContext::with(config, seconds(1)).unwrap();
    let seen = test.collect(&test.context().socket_text_stream(&address.to_string()));
    let inputs = Arc::new(Inputs::default());
    test.context().add_listener(Arc::clone(&inputs) as _);
    test.context().start().unwrap();
    let connection = server.accept().unwrap().0;
    (test, seen, inputs, connection)
}

/// The input of each batch that had any.
#[derive(Default)]
struct Inputs(Mutex<Vec<InputInfo>>);

impl Inputs {
    fn dead_records(&self) -> u64 {
        let inputs = self.0.lock();
        inputs.iter().filter_map(|input| input.metadata.get("dead records")?.parse::<u64>().ok()).sum()
    }

    fn records(&self) -> u64 {
        self.0.lock().iter().map(|input| input.records).sum()
    }
}

impl StreamingListener for Inputs {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.0.lock().extend(batch.inputs.get(&StreamId(0)).cloned());
    }
}

#[test]
fn socket_input_stream() {
    let (test, seen, inputs, mut connection) = connected(Config::default());
    for line in 1..=5 {
        writeln!(connection, "{line}").unwrap();
    }
    test.run_until(|| seen.batches().concat().len() == 5).unwrap();
    test.stop();
    assert_eq!(seen.batches().concat(), ["1", "2", "3", "4", "5"]);
    assert_eq!(inputs.records(), 5);
}

#[test]
fn every_line_end_is_one_and_the_last_line_needs_none() {
    let (test, seen, _, mut connection) = connected(Config::default());
    connection.write_all("a\nb\rc\r\n\r\nd é".as_bytes()).unwrap();
    drop(connection);
    test.run_until(|| seen.batches().concat().len() == 5).unwrap();
    assert_eq!(seen.batches().concat(), ["a", "b", "c", "", "d é"]);
}

#[test]
fn a_server_that_closes_is_connected_to_again() {
    let (server, address) = server();
    let test = TestContext::new().unwrap();
    let heard = listen(test.context());
    let seen = test.collect(&test.context().socket_text_stream(&address.to_string()));
    test.context().start().unwrap();
    thread::scope(|threads| {
        threads.spawn(|| {
            for line in ["first", "second", "third"] {
                writeln!(server.accept().unwrap().0, "{line}").unwrap();
            }
        });
        test.run_until(|| seen.batches().concat().len() == 3).unwrap();
    });
    assert_eq!(seen.batches().concat(), ["first", "second", "third"]);
    assert!(heard.next_stopped().name == "SocketReceiver-0");
}

#[test]
fn a_port_that_refuses_is_reported_and_tried_again() {
    let (server, address) = server();
    drop(server);
    let test = TestContext::new().unwrap();
    let heard = listen(test.context());
    let seen = test.collect(&test.context().socket_text_stream(&address.to_string()));
    test.context().start().unwrap();
    let failed = heard.next_stopped();
    let expected = format!("Error connecting to {address}: ");
    assert!(failed.last_error_message.contains(&expected), "{failed:?}");
    assert!(failed.last_error.contains("refused"), "{failed:?}");

    let server = TcpListener::bind(address).unwrap();
    thread::scope(|threads| {
        threads.spawn(|| server.accept().unwrap().0.write_all(b"at last\n").unwrap());
        test.run_until(|| !seen.batches().concat().is_empty()).unwrap();
    });
    assert_eq!(seen.batches().concat(), ["at last"]);
    // Events follow what they tell of; the next start may come after the records.
    while !heard.next().is_started() {}
}

#[test]
fn what_is_no_utf8_is_counted() {
    // INVARIANT 4
    let (test, seen, inputs, mut connection) = connected(Config::default());
    connection.write_all(b"good\nb\xffd\n\xc3\nalso good\n").unwrap();
    test.run_until(|| seen.batches().concat().len() == 2 && inputs.dead_records() == 2).unwrap();
    assert_eq!(seen.batches().concat(), ["good", "also good"]);
}

#[test]
fn a_line_that_is_too_long_is_counted() {
    // INVARIANT 4
    let mut config = Config::default();
    config.set("dstreams.socket.maxLineLength", "10").unwrap();
    let (test, seen, inputs, mut connection) = connected(config);
    connection.write_all(b"0123456789\n0123456789x\n").unwrap();
    connection.write_all(&vec![b'x'; 1 << 20]).unwrap();
    connection.write_all(b"\nshort\n").unwrap();
    test.run_until(|| seen.batches().concat().len() == 2 && inputs.dead_records() == 2).unwrap();
    assert_eq!(seen.batches().concat(), ["0123456789", "short"]);
}

#[test]
fn a_stop_does_not_wait_for_a_read() {
    for graceful in [false, true] {
        let (test, _seen, _, mut connection) = connected(Config::default());
        if graceful {
            test.stop();
        } else {
            test.context().stop().unwrap();
        }
        // The clock stands still: nothing can have timed out. And the server sees the end.
        assert_eq!(connection.read(&mut [0; 1]).unwrap(), 0);
    }
}

#[test]
fn a_stop_does_not_wait_for_a_sender_that_never_ends() {
    for graceful in [false, true] {
        let (test, seen, _, mut connection) = connected(Config::default());
        let sending = thread::spawn(move || while connection.write_all(b"more and more\n").is_ok() {});
        test.run_until(|| !seen.batches().concat().is_empty()).unwrap();
        if graceful {
            test.stop();
        } else {
            test.context().stop().unwrap();
        }
        sending.join().unwrap();
        assert!(seen.batches().concat().iter().all(|line| line == "more and more"));
    }
}

#[test]
fn a_stop_does_not_wait_for_a_store() {
    let mut config = Config::default();
    config.set("spark.streaming.receiver.maxRate", "1").unwrap();
    let (test, _seen, _, mut connection) = connected(config);
    connection.write_all(b"first\nsecond\nthird\n").unwrap();
    // The batch timer, the block timer, and the thread that stores: it waits for the rate limit.
    test.clock().await_waiters(3);
    test.context().stop().unwrap();
}

#[test]
fn an_address_that_makes_no_sense_is_an_error_at_the_start() {
    let test = TestContext::new().unwrap();
    let _seen = test.collect(&test.context().socket_text_stream("localhost"));
    let error = test.context().start().unwrap_err();
    assert!(
        matches!(&error, Error::IllegalArgument(why) if why.contains("`localhost` is not an address")),
        "{error}"
    );
}

#[test]
fn a_converter_makes_records_of_bytes() {
    let (server, address) = server();
    let test = TestContext::new().unwrap();
    let inputs = Arc::new(Inputs::default());
    test.context().add_listener(Arc::clone(&inputs) as _);
    let numbers = test.context().socket_stream(&address.to_string(), |bytes| {
        bytes.split(b',').map(|part| Ok::<i32, BoxError>(String::from_utf8(part?)?.parse()?))
    });
    let seen = test.collect(&numbers);
    test.context().start().unwrap();
    server.accept().unwrap().0.write_all(b"1,2,x,\xff,3").unwrap();
    test.run_until(|| seen.batches().concat().len() == 3 && inputs.dead_records() == 2).unwrap();
    assert_eq!(seen.batches().concat(), [1, 2, 3]);
}

#[test]
fn raw_blocks_are_stored_as_they_come() {
    let (server, address) = server();
    let test = TestContext::new().unwrap();
    let heard = listen(test.context());
    let stream = test.context().raw_socket_stream::<(Text, u64)>(&address.to_string());
    let partitions = test.collect(&stream.glom());
    test.context().start().unwrap();
    let mut connection = server.accept().unwrap().0;
    let mut send = |frame: &[u8]| {
        connection.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
        connection.write_all(frame).unwrap();
    };
    let mut block = Vec::new();
    encode_chunk([(Text::from("a"), 1u64), (Text::from("b"), 2)], Compression::None, &mut block).unwrap();
    send(&block);
    encode_chunk([(Text::from("c"), 3u64)], Compression::Lz4, &mut block).unwrap();
    send(&block);
    test.run_until(|| partitions.batches().concat().len() == 2).unwrap();
    let sizes: Vec<usize> = partitions.batches().concat().iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 3]);

    send(b"this is no block of records");
    let _started = heard.next();
    let Heard::Error(error) = heard.next() else { panic!("not reported") };
    assert!(error.last_error_message.contains("Error reading a block"), "{error:?}");
    assert!(!heard.next_stopped().last_error.is_empty());
}

#[test]
fn a_raw_frame_that_cannot_be_meant_is_not_waited_for() {
    let (server, address) = server();
    let test = TestContext::new().unwrap();
    let heard = listen(test.context());
    let _seen = test.collect(&test.context().raw_socket_stream::<u8>(&address.to_string()));
    test.context().start().unwrap();
    let mut connection = server.accept().unwrap().0;
    connection.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let stopped = heard.next_stopped();
    assert!(stopped.last_error.contains("is longer than"), "{stopped:?}");
}
