// SPDX-License-Identifier: Apache-2.0
//! `State<S>`: the state of a key as the function of `map_with_state` sees and changes it.

/// The state of one key while the function of a [`StateSpec`](crate::StateSpec) is called for it.
///
/// What the function does last counts, and takes effect when it returns: an update after which the state is removed
/// removes it. The methods that change the state panic where Spark throws; as with every panic in a task, the attempt
/// fails with that text and leaves no trace in any state.
///
/// ```
/// # use dstreams_streaming::testing::run_batches;
/// use dstreams_streaming::{State, StateSpec};
/// let out = run_batches(vec![vec![('a', 1), ('b', 5)], vec![('a', 2)]], |pairs| {
///     let sum = |_: &char, n: Option<i32>, sum: &mut State<'_, i32>| {
///         sum.update(sum.get().unwrap_or(&0) + n.unwrap_or(0));
///         *sum.get().expect("it has just been set")
///     };
///     pairs.map_with_state(StateSpec::function(sum).partitions(1)).into()
/// })?;
/// assert_eq!(out, [vec![1, 5], vec![3]]);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
#[derive(Debug)]
pub struct State<'a, S> {
    before: Option<&'a S>,
    change: Change<S>,
    timing_out: bool,
}

/// What a call of the function did to the state.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change<S> {
    None,
    Updated(S),
    Removed,
}

impl<'a, S> State<'a, S> {
    /// The state of a key that has data in the batch.
    pub(super) fn of(before: Option<&'a S>) -> Self {
        Self { before, change: Change::None, timing_out: false }
    }

    /// The state of a key that has been idle for too long.
    pub(super) fn of_idle(before: &'a S) -> Self {
        Self { before: Some(before), change: Change::None, timing_out: true }
    }

    pub(super) fn into_change(self) -> Change<S> {
        self.change
    }

    /// Whether the key has a state.
    pub fn exists(&self) -> bool {
        self.get().is_some()
    }

    /// The state, if the key has one; what was set by this call of the function already counts.
    pub fn get(&self) -> Option<&S> {
        match &self.change {
            Change::None => self.before,
            Change::Updated(state) => Some(state),
            Change::Removed => None,
        }
    }

    /// Sets the state.
    ///
    /// # Panics
    ///
    /// When the state has been removed by this call of the function, or is timing out.
    pub fn update(&mut self, state: S) {
        assert!(
            !matches!(self.change, Change::Removed),
            "requirement failed: Cannot update the state after it has been removed"
        );
        assert!(!self.timing_out, "requirement failed: Cannot update the state that is timing out");
        self.change = Change::Updated(state);
    }

    /// Forgets the state, and the key with it.
    ///
    /// # Panics
    ///
    /// When the state has been removed by this call of the function already, or is timing out and goes anyhow.
    pub fn remove(&mut self) {
        assert!(!self.timing_out, "requirement failed: Cannot remove the state that is timing out");
        assert!(
            !matches!(self.change, Change::Removed),
            "requirement failed: Cannot remove the state that has already been removed"
        );
        self.change = Change::Removed;
    }

    /// Whether the key has been idle for longer than the timeout of the spec: the function is called for it a last
    /// time, without a value, and the state goes when it returns.
    pub fn is_timing_out(&self) -> bool {
        self.timing_out
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn refusal(f: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it is refused");
        dstreams_rdd::panic_text(&*panic)
    }

    #[test]
    fn a_state_that_was_never_set_does_not_exist() {
        let state = State::<i32>::of(None);
        assert_eq!((state.exists(), state.get(), state.is_timing_out()), (false, None, false));
        assert_eq!(state.into_change(), Change::None);
    }

    #[test]
    fn an_update_is_seen_at_once() {
        let mut state = State::of(Some(&1));
        assert_eq!((state.exists(), state.get()), (true, Some(&1)));
        state.update(2);
        assert_eq!(state.get(), Some(&2));
        let mut fresh = State::of(None);
        fresh.update(2);
        assert_eq!((fresh.exists(), fresh.get()), (true, Some(&2)));
        assert_eq!(fresh.into_change(), Change::Updated(2));
    }

    #[test]
    fn a_removed_state_does_not_come_back() {
        let mut state = State::of(Some(&1));
        state.update(2);
        state.remove();
        assert_eq!((state.exists(), state.get()), (false, None));
        let twice = refusal(|| state.remove());
        assert_eq!(twice, "requirement failed: Cannot remove the state that has already been removed");
        let after = refusal(|| state.update(-1));
        assert_eq!(after, "requirement failed: Cannot update the state after it has been removed");
        assert_eq!(state.into_change(), Change::Removed);
    }

    #[test]
    fn a_state_that_is_timing_out_can_only_be_read() {
        let mut state = State::of_idle(&3);
        assert_eq!((state.exists(), state.get(), state.is_timing_out()), (true, Some(&3), true));
        let removed = refusal(|| state.remove());
        assert_eq!(removed, "requirement failed: Cannot remove the state that is timing out");
        let updated = refusal(|| state.update(-1));
        assert_eq!(updated, "requirement failed: Cannot update the state that is timing out");
        assert_eq!(state.into_change(), Change::None);
    }
}
