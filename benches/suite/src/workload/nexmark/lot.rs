// SPDX-License-Identifier: Apache-2.0
//! What becomes of an auction, for queries 4 and 6: the highest bid until it expires. The loops and the streams share
//! this, as a program would that has both.

use nexmark::event::Event;
use serde::{Deserialize, Serialize};

/// An event about an auction.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Offer {
    Opened { category: u64, seller: u64, time: u64, expires: u64 },
    Bid { price: u64, time: u64 },
}

impl Offer {
    /// The offer that an event is, with its auction.
    pub(super) fn of(event: &Event) -> Option<(u64, Self)> {
        match event {
            Event::Person(_) => None,
            Event::Auction(auction) => {
                let (category, seller) = (auction.category as u64, auction.seller as u64);
                let (time, expires) = (auction.date_time, auction.expires);
                Some((auction.id as u64, Self::Opened { category, seller, time, expires }))
            }
            Event::Bid(bid) => {
                Some((bid.auction as u64, Self::Bid { price: bid.price as u64, time: bid.date_time }))
            }
        }
    }
}

/// An auction that is open, or was closed in this batch.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Lot {
    pub(super) category: u64,
    pub(super) seller: u64,
    opened: u64,
    pub(super) expires: u64,
    /// The highest bid, 0 if there is none.
    pub(super) price: u64,
    is_closed: bool,
}

impl Lot {
    /// Whether it was closed in this batch, and somebody has bought it.
    pub(super) fn is_sold(&self) -> bool {
        self.is_closed && self.price > 0
    }

    /// What it is after a batch with these offers which ends at `now`; nothing if it was closed before, and for bids on
    /// an auction that has not been opened.
    pub(super) fn after(lot: Option<Self>, offers: &[Offer], now: u64) -> Option<Self> {
        let opened = offers.iter().find_map(|offer| match *offer {
            Offer::Opened { category, seller, time, expires } => {
                Some(Self { category, seller, opened: time, expires, price: 0, is_closed: false })
            }
            Offer::Bid { .. } => None,
        });
        let mut lot = lot.or(opened).filter(|lot| !lot.is_closed)?;
        for offer in offers {
            if let Offer::Bid { price, time } = *offer
                && (lot.opened..lot.expires).contains(&time)
            {
                lot.price = lot.price.max(price);
            }
        }
        lot.is_closed = lot.expires <= now;
        Some(lot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: Offer = Offer::Opened { category: 1, seller: 2, time: 10, expires: 20 };

    #[test]
    fn the_highest_bid_in_time_wins_and_then_the_lot_is_gone() {
        let bid = |price, time| Offer::Bid { price, time };
        let lot = Lot::after(None, &[bid(9, 9), OPENED, bid(3, 10)], 15).expect("it is open");
        assert!((lot.price, lot.is_sold()) == (3, false));
        let lot = Lot::after(Some(lot), &[bid(5, 19), bid(8, 20)], 25).expect("it closes now");
        assert!((lot.price, lot.is_sold()) == (5, true));
        assert!(Lot::after(Some(lot), &[bid(9, 26)], 30).is_none());
        assert!(Lot::after(None, &[bid(9, 9)], 30).is_none());
    }
}
