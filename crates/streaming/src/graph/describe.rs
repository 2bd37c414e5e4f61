// SPDX-License-Identifier: Apache-2.0
//! A graph as listeners are told of it.

use super::RunningGraph;
use crate::{
    config::keys,
    dstream::{node::short, scope::Scope},
    event::{GraphInfo, InputStreamInfo, OperatorInfo, OutputInfo},
};

impl RunningGraph {
    /// What is told of the graph and of the context that runs it.
    pub(crate) fn describe(&self, scope: &Scope, checkpoint_dir: Option<String>) -> GraphInfo {
        let inputs = self.inputs.iter().map(|input| InputStreamInfo {
            stream_id: input.id(),
            name: input.name(),
            is_receiver: input.is_receiver(),
        });
        let operators = self.nodes.iter().map(|node| {
            let meta = node.meta();
            let state = self.states.iter().find(|operator| operator.state.node() == meta.id());
            OperatorInfo {
                id: meta.id(),
                operator: meta.operator().to_owned(),
                name: meta.name().map(str::to_owned),
                location: short(meta.location()),
                slide: meta.slide(),
                parents: meta.parents().iter().map(|parent| parent.meta().id()).collect(),
                state: state.map(|operator| operator.id.clone()),
            }
        });
        let outputs = self.outputs.iter().map(|output| OutputInfo {
            id: output.id.get().to_owned(),
            name: output.name.clone(),
            operator: output.stream.meta().id(),
        });
        GraphInfo {
            application: scope.config().get(&keys::APP_NAME).unwrap_or_default(),
            interval: scope.interval(),
            checkpoint_dir,
            inputs: inputs.collect(),
            operators: operators.collect(),
            outputs: outputs.collect(),
        }
    }
}
