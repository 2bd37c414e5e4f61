// SPDX-License-Identifier: Apache-2.0
//! The retail pipeline: what a program with this library looks like that must lose nothing and store nothing twice.

use std::{path::PathBuf, sync::Arc};

use dstreams::{
    DeadLetters, StorageLevel, StreamingContext,
    streaming::{ReducedWindowOptions, State, StateSpec},
};

use super::{
    master::{EnrichedSale, MasterData},
    message::{self, Rejected},
    source::{MessageQueue, Pace},
    tables::{Database, Total},
    watch::Watcher,
};

/// How many batches the revenue of a store is summed over.
pub(super) const WINDOW: i64 = 10;

/// What the pipeline is made with.
pub(super) struct Parts {
    pub(super) seed: u64,
    pub(super) pace: Pace,
    pub(super) master: MasterData,
    pub(super) database: Database,
    pub(super) dead_letters: PathBuf,
    pub(super) watcher: Arc<Watcher>,
}

pub(super) fn build(ssc: &StreamingContext, parts: &Parts) {
    let Parts { seed, pace, master, database, dead_letters, watcher } = parts;
    let interval = ssc.batch_interval();
    let messages = ssc.stream("messages", |_| Arc::new(MessageQueue::new(*seed, interval, pace.clone())));

    // Four outputs are made from this, so it is kept until the last of them is done.
    let master = master.clone();
    let results = messages
        .flat_map(|text| message::parse(&text))
        .try_map_partitions(move |sales| master.enrich(sales.collect()))
        .persist(StorageLevel::MEMORY_AND_DISK);
    let sales = results.dead_letter_named("dead_letters", DeadLetters::sink(dead_letters));
    database.write_sales(&sales);

    let revenue = sales.map(|EnrichedSale { sale, .. }| (sale.store, Total { cents: sale.cents, sales: 1 }));
    // Each window is made from the one before, so its length costs nothing. Stores without a sale drop out of it.
    let options = ReducedWindowOptions::default().filter(|(_, total): &(u32, Total)| total.sales > 0);
    let windows = revenue.reduce_by_key_and_window_inverse_with(
        Total::add,
        Total::subtract,
        interval * WINDOW,
        interval,
        options,
    );
    // A start after a crash makes the windows since the last checkpoint again, from the messages.
    database.write_store_revenue(&windows.checkpoint(interval * 5));

    // Merged before it meets the states, so that each is read and changed once in a batch.
    let totals = sales
        .map(|EnrichedSale { sale, .. }| (sale.customer, Total { cents: sale.cents, sales: 1 }))
        .reduce_by_key(Total::add)
        .map_with_state(StateSpec::function(
            |customer: &u32, new: Option<Total>, state: &mut State<'_, Total>| {
                let total = state.get().copied().unwrap_or_default().add(new.unwrap_or_default());
                state.update(total);
                (*customer, total)
            },
        ));
    database.write_customers(&totals);

    let watcher = Arc::clone(watcher);
    results.map_partitions(count).for_each_rdd(move |counts, time| {
        let counts = counts.collect()?;
        watcher.set_counts(
            time,
            counts.iter().map(|(good, _)| good).sum(),
            counts.iter().map(|(_, bad)| bad).sum(),
        );
        Ok(())
    });
}

/// How many results are good and how many are not.
fn count(results: impl Iterator<Item = Result<EnrichedSale, Rejected>>) -> [(u64, u64); 1] {
    let count = |(good, bad), result: Result<_, _>| match result {
        Ok(_) => (good + 1, bad),
        Err(_) => (good, bad + 1),
    };
    [results.fold((0, 0), count)]
}
