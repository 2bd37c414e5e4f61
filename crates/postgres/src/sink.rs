// SPDX-License-Identifier: Apache-2.0
//! `PostgresSink`: rows by COPY into a table, or merged into others, or any code on a transaction.

use std::{
    fmt,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use dstreams_streaming::{
    Batch, BatchIdentity, Begin, BoxError, Committed, CommittedPositions, ConnectionPool, Duration, History,
    PartitionIdentity, PartitionRecords, PooledConnection, Sink, SinkError, SinkTransaction, time::minutes,
};
use dstreams_wal::fault;
use postgres::{Client, Config, NoTls, config::Host};

use crate::{commits, copy::CopyRow, error::sink_error};

/// How long identities are kept. A batch that is older is never run again: its input is gone.
const KEEP: Duration = minutes(7 * 24 * 60);

/// How long a connection that was idle may take to say that it is alive.
const ANSWERED_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// How many bytes of rows are sent at once.
const SENT_AT_ONCE: usize = 1 << 16;

type Write<T> =
    dyn Fn(&Options, &mut Client, &mut PartitionRecords<T>) -> Result<u64, BoxError> + Send + Sync;

/// A table, or several, in a PostgreSQL database.
///
/// Each partition of a batch is one transaction, which also adds a row to the table `dstreams_commits` of the same
/// database: application, output, batch, partition, and what the batch was made of. A partition that has its row is never
/// written again.
///
/// ```
/// use dstreams_postgres::PostgresSink;
/// use dstreams_streaming::testing::TestContext;
/// # let Some(server) = dstreams_test_servers::Postgres::start_or_skip("an example") else { return Ok(()) };
/// # let url = server.url("postgres");
/// // For example `postgres://writer@db.example.com/shop`.
/// let words = PostgresSink::new(&url, "words", ["word", "n"], |(word, n): (String, i64), row| {
///     row.add(word).add(n);
/// })
/// .setup("CREATE TABLE IF NOT EXISTS words (word text PRIMARY KEY, n bigint NOT NULL)")
/// .merge(
///     "INSERT INTO words SELECT * FROM staged
///      ON CONFLICT (word) DO UPDATE SET n = words.n + excluded.n",
/// );
///
/// let test = TestContext::new()?;
/// let batches = vec![vec![("to".to_owned(), 1)], vec![("to".to_owned(), 2)]];
/// test.input(batches).write_to(words).named("words");
/// test.run(2)?;
/// # let mut client = dstreams_postgres::postgres::Client::connect(&url, dstreams_postgres::postgres::NoTls)?;
/// let n: i64 = client.query_one("SELECT n FROM words", &[])?.get(0);
/// assert_eq!(n, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a sink does nothing until a stream is written to it"]
pub struct PostgresSink<T> {
    options: Options,
    write: Arc<Write<T>>,
}

#[derive(Clone)]
struct Options {
    url: String,
    /// What logs call the database: its URL may hold a password.
    shown: String,
    /// What fault points know it by.
    place: PathBuf,
    setup: Vec<String>,
    merge: Option<Merge>,
    keep: Duration,
    /// Made anew by each option that connections depend on.
    pool: ConnectionPool<Client>,
}

/// How the rows of a partition get from the staging table to where they belong.
#[derive(Clone)]
struct Merge {
    sql: String,
    /// The columns of the staging table, where they are not those of the table.
    columns: Option<String>,
}

impl<T: 'static> PostgresSink<T> {
    /// Copies each record as a row into `table`. `encode` adds the values of the columns to the row, in their order. The
    /// names of the table and its columns are taken as they are; quote them as in SQL where they need it.
    pub fn new<C: Into<String>>(
        url: &str,
        table: impl Into<String>,
        columns: impl IntoIterator<Item = C>,
        encode: impl Fn(T, &mut CopyRow) + Send + Sync + 'static,
    ) -> Self {
        let table = table.into();
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        let columns = columns.join(", ");
        Self::of(url, move |options, client, records| {
            copy(options, client, records, &table, &columns, &encode)
        })
    }

    /// Calls `write` with a connection inside a transaction and the records of a partition, all of which it must take; it
    /// returns how many there were. It may run any statements, on several tables, but must leave the transaction open: it
    /// is committed with the identity of the partition.
    ///
    /// ```
    /// use dstreams_postgres::{PostgresSink, postgres};
    /// let sales = PostgresSink::with("host=localhost dbname=shop", |client, records| {
    ///     let mut written = 0;
    ///     for (store, cents) in records {
    ///         client.execute("INSERT INTO sales VALUES ($1, $2)", &[&store, &cents])?;
    ///         client.execute("UPDATE stores SET total = total + $2 WHERE id = $1", &[&store, &cents])?;
    ///         written += 1;
    ///     }
    ///     Ok::<u64, postgres::Error>(written)
    /// });
    /// # let _: PostgresSink<(i64, i64)> = sales;
    /// ```
    pub fn with<E: Into<BoxError>>(
        url: &str,
        write: impl Fn(&mut Client, &mut PartitionRecords<T>) -> Result<u64, E> + Send + Sync + 'static,
    ) -> Self {
        Self::of(url, move |_, client, records| write(client, records).map_err(Into::into))
    }

    fn of(
        url: &str,
        write: impl Fn(&Options, &mut Client, &mut PartitionRecords<T>) -> Result<u64, BoxError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let (shown, place) = shown(url);
        let options = Options {
            url: url.to_owned(),
            shown,
            place,
            setup: Vec::new(),
            merge: None,
            keep: KEEP,
            pool: ConnectionPool::new(|| Err::<Client, _>("replaced below")),
        };
        Self { options, write: Arc::new(write) }.connected()
    }

    /// Statements to run on each new connection, such as `CREATE TABLE IF NOT EXISTS …`.
    pub fn setup(mut self, sql: impl Into<String>) -> Self {
        self.options.setup.push(sql.into());
        self.connected()
    }

    /// Copies the rows of a partition to a temporary table `staged` with the columns of the table, and runs `sql`, which
    /// may be several statements, to merge them from there, in the same transaction: upserts and running totals.
    pub fn merge(mut self, sql: impl Into<String>) -> Self {
        self.options.merge = Some(Merge { sql: sql.into(), columns: None });
        self
    }

    /// As [`merge`](Self::merge), from a table `staged` with columns of its own, such as `word text, n bigint`.
    pub fn merge_from(mut self, columns: impl Into<String>, sql: impl Into<String>) -> Self {
        self.options.merge = Some(Merge { sql: sql.into(), columns: Some(columns.into()) });
        self
    }

    /// How long the identities of batches are kept, by batch time. A batch that is run again later than that would be
    /// written twice. Default: seven days.
    pub fn keep_identities(mut self, keep: Duration) -> Self {
        self.options.keep = keep;
        self
    }

    /// Makes new connections as the options say now.
    fn connected(mut self) -> Self {
        let Options { url, setup, .. } = self.options.clone();
        self.options.pool = ConnectionPool::new(move || open(&url, &setup))
            // A connection that was lost while nobody used it would cost an attempt each.
            .check(|client| client.is_valid(ANSWERED_WITHIN).is_ok());
        self
    }
}

fn open(url: &str, setup: &[String]) -> Result<Client, postgres::Error> {
    let mut config: Config = url.parse()?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(std::time::Duration::from_secs(10));
    }
    if config.get_tcp_user_timeout().is_none() {
        // A server that has vanished without a word is noticed.
        config.tcp_user_timeout(std::time::Duration::from_secs(30));
    }
    let mut client = config.connect(NoTls)?;
    commits::set_up(&mut client, setup)?;
    Ok(client)
}

/// Host and database of a URL, without user and password, and the database alone.
fn shown(url: &str) -> (String, PathBuf) {
    let Ok(config) = url.parse::<Config>() else {
        return ("(the URL is malformed)".to_owned(), PathBuf::new());
    };
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    (format!("{host}/{database}"), Path::new(database).to_owned())
}

fn copy<T>(
    options: &Options,
    client: &mut Client,
    records: &mut PartitionRecords<T>,
    table: &str,
    columns: &str,
    encode: &impl Fn(T, &mut CopyRow),
) -> Result<u64, BoxError> {
    let Some(merge) = &options.merge else { return copy_into(client, records, table, columns, encode) };
    // Once for each connection: a table for each partition would fill the catalogs of the server.
    let staging = merge.columns.as_ref().map_or_else(
        || format!("CREATE TEMP TABLE IF NOT EXISTS staged ON COMMIT DELETE ROWS AS SELECT {columns} FROM {table} WITH NO DATA"),
        |columns| format!("CREATE TEMP TABLE IF NOT EXISTS staged ({columns}) ON COMMIT DELETE ROWS"),
    );
    client.batch_execute(&staging)?;
    let written = copy_into(client, records, "pg_temp.staged", columns, encode)?;
    client.batch_execute(&merge.sql)?;
    Ok(written)
}

fn copy_into<T>(
    client: &mut Client,
    records: &mut PartitionRecords<T>,
    table: &str,
    columns: &str,
    encode: &impl Fn(T, &mut CopyRow),
) -> Result<u64, BoxError> {
    let mut writer = client.copy_in(&format!("COPY {table} ({columns}) FROM STDIN"))?;
    let mut rows = CopyRow::default();
    let mut written = 0;
    for record in records {
        encode(record, &mut rows);
        rows.end_row();
        written += 1;
        if rows.len() >= SENT_AT_ONCE {
            rows.take(|bytes| writer.write_all(bytes))?;
        }
    }
    rows.take(|bytes| writer.write_all(bytes))?;
    writer.finish()?;
    Ok(written)
}

impl<T> fmt::Debug for PostgresSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSink").field("database", &self.options.shown).finish_non_exhaustive()
    }
}

impl<T: 'static> Sink<T> for PostgresSink<T> {
    type Transaction = PostgresTransaction<T>;

    fn name(&self) -> String {
        format!("PostgreSQL {}", self.options.shown)
    }

    fn committed(&self, batch: &BatchIdentity) -> Result<Committed, SinkError> {
        let mut connection = self.options.pool.get().map_err(sink_error)?;
        let committed = commits::of_batch(&mut connection, batch);
        committed.map_err(|error| {
            connection.discard();
            sink_error(error)
        })
    }

    fn begin(&self, partition: &PartitionIdentity) -> Result<Begin<PostgresTransaction<T>>, SinkError> {
        fault::pass("postgres", "begin", &self.options.place)?;
        let connection = self.options.pool.get().map_err(sink_error)?;
        Ok(Begin::Transaction(PostgresTransaction {
            connection: Some(connection),
            options: self.options.clone(),
            partition: partition.clone(),
            write: Arc::clone(&self.write),
        }))
    }
}

impl<T: 'static> History for PostgresSink<T> {
    fn history_of(&self) -> String {
        self.name()
    }

    fn latest(
        &self,
        application: &str,
        output: &str,
        limit: usize,
    ) -> Result<Vec<CommittedPositions>, SinkError> {
        let mut connection = self.options.pool.get().map_err(sink_error)?;
        let latest = commits::latest(&mut connection, application, output, limit);
        latest.map_err(|error| {
            connection.discard();
            sink_error(error)
        })
    }
}

/// A partition on its way into a [`PostgresSink`].
pub struct PostgresTransaction<T> {
    /// None once the transaction has ended.
    connection: Option<PooledConnection<Client>>,
    options: Options,
    partition: PartitionIdentity,
    write: Arc<Write<T>>,
}

impl<T: 'static> SinkTransaction<T> for PostgresTransaction<T> {
    fn write(&mut self, records: &mut PartitionRecords<T>) -> Result<u64, SinkError> {
        // The transaction is not open while the first records are computed.
        let _computed = records.has_more();
        fault::pass("postgres", "write", &self.options.place)?;
        let Some(connection) = &mut self.connection else { return Err(ended()) };
        connection.batch_execute("BEGIN").map_err(sink_error)?;
        (self.write)(&self.options, connection, records).map_err(sink_error)
    }

    fn commit(mut self, positions: &Batch) -> Result<(), SinkError> {
        let Some(connection) = &mut self.connection else { return Err(ended()) };
        let is_new = commits::insert(connection, &self.partition, &positions.positions());
        if !is_new.map_err(sink_error)? {
            // Somebody else was faster; ours is rolled back.
            let committed = commits::of_batch(connection, &self.partition.batch).map_err(sink_error)?;
            return committed.instead_of(&self.partition);
        }
        if self.partition.partition == 0 {
            commits::prune(connection, &self.partition, self.options.keep).map_err(sink_error)?;
        }
        fault::pass("postgres", "commit", &self.options.place)?;
        connection.batch_execute("COMMIT").map_err(sink_error)?;
        fault::pass("postgres", "committed", &self.options.place)?;
        // Back to the pool.
        drop(self.connection.take());
        Ok(())
    }
}

fn ended() -> SinkError {
    SinkError::refused("the transaction has ended")
}

impl<T> Drop for PostgresTransaction<T> {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && let Err(error) = connection.batch_execute("ROLLBACK")
        {
            tracing::debug!(%error, "a transaction could not be rolled back; its connection is closed");
            connection.discard();
        }
    }
}
