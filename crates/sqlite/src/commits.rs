// SPDX-License-Identifier: Apache-2.0
//! The table of what has been committed. It lies in the database that it speaks of, so that one transaction covers both.

use dstreams_streaming::{BatchIdentity, Committed, CommittedPositions, Duration, PartitionIdentity, Time};
use rusqlite::{Connection, OptionalExtension as _, Result, params};

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS dstreams_commits (
        application TEXT NOT NULL,
        output TEXT NOT NULL,
        batch_ms INTEGER NOT NULL,
        partition INTEGER NOT NULL,
        partitions INTEGER NOT NULL,
        positions TEXT NOT NULL,
        committed_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
        PRIMARY KEY (application, output, batch_ms, partition)
    )";

/// No commit removes fewer old rows than it adds, and none many more.
const PRUNED_AT_ONCE: usize = 1_000;

pub(crate) fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch(TABLE)
}

/// What there is of a batch.
pub(crate) fn of_batch(connection: &Connection, batch: &BatchIdentity) -> Result<Committed> {
    let mut query = connection.prepare_cached(
        "SELECT partition, partitions FROM dstreams_commits WHERE application = ?1 AND output = ?2 AND batch_ms = ?3",
    )?;
    let key = params![&*batch.application, &*batch.output, batch.batch_time.as_millis()];
    let mut committed = Committed::nothing();
    let mut rows = query.query(key)?;
    while let Some(row) = rows.next()? {
        committed.done.insert(row.get(0)?);
        committed.partitions = row.get(1)?;
    }
    Ok(committed)
}

/// The latest batches of an output, the latest first.
pub(crate) fn latest(
    connection: &Connection,
    application: &str,
    output: &str,
    limit: usize,
) -> Result<Vec<CommittedPositions>> {
    let mut query = connection.prepare_cached(
        "SELECT batch_ms, partition, partitions, positions FROM dstreams_commits
         WHERE application = ?1 AND output = ?2 AND batch_ms IN (
             SELECT DISTINCT batch_ms FROM dstreams_commits
             WHERE application = ?1 AND output = ?2 ORDER BY batch_ms DESC LIMIT ?3)
         ORDER BY batch_ms DESC",
    )?;
    let mut latest = Vec::<CommittedPositions>::new();
    let mut rows = query.query(params![application, output, limit])?;
    while let Some(row) = rows.next()? {
        let batch_time = Time::from_millis(row.get(0)?);
        if latest.last().is_none_or(|batch| batch.batch_time != batch_time) {
            let positions = row.get(3)?;
            latest.push(CommittedPositions { batch_time, committed: Committed::nothing(), positions });
        }
        if let Some(batch) = latest.last_mut() {
            batch.committed.done.insert(row.get(1)?);
            batch.committed.partitions = row.get(2)?;
        }
    }
    Ok(latest)
}

pub(crate) fn has(connection: &Connection, partition: &PartitionIdentity) -> Result<bool> {
    let mut query = connection.prepare_cached(
        "SELECT 1 FROM dstreams_commits WHERE application = ?1 AND output = ?2 AND batch_ms = ?3 AND partition = ?4",
    )?;
    let batch = &partition.batch;
    let key = params![&*batch.application, &*batch.output, batch.batch_time.as_millis(), partition.partition];
    Ok(query.query_row(key, |_| Ok(())).optional()?.is_some())
}

/// Notes that a partition is there; false when it was already, or when the batch is there in other partitions.
pub(crate) fn insert(
    connection: &Connection,
    partition: &PartitionIdentity,
    positions: &str,
) -> Result<bool> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO dstreams_commits (application, output, batch_ms, partition, partitions, positions)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (
             SELECT 1 FROM dstreams_commits
             WHERE application = ?1 AND output = ?2 AND batch_ms = ?3 AND (partition = ?4 OR partitions <> ?5))",
    )?;
    let batch = &partition.batch;
    let inserted = insert.execute(params![
        &*batch.application,
        &*batch.output,
        batch.batch_time.as_millis(),
        partition.partition,
        partition.partitions,
        positions
    ])?;
    Ok(inserted == 1)
}

/// Removes rows of batches that are older than `partition` by more than `keep`.
pub(crate) fn prune(connection: &Connection, partition: &PartitionIdentity, keep: Duration) -> Result<usize> {
    let mut prune = connection.prepare_cached(
        "DELETE FROM dstreams_commits WHERE rowid IN (
             SELECT rowid FROM dstreams_commits
             WHERE application = ?1 AND output = ?2 AND batch_ms < ?3 LIMIT ?4)",
    )?;
    let batch = &partition.batch;
    let before = batch.batch_time - keep;
    prune.execute(params![
        &*batch.application,
        &*batch.output,
        before.as_millis(),
        PRUNED_AT_ONCE.max(2 * partition.partitions)
    ])
}
