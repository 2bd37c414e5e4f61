// SPDX-License-Identifier: Apache-2.0
//! The tills: message number n is the same whenever it is asked for, so that all totals can be computed apart.

use super::{
    master::{PRODUCTS, STORES, price_of},
    message::{Message, PLACES, Payment, RawSale},
};

/// How many sales a message has on average.
pub(super) const SALES_PER_MESSAGE: u64 = 200;

pub(super) const CUSTOMERS: u32 = 20_000;

/// One message in so many is malformed.
const MALFORMED: u64 = 400;

/// One sale in so many makes no sense.
const INVALID: u64 = 1_000;

/// When the first sale was.
const OPENING: i64 = 1_767_254_400_000;

/// All the messages that there will ever be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tills {
    pub(super) seed: u64,
}

/// A message, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Generated {
    pub(super) message: Message<'static>,
    pub(super) damage: Option<Damage>,
    /// The places of the sales that are invalid, in their order.
    pub(super) invalid: Vec<usize>,
}

/// What happens to the text of a message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    Truncated,
    /// Somebody else answers.
    Replaced,
    MissingField,
}

impl Generated {
    /// To be filled by [`Tills::generate`].
    pub(super) fn empty() -> Self {
        let sales = Vec::with_capacity(SALES_PER_MESSAGE as usize * 2);
        Self { message: Message { message: 0, store: 0, sales }, damage: None, invalid: Vec::new() }
    }

    /// The sales that should be stored.
    pub(super) fn valid(&self) -> impl Iterator<Item = &RawSale<'static>> {
        let sales = if self.damage.is_none() { &self.message.sales[..] } else { &[] };
        let mut invalid = self.invalid.iter().peekable();
        sales
            .iter()
            .enumerate()
            .filter(move |(place, _)| invalid.next_if_eq(&place).is_none())
            .map(|(_, sale)| sale)
    }

    /// The text of the message as it arrives, into `out`.
    pub(super) fn text(&self, out: &mut Vec<u8>) {
        out.clear();
        serde_json::to_writer(&mut *out, &self.message)
            .expect("memory takes all, and numbers are always JSON");
        match self.damage {
            None => {}
            Some(Damage::Truncated) => out.truncate(out.len() / 2),
            Some(Damage::Replaced) => *out = b"<html><body>502 Bad Gateway</body></html>".to_vec(),
            Some(Damage::MissingField) => out.splice(.., *b"{\"store\":1,\"sales\":[]}").for_each(drop),
        }
    }
}

impl Tills {
    /// Makes message `number` in place of the one in `out`.
    pub(super) fn generate(self, number: u64, out: &mut Generated) {
        let mut random = Random::new(self.seed, number);
        let message = &mut out.message;
        message.message = number;
        message.store = 1 + random.below(u64::from(STORES)) as u32;
        out.damage = match random.below(MALFORMED * 3) {
            0 => Some(Damage::Truncated),
            1 => Some(Damage::Replaced),
            2 => Some(Damage::MissingField),
            _ => None,
        };
        message.sales.clear();
        out.invalid.clear();
        let sales = SALES_PER_MESSAGE * 3 / 4 + random.below(SALES_PER_MESSAGE / 2 + 1);
        for place in 0..sales {
            let mut sale = random.sale(number, place);
            let wrong = random.below(INVALID * 4);
            if wrong < 4 {
                spoil(&mut sale, wrong);
                out.invalid.push(place as usize);
            }
            message.sales.push(sale);
        }
    }
}

/// Makes a sale invalid, in one of four ways.
fn spoil(sale: &mut RawSale<'static>, how: u64) {
    match how {
        0 => sale.payment = "shells",
        1 => sale.quantity = -sale.quantity,
        2 => sale.cents = 0,
        // Passes validation; only the master data know that there is no such product.
        _ => sale.product += PRODUCTS,
    }
}

/// SplitMix64: good enough, and every message can begin where it likes.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut random = Self(seed ^ number.wrapping_mul(0xd129_0d3f_6c1a_75b5));
        // Neighbours must not look alike.
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    fn sale(&mut self, message: u64, place: u64) -> RawSale<'static> {
        let product = 1 + self.below(u64::from(PRODUCTS)) as u32;
        let quantity = 1 + self.below(5) as i64;
        RawSale {
            id: message * PLACES + place,
            at: OPENING + (message * 120 + place / 2) as i64,
            customer: 1 + self.below(u64::from(CUSTOMERS)) as u32,
            product,
            quantity,
            cents: price_of(product) * quantity,
            payment: Payment::ALL[self.below(3) as usize].name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use dstreams::{Text, streaming::Rejection as _};

    use super::*;
    use crate::demo::retail::message::{NOT_A_MESSAGE, parse};

    const TILLS: Tills = Tills { seed: 42 };

    #[test]
    fn a_message_is_the_same_whenever_it_is_made() {
        let (mut once, mut again) = (Generated::empty(), Generated::empty());
        for number in [0, 1, 17, 1_000_000] {
            TILLS.generate(number, &mut once);
            TILLS.generate(0, &mut again);
            TILLS.generate(number, &mut again);
            assert_eq!(
                (&once.message, once.damage, &once.invalid),
                (&again.message, again.damage, &again.invalid)
            );
        }
        TILLS.generate(0, &mut once);
        Tills { seed: 43 }.generate(0, &mut again);
        assert_ne!(once.message, again.message);
    }

    #[test]
    fn what_is_said_to_be_wrong_is_what_parsing_finds_wrong() {
        let (mut generated, mut bytes) = (Generated::empty(), Vec::new());
        let (mut sales, mut malformed, mut invalid) = (0, 0, 0);
        for number in 0..4_000 {
            TILLS.generate(number, &mut generated);
            generated.text(&mut bytes);
            let parsed = parse(&Text::from(std::str::from_utf8(&bytes).unwrap()));
            sales += generated.message.sales.len() as u64;
            if generated.damage.is_some() {
                malformed += 1;
                assert_eq!(parsed.len(), 1);
                assert!(parsed[0].as_ref().unwrap_err().reason().starts_with(NOT_A_MESSAGE));
                assert_eq!(generated.valid().count(), 0);
                continue;
            }
            assert_eq!(parsed.len(), generated.message.sales.len());
            // A product that does not exist is found later.
            let good: Vec<u64> =
                parsed.iter().flatten().filter(|sale| sale.product <= PRODUCTS).map(|sale| sale.id).collect();
            invalid += parsed.len() - good.len();
            assert_eq!(good, generated.valid().map(|sale| sale.id).collect::<Vec<_>>());
        }
        assert!((780_000..820_000).contains(&sales), "{sales}");
        assert!((5..20).contains(&malformed) && (600..1_000).contains(&invalid), "{malformed} {invalid}");
    }
}
