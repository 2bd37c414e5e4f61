// SPDX-License-Identifier: Apache-2.0
//! `NEXMark`, queries 0 to 8, over an auction site's persons, auctions and bids. A batch is two seconds of the time of the
//! events, so that windows over that time are windows of batches.

mod by_hand;
mod events;
mod lot;
mod streams;

use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure};

use super::{Run, Workload};

/// Batches of a window: ten seconds.
const WINDOW: u8 = 5;

const fn query(name: &'static str, by_hand: Run, dstreams: Run) -> Workload {
    Workload { name, input: events::write, by_hand: Some(by_hand), tuned: None, dstreams }
}

pub(super) const QUERIES: [Workload; 9] = [
    query("nexmark-q0", by_hand::pass, streams::pass),
    query("nexmark-q1", by_hand::convert, streams::convert),
    query("nexmark-q2", by_hand::select, streams::select),
    query("nexmark-q3", by_hand::local_items, streams::local_items),
    query("nexmark-q4", by_hand::category_averages, streams::category_averages),
    query("nexmark-q5", by_hand::hot_item, streams::hot_item),
    query("nexmark-q6", by_hand::seller_averages, streams::seller_averages),
    query("nexmark-q7", by_hand::highest_bid, streams::highest_bid),
    query("nexmark-q8", by_hand::new_sellers, streams::new_sellers),
];

/// A price in another currency, in thousandths.
fn converted(price: u64) -> u64 {
    price * 908 / 1000
}

/// Auctions that query 2 asks for.
fn is_selected(auction: u64) -> bool {
    auction.is_multiple_of(123)
}

/// States whose sellers query 3 asks for.
fn is_local(state: &str) -> bool {
    matches!(state, "or" | "id" | "ca")
}

/// The category that query 3 asks for.
const LOCAL_CATEGORY: u64 = 10;

/// Auctions of a seller that query 6 averages.
const SALES: usize = 10;

/// Measures `run`; queries over windows give nothing in most batches.
fn measure_query(
    arguments: &Arguments,
    outcome: &Outcome,
    mut run: impl FnMut(std::ops::Range<usize>) -> Result<()>,
) -> Result<Report> {
    measure(arguments, events::records(arguments), outcome, |range| {
        range.clone().for_each(|number| outcome.add(number, 0, 0));
        run(range)
    })
}
