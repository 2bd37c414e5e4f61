// SPDX-License-Identifier: Apache-2.0
//! Charts as SVG: a line over time, and beside it how often each value came.
//!
//! Only shapes are in the SVG, which is stretched to the width there is; texts stand beside it and keep their size.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

/// Values over time.
pub(crate) struct Timeline<'a> {
    /// What is shown, for those who cannot see it.
    pub(crate) title: &'a str,
    /// Time in milliseconds and value, in the order of time.
    pub(crate) points: &'a [(i64, f64)],
    /// Times of points that are marked as bad.
    pub(crate) marked: &'a [i64],
    /// A value drawn as a line of its own, and what it is.
    pub(crate) limit: Option<(f64, String)>,
    /// How a value looks.
    pub(crate) value: fn(f64) -> String,
    /// How a time looks.
    pub(crate) time: &'a dyn Fn(i64) -> String,
}

/// The size of the drawing; it is stretched.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;
/// Bars of a histogram.
const BINS: usize = 12;
/// Up to how many times the largest value a limit may be and still be drawn to scale.
const LIMIT_IN_SIGHT: f64 = 6.0;

impl Timeline<'_> {
    /// The value at the upper edge.
    fn top(&self) -> f64 {
        let largest = self.points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        let top = match &self.limit {
            Some((limit, _)) if *limit <= largest * LIMIT_IN_SIGHT => largest.max(*limit) * 1.08,
            _ => largest * 1.08,
        };
        if top > 0.0 { top } else { 1.0 }
    }

    fn x(&self, time: i64) -> f64 {
        let (Some((first, _)), Some((last, _))) = (self.points.first(), self.points.last()) else {
            return 0.0;
        };
        if last == first { WIDTH / 2.0 } else { (time - first) as f64 / (last - first) as f64 * WIDTH }
    }

    /// The line over time.
    pub(crate) fn line(&self) -> Markup {
        let top = self.top();
        let y = |value: f64| HEIGHT - value / top * HEIGHT;
        let mut line = String::with_capacity(self.points.len() * 12);
        for (number, (time, value)) in self.points.iter().enumerate() {
            let _ =
                write!(line, "{}{:.1} {:.1}", if number == 0 { 'M' } else { 'L' }, self.x(*time), y(*value));
        }
        let (first, last) = (self.points.first(), self.points.last());
        let area = first.zip(last).map(|(first, last)| {
            format!("{line}L{:.1} {HEIGHT}L{:.1} {HEIGHT}Z", self.x(last.0), self.x(first.0))
        });
        let limit = self.limit.as_ref();
        let data = self.data();
        html! {
            div.chart role="img" aria-label=(self.title) data-points=(data) {
                div.plot {
                    svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
                        line.grid x1="0" x2=(WIDTH) y1=(HEIGHT / 2.0) y2=(HEIGHT / 2.0) {}
                        line.grid x1="0" x2=(WIDTH) y1=(y(top / 1.08)) y2=(y(top / 1.08)) {}
                        @if let Some(area) = area { path.area d=(area) {} }
                        path.line d=(line) {}
                        @if let Some((limit, _)) = limit.filter(|(limit, _)| *limit <= top) {
                            line.limit x1="0" x2=(WIDTH) y1=(y(*limit)) y2=(y(*limit)) {}
                        }
                        @for time in self.marked {
                            line.bad x1=(self.x(*time)) x2=(self.x(*time)) y1="0" y2=(HEIGHT) {}
                        }
                    }
                    span.y.top { ((self.value)(top / 1.08)) }
                    span.y.zero { ((self.value)(0.0)) }
                    @if let Some((limit, name)) = limit {
                        @if *limit <= top {
                            span.limit-name style={ "top:" (format!("{:.1}", y(*limit))) "%" } { (name) }
                        } @else {
                            span.limit-name.above { "↑ " (name) }
                        }
                    }
                    div.cursor hidden {}
                    div.tip hidden {}
                }
                div.x {
                    @if let Some((time, _)) = first { span { ((self.time)(*time)) } }
                    @if self.points.len() > 1 { @if let Some((time, _)) = last { span { ((self.time)(*time)) } } }
                }
            }
        }
    }

    /// What the script shows under the pointer: place, time and value of each point.
    fn data(&self) -> String {
        let mut data = String::with_capacity(self.points.len() * 24);
        for (time, value) in self.points {
            let _ = write!(
                data,
                "{:.1},{},{};",
                self.x(*time),
                (self.time)(*time),
                (self.value)(*value).replace(',', "\u{202f}")
            );
        }
        data
    }

    /// How often each value came: bars at the height of the value, as long as it was frequent.
    pub(crate) fn histogram(&self) -> Markup {
        let top = self.top();
        let mut bins = [0_u32; BINS];
        for (_, value) in self.points {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a value is from 0 to top"
            )]
            let bin = (value / top * BINS as f64) as usize;
            bins[bin.min(BINS - 1)] += 1;
        }
        let most = bins.iter().copied().max().unwrap_or(0).max(1);
        let tall = HEIGHT / BINS as f64;
        html! {
            div.histogram role="img" aria-label={ "How often: " (self.title) } {
                div.plot {
                    svg viewBox={ "0 0 100 " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
                        @for (bin, count) in bins.iter().enumerate() {
                            @let from = top * bin as f64 / BINS as f64;
                            @let to = top * (bin + 1) as f64 / BINS as f64;
                            rect.bar x="0" width=(format!("{:.1}", f64::from(*count) / f64::from(most) * 100.0))
                                y=(format!("{:.2}", HEIGHT - tall * (bin + 1) as f64 + tall * 0.1))
                                height=(format!("{:.2}", tall * 0.8)) {
                                title { ((self.value)(from)) " – " ((self.value)(to)) ": " (count) }
                            }
                        }
                    }
                }
                div.x { span { "0" } span { (most) " batches" } }
            }
        }
    }
}

/// A small line without axes.
pub(crate) fn sparkline(points: &[(i64, u64)]) -> Markup {
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else { return html! {} };
    let most = points.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1) as f64;
    let span = (last - first).max(1) as f64;
    let mut line = String::new();
    for (number, (time, value)) in points.iter().enumerate() {
        let x = (time - first) as f64 / span * 100.0;
        let y = 23.0 - *value as f64 / most * 22.0;
        let _ = write!(line, "{}{x:.1} {y:.1}", if number == 0 { 'M' } else { 'L' });
    }
    html! {
        svg.spark viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true" { path.line d=(line) {} }
    }
}

/// A bar that is filled in part, with its text on it: the progress of tasks and outputs.
pub(crate) fn progress(done: usize, failed: usize, all: usize) -> Markup {
    let share = |part: usize| format!("{:.1}%", part as f64 / all.max(1) as f64 * 100.0);
    html! {
        div.progress {
            i.done style={ "width:" (share(done)) } {}
            @if failed > 0 { i.failed style={ "width:" (share(failed.min(all - done.min(all)))) } {} }
            span { (done) "/" (all) @if failed > 0 { " (" (failed) " failed)" } }
        }
    }
}

/// A no-break space between number and unit.
pub(crate) fn glued(text: &str) -> PreEscaped<String> {
    let escaped = html! { (text) }.into_string();
    PreEscaped(escaped.replace(' ', "\u{a0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(points: &[(i64, f64)], limit: Option<f64>) -> Timeline<'_> {
        let limit = limit.map(|limit| (limit, "interval".to_owned()));
        let value = |value: f64| format!("{value:.0}");
        Timeline { title: "t", points, marked: &[], limit, value, time: &|time| time.to_string() }
    }

    #[test]
    fn a_line_goes_from_edge_to_edge() {
        let svg = timeline(&[(0, 0.0), (10, 54.0), (20, 27.0)], None).line().into_string();
        assert!(svg.contains(r#"d="M0.0 100.0L500.0 7.4L1000.0 53.7""#), "{svg}");
        assert!(svg.contains(r#"data-points="0.0,0,0;500.0,10,54;1000.0,20,27;""#), "{svg}");
    }

    #[test]
    fn no_points_and_one_point_are_drawn_too() {
        assert!(timeline(&[], None).line().into_string().contains(r#"d="""#));
        assert!(timeline(&[(5, 1.0)], None).line().into_string().contains("M500.0 7.4"));
    }

    #[test]
    fn a_limit_far_above_is_only_named() {
        let near = timeline(&[(0, 50.0)], Some(100.0)).line().into_string();
        assert!(near.contains("<line class=\"limit\""), "{near}");
        let far = timeline(&[(0, 5.0)], Some(100.0)).line().into_string();
        assert!(!far.contains("<line class=\"limit\"") && far.contains("↑ interval"), "{far}");
    }

    #[test]
    fn every_point_is_in_one_bar() {
        let points: Vec<(i64, f64)> = (0..100).map(|n| (n, n as f64)).collect();
        let svg = timeline(&points, None).histogram().into_string();
        let counts = svg.match_indices("</title>").filter_map(|(end, _)| {
            svg[..end].rsplit(": ").next().and_then(|count| count.parse::<u32>().ok())
        });
        assert_eq!(counts.sum::<u32>(), 100);
    }

    #[test]
    fn progress_says_what_failed() {
        assert!(progress(3, 1, 4).into_string().contains("3/4 (1 failed)"));
        assert!(progress(4, 0, 4).into_string().contains("4/4<"));
    }
}
