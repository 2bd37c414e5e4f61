// SPDX-License-Identifier: Apache-2.0
//! Which sinks there are: `metrics.properties` as users know it, or the same keys in the configuration.

use std::{collections::BTreeMap, time::Duration};

use regex_lite::Regex;

use crate::{
    error::{Error, Result},
    sink::{
        Sink, console::Console, csv::Csv, ganglia::Ganglia, graphite::Graphite, log::Log, statsd::Statsd,
    },
};

/// The keys of a sink or of all of them, without the prefix of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Settings(BTreeMap<String, String>);

/// What is to be reported where.
pub struct Plan {
    /// The sinks with the time between two reports.
    pub sinks: Vec<(Duration, Box<dyn Sink>)>,
    /// Where metrics are served.
    pub paths: Paths,
    /// Keys that have no meaning here, each with the reason.
    pub unused: Vec<Unused>,
}

/// Where metrics are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// As JSON.
    pub json: String,
    /// In the text format of Prometheus.
    pub prometheus: String,
}

/// A key without a meaning here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// The key.
    pub key: String,
    /// Why.
    pub reason: &'static str,
}

/// Where metrics are served when nothing is said.
const JSON_PATH: &str = "/metrics/json";
const PROMETHEUS_PATH: &str = "/metrics/prometheus";

/// The instance that a program is; `*` stands for all.
const INSTANCE: &str = "driver";
/// The other instances of the original.
const OTHERS: &[&str] =
    &["master", "applications", "worker", "executor", "shuffleService", "applicationMaster"];

/// The options of one sink, with the key of each.
pub(crate) struct Options<'a> {
    name: &'a str,
    values: BTreeMap<&'a str, (&'a str, &'a str)>,
}

impl Settings {
    /// Takes in keys and values; later ones win.
    ///
    /// ```
    /// use dstreams_metrics::Settings;
    /// let mut settings = Settings::default();
    /// settings.extend([("*.sink.console.class", "org.apache.spark.metrics.sink.ConsoleSink")]);
    /// settings.extend([("driver.sink.console.period", "20")]);
    /// let plan = settings.plan()?;
    /// assert_eq!(plan.sinks[0].0, std::time::Duration::from_secs(20));
    /// # Ok::<(), dstreams_metrics::Error>(())
    /// ```
    pub fn extend<K: Into<String>, V: Into<String>>(&mut self, pairs: impl IntoIterator<Item = (K, V)>) {
        self.0.extend(pairs.into_iter().map(|(key, value)| (key.into(), value.into())));
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the sinks.
    pub fn plan(&self) -> Result<Plan> {
        let mut unused = Vec::new();
        let mut sinks: BTreeMap<&str, Options<'_>> = BTreeMap::new();
        // The keys of all instances come first, so that those of this one take their place.
        let (general, own): (Vec<_>, Vec<_>) = self.0.iter().partition(|(key, _)| key.starts_with('*'));
        for (key, value) in general.into_iter().chain(own) {
            let unknown = || Error::UnknownKey { key: key.clone() };
            let (instance, rest) = key.split_once('.').ok_or_else(unknown)?;
            if OTHERS.contains(&instance) {
                unused.push(Unused { key: key.clone(), reason: "a program is one process, the driver" });
                continue;
            }
            if instance != "*" && instance != INSTANCE {
                return Err(unknown());
            }
            let (kind, rest) = rest.split_once('.').ok_or_else(unknown)?;
            let (name, option) = rest.split_once('.').ok_or_else(unknown)?;
            match kind {
                "source" => {
                    let reason = "there is no JVM to tell of; the sources of a program are always reported";
                    unused.push(Unused { key: key.clone(), reason });
                }
                "sink" => {
                    let options = sinks.entry(name).or_insert(Options { name, values: BTreeMap::new() });
                    options.values.insert(option, (key.as_str(), value.trim()));
                }
                _ => return Err(unknown()),
            }
        }
        let mut plan = Plan {
            sinks: Vec::new(),
            paths: Paths { json: JSON_PATH.to_owned(), prometheus: PROMETHEUS_PATH.to_owned() },
            unused,
        };
        for options in sinks.values() {
            plan.add(options)?;
        }
        Ok(plan)
    }
}

impl Plan {
    fn add(&mut self, options: &Options<'_>) -> Result<()> {
        // The servlet is there without a class, as in the original.
        let class = match options.values.get("class") {
            Some((_, class)) => class.rsplit('.').next().unwrap_or(class),
            None if options.name == "servlet" => "MetricsServlet",
            None if options.name == "prometheusServlet" => "PrometheusServlet",
            None => return Err(Error::NoClass { sink: format!("*.sink.{}", options.name) }),
        };
        let sink: Box<dyn Sink> = match class {
            "ConsoleSink" => Box::new(Console),
            "CsvSink" => Box::new(Csv::new(options)?),
            "Slf4jSink" | "LogSink" => Box::new(Log),
            "GraphiteSink" => Box::new(Graphite::new(options)?),
            "GangliaSink" => Box::new(Ganglia::new(options)?),
            "StatsdSink" => Box::new(Statsd::new(options)?),
            #[cfg(feature = "otlp")]
            "OtlpSink" => Box::new(crate::sink::otlp::Otlp::new(options)?),
            #[cfg(not(feature = "otlp"))]
            "OtlpSink" => {
                return Err(options.bad("class", "OtlpSink needs a build with the feature `otlp`".to_owned()));
            }
            "MetricsServlet" => {
                self.paths.json = options.path(JSON_PATH)?;
                return Ok(());
            }
            "PrometheusServlet" => {
                self.paths.prometheus = options.path(PROMETHEUS_PATH)?;
                return Ok(());
            }
            "JmxSink" => {
                let (key, _) = options.values["class"];
                self.unused.push(Unused { key: key.to_owned(), reason: "there is no JVM, and so no JMX" });
                return Ok(());
            }
            _ => {
                let (key, class) = options.values["class"];
                return Err(Error::UnknownClass { key: key.to_owned(), class: class.to_owned() });
            }
        };
        self.sinks.push((options.period()?, sink));
        Ok(())
    }
}

impl<'a> Options<'a> {
    /// A value that may be missing.
    pub(crate) fn text(&self, option: &str) -> Option<&'a str> {
        self.values.get(option).map(|(_, value)| *value).filter(|value| !value.is_empty())
    }

    /// A value that must be there.
    pub(crate) fn needed(&self, option: &str) -> Result<&'a str> {
        self.text(option).ok_or_else(|| self.bad(option, "it must be set".to_owned()))
    }

    /// A value of a type that can be read from text.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, option: &str, expected: &str) -> Result<Option<T>> {
        let Some(text) = self.text(option) else { return Ok(None) };
        let parsed = text.parse().map_err(|_| self.bad(option, format!("{text} is not {expected}")))?;
        Ok(Some(parsed))
    }

    /// A regular expression.
    pub(crate) fn regex(&self, option: &str) -> Result<Option<Regex>> {
        let Some(text) = self.text(option) else { return Ok(None) };
        Regex::new(text).map(Some).map_err(|error| self.bad(option, format!("{text}: {error}")))
    }

    /// What is wrong with an option.
    pub(crate) fn bad(&self, option: &str, problem: String) -> Error {
        let key = self.values.get(option).map(|(key, _)| (*key).to_owned());
        Error::BadOption { key: key.unwrap_or_else(|| format!("*.sink.{}.{option}", self.name)), problem }
    }

    fn path(&self, default: &str) -> Result<String> {
        let path = self.text("path").unwrap_or(default);
        if path.starts_with('/') && !path.contains(['{', '}', '*']) {
            Ok(path.to_owned())
        } else {
            Err(self.bad("path", format!("{path} is no path such as {default}")))
        }
    }

    /// The time between two reports: a second at least.
    fn period(&self) -> Result<Duration> {
        let period = self.parsed("period", "a whole number")?.unwrap_or(10_u64);
        let millis = match self.text("unit").unwrap_or("seconds").to_ascii_lowercase().as_str() {
            "milliseconds" => period,
            "seconds" => period.saturating_mul(1000),
            "minutes" => period.saturating_mul(60_000),
            "hours" => period.saturating_mul(3_600_000),
            "days" => period.saturating_mul(86_400_000),
            unit => {
                let problem = format!("{unit} is not milliseconds, seconds, minutes, hours or days");
                return Err(self.bad("unit", problem));
            }
        };
        if millis < 1000 {
            return Err(self.bad("period", "reports are at least a second apart".to_owned()));
        }
        Ok(Duration::from_millis(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(lines: &[(&str, &str)]) -> Result<Plan> {
        let mut settings = Settings::default();
        settings.extend(lines.iter().copied());
        settings.plan()
    }

    fn problem(lines: &[(&str, &str)]) -> String {
        plan(lines).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_file_written_for_the_original_is_understood() {
        let class = |name: &str| format!("org.apache.spark.metrics.sink.{name}");
        let (graphite, servlet, prometheus) =
            (class("GraphiteSink"), class("MetricsServlet"), class("PrometheusServlet"));
        let plan = plan(&[
            ("*.sink.graphite.class", &graphite),
            ("*.sink.graphite.host", "localhost"),
            ("*.sink.graphite.port", "2003"),
            ("*.sink.graphite.period", "1"),
            ("*.sink.graphite.unit", "minutes"),
            ("driver.sink.graphite.period", "2"),
            ("*.sink.servlet.class", &servlet),
            ("*.sink.servlet.path", "/numbers"),
            ("*.sink.prometheusServlet.class", &prometheus),
            ("*.source.jvm.class", "org.apache.spark.metrics.source.JvmSource"),
            ("executor.sink.console.class", "ConsoleSink"),
        ])
        .expect("it is understood");
        assert_eq!(plan.sinks.len(), 1);
        assert_eq!(plan.sinks[0].0, Duration::from_secs(120));
        assert_eq!(plan.paths.json, "/numbers");
        assert_eq!(plan.paths.prometheus, "/metrics/prometheus");
        assert_eq!(plan.unused.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_key() {
        assert!(problem(&[("*.sink.g.class", "GraphiteSink")]).starts_with("*.sink.g.host: it must be set"));
        assert!(
            problem(&[("*.sink.g.class", "NoSink")])
                .starts_with("*.sink.g.class is NoSink, which is no sink here")
        );
        #[cfg(not(feature = "otlp"))]
        assert!(problem(&[("*.sink.o.class", "OtlpSink")]).contains("a build with the feature `otlp`"));
        assert!(problem(&[("*.sink.g.period", "5")]).contains("has no class"));
        assert!(problem(&[("sink.g", "5")]).contains("INSTANCE.sink.NAME.OPTION"));
        let short = [
            ("*.sink.c.class", "ConsoleSink"),
            ("*.sink.c.period", "500"),
            ("*.sink.c.unit", "milliseconds"),
        ];
        assert!(problem(&short).contains("at least a second apart"));
        let regex = [("*.sink.s.class", "StatsdSink"), ("*.sink.s.regex", "(")];
        assert!(problem(&regex).starts_with("*.sink.s.regex: (: "));
    }
}
