// SPDX-License-Identifier: Apache-2.0
//! Reads the lines of a connection.

use std::{io, net::TcpStream};

use dstreams_rdd::{
    BoxError, Text,
    text::{InvalidUtf8, LineBlock, LineOptions, LineSplitter},
};

use crate::{
    config::{Config, keys},
    error::Result,
    receiver::ReceiverHandle,
};

/// How much is read at once at most.
const READ: usize = 128 << 10;

/// What the configuration says of lines.
pub(crate) fn options(config: &Config) -> LineOptions {
    let max_line_bytes = config.get(&keys::SOCKET_MAX_LINE_LENGTH).as_usize();
    LineOptions { max_line_bytes, invalid_utf8: InvalidUtf8::Reject }
}

/// Stores the lines of `stream` until its end. The last one needs no line end; what is cut short because the
/// receiver is stopped is no line.
pub(crate) fn read(
    mut stream: TcpStream,
    options: LineOptions,
    handle: &ReceiverHandle<Text>,
) -> Result<(), BoxError> {
    let mut lines = Vec::new();
    let mut splitter = LineSplitter::new(options);
    loop {
        let read = match splitter.read_from(&mut stream, READ) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        store(&splitter.take(), &mut lines, handle)?;
        if handle.is_stopped() {
            return Ok(());
        }
        if read == 0 {
            return Ok(store(&splitter.finish(), &mut lines, handle)?);
        }
    }
}

fn store(block: &LineBlock, lines: &mut Vec<Text>, handle: &ReceiverHandle<Text>) -> Result<()> {
    for error in block.errors() {
        handle.dead_record(&error.to_string());
    }
    block.append_to(lines);
    handle.store_many(lines)
}
