// SPDX-License-Identifier: Apache-2.0
//! `DirectSource`: a Kafka stream as the engine sees it. It fixes the offset ranges of a batch; tasks read exactly these.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use dstreams_rdd::codec::{Compression, decode_chunk, encode_chunk};
use dstreams_streaming::{
    InputInfo, Rdd, RddContext, Result, Source, SourceContext, Time, event::LagInfo, rate::RateHandle,
};
use parking_lot::Mutex;

use crate::{
    cluster::{Cluster, Offsets},
    commits::{Callback, Commits},
    error::Error,
    limits::Known,
    offset_store::OffsetStore,
    outstanding::Outstanding,
    params::{Params, Reset},
    plan::Plan,
    planner::Planner,
    ranges::OffsetRange,
    readers::Readers,
    record::Record,
    settings::Settings,
    subscription::Consumer,
};

/// Reads topics without a receiver and without a log of its own: Kafka is the log.
pub(crate) struct DirectSource {
    params: Params,
    settings: Settings,
    context: SourceContext,
    rate: RateHandle,
    readers: Arc<Readers>,
    store: Option<Arc<dyn OffsetStore>>,
    commits: Commits,
    outstanding: Mutex<Outstanding>,
    /// How many records had been read when the last batch was complete.
    read_before: AtomicU64,
    /// Made when it is needed first; apart from the planner, which may wait for brokers.
    cluster: Mutex<Option<Cluster>>,
    planner: Mutex<Planner>,
}

impl DirectSource {
    pub(crate) fn new(context: &SourceContext, consumer: Consumer, params: Params, reset: Reset) -> Self {
        let settings = Settings::new(context.config(), context.batch_interval());
        let store = consumer.store.clone();
        let planner = Planner::new(consumer, reset, settings.clone());
        Self {
            readers: Arc::new(Readers::new(params.clone(), settings.reading.clone())),
            context: context.clone(),
            rate: context.rate(),
            params,
            settings,
            store,
            commits: Commits::default(),
            outstanding: Mutex::default(),
            read_before: AtomicU64::new(0),
            cluster: Mutex::new(None),
            planner: Mutex::new(planner),
        }
    }

    /// The ranges of a batch that is remembered.
    pub(crate) fn ranges(&self, time: Time) -> Option<Arc<[OffsetRange]>> {
        self.outstanding.lock().ranges(time)
    }

    /// Commits offsets to the group, beside the batches.
    pub(crate) fn commit(&self, offsets: Offsets, callback: Option<Callback>) -> Result<(), Error> {
        let cluster = self.cluster()?;
        if !cluster.has_group() {
            let problem = "it is missing: offsets are committed to a group";
            return Err(Error::Property { name: "group.id".to_owned(), problem: problem.to_owned() });
        }
        self.commits.request(&cluster, offsets, callback);
        Ok(())
    }

    fn cluster(&self) -> Result<Cluster, Error> {
        let mut cluster = self.cluster.lock();
        if let Some(cluster) = &*cluster {
            return Ok(cluster.clone());
        }
        let made = Cluster::new(&self.params, self.settings.request_timeout)?;
        Ok(cluster.insert(made).clone())
    }

    fn known(&self) -> Known {
        let totals = &self.readers.totals;
        let (records, bytes) = (totals.records.load(Ordering::Relaxed), totals.bytes.load(Ordering::Relaxed));
        Known {
            rate: self.rate.records_per_second(),
            is_held: self.rate.is_held(),
            unread: {
                let read = records.saturating_sub(self.read_before.load(Ordering::Relaxed));
                self.outstanding.lock().pending().saturating_sub(read)
            },
            record_size: (records > 0).then(|| bytes as f64 / records as f64),
        }
    }
}

impl Source for DirectSource {
    type Record = Record;
    type Plan = Plan;

    fn name(&self) -> String {
        "Kafka direct stream".to_owned()
    }

    fn plan(&self, time: Time) -> Result<Option<Plan>> {
        let cluster = self.cluster()?;
        let (mut plan, parts) = {
            let mut planner = self.planner.lock();
            (planner.plan(&cluster, time, self.known())?, planner.lags())
        };
        plan.lost += self.readers.totals.lost.load(Ordering::Relaxed);
        self.outstanding.lock().planned(time, &plan.ranges);
        self.context.report_lag(LagInfo {
            stream_id: self.context.stream_id(),
            time,
            records: Some(plan.lag),
            oldest: None,
            parts,
        });
        Ok(Some(plan))
    }

    fn info(&self, plan: &Plan) -> InputInfo {
        plan.info()
    }

    fn rdd(&self, context: &RddContext, plan: Plan) -> Result<Rdd<Record>> {
        self.readers.expect(OffsetRange::merged(&plan.ranges).len());
        Ok(crate::rdd::read(context, &self.readers, plan.ranges))
    }

    fn give_back(&self, plan: Plan) {
        self.planner.lock().give_back(&plan);
        self.outstanding.lock().given_back(&plan.ranges);
    }

    fn restore(&self, memory: &[u8], plans: Vec<(Time, Plan)>) -> Result<()> {
        let mut planner = self.planner.lock();
        let mut outstanding = self.outstanding.lock();
        let mut first = Vec::<Offsets>::with_capacity(1);
        if !memory.is_empty() {
            decode_chunk(memory, &mut first).map_err(dstreams_streaming::Error::source)?;
        }
        for positions in first {
            planner.restore(positions);
        }
        for (time, plan) in plans {
            let ends = plan.ranges.iter().map(|range| (range.partition.clone(), range.until));
            if !plan.ranges.is_empty() {
                planner.restore(ends.collect());
            }
            planner.restore_lost(plan.lost);
            outstanding.restored(time, &plan.ranges);
        }
        Ok(())
    }

    fn memory(&self) -> Vec<u8> {
        let mut planner = self.planner.lock();
        let begun = self.cluster().and_then(|cluster| planner.begin(&cluster));
        if let Err(error) = begun {
            tracing::warn!(%error, "it is not known yet where the stream starts");
        }
        let mut bytes = Vec::new();
        if let Some(positions) = planner.positions() {
            encode_chunk([positions], Compression::None, &mut bytes).expect("offsets can be encoded");
        }
        bytes
    }

    fn start(&self) -> Result<()> {
        let cluster = self.cluster()?;
        let mut planner = self.planner.lock();
        match planner.begin(&cluster) {
            Err(error @ Error::Request { .. }) => {
                tracing::warn!(%error, "the stream starts when the brokers answer");
                Ok(())
            }
            outcome => Ok(outcome?),
        }
    }

    fn completed(&self, time: Time) {
        self.read_before.store(self.readers.totals.records.load(Ordering::Relaxed), Ordering::Relaxed);
        let offsets = self.outstanding.lock().completed(time);
        if let Some(store) = self.store.as_ref().filter(|_| !offsets.is_empty())
            && let Err(error) = store.save(&offsets)
        {
            tracing::warn!(store = store.name(), %error, "positions are not stored; they go with those of a later batch");
        }
        if !self.settings.commit || self.params.get("group.id").is_none() || offsets.is_empty() {
            return;
        }
        if let Err(error) = self.commit(offsets, None) {
            tracing::warn!(%error, "offsets are not committed");
        }
    }

    fn failed(&self, _time: Time) {
        self.outstanding.lock().failed();
    }

    fn forget(&self, time: Time) {
        self.outstanding.lock().forget(time);
    }

    fn close(&self) {
        self.commits.close(self.settings.request_timeout);
        self.readers.close();
    }
}
