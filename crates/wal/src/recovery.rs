// SPDX-License-Identifier: Apache-2.0
//! Finds out what a directory holds: the chain of its segments for reading, and its end, mended, for writing.

use std::path::PathBuf;

use crate::{
    cursor::{Cursor, Opened, Step},
    error::{Error, Result},
    log_dir::{Kind, Listed, LogDir},
    segment::{Segment, SegmentHeader},
    storage::Storage,
    whole_file::UNFINISHED,
};

/// What an unfinished write left at the end of a log: nothing there was ever confirmed to an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: PathBuf,
    /// Where the unfinished write starts.
    pub offset: u64,
    /// How many bytes of it there are.
    pub bytes: u64,
}

/// The segments of a log in order, each with where it ends if the next one says so.
pub(crate) struct Chain {
    pub(crate) links: Vec<(Segment, Option<u64>)>,
    /// A last segment without a whole header.
    pub(crate) torn: Option<TornTail>,
}

/// Finds all segments and checks that they follow one another; on files from their headers, on objects, each of which
/// would have to be asked for, from their names.
pub(crate) fn chain(dir: &LogDir) -> Result<Chain> {
    let mut listed = dir.segments()?;
    loop {
        let chain = match &dir.kind {
            Kind::Files(_) => chain_of_files(dir, &listed),
            Kind::Objects(objects) => return chain_of_objects(dir, &dir.listed(&**objects)?),
        };
        let incomplete = match &chain {
            Err(Error::Missing { .. }) => true,
            Err(error) => error.is_not_found(),
            Ok(_) => false,
        };
        if !incomplete {
            return chain;
        }
        // The writer may have cleaned the log meanwhile; then the list is another one now.
        let now = dir.segments()?;
        if now == listed {
            return chain;
        }
        listed = now;
    }
}

/// All from the last gap on: before it are claims, which stay when what was between them has been cleaned.
fn chain_of_objects(dir: &LogDir, listed: &[Listed]) -> Result<Chain> {
    let follows = |pair: &[Listed]| pair[0].segment.start + 1 == pair[1].segment.start;
    let first = listed.windows(2).rposition(|pair| !follows(pair)).map_or(0, |gap| gap + 1);
    if let Some(before) = listed[..first].iter().rfind(|before| !before.is_claim) {
        let (after, before) = (dir.path_of(before.segment), dir.path_of(listed[first].segment));
        return Err(Error::Missing { after, before });
    }
    let links = listed[first..].iter().map(|listed| (listed.segment, None)).collect();
    Ok(Chain { links, torn: None })
}

fn chain_of_files(dir: &LogDir, segments: &[Segment]) -> Result<Chain> {
    let mut chain = Chain { links: Vec::with_capacity(segments.len()), torn: None };
    let mut before: Option<SegmentHeader> = None;
    for &segment in segments {
        let file = dir.path_of(segment);
        let header = match Cursor::open(dir, segment)? {
            Opened::Segment(cursor) => cursor.header(),
            Opened::Short(bytes) if Some(&segment) == segments.last() => {
                chain.torn = Some(TornTail { file, offset: 0, bytes });
                break;
            }
            Opened::Short(_) => return Err(Error::corrupt(&file, 0, "it ends within its header")),
        };
        if let (Some(before), Some((_, end))) = (before, chain.links.last_mut()) {
            if before.log != header.log {
                return Err(Error::Foreign { file });
            }
            if before.number.checked_add(1) != Some(header.number) {
                return Err(Error::Missing { after: dir.path_of(before.segment), before: file });
            }
            *end = Some(header.previous_end);
        }
        chain.links.push((segment, None));
        before = Some(header);
    }
    Ok(chain)
}

/// The end of a log that is to be written on: its last segment and how far that is good.
pub(crate) struct Recovered {
    pub(crate) last: Option<(SegmentHeader, u64)>,
    /// What was cut off.
    pub(crate) torn: Vec<TornTail>,
}

/// Cuts off what an unfinished write left in files. The caller holds the lock of the log.
pub(crate) fn recover(storage: &dyn Storage, dir: &LogDir) -> Result<Recovered> {
    for name in storage.list(&dir.path).map_err(Error::io("list", &dir.path))? {
        if name.strip_suffix(UNFINISHED).is_some_and(|name| Segment::parse(name).is_some()) {
            let path = dir.path.join(name);
            storage.remove(&path).map_err(Error::io("remove", &path))?;
        }
    }
    let mut torn = Vec::new();
    for segment in dir.segments()?.into_iter().rev() {
        match Cursor::open(dir, segment)? {
            Opened::Segment(cursor) => {
                let last = Some(cut(storage, cursor, &mut torn)?);
                return Ok(Recovered { last, torn });
            }
            Opened::Short(bytes) => {
                let file = dir.path_of(segment);
                storage.remove(&file).map_err(Error::io("remove", &file))?;
                storage.sync_dir(&dir.path).map_err(Error::io("sync", &dir.path))?;
                torn.push(TornTail { file, offset: 0, bytes });
            }
        }
    }
    Ok(Recovered { last: None, torn })
}

/// Ends a segment after its last whole record, durably.
fn cut(storage: &dyn Storage, mut cursor: Cursor, torn: &mut Vec<TornTail>) -> Result<(SegmentHeader, u64)> {
    let (mut record, file) = (Vec::new(), cursor.path().to_owned());
    loop {
        match cursor.next(&mut record)? {
            Step::Record(_) => {}
            Step::End => break,
            Step::Torn => {
                let (file, offset) = (file.clone(), cursor.position());
                torn.push(TornTail { file, offset, bytes: cursor.length() - offset });
                break;
            }
        }
    }
    // Even if nothing is cut: the last records may be on no disk yet, and the next segment will insist on them.
    let end = cursor.position();
    storage.truncate(&file, end).map_err(Error::io("truncate", &file))?;
    Ok((cursor.header(), end))
}
