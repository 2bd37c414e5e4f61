// SPDX-License-Identifier: Apache-2.0
//! The small boxes of the streaming page: lag, limits, states, checkpoints, memory, dead letters.

use dstreams_monitor::{
    Store, format,
    view::{Engine, engine},
};
use dstreams_streaming::{Duration, StreamId, Time};
use maud::{Markup, html};

use crate::chart::sparkline;

/// A box: a name, a value, what else is to be said, and a line over time.
struct Tile {
    name: String,
    value: String,
    more: String,
    history: Vec<(i64, u64)>,
    worrying: bool,
}

impl Tile {
    fn new(name: impl Into<String>, value: impl Into<String>, more: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            more: more.into(),
            history: Vec::new(),
            worrying: false,
        }
    }

    fn history(self, history: Vec<(i64, u64)>) -> Self {
        Self { history, ..self }
    }

    fn worrying(self, worrying: bool) -> Self {
        Self { worrying, ..self }
    }
}

/// From which share of dead letters on they are shown in the colour of trouble.
const MANY_DEAD_LETTERS: f64 = 0.01;
/// From which share of the memory budget on.
const LITTLE_ROOM: f64 = 0.95;

/// The boxes of what the application has.
pub(super) fn tiles(store: &Store, now: Time) -> Markup {
    let Engine { memory, checkpoint, states, lag, limits, dead_letters } = engine(store, now);
    let mut tiles = Vec::new();
    for lag in lag {
        let age = lag.oldest.map(|age| format!("oldest {}", format::length(Duration::from_millis(age))));
        let behind = lag.records.map_or_else(|| "unknown".to_owned(), format::count);
        tiles.push(
            Tile::new(
                format!("Lag of {}", input_name(store, lag.stream_id)),
                behind,
                age.unwrap_or_default(),
            )
            .history(lag.history),
        );
    }
    for limit in limits {
        let rate = limit.records_per_second.and_then(|rate| u64::try_from(rate).ok());
        let value = rate.map_or_else(|| "no limit".to_owned(), |rate| format!("{}/s", format::count(rate)));
        tiles.push(
            Tile::new(format!("Limit of {}", input_name(store, limit.stream_id)), value, limit.why)
                .history(limit.history),
        );
    }
    for state in states {
        let growth = state.keys_per_minute.map(|growth| match growth {
            0.0 => "steady".to_owned(),
            growth if growth > 0.0 => format!("+{} a minute", format::rate(growth)),
            growth => format!("−{} a minute", format::rate(-growth)),
        });
        let bytes = state.snapshot_bytes.map(|bytes| format!("snapshot {}", format::bytes(bytes)));
        let more: Vec<String> = growth.into_iter().chain(bytes).collect();
        let keys = state
            .keys
            .map_or_else(|| "not counted".to_owned(), |keys| format!("{} keys", format::count(keys)));
        tiles.push(
            Tile::new(format!("State {}", state.operator), keys, more.join(" · ")).history(state.history),
        );
    }
    if let Some(checkpoint) = checkpoint {
        let age = format::length(Duration::from_millis(checkpoint.age.max(0)));
        let took = format::length(Duration::from_millis(checkpoint.duration));
        let more = format!("took {took} · {}", format::bytes(checkpoint.bytes));
        tiles.push(if store.stopped().is_some() {
            Tile::new("Last checkpoint", age, format!("before the end · {more}"))
        } else {
            Tile::new("Last checkpoint", format!("{age} ago"), more)
        });
    }
    if let Some(memory) = memory {
        let share = memory.used as f64 / memory.limit.max(1) as f64;
        let more = format!("{:.0} % of {}", share * 100.0, format::bytes(memory.limit));
        tiles.push(Tile::new("Memory", format::bytes(memory.used), more).worrying(share > LITTLE_ROOM));
    }
    for dead in dead_letters {
        let share = dead.letters as f64 / dead.records.max(1) as f64;
        let more = format!("{} % of {} records", format::rate(share * 100.0), format::count(dead.records));
        let tile = Tile::new(format!("Dead letters of {}", dead.output), format::count(dead.letters), more);
        tiles.push(tile.worrying(share > MANY_DEAD_LETTERS));
    }
    html! {
        section.tiles {
            @for tile in tiles {
                div.tile.worrying[tile.worrying] {
                    span.name { (breakable(&tile.name)) }
                    strong { (crate::chart::glued(&tile.value)) }
                    span.more { (tile.more) }
                    (sparkline(&tile.history))
                }
            }
        }
    }
}

/// A name that may be broken after its underscores.
fn breakable(name: &str) -> Markup {
    html! {
        @for part in name.split_inclusive('_') { (part) wbr; }
    }
}

/// What an input is called.
fn input_name(store: &Store, id: usize) -> String {
    let inputs = store.graph().into_iter().flat_map(|graph| &graph.inputs);
    let known = inputs.into_iter().find(|input| input.stream_id == StreamId(id));
    known.map_or_else(|| format!("input {id}"), |input| input.name.clone())
}
