// SPDX-License-Identifier: Apache-2.0
//! A reliable receiver: reads a journal that grows, and acknowledges what is stored.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use dstreams::{
    streaming::{
        BoxError,
        clock::Waited,
        receiver::{Receiver, ReceiverHandle},
    },
    time::milliseconds,
};

use crate::event::Event;

/// What the block of a receiver says of itself: the position in the journal after its last line.
const END: &str = "end";

/// Receives the lines of a journal. Who writes it may forget what is acknowledged, and nothing else.
pub(crate) struct Journal {
    pub(crate) source: u8,
    pub(crate) path: PathBuf,
    /// Holds the position up to which everything is stored.
    pub(crate) acknowledged: PathBuf,
    /// How many lines become one block.
    pub(crate) block: usize,
}

impl Receiver for Journal {
    type Record = Event;

    fn on_start(&mut self, handle: ReceiverHandle<Event>) -> Result<(), BoxError> {
        let Self { source, path, acknowledged, block } = self;
        let (source, path, acknowledged, block) = (*source, path.clone(), acknowledged.clone(), *block);
        handle.spawn("journal", move |handle| {
            let mut position = read_position(&acknowledged)?;
            loop {
                let text = read_from(&path, position)?;
                for lines in blocks(&text, block) {
                    position = receive(handle, source, position, lines)?;
                    acknowledge(&acknowledged, position)?;
                }
                if handle.clock().sleep(milliseconds(10), handle.stop_flag()) == Waited::Stopped {
                    return Ok(());
                }
            }
        })
    }
}

/// Stores the lines that begin at `position`, unless they are stored already; returns where they end.
fn receive(handle: &ReceiverHandle<Event>, source: u8, position: u64, lines: &str) -> Result<u64, BoxError> {
    let stored = match handle.last_stored() {
        Some(block) => block.metadata.get(END).ok_or("a block without its end")?.parse()?,
        None => 0,
    };
    let end = position + lines.len() as u64;
    let known = usize::try_from(stored.clamp(position, end) - position)?;
    let new = lines.get(known..).ok_or("a block ended within a line")?;
    let events: Option<Vec<Event>> = new.lines().map(|line| Event::parse(source, line)).collect();
    let events = events.ok_or("a line of the journal is no event")?;
    if !events.is_empty() {
        handle.store_block_with(events, &BTreeMap::from([(END.to_owned(), end.to_string())]))?;
    }
    Ok(end)
}

/// The text in pieces of at most so many whole lines.
fn blocks(text: &str, lines: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let ends = rest.match_indices('\n').map(|(at, _)| at + 1);
        let end = ends.take(lines).last()?;
        let (block, left) = rest.split_at(end);
        rest = left;
        Some(block)
    })
}

/// What is in the file from a position on; nothing when there is no file yet.
fn read_from(path: &Path, position: u64) -> io::Result<String> {
    let mut file = match File::open(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        file => file?,
    };
    file.seek(SeekFrom::Start(position))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn read_position(path: &Path) -> Result<u64, BoxError> {
    match fs::read_to_string(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(0),
        text => Ok(text?.trim().parse()?),
    }
}

fn acknowledge(path: &Path, position: u64) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, position.to_string())?;
    fs::rename(new, path)
}
