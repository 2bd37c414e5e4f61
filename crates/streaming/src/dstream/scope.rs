// SPDX-License-Identifier: Apache-2.0
//! What all streams of one context share while the graph is built: numbers, inputs, outputs, and what is wrong so far.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use dstreams_rdd::RddContext;
use parking_lot::{Mutex, RwLock};

use crate::{
    checkpoint::durable::DurableState,
    clock::{Clock, StopFlag},
    config::Config,
    dstream::endpoint::{AnyInput, Output, OutputId},
    error::{Error, Result},
    event::ListenerBus,
    input::{Batches, StreamId},
    rate::Rates,
    time::Duration,
};

/// Where a context is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamingContextState {
    /// Built, not started.
    Initialized,
    /// Started and not stopped.
    Active,
    /// Stopped; it cannot be started again.
    Stopped,
}

/// The graph of one context while it is built.
pub(crate) struct Scope {
    rdd: RddContext,
    clock: Arc<dyn Clock>,
    config: Arc<Config>,
    interval: Duration,
    bus: Arc<ListenerBus>,
    rates: Arc<Rates>,
    state: Mutex<StreamingContextState>,
    inputs: Mutex<Vec<Arc<dyn AnyInput>>>,
    outputs: Mutex<Vec<Output>>,
    states: Mutex<Vec<Arc<dyn DurableState>>>,
    rejected: Mutex<Vec<Error>>,
    next_node: AtomicUsize,
    next_input: AtomicUsize,
    batches: RwLock<Batches>,
    abandoned: StopFlag,
}

impl Scope {
    pub(crate) fn new(
        rdd: RddContext,
        clock: Arc<dyn Clock>,
        config: Arc<Config>,
        interval: Duration,
        pending: Arc<AtomicUsize>,
    ) -> Arc<Self> {
        let rates = Arc::new(Rates::new(&config, pending));
        Arc::new(Self {
            rdd,
            clock,
            config,
            interval,
            bus: Arc::default(),
            rates,
            state: Mutex::new(StreamingContextState::Initialized),
            inputs: Mutex::default(),
            outputs: Mutex::default(),
            states: Mutex::default(),
            rejected: Mutex::default(),
            next_node: AtomicUsize::new(0),
            next_input: AtomicUsize::new(0),
            batches: RwLock::default(),
            abandoned: StopFlag::new(),
        })
    }

    pub(crate) fn rdd_context(&self) -> &RddContext {
        &self.rdd
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    /// Where events go.
    pub(crate) fn bus(&self) -> &Arc<ListenerBus> {
        &self.bus
    }

    /// What sources may take in.
    pub(crate) fn rates(&self) -> &Arc<Rates> {
        &self.rates
    }

    pub(crate) fn state(&self) -> StreamingContextState {
        *self.state.lock()
    }

    pub(crate) fn set_state(&self, state: StreamingContextState) {
        *self.state.lock() = state;
    }

    /// The batches that can still be asked for.
    pub(crate) fn batches(&self) -> &RwLock<Batches> {
        &self.batches
    }

    pub(crate) fn next_node(&self) -> usize {
        self.next_node.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn next_input(&self) -> StreamId {
        StreamId(self.next_input.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn add_input(&self, input: Arc<dyn AnyInput>) {
        self.inputs.lock().push(input);
    }

    pub(crate) fn add_output(&self, output: Output) {
        if self.check_open() {
            self.outputs.lock().push(output);
        }
    }

    /// Adds the state of an operator to what checkpoints keep.
    pub(crate) fn add_state(&self, state: Arc<dyn DurableState>) {
        self.states.lock().push(state);
    }

    /// The states of all operators, in creation order.
    pub(crate) fn states(&self) -> Vec<Arc<dyn DurableState>> {
        self.states.lock().clone()
    }

    /// The identity of the next output of this kind.
    pub(crate) fn next_output(&self, kind: &'static str) -> Arc<OutputId> {
        let number = self.outputs.lock().iter().filter(|output| output.id.kind() == kind).count() + 1;
        Arc::new(OutputId::new(kind, number))
    }

    /// Raised when a stop gives up the jobs that run: outputs that wait for a sink end.
    pub(crate) fn abandoned(&self) -> &StopFlag {
        &self.abandoned
    }

    pub(crate) fn inputs(&self) -> Vec<Arc<dyn AnyInput>> {
        self.inputs.lock().clone()
    }

    pub(crate) fn outputs(&self) -> Vec<Output> {
        self.outputs.lock().clone()
    }

    /// The states, which checkpoints then do not know of.
    #[cfg(test)]
    pub(crate) fn take_states(&self) -> Vec<Arc<dyn DurableState>> {
        std::mem::take(&mut *self.states.lock())
    }

    /// Drops inputs, outputs and states. Their streams hold the scope in turn, so that without this nothing of a context
    /// would ever be freed.
    pub(crate) fn dismantle(&self) {
        let _streams = (
            std::mem::take(&mut *self.inputs.lock()),
            std::mem::take(&mut *self.outputs.lock()),
            std::mem::take(&mut *self.states.lock()),
        );
    }

    /// Whether the graph may still grow; otherwise the attempt is kept as an error.
    pub(crate) fn check_open(&self) -> bool {
        let verb = match self.state() {
            StreamingContextState::Initialized => return true,
            StreamingContextState::Active => "starting",
            StreamingContextState::Stopped => "stopping",
        };
        self.reject(Error::IllegalState(format!(
            "Adding new inputs, transformations, and output operations after {verb} a context is not supported"
        )));
        false
    }

    /// Keeps what is wrong with the graph, for `start` to return.
    pub(crate) fn reject(&self, error: Error) {
        tracing::error!(%error, "the graph cannot be built as asked");
        self.rejected.lock().push(error);
    }

    pub(crate) fn rejected(&self) -> Vec<Error> {
        self.rejected.lock().clone()
    }

    /// The first thing that is wrong with the graph.
    pub(crate) fn check_graph(&self) -> Result<()> {
        self.check_output_ids();
        self.rejected.lock().first().cloned().map_or(Ok(()), Err)
    }

    /// Two outputs with one identity would each take what the other has written for its own.
    fn check_output_ids(&self) {
        let outputs = self.outputs();
        for (number, output) in outputs.iter().enumerate() {
            if let Some(other) = outputs[..number].iter().find(|other| other.id.get() == output.id.get()) {
                self.reject(Error::IllegalArgument(format!(
                    "{} and {} are both called {}; give one of them another name",
                    other.description,
                    output.description,
                    output.id.get()
                )));
            }
        }
    }
}
