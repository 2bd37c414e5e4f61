// SPDX-License-Identifier: Apache-2.0
//! How much memory records take, estimated from samples: what shuffles charge to the memory budget.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

/// Larger values are not measured to their end, since a sample must not cost more than the work it stands for.
const MEASURED: usize = 8 << 10;

/// The bytes that a value holds behind its own size, estimated from its parts: eight per number or length, and the
/// bytes of its strings. Nothing for a value that is too large to be measured or cannot be encoded.
pub(crate) fn heap_size<T: Serialize>(value: &T) -> Option<usize> {
    postcard::serialize_with_flavor(value, Parts(0)).ok()
}

struct Parts(usize);

impl Flavor for Parts {
    type Output = usize;

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0 += bytes.len().max(8);
        if self.0 > MEASURED { Err(postcard::Error::SerializeBufferFull) } else { Ok(()) }
    }

    fn try_push(&mut self, _byte: u8) -> postcard::Result<()> {
        self.0 += 1;
        if self.0 > MEASURED { Err(postcard::Error::SerializeBufferFull) } else { Ok(()) }
    }

    fn finalize(self) -> postcard::Result<usize> {
        Ok(self.0)
    }
}

/// The mean of samples.
#[derive(Default)]
pub(crate) struct Mean {
    sum: usize,
    samples: usize,
}

impl Mean {
    pub(crate) fn add(&mut self, sample: usize) {
        self.sum = self.sum.saturating_add(sample);
        self.samples += 1;
    }

    /// What `count` values come to.
    pub(crate) fn times(&self, count: usize) -> usize {
        count.saturating_mul(self.sum).checked_div(self.samples).unwrap_or(0)
    }
}

/// The memory of records that are kept as they come.
#[derive(Default)]
pub(crate) struct RecordMeter {
    heap: Mean,
    records: usize,
}

impl RecordMeter {
    /// Counts the records of a chunk; a few of them are measured.
    pub(crate) fn count<T: Serialize>(&mut self, chunk: &[T]) {
        self.records += chunk.len();
        // What needs no drop owns nothing elsewhere.
        if !std::mem::needs_drop::<T>() {
            return;
        }
        for record in chunk.iter().step_by(chunk.len().div_ceil(4).max(1)) {
            self.heap.add(heap_size(record).unwrap_or(MEASURED));
        }
    }

    /// How many records were counted.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// The bytes of all records counted.
    pub(crate) fn bytes<T>(&self) -> usize {
        self.records.saturating_mul(size_of::<T>()).saturating_add(self.heap())
    }

    /// The bytes that all records counted hold elsewhere.
    pub(crate) fn heap(&self) -> usize {
        self.heap.times(self.records)
    }

    /// Forgets the records, but not how large they were.
    pub(crate) fn reset(&mut self) {
        self.records = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_with_their_size_in_memory() {
        assert_eq!(heap_size(&7u64), Some(8));
        assert_eq!(heap_size(&vec![1u64; 100]), Some(808));
        assert_eq!(heap_size(&"x".repeat(100)), Some(108));
        assert_eq!(heap_size(&()), Some(0));
        assert_eq!(heap_size(&vec![1u64; 100_000]), None);
    }

    #[test]
    fn records_are_measured_by_a_few_of_them() {
        let mut meter = RecordMeter::default();
        meter.count(&vec!["x".repeat(92); 1000]);
        assert_eq!(meter.bytes::<String>(), 1000 * (size_of::<String>() + 100));
        meter.reset();
        assert_eq!(meter.bytes::<String>(), 0);
        meter.count::<String>(&[]);
        assert_eq!(meter.bytes::<String>(), 0);
    }
}
