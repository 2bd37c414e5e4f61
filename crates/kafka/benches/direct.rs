// SPDX-License-Identifier: Apache-2.0
//! The direct stream against loops over the client library, in one run on the same topic: records per second of each,
//! and the ratio. `cargo bench -p dstreams-kafka [-- RECORDS]`
#![allow(unsafe_code, reason = "the fastest loop over the client library has no safe interface")]

use std::{env, process::Command, ptr, sync::Arc, time::Duration};

use dstreams_kafka::{Consumer, Params, direct_stream};
use dstreams_rdd::BoxError;
use dstreams_streaming::{
    Config,
    clock::{Clock as _, SystemClock},
    testing::TestContext,
    time::seconds,
};
use dstreams_test_servers::Kafka;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};
use rdkafka_sys as sys;

const TOPIC: &str = "bench";
const PARTITIONS: i32 = 4;
const VALUE: usize = 100;
const ROUNDS: usize = 5;

/// What a process is told that only catches up, so that its memory can be measured.
const CATCH_UP: &str = "--catch-up";

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == CATCH_UP) {
        let records = arguments[at + 2].parse()?;
        assert_eq!(direct(&arguments[at + 1], records, 1)?, records);
        return say_memory(records);
    }
    let records = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(2_000_000);
    let Some(kafka) = Kafka::start_or_skip("the benchmark") else { return Ok(()) };
    fill(&kafka.address(), records)?;
    println!("{records} records of {VALUE} bytes in {PARTITIONS} partitions, median of {ROUNDS} rounds");
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        // In turns, so that whatever else the machine does touches all of them.
        let loops: [&dyn Fn() -> Result<usize, BoxError>; 3] =
            [&|| direct(&kafka.address(), records, 8), &|| poll(&kafka.address(), records), &|| {
                batch_queue(&kafka.address(), records)
            }];
        for (rates, run) in rates.iter_mut().zip(loops) {
            let begun = SystemClock.now();
            assert_eq!(run()?, records);
            let took = (SystemClock.now() - begun).as_secs_f64();
            rates.push(records as f64 / took);
        }
    }
    let [direct, poll, batch] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    });
    println!("direct stream, count per batch      {:.2} M records/s", direct / 1e6);
    println!(
        "loop over poll                      {:.2} M records/s   ratio {:.2}",
        poll / 1e6,
        direct / poll
    );
    println!(
        "loop over consume_batch_queue       {:.2} M records/s   ratio {:.2}",
        batch / 1e6,
        direct / batch
    );
    fill(&kafka.address(), CAUGHT_UP.saturating_sub(records))?;
    let caught_up = CAUGHT_UP.max(records).to_string();
    let status = Command::new(env::current_exe()?).args([CATCH_UP, &kafka.address(), &caught_up]).status()?;
    if status.success() { Ok(()) } else { Err("the process that catches up has failed".into()) }
}

/// How many records a stream catches up with, in one batch.
const CAUGHT_UP: usize = 5_000_000;

fn say_memory(records: usize) -> Result<(), BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    let kbytes: u64 = peak.trim().trim_end_matches(" kB").parse()?;
    println!("catching up on {records} records takes up to {} MB of memory", kbytes / 1024);
    if kbytes < 300 << 10 { Ok(()) } else { Err("300 MB are allowed".into()) }
}

fn fill(address: &str, records: usize) -> Result<(), BoxError> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("linger.ms", "20").set("batch.size", "500000");
    let admin: rdkafka::admin::AdminClient<_> = config.create()?;
    let topic = rdkafka::admin::NewTopic::new(TOPIC, PARTITIONS, rdkafka::admin::TopicReplication::Fixed(1));
    // The second time it is there already.
    futures_executor::block_on(admin.create_topics([&topic], &rdkafka::admin::AdminOptions::new()))?;
    let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
    let value = [b'x'; VALUE];
    for number in 0..records {
        let partition = i32::try_from(number % 4)?;
        let mut record = BaseRecord::<(), _>::to(TOPIC).partition(partition).payload(&value[..]);
        while let Err((_, full)) = producer.send(record) {
            record = full;
            producer.flush(Duration::from_secs(1)).ok();
        }
    }
    Ok(producer.flush(Duration::from_secs(60))?)
}

/// Batches of equal parts of the records, each counted.
fn direct(address: &str, records: usize, batches: usize) -> Result<usize, BoxError> {
    let mut config = Config::new();
    config.set("dstreams.kafka.maxRecordsPerBatch", &records.div_ceil(batches).to_string())?;
    let test = TestContext::with(config, seconds(1))?;
    let params = Params::new(address).set("auto.offset.reset", "earliest");
    let counts = test.collect(&direct_stream(test.context(), Consumer::subscribe([TOPIC]), params)?.count());
    test.run(batches)?;
    Ok(usize::try_from(counts.batches().concat().iter().sum::<u64>())?)
}

fn consumer(address: &str) -> Result<BaseConsumer, BoxError> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("group.id", "bench").set("enable.auto.commit", "false");
    // As the stream has it: with the library's own settings a full queue is left alone for a second, and the loops are
    // several times slower.
    config.set("fetch.queue.backoff.ms", "5").set("queued.min.messages", "32768");
    let consumer: BaseConsumer = config.create()?;
    Ok(consumer)
}

fn assign(consumer: &BaseConsumer) -> Result<(), BoxError> {
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(TOPIC, partition, Offset::Beginning)?;
    }
    Ok(consumer.assign(&list)?)
}

fn poll(address: &str, records: usize) -> Result<usize, BoxError> {
    let consumer = consumer(address)?;
    assign(&consumer)?;
    let (mut count, mut bytes) = (0, 0);
    while count < records {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            bytes += message?.payload().map_or(0, <[u8]>::len);
            count += 1;
        }
    }
    assert_eq!(bytes, records * VALUE);
    Ok(count)
}

/// Two threads with two partitions each, as many as the stream has.
fn batch_queue(address: &str, records: usize) -> Result<usize, BoxError> {
    let consumer = Arc::new(consumer(address)?);
    let topic = std::ffi::CString::new(TOPIC)?;
    let queues: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            // SAFETY: the client is alive and the topic a C string; the queue lives as long as the process.
            let queue = unsafe {
                let client = consumer.client().native_ptr();
                let queue = sys::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition);
                sys::rd_kafka_queue_forward(queue, ptr::null_mut());
                queue
            };
            queue.expose_provenance()
        })
        .collect();
    assign(&consumer)?;
    let share = records / queues.len();
    let count = std::thread::scope(|threads| {
        let halves: Vec<_> = queues
            .chunks(2)
            .map(|half| threads.spawn(move || half.iter().map(|queue| drain(*queue, share)).sum::<usize>()))
            .collect();
        halves.into_iter().map(|half| half.join().expect("no panic")).sum()
    });
    for queue in queues {
        // SAFETY: it was made above and nobody uses it any more.
        unsafe { sys::rd_kafka_queue_destroy(ptr::with_exposed_provenance_mut(queue)) };
    }
    Ok(count)
}

fn drain(queue: usize, records: usize) -> usize {
    let mut taken = [ptr::null_mut(); 1024];
    let (mut count, mut bytes) = (0, 0);
    while count < records {
        // SAFETY: the queue is alive, and there is room for so many messages.
        let found = unsafe {
            sys::rd_kafka_consume_batch_queue(
                ptr::with_exposed_provenance_mut(queue),
                1,
                taken.as_mut_ptr(),
                taken.len(),
            )
        };
        for message in &taken[..usize::try_from(found).unwrap_or(0)] {
            // SAFETY: the message is ours, alive, and destroyed once.
            unsafe {
                bytes += (**message).len;
                sys::rd_kafka_message_destroy(*message);
            }
            count += 1;
        }
    }
    assert_eq!(bytes, records * VALUE);
    count
}
