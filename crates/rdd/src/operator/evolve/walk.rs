// SPDX-License-Identifier: Apache-2.0
//! The walk through a partition that makes the next version of it.

use super::{
    index::Index,
    touched::{Chained, KeyValues, Touched},
};
use crate::{
    chunk::{CHUNK, Resting},
    error::TaskError,
    partitioner::key_hash,
    record::Key,
    scheduler::task::TaskContext,
};

/// Calls `f` for every key, and returns the keys that stay, with what it returns, in chunks of one size. A key that goes
/// leaves its place to the last one, so that no other place changes: the work on the index is that of the keys that come
/// and go.
pub(super) fn walk<K: Key, S: Clone, V>(
    before: &Resting<(K, S)>,
    index: &mut Index<K, S>,
    touched: Touched<K, V>,
    task: &TaskContext,
    f: impl FnMut(&K, Option<&S>, KeyValues<'_, V>) -> Result<Option<S>, TaskError>,
) -> Result<Vec<Vec<(K, S)>>, TaskError> {
    let mut walk = Walk { before, chained: touched.chained(), f };
    let mut last = walk.chained.places();
    let mut evolved = Vec::with_capacity(last.div_ceil(CHUNK));
    let mut place = 0;
    while place < last {
        task.check_cancelled()?;
        let mut chunk = Vec::with_capacity(CHUNK.min(last - place));
        // A pair is written once, where it stays: whole ones that are handed on would be copied from place to place.
        for (key, state) in before.get(place / CHUNK).map_or(&[][..], Vec::as_slice) {
            if place >= last {
                break;
            }
            match (walk.f)(key, Some(state), walk.chained.values(place))? {
                Some(state) => chunk.push((key.clone(), state)),
                None => chunk.extend(walk.replacement(place, &mut last, index)?),
            }
            place += 1;
        }
        while chunk.len() < CHUNK && place < last {
            match walk.state(place)? {
                Some(state) => chunk.push((walk.key(place).clone(), state)),
                None => chunk.extend(walk.replacement(place, &mut last, index)?),
            }
            place += 1;
        }
        if !chunk.is_empty() {
            evolved.push(chunk);
        }
    }
    Ok(evolved)
}

struct Walk<'a, K, S, V, F> {
    before: &'a Resting<(K, S)>,
    chained: Chained<K, V>,
    f: F,
}

impl<K: Key, S: Clone, V, F> Walk<'_, K, S, V, F>
where
    F: FnMut(&K, Option<&S>, KeyValues<'_, V>) -> Result<Option<S>, TaskError>,
{
    /// The new state of the key at a place.
    fn state(&mut self, place: usize) -> Result<Option<S>, TaskError> {
        if let Some(key) = self.chained.fresh(place).cloned() {
            return (self.f)(&key, None, self.chained.values(place));
        }
        let (key, state) = &self.before[place / CHUNK][place % CHUNK];
        (self.f)(key, Some(state), self.chained.values(place))
    }

    fn key(&self, place: usize) -> &K {
        self.chained.fresh(place).unwrap_or_else(|| &self.before[place / CHUNK][place % CHUNK].0)
    }

    /// What comes in the place of a key that goes: the last key after it that stays, with its new state. Those behind
    /// that one go, too, and `last` is now where it was.
    #[cold]
    fn replacement(
        &mut self,
        place: usize,
        last: &mut usize,
        index: &mut Index<K, S>,
    ) -> Result<Option<(K, S)>, TaskError> {
        index.places.remove(key_hash(self.key(place)), place);
        while *last > place + 1 {
            *last -= 1;
            let state = self.state(*last)?;
            let hash = key_hash(self.key(*last));
            if let Some(state) = state {
                index.places.relocate(hash, *last, place);
                return Ok(Some((self.key(*last).clone(), state)));
            }
            index.places.remove(hash, *last);
        }
        *last = place;
        Ok(None)
    }
}
