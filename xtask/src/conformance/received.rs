// SPDX-License-Identifier: Apache-2.0
//! Tables about received blocks and their logs.

use std::sync::mpsc::{Sender, channel};

use dstreams::{
    Config, RddContext, StorageLevel,
    rdd::{
        TaskError,
        block::kept::KeptBlock,
        chunk::{BoxChunks, Chunks},
    },
    streaming::{
        BoxError, Error,
        config::keys,
        receiver::{Receiver, ReceiverHandle, ReceiverOptions},
        testing::TestContext,
    },
    time::seconds,
};
use serde_json::{Value as Json, json};

use super::units::{PASSED, Row};

/// Gives its handle to the case.
struct Given(Sender<ReceiverHandle<u64>>);

impl Receiver for Given {
    type Record = u64;

    fn on_start(&mut self, handle: ReceiverHandle<u64>) -> Result<(), BoxError> {
        Ok(self.0.send(handle)?)
    }
}

/// How many records a store reports.
pub(super) fn count(row: &Row<'_>) -> Result<Json, String> {
    let level = match row.text("storage")? {
        "MEMORY_ONLY" => StorageLevel::MEMORY_ONLY,
        "MEMORY_ONLY_SER" => StorageLevel::MEMORY_ONLY_SER,
        "MEMORY_AND_DISK" => StorageLevel::MEMORY_AND_DISK,
        "DISK_ONLY" => StorageLevel::DISK_ONLY,
        level => return Err(format!("unknown storage level {level}")),
    };
    let size = row.int("size")?.unsigned_abs();
    let stored = stored(row.text("form")?, level, size).map_err(|error| error.to_string())?;
    Ok(stored.map_or_else(|| json!(PASSED), |records| json!(records)))
}

fn stored(form: &str, level: StorageLevel, size: u64) -> Result<Option<u64>, Error> {
    let test = TestContext::with(Config::default(), seconds(1))?;
    let (given, handles) = channel();
    let options = ReceiverOptions::default().storage_level(level);
    test.collect(&test.context().receiver_stream_with(Given(given), options));
    test.run(0)?;
    let handle = handles.recv().map_err(Error::source)?;
    let block = match form {
        "array" => handle.store_block((0..size).collect())?,
        "iterator" => handle.store_iter((0..size).map(Ok::<_, Error>))?,
        // Bytes that nobody has decoded are not records here, so that the number is always known.
        _ => return Ok(None),
    };
    Ok(Some(block.records))
}

/// The records of one partition.
struct Logged(Vec<String>);

impl Chunks<String> for Logged {
    fn next_chunk(&mut self, out: &mut Vec<String>) -> Result<bool, TaskError> {
        let is_left = !self.0.is_empty();
        out.append(&mut self.0);
        Ok(is_left)
    }
}

/// Partitions of which some have copies in memory and some are in a log.
pub(super) fn sources(row: &Row<'_>) -> Result<Json, String> {
    let sc = RddContext::local(1).map_err(|error| error.to_string())?;
    let number = |column: &str| {
        row.int(column).and_then(|n| usize::try_from(n).map_err(|_| format!("{column} is no number")))
    };
    let (partitions, in_memory, in_log) =
        (number("partitions")?, number("in_block_manager(first n)")?, number("in_log(last n)")?);
    let data: Vec<Vec<String>> =
        (0..partitions).map(|block| (0..10).map(|n| format!("{block}/{n}")).collect()).collect();
    let extra = row.text("extra")?;
    let read = |with_copies: bool| {
        let copy = |block: usize| {
            let is_there = with_copies && block < in_memory;
            is_there.then(|| KeptBlock::copy(&sc, data[block].clone(), StorageLevel::MEMORY_ONLY)).flatten()
        };
        let copies = (0..partitions).map(copy).collect();
        let logged: Vec<_> = data
            .iter()
            .enumerate()
            .map(|(n, block)| (n + in_log >= partitions).then(|| block.clone()))
            .collect();
        sc.from_copies("blocks", copies, move |block| match &logged[block] {
            Some(records) => Ok(Box::new(Logged(records.clone())) as BoxChunks<String>),
            None => Err(TaskError::Other("the log has nothing".into())),
        })
        .collect()
    };
    // What is not in memory any more, or is not to be believed, must be in the log.
    let without_copies = extra.contains("invalid") || extra.contains("removed");
    let is_whole = |read: Result<Vec<String>, _>| read.is_ok_and(|read| read == data.concat());
    let whole = is_whole(read(!without_copies)) && (!extra.contains("removed") || is_whole(read(true)));
    let expected = row.text("result")?;
    match (whole, expected.starts_with("all data")) {
        (true, true) | (false, false) => Ok(json!(PASSED)),
        _ => Ok(json!(if whole { "all data" } else { "an error" })),
    }
}

/// What the two kinds of log do when nothing is said.
pub(super) fn log_defaults(row: &Row<'_>) -> Result<Json, String> {
    let config = Config::new();
    let (driver, receiver) = match row.text("setting")? {
        // Records of a receiver's log that wait together are written together, too, but each is a record of its own.
        "batching" => (config.get(&keys::DRIVER_LOG_ALLOW_BATCHING), false),
        "closeFileAfterWrite" => (
            config.get(&keys::DRIVER_LOG_CLOSE_AFTER_WRITE),
            config.get(&keys::RECEIVER_LOG_CLOSE_AFTER_WRITE),
        ),
        setting => return Err(format!("unknown setting {setting}")),
    };
    if row.cell("driver")? == &json!(driver) {
        Ok(json!(receiver))
    } else {
        Err(format!("the driver has {driver}"))
    }
}
