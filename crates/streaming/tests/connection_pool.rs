// SPDX-License-Identifier: Apache-2.0
//! Connections from a pool: opened late, used again, closed in time, never more than allowed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use dstreams_streaming::{
    ConnectionPool, PoolError, RddContext,
    clock::ManualClock,
    config::Config,
    testing::TestContext,
    time::{Duration, Time, milliseconds, minutes, seconds},
};
use parking_lot::Mutex;

/// A server that counts its connections and keeps what they send.
#[derive(Clone, Default)]
struct Server {
    opened: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    received: Arc<Mutex<Vec<u32>>>,
}

/// A connection to a [`Server`], with its number from 1.
struct Connection {
    number: usize,
    server: Server,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.server.closed.fetch_add(1, Ordering::SeqCst);
    }
}

impl Server {
    fn connect(&self) -> Connection {
        Connection { number: self.opened.fetch_add(1, Ordering::SeqCst) + 1, server: self.clone() }
    }

    fn pool(&self) -> ConnectionPool<Connection> {
        let server = self.clone();
        ConnectionPool::new(move || Ok::<_, io::Error>(server.connect()))
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }

    fn received(&self) -> Vec<u32> {
        let mut received = self.received.lock().clone();
        received.sort_unstable();
        received
    }
}

/// A context that tries each task `attempts` times.
fn context(attempts: usize) -> TestContext {
    let options = dstreams_rdd::RddOptions {
        threads: 2,
        max_task_failures: attempts,
        ..dstreams_rdd::RddOptions::default()
    };
    TestContext::on(RddContext::new(options).unwrap(), Config::default(), seconds(1)).unwrap()
}

#[test]
fn connections_are_opened_when_there_is_something_to_send_and_used_by_all_batches() {
    let (test, server) = (context(1), Server::default());
    let pool = server.pool();
    let batches = vec![vec![], vec![1, 2], vec![3], vec![]].into_iter().map(Some).collect();
    test.input_with(batches, 1).for_each_partition_with(&pool, |connection, records| {
        connection.server.received.lock().extend(records);
        Ok::<(), io::Error>(())
    });
    test.run(1).unwrap();
    assert_eq!(server.opened(), 0);
    test.run(3).unwrap();
    assert_eq!([server.opened(), server.closed()], [1, 0]);
    assert_eq!(server.received(), [1, 2, 3]);
}

#[test]
fn records_know_their_batch_and_partition() {
    let (test, server) = (context(1), Server::default());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    test.input(vec![vec![1, 2], vec![3]]).for_each_partition_with(&server.pool(), move |_, records| {
        let key = (records.batch_time().as_millis(), records.partition_id());
        sink.lock().push((key, records.collect::<Vec<i32>>()));
        Ok::<(), io::Error>(())
    });
    test.run(2).unwrap();
    let mut seen = seen.lock().clone();
    seen.sort();
    assert_eq!(seen, [((1_000, 0), vec![1]), ((1_000, 1), vec![2]), ((2_000, 1), vec![3])]);
}

/// Fails the first attempt as told; the second gets through.
fn send_with_failure(
    fail: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) -> (Server, ConnectionPool<Connection>) {
    let (test, server) = (context(2), Server::default());
    let pool = server.pool();
    let input = test.input_with(vec![Some(vec![1, 2])], 1);
    input.for_each_partition_with(&pool, move |connection, records| {
        if connection.number == 1 {
            fail()?;
        }
        connection.server.received.lock().extend(records);
        Ok::<(), io::Error>(())
    });
    test.run(1).unwrap();
    (server, pool)
}

#[test]
fn a_connection_that_failed_is_closed() {
    let (server, pool) = send_with_failure(|| Err(io::ErrorKind::BrokenPipe.into()));
    assert_eq!([server.opened(), server.closed(), pool.open_connections()], [2, 1, 1]);
    assert_eq!(server.received(), [1, 2]);
}

#[test]
fn a_connection_whose_task_panicked_is_closed() {
    let (server, pool) = send_with_failure(|| panic!("on purpose"));
    assert_eq!([server.opened(), server.closed(), pool.open_connections()], [2, 1, 1]);
    assert_eq!(server.received(), [1, 2]);
}

#[test]
fn a_guard_dropped_by_a_panic_closes_its_connection() {
    let server = Server::default();
    let pool = server.pool();
    let panicking = pool.clone();
    let thread = thread::spawn(move || {
        let _connection = panicking.get().unwrap();
        panic!("on purpose");
    });
    assert!(thread.join().is_err());
    assert_eq!([server.closed(), pool.open_connections()], [1, 0]);
}

#[test]
fn connections_are_closed_after_their_idle_time() {
    let (clock, server) = (Arc::new(ManualClock::new(Time::ZERO)), Server::default());
    let pool = server.pool().idle_timeout(minutes(5)).clock(clock.clone());
    let (first, second) = (pool.get().unwrap(), pool.get().unwrap());
    drop(first);
    clock.advance(minutes(3));
    drop(second);
    clock.advance(minutes(2) - milliseconds(1));
    pool.close_idle();
    assert_eq!([server.closed(), pool.idle_connections()], [0, 2]);
    clock.advance(milliseconds(1));
    assert_eq!(pool.get().unwrap().number, 2, "the first was idle for too long");
    assert_eq!([server.closed(), pool.open_connections()], [1, 1]);
}

#[test]
fn an_empty_batch_closes_idle_connections_too() {
    let (test, server) = (context(1), Server::default());
    let clock = Arc::clone(test.clock());
    let pool = server.pool().idle_timeout(seconds(2)).clock(clock);
    let input = test.input_with(vec![Some(vec![1])], 1);
    input.for_each_partition_with(&pool, |_, records| {
        drop(records);
        Ok::<(), io::Error>(())
    });
    test.run(2).unwrap();
    assert_eq!(server.closed(), 0);
    test.run(1).unwrap();
    assert_eq!(server.closed(), 1);
}

#[test]
fn an_idle_connection_that_is_dead_is_replaced() {
    let server = Server::default();
    let pool = server.pool().check(|connection| connection.number > 1);
    assert_eq!(pool.get().unwrap().number, 1);
    assert_eq!(pool.get().unwrap().number, 2);
    assert_eq!(pool.get().unwrap().number, 2);
    assert_eq!(pool.open_connections(), 1);
}

#[test]
fn there_are_never_more_connections_than_allowed() {
    const MOST: usize = 3;
    let (server, in_use, most_in_use) = (Server::default(), AtomicUsize::new(0), AtomicUsize::new(0));
    let pool = server.pool().max_size(MOST).wait_timeout(minutes(1));
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for round in 0..200 {
                    let connection = pool.get().unwrap();
                    most_in_use.fetch_max(in_use.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    in_use.fetch_sub(1, Ordering::SeqCst);
                    if round % 10 == 0 {
                        connection.discard();
                    }
                }
            });
        }
    });
    assert!((1..=MOST).contains(&most_in_use.load(Ordering::SeqCst)));
    assert_eq!(pool.open_connections(), server.opened() - server.closed());
    assert_eq!(pool.open_connections(), pool.idle_connections());
}

#[test]
fn who_waits_gets_the_connection_that_is_returned() {
    let (clock, server) = (Arc::new(ManualClock::new(Time::ZERO)), Server::default());
    let pool = server.pool().max_size(1).clock(clock.clone());
    let connection = pool.get().unwrap();
    let waiting = pool.clone();
    let waiter = thread::spawn(move || waiting.get().map(|connection| connection.number));
    clock.await_waiters(1);
    drop(connection);
    assert_eq!(waiter.join().unwrap().unwrap(), 1);
}

#[test]
fn who_waits_for_too_long_gets_an_error() {
    let (clock, server) = (Arc::new(ManualClock::new(Time::ZERO)), Server::default());
    let pool = server.pool().max_size(1).wait_timeout(seconds(5)).clock(clock.clone());
    let _connection = pool.get().unwrap();
    let waiting = pool.clone();
    let waiter = thread::spawn(move || waiting.get().map(|connection| connection.number));
    clock.await_waiter_for(Time::from_millis(5_000));
    clock.advance(seconds(5));
    let expected = Duration::from_millis(5_000);
    assert!(
        matches!(waiter.join().unwrap(), Err(PoolError::Exhausted { max_size: 1, waited }) if waited == expected)
    );
}

#[test]
fn a_failure_to_connect_leaves_room_for_the_next_attempt() {
    let attempts = AtomicUsize::new(0);
    let connect = move || match attempts.fetch_add(1, Ordering::SeqCst) {
        0 => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
        number => Ok(number),
    };
    let pool = ConnectionPool::new(connect).max_size(1).wait_timeout(Duration::ZERO);
    assert!(matches!(pool.get(), Err(PoolError::Connect(_))));
    assert_eq!(*pool.get().unwrap(), 1);
}

#[test]
fn an_output_tries_three_times_to_connect() {
    let clock = Arc::new(ManualClock::new(Time::ZERO));
    let attempts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&attempts);
    let connect = move || match counter.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
        number => Ok(number),
    };
    let pool = ConnectionPool::new(connect).clock(clock.clone());
    let test = context(1);
    let input = test.input_with(vec![Some(vec![1])], 1);
    input.for_each_partition_with(&pool, |_, records| {
        assert_eq!(records.count(), 1);
        Ok::<(), io::Error>(())
    });
    thread::scope(|threads| {
        threads.spawn(|| {
            for millis in [100, 300] {
                clock.await_waiter_for(Time::from_millis(millis));
                clock.set(Time::from_millis(millis));
            }
        });
        test.run(1).unwrap();
    });
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
}
