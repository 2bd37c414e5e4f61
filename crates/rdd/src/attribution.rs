// SPDX-License-Identifier: Apache-2.0
//! Whose work it is: a mark that the caller sets on its thread, and that the datasets made there carry.

use std::cell::Cell;

thread_local! {
    static OWNER: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Calls `f`; the datasets that it makes on this thread belong to `owner`, to whom the time is charged that their
/// operators take in tasks. Calls can be nested; the innermost counts.
///
/// ```
/// use dstreams_rdd::{RddContext, owned_by};
/// let sc = RddContext::local(1)?;
/// let numbers = owned_by(7, || sc.parallelize([1, 2]));
/// assert_eq!(numbers.lineage().owner(), Some(7));
/// # Ok::<(), dstreams_rdd::Error>(())
/// ```
pub fn owned_by<R>(owner: u64, f: impl FnOnce() -> R) -> R {
    let _restored = Restore { before: OWNER.replace(Some(owner)) };
    f()
}

/// To whom new datasets of this thread belong.
pub(crate) fn owner() -> Option<u64> {
    OWNER.get()
}

/// Puts the mark back, also when the code under it panics.
struct Restore {
    before: Option<u64>,
}

impl Drop for Restore {
    fn drop(&mut self) {
        OWNER.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_nested_and_put_back() {
        let inner = owned_by(1, || (owned_by(2, owner), owner()));
        assert_eq!((inner, owner()), ((Some(2), Some(1)), None));
        let caught = std::panic::catch_unwind(|| owned_by(3, || std::panic::resume_unwind(Box::new("no"))));
        assert!(caught.is_err());
        assert_eq!(owner(), None);
    }
}
