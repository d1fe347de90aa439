//! Families of metrics, and their text in the OpenMetrics format.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::measure::Distribution;
use crate::text::steers;

/// A family of metrics: one name, one kind, samples with labels.
#[derive(Clone, Debug)]
pub(super) struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    samples: Vec<Sample>,
}

/// What a family is, and what becomes of samples that lose a label in which they differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A number that only grows. Samples are added up.
    Counter,
    /// A number. Samples are added up.
    Sum,
    /// A number. The greatest sample remains.
    Greatest,
    /// A time. The least sample remains.
    Least,
    /// Durations. Samples are added up.
    Histogram,
}

#[derive(Clone, Debug)]
struct Sample {
    labels: Labels,
    value: Value,
}

/// Names of labels with their values.
type Labels = Vec<(&'static str, String)>;

#[derive(Clone, Debug)]
enum Value {
    Number(f64),
    Durations(Distribution),
}

/// The type of the text.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Maximum number of series.
pub(super) const MOST_SERIES: usize = 20_000;

/// The labels that are dropped when there are too many series.
const DROPPED: [&str; 2] = ["builder", "slave"];

impl Family {
    /// A family without samples. The name of a counter has no `_total`.
    pub(super) const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind,
            samples: Vec::new(),
        }
    }

    /// Adds a sample.
    pub(super) fn add(&mut self, labels: &[(&'static str, &str)], number: f64) {
        self.push(labels, Value::Number(number));
    }

    /// Adds a sample that is a count.
    pub(super) fn count(&mut self, labels: &[(&'static str, &str)], count: u64) {
        self.add(labels, precise(count));
    }

    /// Adds durations.
    pub(super) fn durations(&mut self, labels: &[(&'static str, &str)], durations: &Distribution) {
        self.push(labels, Value::Durations(durations.clone()));
    }

    /// This family with one sample.
    pub(super) fn with(mut self, labels: &[(&'static str, &str)], number: f64) -> Self {
        self.add(labels, number);
        self
    }

    /// This family with one sample that is a count.
    pub(super) fn with_count(mut self, count: u64) -> Self {
        self.count(&[], count);
        self
    }

    /// This family with durations of one kind.
    pub(super) fn with_durations(mut self, durations: &Distribution) -> Self {
        self.durations(&[], durations);
        self
    }

    fn push(&mut self, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels
            .iter()
            .map(|(name, text)| (*name, (*text).to_owned()));
        let labels = labels.collect();
        self.samples.push(Sample { labels, value });
    }

    fn series(&self) -> usize {
        let series = self.samples.iter().map(|sample| match &sample.value {
            Value::Number(_) => 1,
            Value::Durations(durations) => durations.buckets.len() + 3,
        });
        series.sum()
    }

    /// Merges the samples that differ only in the labels that are dropped.
    fn without_labels(self) -> Self {
        let mut merged: BTreeMap<Labels, Value> = BTreeMap::new();
        for Sample { mut labels, value } in self.samples {
            labels.retain(|(name, _)| !DROPPED.contains(name));
            match merged.get_mut(&labels) {
                Some(known) => known.merge(&value, self.kind),
                None => drop(merged.insert(labels, value)),
            }
        }
        let merged = merged.into_iter();
        Self {
            samples: merged
                .map(|(labels, value)| Sample { labels, value })
                .collect(),
            ..self
        }
    }

    fn write(&self, text: &mut String) {
        let Self { name, help, .. } = self;
        let (kind, suffix) = match self.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Sum | Kind::Greatest | Kind::Least => ("gauge", ""),
            Kind::Histogram => ("histogram", ""),
        };
        write(text, format_args!("# TYPE {name} {kind}\n"));
        write(text, format_args!("# HELP {name} {help}\n"));
        for Sample { labels, value } in &self.samples {
            match value {
                Value::Number(number) => line(text, name, suffix, labels, None, *number),
                Value::Durations(durations) => {
                    for (bound, count) in &durations.buckets {
                        let bound = format!("{bound:?}");
                        let count = precise(*count);
                        line(text, name, "_bucket", labels, Some(&bound), count);
                    }
                    let count = precise(durations.count);
                    line(text, name, "_bucket", labels, Some("+Inf"), count);
                    line(text, name, "_count", labels, None, count);
                    line(text, name, "_sum", labels, None, durations.sum_secs);
                }
            }
        }
    }
}

impl Value {
    fn merge(&mut self, other: &Self, kind: Kind) {
        match (self, other) {
            (Self::Number(own), Self::Number(other)) => match kind {
                Kind::Counter | Kind::Sum | Kind::Histogram => *own += other,
                Kind::Greatest => *own = own.max(*other),
                Kind::Least => *own = own.min(*other),
            },
            (Self::Durations(own), Self::Durations(other)) => {
                for ((_, own), (_, other)) in own.buckets.iter_mut().zip(&other.buckets) {
                    *own += other;
                }
                own.count += other.count;
                own.sum_secs += other.sum_secs;
            }
            // A family has values of one kind.
            (Self::Number(_), Self::Durations(_)) | (Self::Durations(_), Self::Number(_)) => {}
        }
    }
}

/// The text of all families. With too many series the labels that name builders and slaves are
/// left out; says so.
pub(super) fn text(families: Vec<Family>) -> (String, bool) {
    let is_too_much = families.iter().map(Family::series).sum::<usize>() > MOST_SERIES;
    let families = families.into_iter().map(|family| match is_too_much {
        true => family.without_labels(),
        false => family,
    });
    let mut text = String::new();
    for family in families.filter(|family| !family.samples.is_empty()) {
        family.write(&mut text);
    }
    text += "# EOF\n";
    (text, is_too_much)
}

fn line(
    text: &mut String,
    name: &str,
    suffix: &str,
    labels: &Labels,
    bound: Option<&str>,
    number: f64,
) {
    write(text, format_args!("{name}{suffix}"));
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
    let labels = labels.chain(bound.map(|bound| ("le", bound)));
    let mut before = '{';
    for (name, value) in labels {
        write(text, format_args!("{before}{name}=\"{}\"", escaped(value)));
        before = ',';
    }
    if before == ',' {
        text.push('}');
    }
    write(text, format_args!(" {number}\n"));
}

/// A value of a label as it stands between quotes. What steers a terminal is replaced.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => text += "\\\\",
            '"' => text += "\\\"",
            '\n' => text += "\\n",
            c if steers(c) => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
    text
}

fn write(text: &mut String, piece: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(piece);
    written.expect("writing to a string cannot fail");
}

/// A count as a number; above 2^53 the last digits are lost.
#[expect(clippy::cast_precision_loss, reason = "as the format has it")]
const fn precise(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(counts: [u64; 2]) -> Distribution {
        Distribution {
            buckets: vec![(0.5, counts[0]), (60.0, counts[1])],
            count: counts[1] + 1,
            sum_secs: 100.25,
        }
    }

    #[test]
    fn families_have_their_kind_their_help_and_escaped_labels() {
        let mut builds = Family::new("b", Kind::Counter, "Builds.");
        builds.count(&[("builder", "a\\\"\n\0"), ("result", "success")], 3);
        let times = Family::new("t_seconds", Kind::Histogram, "Times.");
        let times = times.with_durations(&distribution([1, 2]));
        let nothing = Family::new("n", Kind::Sum, "Nothing.");
        let (text, is_too_much) = text(vec![builds, nothing, times]);
        let expected = r##"# TYPE b counter
# HELP b Builds.
b_total{builder="a\\\"\n�",result="success"} 3
# TYPE t_seconds histogram
# HELP t_seconds Times.
t_seconds_bucket{le="0.5"} 1
t_seconds_bucket{le="60.0"} 2
t_seconds_bucket{le="+Inf"} 3
t_seconds_count 3
t_seconds_sum 100.25
# EOF
"##;
        assert_eq!((text.as_str(), is_too_much), (expected, false));
    }

    #[test]
    fn with_too_many_series_builders_and_slaves_are_not_told_apart() {
        let family = |kind, most: usize| {
            let mut family = Family::new("x", kind, "X.");
            for number in 0..most {
                let builder = number.to_string();
                family.count(&[("builder", &builder), ("result", "y")], 2);
            }
            family
        };
        let (all, is_too_much) = text(vec![family(Kind::Sum, MOST_SERIES)]);
        assert_eq!((all.lines().count(), is_too_much), (MOST_SERIES + 3, false));
        for (kind, expected) in [
            (Kind::Counter, "x_total{result=\"y\"} 40002\n"),
            (Kind::Sum, "x{result=\"y\"} 40002\n"),
            (Kind::Greatest, "x{result=\"y\"} 2\n"),
            (Kind::Least, "x{result=\"y\"} 2\n"),
        ] {
            let (text, is_too_much) = text(vec![family(kind, MOST_SERIES + 1)]);
            assert!(text.contains(expected) && is_too_much, "{text}");
        }
        let mut times = Family::new("t", Kind::Histogram, "T.");
        for slave in 0..MOST_SERIES {
            times.durations(&[("slave", &slave.to_string())], &distribution([1, 2]));
        }
        let (text, _) = text(vec![times]);
        assert!(text.contains("t_bucket{le=\"0.5\"} 20000\n"), "{text}");
    }
}
