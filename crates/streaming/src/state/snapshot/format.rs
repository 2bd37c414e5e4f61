// SPDX-License-Identifier: Apache-2.0
//! The bytes of a snapshot file: its header and the heads of its blocks.

use std::io::{BufReader, Read};

use dstreams_wal::{FileReader, Location};
use serde::{Deserialize, Serialize};

use crate::{checkpoint::durable::StateSchema, state::error::StateError, time::Time};

const MAGIC: &[u8; 8] = b"dstrmsnp";
const VERSION: u32 = 1;
/// A length beyond this is damage, and no reason to ask for memory.
const MAX_HEADER: u32 = 1 << 24;

/// What a file says about itself, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The batch after which the states were these.
    pub(crate) time: Time,
    /// The partition that the file is for.
    pub(crate) partition: usize,
    /// What its keys and states look like.
    pub(crate) schema: StateSchema,
    /// Stands for how keys are spread over partitions and written; equal numbers say equal ways.
    #[serde(default)]
    pub(crate) layout: u64,
}

impl Header {
    pub(crate) fn new(time: Time, partition: usize, schema: StateSchema) -> Self {
        Self { time, partition, schema, layout: 0 }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_vec_pretty(self).expect("numbers and names are always JSON");
        let mut bytes = Vec::with_capacity(json.len() + 20);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(json.len()).expect("names are short").to_le_bytes());
        bytes.extend_from_slice(&json);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }
}

/// A file whose header has been read.
pub(super) struct Opened {
    pub(super) header: Header,
    pub(super) file: BufReader<FileReader>,
    /// How many bytes the header took.
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// Opens a file and reads its header.
pub(super) fn read_header(location: &Location) -> Result<Opened, StateError> {
    let path = location.path();
    let damaged = |offset, problem: &str| StateError::Damaged {
        path: path.to_owned(),
        offset,
        problem: problem.to_owned(),
    };
    let file = location.open().map_err(StateError::io("open", path))?;
    let length = file.length();
    let mut file = BufReader::with_capacity(1 << 18, file);
    let mut bytes = vec![0; 16];
    file.read_exact(&mut bytes).map_err(|_| damaged(0, "it is shorter than a header"))?;
    if bytes[..8] != *MAGIC {
        return Err(damaged(0, "it is not a snapshot file"));
    }
    let version = u32_at(&bytes, 8);
    if version != VERSION {
        let problem = format!(
            "its format has version {version}, and this program reads version {VERSION}; use the program that wrote it, or a newer one"
        );
        return Err(damaged(8, &problem));
    }
    let json = u32_at(&bytes, 12);
    if json > MAX_HEADER || u64::from(json) + 20 > length {
        return Err(damaged(12, "the length of its header is wrong"));
    }
    let end = 16 + json as usize;
    bytes.resize(end + 4, 0);
    file.read_exact(&mut bytes[16..]).map_err(|_| damaged(16, "it ends within its header"))?;
    if crc32fast::hash(&bytes[..end]) != u32_at(&bytes, end) {
        return Err(damaged(0, "the checksum of its header is wrong"));
    }
    let header = serde_json::from_slice(&bytes[16..end])
        .map_err(|error| damaged(16, &format!("its header does not say what it must: {error}")))?;
    Ok(Opened { header, file, offset: bytes.len() as u64, length })
}

/// What is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Plain,
    Lz4,
}

/// The head of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockHead {
    pub(super) kind: Kind,
    pub(super) entries: u64,
    pub(super) length: u32,
    pub(super) stored: u32,
}

/// Bytes of a head with its checksum.
pub(super) const HEAD: usize = 21;

impl BlockHead {
    /// The head of a block that is stored as `bytes`.
    pub(super) fn encode(&self, bytes: &[u8]) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        head[0] = match self.kind {
            Kind::End => 0,
            Kind::Plain => 1,
            Kind::Lz4 => 2,
        };
        head[1..9].copy_from_slice(&self.entries.to_le_bytes());
        head[9..13].copy_from_slice(&self.length.to_le_bytes());
        head[13..17].copy_from_slice(&self.stored.to_le_bytes());
        let crc = checksum(&head, bytes);
        head[17..].copy_from_slice(&crc.to_le_bytes());
        head
    }

    /// The head, when its kind is known.
    pub(super) fn decode(head: &[u8; HEAD]) -> Option<Self> {
        let kind = match head[0] {
            0 => Kind::End,
            1 => Kind::Plain,
            2 => Kind::Lz4,
            _ => return None,
        };
        let entries = u64::from(u32_at(head, 1)) | u64::from(u32_at(head, 5)) << 32;
        Some(Self { kind, entries, length: u32_at(head, 9), stored: u32_at(head, 13) })
    }

    /// Whether head and block are what was written.
    pub(super) fn fits(head: &[u8; HEAD], bytes: &[u8]) -> bool {
        checksum(head, bytes) == u32_at(head, 17)
    }
}

fn checksum(head: &[u8; HEAD], bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head[..17]);
    crc.update(bytes);
    crc.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
