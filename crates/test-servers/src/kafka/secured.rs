// SPDX-License-Identifier: Apache-2.0
//! A broker that asks clients who they are: by certificate, by password over TLS, and by Kerberos.

use std::{ops::Deref, path::Path};

use super::{
    Certificates, Kafka,
    settings::{Extra, Listener},
};
use crate::{
    kerberos::Kdc,
    ports::free_port,
    start::{StartError, or_skip},
};

const TLS: &str = "TLS";
const SASL_TLS: &str = "SASLTLS";
const KERBEROS: &str = "KERBEROS";

/// A broker that has, beside the listeners of each, one for certificates of clients, one for passwords over TLS, and one
/// for tickets of a [`Kdc`], if it was started with one.
pub struct SecuredKafka {
    kafka: Kafka,
    certificates: Certificates,
}

impl SecuredKafka {
    /// A user whose password is kept as SCRAM does, with both hashes.
    pub const SCRAM_USER: &str = "bob";

    /// The password of [`SCRAM_USER`](Self::SCRAM_USER).
    pub const SCRAM_PASSWORD: &str = "scram-password-b41c";

    /// A broker for a test; none where it takes something that is not installed, which is said in one line. With `CI` set
    /// that is a failure.
    ///
    /// # Panics
    ///
    /// When the broker does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str, kdc: Option<&Kdc>) -> Option<Self> {
        or_skip(test, Self::start(kdc))
    }

    fn start(kdc: Option<&Kdc>) -> Result<Self, StartError> {
        let temporary = tempfile::Builder::new().prefix("kafka").tempdir()?;
        let certificates = Certificates::make(&temporary.path().join("certificates"))?;
        let mut extra = with_tls(&certificates)?;
        if let Some(kdc) = kdc {
            add_kerberos(&mut extra, kdc, temporary.path())?;
        }
        let mut kafka = Kafka::new(temporary.path().to_owned(), extra)?;
        kafka.temporary = Some(temporary);
        kafka.launch("")?;
        Ok(Self { kafka, certificates })
    }

    /// Its certificates, and those of a client.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Where clients need a certificate (`SSL`).
    pub fn tls_address(&self) -> String {
        self.address_of(TLS)
    }

    /// Where clients need a password, over TLS (`SASL_SSL`): with PLAIN that of [`Kafka::SASL_USER`], with SCRAM that of
    /// [`SCRAM_USER`](Self::SCRAM_USER).
    pub fn sasl_tls_address(&self) -> String {
        self.address_of(SASL_TLS)
    }

    /// Where clients need a ticket (`SASL_PLAINTEXT`).
    pub fn kerberos_address(&self) -> String {
        self.address_of(KERBEROS)
    }

    fn address_of(&self, name: &str) -> String {
        let listener = self.kafka.extra.listeners.iter().find(|listener| listener.name == name);
        listener.map(|listener| format!("127.0.0.1:{}", listener.port)).unwrap_or_default()
    }
}

impl Deref for SecuredKafka {
    type Target = Kafka;

    fn deref(&self) -> &Kafka {
        &self.kafka
    }
}

fn with_tls(certificates: &Certificates) -> Result<Extra, StartError> {
    let (user, password) = (SecuredKafka::SCRAM_USER, SecuredKafka::SCRAM_PASSWORD);
    let (plain_user, plain_password) = (Kafka::SASL_USER, Kafka::SASL_PASSWORD);
    let module = "org.apache.kafka.common.security";
    let mut properties = vec![format!(
        "ssl.keystore.type=PEM\nssl.keystore.location={}\nssl.truststore.type=PEM\nssl.truststore.location={}\n\
         listener.name.tls.ssl.client.auth=required\n\
         listener.name.sasltls.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
         listener.name.sasltls.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{plain_user}=\"{plain_password}\";",
        certificates.server().display(),
        certificates.authority().display()
    )];
    let scram = |mechanism| {
        format!(
            "listener.name.sasltls.{mechanism}.sasl.jaas.config={module}.scram.ScramLoginModule required;"
        )
    };
    properties.extend(["scram-sha-256", "scram-sha-512"].map(scram));
    let scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"]
        .map(|mechanism| format!("{mechanism}=[name={user},password={password}]"));
    let listener = |name, protocol| Ok::<_, StartError>(Listener { name, protocol, port: free_port()? });
    let listeners = vec![listener(TLS, "SSL")?, listener(SASL_TLS, "SASL_SSL")?];
    Ok(Extra { listeners, properties, machine: Vec::new(), scram: scram.to_vec() })
}

fn add_kerberos(extra: &mut Extra, kdc: &Kdc, directory: &Path) -> Result<(), StartError> {
    let keytab = directory.join("broker.keytab");
    let principal = kdc.add_principal("kafka/127.0.0.1", &keytab)?;
    extra.listeners.push(Listener { name: KERBEROS, protocol: "SASL_PLAINTEXT", port: free_port()? });
    extra.properties.push(format!(
        "listener.name.kerberos.sasl.enabled.mechanisms=GSSAPI\n\
         listener.name.kerberos.sasl.kerberos.service.name=kafka\n\
         listener.name.kerberos.gssapi.sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required \
         useKeyTab=true storeKey=true keyTab=\"{}\" principal=\"{principal}\";",
        keytab.display()
    ));
    extra.machine.push(format!("-Djava.security.krb5.conf={}", kdc.configuration().display()));
    Ok(())
}
