// SPDX-License-Identifier: Apache-2.0
//! What people see: pages in a real browser, wide and narrow, light and dark, live.
#![allow(clippy::unwrap_used, reason = "tests")]

mod shop;

use std::{fs, path::PathBuf};

use dstreams_test_servers::Chromium;
use shop::Shop;

/// Keeps what a page looks like where `DSTREAMS_SCREENSHOTS` says, for those who want to see it.
fn keep(browser: &mut Chromium, name: &str) {
    let Some(directory) = std::env::var_os("DSTREAMS_SCREENSHOTS") else { return };
    let path = PathBuf::from(directory).join(format!("{name}.png"));
    fs::write(path, browser.screenshot().unwrap()).unwrap();
}

#[test]
fn every_page_is_readable_wide_and_narrow_light_and_dark() {
    let Some(mut browser) = Chromium::start_or_skip("a test of pages") else { return };
    let shop = Shop::open();
    shop.run(40);
    shop.fail_next();
    shop.run(1);
    let failed = shop.batch_time();
    shop.run(4);
    let pages = [
        ("streaming", "/streaming/".to_owned()),
        ("batch", format!("/streaming/batch/?id={failed}")),
        ("graph", "/graph/".to_owned()),
        ("environment", "/environment/".to_owned()),
    ];
    for (width, dark) in [(1280, false), (390, false), (1280, true), (390, true)] {
        browser.look(width, 900, dark).unwrap();
        for (name, path) in &pages {
            browser.open(&shop.url(path)).unwrap();
            browser.wait_for("document.getElementById('live').dataset.state === 'on'").unwrap();
            // What is wider scrolls in a box of its own, also what was closed.
            let open = "document.querySelectorAll('details').forEach(box => box.open = true); true";
            browser.evaluate(open).unwrap();
            let wide = browser.evaluate("document.documentElement.scrollWidth").unwrap();
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{name} at {width}: {wide}");
            if *name == "graph" {
                let first = "(() => { const box = document.querySelector('.node').getBoundingClientRect(); return box.left >= 0 && box.right <= innerWidth; })()";
                assert_eq!(browser.text(first).unwrap(), "true", "the first operator is seen at {width}");
            }
            keep(&mut browser, &format!("{name}-{width}-{}", if dark { "dark" } else { "light" }));
            // The colours are those that were asked for.
            let text = browser.text("getComputedStyle(document.body).color").unwrap();
            assert_eq!(text.starts_with("rgb(227"), dark, "{name}: {text}");
        }
    }
}

#[test]
fn charts_have_points_and_tell_their_values() {
    let Some(mut browser) = Chromium::start_or_skip("a test of pages") else { return };
    let shop = Shop::open();
    shop.run(12);
    browser.look(1280, 900, false).unwrap();
    browser.open(&shop.url("/streaming/")).unwrap();
    let points = "[...document.querySelectorAll('#stat-table .timeline .chart')].map(c => c.dataset.points.split(';').length - 1).join()";
    assert_eq!(browser.text(points).unwrap(), "12,12,12,12");
    let drawn = "[...document.querySelectorAll('#stat-table .timeline path.line')].every(p => p.getTotalLength() > 100)";
    assert_eq!(browser.text(drawn).unwrap(), "true");
    let bars = "[...document.querySelectorAll('#stat-table .bars svg')].every(s => [...s.querySelectorAll('rect')].some(r => r.getBBox().width > 90))";
    assert_eq!(browser.text(bars).unwrap(), "true");
    let pointed = "(() => {
        const plot = document.querySelector('.chart .plot'), box = plot.getBoundingClientRect();
        plot.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, clientX: box.right - 1, clientY: box.top + 5 }));
        return plot.querySelector('.tip').textContent;
    })()";
    assert!(browser.text(pointed).unwrap().contains("/s at 00:00:12"), "{}", browser.text(pointed).unwrap());
}

#[test]
fn links_lead_somewhere() {
    let Some(mut browser) = Chromium::start_or_skip("a test of pages") else { return };
    let shop = Shop::open();
    shop.run(3);
    let links = "[...document.querySelectorAll('a[href]')].map(a => a.href)";
    let mut seen = std::collections::BTreeSet::new();
    for path in ["/", &format!("/streaming/batch?id={}", shop.batch_time()), "/graph/", "/environment/"] {
        browser.open(&shop.url(path)).unwrap();
        for link in browser.evaluate(links).unwrap().as_array().unwrap() {
            seen.insert(link.as_str().unwrap().split('#').next().unwrap().to_owned());
        }
    }
    assert!(seen.len() > 8, "{seen:?}");
    for link in seen {
        assert_eq!(browser.text(&format!("fetch('{link}').then(a => a.status)")).unwrap(), "200", "{link}");
    }
    let anchors = "[...document.querySelectorAll('a[href^=\"#\"]')].every(a => document.querySelector(a.getAttribute('href')))";
    browser.open(&shop.url(&format!("/streaming/batch?id={}", shop.batch_time()))).unwrap();
    assert_eq!(browser.text(anchors).unwrap(), "true");
}

#[test]
fn a_batch_appears_without_a_reload() {
    let Some(mut browser) = Chromium::start_or_skip("a test of pages") else { return };
    let shop = Shop::open();
    shop.run(2);
    browser.look(1280, 900, false).unwrap();
    browser.open(&shop.url("/streaming/")).unwrap();
    browser.wait_for("document.getElementById('live').dataset.state === 'on'").unwrap();
    browser
        .evaluate("window.loadedOnce = true; document.getElementById('inputs').open = true; true")
        .unwrap();
    let rows = "document.querySelectorAll('#completedBatches-table tbody tr').length";
    assert_eq!(browser.text(rows).unwrap(), "2");
    shop.run(1);
    browser.wait_for(&format!("{rows} === 3")).unwrap();
    assert_eq!(browser.text("window.loadedOnce === true").unwrap(), "true");
    // What was opened stays open.
    assert_eq!(browser.text("document.getElementById('inputs').open").unwrap(), "true");
}

/// The page as the original's own test looks at it.
#[test]
fn the_pages_are_those_that_users_know() {
    let Some(mut browser) = Chromium::start_or_skip("a test of pages") else { return };
    let shop = Shop::open();
    shop.run(5);
    browser.open(&shop.url("/")).unwrap();
    let texts = |selector: &str| {
        format!("[...document.querySelectorAll('{selector}')].map(e => e.innerText.trim()).join('|')")
    };
    assert_eq!(browser.text("document.querySelectorAll('nav a[href*=streaming]').length").unwrap(), "1");
    assert_eq!(browser.text(&texts("h3")).unwrap(), "Streaming Statistics");
    let headings = browser.text(&texts("#stat-table th")).unwrap();
    assert!(headings.contains("Timelines (Last 5 batches, 0 active, 5 completed)|Histograms"), "{headings}");
    let cells = browser.text(&texts("#stat-table td")).unwrap();
    for name in ["Input Rate", "Scheduling Delay", "Processing Time", "Total Delay"] {
        assert!(cells.contains(name), "{name}");
    }
    assert!(browser.text(&texts("h4")).unwrap().contains("Completed Batches (last 5 out of 5)"));
    assert_eq!(
        browser.text(&texts("#completedBatches-table th")).unwrap(),
        "Batch Time \u{25be}|Records|Scheduling Delay|Processing Time|Total Delay|Output Ops: Succeeded/Total"
    );
    let paged = "/streaming/?completedBatches.sort=Batch+Time&completedBatches.desc=true&completedBatches.page=1&completedBatches.pageSize=1#completedBatches";
    browser.open(&shop.url(paged)).unwrap();
    assert_eq!(browser.text("document.querySelectorAll('#completedBatches-table tr').length").unwrap(), "2");
}

#[test]
fn the_page_of_a_batch_shows_jobs_stages_and_tasks() {
    let Some(mut browser) = Chromium::start_or_skip("a test of pages") else { return };
    let shop = Shop::of_two_outputs_with_two_jobs_each();
    shop.run(1);
    browser.open(&shop.url(&format!("/streaming/batch/?id={}", shop.batch_time()))).unwrap();
    let texts = |selector: &str| {
        format!("[...document.querySelectorAll('{selector}')].map(e => e.innerText.trim()).join('|')")
    };
    let labels = browser.text(&texts(".facts li strong")).unwrap();
    assert!(
        labels
            .starts_with("Batch Duration:|Input data size:|Scheduling delay:|Processing time:|Total delay:"),
        "{labels}"
    );
    assert_eq!(
        browser.text(&texts("#batch-job-table th")).unwrap(),
        "Output Op Id|Description|Output Op Duration (?)|Status|Job Id|Job Duration (?)|Stages: Succeeded/Total|Tasks (for all stages): Succeeded/Total|Error"
    );
    assert_eq!(browser.text(&texts(".output-op-id-cell")).unwrap(), "0|1");
    assert_eq!(
        browser
            .text("[...document.querySelectorAll('.output-op-id-cell')].map(e => e.rowSpan).join()")
            .unwrap(),
        "2,2"
    );
    assert_eq!(browser.text(&texts("#batch-job-table td a")).unwrap(), "0|1|2|3");
    assert_eq!(browser.text(&texts(".stage-progress-cell")).unwrap(), "1/1|1/1|1/1|0/1 (1 failed)");
    assert_eq!(browser.text(&texts(".progress-cell")).unwrap(), "4/4|4/4|4/4|3/4 (1 failed)");
    assert_eq!(
        browser.text("document.querySelectorAll('#batch-job-table .stacktrace-details').length").unwrap(),
        "1"
    );
    browser.open(&shop.url("/streaming/batch/")).unwrap();
    assert!(browser.text("document.body.innerText").unwrap().contains("Missing id parameter"));
    browser.open(&shop.url("/streaming/batch/?id=12345")).unwrap();
    assert!(browser.text("document.body.innerText").unwrap().contains("does not exist"));
}
