// SPDX-License-Identifier: Apache-2.0
//! Which of the files that are there a batch takes: those modified since a threshold and not taken recently.

use std::{collections::BTreeMap, ffi::OsString};

use super::SelectedFile;
use crate::time::{Duration, Time};

/// The rule, and the files taken recently.
#[derive(Debug)]
pub(super) struct Selection {
    /// Files that were not modified after this time are never taken.
    initial_ignore: Time,
    interval: Duration,
    window: Duration,
    /// How far batch times are ahead of the times of files.
    ahead: Duration,
    /// The batch that took each file.
    recent: BTreeMap<OsString, Time>,
}

impl Selection {
    /// A rule for batches every `interval` that looks back for `min_remember`, rounded up to whole intervals.
    pub(super) fn new(initial_ignore: Time, interval: Duration, min_remember: Duration) -> Self {
        let step = interval.as_millis().max(1);
        let intervals = min_remember.as_millis().max(1).saturating_add(step - 1) / step;
        Self {
            initial_ignore,
            interval,
            window: interval * intervals,
            ahead: Duration::ZERO,
            recent: BTreeMap::new(),
        }
    }

    /// How far back from a batch a file may have been modified to be taken.
    pub(super) fn window(&self) -> Duration {
        self.window
    }

    /// Says how far batch times are ahead of the times of files.
    pub(super) fn set_ahead(&mut self, ahead: Duration) {
        self.ahead = ahead;
    }

    /// Files that were not modified after this time are never taken.
    pub(super) fn initial_ignore(&self) -> Time {
        self.initial_ignore
    }

    /// Goes on where another process was: with the time that it began at, and the files that its batches took.
    pub(super) fn restore<'a>(
        &mut self,
        initial_ignore: Time,
        taken: impl Iterator<Item = (Time, &'a [SelectedFile])>,
    ) {
        self.initial_ignore = initial_ignore;
        self.recent =
            taken.flat_map(|(time, files)| files.iter().map(move |file| (file.path.clone(), time))).collect();
    }

    /// The files that the batch at `time` takes of those that are there, in the same order.
    pub(super) fn select(&mut self, time: Time, listed: Vec<SelectedFile>) -> Vec<SelectedFile> {
        // A file that its batch took longer ago is too old by now, unless it was modified since and is to be read
        // again. This depends on batch times alone, so that it is the same whenever earlier batches complete.
        let remembered_since = time - self.interval - self.window;
        self.recent.retain(|_, batch| *batch >= remembered_since);
        let threshold = self.initial_ignore.max(time - self.window);
        let mut selected = listed;
        selected.retain(|file| {
            let modified = file.modified + self.ahead;
            modified > threshold && modified <= time && !self.recent.contains_key(&file.path)
        });
        self.recent.extend(selected.iter().map(|file| (file.path.clone(), time)));
        selected
    }

    /// Lets a later batch take the files again.
    pub(super) fn give_back(&mut self, files: &[SelectedFile]) {
        for file in files {
            self.recent.remove(&file.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::time::{milliseconds, seconds};

    fn at(millis: i64) -> Time {
        Time::from_millis(millis)
    }

    fn file(name: impl std::fmt::Display, modified: i64) -> SelectedFile {
        SelectedFile::new(name.to_string(), at(modified), 1)
    }

    #[test]
    fn the_bounds_of_the_window_are_exclusive_below_and_inclusive_above() {
        let mut selection = Selection::new(Time::ZERO, seconds(1), seconds(3));
        let files =
            vec![file("early", 7_000), file("first", 7_001), file("last", 10_000), file("late", 10_001)];
        let taken = selection.select(at(10_000), files);
        assert_eq!(taken, [file("first", 7_001), file("last", 10_000)]);
    }

    #[test]
    fn nothing_modified_up_to_the_start_is_taken() {
        let mut selection = Selection::new(at(9_000), seconds(1), seconds(3));
        let taken = selection.select(at(10_000), vec![file("before", 9_000), file("after", 9_001)]);
        assert_eq!(taken, [file("after", 9_001)]);
    }

    #[test]
    fn the_window_is_a_whole_number_of_intervals() {
        assert_eq!(Selection::new(Time::ZERO, seconds(2), seconds(60)).window(), seconds(60));
        assert_eq!(Selection::new(Time::ZERO, seconds(7), seconds(60)).window(), seconds(63));
        assert_eq!(Selection::new(Time::ZERO, seconds(120), milliseconds(1)).window(), seconds(120));
    }

    // INVARIANT 10
    #[test]
    fn a_file_is_taken_again_only_when_it_was_modified_after_it_was_forgotten() {
        let mut selection = Selection::new(Time::ZERO, seconds(1), seconds(2));
        assert_eq!(selection.select(at(1_000), vec![file("a", 500)]).len(), 1);
        assert_eq!(selection.select(at(2_000), vec![file("a", 1_500)]), [], "an update within the window");
        assert_eq!(
            selection.select(at(4_000), vec![file("a", 3_500)]),
            [],
            "it is remembered for three more batches"
        );
        assert_eq!(selection.select(at(5_000), vec![file("a", 4_500)]).len(), 1);
    }

    #[test]
    fn a_file_that_is_given_back_is_taken_by_the_next_batch() {
        let mut selection = Selection::new(Time::ZERO, seconds(1), seconds(2));
        let taken = selection.select(at(1_000), vec![file("a", 500)]);
        selection.give_back(&taken);
        assert_eq!(selection.select(at(2_000), vec![file("a", 500)]).len(), 1);
    }

    proptest! {
        #[test]
        fn selection_follows_the_rule_as_it_is_written(
            initial_ignore in 0i64..6,
            interval in 1i64..4,
            min_remember in 1i64..9,
            batches in vec(vec((0u8..4, -4i64..5), 0..6), 1..20),
        ) {
            let mut selection =
                Selection::new(at(initial_ignore), milliseconds(interval), milliseconds(min_remember));
            let mut window = interval;
            while window < min_remember {
                window += interval;
            }
            let mut taken_so_far: Vec<(u8, i64)> = Vec::new();
            for (number, listed) in (1i64..).zip(batches) {
                let time = number * interval;
                let mut listed: Vec<(u8, i64)> =
                    listed.into_iter().map(|(name, age)| (name, time - age)).collect();
                listed.sort_unstable();
                listed.dedup_by_key(|(name, _)| *name);
                let expected: Vec<(u8, i64)> = listed
                    .iter()
                    .copied()
                    .filter(|&(name, modified)| {
                        let recently = taken_so_far
                            .iter()
                            .any(|&(other, batch)| other == name && batch >= time - interval - window);
                        modified > initial_ignore.max(time - window) && modified <= time && !recently
                    })
                    .collect();
                let files = listed.iter().map(|&(name, modified)| file(name, modified)).collect();
                let taken = selection.select(at(time), files);
                let expected_files: Vec<_> =
                    expected.iter().map(|&(name, modified)| file(name, modified)).collect();
                prop_assert_eq!(taken, expected_files);
                taken_so_far.extend(expected.into_iter().map(|(name, _)| (name, time)));
            }
        }

        #[test]
        fn every_file_that_appears_in_time_is_taken_exactly_once(
            interval in 1i64..5,
            min_remember in 1i64..12,
            files in vec((1i64..40, 0i64..100), 0..12),
        ) {
            let mut selection = Selection::new(Time::ZERO, milliseconds(interval), milliseconds(min_remember));
            let window = selection.window().as_millis();
            // The last batch that can take a file is less than a window after its modification.
            let in_time: Vec<(i64, i64)> = files
                .into_iter()
                .map(|(modified, delay)| (modified, modified + delay % (window - interval + 1)))
                .collect();
            let mut times_taken = vec![0; in_time.len()];
            for number in 1..=60 / interval + 20 {
                let time = number * interval;
                let listed = in_time
                    .iter()
                    .enumerate()
                    .filter(|(_, (_, appears))| *appears <= time)
                    .map(|(name, (modified, _))| file(name, *modified))
                    .collect();
                for taken in selection.select(at(time), listed) {
                    let name: usize = taken.path().display().to_string().parse().expect("a number");
                    times_taken[name] += 1;
                }
            }
            prop_assert!(times_taken.iter().all(|&times| times == 1), "{times_taken:?}");
        }
    }
}
