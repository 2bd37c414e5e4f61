// SPDX-License-Identifier: Apache-2.0
//! `try_parse` and `dead_letter`: bad records as data that still hold the record, and their way into a sink.

use std::{borrow::Cow, fmt, panic::Location, sync::Arc};

use dstreams_rdd::Data;
use serde::{Deserialize, Serialize};

use super::{
    DeadLetter,
    count::{Count, Counts},
};
use crate::{
    config::keys,
    dstream::DStream,
    event::{DeadLettersInfo, StreamingEvent},
    output::{OutputHandle, Sink, UNNAMED},
};

/// Why a record cannot be used, together with the record: the error type of streams with dead letters.
///
/// [`Rejected`] is one. A type of your own can carry more, and show less as its reason.
pub trait Rejection {
    /// The record as it was received.
    fn raw(&self) -> Cow<'_, [u8]>;

    /// What is wrong with it, in a line.
    fn reason(&self) -> String;

    /// Where it comes from, if that is known: for a record of Kafka its topic, partition and offset.
    fn origin(&self) -> Option<String> {
        None
    }
}

/// A record that could not be parsed, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The record.
    pub raw: Vec<u8>,
    /// What is wrong with it.
    pub error: String,
    /// Where it comes from, if that is known.
    pub origin: Option<String>,
}

impl Rejected {
    /// `raw`, rejected because of `error`.
    pub fn new(raw: impl AsRef<[u8]>, error: impl fmt::Display) -> Self {
        Self { raw: raw.as_ref().to_vec(), error: error.to_string(), origin: None }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, String::from_utf8_lossy(&self.raw))
    }
}

impl std::error::Error for Rejected {}

impl Rejection for Rejected {
    fn raw(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.raw)
    }

    fn reason(&self) -> String {
        self.error.clone()
    }

    fn origin(&self) -> Option<String> {
        self.origin.clone()
    }
}

impl<R: Data + AsRef<[u8]>> DStream<R> {
    /// What `parse` makes of each record, or the record itself with the error: for [`dead_letter`](Self::dead_letter),
    /// or for [`ok`](Self::ok) and [`err`](Self::err).
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec!["1", "x"]], |lines| {
    ///     lines.try_parse(|line| line.parse::<u8>()).err().map(|rejected| rejected.to_string())
    /// })?;
    /// assert_eq!(out, [["invalid digit found in string: x"]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn try_parse<T: Data, E: fmt::Display>(
        &self,
        parse: impl Fn(&R) -> Result<T, E> + Send + Sync + 'static,
    ) -> DStream<Result<T, Rejected>> {
        let parse = Arc::new(parse);
        self.lift("try_parse", move |rdd| {
            let parse = Arc::clone(&parse);
            rdd.map(move |record| parse(&record).map_err(|error| Rejected::new(&record, error)))
        })
    }
}

impl<T: Data, E: Data + Rejection> DStream<Result<T, E>> {
    /// Writes the bad records to `sink`, each exactly once, with the error and where the record came from; returns the
    /// stream of the good ones. See [`DeadLetters`](super::DeadLetters) for a sink of files, from which
    /// `dstreams dead-letters replay` sends the records once more.
    ///
    /// The letters of a batch are safe before the outputs that follow in the program run. Both they and the good records
    /// are computed from this stream: [`persist`](Self::persist) it, or what it is made from, where that is expensive.
    ///
    /// ```
    /// use dstreams_streaming::{DeadLetters, testing::{MemorySink, TestContext}};
    /// let (letters, test) = (MemorySink::new(), TestContext::new()?);
    /// let lines = test.input_with(vec![Some(vec!["1", "x", "3"])], 1);
    /// let numbers = lines.try_parse(|line| line.parse::<u8>()).named("parsed").dead_letter(letters.clone());
    /// let good = test.collect(&numbers);
    /// test.run(1)?;
    /// assert_eq!(good.batches(), [[1, 3]]);
    /// let letter = &letters.records()[0];
    /// assert_eq!((&*letter.text(), &*letter.error), ("x", "invalid digit found in string"));
    /// assert_eq!((letter.batch_time.as_millis(), letter.partition, letter.position), (1000, 0, 1));
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn dead_letter<S: Sink<DeadLetter>>(&self, sink: S) -> DStream<T> {
        let _by_position = self.dead_letter_output(Location::caller(), sink);
        self.ok()
    }

    /// As [`dead_letter`](Self::dead_letter); the output gets a name, by which its sink knows it for ever.
    ///
    /// ```
    /// use dstreams_streaming::testing::{MemorySink, TestContext};
    /// let (letters, test) = (MemorySink::new(), TestContext::new()?);
    /// let results = test.input(vec![vec!["x"]]).try_parse(|line| line.parse::<u8>());
    /// results.dead_letter_named("bad lines", letters.clone()).print();
    /// test.run(1)?;
    /// assert_eq!(&*letters.identities()[0].batch.output, "bad lines");
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn dead_letter_named<S: Sink<DeadLetter>>(&self, name: &str, sink: S) -> DStream<T> {
        let _registered = self.dead_letter_output(Location::caller(), sink).named(name);
        self.ok()
    }

    #[track_caller]
    fn dead_letter_output<S: Sink<DeadLetter>>(&self, location: &Location<'_>, sink: S) -> OutputHandle {
        let counts = Counts::default();
        let scope = Arc::downgrade(self.scope());
        let letters = self.letters("dead_letter", counts.clone());
        letters.sink_output("dead_letter", location, sink, move |batch| {
            let Some(scope) = scope.upgrade() else { return };
            let Count { letters, records } = counts.take(batch.time());
            if letters > 0 {
                let output = batch.identity.output.to_string();
                let letters = DeadLettersInfo { batch_time: batch.time(), output, letters, records };
                scope.bus().post(|| StreamingEvent::DeadLetters(letters));
            }
        })
    }

    /// The bad records with their origin.
    #[track_caller]
    fn letters(&self, operator: &'static str, counts: Counts) -> DStream<DeadLetter> {
        let results = self.clone();
        let application = self.scope().config().get(&keys::APP_NAME).unwrap_or_else(|| UNNAMED.to_owned());
        self.derive(operator, move |batch_time, batches| {
            let Some(rdd) = results.rdd_at(batch_time, batches)? else { return Ok(None) };
            let (application, stream) = (application.clone(), results.meta().to_string());
            let counts = counts.clone();
            Ok(Some(rdd.map_partitions_with_index(move |partition, records| {
                let (application, stream) = (application.clone(), stream.clone());
                let mut counter = counts.partition(batch_time, partition);
                (0..).zip(records).filter_map(move |(position, record)| {
                    let rejection = counter.count(record.err())?;
                    Some(DeadLetter {
                        raw: rejection.raw().into_owned(),
                        error: rejection.reason(),
                        origin: rejection.origin(),
                        application: application.clone(),
                        stream: stream.clone(),
                        batch_time,
                        partition,
                        position,
                    })
                })
            })))
        })
    }
}
