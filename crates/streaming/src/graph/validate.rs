// SPDX-License-Identifier: Apache-2.0
//! What must hold of every stream when its context starts.

use std::sync::Arc;

use crate::{
    dstream::node::{AnyNode, NodeMeta},
    error::{Error, Result},
};

pub(super) fn validate(nodes: &[Arc<dyn AnyNode>], has_checkpoint_dir: bool) -> Result<()> {
    nodes.iter().try_for_each(|node| validate_node(node.meta(), has_checkpoint_dir))
}

fn validate_node(meta: &NodeMeta, has_checkpoint_dir: bool) -> Result<()> {
    let Some(interval) = meta.checkpoint_interval() else { return Ok(()) };
    let slide = meta.slide();
    let error = if !has_checkpoint_dir {
        "The checkpoint directory has not been set. Please set it by StreamingContext::checkpoint()."
            .to_owned()
    } else if interval < slide {
        format!(
            "The checkpoint interval for {meta} has been set to {interval} which is lower than its slide time ({slide}). Please set it to at least {slide}."
        )
    } else if !interval.is_multiple_of(slide) {
        format!(
            "The checkpoint interval for {meta} has been set to {interval} which not a multiple of its slide time ({slide}). Please set it to a multiple of {slide}."
        )
    } else if meta.remember() <= interval {
        format!(
            "The remember duration for {meta} has been set to {} which is not more than the checkpoint interval ({interval}). Please set it to a value higher than {interval}.",
            meta.remember()
        )
    } else {
        return Ok(());
    };
    Err(Error::IllegalArgument(error))
}
