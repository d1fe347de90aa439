//! What all status targets have that tell of builds: the name, and which builds they are told of
//! (MAL-02 to MAL-04).

use serde::Serialize;
use serde_json::json;

use super::Around;
use crate::config::builders::BuilderConfig;
use crate::config::expression::{self, Expression, Scope};
use crate::config::reader::{Table, Value};
use crate::config::trace::Wanted;
use crate::model::{BuilderName, Letter, NewsMode, PreviousBuild, Properties, Results};

/// Which builds a status target reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Telling {
    /// The name of the target, which its letters carry: that of its kind.
    pub name: String,
    /// The builds that are told: those that failed, succeeded or have warnings.
    #[serde(rename = "mode")]
    pub modes: Vec<NewsMode>,
    /// Only builds of these builders.
    pub builders: Option<Vec<BuilderName>>,
    /// Only builds of builders with one of these tags.
    pub tags: Option<Vec<String>>,
    /// Only builds for which this holds.
    pub when: Option<Expression>,
    /// One letter for all builds of a set, when the set has ended (MAL-13).
    #[serde(rename = "build_set_summary")]
    pub by_set: bool,
    /// Which build is the previous one.
    pub previous: PreviousBuild,
}

/// The end of a build, for the condition of a target.
#[derive(Clone, Copy, Debug)]
pub struct EndedBuild<'a> {
    /// Its builder.
    pub builder: &'a BuilderConfig,
    /// Its number within the builder.
    pub number: u64,
    /// Its result.
    pub result: Results,
    /// Its properties.
    pub properties: &'a Properties,
}

/// The keys that all of these status targets have.
pub(super) const KEYS: &[&str] = &[
    "name",
    "mode",
    "builders",
    "tags",
    "when",
    "build_set_summary",
    "previous",
];

/// What a condition may name.
const NAMES: [&str; 3] = ["builder", "build", "prop"];

impl Telling {
    /// Takes what the table has; `kind` is the name of the target if the table has none.
    pub(super) fn read(&mut self, table: &mut Table<'_>, kind: &str, around: &Around<'_, '_>) {
        self.read_builders(table, kind, around);
        self.modes = NewsMode::USUAL.to_vec();
        let problems = table.peek("problems");
        let tells_of_problems = problems.is_some_and(|value| value.data().as_bool() == Some(true));
        table.set("mode", &mut self.modes, |value| {
            let modes = read_modes(value)?;
            if modes.is_empty() && !tells_of_problems {
                value.error("names no mode", "for example `mode = [\"new\", \"fixed\"]`");
            }
            Some(modes)
        });
        table.set_some("when", &mut self.when, read_condition);
        table.set("build_set_summary", &mut self.by_set, Value::flag);
        table.set("previous", &mut self.previous, |value| {
            Some(match value.one_of(&["line", "number"])? {
                "number" => PreviousBuild::Number,
                _ => PreviousBuild::Line,
            })
        });
    }

    /// Takes the name, and the builders or tags.
    pub(super) fn read_builders(
        &mut self,
        table: &mut Table<'_>,
        kind: &str,
        around: &Around<'_, '_>,
    ) {
        kind.clone_into(&mut self.name);
        let name = table.take("name");
        if let Some(name) = name.as_ref().and_then(Value::name) {
            name.clone_into(&mut self.name);
        }
        let place = name.map_or_else(|| table.span.clone(), |name| name.span());
        if around.names.contains(&self.name.as_str())
            || [Letter::MAIL, Letter::LIVE].contains(&self.name.as_str())
        {
            let message = format!("two status targets have the name `{}`", self.name);
            let help = "give this one a `name` of its own: letters that wait carry it";
            table.sink.error(place, message, help);
        }
        let builders = table.take("builders");
        let tags = table.take("tags");
        if let (Some(builders), Some(tags)) = (&builders, &tags) {
            table.sink.clash(
                (tags.key_span.clone(), builders.key_span.clone()),
                format!("{} has either `builders` or `tags`", table.label),
                "here is the other",
                "keep one of the two",
            );
        }
        self.builders = builders.and_then(|value| {
            let entries = value.list()?;
            if !table.sink.incomplete.contains("builder") {
                warn_of_none(&value, &entries);
            }
            let known = entries
                .iter()
                .filter_map(|entry| around.builders.refer_to(entry));
            Some(known.map(BuilderName::from).collect())
        });
        self.tags = tags.and_then(|value| {
            let entries = value.list()?;
            warn_of_none(&value, &entries);
            let tags = entries.iter().filter_map(Value::name);
            Some(tags.map(str::to_owned).collect())
        });
    }

    /// Whether the target is told of such builds, if their result is one that it wants (MAL-04). A
    /// condition that cannot be worked out does not hold.
    #[must_use]
    pub fn is_about(&self, build: &EndedBuild<'_>) -> bool {
        self.has_builder(build.builder) && self.when.as_ref().is_none_or(|when| build.meets(when))
    }

    /// Whether the target reports a builder.
    #[must_use]
    pub fn has_builder(&self, builder: &BuilderConfig) -> bool {
        let has_builder = self
            .builders
            .as_ref()
            .is_none_or(|names| names.contains(&builder.name));
        let has_tag = self
            .tags
            .as_ref()
            .is_none_or(|tags| tags.iter().any(|tag| builder.tags.contains(tag)));
        has_builder && has_tag
    }
}

impl EndedBuild<'_> {
    fn meets(&self, when: &Expression) -> bool {
        let builder = json!({
            "name": self.builder.name,
            "tags": self.builder.tags,
            "description": self.builder.description,
        });
        let build = json!({ "number": self.number, "result": self.result.as_str() });
        let properties = self.properties.iter();
        let properties = properties.map(|(name, known)| (name.to_owned(), known.value.clone()));
        let scope = Scope::new()
            .with("builder", builder)
            .with("build", build)
            .with("prop", properties.collect());
        when.holds(&scope).unwrap_or(false)
    }
}

/// Warns of an empty list, unless it is that of a selector, which was told.
fn warn_of_none(value: &Value<'_>, entries: &[Value<'_>]) {
    if entries.is_empty() && !value.sink.has_warned(&value.span()) {
        let message = format!("{} selects no builds", value.label);
        let help = format!("leave `{}` out for those of all builders", value.key);
        value.sink.warning(value.span(), message, help);
    }
}

/// A mode, or a list of them (MAL-01, MAL-02).
fn read_modes(value: &Value<'_>) -> Option<Vec<NewsMode>> {
    let mut words = vec!["all"];
    words.extend(NewsMode::ALL.map(NewsMode::as_str));
    value.wants(words.iter().copied().map(Wanted::Word));
    if value.among([Wanted::List]).is_str() {
        return Some(match value.one_of(&words)? {
            "all" => NewsMode::OF_ALL.to_vec(),
            "warnings" => NewsMode::OF_WARNINGS.to_vec(),
            word => vec![named(word)?],
        });
    }
    let mut modes = Vec::new();
    for entry in value.list()? {
        if entry.data().as_str() == Some("all") {
            entry.error(
                "has `all` in a list",
                "write `mode = \"all\"`, or name the modes",
            );
            return None;
        }
        modes.push(named(entry.one_of(&NewsMode::ALL.map(NewsMode::as_str))?)?);
    }
    Some(modes)
}

fn named(word: &str) -> Option<NewsMode> {
    NewsMode::ALL.into_iter().find(|mode| mode.as_str() == word)
}

/// A condition on builds.
fn read_condition(value: &Value<'_>) -> Option<Expression> {
    let text = value.text()?;
    let place = format!("`{}` of {}", value.key, value.label);
    let expression = match Expression::compile(text, expression::Mode::Core, &place) {
        Ok(expression) => expression,
        Err(mistake) => {
            let span = value.part(mistake.at.clone());
            value
                .sink
                .error(span, format!("{place}: {mistake}"), mistake.help);
            return None;
        }
    };
    for used in expression.uses() {
        let name = used.path.first().map_or("", String::as_str);
        if !NAMES.contains(&name) {
            let message = format!("{place} uses `{name}`, which is unknown here");
            let help = "a condition knows `builder.name`, `builder.tags`, `build.result`, \
                        `build.number` and `prop.NAME`";
            value.sink.error(value.part(used.at.clone()), message, help);
        }
    }
    Some(expression)
}
