// SPDX-License-Identifier: Apache-2.0
//! Certificates of a broker and its clients, made by `openssl`: an authority, a server, a client, and an authority that nobody knows.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::start::{StartError, complete, find_in_path};

/// Files with certificates and keys, as PEM, in a directory of the caller.
pub struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// What the key of the client is encrypted with.
    pub const KEY_PASSWORD: &str = "key-password-3e90";

    /// Makes them.
    pub fn make(directory: &Path) -> Result<Self, StartError> {
        find_in_path("openssl", "openssl")?;
        fs::create_dir_all(directory)?;
        let made = Self { directory: directory.to_owned() };
        for authority in ["ca", "other-ca"] {
            made.openssl(&format!(
                "-nodes -subj /CN={authority} -keyout {authority}.key -out {authority}.pem"
            ))?;
        }
        let by_ca = "-CA ca.pem -CAkey ca.key";
        made.openssl(&format!(
            "-nodes -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost {by_ca} -keyout server.key -out server.crt"
        ))?;
        made.openssl(&format!(
            "-passout pass:{} -subj /CN=client {by_ca} -keyout client.key -out client.pem",
            Self::KEY_PASSWORD
        ))?;
        // Servers written in Java take both from one file.
        let both = [fs::read(made.path("server.key"))?, fs::read(made.path("server.crt"))?];
        fs::write(made.path("server.pem"), both.concat())?;
        Ok(made)
    }

    /// The authority of server and client.
    pub fn authority(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// One that has nothing to do with them.
    pub fn other_authority(&self) -> PathBuf {
        self.path("other-ca.pem")
    }

    /// Key and certificate of a server at 127.0.0.1.
    pub fn server(&self) -> PathBuf {
        self.path("server.pem")
    }

    /// The certificate of a client.
    pub fn client(&self) -> PathBuf {
        self.path("client.pem")
    }

    /// Its key, encrypted with [`KEY_PASSWORD`](Self::KEY_PASSWORD).
    pub fn client_key(&self) -> PathBuf {
        self.path("client.key")
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    fn openssl(&self, arguments: &str) -> io::Result<()> {
        let mut command = Command::new("openssl");
        command.current_dir(&self.directory).args(["req", "-x509", "-days", "2", "-newkey", "ec"]);
        command.args(["-pkeyopt", "ec_paramgen_curve:prime256v1"]).args(arguments.split(' '));
        complete(&mut command)
    }
}
