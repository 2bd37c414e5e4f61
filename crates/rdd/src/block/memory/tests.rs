// SPDX-License-Identifier: Apache-2.0
//! Who has to give way, and that the budget is neither exceeded nor leaked.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Blocks that are dropped when evicted; keeps a record of it.
struct Cache {
    id: u64,
    blocks: Mutex<BTreeMap<usize, (Reservation, BlockHandle)>>,
    evicted: Mutex<Vec<usize>>,
    refuses: AtomicBool,
}

impl Cache {
    fn new(id: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            blocks: Mutex::default(),
            evicted: Mutex::default(),
            refuses: AtomicBool::new(false),
        })
    }

    fn store(self: &Arc<Self>, budget: &MemoryBudget, partition: usize, bytes: usize) -> bool {
        let Some(reservation) = budget.reserve_for(self.id, bytes) else { return false };
        let owner: Arc<dyn Evict> = self.clone();
        let handle = budget.register(Arc::downgrade(&owner), self.id, partition, bytes);
        let before = self.blocks.lock().insert(partition, (reservation, handle));
        drop(before);
        true
    }

    fn touch(&self, partition: usize) {
        if let Some((_, handle)) = self.blocks.lock().get(&partition) {
            handle.touch();
        }
    }

    fn bytes(&self) -> usize {
        self.blocks.lock().values().map(|(reservation, _)| reservation.bytes()).sum()
    }
}

impl Evict for Cache {
    fn evict(&self, partition: usize) -> EvictOutcome {
        if self.refuses.load(Ordering::Relaxed) {
            return EvictOutcome::Refused;
        }
        let Some((reservation, _handle)) = self.blocks.lock().remove(&partition) else {
            return EvictOutcome::Refused;
        };
        self.evicted.lock().push(partition);
        EvictOutcome::Freed(reservation.bytes())
    }
}

fn is_clean(budget: &MemoryBudget) -> bool {
    let state = budget.0.state.lock();
    state.used == 0 && state.blocks.is_empty() && state.by_use.is_empty()
}

#[test]
fn the_least_recently_used_block_gives_way_first() {
    let (budget, cache) = (MemoryBudget::new(100), Cache::new(1));
    assert!((0..4).all(|partition| cache.store(&budget, partition, 25)));
    cache.touch(0);
    cache.touch(2);
    let _reservation = budget.reserve(40).unwrap();
    assert_eq!(*cache.evicted.lock(), [1, 3]);
    assert_eq!(budget.used(), 90);
}

#[test]
fn an_owner_does_not_evict_its_own_blocks() {
    let (budget, cache, other) = (MemoryBudget::new(100), Cache::new(1), Cache::new(2));
    assert!(cache.store(&budget, 0, 60));
    assert!(other.store(&budget, 0, 40));
    assert!(cache.store(&budget, 1, 40));
    assert!(!cache.store(&budget, 2, 40));
    assert_eq!((cache.evicted.lock().len(), other.evicted.lock().len()), (0, 1));
}

#[test]
fn a_reservation_grows_on_behalf_of_its_owner() {
    let (budget, cache) = (MemoryBudget::new(100), Cache::new(1));
    assert!(cache.store(&budget, 0, 60));
    assert!(!budget.reserve_for(1, 40).unwrap().try_grow(1));
    assert!(budget.reserve_for(2, 40).unwrap().try_grow(1));
}

#[test]
fn nothing_is_evicted_in_vain() {
    let (budget, cache) = (MemoryBudget::new(100), Cache::new(1));
    let _fixed = budget.reserve(50).unwrap();
    assert!(cache.store(&budget, 0, 50));
    assert!(budget.reserve(51).is_none());
    assert!(budget.reserve(usize::MAX).is_none());
    assert!(cache.evicted.lock().is_empty());
}

#[test]
fn a_block_that_refuses_is_passed_over_and_asked_again_later() {
    let (budget, stubborn, other) = (MemoryBudget::new(100), Cache::new(1), Cache::new(2));
    assert!(stubborn.store(&budget, 0, 50) && other.store(&budget, 0, 50));
    stubborn.refuses.store(true, Ordering::Relaxed);
    assert!(budget.reserve(30).is_some());
    assert_eq!((stubborn.evicted.lock().len(), other.evicted.lock().len()), (0, 1));
    assert!(budget.reserve(60).is_none());
    stubborn.refuses.store(false, Ordering::Relaxed);
    assert!(budget.reserve(60).is_some());
}

#[test]
fn blocks_of_an_owner_that_is_gone_are_forgotten() {
    let (budget, cache) = (MemoryBudget::new(100), Cache::new(1));
    let owner: Arc<dyn Evict> = cache.clone();
    let _handle = budget.register(Arc::downgrade(&owner), 1, 0, 80);
    drop((owner, cache));
    let _reservation = budget.reserve(90).unwrap();
    assert!(budget.reserve(20).is_none());
    assert!(budget.0.state.lock().blocks.is_empty());
}

#[test]
fn an_eviction_may_use_the_budget() {
    struct Spills(MemoryBudget, Mutex<Option<Reservation>>, AtomicUsize);
    impl Evict for Spills {
        fn evict(&self, _: usize) -> EvictOutcome {
            // A buffer to write with; this very block is not asked again for it.
            self.2.fetch_add(usize::from(self.0.reserve(10).is_some()), Ordering::Relaxed);
            EvictOutcome::Freed(self.1.lock().take().map_or(0, |reservation| reservation.bytes()))
        }
    }
    let budget = MemoryBudget::new(100);
    let spills = Arc::new(Spills(budget.clone(), Mutex::new(budget.reserve(90)), AtomicUsize::new(0)));
    let owner: Arc<dyn Evict> = spills.clone();
    let _handle = budget.register(Arc::downgrade(&owner), 1, 0, 90);
    assert!(budget.reserve(50).is_some());
    assert_eq!(spills.2.load(Ordering::Relaxed), 1);
}

#[test]
fn threads_share_the_budget() {
    let budget = MemoryBudget::new(1000);
    let caches: Vec<_> = (0..4).map(Cache::new).collect();
    thread::scope(|scope| {
        for cache in &caches {
            let budget = budget.clone();
            scope.spawn(move || {
                for round in 0..500 {
                    cache.store(&budget, round % 7, 40 + round % 90);
                    cache.touch(round % 5);
                    assert!(budget.used() <= budget.limit());
                }
            });
        }
    });
    assert_eq!(budget.used(), caches.iter().map(|cache| cache.bytes()).sum::<usize>());
    for cache in &caches {
        let blocks = std::mem::take(&mut *cache.blocks.lock());
        drop(blocks);
    }
    assert!(is_clean(&budget));
}

#[derive(Clone, Debug)]
enum Step {
    Reserve(usize),
    Grow(usize, usize),
    Shrink(usize, usize),
    Release(usize),
    Store(usize, usize, usize),
    Touch(usize, usize),
    Refuse(usize, bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_usize..150).prop_map(Step::Reserve),
        (0_usize..8, 0_usize..80).prop_map(|(which, bytes)| Step::Grow(which, bytes)),
        (0_usize..8, 0_usize..80).prop_map(|(which, bytes)| Step::Shrink(which, bytes)),
        (0_usize..8).prop_map(Step::Release),
        (0_usize..3, 0_usize..4, 0_usize..60).prop_map(|(who, part, bytes)| Step::Store(who, part, bytes)),
        (0_usize..3, 0_usize..4).prop_map(|(who, part)| Step::Touch(who, part)),
        (0_usize..3, any::<bool>()).prop_map(|(who, refuses)| Step::Refuse(who, refuses)),
    ]
}

proptest! {
    #[test]
    fn what_is_used_is_what_is_held_and_within_the_limit(steps in vec(any_step(), 0..80), limit in 0_usize..200) {
        let budget = MemoryBudget::new(limit);
        let caches: Vec<_> = (0..3).map(Cache::new).collect();
        let mut held: Vec<Reservation> = Vec::new();
        for step in steps {
            let free = limit - budget.used();
            match step {
                Step::Reserve(bytes) => {
                    let reservation = budget.reserve(bytes);
                    prop_assert!(reservation.is_some() || bytes > free);
                    held.extend(reservation);
                }
                Step::Grow(which, bytes) => {
                    if let Some(reservation) = held.get_mut(which) {
                        let before = reservation.bytes();
                        let grown = reservation.try_grow(bytes);
                        prop_assert!(grown || bytes > free);
                        prop_assert_eq!(reservation.bytes(), before + if grown { bytes } else { 0 });
                    }
                }
                Step::Shrink(which, bytes) => {
                    if let Some(reservation) = held.get_mut(which) {
                        reservation.shrink(bytes);
                    }
                }
                Step::Release(which) => {
                    if which < held.len() {
                        drop(held.swap_remove(which));
                    }
                }
                Step::Store(who, part, bytes) => {
                    caches[who].store(&budget, part, bytes);
                }
                Step::Touch(who, part) => caches[who].touch(part),
                Step::Refuse(who, refuses) => caches[who].refuses.store(refuses, Ordering::Relaxed),
            }
            let sum = held.iter().map(Reservation::bytes).chain(caches.iter().map(|cache| cache.bytes())).sum::<usize>();
            prop_assert_eq!(budget.used(), sum);
            prop_assert!(sum <= limit);
        }
        drop(held);
        for cache in &caches {
            let blocks = std::mem::take(&mut *cache.blocks.lock());
            drop(blocks);
        }
        prop_assert!(is_clean(&budget));
    }
}
