// SPDX-License-Identifier: Apache-2.0
//! The walk through a partition that makes the next version of it.

use std::collections::VecDeque;

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
        let gone = walk.update(place, last, &mut chunk)?;
        walk.fill(gone, place, &mut chunk, &mut last, index)?;
        place += chunk.len();
        while chunk.len() < CHUNK && place < last {
            if let Some(state) = walk.state(place)? {
                chunk.push((walk.key(place).clone(), state));
            } else {
                index.places.remove(key_hash(walk.key(place)), place);
                let Some(pair) = walk.last_that_stays(place, &mut last, index)? else {
                    last = place;
                    break;
                };
                index.places.relocate(key_hash(&pair.0), last, place);
                chunk.push(pair);
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
    /// Appends the keys of the chunk from `start` on that were there before, as far as `last`, with their new states.
    /// Returns the places of those that go, which hold what they were so far.
    ///
    /// The length is known to the compiler, so that each pair is written once, to where it stays: pushed one by one, they
    /// are made elsewhere and then copied.
    fn update(
        &mut self,
        start: usize,
        last: usize,
        chunk: &mut Vec<(K, S)>,
    ) -> Result<VecDeque<usize>, TaskError> {
        let old = self.before.get(start / CHUNK).map_or(&[][..], Vec::as_slice);
        let (mut gone, mut failure) = (VecDeque::new(), None);
        let updated = old[..old.len().min(last - start)].iter().enumerate().map(|(at, (key, state))| {
            let new = match &failure {
                Some(_) => None,
                None => match (self.f)(key, Some(state), self.chained.values(start + at)) {
                    Ok(Some(new)) => Some(new),
                    Ok(None) => {
                        gone.push_back(start + at);
                        None
                    }
                    Err(error) => {
                        failure = Some(error);
                        None
                    }
                },
            };
            (key.clone(), new.unwrap_or_else(|| state.clone()))
        });
        chunk.extend(updated);
        failure.map_or(Ok(gone), Err)
    }

    /// Puts the last keys that stay in the places of those that go. `chunk` begins at `start`; if nothing is left behind
    /// it, it becomes shorter.
    fn fill(
        &mut self,
        mut gone: VecDeque<usize>,
        start: usize,
        chunk: &mut Vec<(K, S)>,
        last: &mut usize,
        index: &mut Index<K, S>,
    ) -> Result<(), TaskError> {
        while let Some(place) = gone.pop_front() {
            index.places.remove(key_hash(self.key(place)), place);
            let end = start + chunk.len();
            if let Some(pair) = self.last_that_stays(end - 1, last, index)? {
                index.places.relocate(key_hash(&pair.0), *last, place);
                chunk[place - start] = pair;
                continue;
            }
            // None is left behind the chunk, so that those in it close the gap.
            while *last > place {
                *last -= 1;
                let Some(pair) = chunk.pop().filter(|_| *last > place) else { break };
                if gone.back() == Some(last) {
                    gone.pop_back();
                    index.places.remove(key_hash(&pair.0), *last);
                } else {
                    index.places.relocate(key_hash(&pair.0), *last, place);
                    chunk[place - start] = pair;
                    break;
                }
            }
        }
        Ok(())
    }

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

    /// The last key after `place` that stays, with its new state. `last` is where it was; those after it go. Without one,
    /// `last` comes right after `place`.
    fn last_that_stays(
        &mut self,
        place: usize,
        last: &mut usize,
        index: &mut Index<K, S>,
    ) -> Result<Option<(K, S)>, TaskError> {
        while *last > place + 1 {
            *last -= 1;
            if let Some(state) = self.state(*last)? {
                return Ok(Some((self.key(*last).clone(), state)));
            }
            index.places.remove(key_hash(self.key(*last)), *last);
        }
        Ok(None)
    }
}
