// SPDX-License-Identifier: Apache-2.0
//! Reads whole blocks from a connection: frames of a length and the encoded records.

use std::{
    io::{self, ErrorKind, Read},
    net::TcpStream,
};

use dstreams_rdd::{BoxError, Wire, codec::decode_chunk};

use crate::receiver::ReceiverHandle;

/// Stores each frame of `stream` as one block, until its end. A frame of more than `longest` bytes cannot be meant.
pub(crate) fn read<T: Wire>(
    mut stream: TcpStream,
    longest: usize,
    handle: &ReceiverHandle<T>,
) -> Result<(), BoxError> {
    while let Some(frame) = read_frame(&mut stream, longest).transpose() {
        let records = frame.and_then(|frame| {
            let (mut records, mut decoded) = (Vec::new(), 0);
            while decoded < frame.len() {
                decoded += decode_chunk(&frame[decoded..], &mut records)?;
            }
            Ok(records)
        });
        match records {
            _ if handle.is_stopped() => break,
            Ok(records) => handle.store_block(records).map(drop)?,
            Err(error) => {
                if !error.is::<io::Error>() {
                    handle.report_error("Error reading a block from the socket", error.to_string());
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

/// The bytes of the next frame; nothing at the end of the stream.
fn read_frame(stream: &mut impl Read, longest: usize) -> Result<Option<Vec<u8>>, BoxError> {
    let mut length = [0; 4];
    let mut read = 0;
    while read < length.len() {
        match stream.read(&mut length[read..]) {
            Ok(0) if read == 0 => return Ok(None),
            Ok(0) => return Err("the stream ends within the length of a frame".into()),
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = u32::from_be_bytes(length);
    if length as usize > longest {
        return Err(format!(
            "a frame of {length} bytes is longer than the memory for blocks, {longest} bytes"
        )
        .into());
    }
    // Memory is taken as the bytes come, not as the length promises.
    let mut frame = Vec::new();
    let came = stream.take(u64::from(length)).read_to_end(&mut frame)?;
    if came < length as usize {
        let error = format!("the stream ends after {came} of the {length} bytes of a frame");
        return Err(io::Error::new(ErrorKind::UnexpectedEof, error).into());
    }
    Ok(Some(frame))
}
