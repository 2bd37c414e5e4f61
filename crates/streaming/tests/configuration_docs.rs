// SPDX-License-Identifier: Apache-2.0
//! The configuration page is what the table of keys renders to; `UPDATE_DOCS=1` writes it anew.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{env, fs};

use dstreams_streaming::config::{self, Warning};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");

#[test]
fn the_page_equals_the_table() {
    let rendered = config::markdown();
    if env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(PAGE, &rendered).unwrap();
    }
    let page = fs::read_to_string(PAGE).unwrap();
    assert!(page == rendered, "docs/configuration.md is out of date: run this test with UPDATE_DOCS=1");
}

#[test]
fn the_help_text_names_every_key_that_has_an_effect_and_keeps_to_its_width() {
    let help = config::help(80);
    let mut shown = 0;
    for row in config::Config::new().explain() {
        let mut config = config::Config::new();
        // Values of every form; one of them is right for the key.
        let _accepted = ["1", "true", "pid", "local"].iter().find(|text| config.set(&row.key, text).is_ok());
        let has_effect = !config.warnings().iter().any(|warning| matches!(warning, Warning::NotYet { .. }));
        assert_eq!(help.contains(&format!("  {}\n", row.key)), has_effect, "{}", row.key);
        shown += usize::from(has_effect);
    }
    assert!(shown > 20, "{shown} keys have an effect");
    let too_long = help.lines().find(|line| line.len() > 80);
    assert_eq!(too_long, None);
}
