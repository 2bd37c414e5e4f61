// SPDX-License-Identifier: Apache-2.0
//! The queries as streams of events.

use std::{cmp::Reverse, collections::VecDeque, sync::Arc};

use dstreams::{
    DStream, Data,
    streaming::{ReducedWindowOptions, State, StateSpec},
    time::seconds,
};
use dstreams_bench_kit::{Arguments, Keyed, Outcome, Report, Result, of_bytes};
use nexmark::event::Event;
use serde::{Deserialize, Serialize};

use super::{
    LOCAL_CATEGORY, SALES, WINDOW, converted,
    events::{self, bid},
    is_local, is_selected,
    lot::{Lot, Offer},
    measure_query,
};
use crate::engine::{Engine, number};

/// A stream of the events, and what becomes of it.
fn query(arguments: &Arguments, build: impl FnOnce(&DStream<Event>, Outcome)) -> Result<Report> {
    query_of(arguments, |event| event, build)
}

/// As [`query`], with a stream of what is made of the events before.
fn query_of<T: Data>(
    arguments: &Arguments,
    record: fn(Event) -> T,
    build: impl FnOnce(&DStream<T>, Outcome),
) -> Result<Report> {
    let engine = Engine::with_checkpoints(arguments, &arguments.scratch)?;
    let outcome = Outcome::new(arguments);
    let batches = events::batches(arguments).into_iter();
    let batches = batches.map(|batch| engine.dataset(batch.into_iter().map(record).collect()));
    build(&engine.stream(batches.collect()), outcome.clone());
    measure_query(arguments, &outcome, |range| engine.run(range))
}

/// Puts out how many results a batch has and their sum; of the last batch each of them.
fn put_out<K: Data + Keyed>(stream: &DStream<(K, u64)>, outcome: Outcome) {
    stream.for_each_rdd(move |rdd, time| {
        let number = number(time);
        if outcome.is_last(number) {
            outcome.take(number, rdd.collect()?.into_iter());
        } else {
            let add =
                |(results, sum): (u64, u64), (_, value): (K, u64)| (results + 1, sum.wrapping_add(value));
            let (results, sum) = rdd.aggregate((0, 0), add, |a, b| (a.0 + b.0, a.1.wrapping_add(b.1)))?;
            outcome.add(number, results, sum);
        }
        Ok(())
    });
}

/// The events are shared: an aggregation takes them over.
pub(super) fn pass(arguments: &Arguments) -> Result<Report> {
    query_of(arguments, Arc::new, |events, outcome| {
        events.for_each_rdd(move |rdd, time| {
            let add = |(events, sum), event: Arc<Event>| (events + 1, sum + event.timestamp());
            let (events, sum) = rdd.aggregate((0, 0), add, |a, b| (a.0 + b.0, a.1 + b.1))?;
            outcome.add(number(time), events, sum);
            Ok(())
        });
    })
}

pub(super) fn convert(arguments: &Arguments) -> Result<Report> {
    query(arguments, |events, outcome| {
        let converted = events
            .filter_map(|event| bid(event).map(|bid| (bid.auction as u64, converted(bid.price as u64))));
        put_out(&converted, outcome);
    })
}

pub(super) fn select(arguments: &Arguments) -> Result<Report> {
    query(arguments, |events, outcome| {
        let bids = events.filter_map(|event| bid(event).map(|bid| (bid.auction as u64, bid.price as u64)));
        put_out(&bids.filter(|(auction, _)| is_selected(*auction)), outcome);
    })
}

/// What queries 3 and 8 join.
#[derive(Clone, Serialize, Deserialize)]
enum Entry {
    Person(String),
    Auction(u64),
}

/// A person of the states that are asked for, and auctions that came before their seller.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Seller {
    name: Option<String>,
    waiting: Vec<u64>,
}

impl Seller {
    fn meet(&mut self, entry: Entry) -> Vec<(String, u64)> {
        match (entry, &self.name) {
            (Entry::Person(name), _) => {
                let found = self.waiting.drain(..).map(|auction| (name.clone(), auction)).collect();
                self.name = Some(name);
                found
            }
            (Entry::Auction(auction), Some(name)) => vec![(name.clone(), auction)],
            (Entry::Auction(auction), None) => {
                self.waiting.push(auction);
                Vec::new()
            }
        }
    }
}

pub(super) fn local_items(arguments: &Arguments) -> Result<Report> {
    query(arguments, |events, outcome| {
        let local = events.filter_map(|event| match event {
            Event::Person(person) if is_local(&person.state) => {
                Some((person.id as u64, Entry::Person(person.name.clone())))
            }
            Event::Auction(auction) if auction.category as u64 == LOCAL_CATEGORY => {
                Some((auction.seller as u64, Entry::Auction(auction.id as u64)))
            }
            _ => None,
        });
        let found = local.map_with_state(StateSpec::function(
            |_: &u64, entry: Option<Entry>, state: &mut State<'_, Seller>| {
                let mut seller = state.get().cloned().unwrap_or_default();
                let found = entry.map_or_else(Vec::new, |entry| seller.meet(entry));
                state.update(seller);
                found
            },
        ));
        found.flat_map(|found| found).for_each_rdd(move |rdd, time| {
            let found = rdd.collect()?;
            let found = found.iter().map(|(name, auction)| (*auction, of_bytes(name.as_bytes())));
            outcome.take(number(time), found);
            Ok(())
        });
    })
}

/// The auctions that are sold in each batch.
fn sold(arguments: &Arguments, events: &DStream<Event>) -> DStream<(u64, Lot)> {
    let size = events::per_batch(arguments);
    events
        .filter_map(Offer::of)
        .update_state_by_key_at(move |time, _, offers, lot| {
            Lot::after(lot, &offers, events::end(size, number(time)))
        })
        .filter(|(_, lot)| lot.is_sold())
}

pub(super) fn category_averages(arguments: &Arguments) -> Result<Report> {
    query(arguments, |events, outcome| {
        let prices = sold(arguments, events).map(|(_, lot)| (lot.category, (lot.price, 1)));
        let totals = prices.reduce_by_key(|a, b| (a.0 + b.0, a.1 + b.1)).update_state_by_key(|new, total| {
            let total = total.unwrap_or((0, 0));
            Some(new.iter().fold(total, |sum: (u64, u64), new| (sum.0 + new.0, sum.1 + new.1)))
        });
        put_out(&totals.map_values(|(sum, count)| sum / count), outcome);
    })
}

pub(super) fn hot_item(arguments: &Arguments) -> Result<Report> {
    query(arguments, |events, outcome| {
        let bids = events.filter_map(|event| bid(event).map(|bid| (bid.auction as u64, 1u64)));
        let in_use = ReducedWindowOptions::default().filter(|(_, total)| *total > 0);
        let window = seconds(i64::from(WINDOW));
        let totals = bids.reduce_by_key_and_window_inverse_with(
            |a, b| a + b,
            |a, b| a - b,
            window,
            seconds(1),
            in_use,
        );
        totals.for_each_rdd(move |rdd, time| {
            let hot = rdd.top_by(1, |(auction, total)| (*total, Reverse(*auction)))?;
            outcome.take(number(time), hot.into_iter());
            Ok(())
        });
    })
}

pub(super) fn seller_averages(arguments: &Arguments) -> Result<Report> {
    query(arguments, |events, outcome| {
        let sales =
            sold(arguments, events).map(|(auction, lot)| (lot.seller, (lot.expires, auction, lot.price)));
        let averages = sales.group_by_key().map_with_state(StateSpec::function(
            |seller: &u64, sales: Option<Vec<(u64, u64, u64)>>, state: &mut State<'_, VecDeque<u64>>| {
                let mut sales = sales.unwrap_or_default();
                sales.sort_unstable();
                let mut prices = state.get().cloned().unwrap_or_default();
                for (_, _, price) in sales {
                    prices.push_back(price);
                    if prices.len() > SALES {
                        prices.pop_front();
                    }
                }
                let average = prices.iter().sum::<u64>() / prices.len() as u64;
                state.update(prices);
                (*seller, average)
            },
        ));
        put_out(&averages, outcome);
    })
}

pub(super) fn highest_bid(arguments: &Arguments) -> Result<Report> {
    query(arguments, |events, outcome| {
        let window = seconds(i64::from(WINDOW));
        let bids = events.filter_map(|event| {
            bid(event).map(|bid| (bid.price as u64, bid.auction as u64, bid.bidder as u64))
        });
        let highest = bids.reduce_by_window(|a, b| a.max(b), window, window);
        put_out(&highest.map(|(price, auction, bidder)| ((auction, bidder), price)), outcome);
    })
}

pub(super) fn new_sellers(arguments: &Arguments) -> Result<Report> {
    query(arguments, |events, outcome| {
        let window = seconds(i64::from(WINDOW));
        // What is needed of the events is taken once, and kept for the window.
        let entries = events.filter_map(|event| match event {
            Event::Person(person) => Some((person.id as u64, Entry::Person(person.name.clone()))),
            Event::Auction(auction) => Some((auction.seller as u64, Entry::Auction(auction.id as u64))),
            Event::Bid(_) => None,
        });
        let entries = entries.window_with(window, window);
        let persons = entries.filter_map(|(id, entry)| match entry {
            Entry::Person(name) => Some((*id, name.clone())),
            Entry::Auction(_) => None,
        });
        let auctions = entries.filter_map(|(seller, entry)| match entry {
            Entry::Auction(auction) => Some((*seller, *auction)),
            Entry::Person(_) => None,
        });
        let found = persons.join(&auctions);
        let found = found.map(|(seller, (name, auction))| ((seller, auction), of_bytes(name.as_bytes())));
        put_out(&found, outcome);
    })
}
