// SPDX-License-Identifier: Apache-2.0
//! The environment page: the configuration, where each value comes from, and what is being recovered.

use dstreams_monitor::{Setting, Store};
use maud::{Markup, html};

use super::whole;
use crate::ui::App;

pub(super) fn page(app: &App) -> Markup {
    app.monitor.read(|store| whole(store, "Environment", "Environment", &content(store)))
}

fn content(store: &Store) -> Markup {
    let (set, default): (Vec<_>, Vec<_>) =
        store.application().settings.iter().partition(|setting| setting.set);
    html! {
        h3 { "Environment" }
        p.since { "Secrets are masked. Every key is described in the documentation of the configuration." }
        @if let Some(recovery) = store.recovery() {
            details #recovery { summary { "What was recovered at the start" } pre { (recovery.report) } }
        }
        input #filter type="search" placeholder="Filter keys" aria-label="Filter keys";
        h4 { "Set (" (set.len()) ")" }
        (table(&set))
        h4 { "Defaults (" (default.len()) ")" }
        (table(&default))
    }
}

fn table(settings: &[&Setting]) -> Markup {
    html! {
        div.scroll {
            table.settings {
                thead { tr { th { "Key" } th { "Value" } th { "From" } th { "Meaning" } } }
                tbody {
                    @for setting in settings {
                        tr data-key=(setting.key.to_lowercase()) {
                            td { code { (breakable(&setting.key)) } }
                            td { (setting.value) }
                            td { (setting.origin) }
                            td.small { (prose(&setting.meaning)) }
                        }
                    }
                }
            }
        }
    }
}

/// A key that may be broken after its dots.
fn breakable(key: &str) -> Markup {
    html! {
        @for part in key.split_inclusive('.') { (part) wbr; }
    }
}

/// A text in which backticks enclose what is to be typed.
fn prose(text: &str) -> Markup {
    html! {
        @for (number, part) in text.split('`').enumerate() {
            @if number % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
