// SPDX-License-Identifier: Apache-2.0
//! The table of what has been committed. It lies in the database that it speaks of, so that one transaction covers both.

use dstreams_streaming::{BatchIdentity, Committed, CommittedPositions, Duration, PartitionIdentity, Time};
use postgres::{Client, Error};

/// Two connections that create a table at the same moment would fail, so they take turns.
const SETUP_LOCK: i64 = 0x6473_7472_6561_6d73;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS dstreams_commits (
        application text NOT NULL,
        output text NOT NULL,
        batch_ms bigint NOT NULL,
        partition bigint NOT NULL,
        partitions bigint NOT NULL,
        positions text NOT NULL,
        committed_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (application, output, batch_ms, partition)
    )";

/// No commit removes fewer old rows than it adds, and none many more.
const PRUNED_AT_ONCE: i64 = 1_000;

/// Makes the table, and what else the program asks for.
pub(crate) fn set_up(client: &mut Client, setup: &[String]) -> Result<(), Error> {
    let mut transaction = client.transaction()?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&SETUP_LOCK])?;
    transaction.batch_execute("SET LOCAL client_min_messages = warning")?;
    transaction.batch_execute(TABLE)?;
    setup.iter().try_for_each(|sql| transaction.batch_execute(sql))?;
    transaction.commit()
}

/// What there is of a batch.
pub(crate) fn of_batch(client: &mut Client, batch: &BatchIdentity) -> Result<Committed, Error> {
    let rows = client.query(
        "SELECT partition, partitions FROM dstreams_commits
         WHERE application = $1 AND output = $2 AND batch_ms = $3",
        &[&&*batch.application, &&*batch.output, &batch.batch_time.as_millis()],
    )?;
    let mut committed = Committed::nothing();
    for row in rows {
        committed.done.insert(count(row.get(0)));
        committed.partitions = count(row.get(1));
    }
    Ok(committed)
}

/// The latest batches of an output, the latest first.
pub(crate) fn latest(
    client: &mut Client,
    application: &str,
    output: &str,
    limit: usize,
) -> Result<Vec<CommittedPositions>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = client.query(
        "SELECT batch_ms, partition, partitions, positions FROM dstreams_commits
         WHERE application = $1 AND output = $2 AND batch_ms IN (
             SELECT DISTINCT batch_ms FROM dstreams_commits
             WHERE application = $1 AND output = $2 ORDER BY batch_ms DESC LIMIT $3)
         ORDER BY batch_ms DESC",
        &[&application, &output, &limit],
    )?;
    let mut latest = Vec::<CommittedPositions>::new();
    for row in rows {
        let batch_time = Time::from_millis(row.get(0));
        if latest.last().is_none_or(|batch| batch.batch_time != batch_time) {
            let positions = row.get(3);
            latest.push(CommittedPositions { batch_time, committed: Committed::nothing(), positions });
        }
        if let Some(batch) = latest.last_mut() {
            batch.committed.done.insert(count(row.get(1)));
            batch.committed.partitions = count(row.get(2));
        }
    }
    Ok(latest)
}

/// Notes that a partition is there; false when it was already, or when the batch is there in other partitions. Waits for
/// a transaction that is about to note the same.
pub(crate) fn insert(
    client: &mut Client,
    partition: &PartitionIdentity,
    positions: &str,
) -> Result<bool, Error> {
    let batch = &partition.batch;
    let inserted = client.execute(
        "INSERT INTO dstreams_commits (application, output, batch_ms, partition, partitions, positions)
         SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (
             SELECT 1 FROM dstreams_commits
             WHERE application = $1 AND output = $2 AND batch_ms = $3 AND partitions <> $5)
         ON CONFLICT DO NOTHING",
        &[
            &&*batch.application,
            &&*batch.output,
            &batch.batch_time.as_millis(),
            &number(partition.partition),
            &number(partition.partitions),
            &positions,
        ],
    )?;
    Ok(inserted == 1)
}

/// Removes rows of batches that are older than `partition` by more than `keep`.
pub(crate) fn prune(
    client: &mut Client,
    partition: &PartitionIdentity,
    keep: Duration,
) -> Result<u64, Error> {
    let batch = &partition.batch;
    let before = batch.batch_time - keep;
    client.execute(
        "DELETE FROM dstreams_commits WHERE ctid = ANY (ARRAY (
             SELECT ctid FROM dstreams_commits
             WHERE application = $1 AND output = $2 AND batch_ms < $3 LIMIT $4))",
        &[
            &&*batch.application,
            &&*batch.output,
            &before.as_millis(),
            &PRUNED_AT_ONCE.max(2 * number(partition.partitions)),
        ],
    )
}

fn number(partition: usize) -> i64 {
    i64::try_from(partition).expect("there are fewer partitions than bytes of memory")
}

fn count(number: i64) -> usize {
    usize::try_from(number).expect("only numbers of partitions are written")
}
