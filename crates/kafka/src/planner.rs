// SPDX-License-Identifier: Apache-2.0
//! `Planner`: how far a stream has come, and what the next batch takes. It goes on with what it knows while brokers are
//! away.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use dstreams_streaming::{
    Time,
    clock::{Clock as _, SystemClock},
};

use crate::{
    cluster::{Cluster, Offsets},
    error::{Error, Result},
    limits::Known,
    pace::{self, Pace},
    params::Reset,
    plan::Plan,
    ranges::{OffsetRange, TopicPartition},
    settings::Settings,
    subscription::Consumer,
};

/// How long brokers that did not answer the batch before are waited for.
const SHORT: Duration = Duration::from_millis(200);

/// What is known of the partitions of a stream.
pub(crate) struct Planner {
    consumer: Consumer,
    reset: Reset,
    settings: Settings,
    phase: Phase,
    /// The next offset of every partition that was ever read.
    positions: Offsets,
    /// The offset after the last record of each partition, as far as it was heard of.
    latest: Offsets,
    present: BTreeSet<TopicPartition>,
    /// When it was looked for new partitions last.
    looked: Option<Time>,
    /// Whether the brokers answered last time.
    is_away: bool,
    lost: u64,
    pace: Pace,
}

/// Whether it was looked for partitions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No: where those that there are start is still to be asked.
    New,
    /// Yes, now or by an earlier process: all that turn up now are new and read from their beginning.
    Begun,
}

impl Planner {
    pub(crate) fn new(consumer: Consumer, reset: Reset, settings: Settings) -> Self {
        Self {
            consumer,
            reset,
            settings,
            phase: Phase::New,
            positions: Offsets::new(),
            latest: Offsets::new(),
            present: BTreeSet::new(),
            looked: None,
            is_away: false,
            lost: 0,
            pace: Pace::default(),
        }
    }

    /// Goes on from positions of an earlier run.
    pub(crate) fn restore(&mut self, positions: Offsets) {
        self.phase = Phase::Begun;
        // The program may have changed, and read other topics than before.
        let read =
            positions.into_iter().filter(|(partition, _)| self.consumer.selection.has(&partition.topic));
        self.positions.extend(read);
    }

    /// Takes up the count of what was lost in earlier runs.
    pub(crate) fn restore_lost(&mut self, lost: u64) {
        self.lost = self.lost.max(lost);
    }

    /// The positions, once the first partitions have been found.
    pub(crate) fn positions(&self) -> Option<&Offsets> {
        (self.phase == Phase::Begun).then_some(&self.positions)
    }

    /// The batch of a plan never came to be.
    pub(crate) fn give_back(&mut self, plan: &Plan) {
        for range in plan.ranges.iter().rev() {
            self.positions.insert(range.partition.clone(), range.from);
        }
    }

    /// Finds the first partitions and where they start, if that has not been done. What passes, such as a group whose
    /// coordinator is just being chosen, is waited for: a start that is put off with `latest` leaves records out. A wrong
    /// password is not waited for to become right.
    pub(crate) fn begin(&mut self, cluster: &Cluster) -> Result<()> {
        let end = SystemClock.now() + self.settings.start_timeout;
        while self.phase == Phase::New {
            match self.look(cluster, None) {
                Err(Error::Request { .. }) if SystemClock.now() < end => cluster.pause(),
                outcome => return outcome,
            }
        }
        Ok(())
    }

    /// What the batch at `time` takes.
    pub(crate) fn plan(&mut self, cluster: &Cluster, time: Time, mut known: Known) -> Result<Plan> {
        let mut problems = Vec::new();
        // Brokers that are away must not hold up every batch for long.
        let patient = cluster.within(if self.is_away { SHORT } else { self.settings.request_timeout });
        match self.refresh(&patient, time) {
            Ok(()) => self.is_back(),
            Err(error @ (Error::Request { .. } | Error::Refused { .. } | Error::Client { .. })) => {
                let problem = error.to_string();
                if !std::mem::replace(&mut self.is_away, true) {
                    tracing::warn!(%time, "{problem}; batches are made of what was known before");
                }
                // Whatever the reason is, a topic that is gone may be it.
                self.looked = None;
                problems.push(problem);
            }
            Err(error) => return Err(error),
        }
        problems.extend(self.missing());
        known.rate = known.rate.filter(|rate| *rate > 0);
        let lags: BTreeMap<TopicPartition, u64> = self
            .positions
            .iter()
            .map(|(partition, position)| (partition.clone(), self.lag(partition, *position)))
            .collect();
        let limits = self.settings.limits.of(&lags, self.consumer.rates.as_ref(), known);
        let mut plan = Plan { problems, ..Plan::default() };
        let mut taken = 0;
        for (partition, position) in &mut self.positions {
            let lag = lags[partition];
            let count = limits.as_ref().map_or(lag, |limits| limits[partition].min(lag));
            let until = *position + i64::try_from(count).unwrap_or(i64::MAX - *position);
            let range = OffsetRange { partition: partition.clone(), from: *position, until };
            *position = until;
            plan.ranges.extend(range.split(self.settings.per_task));
            plan.lag += lag - count;
            taken += count;
        }
        plan.lost = self.lost;
        let waiting = plan.lag + pace::backlog(known.unread, taken);
        self.pace.planned(time, self.settings.limits.interval, taken, waiting);
        Ok(plan)
    }

    /// How many records of each partition wait for later batches.
    pub(crate) fn lags(&self) -> BTreeMap<String, u64> {
        let lag = |(partition, position): (&TopicPartition, &i64)| {
            (partition.to_string(), self.lag(partition, *position))
        };
        self.positions.iter().map(lag).collect()
    }

    fn lag(&self, partition: &TopicPartition, position: i64) -> u64 {
        let latest = self.latest.get(partition).copied().unwrap_or(position);
        u64::try_from(latest - position).unwrap_or(0)
    }

    /// Asks the brokers for what is new.
    fn refresh(&mut self, cluster: &Cluster, time: Time) -> Result<()> {
        let is_due = self.looked.is_none_or(|looked| time - looked >= self.settings.metadata_interval);
        if is_due || self.phase == Phase::New {
            self.look(cluster, Some(time))?;
        }
        self.latest.extend(cluster.latest(&self.present)?);
        self.skip_gaps(cluster)
    }

    /// Looks which partitions there are.
    fn look(&mut self, cluster: &Cluster, time: Option<Time>) -> Result<()> {
        let present = cluster.partitions(&self.consumer.selection)?;
        let new: BTreeSet<_> =
            present.iter().filter(|partition| !self.positions.contains_key(*partition)).cloned().collect();
        let found = match self.phase {
            _ if new.is_empty() => Offsets::new(),
            Phase::New => cluster.start(&new, &self.consumer, self.reset)?,
            // Whatever is in them came after the start of the stream.
            Phase::Begun => {
                let found = cluster.start(&new, &self.consumer, Reset::Earliest)?;
                tracing::info!(partitions = ?found.keys().map(ToString::to_string).collect::<Vec<_>>(), "new partitions");
                found
            }
        };
        for gone in self.present.difference(&present) {
            tracing::warn!(partition = %gone, "the partition is not there any more");
        }
        self.present = present;
        self.present
            .retain(|partition| self.positions.contains_key(partition) || found.contains_key(partition));
        self.positions.extend(found);
        self.phase = Phase::Begun;
        self.looked = time;
        Ok(())
    }

    /// Goes on after records that were removed before they were read, if that is allowed.
    fn skip_gaps(&mut self, cluster: &Cluster) -> Result<()> {
        let waiting: Vec<TopicPartition> = self
            .positions
            .iter()
            .filter(|(partition, position)| {
                self.present.contains(*partition)
                    && self.latest.get(*partition).is_some_and(|latest| latest != *position)
            })
            .map(|(partition, _)| partition.clone())
            .collect();
        let earliest = cluster.earliest(&waiting)?;
        for (partition, earliest) in earliest {
            let (Some(position), Some(&latest)) =
                (self.positions.get_mut(&partition), self.latest.get(&partition))
            else {
                continue;
            };
            let from = *position;
            // Beyond the end: the topic was made anew, and all that is in it is new.
            let is_beyond = latest < from;
            if from >= earliest && !is_beyond {
                continue;
            }
            let to = if self.reset == Reset::Latest && !is_beyond { latest } else { earliest };
            if self.settings.fail_on_data_loss || self.reset == Reset::Fail {
                return Err(Error::DataLoss { partition, from, until: to });
            }
            let lost = u64::try_from(to - from).unwrap_or(0);
            tracing::warn!(%partition, from, until = to, lost, "records are not there any more; going on after the gap");
            self.lost += lost;
            *position = to;
        }
        Ok(())
    }

    fn is_back(&mut self) {
        if std::mem::take(&mut self.is_away) {
            tracing::info!("the brokers answer again");
        }
    }

    /// What is to be read and not there.
    fn missing(&self) -> Option<String> {
        let missing: Vec<String> = self
            .positions
            .keys()
            .filter(|partition| !self.present.contains(*partition))
            .map(ToString::to_string)
            .collect();
        if self.positions.is_empty() {
            return Some("no topic that is to be read exists".to_owned());
        }
        (!missing.is_empty() && !self.is_away).then(|| format!("not there any more: {}", missing.join(", ")))
    }
}
