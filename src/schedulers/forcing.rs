//! What users fill in when they force a build: a pure check of all fields (FRC-01 to FRC-06).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::config::{
    ForceConfig, ForcedCodebase, Parameter, ParameterKind, SchedulerConfig, Validation, full_name,
};
use crate::model::{
    BuildNumber, BuilderName, Patch, PatchBody, Properties, SlaveName, SourceStamp, SourceStamps,
};

/// The source of the properties, which is Buildbot's.
pub const FORM: &str = "Force Build Form";

/// The value of a slave parameter that leaves the choice to the master.
pub const ANY_SLAVE: &str = "-any-";

/// What was sent: for each field the values in the order in which they were sent.
pub type Sent = BTreeMap<String, Vec<Json>>;

/// What is known besides what was sent.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The user who has logged in, if somebody has.
    pub user: Option<&'a str>,
    /// The slaves of the builder.
    pub slaves: &'a [SlaveName],
    /// The patterns that values must match.
    pub validation: &'a Validation,
}

/// What is to be built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilledIn {
    /// The reason of the build.
    pub reason: String,
    /// The user who wants the build, which is also the property `owner`.
    pub owner: String,
    /// What to build: a stamp for each codebase of the form.
    pub stamps: SourceStamps,
    /// Properties, with the source [`FORM`].
    pub properties: Properties,
    /// The build whose properties and sources are taken (FRC-06).
    pub inherit: Option<(BuilderName, BuildNumber)>,
    /// Fields that were sent and that no parameter has.
    pub unused: Vec<String>,
}

/// A field that was filled in wrongly.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
#[error("{field}: {message}")]
pub struct WrongField {
    /// Name of the field.
    pub field: String,
    /// What is wrong, as the end of a sentence.
    pub message: String,
}

/// Checks what was sent to a `ForceScheduler`.
///
/// # Errors
/// All fields that are wrong, in the order of the form (FRC-03).
pub fn fill_in(
    scheduler: &SchedulerConfig,
    form: &ForceConfig,
    sent: &Sent,
    asker: Asker<'_>,
) -> Result<FilledIn, Vec<WrongField>> {
    let mut filling = Filling {
        sent,
        asker,
        known: BTreeSet::new(),
        wrong: Vec::new(),
        inherit: None,
        patch: None,
        has_patch: false,
    };
    let owner = filling.text(&form.username, "");
    let reason = filling.text(&form.reason_parameter, "");
    let codebases = form.codebases.iter();
    let mut stamps: SourceStamps = codebases.map(|it| filling.stamp(it, &owner)).collect();
    let mut values = BTreeMap::new();
    for parameter in &form.parameters {
        filling.take(parameter, "", &mut values);
    }
    if let Some(patch) = filling.patch.take() {
        stamps = stamps.with_patch(patch_by(patch, &owner));
    }
    if !filling.wrong.is_empty() {
        return Err(filling.wrong);
    }
    let mut properties = scheduler.properties.clone();
    values.insert("reason".to_owned(), reason.clone().into());
    values.insert("owner".to_owned(), owner.clone().into());
    for (name, value) in values {
        properties.set(name, value, FORM);
    }
    let text = scheduler.reason.as_deref().unwrap_or(REASON);
    let unused = sent.keys().filter(|name| !filling.known.contains(*name));
    Ok(FilledIn {
        reason: reason_of(text, &owner, &reason),
        owner,
        stamps,
        properties,
        unused: unused.cloned().collect(),
        inherit: filling.inherit,
    })
}

/// The reason of the build, with both names replaced at once, so that neither is looked for in the
/// other.
fn reason_of(text: &str, owner: &str, reason: &str) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("%(") {
        let (before, form) = rest.split_at(at);
        done.push_str(before);
        if let Some(after) = form.strip_prefix("%(owner)s") {
            done.push_str(owner);
            rest = after;
        } else if let Some(after) = form.strip_prefix("%(reason)s") {
            done.push_str(reason);
            rest = after;
        } else {
            done.push_str("%(");
            rest = form.get(2..).unwrap_or_default();
        }
    }
    done + rest
}

/// The reason of a build, if the scheduler has no text of its own; Buildbot's.
const REASON: &str = "A build was forced by '%(owner)s': %(reason)s";

/// The fields of a patch, with their labels.
pub const PATCH_FIELDS: [(&str, &str); 5] = [
    ("body", "Patch"),
    ("level", "Path components to strip"),
    ("subdir", "Directory to apply it in"),
    ("author", "Author of the patch"),
    ("comment", "Comment on the patch"),
];

/// A patch without an author is that of the user.
fn patch_by(patch: Patch, owner: &str) -> Patch {
    Patch {
        who: patch
            .who
            .or_else(|| Some(owner.to_owned()).filter(|who| !who.is_empty())),
        ..patch
    }
}

/// A check that goes on after a mistake.
struct Filling<'a> {
    sent: &'a Sent,
    asker: Asker<'a>,
    /// The fields that parameters have.
    known: BTreeSet<String>,
    wrong: Vec<WrongField>,
    inherit: Option<(BuilderName, BuildNumber)>,
    patch: Option<Patch>,
    /// Whether a codebase has a patch.
    has_patch: bool,
}

impl Filling<'_> {
    /// Takes a parameter, of the group `parent`, into the properties `values`.
    fn take(&mut self, parameter: &Parameter, parent: &str, values: &mut BTreeMap<String, Json>) {
        let full = full_name(parent, &parameter.name);
        match &parameter.kind {
            ParameterKind::NestedParameter { fields } if parameter.name.is_empty() => {
                for field in fields {
                    self.take(field, parent, values);
                }
            }
            ParameterKind::NestedParameter { fields } => {
                let mut inner = BTreeMap::new();
                for field in fields {
                    self.take(field, &full, &mut inner);
                }
                let inner: serde_json::Map<_, _> = inner.into_iter().collect();
                values.insert(parameter.name.clone(), inner.into());
            }
            ParameterKind::AnyPropertyParameter => {
                if let Some((name, value)) = self.any_property(&full) {
                    values.insert(name, value);
                }
            }
            ParameterKind::PatchParameter => self.take_patch(&full, parameter.required),
            ParameterKind::FixedParameter
            | ParameterKind::StringParameter
            | ParameterKind::TextParameter { .. }
            | ParameterKind::IntParameter
            | ParameterKind::BooleanParameter
            | ParameterKind::UserNameParameter { .. }
            | ParameterKind::ChoiceStringParameter { .. }
            | ParameterKind::InheritBuildParameter
            | ParameterKind::FileParameter { .. }
            | ParameterKind::BuildslaveChoiceParameter => {
                if let Some(value) = self.value(parameter, parent) {
                    values.insert(parameter.name.clone(), value);
                }
            }
        }
    }

    /// The stamp of a codebase, with its patch, if it has one.
    fn stamp(&mut self, codebase: &ForcedCodebase, owner: &str) -> SourceStamp {
        let name = codebase.codebase.as_str();
        let mut stamp = SourceStamp {
            codebase: name.to_owned(),
            ..SourceStamp::default()
        };
        for parameter in codebase.parameters() {
            // Buildbot puts the codebase before the names of the fields.
            let field = full_name(name, &parameter.name);
            let is_alone = codebase.source.name.is_empty();
            let parent = match is_alone && !self.sent.contains_key(&field) {
                true => "",
                false => name,
            };
            if parameter.kind == ParameterKind::PatchParameter {
                stamp.patch = self.patch_of_codebase(&field, owner);
                continue;
            }
            let value = self.text(parameter, parent);
            self.check_source(parent, &parameter.name, &value);
            let some = (!value.is_empty()).then(|| value.clone());
            match parameter.name.as_str() {
                "branch" => stamp.branch = some,
                "revision" => stamp.revision = some,
                "repository" => stamp.repository = value,
                _ => stamp.project = value,
            }
        }
        stamp
    }

    /// The patch that was sent for a codebase; a build has one patch (CBS-05).
    fn patch_of_codebase(&mut self, field: &str, owner: &str) -> Option<Patch> {
        self.take_patch(field, false);
        let patch = patch_by(self.patch.take()?, owner);
        if std::mem::replace(&mut self.has_patch, true) {
            let message = "is a second patch; a build patches one codebase".to_owned();
            self.wrong(full_name(field, "body"), message);
        }
        Some(patch)
    }

    /// The text of a parameter that is one field; empty if it has no value, or a wrong one.
    fn text(&mut self, parameter: &Parameter, parent: &str) -> String {
        match self.value(parameter, parent) {
            Some(Json::String(text)) => text,
            Some(value) => value.to_string(),
            None => String::new(),
        }
    }

    /// The value of a parameter that is one field; absent if it has none, or a wrong one.
    fn value(&mut self, parameter: &Parameter, parent: &str) -> Option<Json> {
        let field = full_name(parent, &parameter.name);
        self.known.insert(field.clone());
        let found = self.checked(parameter, &field);
        found.unwrap_or_else(|message| {
            self.wrong(field, message);
            None
        })
    }

    fn checked(&mut self, parameter: &Parameter, field: &str) -> Result<Option<Json>, String> {
        let sent = self.sent.get(field).map_or(&[][..], Vec::as_slice);
        match &parameter.kind {
            ParameterKind::FixedParameter => {
                let default = parameter.default.clone();
                return Ok(Some(default.unwrap_or_else(|| "".into())));
            }
            // A form sends nothing for a box that is not ticked.
            ParameterKind::BooleanParameter => {
                return flag(sent.first()).map(|flag| Some(flag.into()));
            }
            ParameterKind::UserNameParameter { .. } => {
                if let Some(user) = self.asker.user {
                    return Ok(Some(user.into()));
                }
            }
            ParameterKind::StringParameter
            | ParameterKind::TextParameter { .. }
            | ParameterKind::IntParameter
            | ParameterKind::ChoiceStringParameter { .. }
            | ParameterKind::InheritBuildParameter
            | ParameterKind::BuildslaveChoiceParameter
            | ParameterKind::FileParameter { .. }
            | ParameterKind::PatchParameter
            | ParameterKind::AnyPropertyParameter
            | ParameterKind::NestedParameter { .. } => {}
        }
        let mut texts: Vec<String> = sent.iter().map(text_of).collect();
        texts.retain(|text| !text.trim().is_empty());
        if texts.is_empty() && parameter.required {
            return Err("must be filled in".to_owned());
        }
        if texts.is_empty() {
            match &parameter.default {
                Some(Json::Array(list)) => texts.extend(list.iter().map(text_of)),
                Some(default) => texts.push(text_of(default)),
                None if parameter.multiple => {}
                None => texts.push(String::new()),
            }
        }
        for text in &texts {
            let pattern = parameter.regex.as_ref();
            if pattern.is_some_and(|pattern| !pattern.is_match(text)) {
                return Err(format!("{text:?} does not match the pattern of the field"));
            }
        }
        if parameter.multiple {
            let mut values = Vec::with_capacity(texts.len());
            for text in &texts {
                values.extend(self.one(parameter, text)?);
            }
            return Ok(Some(values.into()));
        }
        self.one(parameter, texts.first().map_or("", String::as_str))
    }

    /// The value of one text.
    fn one(&mut self, parameter: &Parameter, text: &str) -> Result<Option<Json>, String> {
        match &parameter.kind {
            ParameterKind::IntParameter => match text.trim().parse::<i64>() {
                Ok(number) => Ok(Some(number.into())),
                Err(_) if text.is_empty() => Err("needs an integer".to_owned()),
                Err(_) => Err(format!("{text:?} is not an integer")),
            },
            ParameterKind::FileParameter { max_size } => {
                match text.len() > usize::try_from(*max_size).unwrap_or(usize::MAX) {
                    true => Err(format!("has more than {max_size} bytes")),
                    false => Ok(Some(text.into())),
                }
            }
            ParameterKind::ChoiceStringParameter {
                choices, strict, ..
            } => {
                let is_known = choices.iter().any(|choice| choice == text);
                match (is_known || !strict, text) {
                    (true, _) => Ok(Some(text.into())),
                    (false, "") => Err("needs one of the choices".to_owned()),
                    (false, _) => Err(format!("{text:?} is not one of the choices")),
                }
            }
            ParameterKind::UserNameParameter { need_email } => {
                let is_default = parameter.default.as_ref().map(text_of).as_deref() == Some(text);
                if *need_email && !text.is_empty() && !is_default && !is_person(text) {
                    return Err("write it as `User <email@example.org>`".to_owned());
                }
                Ok(Some(text.into()))
            }
            ParameterKind::BuildslaveChoiceParameter => {
                if matches!(text, "" | ANY_SLAVE) {
                    return Ok(None);
                }
                let mut slaves = self.asker.slaves.iter();
                if !slaves.any(|slave| slave.as_str() == text) {
                    return Err(format!("{text:?} is not a slave of the builder"));
                }
                Ok(Some(text.into()))
            }
            ParameterKind::InheritBuildParameter => {
                let named = text.split(' ').next().unwrap_or_default();
                if named.is_empty() {
                    return Ok(None);
                }
                let build = named.rsplit_once('/');
                let build = build.and_then(|(builder, number)| {
                    Some((BuilderName::from(builder), number.parse().ok()?))
                });
                let Some((builder, number)) = build else {
                    return Err(format!(
                        "{named:?} is not a build; write it as BUILDER/NUMBER"
                    ));
                };
                self.inherit = Some((builder, BuildNumber(number)));
                Ok(Some(named.into()))
            }
            ParameterKind::FixedParameter
            | ParameterKind::StringParameter
            | ParameterKind::TextParameter { .. }
            | ParameterKind::BooleanParameter
            | ParameterKind::AnyPropertyParameter
            | ParameterKind::PatchParameter
            | ParameterKind::NestedParameter { .. } => Ok(Some(text.into())),
        }
    }

    /// Takes the patch whose parts were sent as `FIELD_body` and so on.
    fn take_patch(&mut self, field: &str, is_required: bool) {
        let mut sent = |part: &str| {
            let name = full_name(field, part);
            let value = self.sent.get(&name).and_then(|values| values.first());
            self.known.insert(name);
            value.map(text_of).unwrap_or_default()
        };
        let [body, level, subdir, author, comment] = PATCH_FIELDS.map(|(part, _)| sent(part));
        if body.trim().is_empty() {
            if is_required {
                self.wrong(full_name(field, "body"), "must be filled in".to_owned());
            }
            return;
        }
        let level = match level.trim() {
            "" => Ok(1),
            text => text.parse(),
        };
        let Ok(level) = level else {
            let message = "is not a number of path components".to_owned();
            return self.wrong(full_name(field, "level"), message);
        };
        let path = std::path::Path::new(subdir.trim());
        let is_below = |part: std::path::Component<'_>| {
            matches!(
                part,
                std::path::Component::Normal(_) | std::path::Component::CurDir
            )
        };
        if !path.components().all(is_below) {
            let message = "is not a directory below the source tree".to_owned();
            return self.wrong(full_name(field, "subdir"), message);
        }
        let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        // Browsers send each line end as CR LF, which no patch program takes.
        let body = body.replace("\r\n", "\n");
        self.patch = Some(Patch {
            level,
            body: PatchBody::Given(body.into()),
            subdir: some(subdir).filter(|subdir| subdir != "."),
            who: some(author),
            comment: some(comment),
        });
    }

    /// The property whose name and value were sent as `FIELDname` and `FIELDvalue`, or with `_`
    /// before both, as in a group.
    fn any_property(&mut self, field: &str) -> Option<(String, Json)> {
        let mut sent = |part: &str| {
            let forms = [format!("{field}{part}"), format!("{field}_{part}")];
            let value = forms.iter().find_map(|form| self.sent.get(form)?.first());
            let value = value.map(text_of).unwrap_or_default();
            self.known.extend(forms);
            value
        };
        let (name, value) = (sent("name"), sent("value"));
        if name.is_empty() {
            return None;
        }
        let validation = self.asker.validation;
        if !validation.property_name.is_match(&name) || !Properties::is_valid_name(&name) {
            let message = format!("{name:?} cannot be the name of a property");
            self.wrong(format!("{field}name"), message);
            return None;
        }
        if !validation.property_value.is_match(&value) {
            let message = format!("{value:?} is not allowed as the value of a property");
            self.wrong(format!("{field}value"), message);
            return None;
        }
        Some((name, value.into()))
    }

    /// Checks a branch or a revision (FRC-05).
    fn check_source(&mut self, parent: &str, field: &str, value: &str) {
        let pattern = match field {
            "branch" => &self.asker.validation.branch,
            "revision" => &self.asker.validation.revision,
            _ => return,
        };
        if !pattern.is_match(value) {
            let name = full_name(parent, field);
            self.wrong(name, format!("{value:?} is not a {field}"));
        }
    }

    fn wrong(&mut self, field: String, message: String) {
        self.wrong.push(WrongField { field, message });
    }
}

fn text_of(value: &Json) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_null() => String::new(),
        None => value.to_string(),
    }
}

/// A ticked box is ticked, whoever sends it.
fn flag(value: Option<&Json>) -> Result<bool, String> {
    let Some(value) = value else {
        return Ok(false);
    };
    match text_of(value).trim().to_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "" | "false" | "off" | "no" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// Whether a text is a name with an address, as `User <email@example.org>`.
fn is_person(text: &str) -> bool {
    let Some((name, address)) = text.split_once('<') else {
        return false;
    };
    let address = address.trim_end().strip_suffix('>').unwrap_or_default();
    !name.trim().is_empty() && !address.trim().is_empty()
}

#[cfg(test)]
mod tests;
