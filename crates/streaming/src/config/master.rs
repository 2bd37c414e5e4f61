// SPDX-License-Identifier: Apache-2.0
//! `spark.master`: where a program runs.

use std::{num::NonZero, str::FromStr, thread};

use super::ConfigValue;

/// Where the tasks of a program run: on threads of this process.
///
/// ```
/// use dstreams_streaming::config::Master;
/// let master: Master = "local[4,2]".parse()?;
/// assert_eq!((master.threads(), master.max_task_failures()), (4, 2));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Master {
    threads: NonZero<usize>,
    max_task_failures: NonZero<usize>,
}

const FORM: &str = "local, local[n] with n threads, local[*] with one thread per core, or local[n,f] with f attempts per task";

impl Master {
    /// Tasks that run at the same time.
    pub fn threads(self) -> usize {
        self.threads.get()
    }

    /// Attempts per task before its job fails.
    pub fn max_task_failures(self) -> usize {
        self.max_task_failures.get()
    }
}

impl FromStr for Master {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("`{text}` is no master this program can run on; expected {FORM}");
        let once = NonZero::<usize>::MIN;
        if text == "local" {
            return Ok(Self { threads: once, max_task_failures: once });
        }
        let inside = text.strip_prefix("local[").and_then(|rest| rest.strip_suffix(']')).ok_or_else(error)?;
        let (threads, failures) =
            inside.split_once(',').map_or((inside, None), |(n, f)| (n.trim(), Some(f.trim())));
        let threads = match threads {
            "*" => thread::available_parallelism().unwrap_or(once),
            number => number.parse().map_err(|_| error())?,
        };
        let max_task_failures = failures.map_or(Ok(once), |f| f.parse().map_err(|_| error()))?;
        Ok(Self { threads, max_task_failures })
    }
}

impl ConfigValue for Master {
    type Form = ();

    fn parse(text: &str, (): &()) -> Option<Self> {
        text.parse().ok()
    }

    fn expected((): &()) -> String {
        FORM.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_local() {
        assert_eq!("local".parse::<Master>().map(Master::threads), Ok(1));
        assert_eq!("local[3]".parse::<Master>().map(|m| (m.threads(), m.max_task_failures())), Ok((3, 1)));
        assert_eq!("local[2, 4]".parse::<Master>().map(|m| (m.threads(), m.max_task_failures())), Ok((2, 4)));
        assert!("local[*]".parse::<Master>().is_ok_and(|m| m.threads() >= 1));
    }

    #[test]
    fn other_masters_are_refused_with_the_forms_that_are_known() {
        for wrong in ["local[0]", "local[x]", "local[2", "yarn", "spark://host:7077", "local[2,0]"] {
            let error = wrong.parse::<Master>().expect_err(wrong);
            assert!(error.contains(wrong) && error.contains("local[*]"), "{error}");
        }
    }
}
