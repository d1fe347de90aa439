//! Who waits for whom: a Dependent names its upstream, which may stand anywhere in the file
//! (DEP-01, SCB-07).

use std::collections::{BTreeMap, BTreeSet};

use crate::config::names::Names;
use crate::config::reader::Value;

/// What the schedulers say of each other, to be checked when all are known.
#[derive(Debug, Default)]
pub(super) struct Upstreams<'a> {
    /// The kinds of those that only build what they are handed.
    of_try: BTreeMap<&'a str, &'static str>,
    /// Each Dependent with its upstream.
    links: BTreeMap<&'a str, Value<'a>>,
}

impl<'a> Upstreams<'a> {
    /// Notes a scheduler of `kind` that builds try jobs.
    pub(super) fn add_of_try(&mut self, name: &'a str, kind: &'static str) {
        self.of_try.insert(name, kind);
    }

    /// Notes the upstream of a scheduler.
    pub(super) fn add(&mut self, name: &'a str, upstream: Value<'a>) {
        self.links.insert(name, upstream);
    }

    /// Reports upstreams that do not exist or cannot be one, and circles.
    pub(super) fn check(&self, names: &Names<'a>) {
        let mut links = BTreeMap::new();
        for (&name, value) in &self.links {
            let Some(upstream) = names.refer(value) else {
                continue;
            };
            links.insert(name, upstream);
            if let Some(kind) = self.of_try.get(upstream) {
                let message = format!(
                    "{} cannot wait for `{upstream}`, whose builds are tries ({kind})",
                    value.label
                );
                let help = "name a scheduler that builds what is in the repository";
                value.sink.error(value.span(), message, help);
            }
        }
        self.report_circles(&links);
    }

    fn report_circles(&self, links: &BTreeMap<&'a str, &'a str>) {
        let mut seen = BTreeSet::new();
        for &start in links.keys() {
            let mut path = vec![start];
            let mut at = start;
            while let Some(&upstream) = links.get(at).filter(|_| seen.insert(at)) {
                if let Some(from) = path.iter().position(|&name| name == upstream) {
                    self.report(path.split_off(from));
                    break;
                }
                path.push(upstream);
                at = upstream;
            }
        }
    }

    /// Reports a circle, beginning with the one that comes first in the file.
    fn report(&self, mut circle: Vec<&'a str>) {
        let place = |name: &&str| self.links.get(name).map(|v| v.span().start);
        let first = (0..circle.len()).min_by_key(|&i| circle.get(i).and_then(place));
        circle.rotate_left(first.unwrap_or(0));
        let Some(value) = circle.first().and_then(|name| self.links.get(name)) else {
            return;
        };
        let named: Vec<String> = circle.iter().map(|name| format!("`{name}`")).collect();
        let message = match named.as_slice() {
            [one] => format!("scheduler {one} waits for itself"),
            _ => format!(
                "schedulers wait for each other in a circle: {} waits for {}",
                named.join(" waits for "),
                named.first().map_or("", String::as_str)
            ),
        };
        let help = "one of them must start by changes or by the clock";
        value.sink.error(value.span(), message, help);
    }
}
