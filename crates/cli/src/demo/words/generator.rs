// SPDX-License-Identifier: Apache-2.0
//! The demo's text: a thread that sends lines over a loopback TCP socket at a steady rate.

use std::{
    error::Error,
    io::{self, BufWriter, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use dstreams::{
    streaming::clock::{Clock, StopFlag, SystemClock},
    time::milliseconds,
};

/// How often the generator writes, in milliseconds.
const TICK: i64 = 10;

/// Words by rank; word number n is sent about 1/n as often as the first.
const WORDS: [&str; 48] = [
    "the",
    "stream",
    "of",
    "batch",
    "and",
    "a",
    "to",
    "data",
    "in",
    "is",
    "window",
    "state",
    "that",
    "record",
    "it",
    "for",
    "count",
    "source",
    "on",
    "with",
    "as",
    "sink",
    "every",
    "partition",
    "interval",
    "by",
    "from",
    "reduce",
    "key",
    "at",
    "receiver",
    "or",
    "task",
    "map",
    "shuffle",
    "block",
    "checkpoint",
    "driver",
    "offset",
    "lineage",
    "executor",
    "latency",
    "exactly",
    "once",
    "backpressure",
    "discretized",
    "commit",
    "replay",
];

/// Sends generated lines to whoever connects.
pub(crate) struct Generator {
    address: SocketAddr,
    stopping: StopFlag,
    /// Set when nobody needs the listener any more; a connection from ourselves then wakes it.
    closed: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<u64>>,
}

impl Generator {
    /// Listens on a free loopback port and sends `rate` lines per second to the one who connects.
    pub(crate) fn listen(rate: u64) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (stopping, closed) = (StopFlag::new(), Arc::new(AtomicBool::new(false)));
        let thread = thread::Builder::new().name("generator".to_owned()).spawn({
            let (stopping, closed) = (stopping.clone(), Arc::clone(&closed));
            move || {
                let (connection, _) = listener.accept()?;
                if closed.load(Ordering::Acquire) { Ok(0) } else { send_lines(connection, rate, &stopping) }
            }
        })?;
        Ok(Self { address, stopping, closed, thread })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops to send, waits until the other side has read everything, and says how many lines that was.
    pub(crate) fn finish(self) -> Result<u64, Box<dyn Error>> {
        self.stopping.raise();
        self.closed.store(true, Ordering::Release);
        if !self.thread.is_finished() {
            // Wakes an accept that nobody has answered. When the stream is connected, this one is never accepted.
            drop(TcpStream::connect(self.address));
        }
        let sent = self.thread.join().map_err(|_| "the generator panicked")?;
        Ok(sent?)
    }
}

fn send_lines(connection: TcpStream, rate: u64, stopping: &StopFlag) -> io::Result<u64> {
    let clock = SystemClock;
    let mut writer = BufWriter::with_capacity(1 << 16, connection);
    let mut random = Random(SEED);
    let mut line = String::new();
    let (started, mut sent) = (clock.now(), 0);
    while !stopping.is_raised() {
        let elapsed = u64::try_from((clock.now() - started).as_millis()).unwrap_or(0);
        let due = rate * elapsed / 1000;
        while sent < due && !stopping.is_raised() {
            random.line(&mut line);
            writer.write_all(line.as_bytes())?;
            sent += 1;
        }
        writer.flush()?;
        if clock.sleep(milliseconds(TICK), stopping) == dstreams::streaming::clock::Waited::Stopped {
            break;
        }
    }
    writer.flush()?;
    let mut connection = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    connection.shutdown(Shutdown::Write)?;
    // The receiver closes its end when it has read the last line; a reset says the same.
    let _ = connection.read(&mut [0]);
    Ok(sent)
}

/// Lines of the same text as that of a generator, without their ends.
#[cfg(feature = "kafka")]
pub(crate) struct Lines {
    random: Random,
    line: String,
}

#[cfg(feature = "kafka")]
impl Default for Lines {
    fn default() -> Self {
        Self { random: Random(SEED), line: String::new() }
    }
}

#[cfg(feature = "kafka")]
impl Lines {
    pub(crate) fn next_line(&mut self) -> &str {
        self.random.line(&mut self.line);
        self.line.trim_end()
    }
}

/// Where the numbers begin.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Xorshift: the same text in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A line of eight to fifteen words.
    fn line(&mut self, line: &mut String) {
        line.clear();
        for _ in 0..8 + self.next() % 8 {
            // The logarithm of the rank is uniform, which makes frequency fall with rank as in natural text.
            let uniform = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
            let rank = (WORDS.len() as f64).powf(uniform) - 1.0;
            line.push_str(
                WORDS.iter().enumerate().take_while(|(n, _)| *n as f64 <= rank).last().map_or("the", |w| w.1),
            );
            line.push(' ');
        }
        line.pop();
        line.push('\n');
    }
}
