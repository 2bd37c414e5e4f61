// SPDX-License-Identifier: Apache-2.0
//! `SqliteSink`: one statement for each record, or any code on a transaction.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use dstreams_streaming::{
    Batch, BatchIdentity, Begin, BoxError, Committed, CommittedPositions, ConnectionPool, Duration, History,
    PartitionIdentity, PartitionRecords, PooledConnection, Sink, SinkError, SinkTransaction,
    time::{minutes, seconds},
};
use dstreams_wal::fault;
use parking_lot::{ArcMutexGuard, Mutex, RawMutex};
use rusqlite::{Connection, DropBehavior, Statement, Transaction, TransactionBehavior};

use crate::{commits, error::sink_error};

/// How long identities are kept. A batch that is older is never run again: its input is gone.
const KEEP: Duration = minutes(7 * 24 * 60);

type Write<T> = dyn Fn(&Transaction<'_>, &mut PartitionRecords<T>) -> Result<u64, BoxError> + Send + Sync;

/// A table, or several, in an SQLite database on disk.
///
/// Each partition of a batch is one transaction, which also adds a row to the table `dstreams_commits` of the same
/// database: application, output, batch, partition, and what the batch was made of. A partition that has its row is never
/// written again. SQLite lets one transaction write at a time; what comes before the output is computed in parallel.
///
/// ```
/// use dstreams_sqlite::{SqliteSink, rusqlite::Connection};
/// use dstreams_streaming::testing::TestContext;
/// # let dir = tempfile::tempdir()?;
/// let database = dir.path().join("words.db");
/// let words = SqliteSink::new(
///     &database,
///     "INSERT INTO words VALUES (?1, ?2) ON CONFLICT (word) DO UPDATE SET n = n + excluded.n",
///     |(word, n): (String, i64), insert| insert.execute((word, n)),
/// )
/// .setup("CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY, n INTEGER NOT NULL)");
///
/// let test = TestContext::new()?;
/// let batches = vec![vec![("to".to_owned(), 1)], vec![("to".to_owned(), 2)]];
/// test.input(batches).write_to(words).named("words");
/// test.run(2)?;
/// let n: i64 = Connection::open(&database)?.query_row("SELECT n FROM words", (), |row| row.get(0))?;
/// assert_eq!(n, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a sink does nothing until a stream is written to it"]
pub struct SqliteSink<T> {
    options: Options,
    write: Arc<Write<T>>,
}

#[derive(Clone)]
struct Options {
    path: PathBuf,
    setup: Vec<String>,
    busy_timeout: Duration,
    keep: Duration,
    /// Made anew by each option that connections depend on.
    pool: ConnectionPool<Connection>,
    /// The tasks of this process take turns without the naps between SQLite's own attempts.
    turn: Arc<Mutex<()>>,
}

impl<T: 'static> SqliteSink<T> {
    /// Runs `sql` for each record. `bind` gives the record to the statement and executes it.
    pub fn new(
        path: impl AsRef<Path>,
        sql: impl Into<String>,
        bind: impl Fn(T, &mut Statement<'_>) -> rusqlite::Result<usize> + Send + Sync + 'static,
    ) -> Self {
        let sql = sql.into();
        Self::with(path, move |transaction, records| {
            let mut statement = transaction.prepare_cached(&sql)?;
            let mut written = 0;
            for record in records {
                bind(record, &mut statement)?;
                written += 1;
            }
            Ok::<_, rusqlite::Error>(written)
        })
    }

    /// Calls `write` with a transaction and the records of a partition, all of which it must take; it returns how many
    /// there were. It may run any statements, on several tables, but must leave the transaction open: it is committed with
    /// the identity of the partition.
    ///
    /// ```
    /// use dstreams_sqlite::{SqliteSink, rusqlite};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let database = dir.path().join("sales.db");
    /// let sales = SqliteSink::with(&database, |transaction, records| {
    ///     let mut written = 0;
    ///     for (store, cents) in records {
    ///         transaction.execute("INSERT INTO sales VALUES (?1, ?2)", (store, cents))?;
    ///         transaction.execute("UPDATE stores SET total = total + ?2 WHERE id = ?1", (store, cents))?;
    ///         written += 1;
    ///     }
    ///     Ok::<u64, rusqlite::Error>(written)
    /// });
    /// # let _: SqliteSink<(i64, i64)> = sales;
    /// ```
    pub fn with<E: Into<BoxError>>(
        path: impl AsRef<Path>,
        write: impl Fn(&Transaction<'_>, &mut PartitionRecords<T>) -> Result<u64, E> + Send + Sync + 'static,
    ) -> Self {
        let options = Options {
            path: path.as_ref().to_owned(),
            setup: Vec::new(),
            busy_timeout: seconds(10),
            keep: KEEP,
            pool: ConnectionPool::new(|| Err::<Connection, _>("replaced below")),
            turn: Arc::default(),
        };
        let write = move |transaction: &Transaction<'_>, records: &mut PartitionRecords<T>| {
            write(transaction, records).map_err(Into::into)
        };
        Self { options, write: Arc::new(write) }.connected()
    }

    /// Statements to run on each new connection, such as `CREATE TABLE IF NOT EXISTS …` and pragmas.
    pub fn setup(mut self, sql: impl Into<String>) -> Self {
        self.options.setup.push(sql.into());
        self.connected()
    }

    /// How long a statement waits for another process that has locked the database, before the sink counts as
    /// unavailable. Default: 10 seconds.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.options.busy_timeout = timeout;
        self.connected()
    }

    /// How long the identities of batches are kept, by batch time. A batch that is run again later than that would be
    /// written twice. Default: seven days.
    pub fn keep_identities(mut self, keep: Duration) -> Self {
        self.options.keep = keep;
        self
    }

    /// Makes new connections as the options say now.
    fn connected(mut self) -> Self {
        let Options { path, setup, busy_timeout, .. } = self.options.clone();
        self.options.pool = ConnectionPool::new(move || open(&path, &setup, busy_timeout))
            // One with a transaction that could not be rolled back is closed.
            .check(|connection| connection.is_autocommit());
        self
    }
}

fn open(path: &Path, setup: &[String], busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(busy_timeout.to_std())?;
    // Readers do not wait for the writer. What is committed must be durable, as the batch is not run again.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    commits::create(&connection)?;
    setup.iter().try_for_each(|sql| connection.execute_batch(sql))?;
    Ok(connection)
}

impl<T> fmt::Debug for SqliteSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteSink").field("path", &self.options.path).finish_non_exhaustive()
    }
}

impl<T: 'static> Sink<T> for SqliteSink<T> {
    type Transaction = SqliteTransaction<T>;

    fn name(&self) -> String {
        format!("SQLite {}", self.options.path.display())
    }

    fn committed(&self, batch: &BatchIdentity) -> Result<Committed, SinkError> {
        let connection = self.options.pool.get().map_err(sink_error)?;
        commits::of_batch(&connection, batch).map_err(sink_error)
    }

    fn begin(&self, partition: &PartitionIdentity) -> Result<Begin<SqliteTransaction<T>>, SinkError> {
        fault::pass("sqlite", "begin", &self.options.path)?;
        let connection = self.options.pool.get().map_err(sink_error)?;
        if commits::has(&connection, partition).map_err(sink_error)? {
            return Ok(Begin::Committed);
        }
        Ok(Begin::Transaction(SqliteTransaction {
            connection,
            turn: None,
            options: self.options.clone(),
            partition: partition.clone(),
            write: Arc::clone(&self.write),
        }))
    }
}

impl<T: 'static> History for SqliteSink<T> {
    fn history_of(&self) -> String {
        self.name()
    }

    fn latest(
        &self,
        application: &str,
        output: &str,
        limit: usize,
    ) -> Result<Vec<CommittedPositions>, SinkError> {
        let connection = self.options.pool.get().map_err(sink_error)?;
        commits::latest(&connection, application, output, limit).map_err(sink_error)
    }
}

/// A partition on its way into a [`SqliteSink`].
pub struct SqliteTransaction<T> {
    connection: PooledConnection<Connection>,
    /// Held from the first record on.
    turn: Option<ArcMutexGuard<RawMutex, ()>>,
    options: Options,
    partition: PartitionIdentity,
    write: Arc<Write<T>>,
}

impl<T: 'static> SinkTransaction<T> for SqliteTransaction<T> {
    fn write(&mut self, records: &mut PartitionRecords<T>) -> Result<u64, SinkError> {
        // What the first records take to compute must not keep others from writing.
        let _computed = records.has_more();
        fault::pass("sqlite", "write", &self.options.path)?;
        // Bounded like the wait for other processes, as the one whose turn it is may wait for what this task computes.
        self.turn = self.options.turn.try_lock_arc_for(self.options.busy_timeout.to_std());
        if self.turn.is_none() {
            return Err(SinkError::unavailable("another task writes for longer than the busy timeout"));
        }
        let mut transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .map_err(sink_error)?;
        let written = (self.write)(&transaction, records).map_err(sink_error)?;
        // Left open for the commit.
        transaction.set_drop_behavior(DropBehavior::Ignore);
        Ok(written)
    }

    fn commit(self, positions: &Batch) -> Result<(), SinkError> {
        if self.connection.is_autocommit() {
            return Err(SinkError::refused("the transaction was ended by the code that writes the records"));
        }
        let is_new = commits::insert(&self.connection, &self.partition, &positions.positions());
        if !is_new.map_err(sink_error)? {
            // Somebody else was faster; ours is rolled back.
            let committed = commits::of_batch(&self.connection, &self.partition.batch).map_err(sink_error)?;
            return committed.instead_of(&self.partition);
        }
        if self.partition.partition == 0 {
            commits::prune(&self.connection, &self.partition, self.options.keep).map_err(sink_error)?;
        }
        fault::pass("sqlite", "commit", &self.options.path)?;
        self.connection.execute_batch("COMMIT").map_err(sink_error)?;
        fault::pass("sqlite", "committed", &self.options.path)?;
        Ok(())
    }
}

impl<T> Drop for SqliteTransaction<T> {
    fn drop(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a transaction could not be rolled back; its connection is closed");
        }
    }
}
