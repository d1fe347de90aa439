//! What a change source makes of its changes before the master takes them (INT-07, INT-10).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::filter::read_source_filter;
use crate::config::pattern::ChangeFilter;
use crate::config::properties;
use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;
use crate::config::trace::Wanted;
use crate::model::{NewChange, Properties};

/// What a change source makes of its changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SourceRules {
    /// Which changes are taken; others are counted and not stored.
    pub filter: ChangeFilter,
    /// What changes have instead of what their senders say.
    pub set: SetFields,
    /// Texts in messages of changes that need not be built: none.
    pub skip_marks: Vec<String>,
}

/// What changes have instead of what their senders say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SetFields {
    /// The project.
    pub project: Option<SetField>,
    /// The category.
    pub category: Option<SetField>,
    /// The codebase.
    pub codebase: Option<SetField>,
    /// The branch.
    pub branch: Option<SetField>,
    /// Further properties.
    #[serde(serialize_with = "properties::plain")]
    pub properties: Properties,
}

/// What a field has instead of what the sender says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SetField {
    /// This.
    Always(String),
    /// By what the sender says; what is not listed stays.
    Mapped(BTreeMap<String, String>),
}

pub(in crate::config) static SET: Shape = Shape {
    place: "change_sources.set",
    noun: "`set`",
    keys: &["project", "category", "codebase", "branch", "properties"],
    kinds: Vec::new,
};

impl SourceRules {
    /// Sets the fields of `change`.
    pub fn set(&self, change: &mut NewChange) {
        let set = &self.set;
        for (field, text) in [
            (&set.project, &mut change.project),
            (&set.codebase, &mut change.codebase),
        ] {
            if let Some(new) = field.as_ref().and_then(|field| field.instead_of(text)) {
                new.clone_into(text);
            }
        }
        for (field, text) in [
            (&set.category, &mut change.category),
            (&set.branch, &mut change.branch),
        ] {
            let said = text.as_deref().unwrap_or_default();
            if let Some(new) = field.as_ref().and_then(|field| field.instead_of(said)) {
                *text = Some(new.to_owned());
            }
        }
        change.properties.update(&set.properties);
        let marks = &mut self.skip_marks.iter();
        change.is_skipped |= marks.any(|mark| change.comments.contains(mark.as_str()));
    }

    /// Whether `change` is taken.
    #[must_use]
    pub fn takes(&self, change: &NewChange) -> bool {
        self.filter.passes(change)
    }

    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        table.set("filter", &mut self.filter, read_source_filter);
        table.set("set", &mut self.set, SetFields::read);
        table.set("skip_marks", &mut self.skip_marks, |v| {
            let marks = v.one_or_list()?.into_iter();
            marks.map(|mark| mark.name().map(str::to_owned)).collect()
        });
    }
}

impl SetField {
    /// What the field has if the sender says `said`.
    fn instead_of(&self, said: &str) -> Option<&str> {
        match self {
            Self::Always(text) => Some(text),
            Self::Mapped(texts) => texts.get(said).map(String::as_str),
        }
    }

    fn read(value: &Value<'_>) -> Option<Self> {
        if !value.among([Wanted::Text, Wanted::Table]).is_table() {
            return value.text().map(|text| Self::Always(text.to_owned()));
        }
        let entries = value.entries().into_iter();
        let texts = entries.map(|(said, new)| Some((said.to_owned(), new.text()?.to_owned())));
        texts.collect::<Option<_>>().map(Self::Mapped)
    }
}

impl SetFields {
    fn read(value: &Value<'_>) -> Option<Self> {
        let mut table = value.table(&SET)?;
        let mut set = Self::default();
        for (key, field) in [
            ("project", &mut set.project),
            ("category", &mut set.category),
            ("codebase", &mut set.codebase),
            ("branch", &mut set.branch),
        ] {
            table.set_some(key, field, SetField::read);
        }
        set.properties = table.properties("Change");
        table.finish();
        Some(set)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::parse;
    use crate::model::Zone;

    fn rules(lines: &str) -> SourceRules {
        let text = format!(
            "slave_port = 9989\n[[change_sources]]\ntype = \"PB\"\npassword = \"x\"\n{lines}\n"
        );
        let (mut config, _) = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
        config.change_sources.remove(0).rules
    }

    fn done(lines: &str, change: NewChange) -> NewChange {
        let mut change = change;
        rules(lines).set(&mut change);
        change
    }

    #[test]
    fn int_07_fields_are_set_or_mapped_per_source() {
        let lines = r#"set = { project = "p", category = "c", codebase = { "" = "core" }, branch = { "refs/heads/main" = "main", "" = "trunk" }, properties = { via = "pb" } }"#;
        let said = NewChange {
            branch: Some("refs/heads/main".to_owned()),
            ..NewChange::default()
        };
        let change = done(lines, said);
        assert_eq!(
            (change.project.as_str(), change.codebase.as_str()),
            ("p", "core")
        );
        assert_eq!(change.category.as_deref(), Some("c"));
        assert_eq!(change.branch.as_deref(), Some("main"));
        assert_eq!(change.properties.get("via").unwrap(), "pb");
        let change = done(lines, NewChange::default());
        assert_eq!(change.branch.as_deref(), Some("trunk"));
        let other = NewChange {
            branch: Some("rel".to_owned()),
            codebase: "lib".to_owned(),
            ..NewChange::default()
        };
        let change = done(lines, other);
        assert_eq!(
            (change.branch.as_deref(), change.codebase.as_str()),
            (Some("rel"), "lib")
        );
        assert_eq!(done("", NewChange::default()), NewChange::default());
    }

    #[test]
    fn int_07_a_filter_says_what_is_taken() {
        let rules = rules(r#"filter = { branch = ["main"] }"#);
        let on = |branch: &str| NewChange {
            branch: Some(branch.to_owned()),
            ..NewChange::default()
        };
        assert!(rules.takes(&on("main")));
        assert!(!rules.takes(&on("rel")) && !rules.takes(&NewChange::default()));
    }

    #[test]
    fn int_10_a_mark_in_the_message_makes_a_change_unimportant() {
        let lines = r#"skip_marks = ["[skip ci]", "[ci skip]"]"#;
        let with = |comments: &str| NewChange {
            comments: comments.to_owned(),
            ..NewChange::default()
        };
        assert!(done(lines, with("Fix a typo\n\n[ci skip]")).is_skipped);
        assert!(!done(lines, with("Fix ci, skip nothing")).is_skipped);
        assert!(!done("", with("[skip ci]")).is_skipped);
    }
}
