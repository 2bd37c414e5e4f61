// SPDX-License-Identifier: Apache-2.0
//! `Feeder`: writes numbered records to the topic, some of them in transactions, of which some are aborted.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use dstreams::kafka::{Error, Params, Sender};

use super::super::{dice::Dice, wait};
use crate::Result;

/// What the topic has at first, and later.
pub(super) const PARTITIONS: i32 = 4;
pub(super) const NEW_PARTITIONS: usize = 6;

/// Keys of the first partitions; each is always sent to the same one.
const KEYS: u32 = 64;

/// Keys from there on belong to the partitions that are added.
const NEW_KEYS: u32 = 96;

/// How many records are sent at a time.
const PORTION: u64 = 200;

/// A thread that sends.
pub(super) struct Feeder {
    shared: Arc<Shared>,
    thread: JoinHandle<std::result::Result<Expected, String>>,
}

#[derive(Default)]
struct Shared {
    sent: AtomicU64,
    added: AtomicBool,
}

/// What must have arrived in the end.
pub(super) struct Expected {
    /// How many records each key has.
    pub(super) counts: BTreeMap<u32, u64>,
    /// How many records were in transactions that were aborted.
    pub(super) aborted: u64,
}

impl Expected {
    pub(super) fn records(&self) -> u64 {
        self.counts.values().sum()
    }
}

impl Feeder {
    pub(super) fn start(address: &str, records: u64, seed: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let (sending, params) = (Arc::clone(&shared), Params::new(address));
        let thread = thread::spawn(move || {
            send(&sending, &params, records, seed).map_err(|error| format!("the feeder has failed: {error}"))
        });
        Self { shared, thread }
    }

    /// How many records are at the broker.
    pub(super) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    pub(super) fn partitions_were_added(&self) {
        self.shared.added.store(true, Ordering::Relaxed);
    }

    /// Waits until everything is sent.
    pub(super) fn finish(self) -> Result<Expected> {
        Ok(self.thread.join().map_err(|_| "the feeder has panicked")??)
    }
}

fn send(shared: &Shared, params: &Params, records: u64, seed: u64) -> std::result::Result<Expected, Error> {
    let mut dice = Dice::new(seed ^ 0xfeed);
    let mut expected = Expected { counts: BTreeMap::new(), aborted: 0 };
    let mut plain = Sender::new(params)?;
    let open = || Sender::transactional(params, "chaos-feeder");
    let mut transactions = open()?;
    let (mut sent, mut portions, mut keys) = (0, 0, KEYS);
    while sent < records {
        portions += 1;
        if keys == KEYS && shared.added.load(Ordering::Relaxed) {
            keys = NEW_KEYS;
            // Producers that were made before would not know the new partitions for minutes.
            plain = Sender::new(params)?;
            transactions = open()?;
        }
        match dice.below(3) {
            0 => {
                transactions.begin()?;
                for _ in 0..PORTION {
                    let key = key(&mut dice, keys);
                    put(&mut transactions, key, "aborted")?;
                    expected.aborted += 1;
                }
                transactions.abort();
                transactions = open()?;
                continue;
            }
            1 => {
                transactions.begin()?;
                sent += portion(&mut transactions, &mut dice, keys, &mut expected)?;
                transactions.commit()?;
            }
            _ => {
                sent += portion(&mut plain, &mut dice, keys, &mut expected)?;
                plain.flush()?;
            }
        }
        shared.sent.store(sent, Ordering::Relaxed);
        if portions % 10 == 0 {
            // The program must have something to do for as long as it is killed.
            wait::pause(dice.millis(10, 60));
        }
    }
    Ok(expected)
}

/// Sends a portion of records that are to arrive.
fn portion(
    sender: &mut Sender,
    dice: &mut Dice,
    keys: u32,
    expected: &mut Expected,
) -> std::result::Result<u64, Error> {
    for _ in 0..PORTION {
        let key = key(dice, keys);
        let number = expected.counts.entry(key).or_default();
        put(sender, key, &number.to_string())?;
        *number += 1;
    }
    Ok(PORTION)
}

fn key(dice: &mut Dice, keys: u32) -> u32 {
    u32::try_from(dice.below(u64::from(keys))).unwrap_or(0).min(keys - 1)
}

fn put(sender: &mut Sender, key: u32, value: &str) -> std::result::Result<(), Error> {
    let first = u32::try_from(PARTITIONS).unwrap_or(1);
    let partition = if key < KEYS { key % first } else { first + key % 2 };
    sender.send("in", |record| {
        record.key(key.to_string()).value(value).partition(i32::try_from(partition).unwrap_or(0));
    })
}
