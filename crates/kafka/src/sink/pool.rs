// SPDX-License-Identifier: Apache-2.0
//! `Producers`: the producers of a sink in this process, kept from batch to batch, closed when they are idle.

use std::sync::Arc;

use dstreams_streaming::{
    Duration, Time,
    clock::{Clock, SystemClock},
};
use parking_lot::Mutex;

use super::producer::Producer;
use crate::{error::Result, params::Params};

/// Producers by transactional id; those without one are all alike.
pub(super) struct Producers {
    params: Params,
    idle_timeout: Duration,
    clock: Arc<dyn Clock>,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    id: Option<String>,
    since: Time,
    producer: Producer,
}

/// A producer that a task has.
pub(super) struct Leased {
    pub(super) id: Option<String>,
    pub(super) producer: Producer,
    /// Whether it has just been made.
    pub(super) fresh: bool,
}

impl Producers {
    pub(super) fn new(params: Params, idle_timeout: Duration) -> Self {
        Self { params, idle_timeout, clock: Arc::new(SystemClock), idle: Mutex::default() }
    }

    /// The producer of an id for the caller alone, or a new one.
    pub(super) fn lease(&self, id: Option<String>) -> Result<Leased> {
        let (found, expired) = {
            let mut idle = self.idle.lock();
            let expired = self.expired(&mut idle);
            let found = idle.iter().rposition(|idle| idle.id == id).map(|index| idle.swap_remove(index));
            (found, expired)
        };
        // Closing takes its time, and is done without the lock.
        drop(expired);
        Ok(match found {
            Some(Idle { id, producer, .. }) => Leased { id, producer, fresh: false },
            None => Leased { producer: Producer::new(&self.params, id.as_deref())?, id, fresh: true },
        })
    }

    /// Takes back a producer that can be used again.
    pub(super) fn give_back(&self, Leased { id, producer, .. }: Leased) {
        let expired = {
            let mut idle = self.idle.lock();
            idle.push(Idle { id, since: self.clock.now(), producer });
            self.expired(&mut idle)
        };
        drop(expired);
    }

    fn expired(&self, idle: &mut Vec<Idle>) -> Vec<Idle> {
        let limit = self.clock.now() - self.idle_timeout;
        idle.extract_if(.., |idle| idle.since < limit).collect()
    }
}

#[cfg(test)]
mod tests {
    use dstreams_streaming::{clock::ManualClock, time::seconds};

    use super::*;

    #[test]
    fn producers_are_used_again_by_id_and_closed_when_idle() -> Result<()> {
        let clock = Arc::new(ManualClock::new(Time::from_millis(0)));
        let params = Params::new("127.0.0.1:1");
        let mut pool = Producers::new(params, seconds(60));
        pool.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let lease = |id: &str| pool.lease(Some(id.to_owned()));
        let (one, two) = (lease("1")?, lease("2")?);
        assert!(one.fresh && two.fresh);
        pool.give_back(one);
        assert!(lease("2")?.fresh, "it is in use");
        let one = lease("1")?;
        assert!(!one.fresh);
        pool.give_back(one);
        pool.give_back(two);
        clock.advance(seconds(61));
        assert!(lease("1")?.fresh);
        assert_eq!(pool.idle.lock().len(), 0);
        Ok(())
    }
}
