// SPDX-License-Identifier: Apache-2.0
//! Kafka → word count → Kafka exactly once against the same at least once, in turns in one run: words per second of each,
//! and the ratio. `cargo bench -p dstreams-kafka --bench exactly_once [-- LINES]`

use std::env;

use dstreams_kafka::{Admin, Consumer, KafkaSink, Params, Sender, create_rdd, direct_stream};
use dstreams_rdd::{BoxError, RddContext};
use dstreams_streaming::{
    Config, Text,
    clock::{Clock as _, SystemClock},
    testing::TestContext,
    time::seconds,
};
use dstreams_test_servers::Kafka;

const TOPIC: &str = "lines";
const PARTITIONS: i32 = 4;
const BATCHES: usize = 8;
const ROUNDS: usize = 3;
const WORDS_OF_A_LINE: usize = 10;
const DIFFERENT_WORDS: usize = 10_000;

#[derive(Clone, Copy)]
enum Delivery {
    ExactlyOnce,
    AtLeastOnce,
}

fn main() -> Result<(), BoxError> {
    let lines = env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let Some(kafka) = Kafka::start_or_skip("the benchmark") else { return Ok(()) };
    let params = Params::new(kafka.address()).set("auto.offset.reset", "earliest");
    fill(&params, lines)?;
    println!(
        "{lines} lines of {WORDS_OF_A_LINE} words in {PARTITIONS} partitions, {DIFFERENT_WORDS} different words, {BATCHES} batches, median of {ROUNDS} rounds"
    );
    // The first transactions of a broker wait for its coordinator.
    count(&params, "warm", lines, Delivery::ExactlyOnce)?;
    let mut rates = [const { Vec::new() }; 2];
    for round in 0..ROUNDS {
        let sides = [("exactly", Delivery::ExactlyOnce), ("at-least", Delivery::AtLeastOnce)];
        for (rates, (name, delivery)) in rates.iter_mut().zip(sides) {
            let took = count(&params, &format!("{name}-{round}"), lines, delivery)?;
            rates.push((lines * WORDS_OF_A_LINE) as f64 / took);
        }
    }
    let [exactly, at_least] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    });
    println!("at least once   {:.2} M words/s", at_least / 1e6);
    println!("exactly once    {:.2} M words/s   ratio {:.2}", exactly / 1e6, exactly / at_least);
    Ok(())
}

fn fill(params: &Params, lines: usize) -> Result<(), BoxError> {
    Admin::new(params)?.create_topic(TOPIC, PARTITIONS, &[])?;
    let mut sender = Sender::new(params)?;
    let mut word = 0;
    for line in 0..lines {
        let words = (0..WORDS_OF_A_LINE).map(|_| {
            // All words come equally often, neighbours far apart.
            word = (word + 7_919) % DIFFERENT_WORDS;
            format!("word{word}")
        });
        let text = words.collect::<Vec<_>>().join(" ");
        let partition = i32::try_from(line % 4)?;
        sender.send(TOPIC, |record| {
            record.partition(partition).value(text);
        })?;
    }
    Ok(sender.flush()?)
}

/// Counts the words of all lines into a topic of that name, checks the counts, and says how many seconds the counting has
/// taken, from the start of the stream to its end.
fn count(params: &Params, name: &str, lines: usize, delivery: Delivery) -> Result<f64, BoxError> {
    Admin::new(params)?.create_topic(name, PARTITIONS, &[])?;
    let mut config = Config::new();
    config.set("dstreams.kafka.maxRecordsPerBatch", &lines.div_ceil(BATCHES).to_string())?;
    let test = TestContext::with(config, seconds(1))?;
    let sink = KafkaSink::new(params.clone(), name, |(word, n): (Text, u64), record| {
        record.key(word).value(n.to_string());
    })?;
    let sink = match delivery {
        Delivery::ExactlyOnce => sink,
        Delivery::AtLeastOnce => sink.at_least_once(),
    };
    direct_stream(test.context(), Consumer::subscribe([TOPIC]), params.clone())?
        .try_map(|record| record.value_text())
        .flat_map(|line| line.words())
        .map(|word| (word, 1u64))
        .reduce_by_key(|a, b| a + b)
        .write_to(sink)
        .named(name);
    let begun = SystemClock.now();
    test.run(BATCHES)?;
    let took = (SystemClock.now() - begun).as_secs_f64();
    test.stop();
    let context = RddContext::local(2)?;
    let written = create_rdd(&context, params, &Admin::new(params)?.ranges(name)?)?;
    let counts = written.try_map(|record| record.value_text().map_err(|error| error.to_string()));
    let words = counts.try_map(|count| count.parse::<usize>()).fold(0, |sum, n| sum + n)?;
    assert_eq!(words, lines * WORDS_OF_A_LINE, "{name}");
    Ok(took)
}
