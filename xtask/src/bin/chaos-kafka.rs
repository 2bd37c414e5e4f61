// SPDX-License-Identifier: Apache-2.0
//! The program that `cargo xtask chaos --kafka` kills: records from Kafka to Kafka, and totals of them to PostgreSQL.
//!
//! `--conf app.kafka=HOST:PORT --conf spark.streaming.checkpoint.directory=DIR`, and `--conf app.postgres=URL` for the
//! totals. It prints `started` and then `batch MILLISECONDS` for each batch whose outputs are done.

#[path = "chaos-pipeline/driven.rs"]
mod driven;

use std::sync::Arc;

use dstreams::{
    Result, StreamingContext,
    kafka::{Consumer, KafkaSink, Params, Record, direct_stream},
    postgres::PostgresSink,
    streaming::Error,
};

fn main() -> Result<()> {
    driven::end_with_the_driver();
    dstreams::run("chaos-kafka", build)
}

fn build(ssc: &StreamingContext) -> Result<()> {
    let config = ssc.config();
    let address =
        config.text("app.kafka").ok_or_else(|| Error::IllegalArgument("app.kafka is not set".into()))?;
    let params = Params::new(address).group("chaos").set("auto.offset.reset", "earliest");
    ssc.add_listener(Arc::new(driven::Progress));

    let records = direct_stream(ssc, Consumer::subscribe(["in"]), params)?.try_map(|record| parse(&record));
    let copy = KafkaSink::new(Params::new(address), "out", |(key, number): (u32, u64), record| {
        record.key(key.to_string()).value(number.to_string());
    })?;
    records.write_to(copy).named("records");
    if let Some(url) = config.text("app.postgres") {
        let totals = PostgresSink::new(
            url,
            "totals",
            ["key", "n", "sum"],
            |(key, (n, sum)): (u32, (i64, i64)), row| {
                row.add(key).add(n).add(sum);
            },
        )
        .setup("CREATE TABLE IF NOT EXISTS totals (key bigint PRIMARY KEY, n bigint NOT NULL, sum bigint NOT NULL)")
        .merge(
            "INSERT INTO totals SELECT * FROM staged
             ON CONFLICT (key) DO UPDATE SET n = totals.n + excluded.n, sum = totals.sum + excluded.sum",
        );
        let one = |(key, number): (u32, u64)| (key, (1, i64::try_from(number).unwrap_or(i64::MAX)));
        records.map(one).reduce_by_key(|a, b| (a.0 + b.0, a.1 + b.1)).write_to(totals).named("totals");
    }
    Ok(())
}

/// The key, and the number of the record among those of the key.
fn parse(record: &Record) -> Result<(u32, u64), String> {
    let parsed = || {
        let key = std::str::from_utf8(record.key()?).ok()?.parse().ok()?;
        Some((key, std::str::from_utf8(record.value()?).ok()?.parse().ok()?))
    };
    parsed().ok_or_else(|| format!("{record:?} was aborted, or never sent"))
}
