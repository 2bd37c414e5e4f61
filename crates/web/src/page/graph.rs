// SPDX-License-Identifier: Apache-2.0
//! The graph page: the operators of the program, coloured by the time that their code takes.

use std::{collections::BTreeMap, fmt::Write as _};

use dstreams_monitor::{Store, format};
use dstreams_streaming::event::GraphInfo;
use maud::{Markup, html};

use super::{layers::layout, whole};
use crate::ui::App;

pub(super) fn page(app: &App) -> Markup {
    app.monitor.read(|store| whole(store, "Graph", "Graph", &content(store)))
}

/// Over how many batches the time is summed up.
const BATCHES: usize = 100;

/// The size of a node and the room that it stands in.
const NODE: (f64, f64) = (190.0, 52.0);
const ROOM: (f64, f64) = (220.0, 92.0);

/// A node of the drawing.
struct Node {
    title: String,
    detail: String,
    kind: &'static str,
    micros: u64,
    parents: Vec<usize>,
}

fn content(store: &Store) -> Markup {
    let Some(graph) = store.graph() else {
        return html! { h3 { "Graph" } p { "The graph is known when the application has been started." } };
    };
    let spent = store.spent(BATCHES);
    let nodes = nodes(graph, &spent);
    let all: u64 = spent.values().sum();
    let within = spent.get(&None).copied().unwrap_or(0);
    html! {
        h3 { "Graph" }
        p.since {
            "Colour and share: where the tasks of the last " (BATCHES.min(store.batches().count())) " batches spent their "
            strong { (format::micros(all)) } "."
            @if within > 0 { " Of that, " strong { (share(within, all)) } " in datasets that the program makes within outputs." }
        }
        div.scroll.graph { (drawing(&nodes, all)) }
        (slowest(&nodes, all))
    }
}

fn share(part: u64, all: u64) -> String {
    format!("{} %", format::rate(part as f64 / all.max(1) as f64 * 100.0))
}

fn nodes(graph: &GraphInfo, spent: &BTreeMap<Option<u64>, u64>) -> Vec<Node> {
    let places: BTreeMap<usize, usize> =
        graph.operators.iter().enumerate().map(|(place, operator)| (operator.id, place)).collect();
    let operators = graph.operators.iter().map(|operator| Node {
        title: operator.name.clone().unwrap_or_else(|| operator.operator.clone()),
        detail: match &operator.name {
            Some(_) => format!("{} · {}", operator.operator, operator.location),
            None => operator.location.clone(),
        },
        kind: if operator.state.is_some() {
            "state"
        } else if operator.parents.is_empty() {
            "input"
        } else {
            "operator"
        },
        micros: spent.get(&Some(operator.id as u64)).copied().unwrap_or(0),
        parents: operator.parents.iter().filter_map(|parent| places.get(parent).copied()).collect(),
    });
    let outputs = graph.outputs.iter().map(|output| Node {
        title: output.id.clone(),
        detail: output.name.clone(),
        kind: "output",
        micros: 0,
        parents: places.get(&output.operator).copied().into_iter().collect(),
    });
    operators.chain(outputs).collect()
}

fn drawing(nodes: &[Node], all: u64) -> Markup {
    let parents: Vec<_> = nodes.iter().map(|node| node.parents.clone()).collect();
    let layout = layout(&parents);
    let width = layout.columns as f64 * ROOM.0 + 10.0;
    let height = layout.layers as f64 * ROOM.1;
    let middle =
        |place: (f64, usize)| (place.0 * ROOM.0 + ROOM.0 / 2.0, place.1 as f64 * ROOM.1 + ROOM.1 / 2.0);
    let edges = layout.edges.iter().map(|(from, to, passed)| {
        let (x, y) = middle(layout.nodes[*from]);
        let mut path = format!("M{x:.0} {:.0}", y + NODE.1 / 2.0);
        let mut last = (x, y + NODE.1 / 2.0);
        let (x, y) = middle(layout.nodes[*to]);
        let end = (x, y - NODE.1 / 2.0);
        for (x, y) in passed.iter().map(|place| middle(*place)).chain([end]) {
            let bend = (y - last.1) / 2.0;
            let _ = write!(path, "C{:.0} {:.0} {x:.0} {:.0} {x:.0} {y:.0}", last.0, last.1 + bend, y - bend);
            last = (x, y);
        }
        path
    });
    html! {
        svg #graph viewBox={ "0 0 " (width) " " (height) } style={ "width:" (width) "px" } role="img"
            aria-label="The operators of the program" {
            defs { marker #arrow viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" {
                path d="M0 0L8 4L0 8z" {}
            } }
            @for path in edges { path.edge d=(path) marker-end="url(#arrow)" {} }
            @for (node, place) in nodes.iter().zip(&layout.nodes) {
                @let (x, y) = middle(*place);
                g.node.(node.kind) transform={ "translate(" (x - NODE.0 / 2.0) " " (y - NODE.1 / 2.0) ")" } {
                    title { (node.title) "\n" (node.detail) "\n" (format::micros(node.micros)) }
                    rect width=(NODE.0) height=(NODE.1) rx="8" {}
                    rect.heat width=(NODE.0) height=(NODE.1) rx="8" style={ "opacity:" (format!("{:.2}", heat(node.micros, all))) } {}
                    text.title x="12" y="22" { (cut(&node.title, 20)) }
                    text.detail x="12" y="40" { (cut(&node.detail, if node.micros > 0 { 19 } else { 28 })) }
                    @if node.micros > 0 && all > 0 {
                        text.share x=(NODE.0 - 10.0) y="40" text-anchor="end" { (share(node.micros, all)) }
                    }
                }
            }
        }
    }
}

/// How strong the colour is: nothing for no time, all for all of it; small shares are told apart better than large ones.
fn heat(micros: u64, all: u64) -> f64 {
    (micros as f64 / all.max(1) as f64).sqrt() * 0.85
}

fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        text.to_owned()
    } else {
        text.chars().take(length - 1).chain(['…']).collect()
    }
}

/// The operators that take the most time, as a table.
fn slowest(nodes: &[Node], all: u64) -> Markup {
    let mut busy: Vec<&Node> = nodes.iter().filter(|node| node.micros > 0).collect();
    busy.sort_by_key(|node| std::cmp::Reverse(node.micros));
    html! {
        @if !busy.is_empty() {
            h4 { "Where the time goes" }
            table.operators #slowest {
                @for node in busy.iter().take(12) {
                    @let part = node.micros as f64 / all.max(1) as f64 * 100.0;
                    tr {
                        th { (node.title) }
                        td { div.share { i style={ "width:" (format!("{part:.1}%")) } {} } }
                        td.number { (share(node.micros, all)) }
                        td.number { (crate::chart::glued(&format::micros(node.micros))) }
                        td.small { (node.detail) }
                    }
                }
            }
        }
    }
}
