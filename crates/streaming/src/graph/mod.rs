// SPDX-License-Identifier: Apache-2.0
//! The graph of a started context: validated, with a zero time, only what outputs depend on.

mod describe;
mod validate;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    checkpoint::durable::DurableState,
    dstream::{
        endpoint::{AnyInput, Output, OutputJob},
        node::{AnyNode, NodeMeta},
        scope::Scope,
    },
    error::{Error, Result},
    input::{Batch, Batches},
    output::guarded,
    time::{Duration, Time},
};

/// A graph that makes jobs. There is no way back to the graph that is being built.
pub(crate) struct RunningGraph {
    outputs: Vec<Output>,
    inputs: Vec<Arc<dyn AnyInput>>,
    nodes: Vec<Arc<dyn AnyNode>>,
    states: Vec<StateOperator>,
    /// How long batches are remembered: as long as the longest memory of any stream.
    remember: Duration,
    /// Whether batches hold received data, nothing is made from earlier ones, and nobody has asked to have them remembered.
    lives_for_the_moment: bool,
}

/// An operator with a state, under the name by which checkpoints know it.
#[derive(Clone)]
pub(crate) struct StateOperator {
    /// Its given name, or its kind and number among those of its kind, from 1.
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) state: Arc<dyn DurableState>,
}

/// The work of one output for one batch, with its number in the batch.
pub(crate) struct Job {
    pub(crate) id: usize,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) run: OutputJob,
}

/// What a graph is started with.
pub(crate) struct GraphSettings {
    /// The time before the first batch.
    pub(crate) zero: Time,
    /// The least time that every output's stream is remembered.
    pub(crate) remember: Option<Duration>,
    /// Whether there is a place for checkpoints.
    pub(crate) has_checkpoint_dir: bool,
}

impl RunningGraph {
    /// Validates the graph of `scope` and gives its streams their zero time.
    pub(crate) fn start(scope: &Scope, settings: &GraphSettings) -> Result<Self> {
        scope.check_graph()?;
        let outputs = scope.outputs();
        if outputs.is_empty() {
            return Err(Error::IllegalArgument(
                "No output operations registered, so nothing to execute: call print, for_each_rdd or another output"
                    .to_owned(),
            ));
        }
        let mut nodes = BTreeMap::new();
        for output in &outputs {
            collect(&output.stream, &mut nodes);
        }
        // Children are made after their parents, so that going down the numbers visits every child before its parents.
        for (_, node) in nodes.iter().rev() {
            let meta = node.meta();
            if !meta.initialize(settings.zero) {
                return Err(Error::IllegalState(format!(
                    "{meta} belongs to a context that has been started before"
                )));
            }
            let least = match meta.checkpoint_interval() {
                Some(interval) if meta.slide() <= interval => interval * 2,
                _ => meta.slide(),
            };
            meta.remember_at_least(least);
        }
        for output in &outputs {
            let asked_for = settings.remember.unwrap_or(Duration::ZERO);
            output.stream.meta().remember_at_least(asked_for);
            output.stream.meta().reads_again(asked_for);
        }
        let states = state_operators(scope, &nodes)?;
        for (number, node) in nodes.iter().rev() {
            let meta = node.meta();
            let computed_again = states
                .iter()
                .any(|operator| operator.state.node() == *number && !operator.state.logs_changes());
            // What is computed again from a snapshot asks for all that was put in since.
            let past = if computed_again { meta.remember() } else { meta.past_needed() };
            for parent in meta.parents() {
                parent.meta().remember_at_least(meta.parent_remember());
                parent.meta().need_past(past + meta.reach());
                parent.meta().reads_again(meta.read_again() + meta.reach());
            }
        }
        let nodes: Vec<_> = nodes.into_values().collect();
        validate::validate(&nodes, settings.has_checkpoint_dir)?;
        let remember = nodes.iter().map(|node| node.meta().remember()).max().unwrap_or(Duration::ZERO);
        let is_used_once =
            |meta: &NodeMeta| !meta.read_again().is_positive() && meta.remember() == scope.interval();
        let lives_for_the_moment = scope.inputs().iter().any(|input| input.is_receiver())
            && nodes.iter().all(|node| is_used_once(node.meta()));
        Ok(Self { outputs, inputs: scope.inputs(), nodes, states, remember, lives_for_the_moment })
    }

    pub(crate) fn inputs(&self) -> &[Arc<dyn AnyInput>] {
        &self.inputs
    }

    /// The operators with a state.
    pub(crate) fn states(&self) -> &[StateOperator] {
        &self.states
    }

    /// Says that an operator has no state before the end of this batch, although earlier batches are known.
    pub(crate) fn begin_after(&self, operator: &StateOperator, time: Time) {
        for node in self.nodes.iter().filter(|node| node.meta().id() == operator.state.node()) {
            node.meta().begin_after(time);
        }
    }

    /// How long batches are remembered.
    pub(crate) fn remember(&self) -> Duration {
        self.remember
    }

    /// Fixes what the batch at `time` is made of. When a source fails, the others get back what they gave.
    pub(crate) fn plan(&self, time: Time) -> Result<Batch> {
        let mut batch = Batch { time, inputs: BTreeMap::new() };
        for input in &self.inputs {
            match guarded(|| input.plan(time)) {
                Ok(Some(planned)) => {
                    batch.inputs.insert(input.id(), planned);
                }
                Ok(None) => {}
                Err(error) => {
                    self.give_back(&batch);
                    return Err(error);
                }
            }
        }
        Ok(batch)
    }

    /// Returns the input of a batch that does not come to be to its sources.
    pub(crate) fn give_back(&self, batch: &Batch) {
        for input in &self.inputs {
            if let Some(planned) = batch.inputs.get(&input.id()) {
                input.give_back(planned);
            }
        }
    }

    /// Drops the datasets of a batch that does not come to be.
    pub(crate) fn discard(&self, time: Time) {
        for node in &self.nodes {
            node.discard(time);
        }
    }

    /// Makes the jobs of a batch that is in `batches`: one per output that has a dataset then. When one cannot be
    /// made, none is.
    pub(crate) fn jobs(&self, time: Time, batches: &Batches) -> Result<Vec<Job>> {
        let mut jobs = Vec::with_capacity(self.outputs.len());
        for output in &self.outputs {
            if let Some(run) = guarded(|| (output.make_job)(time, batches))? {
                let (name, description) = (output.name.clone(), output.description.clone());
                jobs.push(Job { id: jobs.len(), name, description, run });
            }
        }
        for operator in &self.states {
            operator.state.prepare(time, batches)?;
        }
        let passing = self.nodes.iter().filter(|node| node.meta().is_needed_in_each_batch());
        passing.into_iter().try_for_each(|node| node.prepare(time, batches))?;
        Ok(jobs)
    }

    /// Says to the sources that a batch is complete for good.
    pub(crate) fn completed(&self, time: Time) {
        self.tell_inputs(|input| input.completed(time));
    }

    /// Says to the sources that a batch has failed.
    pub(crate) fn failed(&self, time: Time) {
        self.tell_inputs(|input| input.failed(time));
    }

    /// What a source does with it must not end the thread that says it.
    fn tell_inputs(&self, tell: impl Fn(&dyn AnyInput)) {
        for input in &self.inputs {
            let told = guarded(|| {
                tell(&**input);
                Ok(())
            });
            if let Err(error) = told {
                tracing::error!(input = input.name(), %error, "the source cannot take in how a batch has ended");
            }
        }
    }

    /// Forgets what the batches after `time` cannot need. Returns the last batch time that is forgotten by all.
    pub(crate) fn forget(&self, time: Time) -> Time {
        for node in &self.nodes {
            node.forget(time - node.meta().remember());
        }
        let forgotten = time - self.remember;
        for input in &self.inputs {
            input.forget(forgotten);
        }
        forgotten
    }

    /// Releases the memory and files of datasets that no job after the batch at `time` reads.
    pub(crate) fn release(&self, time: Time) {
        for node in &self.nodes {
            node.release(time - node.meta().read_again());
        }
    }

    /// Forgets a batch that is over right away, where no later one can ask for it: its input is most of the memory that
    /// a stream without windows and states takes. Returns whether it is forgotten.
    pub(crate) fn forget_at_once(&self, time: Time) -> bool {
        if self.lives_for_the_moment {
            self.nodes.iter().for_each(|node| node.discard(time));
            self.inputs.iter().for_each(|input| input.forget(time));
        }
        self.lives_for_the_moment
    }

    /// Lets the sources remove what is stored for batches at and before `time`.
    pub(crate) fn clean(&self, time: Time) {
        self.inputs.iter().for_each(|input| input.clean(time));
    }

    /// By what the outputs are known.
    pub(crate) fn output_ids(&self) -> Vec<String> {
        self.outputs.iter().map(|output| output.id.get().to_owned()).collect()
    }
}

/// The operators with a state that outputs are made from, each under its own name.
fn state_operators(scope: &Scope, nodes: &BTreeMap<usize, Arc<dyn AnyNode>>) -> Result<Vec<StateOperator>> {
    let mut operators: Vec<StateOperator> = Vec::new();
    let mut of_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for state in scope.states() {
        let Some(node) = nodes.get(&state.node()) else { continue };
        let meta = node.meta();
        let number = of_kind.entry(meta.operator()).or_default();
        *number += 1;
        let id = meta.name().map_or_else(|| format!("{}-{number}", meta.operator()), str::to_owned);
        if operators.iter().any(|other| other.id == id) {
            return Err(Error::IllegalArgument(format!(
                "two operators with a state are named {id}: give each its own name, by which its state is found again"
            )));
        }
        operators.push(StateOperator { id, kind: meta.operator(), state });
    }
    Ok(operators)
}

fn collect(node: &Arc<dyn AnyNode>, nodes: &mut BTreeMap<usize, Arc<dyn AnyNode>>) {
    if nodes.insert(node.meta().id(), Arc::clone(node)).is_none() {
        for parent in node.meta().parents() {
            collect(parent, nodes);
        }
    }
}
