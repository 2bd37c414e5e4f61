// SPDX-License-Identifier: Apache-2.0
//! The operators that cases name, each built with the public operator of that name.

use std::{cell::RefCell, collections::BTreeMap};

use dstreams::{
    DStream, Duration, Error,
    rdd::Partitioning,
    streaming::{ReducedWindowOptions, StateOptions, StateSpec, testing::TestContext},
};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    functions::{COUNTER, Condition, FlatMapFunction, MapFunction, ReduceFunction, UpdateFunction, plus},
    states::StateFunction,
    value::{KeyValue, Value, misused},
};

/// What the original says of a transform function that returns nothing; ours cannot, so the case returns it as error.
const TRANSFORMED_TO_NULL: &str = "Transform function must not return null. Return SparkContext.emptyRDD() instead to represent no element as the result of transformation.";

/// One operator of a case with its parameters.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Op {
    #[serde(rename = "op")]
    name: String,
    #[serde(rename = "fn")]
    function: Option<String>,
    num_partitions: Option<usize>,
    other: Option<Pipeline>,
    #[serde(default)]
    others: Vec<Pipeline>,
    variant: Option<String>,
    initial: Option<Vec<Json>>,
    #[serde(rename = "checkpoint_ms")]
    checkpoint_ms: Option<i64>,
    message: Option<String>,
    #[serde(rename = "timeout_ms")]
    timeout_ms: Option<i64>,
    #[serde(rename = "window_ms")]
    window_ms: Option<i64>,
    /// The slide of the stream unless it is given.
    #[serde(rename = "slide_ms")]
    slide_ms: Option<i64>,
    #[serde(rename = "inv")]
    inverse: Option<String>,
    filter: Option<String>,
}

/// The windows that an operator is for.
struct Window {
    length: Duration,
    slide: Duration,
}

/// Operators from an input on.
#[derive(Clone, Deserialize)]
pub(super) struct Pipeline {
    #[serde(default = "default_input")]
    pub(super) from: String,
    #[serde(default)]
    pub(super) ops: Vec<Op>,
}

/// The input that pipelines start from unless they say otherwise.
pub(super) fn default_input() -> String {
    "in".to_owned()
}

/// Builds pipelines on the inputs of one context.
pub(super) struct Builder<'a> {
    pub(super) test: &'a TestContext,
    pub(super) inputs: BTreeMap<String, DStream<Value>>,
    /// The states of the last mapWithState, for stateSnapshots.
    pub(super) snapshots: RefCell<Option<DStream<Value>>>,
}

impl Builder<'_> {
    pub(super) fn pipeline(&self, pipeline: &Pipeline) -> Result<DStream<Value>, String> {
        let input = self.inputs.get(&pipeline.from).ok_or_else(|| format!("no input {}", pipeline.from))?;
        self.chain(input, &pipeline.ops)
    }

    pub(super) fn chain(&self, stream: &DStream<Value>, ops: &[Op]) -> Result<DStream<Value>, String> {
        ops.iter().try_fold(stream.clone(), |stream, op| self.operator(&stream, op))
    }

    #[allow(clippy::too_many_lines, reason = "the vocabulary of the cases, one arm per operator")]
    fn operator(&self, stream: &DStream<Value>, op: &Op) -> Result<DStream<Value>, String> {
        let ssc = self.test.context();
        Ok(match op.name.as_str() {
            "map" => {
                let f = MapFunction::parse(op.function()?)?;
                if f.is_fallible() {
                    stream.try_map(move |x| f.try_apply(x))
                } else {
                    stream.map(move |x| f.apply(x))
                }
            }
            "flatMap" => {
                let f = FlatMapFunction::parse(op.function()?)?;
                stream.flat_map(move |x| f.apply(x))
            }
            "filter" => {
                let condition = Condition::parse(op.function()?)?;
                stream.filter(move |x| condition.holds(x))
            }
            "glom" => stream.glom().map(Value::List),
            "mapPartitionsSum" => {
                stream.map_partitions(|records| [records.fold(Value::Int(0), |a, b| plus(a, &b))])
            }
            "mapPartitionsCount" => stream.map_partitions(|records| [Value::count(records.count())]),
            "repartition" => stream.repartition(op.num_partitions.ok_or("repartition lacks numPartitions")?),
            "reduce" => {
                let f = ReduceFunction::parse(op.function()?)?;
                stream.reduce(move |a, b| f.apply(a, b))
            }
            "count" => stream.count().map(whole),
            "countByValue" => stream.count_by_value().map(|(value, n)| Value::pair(value, whole(n))),
            "groupByKey" => grouped(&keyed(stream).group_by_key_with(op.partitioning())),
            "reduceByKey" => {
                let f = ReduceFunction::parse(op.function()?)?;
                let (pairs, by) = (keyed(stream), op.partitioning());
                records(&match f {
                    ReduceFunction::Fail => pairs.try_reduce_by_key_with(move |a, b| f.try_apply(a, b), by),
                    f => pairs.reduce_by_key_with(move |a, b| f.apply(a, b), by),
                })
            }
            "combineByKeyList" => grouped(&keyed(stream).combine_by_key_with(
                |value| vec![value],
                |mut list, value| {
                    list.push(value);
                    list
                },
                |left, right| [left, right].concat(),
                op.partitioning(),
            )),
            "mapValues" => {
                let (pairs, f) = (keyed(stream), MapFunction::parse(op.function()?)?);
                records(&if f.is_fallible() {
                    pairs.try_map_values(move |x| f.try_apply(x))
                } else {
                    pairs.map_values(move |x| f.apply(x))
                })
            }
            "flatMapValues" => {
                let f = FlatMapFunction::parse(op.function()?)?;
                records(&keyed(stream).flat_map_values(move |x| f.apply(x)))
            }
            "union" => stream.union(&self.other(op)?),
            "contextUnion" => ssc.union(self.with_others(stream, op)?),
            "transformMap" => {
                let f = MapFunction::parse(op.function()?)?;
                stream.transform(move |rdd, _| {
                    let f = f.clone();
                    if f.is_fallible() {
                        rdd.try_map(move |x| f.try_apply(x))
                    } else {
                        rdd.map(move |x| f.apply(x))
                    }
                })
            }
            "transformNull" => stream.try_transform(|_, _| {
                Err::<dstreams::Rdd<Value>, _>(Error::NoRdd(TRANSFORMED_TO_NULL.to_owned()))
            }),
            "transformThrow" => {
                let message = op.message.clone().unwrap_or_else(|| "error in transform".to_owned());
                stream.try_transform(move |_, _| Err::<dstreams::Rdd<Value>, _>(message.clone()))
            }
            "transformSort" => stream.transform(|rdd, _| rdd.sort_by(Value::clone, true)),
            "transformTime" => stream.transform(|rdd, time| {
                let time = Value::Int(time.as_millis());
                rdd.map(move |x| Value::pair(time.clone(), x))
            }),
            "contextTransformUnion" => {
                let rdds = ssc.rdd_context().clone();
                ssc.transform(self.with_others(stream, op)?, move |batch, _| rdds.union(batch))
            }
            "transformWithJoin" => {
                let both = keyed(stream)
                    .transform_with(&keyed(&self.other(op)?), |left, right, _| left.join(&right));
                both.map(|(key, (left, right))| Value::pair(key, Value::pair(left, right)))
            }
            "transformWithUnion" => {
                stream.transform_with(&self.other(op)?, |left, right, _| left.union(&right))
            }
            "cogroup" => {
                let both = keyed(stream).cogroup_with(&keyed(&self.other(op)?), op.partitioning());
                both.map(|(key, (left, right))| {
                    Value::pair(key, Value::pair(Value::List(left), Value::List(right)))
                })
            }
            "join" => {
                let both = keyed(stream).join_with(&keyed(&self.other(op)?), op.partitioning());
                both.map(|(key, (left, right))| Value::pair(key, Value::pair(left, right)))
            }
            "leftOuterJoin" => {
                let both = keyed(stream).left_outer_join_with(&keyed(&self.other(op)?), op.partitioning());
                both.map(|(key, (left, right))| Value::pair(key, Value::pair(left, option(right))))
            }
            "rightOuterJoin" => {
                let both = keyed(stream).right_outer_join_with(&keyed(&self.other(op)?), op.partitioning());
                both.map(|(key, (left, right))| Value::pair(key, Value::pair(option(left), right)))
            }
            "fullOuterJoin" => {
                let both = keyed(stream).full_outer_join_with(&keyed(&self.other(op)?), op.partitioning());
                both.map(|(key, (left, right))| Value::pair(key, Value::pair(option(left), option(right))))
            }
            "updateStateByKey" => records(&self.update_state(stream, op)?),
            "updateStateByKeyTime" => {
                let f = |time: dstreams::Time, _: &Value, values: Vec<Value>, old: Option<Value>| {
                    let old = old.unwrap_or(Value::Int(0));
                    Some(if values.is_empty() { old } else { plus(Value::Int(time.as_millis()), &old) })
                };
                let states = keyed(stream).update_state_by_key_at_with(f, self.state_options(op));
                records(&op.checkpointed(states))
            }
            "stateCounter" => records(&keyed(stream).map_values(|state| match state {
                Value::Object(mut fields) => fields.remove(COUNTER).unwrap_or(Value::Null),
                other => misused("stateCounter", &other),
            })),
            "window" => {
                let window = op.window(stream)?;
                stream.window_with(window.length, window.slide)
            }
            "reduceByWindow" => {
                let (window, f) = (op.window(stream)?, ReduceFunction::parse(op.function()?)?);
                let reduce = move |a, b| f.apply(a, b);
                match op.inverse()? {
                    Some(inv) => stream.reduce_by_window_inverse(
                        reduce,
                        move |a, b| inv.apply(a, b),
                        window.length,
                        window.slide,
                    ),
                    None => stream.reduce_by_window(reduce, window.length, window.slide),
                }
            }
            "countByWindow" => {
                let window = op.window(stream)?;
                stream.count_by_window(window.length, window.slide).map(whole)
            }
            "countByValueAndWindow" => {
                let (window, by) = (op.window(stream)?, op.partitioning());
                let counts = stream.count_by_value_and_window_with(window.length, window.slide, by);
                counts.map(|(value, n)| Value::pair(value, whole(n)))
            }
            "groupByKeyAndWindow" => {
                let (window, by) = (op.window(stream)?, op.partitioning());
                grouped(&keyed(stream).group_by_key_and_window_with(window.length, window.slide, by))
            }
            "reduceByKeyAndWindow" => records(&reduced_by_key_and_window(stream, op)?),
            "mapWithState" => self.map_with_state(stream, op)?,
            "stateSnapshots" => {
                let snapshots = self.snapshots.borrow().clone();
                snapshots.ok_or("stateSnapshots without a mapWithState before it")?
            }
            unknown => return Err(format!("unknown operator: {unknown}")),
        })
    }

    fn update_state(&self, stream: &DStream<Value>, op: &Op) -> Result<DStream<KeyValue>, String> {
        let (pairs, options) = (keyed(stream), self.state_options(op));
        let f = UpdateFunction::parse(op.function()?)?;
        let states = match op.variant.as_deref() {
            None | Some("simple") => {
                pairs.update_state_by_key_with(move |values, state| f.apply(values, state), options)
            }
            Some("iterator") => pairs.update_state_by_key_partitions_with(
                move |keys| keys.filter_map(move |(key, values, state)| Some((key, f.apply(values, state)?))),
                options,
            ),
            Some(unknown) => return Err(format!("unknown variant of updateStateByKey: {unknown}")),
        };
        Ok(op.checkpointed(states))
    }

    fn map_with_state(&self, stream: &DStream<Value>, op: &Op) -> Result<DStream<Value>, String> {
        let f = StateFunction::parse(op.function()?)?;
        let mut spec =
            StateSpec::function_at(move |time, key: &Value, value, state| f.apply(time, key, value, state));
        if let Some(states) = self.initial_states(op) {
            spec = spec.initial_state(states);
        }
        if let Some(partitions) = op.num_partitions {
            spec = spec.partitions(partitions);
        }
        if let Some(timeout) = op.timeout_ms {
            spec = spec.timeout(Duration::from_millis(timeout));
        }
        let mut mapped = keyed(stream).map_with_state(spec);
        if let Some(interval) = op.checkpoint_ms {
            mapped = mapped.checkpoint(Duration::from_millis(interval));
        }
        self.snapshots.replace(Some(records(&mapped.state_snapshots())));
        Ok(mapped.into())
    }

    fn state_options(&self, op: &Op) -> StateOptions<Value, Value> {
        StateOptions { partitioning: op.partitioning(), initial: self.initial_states(op) }
    }

    fn initial_states(&self, op: &Op) -> Option<dstreams::Rdd<KeyValue>> {
        let states = op.initial.as_ref()?;
        let states: Vec<_> = states.iter().map(|state| Value::from(state).into_pair()).collect();
        Some(self.test.context().rdd_context().parallelize(states))
    }

    fn other(&self, op: &Op) -> Result<DStream<Value>, String> {
        let other = op.other.as_ref().ok_or_else(|| format!("{} lacks other", op.name))?;
        self.pipeline(other)
    }

    fn with_others(&self, stream: &DStream<Value>, op: &Op) -> Result<Vec<DStream<Value>>, String> {
        let others = op.others.iter().map(|other| self.pipeline(other));
        std::iter::once(Ok(stream.clone())).chain(others).collect()
    }
}

impl Op {
    fn function(&self) -> Result<&str, String> {
        self.function.as_deref().ok_or_else(|| format!("{} lacks fn", self.name))
    }

    fn partitioning(&self) -> Partitioning<Value> {
        self.num_partitions.map_or(Partitioning::Default, Partitioning::Hash)
    }

    fn window(&self, stream: &DStream<Value>) -> Result<Window, String> {
        let length = self.window_ms.ok_or_else(|| format!("{} lacks window_ms", self.name))?;
        let slide = self.slide_ms.map_or(stream.slide(), Duration::from_millis);
        Ok(Window { length: Duration::from_millis(length), slide })
    }

    fn inverse(&self) -> Result<Option<ReduceFunction>, String> {
        self.inverse.as_deref().map(ReduceFunction::parse).transpose()
    }

    fn checkpointed(&self, states: DStream<KeyValue>) -> DStream<KeyValue> {
        match self.checkpoint_ms {
            Some(interval) => states.checkpoint(Duration::from_millis(interval)),
            None => states,
        }
    }
}

fn reduced_by_key_and_window(stream: &DStream<Value>, op: &Op) -> Result<DStream<KeyValue>, String> {
    let (pairs, window, f) = (keyed(stream), op.window(stream)?, ReduceFunction::parse(op.function()?)?);
    let (length, slide) = (window.length, window.slide);
    let reduce = move |a, b| f.apply(a, b);
    let Some(inverse) = op.inverse()? else {
        return Ok(pairs.reduce_by_key_and_window_with(reduce, length, slide, op.partitioning()));
    };
    let mut options = ReducedWindowOptions::from(op.partitioning());
    if let Some(condition) = op.filter.as_deref().map(Condition::parse).transpose()? {
        options = options.filter(move |(key, value)| {
            condition.holds(&Value::pair(Value::clone(key), Value::clone(value)))
        });
    }
    let undo = move |a, b| inverse.apply(a, b);
    let windows = pairs.reduce_by_key_and_window_inverse_with(reduce, undo, length, slide, options);
    Ok(op.checkpointed(windows))
}

/// The name of streams that only turn records into pairs or back: no operators of the case.
pub(super) const CONVERSION: &str = "conversion";

fn keyed(stream: &DStream<Value>) -> DStream<KeyValue> {
    stream.map(Value::into_pair).named(CONVERSION)
}

fn records(pairs: &DStream<KeyValue>) -> DStream<Value> {
    pairs.map(Value::from_pair).named(CONVERSION)
}

fn grouped(groups: &DStream<(Value, Vec<Value>)>) -> DStream<Value> {
    groups.map(|(key, values)| Value::pair(key, Value::List(values))).named(CONVERSION)
}

fn option(value: Option<Value>) -> Value {
    value.unwrap_or(Value::Null)
}

fn whole(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}
