// SPDX-License-Identifier: Apache-2.0
//! Merging the small files of past batches into larger ones, so that their number grows slower than that of batches.

use std::{
    fs::File,
    io::{self, Write as _},
};

use dstreams_wal::WholeFile;

use super::{
    Upkeep,
    index::{Index, Known},
    manifest::{Manifest, WholeBatchFile},
    name,
};
use crate::output::SinkError;

/// The most batches that one manifest lists, which bounds its size.
const MOST_BATCHES: usize = 10_000;

/// Merges one group of neighbours, if there is one. Each record is merged about once per level, so that all of this costs
/// a logarithm of the number of batches, and never more than the target at once.
pub(super) fn merge_some(index: &mut Index, upkeep: &Upkeep) -> Result<(), SinkError> {
    let Some(group) = find_group(&index.manifests, upkeep) else { return Ok(()) };
    let group: Vec<Manifest> = group.iter().map(|known| index.read(known)).collect::<Result<_, _>>()?;
    let level = 1 + group.iter().map(|manifest| manifest.level).max().unwrap_or_default();
    let mut batches: Vec<_> = group.iter().flat_map(|manifest| manifest.batches.clone()).collect();
    batches.sort_by_key(|batch| batch.time);
    for batch in &mut batches {
        batch.positions.clear();
    }
    let mut merged = Manifest { level, batches, files: Vec::new() };
    let sources: Vec<&WholeBatchFile> = group.iter().flat_map(|manifest| &manifest.files).collect();
    if !sources.is_empty() {
        let name = name::merged(level, merged.first(), merged.last());
        let bytes = append_all(index, &sources, &name)?;
        merged.files.push(WholeBatchFile { name, bytes });
    }
    // From here on the merged file counts, and the others do not.
    index.write(&merged)?;
    group.iter().try_for_each(|manifest| index.remove(manifest))
}

/// The oldest run of neighbours on one level that is long enough, as far as it fits into one file.
fn find_group<'a>(manifests: &'a [Known], upkeep: &Upkeep) -> Option<&'a [Known]> {
    if upkeep.merge < 2 {
        return None;
    }
    let is_small = |known: &Known| known.bytes <= upkeep.target / 2 && known.batches <= MOST_BATCHES / 2;
    let mut runs = manifests.chunk_by(|a, b| a.level == b.level && is_small(a) && is_small(b));
    let run = runs.find(|run| run.len() >= upkeep.merge)?;
    let fits = |length: usize| {
        let (bytes, batches) = run[..length]
            .iter()
            .fold((0, 0), |(bytes, batches), known| (bytes + known.bytes, batches + known.batches));
        bytes <= upkeep.target && batches <= MOST_BATCHES
    };
    // Two small ones always fit.
    (2..=upkeep.merge).rev().find(|&length| fits(length)).map(|length| &run[..length])
}

/// Writes the contents of files one after the other to a new one.
fn append_all(index: &Index, sources: &[&WholeBatchFile], name: &str) -> Result<u64, SinkError> {
    let mut merged = WholeFile::create("merge", &index.directory.join(name))?;
    let mut bytes = 0;
    for source in sources {
        bytes += io::copy(&mut File::open(index.directory.join(&source.name))?, &mut merged)?;
    }
    merged.flush()?;
    merged.commit()?;
    Ok(bytes)
}
