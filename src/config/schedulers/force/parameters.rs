//! The parameters of forced builds, of the kinds of Buildbot 0.8 (FRC-02).

use std::time::Duration;

use serde::Serialize;
use serde_json::Value as Json;

use crate::config::pattern::LinePattern;
use crate::config::programs::{self, AskedProgram};
use crate::config::reader::{Table, Value};
use crate::config::shape::{KindShape, Shape};
use crate::config::trace::Wanted;

/// A parameter of forced builds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    /// Name of the property, and of the field of the form; empty for a nested parameter whose
    /// fields are properties of their own.
    pub name: String,
    /// Label of the field; empty: the name.
    pub label: String,
    /// Value if nothing is filled in.
    pub default: Option<Json>,
    /// Whether something must be filled in.
    pub required: bool,
    /// Whether the value is a list.
    pub multiple: bool,
    /// Pattern that values match from their beginning on.
    pub regex: Option<LinePattern>,
    /// Width of the field, in characters.
    pub size: Option<u32>,
    /// Whether forms leave the field out.
    pub hide: bool,
    /// The kind of parameter.
    #[serde(flatten)]
    pub kind: ParameterKind,
}

/// Kinds of parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum ParameterKind {
    /// The default, which nobody can change.
    FixedParameter,
    /// A line of text.
    StringParameter,
    /// Lines of text.
    TextParameter {
        /// Width of the field, in characters.
        cols: u32,
        /// Height of the field, in lines.
        rows: u32,
    },
    /// An integer.
    IntParameter,
    /// True or false.
    BooleanParameter,
    /// The name of the user; whoever has logged in does not fill it in.
    UserNameParameter {
        /// Whether it must be written as `User <email@example.org>`.
        need_email: bool,
    },
    /// One of some choices, or several of them.
    ChoiceStringParameter {
        /// The choices; those that the command has printed, once it has run.
        choices: Vec<String>,
        /// What prints the choices, if they are not in the configuration.
        command: Option<AskedProgram>,
        /// Whether other texts are rejected.
        strict: bool,
    },
    /// A build, whose properties and sources are taken (FRC-06).
    InheritBuildParameter,
    /// A slave of the builder.
    BuildslaveChoiceParameter,
    /// A property of any name and value.
    AnyPropertyParameter,
    /// The contents of a file, as a text.
    FileParameter {
        /// Maximum number of bytes.
        max_size: u32,
    },
    /// A patch to build with: the fields `body`, `level`, `subdir`, `author` and `comment`.
    PatchParameter,
    /// A group of parameters; with a name, one property with a table of their values.
    NestedParameter {
        /// The parameters of the group.
        fields: Vec<Parameter>,
    },
}

impl Parameter {
    /// A line of text.
    pub(super) fn text(name: &str, label: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            default: None,
            required: false,
            multiple: false,
            regex: None,
            size: None,
            hide: false,
            kind: ParameterKind::StringParameter,
        }
    }

    /// A group of parameters.
    pub(super) fn group(name: &str, label: &str, fields: Vec<Self>) -> Self {
        Self {
            kind: ParameterKind::NestedParameter { fields },
            ..Self::text(name, label)
        }
    }

    /// Whether it is a patch, or a group with one.
    pub(super) fn is_patch(&self) -> bool {
        if let ParameterKind::NestedParameter { fields } = &self.kind {
            return fields.iter().any(Self::is_patch);
        }
        self.kind == ParameterKind::PatchParameter
    }

    /// Whether choices of the parameter, or of one in its group, come from a command.
    pub(super) fn has_command(&self) -> bool {
        match &self.kind {
            ParameterKind::NestedParameter { fields } => fields.iter().any(Self::has_command),
            ParameterKind::ChoiceStringParameter { command, .. } => command.is_some(),
            ParameterKind::FixedParameter
            | ParameterKind::StringParameter
            | ParameterKind::TextParameter { .. }
            | ParameterKind::IntParameter
            | ParameterKind::BooleanParameter
            | ParameterKind::UserNameParameter { .. }
            | ParameterKind::InheritBuildParameter
            | ParameterKind::BuildslaveChoiceParameter
            | ParameterKind::AnyPropertyParameter
            | ParameterKind::FileParameter { .. }
            | ParameterKind::PatchParameter => false,
        }
    }

    /// The label for people.
    #[must_use]
    pub fn label(&self) -> &str {
        match self.label.as_str() {
            "" => &self.name,
            label => label,
        }
    }
}

/// A row of [`KINDS`].
struct Kind {
    shape: KindShape,
    /// A parameter of this kind whose table says nothing.
    usual: fn() -> ParameterKind,
}

const fn kind(
    name: &'static str,
    keys: &'static [&'static [&'static str]],
    usual: fn() -> ParameterKind,
) -> Kind {
    Kind {
        shape: KindShape { name, keys },
        usual,
    }
}

const CHOICE_KEYS: &[&str] = &["choices", "choices_command", "choices_every", "strict"];

static KINDS: [Kind; 13] = [
    kind("StringParameter", &[], || ParameterKind::StringParameter),
    kind("FixedParameter", &[], || ParameterKind::FixedParameter),
    kind("TextParameter", &[&["cols", "rows"]], || {
        ParameterKind::TextParameter { cols: 80, rows: 20 }
    }),
    kind("IntParameter", &[], || ParameterKind::IntParameter),
    kind("BooleanParameter", &[], || ParameterKind::BooleanParameter),
    kind("UserNameParameter", &[&["need_email"]], || {
        ParameterKind::UserNameParameter { need_email: true }
    }),
    kind("ChoiceStringParameter", &[CHOICE_KEYS], || {
        ParameterKind::ChoiceStringParameter {
            choices: Vec::new(),
            command: None,
            strict: true,
        }
    }),
    kind("FileParameter", &[&["max_size"]], || {
        ParameterKind::FileParameter {
            max_size: 32 * 1024,
        }
    }),
    kind("PatchParameter", &[], || ParameterKind::PatchParameter),
    kind("InheritBuildParameter", &[], || {
        ParameterKind::InheritBuildParameter
    }),
    kind("BuildslaveChoiceParameter", &[], || {
        ParameterKind::BuildslaveChoiceParameter
    }),
    kind("AnyPropertyParameter", &[], || {
        ParameterKind::AnyPropertyParameter
    }),
    kind("NestedParameter", &[&["fields"]], || {
        ParameterKind::NestedParameter { fields: Vec::new() }
    }),
];

pub(in crate::config) static SHAPE: Shape = Shape {
    place: "schedulers.parameters",
    noun: "parameter",
    keys: &[
        "type", "name", "label", "default", "required", "multiple", "regex", "size", "hide",
    ],
    kinds: || KINDS.iter().map(|kind| kind.shape).collect(),
};

/// Reads the parameter that has the place and, unless it says otherwise, the settings of `usual`. A
/// text is a value that nobody can change.
pub(super) fn read_one(value: &Value<'_>, usual: &Parameter) -> Option<Parameter> {
    if let Some(fixed) = value.among([Wanted::Text, Wanted::Table]).as_str() {
        return Some(Parameter {
            default: Some(fixed.into()),
            kind: ParameterKind::FixedParameter,
            hide: true,
            ..usual.clone()
        });
    }
    read(value.table(&SHAPE)?, Some(usual), "", &mut Vec::new())
}

/// Reads a list of parameters. Each needs a name that `names`, to which they are added, does not
/// have.
pub(super) fn read_all(value: &Value<'_>, names: &mut Vec<String>) -> Vec<Parameter> {
    read_fields(value, "", names)
}

fn read_fields(value: &Value<'_>, parent: &str, names: &mut Vec<String>) -> Vec<Parameter> {
    let tables = value.tables(&SHAPE).into_iter();
    tables
        .filter_map(|table| read(table, None, parent, names))
        .collect()
}

/// Reads a parameter of the group `parent`.
fn read(
    mut table: Table<'_>,
    usual: Option<&Parameter>,
    parent: &str,
    names: &mut Vec<String>,
) -> Option<Parameter> {
    let usual_kind = usual.map(|usual| usual.kind.name());
    let kind = table.kind(
        &KINDS,
        |kind| kind.shape,
        Some(usual_kind.unwrap_or("StringParameter")),
    )?;
    let mut parameter = match usual {
        Some(usual) => usual.clone(),
        None => Parameter::text("", ""),
    };
    if usual_kind != Some(kind.shape.name) {
        parameter.kind = (kind.usual)();
    }
    let name = match (usual, &parameter.kind) {
        (Some(_), _) => {
            if let Some(name) = table.take("name") {
                name.error("cannot be changed", "remove it");
            }
            None
        }
        (None, ParameterKind::NestedParameter { .. }) => table.take("name"),
        (None, ParameterKind::UserNameParameter { .. }) => table.take("name"),
        (None, _) => table.require("name", "\"NAME\""),
    };
    if let Some(value) = name {
        parameter.name = read_name(&value, parent, names)?;
    }
    for (key, flag) in [
        ("required", &mut parameter.required),
        ("multiple", &mut parameter.multiple),
        ("hide", &mut parameter.hide),
    ] {
        table.set(key, flag, Value::flag);
    }
    table.set("label", &mut parameter.label, |v| {
        v.text().map(str::to_owned)
    });
    table.set_some("size", &mut parameter.size, |v| v.integer(1..=1000));
    table.set_some("regex", &mut parameter.regex, Value::line_start);
    read_kind(&mut table, &mut parameter, parent, names);
    let is_list = parameter.multiple;
    let kind = parameter.kind.clone();
    table.set_some("default", &mut parameter.default, |value| {
        read_default(value, &kind, is_list)
    });
    table.finish();
    Some(parameter)
}

fn read_kind(
    table: &mut Table<'_>,
    parameter: &mut Parameter,
    parent: &str,
    names: &mut Vec<String>,
) {
    let full = full_name(parent, &parameter.name);
    match &mut parameter.kind {
        ParameterKind::TextParameter { cols, rows } => {
            table.set("cols", cols, |v| v.integer(1..=1000));
            table.set("rows", rows, |v| v.integer(1..=1000));
        }
        ParameterKind::UserNameParameter { need_email } => {
            table.set("need_email", need_email, Value::flag);
        }
        ParameterKind::ChoiceStringParameter {
            choices,
            command,
            strict,
        } => {
            let mut every = CHOICES_EVERY;
            table.set("choices_every", &mut every, |v| v.duration(programs::EVERY));
            if let Some(value) = table.take("choices_command") {
                let words = programs::command(&value, "its form shows no choices");
                *command = Some(AskedProgram {
                    command: words.unwrap_or_default(),
                    every,
                    timeout: CHOICES_TIMEOUT,
                });
            } else if let Some(value) = table.require("choices", "[\"CHOICE\"]") {
                *choices = texts(&value);
            }
            if command.is_some()
                && let Some(value) = table.take("choices")
            {
                value.error(
                    "has no effect beside `choices_command`",
                    "remove one of them",
                );
            }
            table.set("strict", strict, Value::flag);
        }
        ParameterKind::FileParameter { max_size } => {
            table.set("max_size", max_size, |v| v.integer(1..=64 * 1024));
        }
        ParameterKind::NestedParameter { fields } => {
            if let Some(value) = table.require("fields", "[{ name = \"NAME\" }]") {
                *fields = read_fields(&value, &full, names);
            }
        }
        ParameterKind::FixedParameter
        | ParameterKind::StringParameter
        | ParameterKind::IntParameter
        | ParameterKind::BooleanParameter
        | ParameterKind::InheritBuildParameter
        | ParameterKind::BuildslaveChoiceParameter
        | ParameterKind::PatchParameter
        | ParameterKind::AnyPropertyParameter => {}
    }
}

/// How long the answer of a command is used (FRC-03).
const CHOICES_EVERY: Duration = Duration::from_secs(15 * 60);

/// Time limit for a command: somebody waits for a page.
const CHOICES_TIMEOUT: Duration = Duration::from_secs(5);

fn texts(value: &Value<'_>) -> Vec<String> {
    let entries = value.list().unwrap_or_default();
    let texts = entries.iter().filter_map(Value::text);
    texts.map(str::to_owned).collect()
}

/// The name of a field in a form, where the fields of a group begin with the name of the group.
#[must_use]
pub fn full_name(parent: &str, name: &str) -> String {
    match (parent, name) {
        ("", name) | (name, "") => name.to_owned(),
        (parent, name) => format!("{parent}_{name}"),
    }
}

fn read_name(value: &Value<'_>, parent: &str, names: &mut Vec<String>) -> Option<String> {
    let name = value.text()?;
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() && parent.is_empty() {
        return Some(String::new());
    }
    if name.is_empty() || !name.chars().all(is_good) {
        value.error(
            "cannot be the name of a parameter",
            "use letters, digits and `_`, `.`, `-`",
        );
        return None;
    }
    let full = full_name(parent, name);
    if names.contains(&full) {
        let message = format!("is {full:?}, which another parameter has");
        value.error(&message, "give each parameter a name of its own");
        return None;
    }
    names.push(full);
    Some(name.to_owned())
}

fn read_default(value: &Value<'_>, kind: &ParameterKind, is_list: bool) -> Option<Json> {
    if is_list {
        let entries = value.list()?;
        let entries = entries.iter().map(|entry| read_default(entry, kind, false));
        return entries.collect::<Option<Vec<_>>>().map(Json::from);
    }
    match kind {
        ParameterKind::FixedParameter => value.json(),
        ParameterKind::IntParameter => value.integer(i64::MIN..=i64::MAX).map(Json::from),
        ParameterKind::BooleanParameter => value.flag().map(Json::from),
        ParameterKind::ChoiceStringParameter {
            choices,
            command,
            strict,
        } => {
            let text = value.text()?;
            if *strict && command.is_none() && !choices.iter().any(|choice| choice == text) {
                value.error("is not one of the choices", "add it to `choices`");
                return None;
            }
            Some(text.into())
        }
        ParameterKind::StringParameter
        | ParameterKind::TextParameter { .. }
        | ParameterKind::UserNameParameter { .. }
        | ParameterKind::InheritBuildParameter
        | ParameterKind::FileParameter { .. }
        | ParameterKind::BuildslaveChoiceParameter => value.text().map(Json::from),
        ParameterKind::AnyPropertyParameter
        | ParameterKind::PatchParameter
        | ParameterKind::NestedParameter { .. } => {
            value.error("has no effect", "give each field a default instead");
            None
        }
    }
}

impl ParameterKind {
    /// The name of the kind in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::FixedParameter => "FixedParameter",
            Self::StringParameter => "StringParameter",
            Self::TextParameter { .. } => "TextParameter",
            Self::IntParameter => "IntParameter",
            Self::BooleanParameter => "BooleanParameter",
            Self::UserNameParameter { .. } => "UserNameParameter",
            Self::ChoiceStringParameter { .. } => "ChoiceStringParameter",
            Self::InheritBuildParameter => "InheritBuildParameter",
            Self::BuildslaveChoiceParameter => "BuildslaveChoiceParameter",
            Self::AnyPropertyParameter => "AnyPropertyParameter",
            Self::NestedParameter { .. } => "NestedParameter",
            Self::FileParameter { .. } => "FileParameter",
            Self::PatchParameter => "PatchParameter",
        }
    }
}
