//! Bars. Their widths are attributes: the content policy forbids inline styles.

use std::time::Duration;

use askama::Template;

use super::outcome::Tone;
use super::time::{Local, span};
use crate::model::Remaining;

/// How far something is that is expected to take some time, in words and as a bar.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<span data-eta>{{ left }}</span><progress max="{{ expected }}" value="{{ gone }}" data-start="{{ start }}" aria-label="{{ name }}"></progress>"#,
    ext = "html"
)]
pub struct Progress {
    left: String,
    expected: u64,
    gone: u64,
    start: String,
    name: String,
}

impl askama::filters::HtmlSafe for Progress {}

impl Progress {
    /// Something called `name` that began at `start`, `gone` ago.
    #[must_use]
    pub fn new(name: String, start: Local, gone: Duration, remaining: Remaining) -> Self {
        let Remaining(seconds) = remaining;
        let rest = Duration::try_from_secs_f64(seconds.abs()).unwrap_or_default();
        let (expected, left) = match seconds < 0.0 {
            false => (gone + rest, format!("{} left", span(rest))),
            true => (
                gone.saturating_sub(rest),
                format!("overdue by {}", span(rest)),
            ),
        };
        let expected = expected.as_secs().max(1);
        Self {
            left,
            expected,
            gone: gone.as_secs().min(expected),
            start: start.machine(),
            name,
        }
    }
}

impl Progress {
    /// How far it is in words, which the script lets go on; without the bar.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.left
    }
}

/// A step on the time axis of its build.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<svg class="gb {{ class }}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect x="{{ x }}" y="0" width="{{ width }}" height="8" rx=".6"/></svg>"#,
    ext = "html"
)]
pub struct Bar {
    class: &'static str,
    x: String,
    width: String,
}

impl askama::filters::HtmlSafe for Bar {}

impl Bar {
    /// From `begin` to `end` of an axis that is `whole` long.
    #[must_use]
    pub fn new(tone: Tone, begin: Duration, end: Duration, whole: Duration) -> Self {
        let whole = whole.as_secs_f64().max(0.001);
        let percent = |at: Duration| (at.as_secs_f64() / whole * 100.0).clamp(0.0, 100.0);
        let x = percent(begin).min(99.2);
        Self {
            class: tone.class(),
            x: format!("{x:.1}"),
            width: format!("{:.1}", (percent(end) - x).max(0.8)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_bar_says_what_is_left_or_by_how_much_it_is_overdue() {
        let start = Local::new(crate::model::Timestamp(0), crate::model::Zone::UTC);
        let of = |remaining| Progress::new("b 7".to_owned(), start, secs(424), remaining);
        let left = of(Remaining(121.0));
        assert_eq!((left.left.as_str(), left.expected), ("2 min left", 545));
        let over = of(Remaining(-40.0));
        assert_eq!(
            (over.left.as_str(), over.expected),
            ("overdue by 40 s", 384)
        );
        assert_eq!(over.gone, 384);
    }

    #[test]
    fn a_step_of_no_time_is_still_seen() {
        let bar = Bar::new(Tone::Ok, secs(60), secs(60), secs(60));
        assert_eq!((bar.x.as_str(), bar.width.as_str()), ("99.2", "0.8"));
    }
}
