//! `[[permissions]]`: who may do what (MAY-01, MAY-03).

use serde::{Serialize, Serializer};

use super::reader::{Table, Value};
use super::shape::Shape;
use super::spelling;
use crate::model::{Action, Actions, NamePatterns, ObjectPatterns};

/// The rules, in the order of the file. Without `[[permissions]]` there is one: anyone may view.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Permissions {
    /// The rules.
    pub rules: Vec<PermissionRule>,
    /// Name of the file with the rules.
    #[serde(skip)]
    pub file: String,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PermissionRule {
    /// The people that the rule is about.
    pub who: Vec<Who>,
    /// What they may do.
    pub may: Actions,
    /// What they may not do, whatever other rules say.
    pub may_not: Actions,
    /// The things that the rule is limited to.
    pub on: ObjectPatterns,
    /// The line of the rule in the file; absent for the rule that holds without any.
    #[serde(skip)]
    pub line: Option<usize>,
}

/// Whom a rule is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Who {
    /// `anyone`, also without a login.
    Anyone,
    /// `logged-in`: everybody who has logged in.
    LoggedIn,
    /// `owner`: the owner of the build, request, slave, problem or builder.
    Owner,
    /// `role:NAME`: everybody with a role.
    Role(String),
    /// A person, by name.
    Person(String),
}

impl Who {
    /// Reads a text as the configuration has it.
    #[must_use]
    pub fn named(text: &str) -> Self {
        match text {
            "anyone" => Self::Anyone,
            "logged-in" => Self::LoggedIn,
            "owner" => Self::Owner,
            text => match text.strip_prefix("role:") {
                Some(role) => Self::Role(role.to_owned()),
                None => Self::Person(text.to_owned()),
            },
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::LoggedIn => f.write_str("logged-in"),
            Self::Owner => f.write_str("owner"),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Person(name) => f.write_str(name),
        }
    }
}

impl Serialize for Who {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Default for Permissions {
    fn default() -> Self {
        Self {
            rules: vec![PermissionRule {
                who: vec![Who::Anyone],
                may: [Action::View].into_iter().collect(),
                ..PermissionRule::default()
            }],
            file: String::new(),
        }
    }
}

pub(super) static SHAPE: Shape = Shape {
    place: "permissions",
    noun: "permission",
    keys: &["who", "may", "may_not", "on"],
    kinds: Vec::new,
};

pub(super) static ON: Shape = Shape {
    place: "permissions.on",
    noun: "permission",
    keys: &["builders", "tags", "slaves", "repositories", "schedulers"],
    kinds: Vec::new,
};

/// The names that rules can refer to.
#[derive(Debug)]
pub(super) struct Known<'k> {
    /// Builders.
    pub(super) builders: Vec<&'k str>,
    /// Slaves.
    pub(super) slaves: Vec<&'k str>,
    /// Schedulers.
    pub(super) schedulers: Vec<&'k str>,
}

/// Reads the rules of a file called `file`.
pub(super) fn read(root: &mut Table<'_>, file: &str, known: &Known<'_>) -> Permissions {
    let Some(value) = root.take("permissions") else {
        return Permissions::default();
    };
    let tables = value.tables(&SHAPE).into_iter();
    let rules: Vec<_> = tables.map(|table| read_rule(table, known)).collect();
    let is_open = |rule: &PermissionRule| rule.may.contains(Action::View);
    if !rules.is_empty() && !rules.iter().any(is_open) {
        value.sink.warning(
            value.key_span.clone(),
            "no permission includes `view`, so nobody can see anything over the network".to_owned(),
            "add `[[permissions]]` with `who = [\"anyone\"]` and `may = [\"view\"]`",
        );
    }
    Permissions {
        rules,
        file: file.to_owned(),
    }
}

fn read_rule(mut table: Table<'_>, known: &Known<'_>) -> PermissionRule {
    let mut rule = PermissionRule {
        line: Some(table.sink.places.locate(table.span.start).line),
        ..PermissionRule::default()
    };
    if let Some(value) = table.require("who", "[\"logged-in\"]") {
        let entries = value.one_or_list().unwrap_or_default();
        rule.who = entries.iter().filter_map(read_who).collect();
        if entries.is_empty() {
            value.error("is empty", "name at least one person, role or group");
        }
    }
    let (sink, span, label) = (table.sink, table.span.clone(), table.label.clone());
    let may = table.take("may");
    let may_not = table.take("may_not");
    if may.is_none() && may_not.is_none() && !table.has_misspelt("may") {
        let message = format!("{label} needs `may` or `may_not`");
        sink.missing(span, message, "add `may = [\"force\"]`");
    }
    rule.may = may.as_ref().map(read_actions).unwrap_or_default();
    rule.may_not = may_not.as_ref().map(read_actions).unwrap_or_default();
    if let Some(on) = table.take("on").and_then(|value| value.table(&ON)) {
        rule.on = read_on(on, known);
    }
    table.finish();
    rule
}

fn read_who(value: &Value<'_>) -> Option<Who> {
    let text = value.name()?;
    let meant = match text {
        "everybody" | "everyone" | "all" | "*" | "nobody" => "anyone",
        "logged_in" | "loggedin" | "authenticated" => "logged-in",
        "owners" | "own" => "owner",
        _ => "",
    };
    if !meant.is_empty() {
        value.error(
            &format!("names {text:?}"),
            format!("write {meant:?}, or the name of a person, or `role:NAME`"),
        );
        return None;
    }
    if text == "role:" {
        value.error("names a role without a name", "write `role:NAME`");
        return None;
    }
    Some(Who::named(text))
}

fn read_actions(value: &Value<'_>) -> Actions {
    let mut actions = Actions::default();
    for entry in value.one_or_list().unwrap_or_default() {
        let Some(text) = entry.text() else { continue };
        if actions.add(text) {
            continue;
        }
        let help = match spelling::nearest(text, Action::names()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => {
                let names: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
                format!("it may be `*`, {}", spelling::listing(&names))
            }
        };
        entry.error(&format!("has the unknown action {text:?}"), help);
    }
    actions
}

fn read_on(mut table: Table<'_>, names: &Known<'_>) -> ObjectPatterns {
    let mut on = ObjectPatterns::default();
    for (key, patterns, known) in [
        (
            "builders",
            &mut on.builders,
            Some(("builder", &names.builders)),
        ),
        ("tags", &mut on.tags, None),
        ("slaves", &mut on.slaves, Some(("slave", &names.slaves))),
        ("repositories", &mut on.repositories, None),
        (
            "schedulers",
            &mut on.schedulers,
            Some(("scheduler", &names.schedulers)),
        ),
    ] {
        table.set_some(key, patterns, |value| {
            let entries = value.one_or_list()?;
            if let Some((noun, known)) = known {
                for entry in &entries {
                    check_name(entry, noun, known);
                }
            }
            read_patterns(value, &entries)
        });
    }
    table.finish();
    on
}

/// Checks that a plain name is one of `known`.
pub(super) fn check_name(entry: &Value<'_>, noun: &str, known: &[&str]) {
    let Some(name) = entry.data().as_str() else {
        return;
    };
    if !NamePatterns::is_plain(name) || known.contains(&name) {
        return;
    }
    let help = match spelling::nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the {noun}s are {}", spelling::listing(known)),
    };
    let message = format!(
        "{} names the {noun} `{name}`, which does not exist",
        entry.label
    );
    entry.sink.missing(entry.span(), message, help);
}

pub(super) fn read_patterns(value: &Value<'_>, entries: &[Value<'_>]) -> Option<NamePatterns> {
    let texts = entries.iter().filter_map(|entry| entry.name());
    match NamePatterns::new(texts.map(str::to_owned).collect()) {
        Ok(patterns) => Some(patterns),
        Err(error) => {
            value.error(
                &format!("has a pattern with a mistake: {}", error.why),
                "`*` stands for any text, `?` for one character, `[ab]` and `{a,b}` for choices",
            );
            None
        }
    }
}
