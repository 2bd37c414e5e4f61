// SPDX-License-Identifier: Apache-2.0
//! Where the nodes of a graph stand when it is drawn: in layers, children below their parents, with few crossings.

use std::collections::BTreeMap;

/// Where everything stands: columns and layers, counted from 0. A column may be a half.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// The place of each node, in the order in which they were given.
    pub(super) nodes: Vec<(f64, usize)>,
    /// For each edge, from parent to child, the places that it passes.
    pub(super) edges: Vec<Edge>,
    /// The number of columns.
    pub(super) columns: usize,
    /// The number of layers.
    pub(super) layers: usize,
}

/// An edge: its parent, its child, and the places that it passes.
type Edge = (usize, usize, Vec<(f64, usize)>);

/// A node, or a place that a long edge passes.
struct Slot {
    layer: usize,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// How often the layers are put in order, downwards and upwards.
const SWEEPS: usize = 6;

/// Lays out nodes, each with the indices of its parents; parents come before their children.
pub(super) fn layout(parents: &[Vec<usize>]) -> Layout {
    let mut slots: Vec<Slot> = Vec::with_capacity(parents.len());
    for above in parents {
        let layer = above.iter().filter_map(|parent| slots.get(*parent)).map(|slot| slot.layer + 1).max();
        slots.push(Slot { layer: layer.unwrap_or(0), above: Vec::new(), below: Vec::new() });
    }
    let mut routes = Vec::new();
    for (child, above) in parents.iter().enumerate() {
        for &parent in above.iter().filter(|parent| **parent < child) {
            let mut from = parent;
            let mut passed = Vec::new();
            for layer in slots[parent].layer + 1..slots[child].layer {
                let slot = slots.len();
                slots.push(Slot { layer, above: vec![from], below: Vec::new() });
                slots[from].below.push(slot);
                passed.push(slot);
                from = slot;
            }
            slots[from].below.push(child);
            slots[child].above.push(from);
            routes.push((parent, child, passed));
        }
    }
    let layers = ordered(&slots);
    let columns = layers.iter().map(Vec::len).max().unwrap_or(0);
    let mut places = BTreeMap::new();
    for layer in &layers {
        // Each layer stands in the middle.
        let margin = (columns - layer.len()) as f64 / 2.0;
        for (column, slot) in layer.iter().enumerate() {
            places.insert(*slot, (column as f64 + margin, slots[*slot].layer));
        }
    }
    let place = |slot: &usize| places.get(slot).copied().unwrap_or_default();
    Layout {
        nodes: (0..parents.len()).map(|node| place(&node)).collect(),
        edges: routes
            .iter()
            .map(|(from, to, passed)| (*from, *to, passed.iter().map(place).collect()))
            .collect(),
        columns,
        layers: layers.len(),
    }
}

/// The slots of each layer from left to right: each near the middle of those that it is linked with.
fn ordered(slots: &[Slot]) -> Vec<Vec<usize>> {
    let count = slots.iter().map(|slot| slot.layer + 1).max().unwrap_or(0);
    let mut layers = vec![Vec::new(); count];
    for (number, slot) in slots.iter().enumerate() {
        layers[slot.layer].push(number);
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let order: Vec<usize> =
            if down { (1..count).collect() } else { (0..count.saturating_sub(1)).rev().collect() };
        for layer in order {
            let fixed = if down { &layers[layer - 1] } else { &layers[layer + 1] };
            let at: BTreeMap<usize, usize> = fixed.iter().enumerate().map(|(at, slot)| (*slot, at)).collect();
            let middle = |slot: usize, now: usize| {
                let linked = if down { &slots[slot].above } else { &slots[slot].below };
                let linked: Vec<f64> =
                    linked.iter().filter_map(|other| at.get(other)).map(|at| *at as f64).collect();
                if linked.is_empty() { now as f64 } else { linked.iter().sum::<f64>() / linked.len() as f64 }
            };
            let mut keyed: Vec<(f64, usize)> =
                layers[layer].iter().enumerate().map(|(now, slot)| (middle(*slot, now), *slot)).collect();
            // The sort is stable, so that what is equal stays in the order of the program.
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            layers[layer] = keyed.into_iter().map(|(_, slot)| slot).collect();
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_a_column() {
        let layout = layout(&[vec![], vec![0], vec![1]]);
        assert_eq!(layout.nodes, [(0.0, 0), (0.0, 1), (0.0, 2)]);
        assert_eq!((layout.columns, layout.layers), (1, 3));
    }

    #[test]
    fn a_long_edge_passes_beside_what_is_between() {
        // 0 → 1 → 2 → 3, and 0 → 3.
        let layout = layout(&[vec![], vec![0], vec![1], vec![2, 0]]);
        let long =
            layout.edges.iter().find(|(from, to, _)| (*from, *to) == (0, 3)).map(|(_, _, passed)| passed);
        let passed = long.expect("the edge is drawn");
        assert_eq!(passed.iter().map(|(_, layer)| *layer).collect::<Vec<_>>(), [1, 2]);
        assert!(passed.iter().all(|place| !layout.nodes.contains(place)), "{layout:?}");
    }

    #[test]
    fn crossings_that_can_be_avoided_are() {
        // Two chains whose ends were given in the other order.
        let layout = layout(&[vec![], vec![], vec![1], vec![0]]);
        assert!(layout.nodes[3].0 < layout.nodes[2].0, "{layout:?}");
    }

    #[test]
    fn nothing_is_laid_out_too() {
        assert_eq!(layout(&[]), Layout::default());
    }
}
