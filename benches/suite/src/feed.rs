// SPDX-License-Identifier: Apache-2.0
//! The process that sends lines to a socket: as fast as they are taken, or at a rate. Each line begins with the time at
//! which it was due, so that a receiver that is late shows.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use dstreams_bench_kit::{Arguments, Result, now, text};

/// Where the time stands in a line: `@` and 19 digits.
const STAMP: usize = 20;

/// Lines that are sent at once, where there is no rate.
const BURST: u64 = 1_000;

/// Bursts of a second, where there is one.
const BURSTS_PER_SECOND: u64 = 1_000;

/// How many lines are sent in all: so many batches, or at a given rate for so many seconds.
pub(crate) fn lines(arguments: &Arguments) -> u64 {
    let total = arguments.total() as u64;
    if arguments.rate > 0 {
        // As whole bursts.
        arguments.rate.div_ceil(BURSTS_PER_SECOND) * BURSTS_PER_SECOND * total
    } else {
        arguments.scaled(text::LINES).next_multiple_of(1_000) as u64 * total
    }
}

/// The feeder as a child of this process, which waits for a connection.
pub(crate) struct Feeder {
    child: Child,
    pub(crate) address: String,
}

impl Feeder {
    pub(crate) fn start(arguments: &Arguments) -> Result<Self> {
        let mut command = Command::new(&arguments.feeder);
        command.arg("feed").arg(&arguments.system);
        command.arg("--data").arg(&arguments.data);
        for (name, value) in [
            ("--scale", arguments.scale.to_string()),
            ("--warm", arguments.warm.to_string()),
            ("--batches", arguments.batches.to_string()),
            ("--rate", arguments.rate.to_string()),
        ] {
            command.args([name, &value]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let stdout = child.stdout.take().ok_or("the feeder has no output")?;
        BufReader::new(stdout).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().to_owned() })
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        let _it_may_have_ended = self.child.kill();
        let _it_may_have_ended = self.child.wait();
    }
}

/// Prints the address, sends all lines to the first who connects, and waits until that one goes away.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut block = Vec::new();
    for line in text::batches(arguments, text::LINES)?.swap_remove(0) {
        // The stamp takes the place of the first words, up to a blank.
        let rest = line.get(STAMP..).unwrap_or_default();
        block.extend_from_slice(&[b'@'; STAMP]);
        block.push(b' ');
        block.extend_from_slice(rest.trim_start().as_bytes());
        block.push(b'\n');
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    send(arguments, &mut stream, &mut block)?;
    // Nothing comes, but an end.
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn send(arguments: &Arguments, stream: &mut TcpStream, block: &mut [u8]) -> Result<()> {
    let total = lines(arguments);
    let burst = if arguments.rate > 0 { arguments.rate.div_ceil(BURSTS_PER_SECOND) } else { BURST };
    let mut starts: Vec<usize> =
        block.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    let begun = now();
    let (mut sent, mut next) = (0, 0);
    while sent < total {
        let due = if arguments.rate > 0 {
            begun + sent / burst * (1_000_000_000 / BURSTS_PER_SECOND)
        } else {
            now()
        };
        wait_until(due);
        let stamp = format!("@{due:019}");
        let mut left = burst;
        while left > 0 {
            // Up to the end of the block, after which it begins anew.
            let lines = usize::try_from(left)?.min(starts.len() - 1 - next);
            for start in &starts[next..next + lines] {
                block[*start..*start + STAMP].copy_from_slice(stamp.as_bytes());
            }
            stream.write_all(&block[starts[next]..starts[next + lines]])?;
            next = (next + lines) % (starts.len() - 1);
            left -= lines as u64;
        }
        sent += burst;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "lines are due in real time")]
fn wait_until(due: u64) {
    if let Some(left) = due.checked_sub(now()) {
        std::thread::sleep(Duration::from_nanos(left));
    }
}
