// SPDX-License-Identifier: Apache-2.0
//! Files of frames: a header, frames of about a thousand records, and a last frame that says how many there were.

use std::io::{ErrorKind, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CodecError, Compression, FLAG_END, Frame, HEADER, Header};

/// How a file of records starts; the version follows.
const MAGIC: [u8; 7] = *b"DSTRREC";
const VERSION: u8 = 1;
/// A frame is complete with this many records,
const FRAME_RECORDS: u32 = 1000;
/// or with this many bytes.
const FRAME_BYTES: usize = 256 << 10;

/// Writes records to a file, or to a part of one, in frames.
///
/// Only [`finish`](Self::finish) makes the file complete: one without its end is recognised as torn. The writer
/// makes few and large writes, so it needs no buffer behind it.
///
/// ```
/// use dstreams_rdd::codec::{Compression, FrameReader, FrameWriter};
///
/// let mut writer = FrameWriter::new(Vec::new(), Compression::Lz4)?;
/// writer.append(0..5000_u64)?;
/// let (file, _bytes) = writer.finish()?;
///
/// let mut reader = FrameReader::new(file.as_slice())?;
/// let mut records: Vec<u64> = Vec::new();
/// while reader.read(&mut records)? > 0 {}
/// assert_eq!(records.len(), 5000);
/// # Ok::<(), dstreams_rdd::codec::CodecError>(())
/// ```
#[derive(Debug)]
pub struct FrameWriter<W> {
    writer: W,
    compression: Compression,
    /// The frame in progress, and how many records it has.
    buffer: Vec<u8>,
    records: u32,
    /// The records of all frames before.
    records_written: u64,
    bytes_written: u64,
}

impl<W: Write> FrameWriter<W> {
    /// Writes the header of the file.
    pub fn new(mut writer: W, compression: Compression) -> Result<Self, CodecError> {
        writer.write_all(&MAGIC)?;
        writer.write_all(&[VERSION])?;
        let mut new = Self {
            writer,
            compression,
            buffer: Vec::new(),
            records: 0,
            records_written: 0,
            bytes_written: MAGIC.len() as u64 + 1,
        };
        new.frame().open();
        Ok(new)
    }

    /// Appends records, by reference or by value, and writes the frames that are complete. Returns how many bytes were written.
    ///
    /// After an error the file is not complete and must be given up, except for [`CodecError::Encode`] and
    /// [`CodecError::TooLarge`]: then the records before the one in question are appended.
    pub fn append(&mut self, records: impl IntoIterator<Item = impl Serialize>) -> Result<u64, CodecError> {
        let before = self.bytes_written;
        for record in records {
            let mut frame = self.frame();
            let pushed = frame.push(&record);
            self.records = frame.records;
            pushed?;
            if self.records >= FRAME_RECORDS || self.buffer.len() >= FRAME_BYTES {
                self.write_frame()?;
            }
        }
        Ok(self.bytes_written - before)
    }

    /// Appends a frame that [`encode_chunk`](super::encode_chunk) has made, as it is. Returns how many bytes were written.
    pub fn append_frame(&mut self, frame: &[u8]) -> Result<u64, CodecError> {
        let before = self.bytes_written;
        if self.records > 0 {
            self.write_frame()?;
        }
        let header = frame.first_chunk().ok_or(CodecError::Torn { offset: before })?;
        let header = Header::parse(header, before)?;
        self.writer.write_all(frame)?;
        self.bytes_written += frame.len() as u64;
        self.records_written += u64::from(header.records);
        Ok(self.bytes_written - before)
    }

    /// How many bytes were written so far, not counting the frame in progress.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// Writes the last frame and flushes the writer, which is returned with the length of the file in bytes.
    pub fn finish(mut self) -> Result<(W, u64), CodecError> {
        if self.records > 0 {
            self.write_frame()?;
        }
        self.buffer.extend_from_slice(&self.records_written.to_le_bytes());
        self.frame().seal(FLAG_END);
        self.write_buffer()?;
        self.writer.flush()?;
        Ok((self.writer, self.bytes_written))
    }

    /// The frame in progress.
    fn frame(&mut self) -> Frame<'_> {
        Frame { bytes: &mut self.buffer, start: 0, records: self.records }
    }

    fn write_frame(&mut self) -> Result<(), CodecError> {
        let compression = self.compression;
        self.frame().close(compression);
        self.write_buffer()?;
        self.records_written += u64::from(self.records);
        self.records = 0;
        self.buffer.clear();
        self.frame().open();
        Ok(())
    }

    fn write_buffer(&mut self) -> Result<(), CodecError> {
        self.writer.write_all(&self.buffer)?;
        self.bytes_written += self.buffer.len() as u64;
        Ok(())
    }
}

/// Reads the records that a [`FrameWriter`] wrote, frame by frame.
///
/// It makes two reads per frame and none beyond the end of the last one, so that files may be concatenated.
#[derive(Debug)]
pub struct FrameReader<R> {
    reader: R,
    payload: Vec<u8>,
    /// Where the next frame starts.
    offset: u64,
    records: u64,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Open,
    AtEnd,
    /// An error was returned, and what follows is not known to be a frame.
    Broken,
}

impl<R: Read> FrameReader<R> {
    /// Reads the header of the file.
    pub fn new(mut reader: R) -> Result<Self, CodecError> {
        let mut header = [0; MAGIC.len() + 1];
        read_exact(&mut reader, &mut header, 0)?;
        let [found @ .., version] = header;
        if found != MAGIC {
            return Err(CodecError::WrongMagic { found });
        }
        if version != VERSION {
            return Err(CodecError::UnknownVersion { found: version, known: VERSION });
        }
        let offset = header.len() as u64;
        Ok(Self { reader, payload: Vec::new(), offset, records: 0, state: State::Open })
    }

    /// Appends the records of the next frame to `records` and returns how many these are; 0 at the end.
    ///
    /// The bytes are checked before a record is made of them. On an error `records` is as before, and the reader
    /// does not read on: it returns [`CodecError::Torn`] from then on.
    pub fn read<T: DeserializeOwned>(&mut self, records: &mut Vec<T>) -> Result<usize, CodecError> {
        match self.state {
            State::AtEnd => return Ok(0),
            State::Broken => return Err(CodecError::Torn { offset: self.offset }),
            State::Open => {}
        }
        let result = self.read_frame(records);
        if result.is_err() {
            self.state = State::Broken;
        }
        result
    }

    fn read_frame<T: DeserializeOwned>(&mut self, records: &mut Vec<T>) -> Result<usize, CodecError> {
        let offset = self.offset;
        let mut header = [0; HEADER];
        read_exact(&mut self.reader, &mut header, offset)?;
        let header = Header::parse(&header, offset)?;
        self.payload.clear();
        // The length is not verified yet: memory is allocated only for bytes that are there.
        let read = self.reader.by_ref().take(header.length as u64).read_to_end(&mut self.payload)?;
        if read < header.length {
            return Err(CodecError::Torn { offset });
        }
        header.verify(&self.payload, offset)?;
        if header.flags & FLAG_END != 0 {
            return self.end();
        }
        header.decode(&self.payload, offset, records)?;
        self.offset += (HEADER + header.length) as u64;
        self.records += u64::from(header.records);
        Ok(header.records as usize)
    }

    fn end(&mut self) -> Result<usize, CodecError> {
        let offset = self.offset;
        let expected = self.payload.as_slice().try_into().map(u64::from_le_bytes);
        let expected = expected.map_err(|_| CodecError::Remainder { offset, bytes: self.payload.len() })?;
        if expected != self.records {
            return Err(CodecError::RecordCount { offset, expected, found: self.records });
        }
        self.state = State::AtEnd;
        Ok(0)
    }
}

/// Fills `bytes`, which belong to the frame at `offset`.
fn read_exact(reader: &mut impl Read, bytes: &mut [u8], offset: u64) -> Result<(), CodecError> {
    reader.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => CodecError::Torn { offset },
        _ => CodecError::Io(error),
    })
}
