// SPDX-License-Identifier: Apache-2.0
//! Reads what a function of the program makes of the bytes of a connection.

use std::{
    io::{self, BufReader},
    net::TcpStream,
};

use dstreams_rdd::{BoxError, Wire};

use crate::receiver::ReceiverHandle;

/// Stores the records that `converter` makes of `stream`, until it gives no more.
pub(crate) fn read<T, I, E>(
    converter: impl Fn(BufReader<TcpStream>) -> I,
    stream: TcpStream,
    handle: &ReceiverHandle<T>,
) -> Result<(), BoxError>
where
    T: Wire,
    I: Iterator<Item = Result<T, E>>,
    E: Into<BoxError>,
{
    for record in converter(BufReader::new(stream)) {
        match record.map_err(Into::into) {
            Ok(record) => handle.store(record)?,
            Err(error) if ends_connection(&error) => return Err(error),
            Err(error) => handle.dead_record(&error.to_string()),
        }
        if handle.is_stopped() {
            break;
        }
    }
    Ok(())
}

/// Whether an error is about the connection and not about what came through it.
fn ends_connection(error: &BoxError) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() != io::ErrorKind::InvalidData)
}
