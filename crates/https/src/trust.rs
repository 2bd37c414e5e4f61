// SPDX-License-Identifier: Apache-2.0
//! Who may vouch for the other side of a connection.

use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// What the system trusts, or what the environment names in its place. It is read once.
pub(crate) fn of_the_system() -> TlsConfig {
    static READ: OnceLock<TlsConfig> = OnceLock::new();
    let read = || {
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors {
            tracing::warn!(%error, "a certificate of the system is not used");
        }
        let roots: Vec<_> = found.certs.iter().map(|found| Certificate::from_der(found).to_owned()).collect();
        trusting(&roots)
    };
    READ.get_or_init(read).clone()
}

/// For addresses without TLS. A server there may send on to one with TLS, which has to fail and not to panic for want of a
/// configuration.
pub(crate) fn nobody() -> TlsConfig {
    trusting(&[])
}

fn trusting(roots: &[Certificate<'static>]) -> TlsConfig {
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(roots))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build()
}
