//! Drawings of times: how long builds took, and when a slave was busy. Sizes are attributes: the
//! content policy forbids inline styles.

use std::time::Duration;

use askama::Template;

use super::outcome::Tone;
use super::time::{span, took};

/// How long some builds took: a dot for each good one, a cross for each that failed, the middle
/// half of the good ones shaded.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<svg class="chart" viewBox="0 0 440 132" role="img" aria-labelledby="ct"><title id="ct">{{ title }}</title>{% for (y, text) in ticks %}<path class="gr" d="M44 {{ y }}H432"/><text x="38" y="{{ *y + 4 }}" text-anchor="end">{{ text }}</text>{% endfor %}<rect class="bd" x="44" y="{{ half.0 }}" width="388" height="{{ half.1 }}"/>{% for (x, y) in dots %}<circle class="ok" cx="{{ x }}" cy="{{ y }}" r="2.4"/>{% endfor %}{% for (x, y) in crosses %}<path class="fail" d="M{{ x }} {{ y }}m-3-3l6 6m0-6l-6 6"/>{% endfor %}<text x="44" y="128">{{ first }}</text><text x="432" y="128" text-anchor="end">{{ last }}</text></svg>"#,
    ext = "html"
)]
pub struct TimeChart {
    title: String,
    ticks: Vec<(u32, String)>,
    /// The top and the height of the middle half.
    half: (u32, u32),
    dots: Vec<(u32, u32)>,
    crosses: Vec<(u32, u32)>,
    first: String,
    last: String,
}

impl askama::filters::HtmlSafe for TimeChart {}

/// The ends of the axes, in units of the drawing.
const LEFT: f64 = 44.0;
const WIDTH: f64 = 388.0;
const TOP: f64 = 8.0;
const HEIGHT: f64 = 104.0;

/// Distances of the lines of the chart, in seconds.
const STEPS: [u64; 14] = [
    1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400,
];

impl TimeChart {
    /// The chart of builds in order of time, each with how long it took and whether it was good;
    /// `ends` are the names of the first and the last one. Absent for less than two good ones.
    #[must_use]
    pub fn new(builds: &[(Duration, bool)], ends: (String, String)) -> Option<Self> {
        let good = builds.iter().filter(|(_, is_good)| *is_good);
        let mut good: Vec<_> = good.map(|(took, _)| *took).collect();
        good.sort_unstable();
        let (least, most) = (*good.first()?, *good.last()?);
        if good.len() < 2 {
            return None;
        }
        let quarter = |n: usize| good.get(good.len() * n / 4).copied().unwrap_or(most);
        let (low, high) = (quarter(1), quarter(3));
        let top = most.as_secs_f64().max(0.001) * 1.15;
        let y = |time: Duration| place(TOP + HEIGHT * (1.0 - (time.as_secs_f64() / top).min(1.0)));
        let step = STEPS.iter().find(|step| top / to_f64(**step) <= 5.0);
        let step = step.copied().unwrap_or(604_800);
        let ticks = (0..=5).map(|n| Duration::from_secs(n * step));
        let ticks = ticks.take_while(|tick| tick.as_secs_f64() <= top);
        let apart = WIDTH / to_f64(u64::try_from(builds.len() - 1).unwrap_or(1).max(1));
        let (mut dots, mut crosses) = (Vec::new(), Vec::new());
        for (n, (took, is_good)) in (0_u32..).zip(builds) {
            let x = place(LEFT + f64::from(n) * apart);
            match is_good {
                true => dots.push((x, y(*took))),
                false => crosses.push((x, y(*took))),
            }
        }
        let failed = match crosses.len() {
            0 => "none failed".to_owned(),
            n => format!("{n} failed"),
        };
        Some(Self {
            title: format!(
                "How long the last {} builds took: between {} and {}, half of them within {} and {}; {failed}",
                builds.len(),
                took(least),
                took(most),
                took(low),
                took(high),
            ),
            ticks: ticks.map(|tick| (y(tick), span(tick))).collect(),
            half: (y(high), y(low).saturating_sub(y(high)).max(2)),
            dots,
            crosses,
            first: ends.0,
            last: ends.1,
        })
    }
}

/// A place in whole units of the drawing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places are within the drawing"
)]
fn place(at: f64) -> u32 {
    at.round().clamp(0.0, 1000.0) as u32
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
const fn to_f64(number: u64) -> f64 {
    number as f64
}

/// What a slave did in the last 24 hours, as a strip of 288 units of 5 minutes.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<svg class="gb day" viewBox="0 0 288 8" preserveAspectRatio="none" role="img" aria-label="{{ name }}: {{ percent }} % busy in 24 hours">{% for (class, x, width) in spans %}<rect class="{{ class }}" x="{{ x }}" width="{{ width }}" height="8"/>{% endfor %}</svg>"#,
    ext = "html"
)]
pub struct DayStrip {
    name: String,
    percent: u64,
    spans: Vec<(&'static str, String, String)>,
}

impl askama::filters::HtmlSafe for DayStrip {}

/// A day.
pub const DAY: Duration = Duration::from_hours(24);

impl DayStrip {
    /// The strip of what is called `name`. Each span has its tone, how long ago it began and how
    /// long ago it ended; those that count as busy come with `true`.
    #[must_use]
    pub fn new(name: String, spans: &[(Tone, Duration, Duration, bool)]) -> Self {
        let mut busy: Vec<_> = spans
            .iter()
            .filter(|(.., is_busy)| *is_busy)
            .map(|(_, began, ended, _)| (DAY.saturating_sub(*began), DAY.saturating_sub(*ended)))
            .collect();
        busy.sort_unstable();
        let mut edge = Duration::ZERO;
        let mut sum = Duration::ZERO;
        for (began, ended) in busy {
            sum += ended.saturating_sub(began.max(edge));
            edge = edge.max(ended);
        }
        let unit = |time: Duration| time.as_secs_f64() / 300.0;
        let drawn = spans.iter().filter(|(_, _, ended, _)| *ended < DAY);
        let drawn = drawn.map(|(tone, began, ended, _)| {
            let x = unit(DAY.saturating_sub(*began)).min(287.1);
            let width = (unit(DAY.saturating_sub(*ended)) - x).max(0.9);
            (tone.class(), format!("{x:.1}"), format!("{width:.1}"))
        });
        Self {
            name,
            percent: sum.as_secs() * 100 / DAY.as_secs(),
            spans: drawn.collect(),
        }
    }

    /// The part of the day that was busy, in percent.
    #[must_use]
    pub const fn percent(&self) -> u64 {
        self.percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mins(mins: u64) -> Duration {
        Duration::from_secs(mins * 60)
    }

    #[test]
    fn a_chart_has_a_dot_for_each_good_build_and_a_cross_for_each_that_failed() {
        let ends = || ("build 1".to_owned(), "build 4".to_owned());
        let builds = [
            (mins(9), true),
            (mins(10), true),
            (mins(2), false),
            (mins(9), true),
        ];
        let chart = TimeChart::new(&builds, ends())
            .expect("there are good ones")
            .to_string();
        assert_eq!(chart.matches("<circle").count(), 3, "{chart}");
        assert_eq!(chart.matches(r#"<path class="fail""#).count(), 1, "{chart}");
        assert!(
            chart.contains("between 9 min 00 s and 10 min 00 s"),
            "{chart}"
        );
        assert!(
            chart.contains(">5 min</text>") && chart.contains("1 failed"),
            "{chart}"
        );
        assert!(TimeChart::new(&builds[2..], ends()).is_none());
        assert!(TimeChart::new(&[], ends()).is_none());
    }

    #[test]
    fn a_strip_counts_time_once_and_leaves_out_what_was_before() {
        let spans = [
            (Tone::Ok, mins(720), mins(360), true),
            (Tone::Fail, mins(540), mins(180), true),
            (Tone::Ok, mins(2000), mins(1500), true),
            (Tone::Wait, mins(60), mins(0), false),
        ];
        let strip = DayStrip::new("oak".to_owned(), &spans);
        assert_eq!(strip.percent(), 37);
        let html = strip.to_string();
        assert_eq!(html.matches("<rect").count(), 3, "{html}");
        assert!(
            html.contains(r#"<rect class="ok" x="144.0" width="72.0""#),
            "{html}"
        );
    }
}
