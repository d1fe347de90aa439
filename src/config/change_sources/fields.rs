//! What a source says of its changes where their senders say nothing (INT-07).

use serde::Serialize;

use super::poller::read_encoding;
use crate::config::properties;
use crate::config::reader::{Table, Value};
use crate::model::{NewChange, Properties};
use crate::text::Encoding;

/// Fields of the changes of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChangeFields {
    /// The project of changes whose sender names none.
    pub project: Option<String>,
    /// The repository of changes whose sender names none.
    pub repository: Option<String>,
    /// The codebase of changes whose sender names none.
    pub codebase: Option<String>,
    /// The category of changes whose sender names none.
    pub category: Option<String>,
    /// The branch of changes whose sender names none.
    pub branch: Option<String>,
    /// Encoding of texts that are not UTF-8 (INT-08).
    pub encoding: Encoding,
    /// Properties, which those of the change replace.
    #[serde(serialize_with = "properties::plain")]
    pub properties: Properties,
}

/// The keys of [`ChangeFields`].
pub(super) const KEYS: &[&str] = &[
    "project",
    "repository",
    "codebase",
    "category",
    "branch",
    "encoding",
    "properties",
];

/// The source of the properties of a change (PRP-02).
const SOURCE: &str = "Change";

impl ChangeFields {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let text = |v: &Value<'_>| v.text().map(str::to_owned);
        table.set_some("project", &mut self.project, text);
        table.set_some("repository", &mut self.repository, text);
        table.set_some("codebase", &mut self.codebase, text);
        table.set_some("category", &mut self.category, text);
        table.set_some("branch", &mut self.branch, text);
        table.set("encoding", &mut self.encoding, read_encoding);
        self.properties = table.properties(SOURCE);
    }

    /// Fills what `change` does not say.
    pub fn fill(&self, change: &mut NewChange) {
        for (field, setting) in [
            (&mut change.project, &self.project),
            (&mut change.repository, &self.repository),
            (&mut change.codebase, &self.codebase),
        ] {
            if field.is_empty()
                && let Some(setting) = setting
            {
                field.clone_from(setting);
            }
        }
        for (field, setting) in [
            (&mut change.category, &self.category),
            (&mut change.branch, &self.branch),
        ] {
            if field.is_none() {
                field.clone_from(setting);
            }
        }
        let own = std::mem::replace(&mut change.properties, self.properties.clone());
        for (name, property) in own.iter() {
            change.properties.set(name, property.value.clone(), SOURCE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn int_07_the_fields_of_a_source_fill_what_the_sender_does_not_say() {
        let some = |text: &str| Some(text.to_owned());
        let mut properties = Properties::new();
        properties.set("from", "mail", SOURCE);
        properties.set("kind", "usual", SOURCE);
        let fields = ChangeFields {
            project: some("widget"),
            repository: some("/cvs"),
            codebase: some("w"),
            category: some("quick"),
            branch: some("HEAD"),
            encoding: Encoding::default(),
            properties,
        };
        let mut change = NewChange {
            project: "other".to_owned(),
            branch: some(""),
            ..NewChange::default()
        };
        change.properties.set("kind", "full", SOURCE);
        fields.fill(&mut change);
        assert_eq!(
            (change.project.as_str(), change.repository.as_str()),
            ("other", "/cvs")
        );
        assert_eq!(
            (change.codebase.as_str(), change.category),
            ("w", some("quick"))
        );
        assert_eq!(change.branch, some(""));
        let property = |name| change.properties.get(name).and_then(|value| value.as_str());
        assert_eq!(
            (property("from"), property("kind")),
            (Some("mail"), Some("full"))
        );
    }
}
