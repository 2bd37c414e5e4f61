// SPDX-License-Identifier: Apache-2.0
//! `transform` and its kin: any dataset operation on every batch, over one, two or many streams; `union`.

use std::sync::Arc;

use dstreams_rdd::{BoxError, Data, Rdd};

use crate::{
    context::StreamingContext,
    dstream::{DStream, NewStream, scope::Scope},
    error::{Error, Result},
    input::Batches,
    time::{Duration, Time},
};

impl<T: Data> DStream<T> {
    /// Each dataset through `f`, which runs on the driver once per batch and may use other datasets and the batch
    /// time. A batch without a dataset is an error.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![3, 1, 2]], |numbers| {
    ///     numbers.transform(|rdd, time| rdd.map(move |n| n + time.as_millis()))
    /// })?;
    /// assert_eq!(out, [[1003, 1001, 1002]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn transform<U: Data>(
        &self,
        f: impl Fn(Rdd<T>, Time) -> Rdd<U> + Send + Sync + 'static,
    ) -> DStream<U> {
        self.try_transform(move |rdd, time| Ok::<_, BoxError>(f(rdd, time)))
    }

    /// As [`transform`](Self::transform), with an `f` that can fail: an error fails the batch.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1, 2]], |numbers| {
    ///     numbers.try_transform(|rdd, _| Ok::<_, dstreams_streaming::Error>(rdd.map(|n| n + 1)))
    /// })?;
    /// assert_eq!(out, [[2, 3]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn try_transform<U: Data, E: Into<BoxError>>(
        &self,
        f: impl Fn(Rdd<T>, Time) -> Result<Rdd<U>, E> + Send + Sync + 'static,
    ) -> DStream<U> {
        let parent = self.clone();
        self.derive("transform", move |time, batches| {
            let rdd = parent.require(time, batches)?;
            f(rdd, time).map(Some).map_err(Error::user)
        })
    }

    /// The datasets of this stream and another through `f`, batch by batch. Both must have the same slide.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1, 2]], |numbers| {
    ///     numbers.transform_with(&numbers.map(|n| n * 10), |left, right, _time| left.union(&right))
    /// })?;
    /// assert_eq!(out, [[1, 2, 10, 20]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn transform_with<U: Data, V: Data>(
        &self,
        other: &DStream<U>,
        f: impl Fn(Rdd<T>, Rdd<U>, Time) -> Rdd<V> + Send + Sync + 'static,
    ) -> DStream<V> {
        self.combine("transform_with", other, f)
    }

    /// The shared form of all operations on two streams.
    #[track_caller]
    pub(crate) fn combine<U: Data, V: Data>(
        &self,
        operator: &'static str,
        other: &DStream<U>,
        f: impl Fn(Rdd<T>, Rdd<U>, Time) -> Rdd<V> + Send + Sync + 'static,
    ) -> DStream<V> {
        let (left, right) = (self.clone(), other.clone());
        check_alike(self.scope(), &[self.place(), other.place()]);
        let new = NewStream {
            operator,
            slide: self.slide(),
            parents: vec![self.any_node(), other.any_node()],
            reach: Duration::ZERO,
            checkpoint: None,
        };
        DStream::new(self.scope(), new, move |time: Time, batches: &Batches| {
            let (left, right) = (left.require(time, batches)?, right.require(time, batches)?);
            Ok(Some(f(left, right, time)))
        })
    }

    /// The records of this stream and another; those of each batch follow one another.
    ///
    /// ```
    /// # use dstreams_streaming::testing::run_batches;
    /// let out = run_batches(vec![vec![1, 2]], |numbers| numbers.union(&numbers.map(|n| n + 4)))?;
    /// assert_eq!(out, [[1, 2, 5, 6]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn union(&self, other: &Self) -> Self {
        union(self.scope(), vec![self.clone(), other.clone()])
    }

    /// The dataset at `time`; an error when there is none.
    pub(crate) fn require(&self, time: Time, batches: &Batches) -> Result<Rdd<T>> {
        self.rdd_at(time, batches)?
            .ok_or_else(|| Error::NoRdd(format!("Couldn't generate RDD from parent at time {time}")))
    }

    fn place(&self) -> Place<'_> {
        Place { scope: self.scope(), slide: self.slide() }
    }
}

impl StreamingContext {
    /// The records of several streams of one type; those of each batch follow one another in the order given.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?;
    /// let (a, b) = (test.input(vec![vec![1]]), test.input(vec![vec![2]]));
    /// let both = test.collect(&test.context().union(vec![a, b]));
    /// test.run(1)?;
    /// assert_eq!(both.batches(), [[1, 2]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn union<T: Data>(&self, streams: Vec<DStream<T>>) -> DStream<T> {
        union(self.scope(), streams)
    }

    /// The datasets of several streams through `f`, batch by batch.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?;
    /// let (a, b) = (test.input(vec![vec![1]]), test.input(vec![vec![2]]));
    /// let last = test.context().transform(vec![a, b], |rdds, _time| rdds[1].clone());
    /// let seen = test.collect(&last);
    /// test.run(1)?;
    /// assert_eq!(seen.batches(), [[2]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn transform<T: Data, U: Data>(
        &self,
        streams: Vec<DStream<T>>,
        f: impl Fn(Vec<Rdd<T>>, Time) -> Rdd<U> + Send + Sync + 'static,
    ) -> DStream<U> {
        many(self.scope(), "transform", streams, move |streams, time, batches| {
            let rdds = streams.iter().map(|stream| stream.require(time, batches)).collect::<Result<_>>()?;
            Ok(f(rdds, time))
        })
    }
}

#[track_caller]
fn union<T: Data>(scope: &Arc<Scope>, streams: Vec<DStream<T>>) -> DStream<T> {
    let context = scope.rdd_context().clone();
    many(scope, "union", streams, move |streams, time, batches| {
        let missing =
            || Error::NoRdd(format!("Could not generate RDD from a parent for unifying at time {time}"));
        let rdds = streams
            .iter()
            .map(|stream| stream.rdd_at(time, batches)?.ok_or_else(missing))
            .collect::<Result<Vec<_>>>()?;
        Ok(context.union(rdds))
    })
}

#[track_caller]
fn many<T: Data, U: Data>(
    scope: &Arc<Scope>,
    operator: &'static str,
    streams: Vec<DStream<T>>,
    f: impl Fn(&[DStream<T>], Time, &Batches) -> Result<Rdd<U>> + Send + Sync + 'static,
) -> DStream<U> {
    if streams.is_empty() {
        scope.reject(Error::IllegalArgument(format!("List of DStreams to {operator} is empty")));
    }
    let mut places: Vec<_> = streams.iter().map(DStream::place).collect();
    places.push(Place { scope, slide: places.first().map_or(scope.interval(), |first| first.slide) });
    check_alike(scope, &places);
    let new = NewStream {
        operator,
        slide: streams.first().map_or(scope.interval(), DStream::slide),
        parents: streams.iter().map(DStream::any_node).collect(),
        reach: Duration::ZERO,
        checkpoint: None,
    };
    DStream::new(scope, new, move |time: Time, batches: &Batches| f(&streams, time, batches).map(Some))
}

/// What streams that are combined must have in common.
struct Place<'a> {
    scope: &'a Arc<Scope>,
    slide: Duration,
}

fn check_alike(scope: &Scope, places: &[Place<'_>]) {
    let Some(first) = places.first() else { return };
    if places.iter().any(|place| !Arc::ptr_eq(place.scope, first.scope)) {
        scope.reject(Error::IllegalArgument("Some of the DStreams have different contexts".to_owned()));
    }
    if places.iter().any(|place| place.slide != first.slide) {
        scope
            .reject(Error::IllegalArgument("Some of the DStreams have different slide durations".to_owned()));
    }
}
