// SPDX-License-Identifier: Apache-2.0
//! Tweets in Avro from a topic of five partitions, processed by as many tasks as one likes, to another topic in Avro:
//! exactly once, with counts of what came in and what went out. What is no tweet goes to the dead letters with its topic,
//! partition and offset.
//!
//! `cargo run --release --features kafka,avro --example kafka_avro_pipeline -- --conf app.kafka=HOST:PORT
//! --conf spark.streaming.checkpoint.directory=/var/lib/tweets`. With `--conf app.feed=1000` it first writes so many tweets,
//! and one that is none.

use std::sync::Arc;

use dstreams::{
    Accumulator, DeadLetters, StorageLevel, StreamingListener,
    formats::{Avro, Encoding as _, avro},
    kafka::{Admin, Consumer, KafkaSink, Params, Sender, direct_stream},
    streaming::{Error, event::BatchInfo},
};

const SCHEMA: &str = r#"{"type": "record", "name": "Tweet", "fields": [
    {"name": "username", "type": "string"},
    {"name": "text", "type": "string"},
    {"name": "timestamp", "type": "long"}]}"#;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Tweet {
    username: String,
    text: String,
    timestamp: i64,
}

fn main() -> dstreams::Result<()> {
    dstreams::run("kafka-avro-pipeline", |ssc| {
        let config = ssc.config();
        let address = config.text("app.kafka").unwrap_or("localhost:9092");
        let letters = config.text("app.deadLetters").unwrap_or("/tmp/tweets-dead").to_owned();
        let processing = config.text("app.parallelism").and_then(|text| text.parse().ok()).unwrap_or(4);
        let tweets = avro::<Tweet>(SCHEMA).map_err(Error::user)?;

        if let Some(tweets_to_feed) = config.text("app.feed").and_then(|text| text.parse().ok()) {
            feed(&Params::new(address), &tweets, tweets_to_feed).map_err(Error::user)?;
        }

        // Tasks count for themselves, and a failed attempt of one counts for nothing.
        let counter = |name| ssc.rdd_context().accumulator(name, 0u64, |sum, n| *sum += n);
        let (consumed, produced) = (counter("messages consumed"), counter("messages produced"));
        ssc.add_listener(Arc::new(Counts { consumed: consumed.clone(), produced: produced.clone() }));

        // One task reads each of the five partitions. How many process what they read is another matter.
        let params = Params::new(address).group("tweets").set("auto.offset.reset", "earliest");
        let encoding = tweets.clone();
        let sink = KafkaSink::try_new(Params::new(address), "tweets-out", move |tweet: Tweet, record| {
            produced.add(1);
            record.key(&tweet.username).try_value_with(|bytes| encoding.encode(&tweet, bytes)).map(drop)
        })?;
        direct_stream(ssc, Consumer::subscribe(["tweets-in"]), params)?
            .map(move |record| {
                consumed.add(1);
                record
            })
            .decode(tweets)
            // Both the dead letters and the tweets are made of it.
            .persist(StorageLevel::MEMORY_AND_DISK)
            .dead_letter_named("no tweets", DeadLetters::sink(letters))
            .repartition(processing)
            .map(|tweet| Tweet { text: tweet.text.to_uppercase(), ..tweet })
            .write_to(sink)
            .named("tweets");
        Ok(())
    })
}

/// Writes tweets to the topic that is read.
fn feed(
    params: &Params,
    tweets: &Avro<Tweet>,
    count: usize,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    for topic in ["tweets-in", "tweets-out"] {
        Admin::new(params)?.create_topic(topic, 5, &[])?;
    }
    let (mut sender, mut bytes) = (Sender::new(params)?, Vec::new());
    for n in 0..count {
        let tweet = Tweet { username: format!("user{}", n % 100), text: format!("tweet {n}"), timestamp: 0 };
        bytes.clear();
        tweets.encode(&tweet, &mut bytes)?;
        sender.send("tweets-in", |record| {
            record.key(&tweet.username).value(&bytes);
        })?;
    }
    sender.send("tweets-in", |record| {
        record.value("no tweet");
    })?;
    Ok(sender.flush()?)
}

/// Says after each batch what has come in and gone out so far.
struct Counts {
    consumed: Accumulator<u64>,
    produced: Accumulator<u64>,
}

impl StreamingListener for Counts {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let (consumed, produced) = (self.consumed.value(), self.produced.value());
        println!("{}: {consumed} messages consumed, {produced} produced", batch.batch_time);
    }
}
