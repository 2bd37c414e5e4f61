// SPDX-License-Identifier: Apache-2.0
//! A store as metrics: the gauges of the original under their names, and beside them those that have labels.

use dstreams_metrics::{Family, Kind, Number, Registry, Sample, Snapshot, Value};
use dstreams_streaming::{Duration, StreamId, Time};

use crate::store::{BatchRecord, Phase, Store};

/// What stands before the names of metrics with labels where there are no labels.
pub(crate) fn flat_prefix(store: &Store, namespace: Option<&str>) -> String {
    format!("{}.dstreams", base(store, namespace))
}

/// The values of all metrics at the time `now`: those of the store and those of the program.
pub(crate) fn snapshot(store: &Store, namespace: Option<&str>, own: &Registry, now: Time) -> Snapshot {
    let base = base(store, namespace);
    let mut snapshot = Snapshot {
        families: families(store),
        labels: vec![("app".to_owned(), store.application().name.clone())],
        own: own.values(now.as_millis()),
        ..Snapshot::default()
    };
    for (name, value) in gauges(store) {
        snapshot.metrics.insert(format!("{base}.StreamingMetrics.streaming.{name}"), Value::Gauge(value));
    }
    for (name, value) in &snapshot.own {
        snapshot.metrics.insert(format!("{base}.user.{name}"), value.clone());
    }
    snapshot
}

fn base(store: &Store, namespace: Option<&str>) -> String {
    let application = store.application();
    format!("{}.driver.{}", namespace.unwrap_or(&application.id), application.name)
}

/// The gauges of the original.
fn gauges(store: &Store) -> Vec<(&'static str, Number)> {
    let totals = store.totals();
    let (waiting, running) = (store.count(Phase::Waiting), store.count(Phase::Running));
    let completed = store.last_completed();
    let received = store.last_received();
    let millis = |time: Option<Time>| Number::Int(time.map_or(-1, Time::as_millis));
    let length = |length: Option<Duration>| Number::Int(length.map_or(-1, Duration::as_millis));
    let submission = |batch: Option<&BatchRecord>| millis(batch.map(|batch| batch.info.submission_time));
    let start =
        |batch: Option<&BatchRecord>| millis(batch.and_then(|batch| batch.info.processing_start_time));
    let end = |batch: Option<&BatchRecord>| millis(batch.and_then(|batch| batch.info.processing_end_time));
    vec![
        ("receivers", store.receivers().len().into()),
        ("totalCompletedBatches", totals.completed_batches.into()),
        ("totalReceivedRecords", totals.received_records.into()),
        ("totalProcessedRecords", totals.processed_records.into()),
        ("unprocessedBatches", (waiting + running).into()),
        ("waitingBatches", waiting.into()),
        ("runningBatches", running.into()),
        ("retainedCompletedBatches", store.count(Phase::Completed).into()),
        ("lastCompletedBatch_submissionTime", submission(completed)),
        ("lastCompletedBatch_processingStartTime", start(completed)),
        ("lastCompletedBatch_processingEndTime", end(completed)),
        (
            "lastCompletedBatch_processingDelay",
            length(completed.and_then(|batch| batch.info.processing_delay())),
        ),
        (
            "lastCompletedBatch_schedulingDelay",
            length(completed.and_then(|batch| batch.info.scheduling_delay())),
        ),
        ("lastCompletedBatch_totalDelay", length(completed.and_then(|batch| batch.info.total_delay()))),
        ("lastReceivedBatch_submissionTime", submission(received)),
        ("lastReceivedBatch_processingStartTime", start(received)),
        ("lastReceivedBatch_processingEndTime", end(received)),
        ("lastReceivedBatch_records", received.map_or(0, BatchRecord::records).into()),
    ]
}

/// The metrics that the original does not have, and those that are easier to use with labels.
fn families(store: &Store) -> Vec<Family> {
    let totals = store.totals();
    let mut families = vec![
        Family::single(
            "batch_interval_seconds",
            "Length of a batch.",
            Kind::Gauge,
            store.interval().as_secs_f64(),
        ),
        Family::single(
            "batches_completed_total",
            "Batches that have ended.",
            Kind::Counter,
            totals.completed_batches,
        ),
        Family::single(
            "batches_failed_total",
            "Batches of which an output has failed.",
            Kind::Counter,
            totals.failed_batches,
        ),
        Family::single(
            "records_received_total",
            "Records of batches that have begun.",
            Kind::Counter,
            totals.received_records,
        ),
        Family::single(
            "records_processed_total",
            "Records of batches that have ended.",
            Kind::Counter,
            totals.processed_records,
        ),
        Family::single(
            "batches_waiting",
            "Batches whose jobs are queued.",
            Kind::Gauge,
            store.count(Phase::Waiting),
        ),
        Family::single(
            "batches_running",
            "Batches that are being processed.",
            Kind::Gauge,
            store.count(Phase::Running),
        ),
    ];
    if let Some(batch) = store.last_completed() {
        families.extend(last_batch(batch));
    }
    families.extend(inputs(store));
    families.extend(states(store));
    if let Some(memory) = store.memory() {
        families.push(Family::single(
            "memory_used_bytes",
            "What blocks and shuffles hold in memory.",
            Kind::Gauge,
            memory.used,
        ));
        families.push(Family::single("memory_limit_bytes", "What they may hold.", Kind::Gauge, memory.limit));
    }
    families.retain(|family| !family.samples.is_empty());
    families
}

fn last_batch(batch: &BatchRecord) -> Vec<Family> {
    let seconds = |length: Option<Duration>| length.unwrap_or_default().as_secs_f64();
    let info = &batch.info;
    let gauge = |name, help, value: f64| Family::single(name, help, Kind::Gauge, value);
    vec![
        gauge("last_batch_time_seconds", "Time of the last completed batch.", seconds_of(batch.time())),
        gauge("last_batch_scheduling_delay_seconds", "How long it waited.", seconds(info.scheduling_delay())),
        gauge(
            "last_batch_processing_seconds",
            "How long it was processed.",
            seconds(info.processing_delay()),
        ),
        gauge("last_batch_total_delay_seconds", "Both together.", seconds(info.total_delay())),
        gauge("last_batch_records", "Records that it had.", batch.records() as f64),
    ]
}

fn seconds_of(time: Time) -> f64 {
    time.as_millis() as f64 / 1000.0
}

fn sample(label: &str, value: &str, number: impl Into<Number>) -> Sample {
    Sample { label: Some((label.to_owned(), value.to_owned())), value: number.into() }
}

/// What is known of each input.
fn inputs(store: &Store) -> Vec<Family> {
    let name = |id: StreamId| {
        let inputs = store.graph().map(|graph| graph.inputs.as_slice()).unwrap_or_default();
        let known = inputs.iter().find(|input| input.stream_id == id);
        known.map_or_else(|| id.to_string(), |input| input.name.clone())
    };
    let stream = |id: StreamId, number: Number| sample("stream", &name(id), number);
    let receivers = store.receivers().values();
    let lags = store.lags().values().map(|lag| &lag.last);
    let rates = store.rates().values().map(|rate| &rate.last);
    let last = store.last_received();
    let known = store.graph().into_iter().flat_map(|graph| &graph.inputs);
    let family = |name, help, samples: Vec<Sample>| Family::labelled(name, help, Kind::Gauge, samples);
    vec![
        family(
            "input_last_batch_records",
            "Records of the newest batch by input.",
            known
                .map(|input| {
                    let records = last.map_or(0, |batch| batch.records_of(input.stream_id));
                    stream(input.stream_id, records.into())
                })
                .collect(),
        ),
        family(
            "receiver_up",
            "Whether a receiver runs.",
            receivers.clone().map(|up| stream(up.stream_id, i64::from(up.active).into())).collect(),
        ),
        family(
            "receiver_paused",
            "Whether a receiver waits for room.",
            receivers
                .map(|up| stream(up.stream_id, i64::from(store.is_paused(up.stream_id)).into()))
                .collect(),
        ),
        family(
            "lag_records",
            "Records that no batch has taken yet.",
            lags.clone().filter_map(|lag| Some(stream(lag.stream_id, lag.records?.into()))).collect(),
        ),
        family(
            "lag_oldest_seconds",
            "Age of the oldest of them.",
            lags.filter_map(|lag| Some(stream(lag.stream_id, lag.oldest?.as_secs_f64().into()))).collect(),
        ),
        family(
            "rate_limit_records",
            "Records per second that may be taken in.",
            rates.filter_map(|rate| Some(stream(rate.stream_id, rate.records_per_second?.into()))).collect(),
        ),
    ]
}

/// States, checkpoints and dead letters.
fn states(store: &Store) -> Vec<Family> {
    let states = store.states().values().map(|state| &state.last);
    let keys = states.clone().filter_map(|state| {
        let keys = state.keys.or(state.snapshot.map(|snapshot| snapshot.keys))?;
        Some(sample("operator", &state.operator, keys))
    });
    let bytes =
        states.clone().filter_map(|state| Some(sample("operator", &state.operator, state.snapshot?.bytes)));
    let logged = states.map(|state| sample("operator", &state.operator, state.logged_bytes));
    let letters = store.dead_letters().iter();
    let mut families = vec![
        Family::labelled("state_keys", "Keys of an operator with a state.", Kind::Gauge, keys),
        Family::labelled("state_snapshot_bytes", "Bytes of its last snapshot.", Kind::Gauge, bytes),
        Family::labelled("state_logged_bytes", "Bytes of what has changed since.", Kind::Gauge, logged),
        Family::labelled(
            "dead_letters_total",
            "Records that could not be used, by output.",
            Kind::Counter,
            letters.clone().map(|(output, count)| sample("output", output, count.letters)),
        ),
        Family::labelled(
            "dead_letter_candidates_total",
            "Records that were looked at, by output.",
            Kind::Counter,
            letters.map(|(output, count)| sample("output", output, count.records)),
        ),
    ];
    if let Some(checkpoint) = store.checkpoints().back() {
        let time = seconds_of(checkpoint.batch_time);
        let duration = checkpoint.duration.as_secs_f64();
        families.push(Family::single(
            "checkpoint_time_seconds",
            "Batch of the last checkpoint.",
            Kind::Gauge,
            time,
        ));
        families.push(Family::single(
            "checkpoint_seconds",
            "How long its writing took.",
            Kind::Gauge,
            duration,
        ));
    }
    families
}
