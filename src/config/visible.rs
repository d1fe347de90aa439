//! Which names each place in the file sees, and which parts they have (CFL-90 to CFL-92).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::class::Class;
use super::expression::{Expression, Use};
use super::named_values::NamedValues;
use super::spelling;
use crate::model::SourceStamp;

/// What is known of `[values]` while the rest of the file is read.
#[derive(Debug, Default)]
pub(super) struct KnownValues {
    /// The names of section 15 that each needs, also through others.
    pub(super) needs: BTreeMap<String, BTreeSet<String>>,
    /// The values.
    pub(super) named: Arc<NamedValues>,
    /// Where each is written.
    pub(super) places: BTreeMap<String, Range<usize>>,
    /// Those that something uses, as far as the file was read.
    pub(super) used: RefCell<BTreeSet<String>>,
    /// Some could not be read; then an unknown name may be one of them.
    pub(super) is_incomplete: bool,
}

impl KnownValues {
    /// The names that the value `name` needs, also through others.
    pub(super) fn needs(&self, name: &str) -> impl Iterator<Item = &str> {
        self.needs
            .get(name)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

/// What a place in the file sees, beside `kw`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sees<'s> {
    /// The names of section 15.
    pub(super) names: &'s [&'static str],
    /// The names of the steps that come before, if that is known.
    pub(super) steps: Option<&'s [String]>,
    /// The names that `count` has, if that is known.
    pub(super) counts: Option<&'s [String]>,
}

/// What steps see before they run, and their texts.
pub(super) const BEFORE_STEP: &[&str] = &["prop", "src", "slave", "build", "step"];

/// What steps see when they have ended.
pub(super) const AFTER_STEP: &[&str] = &[
    "prop", "src", "slave", "build", "step", "result", "rc", "stdout", "count",
];

/// What the places of requests in queues see.
pub(super) const OF_REQUEST: &[&str] = &["prop", "src", "request"];

/// What decides whether a slave takes a request sees.
pub(super) const OF_REQUEST_AND_SLAVE: &[&str] = &["prop", "src", "request", "slave"];

/// What decides between slaves that could take a request sees.
pub(super) const OF_REQUEST_AND_SLAVES: &[&str] = &[
    "prop",
    "src",
    "request",
    "slave",
    "slave.running",
    "slave.is_up",
    "slave.used_last",
];

/// What rules on changes see.
pub(super) const OF_CHANGE: &[&str] = &["change"];

impl<'s> Sees<'s> {
    /// These names of section 15, and neither steps nor counts.
    pub(super) const fn only(names: &'s [&'static str]) -> Self {
        Self {
            names,
            steps: None,
            counts: None,
        }
    }
}

/// What is wrong with a name.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) class: Class,
    pub(super) message: String,
    pub(super) help: String,
}

impl Wrong {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            class: Class::UnknownName,
            message: message.into(),
            help: help.into(),
        }
    }

    fn not_visible(self) -> Self {
        Self {
            class: Class::NotVisible,
            ..self
        }
    }
}

impl KnownValues {
    /// What is wrong with the first name that `expression` uses and cannot use in a place that sees
    /// `sees` (CFL-91, CFL-92, CFL-100, CFL-101), and where.
    pub(super) fn wrong_use(
        &self,
        expression: &Expression,
        sees: Sees<'_>,
    ) -> Option<(Range<usize>, Wrong)> {
        let mut uses = expression.uses().iter();
        uses.find_map(|used| {
            let checked = match used.path.first().map(String::as_str) {
                Some("kw") => match used.path.get(1) {
                    Some(name) => self.check(name, sees.names),
                    None => Err(Some(Wrong::new(
                        "a value must be named: `kw.NAME`",
                        "its name cannot be computed",
                    ))),
                },
                Some(name) => check_name(name, used, sees),
                None => Ok(()),
            };
            Some((used.at.clone(), checked.err()??))
        })
    }

    /// Checks that there is a value `name`, and that all that it needs is known in a place that
    /// sees `names`. A mistake that follows from another one is nothing.
    pub(super) fn check(&self, name: &str, names: &[&str]) -> Result<(), Option<Wrong>> {
        let Some(needs) = self.needs.get(name) else {
            let near = spelling::nearest(name, self.needs.keys().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.is_incomplete => return Err(None),
                None if self.needs.is_empty() => "there are no [values] in this file".to_owned(),
                None => {
                    let all: Vec<&str> = self.needs.keys().map(String::as_str).collect();
                    format!("[values] has {}", spelling::listing(&all))
                }
            };
            return Err(Some(Wrong::new(
                format!("there is no value `{name}`"),
                help,
            )));
        };
        if !self.used.borrow().contains(name) {
            self.used.borrow_mut().insert(name.to_owned());
        }
        match needs.iter().find(|need| !names.contains(&need.as_str())) {
            Some(need) => Err(Some(
                Wrong::new(
                    format!("the value `{name}` needs `{need}`, which is not known here"),
                    format!("here are known {}", spelling::listing(names)),
                )
                .not_visible(),
            )),
            None => Ok(()),
        }
    }
}

/// Checks a name of section 15 and its first part.
fn check_name(name: &str, used: &Use, sees: Sees<'_>) -> Result<(), Option<Wrong>> {
    let Some((_, parts)) = NAMES.iter().find(|(known, _)| *known == name) else {
        let near = spelling::nearest(name, sees.names.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!("a property is `prop.{name}`, a value `kw.{name}`, a string `'{name}'`")
            }
        };
        return Err(Some(Wrong::new(format!("there is no `{name}`"), help)));
    };
    if !sees.names.contains(&name) {
        let help = match name {
            "stdout" | "rc" | "result" | "count" => {
                "it is known to `result`, `set` and `hide_step_if`, of steps that have it"
                    .to_owned()
            }
            _ => format!("here are known {}", spelling::listing(sees.names)),
        };
        return Err(Some(
            Wrong::new(format!("`{name}` is not known here"), help).not_visible(),
        ));
    }
    let Some(part) = used.path.get(1) else {
        return Ok(());
    };
    let near = |all: &[&str]| match spelling::nearest(part, all.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if all.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", spelling::listing(all)),
    };
    let names = |all: &[String], what: String| {
        if all.iter().any(|known| known == part) {
            return Ok(());
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        Err(Some(Wrong::new(what, near(&all))))
    };
    match (name, sees.steps, sees.counts) {
        ("step", Some(steps), _) => names(steps, format!("no earlier step is called `{part}`")),
        ("count", _, Some(counts)) => names(
            counts,
            format!("no `watch` rule of this step counts `{part}`"),
        ),
        _ if sees
            .names
            .iter()
            .any(|known| known.split_once('.') == Some((name, part))) =>
        {
            Ok(())
        }
        _ if parts.is_empty() || parts.contains(&part.as_str()) => Ok(()),
        _ if name == "slave" && ONLY_IN_SLAVE_ORDER.contains(&part.as_str()) => {
            let what = format!("`{name}.{part}` is not known here");
            let wrong = Wrong::new(what, "only `slave_order` sees it");
            Err(Some(wrong.not_visible()))
        }
        _ => Err(Some(Wrong::new(
            format!("`{name}` has no `{part}`"),
            near(parts),
        ))),
    }
}

/// What changes with each build of a slave.
const ONLY_IN_SLAVE_ORDER: [&str; 3] = ["running", "is_up", "used_last"];

/// The names of section 15.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// The parts of `change`.
pub(super) const PARTS_OF_CHANGE: [&str; 10] = [
    "who",
    "files",
    "comments",
    "branch",
    "revision",
    "project",
    "repository",
    "category",
    "codebase",
    "properties",
];

/// The names of section 15 and their parts; those without a list have parts of the user's choice,
/// or none.
const NAMES: [(&str, &[&str]); 12] = [
    ("prop", &[]),
    ("src", &SourceStamp::FACTS),
    ("kw", &[]),
    ("slave", &["name", "tags", "properties", "type", "version"]),
    (
        "build",
        &[
            "number", "builder", "tags", "reason", "url", "result", "failed",
        ],
    ),
    ("step", &[]),
    ("request", &["number", "priority", "reason"]),
    ("change", &PARTS_OF_CHANGE),
    ("result", &[]),
    ("rc", &[]),
    ("stdout", &[]),
    ("count", &[]),
];
