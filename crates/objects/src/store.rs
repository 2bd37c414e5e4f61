// SPDX-License-Identifier: Apache-2.0
//! `Store`: an object store as logs and checkpoints see it. While it cannot be reached, calls wait and try again.

use std::{
    fmt,
    future::Future,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dstreams_wal::{Entry, ObjectStorage, Put, Source, Upload};
use object_store::{
    Error, GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, path::Path as Key,
};

use crate::{
    error::{passes, shown, to_io},
    runtime::wait,
    source::{ObjectSource, open},
    upload::ObjectUpload,
};

/// Clones are the same store.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

struct Inner {
    store: Arc<dyn ObjectStore>,
    /// Scheme and bucket.
    root: String,
    give_up_after: Duration,
    /// Whether it has answered once. Before that it is probably its address that is wrong.
    is_known: AtomicBool,
}

/// How long a store is waited for that has never answered.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// The pauses between attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Store {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, root: String, give_up_after: Duration) -> Self {
        Self(Arc::new(Inner { store, root, give_up_after, is_known: AtomicBool::new(false) }))
    }

    /// The key of an object in its bucket.
    fn key(&self, path: &Path) -> io::Result<Key> {
        let text = path.to_str().and_then(|text| text.strip_prefix(&*self.0.root));
        let text = text.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Key::parse(text.trim_start_matches('/')).map_err(io::Error::other)
    }

    /// Does what is asked, again and again while the store is away.
    pub(crate) fn ask<T, F>(&self, path: &Path, attempt: impl Fn(Arc<dyn ObjectStore>) -> F) -> io::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = object_store::Result<T>> + Send + 'static,
    {
        let Inner { store, give_up_after, is_known, .. } = &*self.0;
        let (mut waited, mut pause) = (Duration::ZERO, SHORTEST_PAUSE);
        loop {
            let error = match wait(attempt(Arc::clone(store)))? {
                Ok(answer) => {
                    is_known.store(true, Ordering::Relaxed);
                    if !waited.is_zero() {
                        tracing::info!("{} answers again", self.0.root);
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let limit = if is_known.load(Ordering::Relaxed) {
                *give_up_after
            } else {
                FIRST_ANSWER.min(*give_up_after)
            };
            if !passes(&error) {
                // It has answered.
                is_known.store(true, Ordering::Relaxed);
                return Err(to_io(error));
            }
            if waited >= limit {
                return Err(to_io(error));
            }
            tracing::warn!(
                object = %path.display(), ?waited,
                "the object store does not answer, and what needs it waits: {}", shown(&error)
            );
            wait(async move { tokio::time::sleep(pause).await })?;
            waited += pause;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }
}

impl ObjectStorage for Store {
    fn put(&self, path: &Path, bytes: &[u8], put: Put) -> io::Result<()> {
        let key = self.key(path)?;
        let bytes = Bytes::copy_from_slice(bytes);
        let mode = match put {
            Put::New => PutMode::Create,
            Put::Over => PutMode::Overwrite,
        };
        let outcome = self.ask(path, |store| {
            let (key, payload, mode) = (key.clone(), PutPayload::from_bytes(bytes.clone()), mode.clone());
            async move { store.put_opts(&key, payload, mode.into()).await }
        });
        let exists = outcome.as_ref().is_err_and(|cause| cause.kind() == io::ErrorKind::AlreadyExists);
        if exists && self.content(path, &key)? == bytes {
            // An attempt before had its answer lost.
            return Ok(());
        }
        outcome.map(drop)
    }

    fn upload(&self, path: &Path) -> io::Result<Box<dyn Upload>> {
        let key = self.key(path)?;
        let upload = self.ask(path, |store| {
            let key = key.clone();
            async move { store.put_multipart(&key).await }
        })?;
        Ok(Box::new(ObjectUpload::new(upload)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source>> {
        let key = self.key(path)?;
        let (length, window) = self.ask(path, |store| open(store, key.clone()))?;
        Ok(Box::new(ObjectSource::new(self.clone(), path, key, length, window)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let prefix = self.key(dir)?;
        let found = self.ask(dir, |store| {
            let prefix = prefix.clone();
            async move { store.list_with_delimiter(Some(&prefix)).await }
        })?;
        let name = |key: &Key| key.filename().map(str::to_owned);
        let dirs =
            found.common_prefixes.iter().filter_map(|key| Some(Entry { name: name(key)?, bytes: None }));
        let objects = found
            .objects
            .iter()
            .filter_map(|object| Some(Entry { name: name(&object.location)?, bytes: Some(object.size) }));
        Ok(dirs.chain(objects).collect())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let key = self.key(path)?;
        self.ask(path, |store| {
            let key = key.clone();
            async move { store.delete(&key).await }
        })
    }
}

impl Store {
    fn content(&self, path: &Path, key: &Key) -> io::Result<Bytes> {
        let there = self.ask(path, |store| {
            let key = key.clone();
            async move {
                match store.get_opts(&key, GetOptions::default()).await?.bytes().await {
                    Err(Error::NotFound { .. }) => Ok(Bytes::new()),
                    content => content,
                }
            }
        });
        match there {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Bytes::new()),
            there => there,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the client says of itself may have more than anybody should read.
        f.debug_tuple("Store").field(&self.0.root).finish()
    }
}
