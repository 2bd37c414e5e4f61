// SPDX-License-Identifier: Apache-2.0
//! Where the programs of the broker are: fetched once by Maven, then found again.

use std::{
    env, fs,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::start::{StartError, complete};

const VERSION: &str = "4.1.1";

const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dstreams</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>KAFKA</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
"#;

/// The class path of the broker. The first call on a machine fetches it; others, in whatever process, wait for that.
pub(super) fn classpath() -> Result<String, StartError> {
    if !runs("java", "-version") {
        let advice = "there is no Apache Kafka on this machine: java is not in the path (Debian: default-jre-headless)";
        return Err(StartError::NotInstalled(advice.to_owned()));
    }
    let directory = cache()?.join(format!("kafka-{VERSION}"));
    fs::create_dir_all(&directory)?;
    let lock = File::create(directory.join("lock"))?;
    lock.lock()?;
    let found = directory.join("classpath");
    if let Some(classpath) = complete_classpath(&found) {
        return Ok(classpath);
    }
    if !runs("mvn", "--version") {
        let advice = "there is no Apache Kafka on this machine: mvn, which fetches its programs, is not in the path (Debian: maven)";
        return Err(StartError::NotInstalled(advice.to_owned()));
    }
    fs::write(directory.join("pom.xml"), POM.replace("KAFKA", VERSION))?;
    let mut maven = Command::new("mvn");
    maven.current_dir(&directory).args(["--batch-mode", "--quiet", "dependency:build-classpath"]);
    complete(maven.arg(format!("-Dmdep.outputFile={}", found.display())))?;
    complete_classpath(&found)
        .ok_or_else(|| io::Error::other("Maven has left no class path of files that exist").into())
}

fn complete_classpath(file: &Path) -> Option<String> {
    let classpath = fs::read_to_string(file).ok()?.trim().to_owned();
    let exist = !classpath.is_empty() && classpath.split(':').all(|jar| Path::new(jar).is_file());
    exist.then_some(classpath)
}

fn cache() -> io::Result<PathBuf> {
    let set = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = set.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    cache
        .map(|cache| cache.join("dstreams"))
        .ok_or_else(|| io::Error::other("HOME is not set, below which programs are kept"))
}

fn runs(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
