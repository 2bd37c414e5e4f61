// SPDX-License-Identifier: Apache-2.0
//! Configuration: one table of keys, and the values a program was given with where each came from.

mod command_line;
mod error;
mod ignored;
mod key;
mod master;
mod nearest;
mod planned;
mod properties;
mod render;
mod table;
mod value;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::Path;

pub use command_line::CommandLine;
pub use error::{ConfigError, Origin, Warning};
pub use key::Key;
pub use master::Master;
pub use render::{help, markdown};
pub use table::keys;
pub use value::{Bound, ByteSize, ConfigValue, TextForm, TimeForm};

use key::Entry;

/// The settings of a program, in layers: defaults, properties file, environment, command line, program.
///
/// A later layer wins over an earlier one in whatever order they are loaded. Every value is checked when
/// it is set, so that [`get`](Self::get) cannot fail.
///
/// ```
/// use dstreams_streaming::config::{Config, keys};
/// use dstreams_streaming::time::milliseconds;
///
/// let mut config = Config::new();
/// config.load_environment([("SPARK_STREAMING_BLOCKINTERVAL", "100ms")])?;
/// config.set_argument("spark.streaming.blockInterval=50ms")?;
/// assert_eq!(config.get(&keys::BLOCK_INTERVAL), milliseconds(50));
/// let error = config.set("spark.streaming.blockIntervall", "1s").unwrap_err();
/// assert!(error.to_string().contains("nearest known key is `spark.streaming.blockInterval`"));
/// # Ok::<(), dstreams_streaming::config::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Config {
    /// What was set, by the name in the table or the user's own.
    values: BTreeMap<String, Assigned>,
    warnings: Vec<Warning>,
}

#[derive(Clone)]
struct Assigned {
    text: String,
    origin: Origin,
}

/// Keys under these prefixes are not in the table: they belong to the user's program, to its metrics or to an object
/// store. Any name, any text.
const FREE_PREFIXES: [&str; 3] = ["app.", "spark.metrics.conf.", crate::storage::OPTIONS];

/// Whose key it is, for one that is not in the table.
fn free_prefix(key: &str) -> Option<&'static str> {
    FREE_PREFIXES.into_iter().find(|prefix| key.len() > prefix.len() && key.starts_with(prefix))
}

impl Config {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a key of the table.
    pub fn get<T: ConfigValue>(&self, key: &Key<T>) -> T {
        key.value_of(self.values.get(key.name()).map(|assigned| assigned.text.as_str()))
    }

    /// The text of any key as it was set, or its default; `None` for one that has neither.
    ///
    /// This is how a program reads its own keys, those under `app.`.
    pub fn text(&self, key: &str) -> Option<&str> {
        let set = self.values.get(key).map(|assigned| assigned.text.as_str());
        set.or_else(|| table::find(key).and_then(Entry::default_text))
    }

    /// The keys that begin with `prefix` and were set, with their texts as they are, secrets among them.
    ///
    /// ```
    /// # use dstreams_streaming::Config;
    /// let mut config = Config::default();
    /// config.set("app.colour", "red")?;
    /// assert_eq!(config.below("app.").collect::<Vec<_>>(), [("app.colour", "red")]);
    /// # Ok::<(), dstreams_streaming::config::ConfigError>(())
    /// ```
    pub fn below<'c>(&'c self, prefix: &'c str) -> impl Iterator<Item = (&'c str, &'c str)> {
        let set = self.values.iter().filter(move |(key, _)| key.starts_with(prefix));
        set.map(|(key, assigned)| (key.as_str(), assigned.text.as_str()))
    }

    /// Sets a key from within the program, the strongest layer.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), ConfigError> {
        self.assign(key, text, Origin::Program)
    }

    /// Sets a key from a command line argument of the form `key=value`.
    pub fn set_argument(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let (key, text) = assignment
            .split_once('=')
            .filter(|(key, _)| !key.trim().is_empty())
            .ok_or_else(|| ConfigError::NotAnAssignment { text: assignment.to_owned() })?;
        self.assign(key.trim(), text, Origin::CommandLine)
    }

    /// Reads a properties file; the form of `spark-defaults.conf` is the same grammar.
    pub fn load_file(&mut self, path: impl AsRef<Path>) -> Result<(), ConfigError> {
        let path = path.as_ref();
        for properties::Assignment { line, key, value } in assignments(path)? {
            self.assign(&key, &value, Origin::File { path: path.to_owned(), line })?;
        }
        Ok(())
    }

    /// The keys and values of a properties file that is none of a program, such as one of metrics.
    pub fn read_properties(path: impl AsRef<Path>) -> Result<Vec<(String, String)>, ConfigError> {
        let assignments = assignments(path.as_ref())?;
        Ok(assignments.into_iter().map(|assignment| (assignment.key, assignment.value)).collect())
    }

    /// The keys that were set under a prefix, without it, and their values.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let set = self.values.iter();
        set.filter_map(move |(key, set)| Some((key.strip_prefix(prefix)?, set.text.as_str())))
    }

    /// Takes what is configured through environment variables, usually those of `std::env::vars_os()`.
    ///
    /// The variable of a key is its name in upper case with `_` for `.`. Other variables are left alone; one
    /// that looks like a slip of the pen gets a warning.
    pub fn load_environment<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), ConfigError> {
        let known: BTreeMap<String, &str> = table::names().map(|name| (variable_of(name), name)).collect();
        for (variable, value) in variables {
            let Some(variable) = variable.as_ref().to_str() else { continue };
            if let Some(key) = known.get(variable) {
                let origin = Origin::Environment { variable: variable.to_owned() };
                self.assign(key, &value.as_ref().to_string_lossy(), origin)?;
            } else if let Some(meant) = mistyped(variable, &known) {
                self.warn(Warning::MistypedVariable { variable: variable.to_owned(), meant });
            }
        }
        Ok(())
    }

    /// What was accepted and has no effect, or not the one expected; each key once.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Every key of the table and every key of the program, with its value and where that came from.
    /// Secrets are masked.
    pub fn explain(&self) -> Vec<Explained> {
        let known = table::entries().map(|entry| match self.values.get(entry.name()) {
            Some(assigned) => Explained::new(entry.name(), assigned, entry.meaning()),
            None => Explained {
                key: entry.name().to_owned(),
                value: entry.default_shown().to_owned(),
                origin: Origin::Default,
                meaning: entry.meaning(),
            },
        });
        let own = self.values.iter().filter(|(key, _)| table::find(key).is_none());
        let meaning = |key: &str| match free_prefix(key) {
            Some(crate::storage::OPTIONS) => "An option of the object store.",
            _ => "A key of the program.",
        };
        known.chain(own.map(|(key, assigned)| Explained::new(key, assigned, meaning(key)))).collect()
    }

    fn assign(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), ConfigError> {
        let text = text.trim();
        let key = match table::current_name(key) {
            Some(current) => {
                let (key, origin) = (key.to_owned(), origin.clone());
                self.warn(Warning::Renamed { key, origin, current });
                current
            }
            None => key,
        };
        if let Some(entry) = table::find(key) {
            entry.check(text).map_err(|expected| ConfigError::BadValue {
                key: key.to_owned(),
                value: shown(key, text),
                expected,
                origin: origin.clone(),
            })?;
            if let Some(feature) = planned::feature(key) {
                self.warn(Warning::NotYet { key: key.to_owned(), origin: origin.clone(), feature });
            }
        } else if let Some(reason) = ignored::reason(key).filter(|_| free_prefix(key).is_none()) {
            self.warn(Warning::Ignored { key: key.to_owned(), origin, reason });
            return Ok(());
        } else if free_prefix(key).is_none() {
            let nearest = nearest::nearest(key, table::names());
            return Err(ConfigError::UnknownKey { key: key.to_owned(), origin, nearest });
        }
        let stronger_is_set = self.values.get(key).is_some_and(|set| set.origin.layer() > origin.layer());
        if !stronger_is_set {
            self.values.insert(key.to_owned(), Assigned { text: text.to_owned(), origin });
        }
        Ok(())
    }

    fn warn(&mut self, warning: Warning) {
        if self.warnings.iter().all(|earlier| earlier.name() != warning.name()) {
            self.warnings.push(warning);
        }
    }
}

impl fmt::Debug for Config {
    /// Shows what was set, with secrets masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.values.iter().map(|(key, set)| (key, shown(key, &set.text)))).finish()
    }
}

/// The lines of a properties file.
fn assignments(path: &Path) -> Result<Vec<properties::Assignment>, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    properties::parse(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.line,
        problem: error.problem,
    })
}

/// One row of [`Config::explain`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The key.
    pub key: String,
    /// Its value as text, the description of its default when it has none, or a mask for a secret.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What the key is for.
    pub meaning: &'static str,
}

impl Explained {
    fn new(key: &str, assigned: &Assigned, meaning: &'static str) -> Self {
        Self {
            key: key.to_owned(),
            value: shown(key, &assigned.text),
            origin: assigned.origin.clone(),
            meaning,
        }
    }
}

/// A value as it may be shown: secrets are masked.
fn shown(key: &str, text: &str) -> String {
    const SECRET: [&str; 11] = [
        "password",
        "passphrase",
        "secret",
        "token",
        "credential",
        "accesskey",
        "access.key",
        "access_key",
        // Of Kafka: a login module with its password, and keys as text.
        "jaas",
        "key.pem",
        "keystore.key",
    ];
    let key = key.to_ascii_lowercase();
    // Of object stores: `accountKey`, `sasKey`, `serviceAccountKey` and other names that a key may have.
    let of_store = key.starts_with(&crate::storage::OPTIONS.to_ascii_lowercase()) && key.contains("key");
    let is_secret = of_store || SECRET.iter().any(|word| key.contains(word));
    if is_secret { "********".to_owned() } else { text.to_owned() }
}

/// The environment variable of a key.
fn variable_of(key: &str) -> String {
    key.to_ascii_uppercase().replace('.', "_")
}

/// The variable that was probably meant, among those in namespaces which are the engine's alone. Variables
/// further away belong to somebody else: a cluster manager sets `DSTREAMS_SERVICE_HOST`, for one.
fn mistyped(variable: &str, known: &BTreeMap<String, &str>) -> Option<String> {
    let ours = ["SPARK_STREAMING_", "DSTREAMS_"].iter().any(|prefix| variable.starts_with(prefix));
    let near = |name: &&String| nearest::distance(variable, name) <= 2;
    if ours { known.keys().find(near).cloned() } else { None }
}
