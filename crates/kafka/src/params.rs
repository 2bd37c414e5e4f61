// SPDX-License-Identifier: Apache-2.0
//! `Params`: the properties of a client by their usual names, Java's included, with the secrets kept out of sight.

use std::{collections::BTreeMap, fmt};

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use crate::error::{Error, Result};

/// Properties of a consumer or a producer, such as `bootstrap.servers` and `group.id`: those of librdkafka, and those names of the
/// Java client that mean the same.
///
/// What is secret (passwords, keys, tokens) is not shown by `Debug`, and not in logs, errors and checkpoints.
///
/// ```
/// use dstreams_kafka::Params;
/// let params = Params::new("localhost:9092").group("reports").set("sasl.password", "s3cret");
/// assert_eq!(params.get("group.id"), Some("reports"));
/// assert!(!format!("{params:?}").contains("s3cret"));
/// ```
#[derive(Clone, Default)]
pub struct Params {
    properties: BTreeMap<String, String>,
}

/// What becomes of a property of the Java client.
enum Java {
    /// It has another name here.
    Is(&'static str),
    /// It has no meaning here, for a reason.
    Ignored(&'static str),
    /// It cannot be used, and there is something to do about it.
    Refused(&'static str),
}

const IN_PROGRAM: &str = "records are decoded and encoded in the program";
const NO_STORES: &str = "Java key stores cannot be read: convert it to PEM and set ssl.ca.location, ssl.certificate.location and ssl.key.location";

const JAVA: &[(&str, Java)] = &[
    ("buffer.memory", Java::Ignored("queue.buffering.max.kbytes limits the memory of a producer")),
    ("default.api.timeout.ms", Java::Ignored("dstreams.kafka.requestTimeout says how long requests wait")),
    ("exclude.internal.topics", Java::Ignored("a pattern never matches internal topics")),
    ("fetch.max.wait.ms", Java::Is("fetch.wait.max.ms")),
    ("interceptor.classes", Java::Ignored("there are no Java classes")),
    ("key.deserializer", Java::Ignored(IN_PROGRAM)),
    ("key.serializer", Java::Ignored(IN_PROGRAM)),
    ("max.block.ms", Java::Ignored("a task waits until there is room")),
    ("max.poll.records", Java::Ignored("a batch takes offset ranges")),
    ("max.request.size", Java::Is("message.max.bytes")),
    ("metric.reporters", Java::Ignored("there are no Java classes")),
    ("partition.assignor", Java::Ignored("partitions are assigned by the stream")),
    (
        "partitioner.class",
        Java::Refused("there are no Java classes; set partitioner, or the partition of each record"),
    ),
    ("receive.buffer.bytes", Java::Is("socket.receive.buffer.bytes")),
    ("request.timeout.ms", Java::Is("socket.timeout.ms")),
    ("send.buffer.bytes", Java::Is("socket.send.buffer.bytes")),
    ("ssl.enabled.protocols", Java::Ignored("OpenSSL chooses the protocol")),
    ("ssl.keystore.certificate.chain", Java::Is("ssl.certificate.pem")),
    ("ssl.keystore.key", Java::Is("ssl.key.pem")),
    ("ssl.keystore.type", Java::Ignored("ssl.keystore.location is a PKCS#12 file")),
    ("ssl.protocol", Java::Ignored("OpenSSL chooses the protocol")),
    ("ssl.truststore.certificates", Java::Is("ssl.ca.pem")),
    ("ssl.truststore.location", Java::Refused(NO_STORES)),
    ("ssl.truststore.password", Java::Refused(NO_STORES)),
    ("ssl.truststore.type", Java::Refused(NO_STORES)),
    ("value.deserializer", Java::Ignored(IN_PROGRAM)),
    ("value.serializer", Java::Ignored(IN_PROGRAM)),
];

/// Where a stream starts that has neither a stored position nor a committed one, or whose position is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reset {
    Earliest,
    Latest,
    Fail,
}

impl Params {
    /// The brokers to ask first, as `host:port,host:port`.
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        Self::default().set("bootstrap.servers", bootstrap_servers)
    }

    /// Sets a property; a later value replaces an earlier one.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    /// Sets the group, under which offsets are committed.
    #[must_use]
    pub fn group(self, id: impl Into<String>) -> Self {
        self.set("group.id", id)
    }

    /// Takes a property back.
    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.properties.remove(name);
        self
    }

    /// The value of a property, as it was set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }

    /// What `auto.offset.reset` says; `latest` if it is not set, as in Kafka.
    pub(crate) fn reset(&self) -> Result<Reset> {
        match self.get("auto.offset.reset").unwrap_or("latest") {
            "earliest" | "smallest" | "beginning" => Ok(Reset::Earliest),
            "latest" | "largest" | "end" => Ok(Reset::Latest),
            "none" | "error" => Ok(Reset::Fail),
            _ => Err(property("auto.offset.reset", "it must be earliest, latest or none")),
        }
    }

    /// The configuration of a client, with `forced` over what was set.
    pub(crate) fn client(&self, forced: &[(&str, &str)]) -> Result<ClientConfig> {
        if self.get("bootstrap.servers").is_none() {
            return Err(property("bootstrap.servers", "it is missing: give the brokers to ask first"));
        }
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        // Where to start is decided by the stream; consumers are told where.
        let passed = self.properties.iter().filter(|(name, _)| *name != "auto.offset.reset");
        for (name, value) in passed {
            match JAVA.iter().find(|(java, _)| java == name).map(|(_, meaning)| meaning) {
                None if name == "sasl.jaas.config" => jaas(value, &mut config)?,
                None => drop(config.set(name, value)),
                Some(Java::Is(ours)) => drop(config.set(*ours, value)),
                Some(Java::Ignored(reason)) => tracing::debug!(name, reason, "Kafka property ignored"),
                Some(Java::Refused(advice)) => return Err(property(name, advice)),
            }
        }
        for (name, value) in forced {
            config.set(*name, *value);
        }
        Ok(config)
    }

    /// `text` without the secrets among the values.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let whole =
            self.properties.iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.as_str());
        let options = self.get("sasl.jaas.config").into_iter().flat_map(jaas_options);
        let within = options.filter(|(name, _)| is_secret(name)).map(|(_, value)| value);
        let mut secrets: Vec<&str> = whole.chain(within).filter(|secret| secret.len() > 2).collect();
        // One may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

const HIDDEN: &str = "[hidden]";

/// Whether the value of a property must not be shown.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "password",
        "passphrase",
        "secret",
        "credential",
        "jaas",
        "key.pem",
        "keystore.key",
        "token",
        "oauthbearer.config",
    ]
    .iter()
    .any(|part| name.contains(part))
}

/// The options `name="value"` of a login module.
fn jaas_options(module: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = module;
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once("=\"")?;
        let (value, left) = after.split_once('"')?;
        rest = left;
        Some((before.rsplit(char::is_whitespace).next().unwrap_or(before), value))
    })
}

pub(crate) fn property(name: &str, problem: &str) -> Error {
    Error::Property { name: name.to_owned(), problem: problem.to_owned() }
}

/// Takes user and password from the login module of the Java client.
fn jaas(value: &str, config: &mut ClientConfig) -> Result<()> {
    let option = |name: &str| jaas_options(value).find(|(option, _)| *option == name).map(|(_, value)| value);
    let (Some(user), Some(password)) = (option("username"), option("password")) else {
        return Err(property(
            "sasl.jaas.config",
            "only username and password can be taken from it; set the sasl. properties of librdkafka",
        ));
    };
    config.set("sasl.username", user).set("sasl.password", password);
    Ok(())
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(properties: I) -> Self {
        properties.into_iter().fold(Self::default(), |params, (name, value)| params.set(name, value))
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Params {
    fn from(properties: [(K, V); N]) -> Self {
        properties.into_iter().collect()
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            self.properties.iter().map(|(name, value)| (name, if is_secret(name) { HIDDEN } else { value }));
        f.debug_map().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cret-9c1f";

    #[test]
    fn java_names_are_translated_ignored_or_refused_with_advice() {
        let params = Params::new("b:1")
            .set("fetch.max.wait.ms", "7")
            .set("value.deserializer", "X")
            .set("sasl.jaas.config", format!("org.X required username=\"ann\" password=\"{SECRET}\";"));
        let config = params.client(&[("group.id", "g")]).expect("all of them are known");
        assert_eq!(config.get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(config.get("value.deserializer"), None);
        assert_eq!((config.get("sasl.username"), config.get("sasl.password")), (Some("ann"), Some(SECRET)));
        assert_eq!(config.get("group.id"), Some("g"));
        let refused = Params::new("b:1").set("ssl.truststore.location", "/x.jks").client(&[]);
        assert!(refused.expect_err("a Java key store").to_string().contains("ssl.ca.location"));
        assert!(Params::default().client(&[]).is_err());
    }

    #[test]
    fn secrets_are_neither_shown_nor_left_in_texts() {
        let mut params = Params::new("b:1");
        for name in [
            "sasl.password",
            "ssl.key.password",
            "ssl.key.pem",
            "sasl.jaas.config",
            "sasl.oauthbearer.client.secret",
        ] {
            params = params.set(name, SECRET);
        }
        assert!(!format!("{params:?}").contains(SECRET));
        assert_eq!(params.scrub(&format!("refused {SECRET} for b:1")), "refused [hidden] for b:1");
    }

    #[test]
    fn the_password_of_a_login_module_is_left_in_no_text() {
        let module =
            format!("org.X required username=\"ann\" password=\"{SECRET}\" clientSecret=\"{SECRET}-2\";");
        let params = Params::new("b:1").set("sasl.jaas.config", module);
        assert_eq!(params.scrub(&format!("ann: {SECRET}-2, {SECRET}")), "ann: [hidden], [hidden]");
    }

    #[test]
    fn values_of_auto_offset_reset() {
        let reset = |value| Params::new("b:1").set("auto.offset.reset", value).reset();
        assert_eq!(reset("earliest").ok(), Some(Reset::Earliest));
        assert_eq!(reset("none").ok(), Some(Reset::Fail));
        assert!(reset("soon").is_err());
        assert_eq!(Params::new("b:1").reset().ok(), Some(Reset::Latest));
    }
}
