//! The codebases of a form: the branch, revision, repository and project of each (FRC-02).

use serde::Serialize;

use super::parameters::{self, Parameter, ParameterKind};
use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;

/// A codebase of a form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForcedCodebase {
    /// Its name.
    pub codebase: String,
    /// A group of parameters: the branch, revision, repository and project, and perhaps a patch. It
    /// has the name of the codebase if the form has several codebases, and else none.
    pub source: Parameter,
}

/// The parameters that say what is built, with their labels.
const SOURCE: [(&str, &str); 4] = [
    ("branch", "Branch:"),
    ("revision", "Revision:"),
    ("repository", "Repository:"),
    ("project", "Project:"),
];

/// The name of the parameter for a patch.
const PATCH: &str = "patch";

pub(in crate::config) static SHAPE: Shape = Shape {
    place: "schedulers.codebases",
    noun: "codebase",
    keys: &[
        "label",
        "branch",
        "revision",
        "repository",
        "project",
        PATCH,
    ],
    kinds: Vec::new,
};

impl Default for ForcedCodebase {
    fn default() -> Self {
        let fields = SOURCE.map(|(name, label)| Parameter::text(name, label));
        Self::of("", Parameter::group("", "", fields.into()))
    }
}

impl ForcedCodebase {
    fn of(codebase: &str, source: Parameter) -> Self {
        Self {
            codebase: codebase.to_owned(),
            source,
        }
    }

    /// Its parameters: the group among several codebases, and else those of the group.
    #[must_use]
    pub fn fields(&self) -> &[Parameter] {
        match self.source.name.as_str() {
            "" => self.parameters(),
            _ => std::slice::from_ref(&self.source),
        }
    }

    /// The parameters of its group.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        if let ParameterKind::NestedParameter { fields } = &self.source.kind {
            return fields;
        }
        &[]
    }
}

/// Reads the codebases of a form, and adds the names of their fields to `names`: those that are
/// listed, or the one that the form itself describes.
pub(super) fn read(table: &mut Table<'_>, names: &mut Vec<String>) -> Vec<ForcedCodebase> {
    let Some(value) = table.take("codebases") else {
        names.extend(SOURCE.map(|(name, _)| name.to_owned()));
        let mut codebase = String::new();
        table.set("codebase", &mut codebase, |v| v.text().map(str::to_owned));
        let group = Parameter::group("", "", read_source(table));
        return vec![ForcedCodebase::of(&codebase, group)];
    };
    for key in ["codebase", "branch", "revision", "repository", "project"] {
        if let Some(value) = table.take(key) {
            value.error("has no effect beside `codebases`", "write it there");
        }
    }
    let entries = value.entries();
    if entries.is_empty() {
        value.error("is empty", "leave it out, or name a codebase");
        return vec![ForcedCodebase::default()];
    }
    let all = entries.into_iter();
    all.filter_map(|(name, value)| read_one(name, &value, names))
        .collect()
}

fn read_one(name: &str, value: &Value<'_>, names: &mut Vec<String>) -> Option<ForcedCodebase> {
    let mut table = value.table(&SHAPE)?;
    let mut label = match name {
        "" => String::new(),
        name => format!("Codebase: {name}"),
    };
    table.set("label", &mut label, |v| v.text().map(str::to_owned));
    let mut fields = read_source(&mut table);
    let mut has_patch = false;
    table.set(PATCH, &mut has_patch, Value::flag);
    if has_patch {
        fields.push(Parameter {
            kind: ParameterKind::PatchParameter,
            ..Parameter::text(PATCH, "Patch")
        });
    }
    table.finish();
    let own = SOURCE.into_iter().map(|(key, _)| key).chain([PATCH]);
    names.extend(own.map(|key| parameters::full_name(name, key)));
    Some(ForcedCodebase::of(
        name,
        Parameter::group(name, &label, fields),
    ))
}

/// Reads branch, revision, repository and project.
fn read_source(table: &mut Table<'_>) -> Vec<Parameter> {
    let mut source = Vec::new();
    for (key, label) in SOURCE {
        let usual = Parameter::text(key, label);
        let Some(value) = table.take(key) else {
            source.push(usual);
            continue;
        };
        // `false` leaves the field out.
        if !value.is_false() {
            source.extend(parameters::read_one(&value, &usual));
        }
    }
    source
}
