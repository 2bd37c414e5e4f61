// SPDX-License-Identifier: Apache-2.0
//! The events, made by the crate `nexmark` from fixed seeds, and a file of them for programs that are not in Rust.

use std::fs;

use dstreams_bench_kit::{Arguments, Result, text};
use nexmark::{
    EventGenerator,
    config::NexmarkConfig,
    event::{Auction, Bid, Event, Person},
};

/// Events of a batch.
const EVENTS: usize = 20_000;

/// Events of a second of their time, as the generator has it if nothing else is said.
const RATE: u64 = 10_000;

fn generator() -> EventGenerator {
    EventGenerator::new(NexmarkConfig { base_time: 0, ..NexmarkConfig::default() })
}

/// All batches. Events of later batches are about persons and auctions of earlier ones, so that none comes twice.
pub(super) fn batches(arguments: &Arguments) -> Vec<Vec<Event>> {
    let mut events = generator();
    (0..arguments.total()).map(|_| events.by_ref().take(arguments.scaled(EVENTS)).collect()).collect()
}

/// How many events go in during the measured part.
pub(super) fn records(arguments: &Arguments) -> u64 {
    (arguments.scaled(EVENTS) * arguments.batches) as u64
}

/// The time of the events at the end of a batch, in milliseconds.
pub(super) fn end(events_per_batch: u64, number: usize) -> u64 {
    (number as u64 + 1) * events_per_batch * 1000 / RATE
}

/// How many events a batch has.
pub(super) fn per_batch(arguments: &Arguments) -> u64 {
    arguments.scaled(EVENTS) as u64
}

/// Writes the file for the others: an event per line, its fields with tabs between them.
pub(super) fn write(arguments: &Arguments) -> Result<()> {
    let events = arguments.scaled(EVENTS) * arguments.total();
    let path = arguments.data.join(format!("nexmark-{events}.tsv"));
    if path.exists() {
        return Ok(());
    }
    fs::create_dir_all(&arguments.data)?;
    text::whole(&path, |out| {
        for event in generator().take(events) {
            match event {
                Event::Person(Person {
                    id,
                    name,
                    email_address,
                    credit_card,
                    city,
                    state,
                    date_time,
                    extra,
                }) => {
                    writeln!(
                        out,
                        "P\t{id}\t{name}\t{email_address}\t{credit_card}\t{city}\t{state}\t{date_time}\t{extra}"
                    )?;
                }
                Event::Auction(Auction {
                    id,
                    item_name,
                    description,
                    initial_bid,
                    reserve,
                    date_time,
                    expires,
                    seller,
                    category,
                    extra,
                }) => {
                    writeln!(
                        out,
                        "A\t{id}\t{item_name}\t{description}\t{initial_bid}\t{reserve}\t{date_time}\t{expires}\t{seller}\t{category}\t{extra}"
                    )?;
                }
                Event::Bid(Bid { auction, bidder, price, channel, url, date_time, extra }) => {
                    writeln!(out, "B\t{auction}\t{bidder}\t{price}\t{channel}\t{url}\t{date_time}\t{extra}")?;
                }
            }
        }
        Ok(())
    })
}

/// The bid that an event is.
pub(super) fn bid(event: &Event) -> Option<&Bid> {
    if let Event::Bid(bid) = event { Some(bid) } else { None }
}

/// The auction that an event is.
pub(super) fn auction(event: &Event) -> Option<&Auction> {
    if let Event::Auction(auction) = event { Some(auction) } else { None }
}

/// The person that an event is.
pub(super) fn person(event: &Event) -> Option<&Person> {
    if let Event::Person(person) = event { Some(person) } else { None }
}
