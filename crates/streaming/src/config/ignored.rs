// SPDX-License-Identifier: Apache-2.0
//! Spark's keys that have no meaning here, each with the reason. They are accepted with a warning, so that
//! a properties file written for Spark carries over.

/// Why `key` has no meaning, when it is one of these.
pub(super) fn reason(key: &str) -> Option<&'static str> {
    let matches =
        |name: &str| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    IGNORED
        .iter()
        .filter(|(name, _)| matches(name))
        .max_by_key(|(name, _)| name.len())
        .map(|(_, reason)| *reason)
}

const ALLOCATION: &str = "executors are not requested with these keys; there are those that were started, or those of spark.streaming.dynamicAllocation";
const CLUSTER_SECURITY: &str =
    "Kerberos, access lists and Spark's own encryption are not used between processes here";
const JVM_CLASS: &str = "it names a JVM class; the choice is made in the program";
const LOCALITY: &str =
    "a task is placed where its data and state are; there is no wait for a better place to trade off";
const PROCESS_SIZE: &str =
    "there is no JVM whose heap or options are to be set; memory is bounded by dstreams.memory.budget";
const RPC: &str =
    "there are no Spark RPC end points; processes of a cluster take their addresses on the command line";
const SHIPPING: &str = "the program is one binary; no archives, modules or classes are shipped beside it";
const SQL: &str = "there is no Spark SQL session behind a stream";
const TESTS_ONLY: &str = "the clock is chosen in code: tests use ManualClock";
const WHOLE_PLATFORM: &str =
    "Spark's integration with this cluster manager does not exist here; the platform runs the binary";

/// A name stands for the key itself and for all keys below it.
pub(super) const IGNORED: &[(&str, &str)] = &[
    ("spark.acls", CLUSTER_SECURITY),
    ("spark.admin.acls", CLUSTER_SECURITY),
    ("spark.archives", SHIPPING),
    ("spark.authenticate", CLUSTER_SECURITY),
    ("spark.barrier", "there are no barrier stages"),
    ("spark.blockManager", RPC),
    ("spark.broadcast", "a closure owns what it uses; nothing is broadcast"),
    ("spark.checkpoint.compress", "what is written to disk follows spark.rdd.compress"),
    ("spark.checkpoint.dir", "use spark.streaming.checkpoint.directory"),
    ("spark.cleaner", "data is freed when its last owner is dropped; there is no cleaner to tune"),
    ("spark.cores.max", ALLOCATION),
    ("spark.decommission", ALLOCATION),
    ("spark.deploy", WHOLE_PLATFORM),
    ("spark.driver", PROCESS_SIZE),
    ("spark.driver.bindAddress", RPC),
    ("spark.driver.host", RPC),
    ("spark.driver.port", RPC),
    ("spark.dynamicAllocation", ALLOCATION),
    (
        "spark.eventLog",
        "the event log is lines of JSON in files of bounded size; there is nothing more to set",
    ),
    ("spark.excludeOnFailure", "what becomes of an executor that fails is up to the engine of the cluster"),
    ("spark.executor", PROCESS_SIZE),
    ("spark.executorEnv", "a process has the environment it was started with"),
    ("spark.extraListeners", JVM_CLASS),
    ("spark.files", SHIPPING),
    ("spark.hadoop", "there is no Hadoop library; storage is addressed by URL and takes its own options"),
    ("spark.history", "`dstreams history DIR` takes its settings on the command line"),
    ("spark.io.compression", "what is compressed is always compressed with LZ4"),
    ("spark.io.encryption", CLUSTER_SECURITY),
    ("spark.jars", SHIPPING),
    ("spark.kerberos", CLUSTER_SECURITY),
    ("spark.kryo", "records are serialized with serde; Kryo is a JVM library"),
    ("spark.kryoserializer", "records are serialized with serde; Kryo is a JVM library"),
    ("spark.kubernetes", WHOLE_PLATFORM),
    ("spark.locality.wait", LOCALITY),
    ("spark.logConf", "a program prints its configuration with Config::explain"),
    ("spark.memory", PROCESS_SIZE),
    ("spark.mesos", WHOLE_PLATFORM),
    ("spark.metrics", "there are no sources of metrics to switch on or off"),
    ("spark.modify.acls", CLUSTER_SECURITY),
    ("spark.network", RPC),
    ("spark.plugins", JVM_CLASS),
    ("spark.port", RPC),
    ("spark.pyspark", SHIPPING),
    ("spark.python", SHIPPING),
    ("spark.rdd.parallelListingThreshold", "input directories are listed by one thread"),
    (
        "spark.redaction",
        "values of keys that contain password, secret, token or access key are always masked",
    ),
    (
        "spark.reducer",
        "shuffles have no fetch limits of their own; memory is bounded by dstreams.memory.budget",
    ),
    ("spark.resources", ALLOCATION),
    ("spark.rpc", RPC),
    ("spark.scheduler", "the jobs of a batch run in order, or as spark.streaming.concurrentJobs allows"),
    ("spark.serializer", "records are serialized with serde; there is no serializer to choose"),
    ("spark.shuffle", "shuffles have no settings of their own; memory is bounded by dstreams.memory.budget"),
    ("spark.speculation", "a slow task is not run twice; a batch is the unit of retry"),
    ("spark.sql", SQL),
    ("spark.ssl", CLUSTER_SECURITY),
    ("spark.stage.ignoreDecommissionFetchFailure", ALLOCATION),
    ("spark.storage", PROCESS_SIZE),
    ("spark.streaming.clock", TESTS_ONLY),
    ("spark.streaming.driver.writeAheadLog.class", JVM_CLASS),
    ("spark.streaming.dynamicAllocation.testing", "it exists for Spark's own tests"),
    (
        "spark.streaming.kafka.allowNonConsecutiveOffsets",
        "gaps between offsets, as in compacted topics, are always read right",
    ),
    ("spark.streaming.kafka.consumer.cache.initialCapacity", "it sizes a JVM hash map"),
    ("spark.streaming.kafka.consumer.cache.loadFactor", "it sizes a JVM hash map"),
    ("spark.streaming.manualClock.jump", TESTS_ONLY),
    (
        "spark.streaming.receiver.blockStoreTimeout",
        "a receiver waits until there is room for a block; it is paused, not failed",
    ),
    ("spark.streaming.receiver.writeAheadLog.class", JVM_CLASS),
    ("spark.streaming.sessionByKey", "state is updated in place; there are no chains of changes to merge"),
    ("spark.streaming.unpersist", "datasets and received blocks are freed when no batch needs them any more"),
    ("spark.submit", WHOLE_PLATFORM),
    ("spark.task.cpus", "a task has one thread; there is nothing to reserve for it"),
    ("spark.task.reaper", "a task ends at its next chunk of records; none is killed"),
    ("spark.task.resource", ALLOCATION),
    ("spark.ui", "the other settings of Spark's UI concern its servlets, tables and SQL pages"),
    ("spark.worker", WHOLE_PLATFORM),
    ("spark.yarn", WHOLE_PLATFORM),
];
