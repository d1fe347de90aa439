//! Forcing builds: what a `ForceScheduler` of the builder asks for is checked here, whatever door
//! the request comes through (FRC-01).

use std::collections::BTreeMap;

use super::Control;
use crate::botmaster::{Ask, Forced};
use crate::config::{Config, ForceConfig, Parameter, ParameterKind, SchedulerConfig, full_name};
use crate::model::{BuilderName, Properties, SchedulerName, SourceStamp, SourceStamps};
use crate::schedulers::forcing::{Asker, FilledIn, PATCH_FIELDS, Sent, WrongField, fill_in};
use crate::text::commas;

/// Why a build was not forced.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotForced {
    /// Fields were filled in wrongly.
    #[error("{}", shown(.0))]
    WrongFields(Vec<WrongField>),
    /// Another reason.
    #[error("{0}")]
    Rejected(String),
}

fn shown(wrong: &[WrongField]) -> String {
    let shown: Vec<_> = wrong.iter().map(ToString::to_string).collect();
    shown.join("; ")
}

impl From<String> for NotForced {
    fn from(why: String) -> Self {
        Self::Rejected(why)
    }
}

impl Control {
    /// Forces a build that is described by its parts. If the builder has a `ForceScheduler`, the
    /// parts are the values of its fields. `user` is the user who asks; the property `owner` can
    /// name another user.
    ///
    /// # Errors
    /// Why nothing is built: all fields that are wrong, or a sentence.
    pub async fn force(&self, forced: Forced, user: &str) -> Result<Ask, NotForced> {
        let builder = forced.builder.clone();
        let config = self.with_choices(self.config(), &builder).await;
        let Some((scheduler, form)) = form_of(&config, &builder, forced.scheduler.as_ref())? else {
            return Ok(Ask::Force(Box::new(forced)));
        };
        check_codebases(scheduler, form, &forced.stamps)?;
        let owner = forced.properties.get("owner");
        let owner = owner.and_then(|owner| owner.as_str()).unwrap_or(user);
        let sent = fields(form, &forced);
        let filled = check(&config, &builder, (scheduler, form), &sent, Some(owner))?;
        if let Some(name) = filled.unused.first() {
            return Err(NotForced::WrongFields(vec![WrongField {
                field: name.clone(),
                message: format!("is not a parameter of the scheduler {}", scheduler.name),
            }]));
        }
        self.forced(filled, scheduler, forced).await
    }

    /// Forces a build as a form of a `ForceScheduler` asks for; `user` is the user who has logged
    /// in. Fields that the form does not have are ignored.
    ///
    /// # Errors
    /// Why nothing is built: all fields that are wrong, or a sentence.
    pub async fn force_by_form(
        &self,
        builder: &BuilderName,
        scheduler: Option<&SchedulerName>,
        sent: &Sent,
        user: Option<&str>,
    ) -> Result<Ask, NotForced> {
        let config = self.with_choices(self.config(), builder).await;
        let Some((scheduler, form)) = form_of(&config, builder, scheduler)? else {
            let why = format!("builder {builder} has no ForceScheduler");
            return Err(NotForced::Rejected(why));
        };
        let filled = check(&config, builder, (scheduler, form), sent, user)?;
        let forced = Forced {
            builder: builder.clone(),
            scheduler: None,
            // Forms of Buildbot have no such field.
            soon: filled.unused.iter().any(|field| field == "soon"),
            stamps: SourceStamps::default(),
            reason: String::new(),
            properties: Properties::new(),
            priority: 0,
        };
        self.forced(filled, scheduler, forced).await
    }

    /// What the core is asked for: what was filled in, over what `forced` says besides.
    async fn forced(
        &self,
        filled: FilledIn,
        scheduler: &SchedulerConfig,
        forced: Forced,
    ) -> Result<Ask, NotForced> {
        let mut properties = filled.properties;
        let mut stamps = filled.stamps;
        if let Some(patched) = forced.stamps.patched() {
            let patch = |stamp: &SourceStamp| SourceStamp {
                patch: match stamps.single().is_some() || stamp.codebase == patched.codebase {
                    true => patched.patch.clone(),
                    false => None,
                },
                ..stamp.clone()
            };
            stamps = stamps.map(patch);
        }
        if let Some((builder, number)) = filled.inherit {
            let like = self.like(builder, number, String::new(), false).await?;
            let own = std::mem::replace(&mut properties, like.properties);
            properties.update(&own);
            let says_nothing = stamps
                .iter()
                .all(|stamp| stamp.branch.is_none() && stamp.revision.is_none());
            if says_nothing {
                let patch = stamps.patch().cloned();
                stamps = like.stamps;
                if let Some(patch) = patch {
                    stamps = stamps.with_patch(patch);
                }
            }
        }
        let priority = match forced.priority {
            0 => scheduler.priority,
            priority => priority,
        };
        Ok(Ask::Force(Box::new(Forced {
            builder: forced.builder,
            scheduler: Some(scheduler.name.clone()),
            soon: forced.soon,
            stamps,
            reason: filled.reason,
            properties,
            priority,
        })))
    }
}

/// The `ForceScheduler` of the builder with this name, or its first; absent if it has none.
fn form_of<'c>(
    config: &'c Config,
    builder: &BuilderName,
    name: Option<&SchedulerName>,
) -> Result<Option<(&'c SchedulerConfig, &'c ForceConfig)>, String> {
    let schedulers = config.schedulers.iter();
    let mut forms = schedulers.filter_map(|scheduler| {
        let form = scheduler.kind.force()?;
        scheduler.builders.contains(builder).then_some(())?;
        Some((&**scheduler, form))
    });
    let Some(name) = name else {
        return Ok(forms.next());
    };
    let mut names = Vec::new();
    for (scheduler, form) in forms {
        if scheduler.name == *name {
            return Ok(Some((scheduler, form)));
        }
        names.push(scheduler.name.to_string());
    }
    Err(match names.as_slice() {
        [] => format!("builder {builder} has no ForceScheduler"),
        names => format!(
            "builder {builder} has no ForceScheduler {name}; it has {}",
            commas(names)
        ),
    })
}

fn check(
    config: &Config,
    builder: &BuilderName,
    (scheduler, form): (&SchedulerConfig, &ForceConfig),
    sent: &Sent,
    user: Option<&str>,
) -> Result<FilledIn, NotForced> {
    let slaves = config.builder(builder.as_str());
    let asker = Asker {
        user,
        slaves: slaves.map_or(&[], |builder| &builder.slaves),
        validation: &config.validation,
    };
    fill_in(scheduler, form, sent, asker).map_err(NotForced::WrongFields)
}

/// Checks that a request is for codebases that the form has. One that names no codebase is for that
/// of a form with one.
fn check_codebases(
    scheduler: &SchedulerConfig,
    form: &ForceConfig,
    stamps: &SourceStamps,
) -> Result<(), String> {
    let name = &scheduler.name;
    if form.codebases.len() == 1 {
        return match stamps.single() {
            Some(_) => Ok(()),
            None => Err(format!(
                "the ForceScheduler {name} asks for one codebase, and the request has several"
            )),
        };
    }
    let has = |codebase: &str| form.codebases.iter().any(|it| it.codebase == codebase);
    // Nothing is asked for: all codebases have their defaults.
    if *stamps == SourceStamps::default() {
        return Ok(());
    }
    let Some(other) = stamps.codebases().find(|codebase| !has(codebase)) else {
        return Ok(());
    };
    let names: Vec<_> = form
        .codebases
        .iter()
        .map(|it| it.codebase.clone())
        .collect();
    let names = commas(&names);
    Err(match other {
        "" => format!("the request names no codebase; the ForceScheduler {name} has {names}"),
        other => format!("the ForceScheduler {name} has no codebase {other}; it has {names}"),
    })
}

/// The fields that parts of a request fill in. A property that is not a parameter takes a
/// parameter for any property. What is not given has its default, also a box that a form would
/// tick.
fn fields(form: &ForceConfig, forced: &Forced) -> Sent {
    let mut sent = BTreeMap::new();
    let mut any = Vec::new();
    let mut names = Vec::new();
    for parameter in &form.parameters {
        list(parameter, "", &mut names, &mut any, &mut sent);
    }
    let mut insert = |name: String, value: Option<&String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            sent.insert(name, vec![value.as_str().into()]);
        }
    };
    insert("reason".to_owned(), Some(&forced.reason));
    for stamp in forced.stamps.iter() {
        let parent = match form.codebases.len() {
            1 => "",
            _ => &stamp.codebase,
        };
        for (name, value) in [
            ("branch", stamp.branch.as_ref()),
            ("revision", stamp.revision.as_ref()),
            ("repository", Some(&stamp.repository)),
            ("project", Some(&stamp.project)),
        ] {
            insert(full_name(parent, name), value);
        }
    }
    let mut any = any.into_iter();
    let given = forced.properties.iter();
    for (name, property) in given.filter(|(name, _)| *name != "owner") {
        let value = property.value.clone();
        if names.iter().any(|known| known == name) {
            let values = match value.as_array() {
                Some(list) => list.clone(),
                None => vec![value],
            };
            sent.insert(name.to_owned(), values);
        } else if let Some(field) = any.next() {
            sent.insert(format!("{field}name"), vec![name.into()]);
            sent.insert(format!("{field}value"), vec![value]);
        } else {
            sent.insert(name.to_owned(), vec![value]);
        }
    }
    sent
}

/// Adds the names of the fields of a parameter of the group `parent`, those for any property, and
/// the boxes that are ticked by default.
fn list(
    parameter: &Parameter,
    parent: &str,
    names: &mut Vec<String>,
    any: &mut Vec<String>,
    sent: &mut Sent,
) {
    let full = full_name(parent, &parameter.name);
    match &parameter.kind {
        ParameterKind::NestedParameter { fields } => {
            for field in fields {
                list(field, &full, names, any, sent);
            }
        }
        ParameterKind::AnyPropertyParameter => any.push(full),
        ParameterKind::PatchParameter => {
            names.extend(PATCH_FIELDS.map(|(part, _)| full_name(&full, part)));
        }
        ParameterKind::BooleanParameter => {
            if let Some(default) = &parameter.default {
                sent.insert(full.clone(), vec![default.clone()]);
            }
            names.push(full);
        }
        ParameterKind::FixedParameter
        | ParameterKind::StringParameter
        | ParameterKind::TextParameter { .. }
        | ParameterKind::IntParameter
        | ParameterKind::UserNameParameter { .. }
        | ParameterKind::ChoiceStringParameter { .. }
        | ParameterKind::InheritBuildParameter
        | ParameterKind::FileParameter { .. }
        | ParameterKind::BuildslaveChoiceParameter => names.push(full),
    }
}

#[cfg(test)]
mod tests;
