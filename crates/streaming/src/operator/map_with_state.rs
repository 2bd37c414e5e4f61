// SPDX-License-Identifier: Apache-2.0
//! `map_with_state`: a state per key that only the keys of a batch see, with timeouts.

use std::{fmt, ops::Deref, sync::Arc};

use dstreams_rdd::{ArcPartitioner, HashPartitioner, Key, Partitioning, Rdd, Wire};
use parking_lot::Mutex;

use crate::{
    config::keys,
    dstream::{
        DStream, NewStream,
        node::{Keeps, StreamNode},
        past::Past,
    },
    error::{Error, Result},
    input::Batches,
    state::{DiskOptions, DurableStates, Function, Rules, State, StateStore},
    time::{Duration, Time},
};

/// What [`map_with_state`](DStream::map_with_state) does: the function, and how states begin, end and are partitioned.
///
/// ```
/// # use dstreams_streaming::testing::run_batches;
/// use dstreams_streaming::{State, StateSpec, time::seconds};
/// let out = run_batches(vec![vec![("ann", 3)], vec![], vec![], vec![]], |clicks| {
///     let clicks = clicks.map(|(name, n)| (name.to_owned(), n));
///     let session = |_, name: &String, n: Option<i32>, total: &mut State<'_, i32>| match n {
///         Some(n) => {
///             total.update(total.get().unwrap_or(&0) + n);
///             None
///         }
///         None => Some(format!("{name} left after {} clicks", total.get()?)),
///     };
///     clicks.map_with_state(StateSpec::function_at(session).timeout(seconds(2)).partitions(1)).into()
/// })?;
/// assert_eq!(out[3], ["ann left after 3 clicks"]);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
#[must_use = "a spec does nothing until it is given to map_with_state"]
pub struct StateSpec<K: 'static, V, S, M> {
    function: Function<K, V, S, M>,
    initial: Option<Rdd<(K, S)>>,
    partitioning: Partitioning<K>,
    timeout: Option<Duration>,
}

impl<K, V, S, M> Clone for StateSpec<K, V, S, M> {
    fn clone(&self) -> Self {
        Self {
            function: Arc::clone(&self.function),
            initial: self.initial.clone(),
            partitioning: match &self.partitioning {
                Partitioning::Default => Partitioning::Default,
                Partitioning::Hash(partitions) => Partitioning::Hash(*partitions),
                Partitioning::By(partitioner) => Partitioning::By(Arc::clone(partitioner)),
            },
            timeout: self.timeout,
        }
    }
}

impl<K, V, S, M> fmt::Debug for StateSpec<K, V, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateSpec")
            .field("initial", &self.initial)
            .field("partitioning", &self.partitioning)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl<K, V, S, M> StateSpec<K, V, S, M> {
    /// Calls `f` for each record, with the key, the value and the state of the key; what it returns is a record of the
    /// new stream. For a key that times out, the value is `None`.
    pub fn function(f: impl Fn(&K, Option<V>, &mut State<'_, S>) -> M + Send + Sync + 'static) -> Self {
        Self::function_at(move |_, key, value, state| Some(f(key, value, state)))
    }

    /// As [`function`](Self::function), with an `f` that also gets the batch time, and need not return a record.
    pub fn function_at(
        f: impl Fn(Time, &K, Option<V>, &mut State<'_, S>) -> Option<M> + Send + Sync + 'static,
    ) -> Self {
        Self { function: Arc::new(f), initial: None, partitioning: Partitioning::Default, timeout: None }
    }

    /// The states before the first batch. Their keys count as used in the first batch; `f` is not called for them.
    pub fn initial_state(mut self, states: Rdd<(K, S)>) -> Self {
        self.initial = Some(states);
        self
    }

    /// Spreads the keys by hash over `partitions` partitions, instead of the engine's default parallelism.
    pub fn partitions(mut self, partitions: usize) -> Self {
        self.partitioning = Partitioning::Hash(partitions);
        self
    }

    /// Spreads the keys by `partitioner`.
    pub fn partitioner(mut self, partitioner: ArcPartitioner<K>) -> Self {
        self.partitioning = Partitioning::By(partitioner);
        self
    }

    /// Forgets a key that has had no records for longer than `idle`: in the first batch after that, when the records of
    /// the batch have been applied, `f` is called for it once more without a value, with a state that
    /// [is timing out](State::is_timing_out).
    pub fn timeout(mut self, idle: Duration) -> Self {
        self.timeout = Some(idle);
        self
    }
}

impl<K: Key, V: Wire> DStream<(K, V)> {
    /// A state per key, seen and changed by a function that is called for each record, in the order of the records of
    /// a key. The new stream has what the function returns.
    ///
    /// The work of a batch grows with its records and the keys that time out, not with the number of all keys. Every
    /// batch is applied to the states exactly once, however many outputs and attempts there are. A batch without a
    /// dataset has no records.
    ///
    /// The context needs a checkpoint directory. States are in memory, or with `dstreams.state.store=disk` in a database
    /// in that directory. A program that is started again goes on with them, also with another number of partitions
    /// and with fields added to or removed from the types: a new field needs `#[serde(default)]` or must be an `Option`.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// use dstreams_streaming::{State, StateSpec};
    /// let out = run_batches(vec![vec![('a', 1)], vec![('b', 1), ('a', 4)]], |pairs| {
    ///     let spec = StateSpec::function(|key: &char, n: Option<i32>, sum: &mut State<'_, i32>| {
    ///         let total = sum.get().unwrap_or(&0) + n.unwrap_or(0);
    ///         sum.update(total);
    ///         (*key, total)
    ///     });
    ///     pairs.map_with_state(spec.partitions(1)).into()
    /// })?;
    /// assert_eq!(out, [vec![('a', 1)], vec![('b', 1), ('a', 5)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn map_with_state<S: Wire, M: Wire>(
        &self,
        spec: StateSpec<K, V, S, M>,
    ) -> MapWithStateStream<K, S, M> {
        if let Some(timeout) = spec.timeout.filter(|timeout| !timeout.is_positive()) {
            let text = format!("The timeout of mapWithState ({timeout}) must be longer than zero");
            self.scope().reject(Error::IllegalArgument(text));
        }
        let partitioner: ArcPartitioner<K> = match self.partitioning(spec.partitioning) {
            Partitioning::By(partitioner) => partitioner,
            Partitioning::Hash(partitions) => Arc::new(HashPartitioner::new(partitions)),
            Partitioning::Default => Arc::new(HashPartitioner::new(self.default_partitions())),
        };
        let config = self.scope().config();
        let on_disk = (config.get(&keys::STATE_STORE) == "disk").then(|| DiskOptions {
            budget: config.get(&keys::STATE_MEMORY_BUDGET).as_bytes(),
            local_dir: config.get(&keys::LOCAL_DIR).map(Into::into),
        });
        let store = StateStore::new(partitioner.partitions(), spec.timeout.is_some(), on_disk);
        let new = NewStream {
            operator: "map_with_state",
            slide: self.slide(),
            parents: vec![self.any_node()],
            reach: Duration::ZERO,
            checkpoint: Some(self.slide() * CHECKPOINT_SLIDES),
        };
        let mapped = DStream::with_past(self.scope(), new, |past| MapWithStateNode {
            parent: self.clone(),
            slide: self.slide(),
            partitioner: Arc::clone(&partitioner),
            initial: spec.initial,
            rules: Rules { function: spec.function, timeout: spec.timeout },
            store: Arc::clone(&store),
            past,
            newest: Mutex::default(),
        });
        let durable = DurableStates::new(mapped.clone(), Arc::clone(&store), partitioner);
        self.scope().add_state(Arc::new(durable));
        MapWithStateStream { mapped, store }
    }
}

/// How many slides there are between two checkpoints, unless the program says otherwise.
const CHECKPOINT_SLIDES: i64 = 10;

/// The stream of mapped records that [`map_with_state`](DStream::map_with_state) gives, which it can be used as, and
/// the states behind it.
#[must_use = "streams are lazy: without an output nothing is computed"]
pub struct MapWithStateStream<K, S, M> {
    mapped: DStream<M>,
    store: Arc<StateStore<K, S>>,
}

impl<K, S, M> Clone for MapWithStateStream<K, S, M> {
    fn clone(&self) -> Self {
        Self { mapped: self.mapped.clone(), store: Arc::clone(&self.store) }
    }
}

impl<K, S, M> fmt::Debug for MapWithStateStream<K, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mapped.fmt(f)
    }
}

impl<K, S, M> Deref for MapWithStateStream<K, S, M> {
    type Target = DStream<M>;

    fn deref(&self) -> &DStream<M> {
        &self.mapped
    }
}

impl<K, S, M> From<MapWithStateStream<K, S, M>> for DStream<M> {
    fn from(stream: MapWithStateStream<K, S, M>) -> Self {
        stream.mapped
    }
}

impl<K: Key, S: Wire, M: Wire> MapWithStateStream<K, S, M> {
    /// All keys with their states after each batch, copied when they are asked for. The work of a batch then grows with
    /// the number of all keys.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// use dstreams_streaming::{State, StateSpec};
    /// let out = run_batches(vec![vec![('a', 1)], vec![('a', 4)], vec![]], |pairs| {
    ///     let last = |_: &char, n: Option<i32>, last: &mut State<'_, i32>| n.map(|n| last.update(n));
    ///     pairs.map_with_state(StateSpec::function(last)).state_snapshots()
    /// })?;
    /// assert_eq!(out, [[('a', 1)], [('a', 4)], [('a', 4)]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn state_snapshots(&self) -> DStream<(K, S)> {
        let (mapped, store) = (self.mapped.clone(), Arc::clone(&self.store));
        let snapshots = self.mapped.derive("state_snapshots", move |time, batches| {
            if store.restored() > Some(time) {
                tracing::warn!(
                    batch = %time,
                    "the states after a batch before the restart are not there any more: it is left out of what reaches back to it"
                );
                return Ok(None);
            }
            let Some(mapped) = mapped.rdd_at(time, batches)? else { return Ok(None) };
            // From now on, before a later batch can be applied.
            let (store, pin) = (Arc::clone(&store), store.pin(time));
            Ok(Some(mapped.map_partitions_with_index(move |partition, mapped| {
                // They need not be read: to open the partition has made all of them, and so applied the batch.
                drop(mapped);
                store.at(partition, &pin)
            })))
        });
        // Later batches change the states in place.
        snapshots.meta().pass_with_the_batch();
        snapshots
    }

    /// Sets how often the states are checkpointed: every `interval`, which must be a multiple of the slide; every ten
    /// slides otherwise.
    pub fn checkpoint(self, interval: Duration) -> Self {
        let _same = self.mapped.checkpoint(interval);
        self
    }
}

/// The mapped records of each batch, which come about when the batch is applied to the states.
///
/// A dataset depends on the one of the batch before, so that batches are applied in their order whatever job comes
/// first. Its records are kept as long as it is remembered, since making them again would need the states of before;
/// once all of them are there, what they were made from is forgotten, and with it the dataset of the batch before.
struct MapWithStateNode<K: 'static, V, S, M> {
    parent: DStream<(K, V)>,
    slide: Duration,
    partitioner: ArcPartitioner<K>,
    initial: Option<Rdd<(K, S)>>,
    rules: Rules<K, V, S, M>,
    store: Arc<StateStore<K, S>>,
    past: Past<M>,
    newest: Mutex<Option<Time>>,
}

impl<K: Key, V: Wire, S: Wire, M: Wire> MapWithStateNode<K, V, S, M> {
    /// The numbers of the partitions, each when its states are those before the batch at `time`.
    fn ready(&self, time: Time, before: Option<Rdd<M>>) -> Rdd<usize> {
        let store = Arc::clone(&self.store);
        let context = self.parent.rdd_context();
        // Where states were restored, the first ones have been in them.
        let initial = self.initial.as_ref().filter(|_| self.store.restored().is_none());
        match (before, initial) {
            // Its records need not be read: to open the partition has made all of them, and so applied the batch.
            (Some(before), _) => before.map_partitions_with_index(|partition, _| [partition]),
            (None, Some(initial)) => {
                let initial = initial.partition_by(Arc::clone(&self.partitioner));
                initial.map_partitions_with_index(move |partition, states| {
                    store.load(partition, states, time);
                    [partition]
                })
            }
            (None, None) => {
                let partitions = self.partitioner.partitions();
                context.from_partitions((0..partitions).map(|partition| vec![partition]).collect())
            }
        }
    }
}

impl<K: Key, V: Wire, S: Wire, M: Wire> StreamNode<M> for MapWithStateNode<K, V, S, M> {
    fn compute(&self, time: Time, batches: &Batches) -> Result<Option<Rdd<M>>> {
        // A batch that is forgotten cannot be applied again, and one that never was ends the way back.
        if batches.get(time).is_none() || self.newest.lock().is_some_and(|newest| newest >= time) {
            return Ok(None);
        }
        let restored = self.store.restored();
        if restored >= Some(time) {
            // To go on without them would give other results than without the restart.
            return Err(Error::NoRdd(format!(
                "the records that map_with_state returned in the batch at {time} were not kept, and the states are those after the batch at {}",
                restored.unwrap_or(time)
            )));
        }
        let before = match time - self.slide {
            // The states are those of before already.
            earlier if restored >= Some(earlier) => None,
            earlier => self.past.latest_at(earlier, batches)?,
        };
        let data = match self.parent.rdd_at(time, batches)? {
            Some(data) => data,
            None => self.parent.rdd_context().from_partitions(vec![Vec::new()]),
        };
        // Who is in the one partition that there is need not be moved there.
        let is_placed = self.partitioner.partitions() == 1 && data.num_partitions() == 1;
        let data = if is_placed { data } else { data.partition_by(Arc::clone(&self.partitioner)) };
        let (store, rules) = (Arc::clone(&self.store), self.rules.clone());
        let mapped = data.zip_partitions(&self.ready(time, before), move |records, mut ready| {
            let partition = ready.next().expect("every partition of `ready` has its number");
            store.apply(partition, time, records, rules.clone())
        });
        *self.newest.lock() = Some(time);
        Ok(Some(mapped.local_checkpoint()))
    }

    fn keeps(&self) -> Keeps<'_, M> {
        Keeps::Already
    }
}
