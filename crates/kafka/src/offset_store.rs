// SPDX-License-Identifier: Apache-2.0
//! `OffsetStore`: where a stream without a checkpoint directory goes on. With its results, in a group, or in a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use dstreams_streaming::{BoxError, CommittedPositions, History};
use dstreams_wal::WholeFile;

use crate::{
    cluster::{Cluster, Offsets},
    error::Error,
    params::Params,
    ranges::{OffsetRange, TopicPartition},
};

/// Keeps the positions of a stream: for each partition the offset after the last record whose results are there.
///
/// A stream that goes on from a checkpoint directory does not ask it. See [`Consumer::from_offset_store`].
///
/// [`Consumer::from_offset_store`]: crate::Consumer::from_offset_store
pub trait OffsetStore: Send + Sync + 'static {
    /// What logs and errors call it.
    fn name(&self) -> String;

    /// The positions of these partitions; nothing for those that it does not know. Asked once, when the stream starts.
    fn load(&self, partitions: &BTreeSet<TopicPartition>) -> Result<BTreeMap<TopicPartition, i64>, BoxError>;

    /// Takes the positions of the partitions that have moved on, when a batch is complete. A store that has them already,
    /// as those that are committed with the results do, does nothing.
    fn save(&self, _offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Positions that a sink has written with the results, in the same transactions: in PostgreSQL, in SQLite, in Kafka.
///
/// Where the last batch is there in part the stream begins with it again; the parts that are there come twice, unless the
/// output has a single partition. A checkpoint directory has no such case.
///
/// ```no_run
/// use dstreams_kafka::{Consumer, ResultOffsets};
/// # fn consumer(sink: impl dstreams_streaming::History) -> Consumer {
/// Consumer::subscribe(["lines"]).from_offset_store(ResultOffsets::new(sink, "word-count", "counts"))
/// # }
/// ```
#[derive(Debug)]
pub struct ResultOffsets<H> {
    sink: H,
    application: String,
    output: String,
}

/// How many batches are looked at for one that is missing.
const LOOKED_AT: usize = 100;

impl<H: History> ResultOffsets<H> {
    /// The positions of the output of this name of an application.
    pub fn new(sink: H, application: impl Into<String>, output: impl Into<String>) -> Self {
        Self { sink, application: application.into(), output: output.into() }
    }
}

impl<H: History> OffsetStore for ResultOffsets<H> {
    fn name(&self) -> String {
        format!("the results of {} in {}", self.output, self.sink.history_of())
    }

    fn load(&self, _partitions: &BTreeSet<TopicPartition>) -> Result<Offsets, BoxError> {
        let mut batches = self.sink.latest(&self.application, &self.output, LOOKED_AT)?;
        batches.reverse();
        go_on_after(&batches)
    }
}

/// Where to go on after batches in the order of their times: at the first one of which something is missing.
fn go_on_after(batches: &[CommittedPositions]) -> Result<Offsets, BoxError> {
    let mut offsets = Offsets::new();
    for batch in batches {
        let ranges = ranges_in(&batch.positions)?;
        let known = |range: &OffsetRange| offsets.get(&range.partition).copied().unwrap_or(range.from);
        if let Some(gap) = ranges.iter().find(|range| range.from > known(range)) {
            tracing::warn!(batch = %batch.batch_time, range = %gap, before = known(gap), "a batch before this one is not there; going on before it");
            break;
        }
        if !batch.committed.is_complete() {
            tracing::warn!(batch = %batch.batch_time, "the batch is there in part; it is read again");
            for range in ranges {
                offsets.entry(range.partition).or_insert(range.from);
            }
            break;
        }
        for range in ranges {
            offsets.insert(range.partition, range.until);
        }
    }
    Ok(offsets)
}

/// The offset ranges in what a sink keeps of a batch.
fn ranges_in(positions: &str) -> Result<Vec<OffsetRange>, BoxError> {
    let inputs: BTreeMap<String, serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(positions)?;
    let listed = inputs.values().filter_map(|input| input.get(OffsetRange::METADATA)?.as_str());
    let ranges = listed.flat_map(str::lines).map(str::parse).collect::<Result<Vec<_>, _>>()?;
    Ok(OffsetRange::merged(&ranges))
}

/// Positions in a consumer group, where a stream or the transactions of a sink commit them.
#[derive(Debug)]
pub struct GroupOffsets {
    params: Params,
}

impl GroupOffsets {
    /// The group `group.id` of the properties.
    pub fn new(params: impl Into<Params>) -> Self {
        Self { params: params.into() }
    }
}

/// How long brokers may take to say what is committed.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

impl OffsetStore for GroupOffsets {
    fn name(&self) -> String {
        format!("group {}", self.params.get("group.id").unwrap_or_default())
    }

    fn load(&self, partitions: &BTreeSet<TopicPartition>) -> Result<Offsets, BoxError> {
        // Transactions that are about to end are waited for.
        let params = self.params.clone().set("isolation.level", "read_committed");
        let cluster = Cluster::new(&params, ANSWERED_WITHIN)?;
        if !cluster.has_group() {
            return Err(Box::new(crate::params::property("group.id", "it is missing")));
        }
        Ok(cluster.committed(partitions)?)
    }

    fn save(&self, offsets: &Offsets) -> Result<(), BoxError> {
        Ok(Cluster::new(&self.params, ANSWERED_WITHIN)?.commit(offsets)?)
    }
}

/// Positions in a file, one partition per line: topic, number and offset.
#[derive(Debug)]
pub struct FileOffsets {
    path: PathBuf,
}

impl FileOffsets {
    /// The file at `path`, which comes to be with the first batch.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl OffsetStore for FileOffsets {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn load(&self, _partitions: &BTreeSet<TopicPartition>) -> Result<Offsets, BoxError> {
        self.read()
    }

    fn save(&self, offsets: &Offsets) -> Result<(), BoxError> {
        let mut all = self.read()?;
        all.extend(offsets.iter().map(|(partition, offset)| (partition.clone(), *offset)));
        let mut file = WholeFile::create("offsets", &self.path)?;
        for (TopicPartition { topic, partition }, offset) in &all {
            writeln!(file, "{topic} {partition} {offset}")?;
        }
        Ok(file.commit()?)
    }
}

impl FileOffsets {
    fn read(&self) -> Result<Offsets, BoxError> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Offsets::new()),
            text => text?,
        };
        let parse = |line: &str| {
            let mut fields = line.split_whitespace();
            let partition = TopicPartition::new(fields.next()?, fields.next()?.parse().ok()?);
            Some((partition, fields.next()?.parse().ok()?))
        };
        let parsed = text.lines().map(|line| {
            parse(line).ok_or_else(|| {
                Error::Range(format!("{}: {line:?} is no topic, partition and offset", self.path.display()))
            })
        });
        Ok(parsed.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use dstreams_streaming::{Committed, Time};

    use super::*;

    fn batch(time: i64, done: usize, ranges: &[(i32, i64, i64)]) -> CommittedPositions {
        let ranges: Vec<_> = ranges
            .iter()
            .map(|(partition, from, until)| OffsetRange::new("t", *partition, *from, *until).to_string())
            .collect();
        let positions = format!(r#"{{"0":{{"records":1,"offsets":"{}"}}}}"#, ranges.join("\\n"));
        let committed = Committed { partitions: 2, done: (0..done).collect() };
        CommittedPositions { batch_time: Time::from_millis(time), committed, positions }
    }

    fn after(batches: &[CommittedPositions]) -> Vec<(i32, i64)> {
        let offsets = go_on_after(batches).expect("they are well formed");
        offsets.into_iter().map(|(partition, offset)| (partition.partition, offset)).collect()
    }

    #[test]
    fn a_stream_goes_on_where_its_results_have_no_gap() {
        let first = batch(1, 2, &[(0, 0, 5), (1, 0, 7)]);
        let second = batch(2, 2, &[(0, 5, 6), (1, 7, 7), (2, 0, 3)]);
        let part = batch(3, 1, &[(0, 6, 9), (1, 7, 8), (3, 4, 5)]);
        let fourth = batch(4, 2, &[(0, 9, 10), (1, 8, 8)]);
        assert_eq!(after(&[]), []);
        assert_eq!(after(std::slice::from_ref(&first)), [(0, 5), (1, 7)]);
        assert_eq!(after(&[first.clone(), second.clone()]), [(0, 6), (1, 7), (2, 3)]);
        assert_eq!(
            after(&[first.clone(), second.clone(), part, fourth.clone()]),
            [(0, 6), (1, 7), (2, 3), (3, 4)]
        );
        assert_eq!(after(&[first, second, fourth]), [(0, 6), (1, 7), (2, 3)]);
    }

    #[test]
    fn a_file_keeps_the_positions_of_all_partitions() -> Result<(), BoxError> {
        let directory = tempfile::tempdir()?;
        let store = FileOffsets::new(directory.path().join("offsets"));
        assert_eq!(store.load(&BTreeSet::new())?, Offsets::new());
        let offsets = |offsets: &[(i32, i64)]| -> Offsets {
            offsets
                .iter()
                .map(|(partition, offset)| (TopicPartition::new("t", *partition), *offset))
                .collect()
        };
        store.save(&offsets(&[(0, 5), (1, 7)]))?;
        store.save(&offsets(&[(0, 6)]))?;
        assert_eq!(store.load(&BTreeSet::new())?, offsets(&[(0, 6), (1, 7)]));
        fs::write(directory.path().join("offsets"), "t 0\n")?;
        assert!(store.load(&BTreeSet::new()).is_err());
        Ok(())
    }
}
