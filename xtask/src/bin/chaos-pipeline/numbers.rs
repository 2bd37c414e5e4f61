// SPDX-License-Identifier: Apache-2.0
//! A reliable source without a receiver: each batch takes a range of numbers, up to a limit that a file says.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use dstreams::{
    Rdd, RddContext, Result, Time,
    streaming::{Error, InputInfo, Source},
};

use crate::event::Event;

/// Gives the numbers from 0 on, each once, as far as they are there.
pub(crate) struct Numbers {
    pub(crate) source: u8,
    pub(crate) keys: u32,
    /// Holds how many numbers there are so far.
    pub(crate) limit: PathBuf,
    /// The most that a batch takes.
    pub(crate) batch: u64,
    /// The first number that no batch has.
    pub(crate) next: Mutex<u64>,
}

/// What a batch takes: the numbers from the first to before the second.
type Plan = (u64, u64);

impl Numbers {
    fn limit(&self) -> io::Result<u64> {
        match fs::read_to_string(&self.limit) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(0),
            text => text?.trim().parse().map_err(io::Error::other),
        }
    }
}

impl Numbers {
    fn next(&self) -> MutexGuard<'_, u64> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Numbers {
    type Record = Event;
    type Plan = Plan;

    fn name(&self) -> String {
        "Numbers".to_owned()
    }

    fn plan(&self, _: Time) -> Result<Option<Plan>> {
        let limit = self.limit().map_err(Error::source)?;
        let mut next = self.next();
        let plan = (*next, limit.min(*next + self.batch).max(*next));
        *next = plan.1;
        Ok(Some(plan))
    }

    fn give_back(&self, (from, _): Plan) {
        // The plans of later batches are made after this.
        *self.next() = from;
    }

    fn restore(&self, _: &[u8], plans: Vec<(Time, Plan)>) -> Result<()> {
        if let Some((_, (_, end))) = plans.last() {
            *self.next() = *end;
        }
        Ok(())
    }

    fn info(&self, (from, end): &Plan) -> InputInfo {
        InputInfo::of_records(end - from)
    }

    fn rdd(&self, context: &RddContext, (from, end): Plan) -> Result<Rdd<Event>> {
        let (source, keys) = (self.source, self.keys);
        Ok(context
            .parallelize((from..end).collect::<Vec<_>>())
            .map(move |number| Event::of_number(source, keys, number)))
    }
}
