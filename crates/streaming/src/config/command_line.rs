// SPDX-License-Identifier: Apache-2.0
//! The command line that every application has: `--conf`, `--properties-file`, `--master`, `--interval`, `--help`.

use std::{env, ffi::OsString};

use lexopt::{Arg, Parser, ValueExt};

use super::{Config, ConfigError, help, keys};

/// What a command line asks for.
#[derive(Debug)]
pub enum CommandLine {
    /// To run with this configuration.
    Run(Config),
    /// To show this text and do nothing.
    Help(String),
}

impl Config {
    /// Reads all layers for the application `name`: the properties file named on the command line, the environment,
    /// the command line.
    ///
    /// ```
    /// use dstreams_streaming::config::{CommandLine, Config, keys};
    /// let line = Config::load("wordcount", ["--master", "local[3]", "--conf", "spark.streaming.concurrentJobs=2"])?;
    /// let CommandLine::Run(config) = line else { panic!("no help was asked for") };
    /// assert_eq!(config.get(&keys::MASTER).threads(), 3);
    /// assert_eq!(config.get(&keys::CONCURRENT_JOBS), 2);
    /// # Ok::<(), dstreams_streaming::config::ConfigError>(())
    /// ```
    pub fn load<A: Into<OsString>>(
        name: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<CommandLine, ConfigError> {
        let mut config = Self::new();
        config.load_environment(env::vars_os())?;
        let mut parser = Parser::from_args(arguments.into_iter().map(Into::into));
        let bad = |error: lexopt::Error| ConfigError::CommandLine { problem: error.to_string() };
        let text = |parser: &mut Parser| parser.value().and_then(ValueExt::string);
        while let Some(argument) = parser.next().map_err(bad)? {
            match argument {
                Arg::Long("conf") => config.set_argument(&text(&mut parser).map_err(bad)?)?,
                Arg::Long("properties-file") => config.load_file(parser.value().map_err(bad)?)?,
                Arg::Long("master") => {
                    let master = text(&mut parser).map_err(bad)?;
                    config.set_argument(&format!("{}={master}", keys::MASTER.name()))?;
                }
                Arg::Long("interval") => {
                    let interval = text(&mut parser).map_err(bad)?;
                    config.set_argument(&format!("{}={interval}", keys::BATCH_INTERVAL.name()))?;
                }
                Arg::Long("help") | Arg::Short('h') => return Ok(CommandLine::Help(usage(name))),
                other => return Err(bad(other.unexpected())),
            }
        }
        if config.get(&keys::APP_NAME).is_none() {
            config.set(keys::APP_NAME.name(), name)?;
        }
        Ok(CommandLine::Run(config))
    }
}

fn usage(name: &str) -> String {
    format!(
        "Usage: {name} [OPTIONS]\n\n\
         Options:\n\
         \x20 --master MASTER          where to run, such as local[4]; the same as --conf spark.master=MASTER\n\
         \x20 --interval DURATION      length of a batch; the same as --conf dstreams.batch.interval=DURATION\n\
         \x20 --conf KEY=VALUE         any of the settings below\n\
         \x20 --properties-file FILE   settings from a file, one `key value` or `key=value` per line\n\
         \x20 --help                   this text\n\n\
         Settings:\n{}",
        help(100)
    )
}
