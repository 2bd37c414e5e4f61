// SPDX-License-Identifier: Apache-2.0
//! `ReceivedSource`: what a receiver stores, as the input of batches.

use std::sync::Arc;

use dstreams_rdd::{Rdd, RddContext};
use dstreams_wal::Location;
use parking_lot::Mutex;

use super::{Source, SourceContext};
use crate::{
    config::keys,
    error::{Error, Result},
    input::InputInfo,
    receiver::{ReceivedBlocks, ReceivedPlan, Receiver, ReceiverOptions, log, supervisor::Supervisor},
    time::Time,
};

/// What is said when the log is wanted and has no place.
const NO_DIRECTORY: &str = "Cannot enable receiver write-ahead log without checkpoint directory set. Please use \
     streamingContext.checkpoint() to set the checkpoint directory. See documentation for more details.";

/// Gives each batch the blocks that came since the batch before.
pub(crate) struct ReceivedSource<R: Receiver> {
    name: &'static str,
    context: SourceContext,
    blocks: Arc<ReceivedBlocks<R::Record>>,
    phase: Mutex<Phase<R>>,
}

enum Phase<R: Receiver> {
    Initialized(R),
    Running(Supervisor<R::Record>),
    Stopped,
}

impl<R: Receiver> ReceivedSource<R> {
    pub(crate) fn new(
        name: &'static str,
        receiver: R,
        options: ReceiverOptions,
        context: &SourceContext,
    ) -> Self {
        // Asked for now, so that the stream has a controller from the beginning.
        let _asked_again_by_the_receiver = context.receiver_rate();
        let rdd = context.rdd_context().clone();
        let blocks = Arc::new(ReceivedBlocks::new(context.stream_id(), rdd, options.storage_level));
        Self { name, context: context.clone(), blocks, phase: Mutex::new(Phase::Initialized(receiver)) }
    }

    /// What the configuration says about the log, if it does.
    fn log_setting(&self) -> Option<bool> {
        self.context.config().get(&keys::RECEIVER_LOG_ENABLE)
    }
}

impl<R: Receiver> Source for ReceivedSource<R> {
    type Record = R::Record;
    type Plan = ReceivedPlan;

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn is_receiver(&self) -> bool {
        true
    }

    fn plan(&self, time: Time) -> Result<Option<ReceivedPlan>> {
        if let Phase::Running(supervisor) = &*self.phase.lock() {
            supervisor.cut_for_batch(time);
        }
        Ok(Some(self.blocks.plan(time)))
    }

    fn info(&self, plan: &ReceivedPlan) -> InputInfo {
        plan.info()
    }

    fn rdd(&self, context: &RddContext, plan: ReceivedPlan) -> Result<Rdd<R::Record>> {
        Ok(self.blocks.rdd(context, plan))
    }

    fn give_back(&self, plan: ReceivedPlan) {
        self.blocks.give_back(&plan);
    }

    fn attach(&self, dir: &Location) -> Result<()> {
        let is_on = self.log_setting().unwrap_or(true);
        self.blocks.attach(dir, is_on.then(|| log::options(self.context.config())))
    }

    fn restore(&self, memory: &[u8], plans: Vec<(Time, ReceivedPlan)>) -> Result<()> {
        let first = memory.first_chunk().map_or(0, |number| u64::from_le_bytes(*number));
        self.blocks.restore(first, &plans);
        Ok(())
    }

    fn memory(&self) -> Vec<u8> {
        self.blocks.first_number().to_le_bytes().to_vec()
    }

    fn start(&self) -> Result<()> {
        if self.log_setting() == Some(true) && !self.blocks.is_logged() {
            return Err(Error::IllegalState(NO_DIRECTORY.to_owned()));
        }
        self.blocks.leave_found();
        let mut phase = self.phase.lock();
        *phase = match std::mem::replace(&mut *phase, Phase::Stopped) {
            Phase::Initialized(receiver) => {
                Phase::Running(Supervisor::start(receiver, Arc::clone(&self.blocks), &self.context)?)
            }
            started => started,
        };
        Ok(())
    }

    fn stop(&self, graceful: bool) {
        let phase = std::mem::replace(&mut *self.phase.lock(), Phase::Stopped);
        if let Phase::Running(supervisor) = phase {
            supervisor.stop(graceful);
        }
        self.blocks.close();
    }

    fn has_unplanned(&self) -> bool {
        self.blocks.has_waiting()
    }

    fn forget(&self, time: Time) {
        self.blocks.forget(time);
    }

    fn clean(&self, time: Time) {
        self.blocks.clean(time);
    }
}
