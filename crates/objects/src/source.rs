// SPDX-License-Identifier: Apache-2.0
//! Reads an object a window at a time: one request for a small object, a few for a large one.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use dstreams_wal::Source;
use object_store::{Error, GetOptions, ObjectStore, ObjectStoreExt as _, Result, path::Path as Key};

use crate::store::Store;

/// Bytes that come with the opening: all of most objects of a log.
const FIRST_WINDOW: u64 = 1 << 20;
/// Bytes that are asked for at a time after that.
const WINDOW: u64 = 4 << 20;

pub(crate) struct ObjectSource {
    store: Store,
    path: PathBuf,
    key: Key,
    length: u64,
    window: Bytes,
    window_start: u64,
}

impl ObjectSource {
    pub(crate) fn new(store: Store, path: &Path, key: Key, length: u64, window: Bytes) -> Self {
        Self { store, path: path.to_owned(), key, length, window, window_start: 0 }
    }

    fn fetch(&mut self, range: Range<u64>) -> io::Result<()> {
        let key = self.key.clone();
        let start = range.start;
        self.window = self.store.ask(&self.path, |store| {
            let (key, range) = (key.clone(), range.clone());
            async move { store.get_range(&key, range).await }
        })?;
        self.window_start = start;
        Ok(())
    }
}

impl Source for ObjectSource {
    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= self.length || buffer.is_empty() {
            return Ok(0);
        }
        let end = self.window_start + self.window.len() as u64;
        if !(self.window_start..end).contains(&offset) {
            let wanted = WINDOW.max(buffer.len() as u64);
            self.fetch(offset..self.length.min(offset.saturating_add(wanted)))?;
        }
        // Within the window, whose length is a usize.
        let start = usize::try_from(offset - self.window_start).expect("a place within the window");
        let there = self.window.get(start..).unwrap_or_default();
        let read = there.len().min(buffer.len());
        buffer[..read].copy_from_slice(&there[..read]);
        Ok(read)
    }
}

/// The length of an object and its first bytes.
pub(crate) async fn open(store: Arc<dyn ObjectStore>, key: Key) -> Result<(u64, Bytes)> {
    let first = GetOptions { range: Some((0..FIRST_WINDOW).into()), ..GetOptions::default() };
    let failed = match store.get_opts(&key, first).await {
        Ok(answer) => {
            let length = answer.meta.size;
            return Ok((length, answer.bytes().await?));
        }
        Err(error @ Error::NotFound { .. }) => return Err(error),
        Err(error) => error,
    };
    // An empty object has no range that could be asked for.
    match store.head(&key).await {
        Ok(meta) if meta.size == 0 => Ok((0, Bytes::new())),
        _ => Err(failed),
    }
}
