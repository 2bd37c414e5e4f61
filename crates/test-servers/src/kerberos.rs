// SPDX-License-Identifier: Apache-2.0
//! A private Kerberos: a key distribution centre of MIT's, with its own realm and configuration.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    ports::{free_port, until_listening},
    start::{StartError, complete, or_skip},
};

const REALM: &str = "DSTREAMS.TEST";

/// Programs of the system are not in everybody's path.
const SYSTEM: &str = "/usr/sbin";

/// A key distribution centre.
pub struct Kdc {
    directory: TempDir,
    process: Option<Child>,
}

impl Kdc {
    /// A server for a test; none where it is not installed, which is said in one line. With `CI` set that is a failure.
    ///
    /// # Panics
    ///
    /// When the server does not start, and when there is none with `CI` set.
    pub fn start_or_skip(test: &str) -> Option<Self> {
        or_skip(test, Self::start())
    }

    fn start() -> Result<Self, StartError> {
        for (program, package) in [
            ("krb5kdc", "krb5-kdc"),
            ("kadmin.local", "krb5-kdc and krb5-admin-server"),
            ("kinit", "krb5-user"),
        ] {
            find(program).ok_or_else(|| {
                StartError::NotInstalled(format!("{program} is not installed (Debian package {package})"))
            })?;
        }
        let directory = tempfile::Builder::new().prefix("kdc").tempdir()?;
        let (root, port) = (directory.path().display(), free_port()?);
        let client = format!(
            "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n rdns = false\n \
             dns_canonicalize_hostname = false\n[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
        );
        let server = format!(
            "[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n[realms]\n {REALM} = {{\n  \
             database_name = {root}/principal\n  key_stash_file = {root}/stash\n  acl_file = {root}/acl\n }}\n\
             [logging]\n kdc = FILE:{root}/kdc.log\n"
        );
        fs::write(directory.path().join("krb5.conf"), client)?;
        fs::write(directory.path().join("kdc.conf"), server)?;
        let mut kdc = Self { directory, process: None };
        complete(kdc.command("kdb5_util").args(["create", "-s", "-r", REALM, "-P", "of-no-use"]))?;
        let mut server = kdc.command("krb5kdc");
        server.arg("-n").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        kdc.process = Some(server.spawn()?);
        until_listening(port)?;
        Ok(kdc)
    }

    /// Adds a principal with a key that nobody knows but the file. Gives its whole name.
    pub fn add_principal(&self, name: &str, keytab: &Path) -> io::Result<String> {
        let name = format!("{name}@{REALM}");
        for query in [format!("addprinc -randkey {name}"), format!("ktadd -k {} {name}", keytab.display())] {
            complete(self.command("kadmin.local").args(["-r", REALM, "-q", &query]))?;
        }
        Ok(name)
    }

    /// The configuration of clients.
    pub fn configuration(&self) -> PathBuf {
        self.directory.path().join("krb5.conf")
    }

    /// What clients have to have in their environment; tickets go to a file of this server.
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [("KRB5_CONFIG", self.configuration()), ("KRB5CCNAME", self.directory.path().join("tickets"))]
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(find(program).unwrap_or_else(|| program.into()));
        command.current_dir(self.directory.path()).envs(self.environment());
        command.env("KRB5_KDC_PROFILE", self.directory.path().join("kdc.conf"));
        command
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended already.
            let _killed = process.kill();
            let _waited = process.wait();
        }
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain([SYSTEM.into()]);
    directories.map(|directory| directory.join(program)).find(|path| path.is_file())
}
