// SPDX-License-Identifier: Apache-2.0
//! Why the web UI cannot be served.

use std::{io, net::IpAddr, sync::Arc};

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the web UI cannot be served.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// All ports that may be tried are taken.
    #[error(
        "the web UI finds no free port from {first} to {last} on {address}: set spark.ui.port to another one, to 0 for any, or spark.ui.enabled to false"
    )]
    NoPort {
        /// The address.
        address: IpAddr,
        /// The first port.
        first: u16,
        /// The last one.
        last: u16,
        /// What the system said of the last one.
        #[source]
        cause: Arc<io::Error>,
    },
    /// Others could reach the pages, and nothing would keep them out.
    #[error(
        "the web UI may listen on {address} only with a token: set dstreams.ui.token, or dstreams.ui.address to 127.0.0.1"
    )]
    TokenNeeded {
        /// The address.
        address: IpAddr,
    },
    /// The address is none.
    #[error("dstreams.ui.address is `{text}`, which is no IP address such as 127.0.0.1 or 0.0.0.0")]
    BadAddress {
        /// What was set.
        text: String,
    },
    /// The application cannot be watched.
    #[error(transparent)]
    Monitor(#[from] dstreams_monitor::Error),
    /// The system does not give what it takes.
    #[error("cannot start the web UI: {0}")]
    System(#[source] Arc<io::Error>),
}

impl From<io::Error> for Error {
    fn from(cause: io::Error) -> Self {
        Self::System(Arc::new(cause))
    }
}
