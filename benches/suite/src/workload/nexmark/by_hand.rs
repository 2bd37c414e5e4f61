// SPDX-License-Identifier: Apache-2.0
//! The queries as loops over the events.

use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
};

use dstreams_bench_kit::{Arguments, Outcome, Report, Result, of_bytes};
use nexmark::event::Event;

use super::{
    LOCAL_CATEGORY, SALES, WINDOW, converted,
    events::{self, auction, bid, person},
    is_local, is_selected,
    lot::{Lot, Offer},
    measure_query,
};

/// Gives each batch with its number to `process`.
fn each_batch(arguments: &Arguments, mut process: impl FnMut(&Outcome, usize, &[Event])) -> Result<Report> {
    let batches = events::batches(arguments);
    let outcome = Outcome::new(arguments);
    measure_query(arguments, &outcome, |range| {
        for number in range {
            process(&outcome, number, &batches[number]);
        }
        Ok(())
    })
}

pub(super) fn pass(arguments: &Arguments) -> Result<Report> {
    each_batch(arguments, |outcome, number, events| {
        let mut sum = 0;
        for event in events {
            sum += event.timestamp();
        }
        outcome.add(number, events.len() as u64, sum);
    })
}

pub(super) fn convert(arguments: &Arguments) -> Result<Report> {
    each_batch(arguments, |outcome, number, events| {
        let bids = events.iter().filter_map(bid);
        outcome.take(number, bids.map(|bid| (bid.auction as u64, converted(bid.price as u64))));
    })
}

pub(super) fn select(arguments: &Arguments) -> Result<Report> {
    each_batch(arguments, |outcome, number, events| {
        let bids = events.iter().filter_map(bid).filter(|bid| is_selected(bid.auction as u64));
        outcome.take(number, bids.map(|bid| (bid.auction as u64, bid.price as u64)));
    })
}

pub(super) fn local_items(arguments: &Arguments) -> Result<Report> {
    /// A person of the states that are asked for, and auctions that came before their seller.
    #[derive(Default)]
    struct Seller {
        name: Option<String>,
        waiting: Vec<u64>,
    }
    let mut sellers: HashMap<u64, Seller> = HashMap::new();
    each_batch(arguments, |outcome, number, events| {
        let mut found = Vec::new();
        for event in events {
            match event {
                Event::Person(person) if is_local(&person.state) => {
                    let seller = sellers.entry(person.id as u64).or_default();
                    let waiting = seller.waiting.drain(..);
                    found.extend(waiting.map(|auction| (person.name.clone(), auction)));
                    seller.name = Some(person.name.clone());
                }
                Event::Auction(auction) if auction.category as u64 == LOCAL_CATEGORY => {
                    let seller = sellers.entry(auction.seller as u64).or_default();
                    match &seller.name {
                        Some(name) => found.push((name.clone(), auction.id as u64)),
                        None => seller.waiting.push(auction.id as u64),
                    }
                }
                _ => {}
            }
        }
        outcome.take(number, found.iter().map(|(name, auction)| (*auction, of_bytes(name.as_bytes()))));
    })
}

/// The open auctions, each with the offers of the batch.
#[derive(Default)]
struct Lots(HashMap<u64, (Option<Lot>, Vec<Offer>)>);

impl Lots {
    /// Takes the offers of a batch, and gives what is sold at its end.
    fn sold(&mut self, events: &[Event], now: u64) -> Vec<(u64, Lot)> {
        for (auction, offer) in events.iter().filter_map(Offer::of) {
            self.0.entry(auction).or_default().1.push(offer);
        }
        let mut sold = Vec::new();
        self.0.retain(|auction, (lot, offers)| {
            *lot = Lot::after(*lot, offers, now);
            offers.clear();
            sold.extend(lot.filter(Lot::is_sold).map(|lot| (*auction, lot)));
            lot.is_some()
        });
        sold
    }
}

pub(super) fn category_averages(arguments: &Arguments) -> Result<Report> {
    let size = events::per_batch(arguments);
    let mut lots = Lots::default();
    let mut totals: HashMap<u64, (u64, u64)> = HashMap::new();
    each_batch(arguments, |outcome, number, events| {
        for (_, lot) in lots.sold(events, events::end(size, number)) {
            let (sum, count) = totals.entry(lot.category).or_default();
            *sum += lot.price;
            *count += 1;
        }
        outcome.take(number, totals.iter().map(|(category, (sum, count))| (*category, sum / count)));
    })
}

pub(super) fn hot_item(arguments: &Arguments) -> Result<Report> {
    let mut totals: HashMap<u64, u64> = HashMap::new();
    let mut window = VecDeque::new();
    each_batch(arguments, |outcome, number, events| {
        let mut counts: HashMap<u64, u64> = HashMap::new();
        for bid in events.iter().filter_map(bid) {
            *counts.entry(bid.auction as u64).or_insert(0) += 1;
        }
        for (auction, count) in &counts {
            *totals.entry(*auction).or_insert(0) += count;
        }
        window.push_back(counts);
        if window.len() > usize::from(WINDOW) {
            for (auction, count) in window.pop_front().into_iter().flatten() {
                if let Some(total) = totals.get_mut(&auction) {
                    *total -= count;
                    if *total == 0 {
                        totals.remove(&auction);
                    }
                }
            }
        }
        let hot = totals.iter().max_by_key(|(auction, total)| (**total, Reverse(**auction)));
        outcome.take(number, hot.into_iter().map(|(auction, total)| (*auction, *total)));
    })
}

pub(super) fn seller_averages(arguments: &Arguments) -> Result<Report> {
    let size = events::per_batch(arguments);
    let mut lots = Lots::default();
    let mut sales: HashMap<u64, VecDeque<u64>> = HashMap::new();
    each_batch(arguments, |outcome, number, events| {
        let mut sold = lots.sold(events, events::end(size, number));
        sold.sort_unstable_by_key(|(auction, lot)| (lot.seller, lot.expires, *auction));
        let mut averages = Vec::new();
        for of_seller in sold.chunk_by(|(_, a), (_, b)| a.seller == b.seller) {
            let seller = of_seller[0].1.seller;
            let prices = sales.entry(seller).or_default();
            for (_, lot) in of_seller {
                prices.push_back(lot.price);
                if prices.len() > SALES {
                    prices.pop_front();
                }
            }
            averages.push((seller, prices.iter().sum::<u64>() / prices.len() as u64));
        }
        outcome.take(number, averages.into_iter());
    })
}

pub(super) fn highest_bid(arguments: &Arguments) -> Result<Report> {
    let mut highest = None;
    each_batch(arguments, |outcome, number, events| {
        for bid in events.iter().filter_map(bid) {
            highest = highest.max(Some((bid.price as u64, bid.auction as u64, bid.bidder as u64)));
        }
        if (number + 1).is_multiple_of(usize::from(WINDOW)) {
            let found = highest.take().map(|(price, auction, bidder)| ((auction, bidder), price));
            outcome.take(number, found.into_iter());
        }
    })
}

pub(super) fn new_sellers(arguments: &Arguments) -> Result<Report> {
    let mut names: HashMap<u64, String> = HashMap::new();
    let mut sellers = Vec::new();
    each_batch(arguments, |outcome, number, events| {
        names.extend(events.iter().filter_map(person).map(|person| (person.id as u64, person.name.clone())));
        sellers.extend(
            events.iter().filter_map(auction).map(|auction| (auction.seller as u64, auction.id as u64)),
        );
        if (number + 1).is_multiple_of(usize::from(WINDOW)) {
            let found = sellers.drain(..).filter_map(|(seller, auction)| {
                Some(((seller, auction), of_bytes(names.get(&seller)?.as_bytes())))
            });
            outcome.take(number, found);
            names.clear();
        }
    })
}
