//! Making commands of settings.

use crate::config::reader::Value;
use crate::config::steps::shell::CommandWords;
use crate::config::template::Template;

/// The words of a command.
#[derive(Debug, Default)]
pub(super) struct Words(Vec<Template>);

impl Words {
    /// Adds words as they are.
    pub(super) fn plain(&mut self, words: &[&str]) -> &mut Self {
        self.0.extend(words.iter().map(|word| text(word)));
        self
    }

    /// Adds a setting, if it is there.
    pub(super) fn setting<'t>(&mut self, setting: impl Into<Option<&'t Template>>) -> &mut Self {
        self.0.extend(setting.into().cloned());
        self
    }

    /// Adds settings.
    pub(super) fn settings(&mut self, settings: &[Template]) -> &mut Self {
        self.0.extend(settings.iter().cloned());
        self
    }

    /// Adds an option and its value, if that is there.
    pub(super) fn option<'t>(
        &mut self,
        name: &str,
        value: impl Into<Option<&'t Template>>,
    ) -> &mut Self {
        if let Some(value) = value.into() {
            self.plain(&[name]).setting(value);
        }
        self
    }

    /// Adds a word if `is_set`.
    pub(super) fn flag(&mut self, is_set: bool, word: &str) -> &mut Self {
        if is_set {
            self.plain(&[word]);
        }
        self
    }

    /// The command.
    pub(super) fn command(self) -> CommandWords {
        CommandWords::Words(self.0.into_iter().map(|word| (word, None)).collect())
    }
}

/// A text without forms.
pub(super) fn text(text: &str) -> Template {
    Template::literal(text)
}

/// Texts as one.
pub(super) fn join<const N: usize>(parts: [&Template; N]) -> Template {
    Template(parts.into_iter().flat_map(|part| part.0.clone()).collect())
}

/// Texts as one, with `separator` between them.
pub(super) fn join_list(texts: &[Template], separator: &str) -> Template {
    let mut parts = Vec::new();
    for (count, text) in texts.iter().enumerate() {
        if count > 0 {
            parts.extend(Template::literal(separator).0);
        }
        parts.extend(text.0.iter().cloned());
    }
    Template(parts)
}

/// A list of texts, or one.
pub(super) fn texts(value: &Value<'_>) -> Option<Vec<Template>> {
    let entries = value.one_or_list()?;
    Some(entries.iter().filter_map(Value::template).collect())
}

/// A plain text.
pub(super) fn plain(value: &Value<'_>) -> Option<String> {
    value.text().map(str::to_owned)
}
