// SPDX-License-Identifier: Apache-2.0
//! Fault points: every step that makes something durable passes one, and a test can make it fail or end the process there.

use std::{
    collections::BTreeMap,
    env,
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;

/// The variable that arms fault points of a process: `place.step@n=crash`, several separated by `;`. The n-th pass of
/// the point ends the process as SIGKILL would. `=full` and `=error` make it fail instead.
pub const FAULTS: &str = "DSTREAMS_FAULTS";

/// The variable that names a file to which each pass of a fault point is written, one `place.step` per line.
pub const FAULT_TRACE: &str = "DSTREAMS_FAULT_TRACE";

/// What happens at an armed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process ends at once; nothing is flushed and nothing is dropped.
    Crash,
    /// The step fails because the disk is full.
    DiskFull,
    /// The step fails for another reason.
    Error,
}

/// Passes the point before `step` of `place` is done to `path`, such as `("batches", "sync", …)`.
///
/// Where nothing is armed and nothing is traced this costs one load of an atomic flag.
pub fn pass(place: &str, step: &str, path: &Path) -> io::Result<()> {
    let points = points();
    if points.active.load(Ordering::Relaxed) { points.pass(place, step, path) } else { Ok(()) }
}

/// Makes the `nth` pass of `point` (from 1) for a path inside `dir` fail, once, until the value is dropped.
///
/// ```
/// use dstreams_wal::{Error, Options, Writer, fault::{self, Fault}};
///
/// let dir = tempfile::tempdir()?;
/// let writer = Writer::open(dir.path(), Options { max_failures: 1, ..Options::default() })?;
/// let _armed = fault::arm(dir.path(), "log.sync", 1, Fault::DiskFull);
/// assert!(matches!(writer.append(b"lost", 1), Err(Error::DiskFull { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the point is armed for as long as the value lives"]
pub fn arm(dir: impl Into<PathBuf>, point: &str, nth: u64, fault: Fault) -> ArmedFault {
    points().arm(Armed { point: point.to_owned(), dir: dir.into(), left: nth, fault })
}

/// An armed fault point.
#[derive(Debug)]
pub struct ArmedFault(u64);

impl Drop for ArmedFault {
    fn drop(&mut self) {
        points().armed.lock().remove(&self.0);
    }
}

struct Points {
    active: AtomicBool,
    armed: Mutex<BTreeMap<u64, Armed>>,
    trace: Option<PathBuf>,
}

struct Armed {
    point: String,
    /// Empty for any path.
    dir: PathBuf,
    /// How many passes are left before the fault; 0 when it has happened.
    left: u64,
    fault: Fault,
}

fn points() -> &'static Points {
    static POINTS: OnceLock<Points> = OnceLock::new();
    POINTS.get_or_init(|| {
        let points = Points {
            active: AtomicBool::new(false),
            armed: Mutex::default(),
            trace: env::var_os(FAULT_TRACE).map(PathBuf::from),
        };
        points.active.store(points.trace.is_some(), Ordering::Relaxed);
        for fault in env::var(FAULTS).unwrap_or_default().split(';').filter(|fault| !fault.is_empty()) {
            if let Ok(armed) = fault.parse() {
                // Never dropped: it is armed for the life of the process.
                std::mem::forget(points.arm(armed));
            } else {
                tracing::error!("{FAULTS}: `{fault}` is not `place.step@n=crash|full|error`");
            }
        }
        points
    })
}

impl FromStr for Armed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (point, fault) = text.split_once('=').ok_or(())?;
        let (point, nth) = point.split_once('@').unwrap_or((point, "1"));
        let fault = match fault {
            "crash" => Fault::Crash,
            "full" => Fault::DiskFull,
            "error" => Fault::Error,
            _ => return Err(()),
        };
        Ok(Self { point: point.to_owned(), dir: PathBuf::new(), left: nth.parse().map_err(|_| ())?, fault })
    }
}

impl Points {
    fn arm(&self, armed: Armed) -> ArmedFault {
        let mut all = self.armed.lock();
        let number = all.last_key_value().map_or(0, |(last, _)| last + 1);
        all.insert(number, armed);
        self.active.store(true, Ordering::Relaxed);
        ArmedFault(number)
    }

    fn pass(&self, place: &str, step: &str, path: &Path) -> io::Result<()> {
        let point = format!("{place}.{step}");
        if let Some(trace) = &self.trace {
            let line = format!("{point}\n");
            OpenOptions::new().create(true).append(true).open(trace)?.write_all(line.as_bytes())?;
        }
        let fault = self.armed.lock().values_mut().find_map(|armed| {
            if armed.point != point || armed.left == 0 || !path.starts_with(&armed.dir) {
                return None;
            }
            armed.left -= 1;
            (armed.left == 0).then_some(armed.fault)
        });
        match fault {
            None => Ok(()),
            Some(Fault::Crash) => std::process::abort(),
            Some(Fault::DiskFull) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Error) => Err(io::Error::other(format!("fault at {point}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_fails_at_its_turn_once_and_only_below_its_directory() {
        let _armed = arm("/fault-test/a", "place.sync", 2, Fault::Error);
        let pass = |dir: &str| pass("place", "sync", Path::new(dir)).is_ok();
        assert!(pass("/fault-test/b/1") && pass("/fault-test/a/1"));
        assert!(!pass("/fault-test/a/1"));
        assert!(pass("/fault-test/a/1"));
    }

    #[test]
    fn what_the_variable_says_is_parsed() {
        let armed: Armed = "batches.sync@3=crash".parse().expect("it is well formed");
        assert_eq!((armed.point.as_str(), armed.left, armed.fault), ("batches.sync", 3, Fault::Crash));
        assert!("batches.sync@x=crash".parse::<Armed>().is_err() && "batches.sync".parse::<Armed>().is_err());
    }
}
