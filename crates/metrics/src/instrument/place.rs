// SPDX-License-Identifier: Apache-2.0
//! Places that threads add to: each thread has one of its own for as long as it lives, so that adding needs no lock of
//! the processor's bus. Threads beyond those share the last one.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// The number of places.
pub(super) const PLACES: usize = 64;
/// The one that is shared.
const SHARED: usize = PLACES - 1;

/// The places that are taken, a bit each.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// The place of a thread; given back at its end.
struct Place(usize);

thread_local! {
    static PLACE: Place = Place::take();
}

impl Place {
    fn take() -> Self {
        let mut taken = TAKEN.load(Relaxed);
        loop {
            let free = taken.trailing_ones() as usize;
            if free >= SHARED {
                return Self(SHARED);
            }
            // Whoever had the place before has written all that it has to write.
            match TAKEN.compare_exchange_weak(taken, taken | 1 << free, AcqRel, Acquire) {
                Ok(_) => return Self(free),
                Err(now) => taken = now,
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0 != SHARED {
            TAKEN.fetch_and(!(1 << self.0), Release);
        }
    }
}

/// The place of this thread.
#[inline]
pub(super) fn place() -> usize {
    // A thread that ends has given its place back.
    PLACE.try_with(|place| place.0).unwrap_or(SHARED)
}

/// Adds to a number at a place.
#[inline]
pub(super) fn add(number: &AtomicU64, place: usize, more: u64) {
    if place == SHARED {
        number.fetch_add(more, Relaxed);
    } else {
        number.store(number.load(Relaxed).wrapping_add(more), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_threads_than_places_lose_nothing() {
        let numbers: Vec<AtomicU64> = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        for _ in 0..3 {
            std::thread::scope(|threads| {
                for _ in 0..PLACES + 20 {
                    threads.spawn(|| (0..500).for_each(|_| add(&numbers[place()], place(), 1)));
                }
            });
        }
        let sum: u64 = numbers.iter().map(|number| number.load(Relaxed)).sum();
        assert_eq!(sum, 3 * 500 * (PLACES as u64 + 20));
    }
}
