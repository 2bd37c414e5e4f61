// SPDX-License-Identifier: Apache-2.0
//! What can be wrong with a setting, what is only worth a warning, and where settings come from.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a setting was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No key has this name.
    #[error("unknown key `{key}` ({origin}){}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// The name that was given.
        key: String,
        /// Where it was given.
        origin: Origin,
        /// The known key closest to it, unless all are far away.
        nearest: Option<String>,
    },
    /// The value does not have the form its key asks for.
    #[error("`{key}` cannot be `{value}` ({origin}): expected {expected}")]
    BadValue {
        /// The key.
        key: String,
        /// The value that was given, masked for a secret.
        value: String,
        /// The form it must have.
        expected: String,
        /// Where it was given.
        origin: Origin,
    },
    /// A command line setting is not of the form `key=value`.
    #[error("`{text}` is not a setting: expected key=value")]
    NotAnAssignment {
        /// What was given.
        text: String,
    },
    /// The command line has an option that nobody knows, or one without its value.
    #[error("{problem}; --help lists the options")]
    CommandLine {
        /// What is wrong.
        problem: String,
    },
    /// A properties file does not follow the grammar.
    #[error("{}:{line}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A properties file cannot be read.
    #[error("cannot read the properties file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|key| format!("; the nearest known key is `{key}`")).unwrap_or_default()
}

/// Where a value came from, weakest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The table of keys.
    Default,
    /// A line of a properties file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// The command line.
    CommandLine,
    /// The program itself.
    Program,
}

impl Origin {
    /// The strength of the layer: a higher one wins.
    pub(super) fn layer(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Environment { .. } => 2,
            Self::CommandLine => 3,
            Self::Program => 4,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::CommandLine => f.write_str("command line"),
            Self::Program => f.write_str("program"),
        }
    }
}

/// Something that was accepted and should be looked at; its text is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The key means something to Spark and nothing here.
    Ignored {
        /// The key.
        key: String,
        /// Where it was set first.
        origin: Origin,
        /// Why it has no meaning.
        reason: &'static str,
    },
    /// The key belongs to a feature that this version does not have.
    NotYet {
        /// The key.
        key: String,
        /// Where it was set first.
        origin: Origin,
        /// The feature.
        feature: &'static str,
    },
    /// The key was given by an old name, and is used.
    Renamed {
        /// The old name.
        key: String,
        /// Where it was set first.
        origin: Origin,
        /// The name it has now.
        current: &'static str,
    },
    /// An environment variable is nearly, but not quite, that of a key.
    MistypedVariable {
        /// The variable.
        variable: String,
        /// The one that was probably meant.
        meant: String,
    },
}

impl Warning {
    /// The key or variable that the warning is about.
    pub fn name(&self) -> &str {
        match self {
            Self::Ignored { key, .. } | Self::NotYet { key, .. } | Self::Renamed { key, .. } => key,
            Self::MistypedVariable { variable, .. } => variable,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignored { key, origin, reason } => write!(f, "`{key}` ({origin}) is ignored: {reason}"),
            Self::NotYet { key, origin, feature } => {
                write!(f, "`{key}` ({origin}) has no effect: this version has no {feature}")
            }
            Self::Renamed { key, origin, current } => {
                write!(f, "`{key}` ({origin}) is the old name of `{current}`")
            }
            Self::MistypedVariable { variable, meant } => {
                write!(f, "environment variable {variable} is ignored: it is close to {meant}")
            }
        }
    }
}
