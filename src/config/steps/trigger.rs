//! The settings of `Trigger`: asks schedulers, or builders, for builds.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::kind::StepSettings;
use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;
use crate::config::template::Template;
use crate::config::trace::Wanted;

/// Settings of `Trigger`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TriggerStepConfig {
    /// Schedulers that take triggers.
    pub schedulers: Vec<Template>,
    /// Those of them that cannot fail the step.
    pub unimportant_schedulers: Vec<Template>,
    /// Builders that get a request without a scheduler.
    pub builders_matching: Option<BuildersMatching>,
    /// Whether the step waits until everything has finished, and fails with it.
    pub wait_for_finish: bool,
    /// What is built.
    pub source: TriggerSource,
    /// Properties that are given along.
    pub set_properties: BTreeMap<String, TriggerValue>,
    /// Properties of this build that are given along.
    pub copy_properties: Vec<String>,
    /// One set for each value.
    pub for_each: Option<ForEach>,
}

/// What a step that triggers builds wants to be built.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub enum TriggerSource {
    /// The source stamp of the build, at the revision that it has checked out.
    #[default]
    Built,
    /// The source stamp of the build.
    Asked,
    /// The latest revision of the default branch.
    Latest,
    /// Other source stamps, at least one, and one for each codebase.
    Given(Vec<GivenSource>),
}

/// A source stamp of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GivenSource {
    /// The branch; absent is the default branch.
    pub branch: Option<Template>,
    /// The revision; absent is the latest.
    pub revision: Option<Template>,
    /// The repository.
    pub repository: Option<Template>,
    /// The project.
    pub project: Option<Template>,
    /// The codebase.
    pub codebase: Option<Template>,
}

/// The value of a property that is given along.
#[derive(Clone, Debug, PartialEq)]
pub enum TriggerValue {
    /// A string with replacements.
    Text(Template),
    /// Any other value.
    Constant(Json),
}

impl Serialize for TriggerValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Constant(value) => value.serialize(serializer),
        }
    }
}

/// One set for each value, which the set has as a property.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForEach {
    /// The name of the property.
    pub property: String,
    /// The values.
    pub values: ForEachValues,
}

/// Where the values are from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ForEachValues {
    /// These.
    Listed(Vec<TriggerValue>),
    /// A property that is a list, or the words of a string.
    Words(Template),
}

/// Selects builders; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BuildersMatching {
    /// Patterns of which one matches the name.
    pub name: Vec<Template>,
    /// Tags that the builder has.
    pub tags: Vec<Template>,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &[
    "schedulers",
    "unimportant_schedulers",
    "builders_matching",
    "wait_for_finish",
    "update_source_stamp",
    "always_use_latest",
    "source_stamp",
    "source_stamps",
    "set_properties",
    "copy_properties",
    "for_each",
];

pub(in crate::config) static SOURCE_STAMP: Shape = Shape {
    place: "steps.source_stamp",
    noun: "this source stamp",
    keys: &["branch", "revision", "repository", "project", "codebase"],
    kinds: Vec::new,
};

pub(in crate::config) static FOR_EACH: Shape = Shape {
    place: "steps.for_each",
    noun: "this `for_each`",
    keys: &["property", "values"],
    kinds: Vec::new,
};

pub(in crate::config) static BUILDERS_MATCHING: Shape = Shape {
    place: "steps.builders_matching",
    noun: "this selection of builders",
    keys: &["name", "tags"],
    kinds: Vec::new,
};

impl StepSettings for TriggerStepConfig {}

impl TriggerStepConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let schedulers = table.take("schedulers");
        let builders = table.take("builders_matching");
        let is_misspelt =
            table.has_misspelt("schedulers") || table.has_misspelt("builders_matching");
        if schedulers.is_none() && builders.is_none() && !is_misspelt {
            let message = format!("{} needs `schedulers` or `builders_matching`", table.label);
            let help = "add `schedulers = [\"NAME\"]`";
            table.sink.missing(table.span.clone(), message, help);
        }
        if let Some(value) = schedulers {
            let names = templates(&value).unwrap_or_default();
            if names.is_empty() {
                value.error("is empty", "name a scheduler of `type = \"Triggerable\"`");
            }
            for entry in value.one_or_list().iter().flatten() {
                note_scheduler(entry);
            }
            self.schedulers = names;
        }
        self.builders_matching = builders.as_ref().and_then(read_builders);
        table.set(
            "unimportant_schedulers",
            &mut self.unimportant_schedulers,
            |value| {
                let names = templates(value)?;
                let other = names.iter().find(|name| !self.schedulers.contains(name));
                if let Some(other) = other {
                    let what = format!("names {other:?}, which is not one of `schedulers`");
                    value.error(&what, "list it there as well");
                }
                Some(names)
            },
        );
        table.set("wait_for_finish", &mut self.wait_for_finish, Value::flag);
        self.source = read_source(table);
        table.set("set_properties", &mut self.set_properties, read_properties);
        table.set("copy_properties", &mut self.copy_properties, |value| {
            let names = value.one_or_list()?;
            Some(names.iter().filter_map(Value::property_name).collect())
        });
        table.set_some("for_each", &mut self.for_each, read_for_each);
    }
}

/// Has the name of a scheduler checked that is written out.
fn note_scheduler(value: &Value<'_>) {
    let name = value.data().as_str().filter(|name| !name.contains('%'));
    if name.is_none() {
        value.sink.triggers_any.set(true);
    }
    if let Some(name) = name {
        value.sink.triggers(name, value.span(), &value.label);
    }
}

fn templates(value: &Value<'_>) -> Option<Vec<Template>> {
    let entries = value.one_or_list()?;
    Some(entries.iter().filter_map(Value::template).collect())
}

/// What is built: one of the keys may say so.
fn read_source(table: &mut Table<'_>) -> TriggerSource {
    let keys = [
        "source_stamp",
        "source_stamps",
        "always_use_latest",
        "update_source_stamp",
    ];
    let places: Vec<_> = keys
        .iter()
        .filter_map(|key| Some((*key, table.place(key)?)))
        .collect();
    if let [(first, _), (second, place), ..] = &places[..] {
        let message = format!("`{first}` and `{second}` exclude each other");
        let help = "each of them says what is built; keep one";
        table.sink.error(place.clone(), message, help);
    }
    let mut source = TriggerSource::default();
    table.set("always_use_latest", &mut source, |value| {
        Some(match value.flag()? {
            true => TriggerSource::Latest,
            false => TriggerSource::Built,
        })
    });
    table.set("update_source_stamp", &mut source, |value| {
        Some(match value.flag()? {
            true => TriggerSource::Built,
            false => TriggerSource::Asked,
        })
    });
    table.set("source_stamp", &mut source, |value| {
        Some(TriggerSource::Given(vec![read_stamp(value)?]))
    });
    table.set("source_stamps", &mut source, |value| {
        let stamps = value.list()?;
        if stamps.is_empty() {
            value.error("is empty", "give a source stamp for each codebase");
            return None;
        }
        let mut given: Vec<GivenSource> = Vec::new();
        for value in stamps {
            let stamp = read_stamp(&value)?;
            if given.iter().any(|other| other.codebase == stamp.codebase) {
                let what = "is a second source stamp of its codebase";
                value.error(what, "give one for each codebase, with its `codebase`");
                return None;
            }
            given.push(stamp);
        }
        Some(TriggerSource::Given(given))
    });
    source
}

fn read_stamp(value: &Value<'_>) -> Option<GivenSource> {
    let mut table = value.table(&SOURCE_STAMP)?;
    let mut stamp = GivenSource::default();
    table.set_some("branch", &mut stamp.branch, Value::template);
    table.set_some("revision", &mut stamp.revision, Value::template);
    table.set_some("repository", &mut stamp.repository, Value::template);
    table.set_some("project", &mut stamp.project, Value::template);
    table.set_some("codebase", &mut stamp.codebase, Value::template);
    table.finish();
    Some(stamp)
}

fn read_properties(value: &Value<'_>) -> Option<BTreeMap<String, TriggerValue>> {
    let mut properties = BTreeMap::new();
    for (name, value) in value.entries() {
        value.key_sets_property();
        if let Some(value) = read_value(&value) {
            properties.insert(name.to_owned(), value);
        }
    }
    Some(properties)
}

fn read_value(value: &Value<'_>) -> Option<TriggerValue> {
    if value.raw().is_str() {
        return value.template().map(TriggerValue::Text);
    }
    value.json().map(TriggerValue::Constant)
}

fn read_for_each(value: &Value<'_>) -> Option<ForEach> {
    let mut table = value.table(&FOR_EACH)?;
    let property = table.require("property", "\"port\"");
    let property = property.and_then(|value| value.sets_property());
    let values = table.require("values", "[\"one\", \"two\"]");
    let values = values.and_then(|value| {
        if value.among([Wanted::Text, Wanted::List]).is_str() {
            return value.template().map(ForEachValues::Words);
        }
        let entries = value.list()?;
        let entries = entries.iter().filter_map(read_value).collect();
        Some(ForEachValues::Listed(entries))
    });
    table.finish();
    Some(ForEach {
        property: property?,
        values: values?,
    })
}

fn read_builders(value: &Value<'_>) -> Option<BuildersMatching> {
    let forms = [Wanted::Text, Wanted::List, Wanted::Table];
    if !value.among(forms).is_table() {
        let name = templates(value)?;
        let tags = Vec::new();
        return Some(BuildersMatching { name, tags });
    }
    let mut table = value.table(&BUILDERS_MATCHING)?;
    let mut matching = BuildersMatching::default();
    table.set("name", &mut matching.name, templates);
    table.set("tags", &mut matching.tags, templates);
    table.finish();
    if matching == BuildersMatching::default() {
        value.error("is empty", "give `name`, `tags`, or both");
    }
    Some(matching)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::tests;
    use crate::config::{StepConfig, StepKind};

    const SCHEDULERS: &str = "\
        [[schedulers]]\ntype = \"Triggerable\"\nname = \"unit\"\nbuilders = [\"b\"]\n\
        [[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = [\"b\"]\n\
        [[schedulers]]\ntype = \"NightlyTriggerable\"\nname = \"later\"\nbuilders = [\"b\"]\nhour = 3\n";

    fn read_step(step: &str) -> Result<StepConfig, Vec<String>> {
        tests::read_step(step, SCHEDULERS)
    }

    fn trigger(settings: &str) -> TriggerStepConfig {
        let step = format!("{{ type = \"Trigger\", {settings} }}");
        let step = read_step(&step).unwrap_or_else(|errors| panic!("{settings}: {errors:?}"));
        let StepKind::Trigger(trigger) = step.kind else {
            panic!("{step:?}");
        };
        *trigger
    }

    fn refused(settings: &str) -> String {
        tests::refused(&format!("{{ type = \"Trigger\", {settings} }}"), SCHEDULERS)
    }

    #[test]
    fn a_trigger_has_its_defaults() {
        let step = read_step("{ type = \"Trigger\", schedulers = [\"unit\"] }").unwrap();
        assert_eq!(step.name, "trigger");
        assert!(step.flunk_on_failure && !step.halt_on_failure);
        let trigger = trigger("schedulers = \"unit\"");
        assert_eq!(trigger.schedulers, [Template::literal("unit")]);
        assert_eq!(trigger.source, TriggerSource::Built);
        assert!(!trigger.wait_for_finish && trigger.for_each.is_none());
    }

    #[test]
    fn what_is_built_is_said_once() {
        let source = |settings: &str| trigger(&format!("schedulers = \"unit\", {settings}")).source;
        assert_eq!(source("always_use_latest = true"), TriggerSource::Latest);
        assert_eq!(source("update_source_stamp = false"), TriggerSource::Asked);
        assert_eq!(source("update_source_stamp = true"), TriggerSource::Built);
        let stamp = TriggerSource::Given(vec![GivenSource {
            branch: Some(Template::literal("rel")),
            ..GivenSource::default()
        }]);
        assert_eq!(source("source_stamp = { branch = \"rel\" }"), stamp);
        assert_eq!(source("source_stamps = [{ branch = \"rel\" }]"), stamp);
        let both = "schedulers = \"unit\", always_use_latest = true, update_source_stamp = true";
        assert!(refused(both).contains("exclude each other"));
        let two = "schedulers = \"unit\", source_stamps = [{}, {}]";
        assert!(refused(two).contains("is a second source stamp of its codebase"));
        let two = "source_stamps = [{ codebase = \"core\" }, { codebase = \"lib\" }]";
        let of = |codebase| GivenSource {
            codebase: Some(Template::literal(codebase)),
            ..GivenSource::default()
        };
        assert_eq!(
            source(two),
            TriggerSource::Given(vec![of("core"), of("lib")])
        );
    }

    #[test]
    fn a_scheduler_that_is_written_out_takes_triggers() {
        trigger("schedulers = [\"unit\", \"later\", \"%(prop:which)s\"]");
        assert!(refused("schedulers = \"unti\"").contains("does not exist"));
        assert!(refused("schedulers = \"quick\"").contains("cannot be triggered"));
        assert!(refused("schedulers = []").contains("is empty"));
        assert!(refused("wait_for_finish = true").contains("needs `schedulers`"));
        let other = "schedulers = \"unit\", unimportant_schedulers = \"later\"";
        assert!(refused(other).contains("not one of `schedulers`"));
    }

    #[test]
    fn builders_are_selected_by_patterns_and_tags() {
        let matching = trigger("builders_matching = \"linux-*\"").builders_matching;
        assert_eq!(matching.unwrap().name, [Template::literal("linux-*")]);
        let matching = trigger("builders_matching = { tags = [\"fast\"] }").builders_matching;
        assert_eq!(matching.unwrap().tags, [Template::literal("fast")]);
        assert!(refused("builders_matching = {}").contains("is empty"));
    }

    #[test]
    fn each_value_is_a_set() {
        let one = "schedulers = \"unit\", for_each = { property = \"port\", values = [\"a\", 2] }";
        let ForEachValues::Listed(values) = trigger(one).for_each.unwrap().values else {
            panic!("a list");
        };
        assert_eq!(values[1], TriggerValue::Constant(2.into()));
        let words =
            "schedulers = \"unit\", for_each = { property = \"p\", values = \"%(prop:x)s\" }";
        let values = trigger(words).for_each.unwrap().values;
        assert!(matches!(values, ForEachValues::Words(_)));
        let bad = "schedulers = \"unit\", for_each = { property = \"a b\", values = [] }";
        assert!(refused(bad).contains("not a valid name"));
    }
}
