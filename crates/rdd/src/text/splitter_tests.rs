// SPDX-License-Identifier: Apache-2.0
//! The line splitter compared with a model that sees the whole stream at once.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{InvalidUtf8, LineBlock, LineError, LineOptions, LineSplitter, Text};

/// The lines and errors of a stream whose pieces end where `pieces` do.
fn split(pieces: &[&[u8]], read: usize, options: LineOptions) -> (Vec<Text>, Vec<LineError>) {
    let mut splitter = LineSplitter::new(options);
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    let mut keep = |block: LineBlock| {
        block.append_to(&mut lines);
        errors.extend_from_slice(block.errors());
    };
    for (index, piece) in pieces.iter().enumerate() {
        match index % 3 {
            0 => splitter.push(piece),
            1 => splitter.push_vec(piece.to_vec()),
            _ => {
                let mut rest: &[u8] = piece;
                while splitter.read_from(&mut rest, read).expect("reading from memory") > 0 {}
            }
        }
        // Lines are not always taken at once.
        if index % 2 == 0 {
            keep(splitter.take());
        }
    }
    keep(splitter.finish());
    (lines, errors)
}

/// The same, written for clarity and for a stream that is known as a whole.
fn model(stream: &[u8], options: LineOptions) -> (Vec<String>, Vec<LineError>) {
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < stream.len() {
        let end = (at..stream.len()).find(|&i| b"\r\n".contains(&stream[i])).unwrap_or(stream.len());
        let line = &stream[at..end];
        if line.len() > options.max_line_bytes {
            errors.push(LineError::TooLong { offset: at as u64, skipped: line.len() as u64 });
        } else {
            match (str::from_utf8(line), options.invalid_utf8) {
                (Err(error), InvalidUtf8::Reject) => {
                    errors.push(LineError::InvalidUtf8 { offset: (at + error.valid_up_to()) as u64 });
                }
                _ => lines.push(String::from_utf8_lossy(line).into_owned()),
            }
        }
        at = end + if stream[end..].starts_with(b"\r\n") { 2 } else { 1 };
    }
    (lines, errors)
}

#[test]
fn a_carriage_return_ends_its_line_at_once() {
    let mut splitter = LineSplitter::new(LineOptions::default());
    splitter.push(b"a\r");
    assert_eq!(splitter.complete_lines(), 1);
    splitter.push(b"\n\nb");
    assert_eq!(splitter.finish().lines().collect::<Vec<_>>(), ["a", "", "b"]);
}

#[test]
fn a_line_feed_after_a_taken_carriage_return_is_no_line() {
    let (lines, errors) = split(&[b"a\r", b"", b"\nb\r", b"\r", b"\n"], 5, LineOptions::default());
    assert_eq!(lines, ["a", "b", ""]);
    assert_eq!(errors, []);
}

#[test]
fn memory_is_bounded_while_a_line_is_too_long() {
    let mut splitter = LineSplitter::new(LineOptions { max_line_bytes: 100, ..LineOptions::default() });
    for _ in 0..10_000 {
        splitter.push(&[b'x'; 64]);
        assert!(splitter.buffer.capacity() < 1000);
    }
    splitter.push(b"\nnext");
    let block = splitter.finish();
    assert_eq!(block.errors(), [LineError::TooLong { offset: 0, skipped: 640_000 }]);
    assert_eq!(block.lines().collect::<Vec<_>>(), ["next"]);
}

#[test]
fn a_few_lines_do_not_keep_the_read_buffer() {
    let mut splitter = LineSplitter::new(LineOptions::default());
    let mut stream: &[u8] = b"a line that is longer than what fits inline\nand";
    assert_eq!(splitter.read_from(&mut stream, 1 << 16).expect("reading from memory"), 47);
    let lines: Vec<Text> = splitter.take().lines().collect();
    assert!(lines[0].0.block_len() < 100);
}

#[test]
fn a_stream_that_comes_in_small_pieces_is_read_into_one_buffer() {
    let mut splitter = LineSplitter::new(LineOptions::default());
    let mut buffers = Vec::new();
    for _ in 0..100 {
        let mut piece: &[u8] = b"a line that is longer than what fits inline\n";
        assert_eq!(splitter.read_from(&mut piece, 1 << 16).expect("reading from memory"), 44);
        assert_eq!(splitter.take().len(), 1);
        buffers.push((splitter.buffer.as_ptr(), splitter.buffer.capacity()));
    }
    assert_eq!(buffers[0].1, 1 << 16);
    buffers.dedup();
    assert_eq!(buffers.len(), 1);
}

#[test]
fn a_full_buffer_goes_with_its_lines() {
    let mut splitter = LineSplitter::new(LineOptions::default());
    let line = format!("{}\n", "x".repeat(99));
    let stream = line.repeat(2_000);
    let mut stream = stream.as_bytes();
    let mut read = 0;
    while splitter.read_from(&mut stream, 1 << 16).expect("reading from memory") > 0 {
        for line in splitter.take().lines() {
            assert_eq!(line.len(), 99);
            assert!(line.0.block_len() <= 1 << 16);
            read += 1;
        }
    }
    assert_eq!(read, 2_000);
}

#[test]
fn the_buffer_of_a_long_line_is_given_up_after_it() {
    let mut splitter = LineSplitter::new(LineOptions { max_line_bytes: 1 << 16, ..LineOptions::default() });
    let stream = format!("{}\n{}\nend\n", "x".repeat(1 << 16), "y".repeat(1 << 17));
    let mut stream = stream.as_bytes();
    let (mut lines, mut errors) = (0, 0);
    while splitter.read_from(&mut stream, 1 << 10).expect("reading from memory") > 0 {
        let block = splitter.take();
        (lines, errors) = (lines + block.len(), errors + block.errors().len());
    }
    assert_eq!((lines, errors), (2, 1));
    assert!(splitter.buffer.capacity() <= 4 << 10);
}

proptest! {
    #[test]
    fn lines_do_not_depend_on_where_the_pieces_end(
        pieces in vec(vec(prop_oneof![
            3 => Just(b'a'), 1 => Just(b'\n'), 1 => Just(b'\r'), 1 => Just(0xc3), 1 => Just(0xa4), 1 => any::<u8>()
        ], 0..40), 0..12),
        max_line_bytes in 0_usize..40,
        read in 1_usize..50,
        reject in any::<bool>(),
    ) {
        let invalid_utf8 = if reject { InvalidUtf8::Reject } else { InvalidUtf8::Replace };
        let options = LineOptions { max_line_bytes, invalid_utf8 };
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let (lines, errors) = split(&pieces, read, options);
        let (expected_lines, expected_errors) = model(&pieces.concat(), options);
        prop_assert_eq!(lines, expected_lines);
        prop_assert_eq!(errors, expected_errors);
    }
}
