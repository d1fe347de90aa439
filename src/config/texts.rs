//! Reading renderable texts and secrets, which many tables have.

use std::path::PathBuf;

use super::needs::Needed;
use super::reader::Value;
use super::secret::Secret;
use super::shape::Shape;
use super::template::{SecretSource, Template, TemplatePart, Wrong, lost_sign};
use super::trace::Wanted;
use crate::model::PATH_SEPARATOR;

/// `{ secret = … }` and its like, in place of a text (CFL-95).
pub(super) static SECRET: Shape = Shape {
    place: "steps.command",
    noun: "this secret",
    keys: &[
        "secret",
        "secret_file",
        "secret_env",
        "secret_command",
        "shown",
    ],
    kinds: Vec::new,
};

/// `{ format = "%s", names = ["NAME"] }` in place of a text (PRP-07).
pub(super) static POSITIONAL: Shape = Shape {
    place: "steps.text",
    noun: "this string",
    keys: &["format", "names"],
    kinds: Vec::new,
};

/// The forms of a text with forms: a number is its text, and a table is a secret or has positions.
const TEMPLATE: [Wanted; 3] = [Wanted::Text, Wanted::Integer, Wanted::AnyTable];

/// What is shown in place of a secret by default.
const SHOWN: &str = "XXXXXX";

impl Value<'_> {
    /// Its text, with its forms. A whole number is its decimal text (CFL-29).
    pub(super) fn template(&self) -> Option<Template> {
        let table = self.among(TEMPLATE).as_table();
        if table.is_some_and(|t| t.contains_key("format")) {
            return self.positional();
        }
        if self.data().is_integer() {
            let number = self.integer(i64::MIN..=i64::MAX)?;
            return Some(Template::literal(number.to_string()));
        }
        if self.data().is_float() {
            return self.expected("a string", "put it in quotes");
        }
        let text = self.text()?;
        self.parsed(text, Template::parse(text))
    }

    /// A word of a command: its text, which may be a list form as a whole, or a secret; with what
    /// is shown in its place.
    pub(super) fn word(&self) -> Option<(Template, Option<String>)> {
        if self.is_secret() {
            let (secret, shown) = self.secret()?;
            return Some((secret, Some(shown)));
        }
        if !self.data().is_str() {
            return Some((self.template()?, None));
        }
        let text = self.text()?;
        Some((self.parsed(text, Template::parse_word(text))?, None))
    }

    /// Its text, with its forms, or a secret.
    pub(super) fn secret_template(&self) -> Option<Template> {
        if self.is_secret() {
            return self.secret().map(|(secret, _)| secret);
        }
        self.template()
    }

    /// Its text, or the texts of a list of paths with [`PATH_SEPARATOR`] between them.
    pub(super) fn path_template(&self) -> Option<Template> {
        let entries = self.one_or_list()?;
        let mut parts = Vec::new();
        for (count, entry) in entries.iter().enumerate() {
            if count > 0 {
                parts.push(TemplatePart::Text(PATH_SEPARATOR.to_owned()));
            }
            parts.extend(entry.template()?.0);
        }
        Some(Template(parts))
    }

    fn parsed(&self, text: &str, parsed: Result<Template, Wrong>) -> Option<Template> {
        match parsed {
            Ok(template) => {
                if let Some(at) = lost_sign(text) {
                    let what = format!("`%%` in this `{}` becomes one `%`", self.key);
                    let help =
                        "write `%%%%` for two; one `%` is enough in a string without `%(…)s`";
                    self.sink.warning(self.part(at), what, help);
                }
                for name in template.named_values() {
                    self.sink.names_value(name, self.span());
                }
                self.asks_for_properties(&template);
                Some(template)
            }
            Err(wrong) => {
                let message = format!("`{}`: {}", self.key, wrong.message);
                self.sink.error(self.part(wrong.at), message, wrong.help);
                None
            }
        }
    }

    fn positional(&self) -> Option<Template> {
        let mut table = self.table(&POSITIONAL)?;
        let format = table.require("format", "\"%s-%s\"");
        let names = table.require("names", "[\"NAME\", \"NAME\"]");
        table.finish();
        let format = format?;
        let names = names?.list()?;
        let names: Vec<&str> = names.iter().filter_map(Value::text).collect();
        let text = format.text()?;
        match Template::parse_positional(text, &names) {
            Ok(template) => {
                for name in template.named_values() {
                    self.sink.names_value(name, format.span());
                }
                self.asks_for_properties(&template);
                Some(template)
            }
            Err(wrong) => {
                let message = format!("`format`: {}", wrong.message);
                self.sink.error(format.part(wrong.at), message, wrong.help);
                None
            }
        }
    }

    /// Whether it is a table other than `{ format = … }`.
    fn is_secret(&self) -> bool {
        let table = self.among(TEMPLATE).as_table();
        table.is_some_and(|table| !table.contains_key("format"))
    }

    /// A secret, and what is shown in its place.
    fn secret(&self) -> Option<(Template, String)> {
        let mut table = self.table(&SECRET)?;
        table.label = format!("a secret of {}", self.label).into();
        let shown = table.take("shown").map_or(Some(SHOWN), |v| v.text());
        let forms = SOURCES.map(|(key, read)| (table.take(key), read));
        let given: Vec<_> = forms
            .iter()
            .filter_map(|(value, read)| Some((value.as_ref()?, read)))
            .collect();
        match given.as_slice() {
            [] if SOURCES.iter().any(|(key, _)| table.has_misspelt(key)) => {}
            [] => {
                let message = format!("{} is nowhere", table.label);
                let help = "add `secret_file = \"FILE\"`, `secret_env = \"VARIABLE\"`, \
                            `secret_command = [\"PROGRAM\"]` or `secret = \"…\"`";
                self.sink.missing(self.span(), message, help);
            }
            [_] => {}
            [(first, _), (second, _), ..] => self.sink.clash(
                (second.key_span.clone(), first.key_span.clone()),
                format!("{} is in two places", table.label),
                "here is the other",
                "keep one of the two",
            ),
        }
        let source = given.first().map(|(value, read)| read(value));
        table.finish();
        let source = source??;
        self.sink.has_secret(source.clone());
        let secret = Template(vec![TemplatePart::Secret(source)]);
        Some((secret, shown?.to_owned()))
    }
}

/// Reads one of the ways to give a secret.
type ReadSource = fn(&Value<'_>) -> Option<SecretSource>;

/// The ways to give a secret.
const SOURCES: [(&str, ReadSource); 4] = [
    ("secret", |value| value.template().map(SecretSource::Inline)),
    ("secret_file", |value| {
        let path = PathBuf::from(value.filled()?);
        value.needs(Needed::Secret(Secret::File(path.clone())));
        Some(SecretSource::File(path))
    }),
    ("secret_env", |value| {
        let name = value.filled()?.to_owned();
        value.needs(Needed::Secret(Secret::Env(name.clone())));
        Some(SecretSource::Env(name))
    }),
    ("secret_command", |value| {
        let words = value.list()?;
        if words.is_empty() {
            value.error("is empty", "name a program: `[\"PROGRAM\", \"ARGUMENT\"]`");
            return None;
        }
        let words: Option<Vec<String>> =
            words.iter().map(|v| v.text().map(str::to_owned)).collect();
        let words = words?;
        value.needs(Needed::Program {
            program: words.first()?.clone(),
            otherwise: format!("{} will fail", value.label),
            help: "install it, or correct its name".to_owned(),
        });
        Some(SecretSource::Command(words))
    }),
];

impl<'a> Value<'a> {
    /// Its text, which is not empty.
    fn filled(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.is_empty() {
            self.error("is empty", "put a value between the quotes");
            return None;
        }
        Some(text)
    }
}
