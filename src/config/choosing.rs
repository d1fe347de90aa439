//! The rules by which requests and slaves find each other: which slave builds, what is merged, who
//! goes first.

use serde::Serialize;

use super::condition::Condition;
use super::expression::{Expression, Mode};
use super::reader::{Table, Value};
use super::shape::of;
use super::trace::Wanted;
use super::visible::{OF_REQUEST, OF_REQUEST_AND_SLAVE, OF_REQUEST_AND_SLAVES, Sees};

/// Which of several idle slaves gets a build (BLD-05).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum SlaveChoice {
    /// Each as likely.
    #[default]
    Random,
    /// The first in the order of the builder's `slaves`.
    First,
    /// One of those on which the fewest builds run, each of these as likely.
    LeastLoaded,
}

/// Which requests of a builder share a build (BLD-06, BRQ-09).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum MergeRule {
    /// Those whose stamps are compatible (SST-05).
    #[default]
    Compatible,
    /// None.
    Never,
    /// Those for the same branch of the same project, repository and codebase, whatever their
    /// changes and revisions; not those with a patch, whose results belong to one person.
    SameBranch,
}

/// How the requests of a builder are merged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Merging {
    /// Which stamps go together.
    #[serde(rename = "merge_requests")]
    pub rule: MergeRule,
    /// Whether requests with different properties are kept apart (BRQ-09).
    #[serde(rename = "merge_compare_properties")]
    pub compare_properties: bool,
}

/// Expressions by which requests of a builder find their places in its queue, and their builds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QueueRules {
    /// Of two requests of equal priority, that with the greater first value goes first; where they
    /// are equal the next value decides, then age (CFL-120).
    pub request_order: Vec<Expression>,
    /// Requests share a build only if these have equal values (CFL-122).
    pub merge_by: Vec<Expression>,
    /// Maximum number of requests in a build; absent is unlimited (CFL-123).
    pub merge_limit: Option<u32>,
}

/// Rules by which a builder chooses slaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SlaveRules {
    /// Whether a slave takes a request (CFL-130); absent: each does.
    pub slave_if: Option<Condition>,
    /// The property that names the slave which takes a request; one without it goes to any.
    pub slave_property: Option<String>,
    /// Of the slaves that could take a request now, that with the greatest values goes first; where
    /// all are equal, `next_slave` decides (CFL-132).
    pub slave_order: Vec<Expression>,
}

impl QueueRules {
    /// Whether there is an expression.
    #[must_use]
    pub const fn have_expressions(&self) -> bool {
        !self.request_order.is_empty() || !self.merge_by.is_empty()
    }
}

impl SlaveRules {
    /// Whether there are none.
    #[must_use]
    pub const fn are_empty(&self) -> bool {
        self.slave_if.is_none() && self.slave_property.is_none() && self.slave_order.is_empty()
    }
}

impl Table<'_> {
    /// `request_order`, `merge_by` and `merge_limit`; what is not set is as in `otherwise`.
    pub(super) fn queue_rules(&mut self, otherwise: &QueueRules) -> QueueRules {
        let mut rules = otherwise.clone();
        let sees = Sees::only(OF_REQUEST);
        for (key, expressions) in [
            ("request_order", &mut rules.request_order),
            ("merge_by", &mut rules.merge_by),
        ] {
            self.set(key, expressions, |v| v.expressions_that(sees));
        }
        self.set_some("merge_limit", &mut rules.merge_limit, |v| {
            v.integer(1..=u32::MAX)
        });
        rules
    }

    /// `slave_if`, `slave_property` and `slave_order`.
    pub(super) fn slave_rules(&mut self) -> SlaveRules {
        let mut rules = SlaveRules::default();
        self.set_some("slave_if", &mut rules.slave_if, |v| {
            v.condition_of(Mode::Core, Sees::only(OF_REQUEST_AND_SLAVE))
        });
        let is_nothing = |condition: &mut Condition| *condition == Condition::Always(true);
        rules.slave_if.take_if(is_nothing);
        self.set_some("slave_property", &mut rules.slave_property, |v| {
            v.name().map(str::to_owned)
        });
        self.set("slave_order", &mut rules.slave_order, |v| {
            v.expressions_that(Sees::only(OF_REQUEST_AND_SLAVES))
        });
        rules
    }

    /// `merge_requests` and `merge_compare_properties`; what is not set is as in `otherwise`.
    pub(super) fn merging(&mut self, otherwise: Merging) -> Merging {
        let mut merging = otherwise;
        if otherwise.rule == MergeRule::Never && self.place("merge_requests").is_none() {
            for key in ["merge_by", "merge_limit", "merge_compare_properties"] {
                self.warn_of_no_merging(key);
            }
        }
        self.set("merge_requests", &mut merging.rule, Value::merge_rule);
        let compare = &mut merging.compare_properties;
        self.set("merge_compare_properties", compare, Value::flag);
        merging
    }

    /// Warns of `key`, if it is there, where no requests are merged because of the whole file.
    fn warn_of_no_merging(&self, key: &str) {
        if let Some(place) = self.place(key).filter(|place| !self.sink.is_bundled(place)) {
            let setting = of(key, &self.label);
            let message = format!("{setting} does nothing: the file has `merge_requests = false`");
            let help = "add `merge_requests = true` here, or remove this";
            self.sink.warning(place, message, help);
        }
    }

    /// `priority`: what has a higher one goes first; 0 if it is not set (BRQ-09).
    pub(super) fn priority(&mut self) -> i32 {
        let mut priority = 0;
        self.set("priority", &mut priority, |v| {
            v.integer(-HIGHEST_PRIORITY..=HIGHEST_PRIORITY)
        });
        priority
    }
}

impl Value<'_> {
    /// A list of expressions that the core works out, which see `sees`.
    fn expressions_that(&self, sees: Sees<'_>) -> Option<Vec<Expression>> {
        let entries = self.list()?;
        let read = |entry: &Value<'_>| entry.expression_of(Mode::Core, sees);
        entries.iter().map(read).collect()
    }

    /// A rule for the choice of slaves.
    pub(super) fn slave_choice(&self) -> Option<SlaveChoice> {
        match self.one_of(&["random", "first", "least-loaded"])? {
            "first" => Some(SlaveChoice::First),
            "least-loaded" => Some(SlaveChoice::LeastLoaded),
            _ => Some(SlaveChoice::Random),
        }
    }

    /// `true` or `"compatible"`, `false` or `"never"`, or `"always-same-branch"`.
    fn merge_rule(&self) -> Option<MergeRule> {
        self.wants(MERGE_RULES.map(Wanted::Word));
        if !self.among([Wanted::Flag]).is_str() {
            let merges = self.flag()?;
            return Some(if merges {
                MergeRule::Compatible
            } else {
                MergeRule::Never
            });
        }
        match self.one_of(&MERGE_RULES)? {
            "never" => Some(MergeRule::Never),
            "always-same-branch" => Some(MergeRule::SameBranch),
            _ => Some(MergeRule::Compatible),
        }
    }
}

/// Names by which builders and slaves are selected.
pub(super) fn read_tags(value: &Value<'_>) -> Option<Vec<String>> {
    let entries = value.list()?;
    let tags = entries.iter().filter_map(Value::name);
    Some(tags.map(str::to_owned).collect())
}

/// The words for rules of merging.
const MERGE_RULES: [&str; 3] = ["compatible", "never", "always-same-branch"];

/// Priorities go from minus this to this.
const HIGHEST_PRIORITY: i32 = 1_000_000;
