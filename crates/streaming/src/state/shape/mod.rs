// SPDX-License-Identifier: Apache-2.0
//! What keys and states look like: described from their `Deserialize` implementations, and compared across programs.

mod trace;

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

pub(crate) use trace::Ambiguous;

use crate::checkpoint::durable::{Shape, StateSchema};

/// What follows the text of a field that may be missing.
const DEFAULT: &str = " = default";

impl Shape {
    /// What serde knows of a type. Fails when some of its values would have the same bytes.
    pub(crate) fn of<T: DeserializeOwned>() -> Result<Self, Ambiguous> {
        let whole = trace::describe::<T>(None)?;
        let fields: BTreeMap<_, _> = whole
            .fields
            .iter()
            .map(|name| {
                let alone = trace::describe::<T>(Some(&BTreeSet::from([*name])))?;
                let text = alone.texts.get(name).cloned().unwrap_or_else(|| "?".to_owned());
                let others = whole.fields.iter().copied().filter(|other| other != name).collect();
                let missing = trace::describe::<T>(Some(&others))?.missing;
                let text = if missing == Some(*name) || is_option(&text) { text } else { text + DEFAULT };
                Ok(((*name).to_owned(), text))
            })
            .collect::<Result<_, Ambiguous>>()?;
        Ok(Self { name: whole.text, fields })
    }
}

impl StateSchema {
    /// The schema of an operator with these types.
    pub(crate) fn of<K: DeserializeOwned, S: DeserializeOwned>(
        partitions: usize,
        store: &str,
    ) -> Result<Self, Ambiguous> {
        let (key, state) = (Shape::of::<K>()?, Shape::of::<S>()?);
        Ok(Self { key, state, partitions, store: store.to_owned() })
    }

    /// How states that were stored with another schema are read as this one.
    pub(crate) fn reads(&self, stored: &Self) -> Reading {
        let key = reads(&self.key, &stored.key);
        let state = reads(&self.state, &stored.state);
        match (key, state) {
            (Reading::Unreadable(why), _) => Reading::Unreadable(format!("the keys are unreadable: {why}")),
            (_, Reading::Unreadable(why)) => Reading::Unreadable(format!("the states are unreadable: {why}")),
            (Reading::Kept, state) => state,
            (key, Reading::Kept) => key,
            (Reading::Migrated(mut key), Reading::Migrated(state)) => {
                key.extend(state);
                Reading::Migrated(key)
            }
        }
    }
}

/// What becomes of stored states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// They are what the program has.
    Kept,
    /// They become what the program has: `+field`, `-field`, `field: u32 -> u64`.
    Migrated(Vec<String>),
    /// They cannot be read, and why.
    Unreadable(String),
}

fn reads(now: &Shape, stored: &Shape) -> Reading {
    if now.fields.is_empty() || stored.fields.is_empty() {
        return match change(&stored.name, &now.name) {
            Change::Same => Reading::Kept,
            Change::Wider => Reading::Migrated(vec![format!("{} -> {}", stored.name, now.name)]),
            Change::Other => {
                Reading::Unreadable(format!("they were {} and are {} now", stored.name, now.name))
            }
        };
    }
    let mut changes = Vec::new();
    for (name, text) in &now.fields {
        let plain = text.strip_suffix(DEFAULT);
        match stored.fields.get(name) {
            Some(before) => {
                let (before, after) = (before.strip_suffix(DEFAULT).unwrap_or(before), plain.unwrap_or(text));
                match change(before, after) {
                    Change::Same => {}
                    Change::Wider => changes.push(format!("{name}: {before} -> {after}")),
                    Change::Other => {
                        return Reading::Unreadable(format!(
                            "the field `{name}` was {before} and is {after} now; give the new field another name"
                        ));
                    }
                }
            }
            None if plain.is_some() || is_option(text) => changes.push(format!("+{name}")),
            None => {
                return Reading::Unreadable(format!(
                    "the new field `{name}` is in none of them; give it `#[serde(default)]` or make it an Option"
                ));
            }
        }
    }
    changes.extend(
        stored.fields.keys().filter(|name| !now.fields.contains_key(*name)).map(|name| format!("-{name}")),
    );
    if changes.is_empty() { Reading::Kept } else { Reading::Migrated(changes) }
}

fn is_option(text: &str) -> bool {
    text.starts_with("option<")
}

enum Change {
    Same,
    Wider,
    Other,
}

/// Whether values of a type can be read as another one.
fn change(before: &str, after: &str) -> Change {
    let whole = |text: &str| {
        let (signed, bits) =
            text.strip_prefix('u').map(|bits| (0, bits)).or_else(|| Some((1, text.strip_prefix('i')?)))?;
        Some((signed, bits.parse::<u32>().ok()?))
    };
    let wider = match (whole(before), whole(after)) {
        (Some((0, before)), Some((1, after))) => before < after,
        (Some((before_sign, before)), Some((after_sign, after))) => {
            before_sign == after_sign && before < after
        }
        _ => before == "f32" && after == "f64",
    };
    if before == after {
        Change::Same
    } else if wider || after.strip_prefix("option<").and_then(|inner| inner.strip_suffix('>')) == Some(before)
    {
        Change::Wider
    } else {
        Change::Other
    }
}

#[cfg(test)]
mod tests;
