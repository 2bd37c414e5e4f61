// SPDX-License-Identifier: Apache-2.0
//! Removes the segments at the start of a log that are older than anybody needs.

use std::io;

use crate::{
    error::{Error, Result},
    log_dir::LogDir,
    segment::Segment,
};

/// Removes segments, oldest first, up to the first that is not `old`. Each removal is durable before the next, so that a
/// log never has a gap.
pub(crate) fn clean(dir: &LogDir, place: &'static str, old: impl Fn(Segment) -> bool) -> Result<usize> {
    let segments = dir.segments()?.into_iter();
    let mut removed = 0;
    for segment in segments.take_while(|segment| old(*segment)) {
        let path = dir.path_of(segment);
        match dir.remove(place, &path) {
            Ok(()) => removed += 1,
            // Somebody else was faster.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(Error::io("remove", &path)(cause)),
        }
        dir.sync().map_err(Error::io("sync", &dir.path))?;
    }
    Ok(removed)
}
