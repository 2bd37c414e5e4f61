// SPDX-License-Identifier: Apache-2.0
//! Removes the segments at the start of a log that are older than anybody needs.

use std::io;

use crate::{
    error::{Error, Result},
    log_dir::{Kind, LogDir},
    segment::Segment,
};

/// How many claims of a log stay, the newest. An owner of before that has slept through as many others finds a name that
/// is free again.
const CLAIMS: usize = 1000;

/// Removes segments, oldest first, up to the first that is not `old`. Each removal is durable before the next, so that a
/// log never has a gap.
///
/// On an object store claims stay: each has the one name under which the owner before it would go on.
pub(crate) fn clean(dir: &LogDir, place: &'static str, old: impl Fn(Segment) -> bool) -> Result<usize> {
    let segments: Vec<Segment> = match &dir.kind {
        Kind::Files(_) => dir.segments()?.into_iter().take_while(|segment| old(*segment)).collect(),
        Kind::Objects(objects) => {
            let listed = dir.listed(&**objects)?;
            let mut spare = listed.iter().filter(|listed| listed.is_claim).count().saturating_sub(CLAIMS);
            let old = listed.into_iter().take_while(|listed| old(listed.segment));
            let removable = old.filter(|listed| {
                let is_spare = listed.is_claim && spare > 0;
                spare -= usize::from(is_spare);
                is_spare || !listed.is_claim
            });
            removable.map(|listed| listed.segment).collect()
        }
    };
    let mut removed = 0;
    for segment in segments {
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
