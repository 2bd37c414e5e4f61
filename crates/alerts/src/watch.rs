// SPDX-License-Identifier: Apache-2.0
//! `Watch`: follows the events of a context and says when an alert begins and when it is over. Neither sends nor waits.

use std::collections::BTreeMap;

use dstreams_streaming::{
    Duration, InputInfo, StreamId, Time,
    event::{
        BatchInfo, DeadLettersInfo, FailureInfo, GraphInfo, LagInfo, ReceiverInfo, ShutdownReport,
        StreamingEvent,
    },
};

use crate::{
    length::Length,
    notice::{Notice, Rule, State},
    rules::Rules,
};

/// The state of all alerts of one application.
///
/// What depends on time passing without an event is looked at by [`tick`](Self::tick).
#[derive(Debug)]
pub struct Watch {
    application: String,
    rules: Rules,
    interval: Duration,
    has_checkpoints: bool,
    /// Input streams by name.
    streams: BTreeMap<StreamId, String>,
    /// The latest time that is known.
    now: Time,
    raised: BTreeMap<(Rule, String), Raised>,
    /// Batches over their interval in a row, and within it since.
    slow: usize,
    swift: usize,
    last_input: BTreeMap<StreamId, Time>,
    last_checkpoint: Option<Time>,
    receivers: BTreeMap<StreamId, Receiver>,
    /// The last batch in which an output had too many dead letters.
    spoiled: BTreeMap<String, Time>,
}

#[derive(Debug)]
struct Raised {
    since: Time,
    problem: String,
}

#[derive(Debug)]
struct Receiver {
    name: String,
    /// Since when it has not been seen to work.
    down_since: Option<Time>,
    /// Since when it runs, if it does.
    up_since: Option<Time>,
    error: String,
}

/// An alert about an amount is over when the amount is below this part of its limit, so that one which wavers about the
/// limit is not told again and again.
const CLEARLY_BELOW: f64 = 0.9;

impl Watch {
    /// Nothing is wrong yet.
    pub fn new(application: &str, rules: Rules) -> Self {
        Self {
            application: application.to_owned(),
            rules,
            interval: Duration::ZERO,
            has_checkpoints: false,
            streams: BTreeMap::new(),
            now: Time::ZERO,
            raised: BTreeMap::new(),
            slow: 0,
            swift: 0,
            last_input: BTreeMap::new(),
            last_checkpoint: None,
            receivers: BTreeMap::new(),
            spoiled: BTreeMap::new(),
        }
    }

    /// What is to be told because of an event.
    pub fn observe(&mut self, event: &StreamingEvent) -> Vec<Notice> {
        let mut notices = Vec::new();
        match event {
            StreamingEvent::StreamingStarted(time) => {
                self.now = *time;
                self.last_checkpoint = Some(*time);
            }
            StreamingEvent::Graph(graph) => self.graph(graph),
            StreamingEvent::BatchCompleted(batch) => self.batch(batch, &mut notices),
            StreamingEvent::Failure(failure) => self.failure(failure, &mut notices),
            StreamingEvent::DeadLetters(letters) => self.letters(letters, &mut notices),
            StreamingEvent::Lag(lag) => self.lag(lag, &mut notices),
            StreamingEvent::CheckpointWritten(checkpoint) => {
                self.now = self.now.max(checkpoint.time);
                self.last_checkpoint = Some(checkpoint.time);
                self.clear(Rule::NoCheckpoint, "", &mut notices);
            }
            StreamingEvent::ReceiverStarted(receiver) => {
                let now = self.now;
                self.receiver(receiver).up_since = Some(now);
            }
            StreamingEvent::ReceiverError(receiver) | StreamingEvent::ReceiverStopped(receiver) => {
                self.receiver_down(receiver);
            }
            StreamingEvent::Stopped(report) => self.stopped(report, &mut notices),
            _ => {}
        }
        notices.extend(self.by_time());
        notices
    }

    /// What is to be told because it is `now`.
    pub fn tick(&mut self, now: Time) -> Vec<Notice> {
        self.now = self.now.max(now);
        self.by_time()
    }

    fn graph(&mut self, graph: &GraphInfo) {
        self.interval = graph.interval;
        self.has_checkpoints = graph.checkpoint_dir.is_some();
        for input in &graph.inputs {
            self.streams.insert(input.stream_id, input.name.clone());
            self.last_input.insert(input.stream_id, self.now);
        }
    }

    fn batch(&mut self, batch: &BatchInfo, notices: &mut Vec<Notice>) {
        let end = batch.processing_end_time.unwrap_or(batch.batch_time);
        self.now = self.now.max(end);
        self.pace(batch, notices);
        self.inputs(batch, notices);
        match batch.failures().next() {
            Some((output, error)) if self.rules.batch_failed => {
                let problem =
                    format!("output {output} of the batch {} has failed: {error}", batch.batch_time);
                self.raise(Rule::BatchFailed, "", problem, notices);
            }
            Some(_) => {}
            None => self.clear(Rule::BatchFailed, "", notices),
        }
        let over = self.spoiled.iter().filter(|(_, spoiled)| batch.batch_time > **spoiled);
        for output in over.map(|(output, _)| output.clone()).collect::<Vec<_>>() {
            self.spoiled.remove(&output);
            self.clear(Rule::DeadLetters, &output, notices);
        }
    }

    /// Whether batches keep up with their interval.
    fn pace(&mut self, batch: &BatchInfo, notices: &mut Vec<Notice>) {
        let (Some(limit), Some(took)) = (self.rules.slow_batches, batch.processing_delay()) else { return };
        if took > self.interval {
            (self.slow, self.swift) = (self.slow + 1, 0);
            if self.slow >= limit {
                let problem = format!(
                    "batches take longer than their interval of {}, the last one {}",
                    Length(self.interval),
                    Length(took)
                );
                self.raise(Rule::SlowBatches, "", problem, notices);
            }
        } else {
            (self.slow, self.swift) = (0, self.swift + 1);
            if self.swift >= limit {
                self.clear(Rule::SlowBatches, "", notices);
            }
        }
    }

    /// What has come from each source, and what of it could not be decoded.
    fn inputs(&mut self, batch: &BatchInfo, notices: &mut Vec<Notice>) {
        for (stream, input) in &batch.inputs {
            // How many records a file has is not known before it is read.
            if input.records == 0 && !input.metadata.contains_key(InputInfo::FILES) {
                continue;
            }
            self.last_input.insert(*stream, self.now);
            self.clear(Rule::NoInput, &self.name(*stream), notices);
            if let Some(receiver) = self.receivers.get_mut(stream) {
                receiver.down_since = None;
                let name = receiver.name.clone();
                self.clear(Rule::ReceiverDown, &name, notices);
            }
        }
    }

    fn failure(&mut self, failure: &FailureInfo, notices: &mut Vec<Notice>) {
        self.now = self.now.max(failure.time);
        if self.rules.batch_failed {
            self.raise(Rule::BatchFailed, "", failure.error.clone(), notices);
        }
    }

    fn letters(&mut self, letters: &DeadLettersInfo, notices: &mut Vec<Notice>) {
        let Some(limit) = self.rules.dead_letters else { return };
        let DeadLettersInfo { batch_time, output, letters, records } = letters;
        if *letters as f64 > limit * *records as f64 {
            let problem =
                format!("{letters} of {records} records in the batch {batch_time} are dead letters");
            self.spoiled.insert(output.clone(), *batch_time);
            self.raise(Rule::DeadLetters, output, problem, notices);
        }
    }

    fn lag(&mut self, lag: &LagInfo, notices: &mut Vec<Notice>) {
        self.now = self.now.max(lag.time);
        let name = self.name(lag.stream_id);
        if let (Some(limit), Some(records)) = (self.rules.lag, lag.records) {
            let problem = format!("{records} records wait, more than {limit}");
            self.level(Rule::Lag, &name, records as f64 / limit as f64, problem, notices);
        }
        if let (Some(limit), Some(oldest)) = (self.rules.oldest_record, lag.oldest) {
            let problem =
                format!("a record has waited for {}, longer than {}", Length(oldest), Length(limit));
            let part = oldest.as_millis() as f64 / limit.as_millis() as f64;
            self.level(Rule::OldestRecord, &name, part, problem, notices);
        }
    }

    fn receiver(&mut self, info: &ReceiverInfo) -> &mut Receiver {
        self.receivers.entry(info.stream_id).or_insert_with(|| Receiver {
            name: info.name.clone(),
            down_since: None,
            up_since: None,
            error: String::new(),
        })
    }

    fn receiver_down(&mut self, info: &ReceiverInfo) {
        let now = info.last_error_time.unwrap_or(self.now).max(self.now);
        self.now = now;
        let receiver = self.receiver(info);
        receiver.down_since.get_or_insert(now);
        // One that is started again and again does not run.
        receiver.up_since = receiver.up_since.filter(|_| info.active).map(|_| now);
        if !info.last_error_message.is_empty() {
            receiver.error.clone_from(&info.last_error_message);
        }
    }

    fn stopped(&mut self, report: &ShutdownReport, notices: &mut Vec<Notice>) {
        self.now = self.now.max(report.time);
        if let Some(error) = report.error.as_ref().filter(|_| self.rules.stopped) {
            self.raise(Rule::Stopped, "", format!("the application has stopped: {error}"), notices);
        }
        // Receivers and sources have stopped because they were to.
        self.receivers.clear();
        self.last_input.clear();
        self.last_checkpoint = None;
    }

    /// What is so because nothing has happened for some time.
    fn by_time(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        if let Some(limit) = self.rules.no_input {
            let silent = self.last_input.iter().filter(|(_, last)| self.now - **last >= limit);
            for stream in silent.map(|(stream, _)| *stream).collect::<Vec<_>>() {
                self.raise(
                    Rule::NoInput,
                    &self.name(stream),
                    format!("nothing has come for {}", Length(limit)),
                    &mut notices,
                );
            }
        }
        if let (Some(limit), Some(last), true) =
            (self.rules.no_checkpoint, self.last_checkpoint, self.has_checkpoints)
            && self.now - last >= limit
        {
            self.raise(Rule::NoCheckpoint, "", format!("no checkpoint for {}", Length(limit)), &mut notices);
        }
        if let Some(limit) = self.rules.receiver_down {
            self.receivers_by_time(limit, &mut notices);
        }
        notices
    }

    fn receivers_by_time(&mut self, limit: Duration, notices: &mut Vec<Notice>) {
        let now = self.now;
        let (mut down, mut up) = (Vec::new(), Vec::new());
        for receiver in self.receivers.values_mut() {
            if receiver.up_since.is_some_and(|since| now - since >= limit) {
                receiver.down_since = None;
                up.push(receiver.name.clone());
            } else if receiver.down_since.is_some_and(|since| now - since >= limit) {
                down.push((receiver.name.clone(), receiver.error.clone()));
            }
        }
        for name in up {
            self.clear(Rule::ReceiverDown, &name, notices);
        }
        for (name, error) in down {
            let problem = format!("the receiver has been down for {}: {error}", Length(limit));
            self.raise(Rule::ReceiverDown, &name, problem, notices);
        }
    }

    fn name(&self, stream: StreamId) -> String {
        self.streams.get(&stream).cloned().unwrap_or_else(|| format!("stream {stream}"))
    }

    /// Raises an alert about an amount that is `part` of its limit, or clears it.
    fn level(&mut self, rule: Rule, subject: &str, part: f64, problem: String, notices: &mut Vec<Notice>) {
        if part > 1.0 {
            self.raise(rule, subject, problem, notices);
        } else if part < CLEARLY_BELOW {
            self.clear(rule, subject, notices);
        }
    }

    fn raise(&mut self, rule: Rule, subject: &str, problem: String, notices: &mut Vec<Notice>) {
        let key = (rule, subject.to_owned());
        if self.raised.contains_key(&key) {
            return;
        }
        let since = self.now;
        notices.push(self.notice(rule, subject, State::Raised, since, &problem));
        self.raised.insert(key, Raised { since, problem });
    }

    fn clear(&mut self, rule: Rule, subject: &str, notices: &mut Vec<Notice>) {
        if let Some(Raised { since, problem }) = self.raised.remove(&(rule, subject.to_owned())) {
            notices.push(self.notice(rule, subject, State::Recovered, since, &problem));
        }
    }

    fn notice(&self, rule: Rule, subject: &str, state: State, since: Time, problem: &str) -> Notice {
        Notice {
            application: self.application.clone(),
            rule,
            subject: subject.to_owned(),
            state,
            time: self.now,
            since,
            problem: problem.to_owned(),
        }
    }
}
