// SPDX-License-Identifier: Apache-2.0
//! `sample`, `random_split` and `take_sample`: random records, the same ones for the same seed.

use std::sync::Arc;

use crate::{
    action::ordered::Smallest,
    chunk::{BoxChunks, Chunks, for_each_slice, visit_next},
    error::{Result, TaskError},
    lineage::Dependency,
    prepared::refused,
    random::Random,
    rdd::Rdd,
    record::Data,
    scheduler::task::TaskContext,
};

impl<T: Data> Rdd<T> {
    /// A random part of the records, in their order. Without replacement each record is taken with probability
    /// `fraction`, from 0 to 1; with replacement it is taken as often as a Poisson distribution with mean
    /// `fraction`, from 0, says. The same seed takes the same records of a dataset that is computed again.
    ///
    /// Any other fraction makes actions fail with [`InvalidArgument`](crate::Error::InvalidArgument).
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let tenth = sc.parallelize(0..1000).sample(false, 0.1, 42);
    /// assert!((50..150).contains(&tenth.count()?));
    /// assert_eq!(tenth.collect()?, tenth.collect()?);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn sample(&self, with_replacement: bool, fraction: f64, seed: u64) -> Self {
        if with_replacement {
            let problem = (!(0.0..f64::INFINITY).contains(&fraction))
                .then(|| format!("Sampling fraction ({fraction}) must be finite and not negative"));
            return self.sampled("sample", problem, seed, Draw::Times(fraction));
        }
        let problem = (!(0.0..=1.0).contains(&fraction)).then(|| {
            format!("Sampling fraction ({fraction}) must be on interval [0, 1] without replacement")
        });
        self.sampled("sample", problem, seed, Draw::Between(0.0, fraction))
    }

    /// Puts each record at random into one of as many datasets as there are weights, whose expected sizes are in
    /// proportion to them; for training and test sets.
    ///
    /// Weights that are negative, not finite or sum up to 0 make actions fail with
    /// [`InvalidArgument`](crate::Error::InvalidArgument).
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let parts = sc.parallelize(0..100).random_split(&[0.8, 0.2], 42);
    /// assert_eq!(parts[0].count()? + parts[1].count()?, 100);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn random_split(&self, weights: &[f64], seed: u64) -> Vec<Self> {
        let sum: f64 = weights.iter().sum();
        let good = weights.iter().all(|weight| *weight >= 0.0) && sum > 0.0 && sum.is_finite();
        let problem =
            (!good).then(|| format!("weights must not be negative nor all zero, but are {weights:?}"));
        let mut start = 0.0;
        let last = weights.len().saturating_sub(1);
        let split = |(index, weight): (usize, &f64)| {
            // The last one ends at 1 exactly, so that rounding loses no record.
            let end = if index == last { 1.0 } else { start + weight / sum };
            let draw = Draw::Between(start, end);
            start = end;
            self.sampled("random_split", problem.clone(), seed, draw)
        };
        weights.iter().enumerate().map(split).collect()
    }

    /// `n` random records in random order, or all of them if there are fewer and each may be taken but once. Each
    /// choice is equally likely; the same seed makes the same one.
    ///
    /// With replacement it runs two jobs, the first of which counts the records; the result is then empty only if
    /// the dataset is.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// assert_eq!(sc.parallelize(0..1000).take_sample(false, 5, 42)?.len(), 5);
    /// assert_eq!(sc.parallelize([7]).take_sample(true, 3, 42)?, [7, 7, 7]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn take_sample(&self, with_replacement: bool, n: usize, seed: u64) -> Result<Vec<T>> {
        if with_replacement { self.take_with_replacement(n, seed) } else { self.take_without(n, seed) }
    }

    /// Gives each record a random number and takes the records with the `n` smallest.
    fn take_without(&self, n: usize, seed: u64) -> Result<Vec<T>> {
        let parts = self.run_all(move |mut chunks, task| {
            let mut random = Random::new(seed, task.partition());
            let mut smallest = Smallest::new(n);
            for_each_slice(&mut *chunks, |records| {
                for record in records {
                    smallest.offer(random.next_u64(), || record.clone());
                }
                Ok(())
            })?;
            Ok(smallest)
        })?;
        Ok(Smallest::merge(n, parts).into_sorted())
    }

    /// Draws `n` positions and takes the records that are there.
    fn take_with_replacement(&self, n: usize, seed: u64) -> Result<Vec<T>> {
        let counts = self.count_in(&(0..self.num_partitions()).collect::<Vec<_>>())?;
        let total: u64 = counts.iter().sum();
        if total == 0 || n == 0 {
            return Ok(Vec::new());
        }
        let mut random = Random::new(seed, 0);
        let mut positions: Vec<u64> = (0..n).map(|_| random.below(total)).collect();
        positions.sort_unstable();
        let mut start = 0;
        let wanted: Vec<Vec<u64>> = counts
            .iter()
            .map(|count| {
                let (from, to) = (start, start + count);
                start = to;
                let range = positions.partition_point(|&p| p < from)..positions.partition_point(|&p| p < to);
                positions[range].iter().map(|position| position - from).collect()
            })
            .collect();
        let partitions: Vec<usize> = (0..wanted.len()).filter(|&index| !wanted[index].is_empty()).collect();
        let parts = self.run(&partitions, move |mut chunks, task| {
            let mut wanted = wanted[task.partition()].iter().peekable();
            let mut taken = Vec::with_capacity(wanted.len());
            let mut position = 0;
            for_each_slice(&mut *chunks, |records| {
                for record in records {
                    while wanted.next_if(|&&wanted| wanted == position).is_some() {
                        taken.push(record.clone());
                    }
                    position += 1;
                }
                Ok(())
            })?;
            Ok(taken)
        })?;
        let mut taken: Vec<T> = parts.into_iter().flatten().collect();
        random.shuffle(&mut taken);
        Ok(taken)
    }

    fn sampled(&self, operator: &'static str, problem: Option<String>, seed: u64, draw: Draw) -> Self {
        let parent = self.clone();
        let compute = move |partition: usize, task: &TaskContext, _operator: usize| {
            Ok(Box::new(SampleChunks {
                input: parent.chunks(partition, task)?,
                random: Random::new(seed, partition),
                draw,
                buffer: Vec::new(),
            }) as BoxChunks<T>)
        };
        let dependency = problem.map_or_else(|| Dependency::Narrow(Arc::clone(self.lineage())), refused);
        let partitioner = self.partitioner().cloned();
        Rdd::new(self.context(), operator, self.num_partitions(), partitioner, vec![dependency], compute)
    }
}

/// How often a record is taken.
#[derive(Debug, Clone, Copy)]
enum Draw {
    /// Once, when a number from 0 to 1 falls into this half-open interval.
    Between(f64, f64),
    /// Poisson distributed with this mean.
    Times(f64),
}

struct SampleChunks<T> {
    input: BoxChunks<T>,
    random: Random,
    draw: Draw,
    buffer: Vec<T>,
}

impl<T: Data> Chunks<T> for SampleChunks<T> {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        visit_next(&mut *self.input, &mut self.buffer, |records| {
            for record in records {
                let times = match self.draw {
                    Draw::Between(from, to) => u64::from((from..to).contains(&self.random.next_f64())),
                    Draw::Times(mean) => self.random.poisson(mean),
                };
                out.extend((0..times).map(|_| record.clone()));
            }
            Ok(())
        })
    }
}
