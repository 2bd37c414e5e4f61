// SPDX-License-Identifier: Apache-2.0
//! Removes the segments at the start of a log that are older than anybody needs.

use std::{io, path::Path};

use crate::{
    error::{Error, Result},
    recovery,
    segment::Segment,
    storage::Storage,
};

/// Removes segments, oldest first, up to the first that is not `old`. Each removal is durable before the next, so that a
/// log never has a gap.
pub(crate) fn clean(storage: &dyn Storage, dir: &Path, old: impl Fn(Segment) -> bool) -> Result<usize> {
    let segments = recovery::segments(storage, dir)?.into_iter();
    let mut removed = 0;
    for segment in segments.take_while(|segment| old(*segment)) {
        let path = dir.join(segment.to_string());
        match storage.remove(&path) {
            Ok(()) => removed += 1,
            // Somebody else was faster.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(Error::io("remove", &path)(cause)),
        }
        storage.sync_dir(dir).map_err(Error::io("sync", dir))?;
    }
    Ok(removed)
}
