// SPDX-License-Identifier: Apache-2.0
//! The configuration of the broker: small, quick to start, and quick to do what takes a production broker minutes.

use std::{
    env, fs, io,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Command,
};

use super::Kafka;

/// The name of the configuration file in the directory of the broker.
pub(super) const FILE: &str = "server.properties";

/// Any id will do: there is one node.
pub(super) const CLUSTER: &str = "ZHN0cmVhbXMtdGVzdC0wMQ";

/// Compaction and retention look often; nothing waits for more replicas than there are.
const PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
inter.broker.listener.name=PLAIN
controller.listener.names=CONTROLLER
log.dirs=data
sasl.enabled.mechanisms=PLAIN
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.topic.segment.bytes=4194304
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
background.threads=2
log.index.size.max.bytes=1048576
log.initial.task.delay.ms=100
log.retention.check.interval.ms=200
log.segment.delete.delay.ms=100
log.cleaner.backoff.ms=100
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.io.buffer.size=262144
";

/// Warnings and the line that says that the server is ready.
const LOG: &str = "\
status=error
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%p %c{1} %m%n
logger.ready.name=kafka.server.KafkaRaftServer
logger.ready.level=info
";

const LOG_FILE: &str = "log4j2.properties";

/// The ports of the broker, all on the loopback interface.
pub(super) struct Ports {
    pub(super) plain: u16,
    pub(super) sasl: u16,
    controller: u16,
}

impl Ports {
    /// Ports that are free now. They are held together, so that they differ.
    pub(super) fn free() -> io::Result<Self> {
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let held = [free()?, free()?, free()?];
        let mut ports = [0; 3];
        for (port, listener) in ports.iter_mut().zip(&held) {
            *port = listener.local_addr()?.port();
        }
        let [plain, sasl, controller] = ports;
        Ok(Self { plain, sasl, controller })
    }

    /// As `free`, but clients connect to `plain`.
    pub(super) fn with_plain(plain: u16) -> io::Result<Self> {
        Ok(Self { plain, ..Self::free()? })
    }
}

/// What a broker has beside the listeners that each has.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) listeners: Vec<Listener>,
    /// Lines of its configuration.
    pub(super) properties: Vec<String>,
    /// Arguments of its virtual machine.
    pub(super) machine: Vec<String>,
    /// Users, as the tool that formats its directory takes them.
    pub(super) scram: Vec<String>,
}

/// A port for clients.
pub(super) struct Listener {
    pub(super) name: &'static str,
    pub(super) protocol: &'static str,
    pub(super) port: u16,
}

/// When a topic comes to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Topics {
    /// When somebody creates it.
    OnPurpose,
    /// When somebody writes to it or asks for it.
    WhenUsed,
}

/// Writes the configuration to the directory of the broker.
pub(super) fn write(directory: &Path, ports: &Ports, topics: Topics, extra: &Extra) -> io::Result<()> {
    let Ports { plain, sasl, controller } = ports;
    let (user, password) = (Kafka::SASL_USER, Kafka::SASL_PASSWORD);
    let mut clients = vec![format!("PLAIN://127.0.0.1:{plain}"), format!("SASL://127.0.0.1:{sasl}")];
    let mut protocols = vec!["PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()];
    for Listener { name, protocol, port } in &extra.listeners {
        clients.push(format!("{name}://127.0.0.1:{port}"));
        protocols.push(format!("{name}:{protocol}"));
    }
    let (clients, protocols) = (clients.join(","), protocols.join(","));
    let text = format!(
        "{PROPERTIES}{}\n\
         listener.security.protocol.map={protocols}\n\
         listeners={clients},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners={clients}\n\
         auto.create.topics.enable={}\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}=\"{password}\";\n",
        extra.properties.join("\n"),
        topics == Topics::WhenUsed
    );
    fs::write(directory.join(FILE), text)?;
    fs::write(directory.join(LOG_FILE), LOG)
}

/// A virtual machine with a bounded heap that starts quickly.
pub(super) fn java(directory: &Path, classpath: &str, class: &str, arguments: &[&str]) -> Command {
    let program = env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let program = program.filter(|program| program.is_file()).unwrap_or_else(|| "java".into());
    let mut command = Command::new(program);
    command.current_dir(directory);
    command.args(["-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:MaxDirectMemorySize=128m"]);
    command.arg(format!("-Dlog4j2.configurationFile={LOG_FILE}"));
    command.args(["-cp", classpath, class]).args(arguments);
    command
}
