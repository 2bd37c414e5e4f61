// SPDX-License-Identifier: Apache-2.0
//! A private server of Azure Blob Storage: Azurite, Microsoft's emulator of it, a program for Node.js.

use std::{ops::Deref, process::Command};

use crate::{
    object_server::ObjectServer,
    packages::node,
    start::{StartError, or_skip},
};

/// What is installed. Versions after it ask for a newer Node.js than Debian has.
const PACKAGES: [&str; 1] = ["azurite@3.35.0"];
const NAME: &str = "azurite-3.35";

/// It ends when the process that has started it is gone, and with that the other end of its input.
const PROGRAM: &str = "
process.stdin.on('end', () => process.exit()).resume();
console.log = console.error;
require('azurite/dist/src/blob/main.js');
";

/// The rest of its command line, which begins with a name for the program.
const ARGUMENTS: [&str; 8] = [
    "azurite",
    "--blobHost",
    "127.0.0.1",
    "--blobPort",
    "0",
    "--inMemoryPersistence",
    "--silent",
    "--disableTelemetry",
];

/// What the server says when it can be used; the address follows.
const READY: &str = "successfully listens on http://";

/// The key of the account, which every Azurite has; it is no secret.
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The request that makes the container. Its signature with the key is HMAC-SHA256 of
/// `devstoreaccount1\nc\nb\nc\n\n2099-01-01\n\n\n2018-11-09\n`.
const CONTAINER: &str = "/devstoreaccount1/container?restype=container&sv=2018-11-09&ss=b&srt=c&sp=c&se=2099-01-01\
    &sig=yMkpXC%2BHGFaPR%2BvhMoBrGotz%2FtXUda5Qn05h3jOd%2BVc%3D";

/// A server with one container. Whoever asks must have the key.
pub struct Azurite(ObjectServer);

impl Azurite {
    /// The account of the server.
    pub const ACCOUNT: &str = "devstoreaccount1";
    /// A shared access signature for the container, which may be used in place of the key until 2099. Its signature is
    /// HMAC-SHA256 of `racwdl\n\n2099-01-01\n/blob/devstoreaccount1/container\n\n\n\n2018-11-09\nc\n\n\n\n\n\n`.
    pub const SAS: &str = "sp=racwdl&se=2099-01-01&sv=2018-11-09&sr=c\
        &sig=Ug%2BsQNqSAA0icN0eEizUbluwgTqHA0e9PI0OaJAfffE%3D";

    /// Starts a server, installing it first if it must.
    pub fn start() -> Result<Self, StartError> {
        let mut command = Command::new("node");
        command.args(["-e", PROGRAM]).args(ARGUMENTS).env("NODE_PATH", node(NAME, &PACKAGES)?);
        let mut server = ObjectServer::start(&mut command, READY)?;
        server.make_bucket(CONTAINER)?;
        "az://container".clone_into(&mut server.root);
        server.settings = vec![
            ("dstreams.objectStore.endpoint", format!("http://{}/{}", server.address, Self::ACCOUNT)),
            ("dstreams.objectStore.allowHttp", "true".to_owned()),
            ("dstreams.objectStore.accountName", Self::ACCOUNT.to_owned()),
            ("dstreams.objectStore.accountKey", KEY.to_owned()),
        ];
        Ok(Self(server))
    }

    /// A server for a test; none where it cannot be installed, which is said in one line. With `CI` set that is a failure.
    ///
    /// # Panics
    ///
    /// When the server does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }
}

impl Deref for Azurite {
    type Target = ObjectServer;

    fn deref(&self) -> &ObjectServer {
        &self.0
    }
}
