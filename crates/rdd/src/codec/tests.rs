// SPDX-License-Identifier: Apache-2.0
//! Round trips, and damage of every kind: noticed, never a panic, never a wrong record.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::Text;

type Record = (Text, i64, Option<Vec<u8>>);

/// Fewer than `count` records; a few different ones are repeated, as making thousands takes its time.
fn any_records(count: usize) -> impl Strategy<Value = Vec<Record>> {
    let text = "[a-zé ]{0,40}".prop_map(Text::from);
    let record = (text, any::<i64>(), proptest::option::of(vec(any::<u8>(), 0..20)));
    (vec(record, 1..12), 0..count)
        .prop_map(|(some, count)| some.iter().cycle().take(count).cloned().collect())
}

fn any_compression() -> impl Strategy<Value = Compression> {
    prop_oneof![Just(Compression::None), Just(Compression::Lz4)]
}

fn write<T: Serialize>(records: &[T], compression: Compression) -> Vec<u8> {
    let mut writer = FrameWriter::new(Vec::new(), compression).unwrap();
    writer.append(records).unwrap();
    let (file, bytes) = writer.finish().unwrap();
    assert_eq!(file.len() as u64, bytes);
    file
}

/// All records before the error, and the error.
fn read<T: DeserializeOwned>(file: &[u8]) -> (Vec<T>, Result<(), CodecError>) {
    let mut records = Vec::new();
    let result = FrameReader::new(file).and_then(|mut reader| {
        while reader.read(&mut records)? > 0 {}
        Ok(())
    });
    (records, result)
}

fn frame_sizes<T: DeserializeOwned>(file: &[u8]) -> Vec<usize> {
    let mut reader = FrameReader::new(file).unwrap();
    let counts = std::iter::from_fn(|| Some(reader.read::<T>(&mut Vec::new()).unwrap()));
    counts.take_while(|&count| count > 0).collect()
}

fn sealed(payload: &[u8], records: u32, flags: u8) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes.extend_from_slice(payload);
    Frame { bytes: &mut bytes, start: 0, records }.seal(flags);
    bytes
}

#[test]
fn frames_are_cut_by_records_and_by_bytes() {
    let small: Vec<u32> = (0..2500).collect();
    let large = vec!["x".repeat(100 << 10); 5];
    assert_eq!(frame_sizes::<u32>(&write(&small, Compression::None)), [1000, 1000, 500]);
    assert_eq!(frame_sizes::<String>(&write(&large, Compression::Lz4)), [3, 2]);
}

#[test]
fn a_file_of_no_records_is_a_file() {
    let (records, result) = read::<u8>(&write::<u8>(&[], Compression::Lz4));
    assert!(records.is_empty());
    result.unwrap();
}

#[test]
fn compression_is_used_where_it_pays() {
    let long = vec!["abc".repeat(100); 100];
    assert!(write(&long, Compression::Lz4).len() * 5 < write(&long, Compression::None).len());
    let short = [7_u8];
    assert_eq!(write(&short, Compression::Lz4), write(&short, Compression::None));
}

#[test]
fn what_is_no_file_of_records_is_named() {
    let mut file = write(&[1, 2, 3], Compression::None);
    file[7] = 9;
    assert!(matches!(read::<i32>(&file).1, Err(CodecError::UnknownVersion { found: 9, known: 1 })));
    assert!(matches!(read::<i32>(b"%PDF-1.7").1, Err(CodecError::WrongMagic { found: [b'%', ..] })));
    assert!(matches!(read::<i32>(b"DST").1, Err(CodecError::Torn { offset: 0 })));
}

#[test]
fn a_length_beyond_reason_is_named_with_its_offset() {
    let mut file = write(&[1, 2, 3], Compression::None);
    file[11] = 0xff;
    assert!(matches!(read::<i32>(&file).1, Err(CodecError::FrameTooLarge { offset: 8, .. })));
}

#[test]
fn damage_in_the_second_frame_leaves_the_first() {
    let records: Vec<u32> = (0..1500).collect();
    let mut file = write(&records, Compression::None);
    let frame = u64::from(u32::from_le_bytes(*file[8..].first_chunk().unwrap()));
    let second = 8 + HEADER as u64 + frame;
    *file.last_chunk_mut::<100>().unwrap().first_mut().unwrap() ^= 1;
    let (read, result) = read::<u32>(&file);
    assert_eq!(read, records[..1000]);
    assert!(matches!(result, Err(CodecError::Checksum { offset, .. }) if offset == second));
}

#[test]
fn a_reader_does_not_read_on_after_an_error() {
    let records: Vec<u32> = (0..3500).collect();
    let mut file = write(&records, Compression::None);
    file[30] ^= 1;
    let mut reader = FrameReader::new(file.as_slice()).unwrap();
    let mut read: Vec<u32> = Vec::new();
    assert!(matches!(reader.read(&mut read), Err(CodecError::Checksum { .. })));
    assert!(matches!(reader.read(&mut read), Err(CodecError::Torn { offset: 8 })));
    assert!(read.is_empty());
}

#[test]
fn a_file_that_was_not_finished_is_torn() {
    let mut writer = FrameWriter::new(Vec::new(), Compression::None).unwrap();
    assert!(writer.append(0..1000_u32).unwrap() > 1000);
    assert_eq!(writer.append(0..10_u32).unwrap(), 0);
    let written = usize::try_from(writer.bytes_written()).unwrap();
    let file = writer.finish().unwrap().0;
    let (records, result) = read::<u32>(&file[..written]);
    assert_eq!(records.len(), 1000);
    assert!(matches!(result, Err(CodecError::Torn { offset }) if offset == written as u64));
}

#[test]
fn a_missing_frame_is_noticed() {
    let mut file = write(&(0..1000).collect::<Vec<u32>>(), Compression::None);
    let end = file.split_off(file.len() - HEADER - 8);
    let file = [&file[..8], end.as_slice()].concat();
    let expected = CodecError::RecordCount { offset: 8, expected: 1000, found: 0 };
    assert_eq!(read::<u32>(&file).1.unwrap_err().to_string(), expected.to_string());
}

#[test]
fn files_can_follow_each_other() {
    let files = [write(&[1_u32, 2], Compression::None), write(&[3_u32], Compression::Lz4)].concat();
    let mut rest = files.as_slice();
    for expected in [vec![1_u32, 2], vec![3]] {
        let mut records: Vec<u32> = Vec::new();
        let mut reader = FrameReader::new(&mut rest).unwrap();
        while reader.read(&mut records).unwrap() > 0 {}
        assert_eq!(records, expected);
    }
    assert!(rest.is_empty());
}

#[test]
fn records_of_another_type_are_no_records() {
    let file = write(&["abc", "def"], Compression::None);
    let (records, result) = read::<(u8, u8)>(&file);
    assert!(records.is_empty());
    assert!(matches!(result, Err(CodecError::Remainder { offset: 8, bytes: 4 })));
    let (records, result) = read::<bool>(&file);
    assert!(records.is_empty());
    assert!(matches!(result, Err(CodecError::Decode { offset: 8, record: 0, .. })));
}

#[test]
fn whole_frames_with_senseless_content_are_errors() {
    let decode = |bytes: &[u8]| decode_chunk::<u8>(bytes, &mut Vec::new());
    assert!(matches!(decode(&sealed(&[1], 1, 0x80)), Err(CodecError::UnknownFlags { flags: 0x80, .. })));
    assert!(matches!(decode(&sealed(&[9, 0, 0, 0, 0xf0], 1, FLAG_LZ4)), Err(CodecError::Decompress { .. })));
    assert!(matches!(decode(&sealed(&[0xff; 9], 1, FLAG_LZ4)), Err(CodecError::FrameTooLarge { .. })));
    assert!(matches!(decode(&sealed(&[], u32::MAX, 0)), Err(CodecError::Decode { record: 0, .. })));
}

#[test]
fn a_record_that_cannot_be_encoded_leaves_nothing() {
    #[derive(Deserialize)]
    struct Odd(bool);
    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0 { Err(serde::ser::Error::custom("odd")) } else { serializer.serialize_bool(false) }
        }
    }
    let mut bytes = vec![42];
    let result = encode_chunk(&[Odd(false), Odd(true)], Compression::None, &mut bytes);
    assert!(matches!(result, Err(CodecError::Encode(_))));
    assert_eq!(bytes, [42]);

    let mut writer = FrameWriter::new(Vec::new(), Compression::None).unwrap();
    assert!(matches!(writer.append(&[Odd(false), Odd(true)]), Err(CodecError::Encode(_))));
    writer.append(&[Odd(false)]).unwrap();
    let (records, result) = read::<Odd>(&writer.finish().unwrap().0);
    assert_eq!(records.len(), 2);
    result.unwrap();
}

#[test]
fn records_without_bytes_are_counted() {
    let (records, result) = read::<()>(&write(&[(); 2500], Compression::Lz4));
    assert_eq!(records.len(), 2500);
    result.unwrap();
}

proptest! {
    #[test]
    fn records_come_back(records in any_records(2500), compression in any_compression()) {
        let (read, result) = read::<Record>(&write(&records, compression));
        prop_assert!(result.is_ok());
        prop_assert_eq!(read, records);
    }

    #[test]
    fn chunks_come_back(records in any_records(50), compression in any_compression(), before in 0_usize..9) {
        let mut bytes = vec![0; before];
        encode_chunk(&records, compression, &mut bytes).unwrap();
        let length = bytes.len() - before;
        bytes.push(0);
        let mut read: Vec<Record> = Vec::new();
        prop_assert_eq!(decode_chunk(&bytes[before..], &mut read).unwrap(), length);
        prop_assert_eq!(read, records);
    }

    #[test]
    fn the_encoded_size_is_that_of_the_encoding(records in any_records(20)) {
        for record in &records {
            prop_assert_eq!(encoded_size(record), postcard::to_stdvec(record).unwrap().len());
        }
    }

    #[test]
    fn a_truncated_file_is_torn(records in any_records(1200), compression in any_compression(), at: prop::sample::Index) {
        let file = write(&records, compression);
        let (read, result) = read::<Record>(&file[..at.index(file.len())]);
        let torn = matches!(result, Err(CodecError::Torn { .. }));
        prop_assert!(torn);
        prop_assert_eq!(&read, &records[..read.len()]);
    }

    #[test]
    fn a_changed_byte_is_noticed(
        records in any_records(1200), compression in any_compression(), at: prop::sample::Index, change in 1_u8..,
    ) {
        let mut file = write(&records, compression);
        let at = at.index(file.len());
        file[at] ^= change;
        let (read, result) = read::<Record>(&file);
        prop_assert!(result.is_err());
        prop_assert_eq!(&read, &records[..read.len()]);
    }

    #[test]
    fn arbitrary_bytes_are_an_error(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(decode_chunk::<Record>(&bytes, &mut Vec::new()).is_err());
    }
}
