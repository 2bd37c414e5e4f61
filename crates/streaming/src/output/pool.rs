// SPDX-License-Identifier: Apache-2.0
//! `ConnectionPool`: connections to an external system, shared by the tasks of a process and kept between batches.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use dstreams_rdd::BoxError;
use parking_lot::Mutex;

use crate::{
    clock::{Clock, StopFlag, SystemClock, Waited},
    time::{Duration, Time, seconds},
};

/// A pool of connections of type `C`. They are opened when they are needed, used again by later tasks and batches,
/// and closed (dropped) when they have not been used for a while.
///
/// A handle is cheap to clone; clones are the same pool, so that a closure can own one. The
/// [short form](crate::DStream::for_each_partition_with) of an output that uses a pool needs no clone.
///
/// ```
/// use dstreams_streaming::{ConnectionPool, testing::TestContext, time::minutes};
/// use std::sync::{Arc, Mutex};
/// let database = Arc::new(Mutex::new(Vec::new()));
/// // A connection, here only a way to the shared vector.
/// let server = Arc::clone(&database);
/// let pool = ConnectionPool::new(move || Ok::<_, std::io::Error>(Arc::clone(&server)))
///     .idle_timeout(minutes(5))
///     .max_size(4);
///
/// let test = TestContext::new()?;
/// test.input(vec![vec![1, 2], vec![3]]).for_each_partition(move |records| {
///     let connection = pool.get()?;
///     connection.lock().unwrap().extend(records);
///     Ok::<(), dstreams_streaming::PoolError>(())
/// });
/// test.run(2)?;
/// assert_eq!(database.lock().unwrap().iter().sum::<i32>(), 6);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub struct ConnectionPool<C> {
    shared: Arc<Shared<C>>,
}

impl<C> Clone for ConnectionPool<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C> fmt::Debug for ConnectionPool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock();
        f.debug_struct("ConnectionPool")
            .field("open", &state.open)
            .field("idle", &state.idle.len())
            .field("max_size", &state.settings.max_size)
            .finish_non_exhaustive()
    }
}

/// Why a pool gave no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// A new connection could not be opened.
    #[error("cannot open a connection: {0}")]
    Connect(#[source] BoxError),
    /// All connections were in use for as long as the pool waits.
    #[error(
        "all {max_size} connections of the pool were in use for {waited}; raise max_size or wait_timeout"
    )]
    Exhausted {
        /// The most connections that the pool may have.
        max_size: usize,
        /// How long it waited for one.
        waited: Duration,
    },
}

struct Shared<C> {
    connect: Box<dyn Fn() -> Result<C, BoxError> + Send + Sync>,
    state: Mutex<State<C>>,
}

struct State<C> {
    settings: Settings<C>,
    /// Connections that nobody uses, with the time of their return; the one used last is at the end.
    idle: Vec<(Time, C)>,
    /// Connections that there are, in use or idle, and those that are being opened.
    open: usize,
    /// Raised when there may be a connection to get.
    waiting: Vec<StopFlag>,
}

struct Settings<C> {
    idle_timeout: Duration,
    wait_timeout: Duration,
    max_size: usize,
    check: Arc<dyn Fn(&mut C) -> bool + Send + Sync>,
    clock: Arc<dyn Clock>,
}

impl<C: Send + 'static> ConnectionPool<C> {
    /// A pool that opens connections with `connect`. It has as many as are used at the same time; they are closed
    /// after a minute without use.
    pub fn new<E: Into<BoxError>>(connect: impl Fn() -> Result<C, E> + Send + Sync + 'static) -> Self {
        let settings = Settings {
            idle_timeout: seconds(60),
            wait_timeout: seconds(30),
            max_size: usize::MAX,
            check: Arc::new(|_| true),
            clock: Arc::new(SystemClock),
        };
        let state = State { settings, idle: Vec::new(), open: 0, waiting: Vec::new() };
        let connect = Box::new(move || connect().map_err(Into::into));
        Self { shared: Arc::new(Shared { connect, state: Mutex::new(state) }) }
    }

    /// Closes connections that were not used for this long, when the pool is used next. Default: one minute.
    #[must_use]
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.idle_timeout = timeout)
    }

    /// Never has more than `connections` connections, at least one. Default: no limit but the number of tasks.
    #[must_use]
    pub fn max_size(self, connections: usize) -> Self {
        self.set(|settings| settings.max_size = connections.max(1))
    }

    /// How long [`get`](Self::get) waits when all connections are in use. Default: 30 seconds.
    #[must_use]
    pub fn wait_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.wait_timeout = timeout)
    }

    /// Asks `is_alive` before a connection is used again, and closes it if not. Default: no question.
    #[must_use]
    pub fn check(self, is_alive: impl Fn(&mut C) -> bool + Send + Sync + 'static) -> Self {
        self.set(|settings| settings.check = Arc::new(is_alive))
    }

    /// Measures time on another clock than that of the system.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.set(|settings| settings.clock = clock)
    }

    fn set(self, change: impl FnOnce(&mut Settings<C>)) -> Self {
        change(&mut self.shared.state.lock().settings);
        self
    }

    /// A connection for the caller alone until it is dropped: the one used last, or a new one. Blocks while all are
    /// in use.
    ///
    /// ```
    /// use dstreams_streaming::{ConnectionPool, time::Duration};
    /// let pool = ConnectionPool::new(|| Ok::<_, std::io::Error>(Vec::new()))
    ///     .max_size(1)
    ///     .wait_timeout(Duration::ZERO);
    /// let mut connection = pool.get()?;
    /// connection.push("sent");
    /// assert!(pool.get().is_err(), "the only one is in use");
    /// drop(connection);
    /// assert_eq!(*pool.get()?, ["sent"]);
    /// # Ok::<(), dstreams_streaming::PoolError>(())
    /// ```
    pub fn get(&self) -> Result<PooledConnection<C>, PoolError> {
        let (clock, wait) = {
            let settings = &self.shared.state.lock().settings;
            (Arc::clone(&settings.clock), settings.wait_timeout)
        };
        let deadline = clock.now() + wait;
        loop {
            let (next, check, expired) = {
                let mut state = self.shared.state.lock();
                let expired = state.take_expired();
                (state.next(), Arc::clone(&state.settings.check), expired)
            };
            // Connections are closed, asked and opened outside of the lock: all of this may take its time.
            drop(expired);
            match next {
                Next::Idle(connection) => {
                    let mut connection = self.lease(Some(connection));
                    if check(&mut connection) {
                        return Ok(connection);
                    }
                    connection.discard();
                }
                Next::Room => {
                    // From here on the room is given back if the opening fails or panics.
                    let mut connection = self.lease(None);
                    connection.connection = Some((self.shared.connect)().map_err(PoolError::Connect)?);
                    return Ok(connection);
                }
                Next::Wait { max_size, news } => {
                    if clock.wait_until(deadline, &news) == Waited::Reached {
                        // Nobody needs the flag any more; raised, it is found among the others.
                        news.raise();
                        self.shared.state.lock().waiting.retain(|flag| !flag.is_raised());
                        return Err(PoolError::Exhausted { max_size, waited: wait });
                    }
                }
            }
        }
    }

    fn lease(&self, connection: Option<C>) -> PooledConnection<C> {
        PooledConnection { connection, shared: Arc::clone(&self.shared) }
    }

    /// Closes the connections that were not used for the idle time-out. [`get`](Self::get) and the return of a
    /// connection do so too.
    ///
    /// ```
    /// use dstreams_streaming::{ConnectionPool, time::Duration};
    /// let pool = ConnectionPool::new(|| Ok::<_, std::io::Error>(())).idle_timeout(Duration::ZERO);
    /// drop(pool.get()?);
    /// pool.close_idle();
    /// assert_eq!(pool.open_connections(), 0);
    /// # Ok::<(), dstreams_streaming::PoolError>(())
    /// ```
    pub fn close_idle(&self) {
        let expired = self.shared.state.lock().take_expired();
        drop(expired);
    }

    /// How many connections there are, in use or idle.
    pub fn open_connections(&self) -> usize {
        self.shared.state.lock().open
    }

    /// How many connections wait to be used.
    pub fn idle_connections(&self) -> usize {
        self.shared.state.lock().idle.len()
    }

    /// The clock that the pool measures time on.
    pub(super) fn own_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared.state.lock().settings.clock)
    }
}

/// What somebody who wants a connection gets.
enum Next<C> {
    /// One that was used before.
    Idle(C),
    /// The room for a new one, which counts as open already.
    Room,
    /// The promise to hear when a connection or room is given back.
    Wait { max_size: usize, news: StopFlag },
}

impl<C> State<C> {
    fn next(&mut self) -> Next<C> {
        if let Some((_, connection)) = self.idle.pop() {
            return Next::Idle(connection);
        }
        let max_size = self.settings.max_size;
        if self.open < max_size {
            self.open += 1;
            return Next::Room;
        }
        let news = StopFlag::new();
        self.waiting.push(news.clone());
        Next::Wait { max_size, news }
    }

    /// Takes out the idle connections whose time is over, to be dropped outside of the lock.
    fn take_expired(&mut self) -> Vec<(Time, C)> {
        let now = self.settings.clock.now();
        let timeout = self.settings.idle_timeout;
        let (expired, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.idle).into_iter().partition(|(since, _)| now - *since >= timeout);
        self.idle = kept;
        self.open -= expired.len();
        expired
    }
}

/// A connection that is in use. Dropped, it goes back to the pool, unless the thread panics: then it is closed,
/// since nobody knows what state it is in.
#[must_use = "the connection goes back to the pool when this is dropped"]
pub struct PooledConnection<C> {
    /// None while it is being opened, and after it was discarded.
    connection: Option<C>,
    shared: Arc<Shared<C>>,
}

impl<C> PooledConnection<C> {
    /// Closes the connection instead of giving it back, because it does not work any more.
    ///
    /// ```
    /// let pool = dstreams_streaming::ConnectionPool::new(|| Ok::<_, std::io::Error>(()));
    /// pool.get()?.discard();
    /// assert_eq!(pool.open_connections(), 0);
    /// # Ok::<(), dstreams_streaming::PoolError>(())
    /// ```
    pub fn discard(mut self) {
        self.connection = None;
    }
}

impl<C> Deref for PooledConnection<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect("a connection is handed out when it is open and taken back once")
    }
}

impl<C> DerefMut for PooledConnection<C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect("a connection is handed out when it is open and taken back once")
    }
}

impl<C> Drop for PooledConnection<C> {
    fn drop(&mut self) {
        let healthy = self.connection.take().filter(|_| !std::thread::panicking());
        let expired = {
            let mut state = self.shared.state.lock();
            match healthy {
                Some(connection) => {
                    let now = state.settings.clock.now();
                    state.idle.push((now, connection));
                }
                None => state.open -= 1,
            }
            state.waiting.drain(..).for_each(|news| news.raise());
            state.take_expired()
        };
        drop(expired);
    }
}

impl<C: fmt::Debug> fmt::Debug for PooledConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PooledConnection").field(&self.connection).finish()
    }
}
