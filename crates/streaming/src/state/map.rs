// SPDX-License-Identifier: Apache-2.0
//! `StateMap`: the states of one partition with the times of their last use, and how to undo the latest batches.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::Hash,
    sync::Arc,
};

use dstreams_rdd::{Key, Wire};

use super::{
    applied::Applied,
    changes::{KeyChange, MappedRecords, PartitionChanges},
    codec::{decode, encode},
    disk::{Backing, IdleMoves},
    entries::{Entries, Entry, Spot},
    error::StateError,
};
use crate::time::{Time, milliseconds};

/// States by key. A batch changes them in place and writes down what was there before, once for each key and batch, so
/// that the batch can be undone and that earlier versions can be read. Its cost grows with the keys that it touches.
pub(super) struct StateMap<K, S> {
    table: Entries<K, S>,
    /// Keys by the time of their last use, for maps whose keys time out. Every key is listed once, under a time that
    /// may be outdated; it moves on when that time is due. A key that was removed stays listed until then.
    idle: Option<BTreeMap<Time, Vec<K>>>,
    applied: Arc<Applied>,
    /// The number of the present attempt at a batch.
    attempt: u64,
    /// How to undo the batches that may have to be undone or looked behind, oldest first.
    undo: VecDeque<Undo<K, S>>,
    /// Where states are that are not in the table.
    backing: Option<Backing<K>>,
}

/// One batch backwards.
struct Undo<K, S> {
    time: Time,
    before: Option<Time>,
    changes: Vec<Changed<K, S>>,
    /// Whether it has removed a key, which may then have come back.
    removes: bool,
    /// What was taken from `idle`.
    due: BTreeMap<Time, Vec<K>>,
}

/// What a batch did first to a key.
struct Changed<K, S> {
    key: K,
    spot: Spot,
    old: Old<S>,
}

/// What was there before a change.
enum Old<S> {
    Nothing,
    State {
        state: S,
        used: Time,
        listed: Time,
    },
    /// The same state, used last at another time.
    Use {
        used: Time,
        listed: Time,
    },
}

impl<K: Hash + Eq + Clone, S: Clone> StateMap<K, S> {
    /// An empty map. `times_out` says whether [`take_idle`](Self::take_idle) is going to be asked.
    pub(super) fn new(times_out: bool) -> Self {
        Self {
            table: Entries::new(),
            idle: times_out.then(BTreeMap::new),
            applied: Arc::default(),
            attempt: 0,
            undo: VecDeque::new(),
            backing: None,
        }
    }

    /// How far it is.
    pub(super) fn applied(&self) -> &Arc<Applied> {
        &self.applied
    }

    /// Puts first states in the place of all that is there, before any batch.
    pub(super) fn load(&mut self, states: impl Iterator<Item = (K, S)>, time: Time) {
        *self = Self { applied: Arc::clone(&self.applied), ..Self::new(self.idle.is_some()) };
        self.table.reserve(states.size_hint().0);
        for (key, state) in states {
            let spot = self.table.find(&key);
            match self.table.at_mut(spot) {
                Some(entry) => entry.state = state,
                None => self.insert_at(spot, key, state, time),
            }
        }
        self.applied.set(None, self.table.len());
    }

    /// Adds a key that is not there, used last at `used`, with no batch to undo that. `hash` is that of the key.
    pub(super) fn insert(&mut self, hash: u64, key: K, state: S, used: Time) {
        self.insert_at(Spot::free(hash), key, state, used);
    }

    fn insert_at(&mut self, spot: Spot, key: K, state: S, used: Time) {
        if let Some(idle) = &mut self.idle {
            idle.entry(used).or_default().push(key.clone());
        }
        self.table.insert(spot, Entry { key, state, used, listed: used, logged_in: 0 });
    }

    /// Begins the batch at `time` where the batch before has ended. When it has been applied already, that is undone.
    ///
    /// # Panics
    ///
    /// When a later batch has been applied already.
    pub(super) fn begin(&mut self, time: Time) {
        let is_written = self.backing.as_ref().is_some_and(|backing| backing.has_written(time));
        if self.applied.last() == Some(time) && !is_written {
            self.roll_back();
        }
        if let Some(applied) = self.applied.last().filter(|applied| *applied >= time) {
            panic!(
                "the mapped records of the batch at {time} are lost and cannot be made again: the states are those after the batch at {applied}"
            );
        }
        self.attempt += 1;
        let before = self.applied.last();
        self.undo.push_back(Undo { time, before, changes: Vec::new(), removes: false, due: BTreeMap::new() });
    }

    /// Ends the batch. Batches up to `looked_behind`, the earliest version that is still read, cannot be undone any
    /// more, and none but the latest if no earlier version is read.
    pub(super) fn commit(&mut self, looked_behind: Option<Time>) {
        self.applied.set(self.undo.back().map(|undo| undo.time), self.table.len());
        while self.undo.len() > 1
            && self.undo.front().is_some_and(|oldest| looked_behind.is_none_or(|time| oldest.time <= time))
        {
            self.undo.pop_front();
        }
    }

    /// Undoes the latest batch.
    pub(super) fn roll_back(&mut self) {
        let Some(undo) = self.undo.pop_back() else { return };
        for Changed { key, old, .. } in undo.changes.into_iter().rev() {
            self.restore(key, old);
        }
        if let Some(idle) = &mut self.idle {
            idle.remove(&undo.time);
            for (time, keys) in undo.due {
                idle.entry(time).or_default().extend(keys);
            }
        }
        self.applied.forget(undo.time);
        if let Some(backing) = &mut self.backing {
            backing.undo(undo.time);
        }
        self.applied.set(undo.before, self.table.len());
    }

    fn restore(&mut self, key: K, old: Old<S>) {
        let logged_in = self.attempt;
        let spot = self.table.find(&key);
        match (self.table.at_mut(spot), old) {
            (Some(_), Old::Nothing) => drop(self.table.remove(&key)),
            (Some(entry), Old::State { state, used, listed }) => {
                *entry = Entry { key, state, used, listed, logged_in };
            }
            (None, Old::State { state, used, listed }) => {
                self.table.insert(spot, Entry { key, state, used, listed, logged_in });
            }
            (Some(entry), Old::Use { used, listed }) => (entry.used, entry.listed) = (used, listed),
            (None, Old::Nothing | Old::Use { .. }) => {}
        }
    }

    /// Looks where a key is.
    #[inline]
    pub(super) fn find(&self, key: &K) -> Spot {
        self.table.find(key)
    }

    /// How often keys have come or gone: as long as it stays the same, spots hold.
    #[inline]
    pub(super) fn moves(&self) -> u64 {
        self.table.moves()
    }

    /// Where the key is now, of which it was looked before.
    #[inline]
    pub(super) fn still(&self, spot: Spot, key: &K) -> Spot {
        self.table.still(spot, key)
    }

    /// The state of the key at a spot that has just been looked at.
    #[inline]
    pub(super) fn get_at(&self, spot: Spot) -> Option<&S> {
        self.table.at(spot).map(|entry| &entry.state)
    }

    /// Sets the state of `key`, which is at the spot, used at `time`, which is the time of the batch.
    #[inline]
    pub(super) fn put_at(&mut self, spot: Spot, key: &K, state: S, time: Time) {
        let attempt = self.attempt;
        let Some(entry) = self.table.at_mut(spot) else { return self.put_new(spot, key, state, time) };
        let state = std::mem::replace(&mut entry.state, state);
        let used = std::mem::replace(&mut entry.used, time);
        if std::mem::replace(&mut entry.logged_in, attempt) != attempt {
            let listed = entry.listed;
            self.write_down(spot, key, Old::State { state, used, listed });
        }
    }

    /// What was there before the batch, once for each key. Apart from `put_at`, which most records of a batch need alone.
    #[inline(never)]
    fn write_down(&mut self, spot: Spot, key: &K, old: Old<S>) {
        if let Some(undo) = self.undo.back_mut() {
            undo.changes.push(Changed { key: key.clone(), spot, old });
        }
    }

    #[inline(never)]
    fn put_new(&mut self, spot: Spot, key: &K, state: S, time: Time) {
        let entry = Entry { key: key.clone(), state, used: time, listed: time, logged_in: self.attempt };
        let spot = self.table.insert(spot, entry);
        if let Some(idle) = &mut self.idle {
            idle.entry(time).or_default().push(key.clone());
        }
        self.write_down(spot, key, Old::Nothing);
    }

    /// Says that the state of `key`, which is at the spot, was used at `time`, which is the time of the batch.
    pub(super) fn touch_at(&mut self, spot: Spot, key: &K, time: Time) {
        let Some(entry) = self.table.at_mut(spot) else { return };
        let used = std::mem::replace(&mut entry.used, time);
        if used != time {
            let listed = entry.listed;
            self.write_down(spot, key, Old::Use { used, listed });
        }
    }

    /// As [`put_at`](Self::put_at), wherever the key is.
    pub(super) fn put(&mut self, key: &K, state: S, time: Time) {
        self.put_at(self.find(key), key, state, time);
    }

    /// As [`touch_at`](Self::touch_at), wherever the key is.
    pub(super) fn touch(&mut self, key: &K, time: Time) {
        self.touch_at(self.find(key), key, time);
    }

    pub(super) fn remove(&mut self, key: &K) {
        let Some((spot, Entry { key, state, used, listed, .. })) = self.table.remove(key) else { return };
        let Some(undo) = self.undo.back_mut() else { return };
        if let Some(backing) = &mut self.backing {
            backing.remove(undo.time, key.clone());
        }
        undo.removes = true;
        undo.changes.push(Changed { key, spot, old: Old::State { state, used, listed } });
    }

    /// The keys that were last used before `time`, some maybe twice. They are listed no more: the caller removes them.
    pub(super) fn take_idle(&mut self, time: Time) -> Vec<K> {
        let mut idle_keys = Vec::new();
        let (Some(idle), Some(undo)) = (&mut self.idle, self.undo.back_mut()) else { return idle_keys };
        let later = idle.split_off(&time);
        let due = std::mem::replace(idle, later);
        for (listed, keys) in &due {
            for key in keys {
                let Some(entry) = self.table.get_mut(key) else { continue };
                if entry.listed != *listed {
                    // It was removed and has come back since.
                    continue;
                }
                if entry.used < time {
                    idle_keys.push(key.clone());
                } else {
                    entry.listed = entry.used;
                    idle.entry(entry.used).or_default().push(key.clone());
                }
            }
        }
        undo.due = due;
        idle_keys
    }

    /// A copy of all states as they were after the batch at `time`.
    ///
    /// # Panics
    ///
    /// When that was too long ago.
    pub(super) fn at(&self, time: Time) -> Result<Vec<(K, S)>, StateError>
    where
        K: Key,
        S: Wire,
    {
        let mut earlier: HashMap<&K, Option<&S>> = HashMap::new();
        let later = || self.undo.iter().filter(|undo| undo.time > time);
        let reached = later().next().map_or_else(|| self.applied.last(), |undo| undo.before);
        assert!(
            reached.is_none_or(|reached| reached <= time),
            "the states after the batch at {time} are not kept any more"
        );
        for Changed { key, old, .. } in later().flat_map(|undo| &undo.changes) {
            let state = match old {
                Old::Nothing => None,
                Old::State { state, .. } => Some(state),
                Old::Use { .. } => continue,
            };
            earlier.entry(key).or_insert(state);
        }
        let mut states = Vec::with_capacity(self.table.len());
        for entry in self.table.iter() {
            if let Some(state) = earlier.remove(&entry.key).unwrap_or(Some(&entry.state)) {
                states.push((entry.key.clone(), state.clone()));
            }
        }
        for stored in self.backing.iter().flat_map(Backing::iter) {
            let (key, state) = stored?;
            let backing = self.backing.as_ref().expect("it has just been read");
            if backing.is_removed(&key) || self.table.get(&key).is_some() {
                continue;
            }
            if let Some(state) = earlier.remove(&key).map_or(Some(state), |state| state.cloned()) {
                states.push((key, state));
            }
        }
        let gone = earlier.into_iter().filter_map(|(key, state)| Some((key.clone(), state?.clone())));
        states.extend(gone);
        Ok(states)
    }
}

impl<K: Key, S: Wire> StateMap<K, S> {
    /// Writes down what the batch has changed, before it is committed, if that is asked for.
    pub(super) fn log_batch(&mut self, mapped: Option<MappedRecords>) -> Result<(), StateError> {
        let (Some(bytes), Some(undo)) = (self.applied.expected_bytes(), self.undo.back()) else {
            return Ok(());
        };
        let (mut key_bytes, mut state_bytes) = (Vec::new(), Vec::new());
        let mut keys = Vec::with_capacity(bytes);
        let mut seen = HashSet::new();
        for Changed { key, spot, old } in &undo.changes {
            if undo.removes && !seen.insert(key) {
                // What was there before the batch is what the first change of a key says.
                continue;
            }
            let entry = self.table.at(self.table.still(*spot, key));
            key_bytes.clear();
            encode(entry.map_or(key, |entry| &entry.key), &mut key_bytes)?;
            let change = match (old, entry) {
                (Old::Use { .. }, Some(entry)) if entry.logged_in != self.attempt => {
                    KeyChange::Touch { key: &key_bytes }
                }
                // Used first and changed after that, which is written down too.
                (Old::Use { .. }, Some(_)) if !undo.removes => continue,
                (Old::Nothing, None) => continue,
                (Old::Use { .. } | Old::State { .. }, None) => KeyChange::Remove { key: &key_bytes },
                (_, Some(entry)) => {
                    state_bytes.clear();
                    encode(&entry.state, &mut state_bytes)?;
                    KeyChange::Put { key: &key_bytes, state: &state_bytes, new: matches!(old, Old::Nothing) }
                }
            };
            change.encode(&mut keys);
        }
        let moves = self.backing.as_mut().and_then(Backing::take_moves);
        self.applied.push(undo.time, PartitionChanges { keys, mapped, moves });
        Ok(())
    }

    /// Has states on disk from now on, of which the table has some.
    pub(super) fn set_backing(&mut self, backing: Backing<K>) {
        self.backing = Some(backing);
    }

    /// Whether the state of the key at a spot may have to be brought from disk.
    #[inline]
    pub(super) fn may_be_on_disk(&self, spot: Spot) -> bool {
        self.backing.is_some() && !spot.is_filled()
    }

    /// Puts the state of a key that is not in the table there, if it has one on disk. Returns where it is.
    pub(super) fn fetch(&mut self, spot: Spot, key: &K) -> Result<Spot, StateError> {
        if self.may_be_on_disk(spot)
            && let Some(backing) = &mut self.backing
            && let Some((state, used)) = backing.get(key)?
        {
            let entry = Entry { key: key.clone(), state, used, listed: used, logged_in: 0 };
            return Ok(self.table.insert(spot, entry));
        }
        Ok(spot)
    }

    /// As [`take_idle`](Self::take_idle), for keys whose states are on disk.
    pub(super) fn take_idle_on_disk(&mut self, time: Time) -> Result<Vec<K>, StateError> {
        let mut idle_keys = Vec::new();
        let Some(backing) = &self.backing else { return Ok(idle_keys) };
        let listed = backing.listed(time).collect::<Result<Vec<_>, _>>()?;
        if listed.is_empty() {
            return Ok(idle_keys);
        }
        let mut relisted = Vec::new();
        for bytes in listed {
            let key: K = decode(&bytes)?;
            let Some(backing) = &self.backing else { break };
            let used = match self.table.get(&key) {
                Some(entry) => entry.used,
                None if backing.is_removed(&key) => continue,
                None => match backing.stored(&bytes)? {
                    Some(stored) => stored.used,
                    None => continue,
                },
            };
            if used < time { idle_keys.push(key) } else { relisted.push((used, bytes)) }
        }
        if let Some(backing) = &mut self.backing {
            backing.set_moves(IdleMoves { before: time, relisted, ..IdleMoves::default() });
        }
        Ok(idle_keys)
    }

    /// The batches up to the one at `time` are on disk. The table forgets what it does not need, unless it has fewer
    /// than `keep` keys.
    pub(super) fn written(&mut self, time: Time, keep: usize) {
        let Some(backing) = &mut self.backing else { return };
        backing.written(time);
        if self.table.len() > keep {
            self.table.retain(|entry| entry.used > time);
        }
        if let Some(idle) = &mut self.idle {
            *idle = idle.split_off(&(time + milliseconds(1)));
        }
    }

    /// Forgets everything, to be filled with [`insert`](Self::insert).
    pub(super) fn clear(&mut self) {
        self.applied.forget_all();
        *self = Self { applied: Arc::clone(&self.applied), ..Self::new(self.idle.is_some()) };
    }

    /// Makes room for more keys.
    pub(super) fn reserve(&mut self, keys: usize) {
        self.table.reserve(keys);
    }

    /// Says that the states are those after the batch at `time`.
    pub(super) fn set_applied(&mut self, time: Time) {
        self.undo.clear();
        self.applied.set(Some(time), self.table.len());
    }

    /// All keys with their states.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &S)> {
        self.table.iter().map(|entry| (&entry.key, &entry.state))
    }
}

#[cfg(test)]
impl<K: Hash + Eq + Clone, S: Clone> StateMap<K, S> {
    pub(super) fn get(&self, key: &K) -> Option<&S> {
        self.get_at(self.find(key))
    }

    /// All states with the times of their last use.
    pub(super) fn entries(&self) -> Vec<(K, S, Time)> {
        self.table.iter().map(|entry| (entry.key.clone(), entry.state.clone(), entry.used)).collect()
    }

    /// How many batches can be undone, and how many changes of theirs are kept.
    pub(super) fn kept(&self) -> (usize, usize) {
        (self.undo.len(), self.undo.iter().map(|undo| undo.changes.len()).sum())
    }
}
