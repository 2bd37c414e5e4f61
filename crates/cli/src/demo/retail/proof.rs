// SPDX-License-Identifier: Apache-2.0
//! The proof: all messages are made again, apart from the pipeline, and what should be in the tables is compared with
//! what is.

use std::{collections::VecDeque, error::Error, fmt, path::Path};

use dstreams::{DeadLetters, Duration, Time, streaming::LetterFilter};

use super::{
    super::show::grouped,
    generator::{CUSTOMERS, Generated, Tills},
    master::STORES,
    message::{NOT_A_MESSAGE, PLACES, RawSale},
    pipeline::WINDOW,
    source::{MESSAGES, Range},
    tables::{Tables, Total},
};

/// What was expected and what was found.
#[derive(Debug, Default)]
pub(super) struct Proof {
    rows: Vec<(&'static str, u64, u64, String)>,
    all_right: bool,
}

impl Proof {
    pub(super) fn is_right(&self) -> bool {
        self.all_right
    }

    fn add(&mut self, what: &'static str, expected: u64, found: u64, wrong: u64, note: String) {
        self.all_right &= expected == found && wrong == 0;
        self.rows.push((what, expected, found, note));
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<26}{:>16}{:>16}", "since the beginning", "generated", "found")?;
        for (what, expected, found, note) in &self.rows {
            writeln!(f, "{what:<26}{:>16}{:>16}   {note}", grouped(*expected), grouped(*found))?;
        }
        let verdict = if self.all_right {
            "proved: nothing lost, nothing twice"
        } else {
            "WRONG: the tables are not what they should be"
        };
        writeln!(f, "{verdict}")
    }
}

/// Which places of a message hold a sale.
type Places = [u64; PLACES as usize / 64];

/// What the tables should hold.
struct Expected {
    sales: u64,
    cents: i64,
    /// A few bytes for each message: far less than its sales take in their table.
    places: Vec<Places>,
    customers: Vec<Total>,
    invalid: u64,
    malformed: u64,
    in_malformed: u64,
}

/// Compares all that has been processed in batches of `interval`.
pub(super) fn prove(
    tables: &mut dyn Tables,
    dead_letters: &Path,
    seed: u64,
    interval: Duration,
) -> Result<Proof, Box<dyn Error>> {
    let mut proof = Proof { rows: Vec::new(), all_right: true };
    let batches = ranges(tables)?;
    let mut expected = Expected::nothing();
    let mut windows = Windows::new(interval);
    let mut message = Generated::empty();
    let mut next = 0;
    for (time, range) in &batches {
        proof.all_right &= range.from == next;
        next = range.until;
        windows.begin(*time);
        for number in range.from..range.until {
            Tills { seed }.generate(number, &mut message);
            expected.add(&message);
            message.valid().for_each(|sale| windows.add(message.message.store, sale));
        }
        windows.compare(tables, *time)?;
    }
    proof.add(
        "messages",
        next,
        batches.iter().map(|(_, range)| range.until - range.from).sum(),
        0,
        String::new(),
    );
    compare_sales(tables, &mut expected, &mut proof)?;
    compare_dead_letters(dead_letters, &expected, &mut proof)?;
    compare_customers(tables, &expected, &mut proof)?;
    let note = format!("{} differ", grouped(windows.wrong));
    proof.add("rows of store windows", windows.expected, windows.found, windows.wrong, note);
    Ok(proof)
}

/// The batches that are stored, with their messages.
fn ranges(tables: &mut dyn Tables) -> Result<Vec<(Time, Range)>, Box<dyn Error>> {
    let range = |positions: &str| {
        let positions: serde_json::Value = serde_json::from_str(positions).ok()?;
        let (from, until) = positions.get("0")?.get(MESSAGES)?.as_str()?.split_once("..")?;
        Some(Range { from: from.parse().ok()?, until: until.parse().ok()? })
    };
    let batches = tables.batches()?;
    let ranges = batches.iter().map(|(time, positions)| Some((*time, range(positions)?)));
    ranges.collect::<Option<_>>().ok_or_else(|| "what the batches were made of is not readable".into())
}

impl Expected {
    fn nothing() -> Self {
        Self {
            sales: 0,
            cents: 0,
            places: Vec::new(),
            customers: vec![Total::default(); CUSTOMERS as usize + 1],
            invalid: 0,
            malformed: 0,
            in_malformed: 0,
        }
    }

    fn add(&mut self, message: &Generated) {
        let mut places = Places::default();
        for sale in message.valid() {
            self.sales += 1;
            self.cents += sale.cents;
            let place = (sale.id % PLACES) as usize;
            places[place / 64] |= 1 << (place % 64);
            let customer = &mut self.customers[sale.customer as usize];
            *customer = customer.add(Total { cents: sale.cents, sales: 1 });
        }
        self.places.push(places);
        match message.damage {
            Some(_) => {
                self.malformed += 1;
                self.in_malformed += message.message.sales.len() as u64;
            }
            None => self.invalid += message.invalid.len() as u64,
        }
    }

    /// Strikes a sale out; false when it is not expected or struck out already.
    fn strike(&mut self, id: u64) -> bool {
        let place = (id % PLACES) as usize;
        let Some(places) = self.places.get_mut((id / PLACES) as usize) else { return false };
        let (word, bit) = (&mut places[place / 64], 1 << (place % 64));
        let expected = *word & bit != 0;
        *word &= !bit;
        expected
    }
}

fn compare_sales(
    tables: &mut dyn Tables,
    expected: &mut Expected,
    proof: &mut Proof,
) -> Result<(), Box<dyn Error>> {
    let (mut found, mut twice, mut cents) = (0, 0, 0);
    tables.sales(&mut |id, price| {
        found += 1;
        cents += price;
        twice += u64::from(!expected.strike(id));
    })?;
    let lost: u64 = expected.places.iter().flatten().map(|places| u64::from(places.count_ones())).sum();
    let note = format!("{} lost, {} duplicated", grouped(lost), grouped(twice));
    proof.add("sales", expected.sales, found, lost + twice, note);
    let difference = (expected.cents - cents).unsigned_abs();
    let note = if difference == 0 { "equal".to_owned() } else { format!("{} differ", grouped(difference)) };
    proof.add("revenue in cents", expected.cents.unsigned_abs(), cents.unsigned_abs(), difference, note);
    Ok(())
}

fn compare_dead_letters(
    directory: &Path,
    expected: &Expected,
    proof: &mut Proof,
) -> Result<(), Box<dyn Error>> {
    let (mut messages, mut sales) = (0, 0);
    DeadLetters::new(directory).visit(&LetterFilter::default(), |letter| {
        *if letter.error.starts_with(NOT_A_MESSAGE) { &mut messages } else { &mut sales } += 1;
    })?;
    proof.add("dead letters: sales", expected.invalid, sales, 0, String::new());
    let note = format!("which hold {} sales", grouped(expected.in_malformed));
    proof.add("dead letters: messages", expected.malformed, messages, 0, note);
    Ok(())
}

fn compare_customers(
    tables: &mut dyn Tables,
    expected: &Expected,
    proof: &mut Proof,
) -> Result<(), Box<dyn Error>> {
    let (mut found, mut wrong) = (0, 0);
    tables.customers(&mut |customer, total| {
        found += 1;
        wrong += u64::from(expected.customers.get(customer as usize) != Some(&total));
    })?;
    let customers = expected.customers.iter().filter(|total| total.sales > 0).count() as u64;
    proof.add("totals of customers", customers, found, wrong, format!("{} differ", grouped(wrong)));
    Ok(())
}

/// The revenue of stores over the last batches.
struct Windows {
    length: Duration,
    batches: VecDeque<(Time, Vec<Total>)>,
    expected: u64,
    found: u64,
    wrong: u64,
}

impl Windows {
    fn new(interval: Duration) -> Self {
        Self { length: interval * WINDOW, batches: VecDeque::new(), expected: 0, found: 0, wrong: 0 }
    }

    fn begin(&mut self, time: Time) {
        self.batches.retain(|(batch, _)| *batch > time - self.length);
        self.batches.push_back((time, vec![Total::default(); STORES as usize + 1]));
    }

    fn add(&mut self, store: u32, sale: &RawSale<'_>) {
        let (_, stores) = self.batches.back_mut().expect("a batch has been begun");
        let store = &mut stores[store as usize];
        *store = store.add(Total { cents: sale.cents, sales: 1 });
    }

    /// Compares the window that ends with the batch begun last.
    fn compare(&mut self, tables: &mut dyn Tables, end: Time) -> Result<(), Box<dyn Error>> {
        let mut window = vec![Total::default(); STORES as usize + 1];
        for (_, stores) in &self.batches {
            window.iter_mut().zip(stores).for_each(|(sum, store)| *sum = sum.add(*store));
        }
        self.expected += window.iter().filter(|total| total.sales > 0).count() as u64;
        tables.window(end, &mut |store, total| {
            self.found += 1;
            self.wrong += u64::from(window.get(store as usize) != Some(&total));
        })
    }
}
