// SPDX-License-Identifier: Apache-2.0
//! The inner join of two partitions: the left one in a table, in which the records of the right one are looked up as
//! they come. Where memory is short for the table, both are grouped by key, on disk in part.

use std::marker::PhantomData;

use hashbrown::{HashTable, hash_table};

use super::{
    join::{Left, Product, Right, append},
    through::FlatMapChunks,
};
use crate::{
    block::memory::Reservation,
    chunk::{BoxChunks, CHUNK, Chunks, IterChunks},
    context::RddContext,
    error::TaskError,
    partitioner::key_hash,
    record::{Key, Wire},
    scheduler::task::TaskContext,
    shuffle::{footprint::RecordMeter, nothing_reserved, reduce_side::Groups, reserve, table::place},
};

/// Joins two partitions when the first chunk is asked for.
pub(super) struct HashJoin<K, V, W> {
    state: State<K, V, W>,
    context: RddContext,
    task: TaskContext,
    operator: usize,
}

enum State<K, V, W> {
    Waiting { left: BoxChunks<(K, V)>, expected: usize, right: BoxChunks<(K, W)> },
    Looking(Lookup<K, V, W>),
    Grouped(BoxChunks<Joined<K, V, W>>),
    Ended,
}

/// A key and its two values.
type Joined<K, V, W> = (K, (V, W));

impl<K: Key, V: Wire, W: Wire> HashJoin<K, V, W> {
    /// A join of `left`, of about `expected` records if that is known, with `right`.
    pub(super) fn new(
        left: BoxChunks<(K, V)>,
        expected: usize,
        right: BoxChunks<(K, W)>,
        context: &RddContext,
        task: &TaskContext,
        operator: usize,
    ) -> Self {
        let state = State::Waiting { left, expected, right };
        Self { state, context: context.clone(), task: task.clone(), operator }
    }

    fn start(
        &self,
        mut left: BoxChunks<(K, V)>,
        expected: usize,
        right: BoxChunks<(K, W)>,
    ) -> Result<State<K, V, W>, TaskError> {
        let mut memory = nothing_reserved(&self.context);
        let mut table = JoinTable::new();
        if reserve(&mut memory, JoinTable::<K, V>::bytes_of(expected)) {
            table.reserve(expected);
        }
        let mut chunk = Vec::with_capacity(CHUNK);
        while left.next_chunk(&mut chunk)? {
            self.task.set_operator(self.operator);
            table.extend(&mut chunk);
            if table.is_full() || !reserve(&mut memory, table.bytes()) {
                drop(memory);
                return self.group(table, &mut *left, right);
            }
        }
        Ok(State::Looking(Lookup {
            table,
            _memory: memory,
            right,
            records: Vec::new().into_iter(),
            current: None,
        }))
    }

    /// Goes on without a table.
    fn group(
        &self,
        table: JoinTable<K, V>,
        left: &mut dyn Chunks<(K, V)>,
        mut right: BoxChunks<(K, W)>,
    ) -> Result<State<K, V, W>, TaskError> {
        let mut groups = Groups::new(&self.context, &self.task, self.operator, |a, b| Ok(append(a, b)));
        groups.add_all(
            &mut IterChunks::new(table.into_records(), &self.task, self.operator),
            &Left(PhantomData),
        )?;
        groups.add_all(left, &Left(PhantomData))?;
        groups.add_all(&mut *right, &Right(PhantomData))?;
        let pairs = |(key, (left, right)): (K, (Vec<V>, Vec<W>))| {
            Ok(Product::new(left, right).map(move |values| (key.clone(), values)))
        };
        let groups = Box::new(groups.into_chunks()?);
        Ok(State::Grouped(Box::new(FlatMapChunks::new(groups, pairs, &self.task, self.operator))))
    }
}

impl<K: Key, V: Wire, W: Wire> Chunks<Joined<K, V, W>> for HashJoin<K, V, W> {
    fn next_chunk(&mut self, out: &mut Vec<Joined<K, V, W>>) -> Result<bool, TaskError> {
        loop {
            match &mut self.state {
                State::Looking(lookup) => return lookup.next_chunk(out, &self.task, self.operator),
                State::Grouped(chunks) => return chunks.next_chunk(out),
                State::Ended => return Ok(false),
                State::Waiting { .. } => {}
            }
            // After an error there is nothing more.
            if let State::Waiting { left, expected, right } = std::mem::replace(&mut self.state, State::Ended)
            {
                self.state = self.start(left, expected, right)?;
            }
        }
    }
}

/// The right side at work.
struct Lookup<K, V, W> {
    table: JoinTable<K, V>,
    /// The memory of the table.
    _memory: Reservation,
    right: BoxChunks<(K, W)>,
    /// Those of its records that have been fetched.
    records: std::vec::IntoIter<(K, W)>,
    /// A record of a key with several values that did not all fit in the chunk, and the place of the next one.
    current: Option<((K, W), u32)>,
}

impl<K: Key, V: Wire, W: Wire> Lookup<K, V, W> {
    fn next_chunk(
        &mut self,
        out: &mut Vec<Joined<K, V, W>>,
        task: &TaskContext,
        operator: usize,
    ) -> Result<bool, TaskError> {
        let before = out.len();
        while out.len() - before < CHUNK {
            if let Some(((key, value), next)) = &mut self.current {
                match self.table.further(*next) {
                    Some((left, following)) => {
                        out.push((key.clone(), (left.clone(), value.clone())));
                        *next = following;
                    }
                    None => self.current = None,
                }
                continue;
            }
            let Some((key, value)) = self.records.next() else {
                let mut chunk = Vec::with_capacity(CHUNK);
                if !self.right.next_chunk(&mut chunk)? {
                    return Ok(out.len() > before);
                }
                task.set_operator(operator);
                self.records = chunk.into_iter();
                continue;
            };
            let Some(entry) = self.table.get(&key) else { continue };
            if entry.second == NOWHERE {
                out.push((key, (entry.first.clone(), value)));
            } else {
                out.push((key.clone(), (entry.first.clone(), value.clone())));
                self.current = Some(((key, value), entry.second));
            }
        }
        Ok(true)
    }
}

/// Values by key. The first one lies in the table itself, since most keys have no more.
struct JoinTable<K, V> {
    table: HashTable<Entry<K, V>>,
    /// Further values, each with the place of the next one of its key.
    more: Vec<(V, u32)>,
    meter: RecordMeter,
}

struct Entry<K, V> {
    key: K,
    first: V,
    /// The places of the second and of the last value.
    second: u32,
    last: u32,
}

/// The place of a value that is not there.
const NOWHERE: u32 = u32::MAX;

/// Further values that a table may have; a chunk may come on top.
const MOST: usize = (u32::MAX / 2) as usize;

impl<K: Key, V: Wire> JoinTable<K, V> {
    fn new() -> Self {
        Self { table: HashTable::new(), more: Vec::new(), meter: RecordMeter::default() }
    }

    fn reserve(&mut self, keys: usize) {
        self.table.reserve(keys, |entry| place(key_hash(&entry.key)));
    }

    fn is_full(&self) -> bool {
        self.more.len() >= MOST
    }

    /// The memory that the table takes, as estimated.
    fn bytes(&self) -> usize {
        let more = self.more.capacity().saturating_mul(size_of::<(V, u32)>());
        Self::bytes_of(self.table.capacity()).saturating_add(more).saturating_add(self.meter.heap())
    }

    /// The memory of so many entries, without what they own elsewhere.
    fn bytes_of(entries: usize) -> usize {
        entries.saturating_mul(size_of::<Entry<K, V>>() + 1)
    }

    fn extend(&mut self, records: &mut Vec<(K, V)>) {
        self.meter.count(records);
        for (key, value) in records.drain(..) {
            let hash = place(key_hash(&key));
            let found = self.table.entry(hash, |entry| entry.key == key, |entry| place(key_hash(&entry.key)));
            match found {
                hash_table::Entry::Vacant(vacant) => {
                    vacant.insert(Entry { key, first: value, second: NOWHERE, last: NOWHERE });
                }
                hash_table::Entry::Occupied(mut occupied) => {
                    let entry = occupied.get_mut();
                    let new = u32::try_from(self.more.len()).expect("a table that is full is given up");
                    self.more.push((value, NOWHERE));
                    match self.more.get_mut(entry.last as usize) {
                        Some((_, next)) => *next = new,
                        None => entry.second = new,
                    }
                    entry.last = new;
                }
            }
        }
    }

    #[inline]
    fn get(&self, key: &K) -> Option<&Entry<K, V>> {
        self.table.find(place(key_hash(key)), |entry| entry.key == *key)
    }

    /// The further value at a place, and the place of the next one.
    #[inline]
    fn further(&self, place: u32) -> Option<(&V, u32)> {
        self.more.get(place as usize).map(|(value, next)| (value, *next))
    }

    /// All records, those of one key together and in their order.
    fn into_records(self) -> impl Iterator<Item = (K, V)> {
        let more = self.more;
        let mut entries = self.table.into_iter();
        let mut current: Option<(K, u32)> = None;
        std::iter::from_fn(move || {
            if let Some((key, next)) = current.take()
                && let Some((value, following)) = more.get(next as usize)
            {
                let record = (key.clone(), value.clone());
                current = Some((key, *following));
                return Some(record);
            }
            let entry = entries.next()?;
            if entry.second != NOWHERE {
                current = Some((entry.key.clone(), entry.second));
            }
            Some((entry.key, entry.first))
        })
    }
}
