// SPDX-License-Identifier: Apache-2.0
//! `RecoveryReport`: what a start makes of what an earlier program left, part by part.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{
    record::{Program, StoredOperator},
    recovered::Recovered,
};
use crate::{input::StreamId, state::shape::Reading, time::Time};

/// What becomes of what the checkpoint directory holds when this program starts on it. Shown as a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// The last batch that is complete.
    pub completed: Time,
    /// How many batches have to be processed again because they were not complete.
    pub pending: usize,
    /// The parts of the two programs: inputs, then operators with a state, then outputs.
    pub rows: Vec<RecoveryRow>,
}

/// One part of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecoveryRow {
    /// What it is: `input`, `state` or `output`.
    pub part: Cow<'static, str>,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub fate: Fate,
    /// More about it.
    pub detail: String,
}

/// What becomes of a part of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Fate {
    /// It goes on as it was.
    Kept,
    /// Its states become those of the new program.
    Migrated,
    /// The new program has no such part: what is stored of it is not used, and removed in time.
    Dropped,
    /// The earlier program had no such part: it begins with nothing.
    New,
    /// Its states cannot be read as those of the new program, which does not start.
    Unreadable,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kept => "kept",
            Self::Migrated => "migrated",
            Self::Dropped => "dropped",
            Self::New => "new",
            Self::Unreadable => "unreadable",
        })
    }
}

impl RecoveryReport {
    /// Compares what was found with the program that is to go on with it.
    pub(crate) fn new(found: &Recovered, now: &Program) -> Self {
        let mut rows = inputs(&found.program, now);
        rows.extend(operators(found, now));
        rows.extend(outputs(&found.program, now));
        Self { completed: found.completed, pending: found.pending().count(), rows }
    }

    /// The input streams that are the same in both programs.
    pub(crate) fn same_inputs(before: &Program, now: &Program) -> Vec<StreamId> {
        let of = |input: &super::record::StoredInput| (input.id, input.name.clone());
        let names: BTreeMap<_, _> = now.inputs.iter().map(of).collect();
        let same = before.inputs.iter().filter(|input| names.get(&input.id) == Some(&input.name));
        same.map(|input| input.id).collect()
    }
}

impl fmt::Display for RecoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "last complete batch: {}; batches to be processed again: {}",
            self.completed, self.pending
        )?;
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        for RecoveryRow { part, name, fate, detail } in &self.rows {
            let line = format!("{part:<7} {name:<width$}  {fate:<10} {detail}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn row(part: &'static str, name: &str, fate: Fate, detail: impl Into<String>) -> RecoveryRow {
    RecoveryRow { part: part.into(), name: name.to_owned(), fate, detail: detail.into() }
}

fn inputs(before: &Program, now: &Program) -> Vec<RecoveryRow> {
    let same = RecoveryReport::same_inputs(before, now);
    let mut rows: Vec<_> = now
        .inputs
        .iter()
        .map(|input| {
            let fate = if same.contains(&input.id) { Fate::Kept } else { Fate::New };
            row("input", &input.name, fate, "")
        })
        .collect();
    let gone = before.inputs.iter().filter(|input| !same.contains(&input.id));
    rows.extend(gone.map(|input| {
        row(
            "input",
            &input.name,
            Fate::Dropped,
            "what it has received and no batch has processed is not used",
        )
    }));
    rows
}

fn operators(found: &Recovered, now: &Program) -> Vec<RecoveryRow> {
    let before = &found.program.operators;
    let mut rows: Vec<_> = now
        .operators
        .iter()
        .map(|(name, operator)| match before.get(name) {
            Some(stored) if stored.kind == operator.kind => {
                let keys = found.snapshots.get(name).and_then(|snapshots| snapshots.last());
                let keys = keys.map_or(String::new(), |last| {
                    format!("{} keys in the snapshot of {}", last.keys, last.time)
                });
                kept(name, stored, operator, keys)
            }
            Some(stored) => row("state", name, Fate::New, format!("it was a {} before", stored.kind)),
            None => row("state", name, Fate::New, operator.kind.clone()),
        })
        .collect();
    let gone = before.iter().filter(|(name, _)| !now.operators.contains_key(*name));
    rows.extend(gone.map(|(name, operator)| row("state", name, Fate::Dropped, operator.kind.clone())));
    rows
}

fn kept(name: &str, stored: &StoredOperator, now: &StoredOperator, keys: String) -> RecoveryRow {
    match now.schema.reads(&stored.schema) {
        Reading::Kept => row("state", name, Fate::Kept, keys),
        Reading::Migrated(changes) => row("state", name, Fate::Migrated, changes.join(", ")),
        Reading::Unreadable(why) => row("state", name, Fate::Unreadable, why),
    }
}

fn outputs(before: &Program, now: &Program) -> Vec<RecoveryRow> {
    let fate = |name: &String| if before.outputs.contains(name) { Fate::Kept } else { Fate::New };
    let mut rows: Vec<_> = now.outputs.iter().map(|name| row("output", name, fate(name), "")).collect();
    let gone = before.outputs.iter().filter(|name| !now.outputs.contains(name));
    rows.extend(gone.map(|name| row("output", name, Fate::Dropped, "")));
    rows
}
