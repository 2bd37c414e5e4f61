// SPDX-License-Identifier: Apache-2.0
// What becomes of an auction, for queries 4 and 6: the highest bid until it expires.

import java.io.Serializable;
import java.util.List;
import org.apache.spark.api.java.Optional;

/** An auction that is open, or was closed in this batch. */
final class Lot implements Serializable {
    /** Events of a second of their time. */
    private static final long RATE = 10_000;

    long category;
    long seller;
    long expires;
    /** The highest bid, 0 if there is none. */
    long price;
    private long opened;
    private boolean closed;
    /** The number of its batch; updateStateByKey in Java does not tell the time. */
    private long batch;

    /** An event about an auction. Not a record, because Kryo cannot write those. */
    static final class Offer implements Serializable {
        private boolean isAuction;
        private long number;
        private long category;
        private long seller;
        private long expires;
        private long time;
        private long price;

        static Offer of(Events.Auction auction) {
            Offer offer = new Offer();
            offer.isAuction = true;
            offer.number = auction.id();
            offer.category = auction.category();
            offer.seller = auction.seller();
            offer.expires = auction.expires();
            offer.time = auction.time();
            return offer;
        }

        static Offer of(Events.Bid bid) {
            Offer offer = new Offer();
            offer.time = bid.time();
            offer.price = bid.price();
            return offer;
        }
    }

    /** Whether it was closed in this batch, and somebody has bought it. */
    boolean isSold() {
        return closed && price > 0;
    }

    /** What it is after a batch with these offers; nothing if it was closed before or has not been opened. */
    static Optional<Lot> after(List<Offer> offers, Optional<Lot> before, long perBatch) {
        Lot lot = before.isPresent() ? next(before.get()) : opened(offers, perBatch);
        if (lot == null) {
            return Optional.empty();
        }
        for (Offer offer : offers) {
            if (!offer.isAuction && offer.time >= lot.opened && offer.time < lot.expires) {
                lot.price = Math.max(lot.price, offer.price);
            }
        }
        lot.closed = lot.expires <= (lot.batch + 1) * perBatch * 1000 / RATE;
        return Optional.of(lot);
    }

    /** A copy, because what a state was before must not change. */
    private static Lot next(Lot before) {
        if (before.closed) {
            return null;
        }
        Lot lot = new Lot();
        lot.category = before.category;
        lot.seller = before.seller;
        lot.expires = before.expires;
        lot.price = before.price;
        lot.opened = before.opened;
        lot.batch = before.batch + 1;
        return lot;
    }

    private static Lot opened(List<Offer> offers, long perBatch) {
        for (Offer offer : offers) {
            if (offer.isAuction) {
                Lot lot = new Lot();
                lot.category = offer.category;
                lot.seller = offer.seller;
                lot.expires = offer.expires;
                lot.opened = offer.time;
                // Three of fifty events are auctions, which are numbered from 1000.
                long number = offer.number - 1000;
                lot.batch = (number / 3 * 50 + 1 + number % 3) / perBatch;
                return lot;
            }
        }
        return null;
    }
}
