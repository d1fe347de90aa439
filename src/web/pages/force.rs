//! The forms that force builds of a builder: one for each of its force schedulers, or a plain one
//! (FRC-01 to FRC-04). A form that was refused keeps what was typed, with the errors beside the
//! fields.

use std::sync::Arc;

use askama::Template;
use serde_json::Value;

use crate::config::{ForceConfig, Parameter, ParameterKind, SchedulerConfig, full_name};
use crate::control::{Target, object};
use crate::model::{Action, BuilderName, SlaveName};
use crate::schedulers::forcing::{ANY_SLAVE, PATCH_FIELDS};
use crate::store::{State, StoreError};
use crate::web::address;
use crate::web::denied::who_may;
use crate::web::page::{Marks, RefusedForm, Scene};

/// The forms of a builder, or who may force builds.
#[derive(Debug, Template)]
#[template(path = "force.html", config = "src/web/askama.toml")]
pub(super) struct Force {
    action: String,
    forms: Vec<Form>,
    /// Whether the reader has logged in.
    is_known: bool,
    /// Who may force builds, if the reader may not.
    who: String,
}

impl askama::filters::HtmlSafe for Force {}

/// A form.
#[derive(Debug)]
struct Form {
    marks: Marks,
    /// The force scheduler; empty for a builder without any.
    scheduler: String,
    title: String,
    button: String,
    /// Whether the form was refused.
    is_refused: bool,
    /// Errors of fields that the form does not show.
    errors: Vec<String>,
    pieces: Vec<Piece>,
}

/// A piece of a form.
#[derive(Debug)]
enum Piece {
    /// The beginning of a group of this name.
    Open(String),
    /// The end of a group.
    Close,
    /// A field.
    Field(Field),
}

/// A field.
#[derive(Debug)]
struct Field {
    name: String,
    label: String,
    error: Option<String>,
    required: bool,
    input: Input,
}

/// How a field is filled in.
#[derive(Debug)]
enum Input {
    Line {
        value: String,
        size: Option<u32>,
        hint: &'static str,
        /// Values to choose from; others are allowed.
        choices: Vec<String>,
    },
    Number(String),
    Area {
        value: String,
        rows: u32,
        cols: u32,
    },
    Tick(bool),
    Choice {
        options: Vec<(String, bool)>,
        multiple: bool,
    },
    /// A property: its name and its value.
    Pair {
        name: String,
        value: String,
        wrong_value: Option<String>,
    },
}

impl Force {
    /// The forms of `builder`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn new(
        state: &State,
        scene: &Scene,
        builder: &BuilderName,
    ) -> Result<Self, StoreError> {
        let target = Target::Builder(builder.clone());
        let object = object(state, &scene.config, &target)?;
        let may = scene.reader.may(&scene.config, Action::Force, &object);
        let config = scene.config.builder(builder.as_str());
        let mut forms = Vec::new();
        if let Some(config) = config.filter(|_| may) {
            let schedulers = scene.config.schedulers.iter();
            let schedulers = schedulers.filter(|s| s.builders.contains(builder));
            let own: Vec<_> = schedulers
                .filter_map(|scheduler| Some((scheduler.as_ref(), scheduler.kind.force()?)))
                .collect();
            for (position, (scheduler, form)) in own.iter().enumerate() {
                let sent = sent_to(scene, scheduler.name.as_str(), position == 0);
                let filling = Filling::new(scene, sent, &config.slaves);
                forms.push(filling.form(scene, Some(scheduler), form));
            }
            if own.is_empty() {
                let filling = Filling::new(scene, scene.refused.clone(), &config.slaves);
                forms.push(filling.form(scene, None, &plain()));
            }
        }
        Ok(Self {
            action: format!("{}/force", address::builder(builder)),
            is_known: scene.reader.user().is_some(),
            who: match may {
                true => String::new(),
                false => who_may(&scene.config, Action::Force, &object),
            },
            forms,
        })
    }
}

/// The form that was refused, if it was that of this scheduler.
fn sent_to(scene: &Scene, scheduler: &str, is_first: bool) -> Option<Arc<RefusedForm>> {
    let sent = scene.refused.clone()?;
    let meant = sent.form.text("forcescheduler");
    (meant == scheduler || meant.is_empty() && is_first).then_some(sent)
}

/// The form of a builder without a force scheduler.
fn plain() -> ForceConfig {
    let mut form = ForceConfig {
        button: "Force".to_owned(),
        ..ForceConfig::default()
    };
    form.reason_parameter.label = "Reason".to_owned();
    form.reason_parameter.default = None;
    for codebase in &mut form.codebases {
        if let ParameterKind::NestedParameter { fields } = &mut codebase.source.kind {
            for parameter in fields {
                parameter.label = parameter.label.trim_end_matches(':').to_owned();
            }
        }
    }
    form.parameters.truncate(2);
    form
}

/// A form that is being made.
struct Filling<'a> {
    /// The form that was refused.
    sent: Option<Arc<RefusedForm>>,
    slaves: &'a [SlaveName],
    is_known: bool,
    pieces: Vec<Piece>,
    shown: Vec<String>,
}

impl<'a> Filling<'a> {
    fn new(scene: &Scene, sent: Option<Arc<RefusedForm>>, slaves: &'a [SlaveName]) -> Self {
        Self {
            sent,
            slaves,
            is_known: scene.reader.user().is_some(),
            pieces: Vec::new(),
            shown: Vec::new(),
        }
    }

    fn form(
        mut self,
        scene: &Scene,
        scheduler: Option<&SchedulerConfig>,
        form: &ForceConfig,
    ) -> Form {
        for parameter in form.fields() {
            self.add(parameter, "");
        }
        let wrong = self.sent.iter().flat_map(|sent| &sent.wrong);
        let hidden = wrong.filter(|wrong| !self.shown.contains(&wrong.field));
        let name = scheduler.map(|s| s.name.to_string()).unwrap_or_default();
        Form {
            marks: scene.marks(),
            title: match form.label.as_str() {
                "" => name.clone(),
                label => label.to_owned(),
            },
            scheduler: name,
            button: form.button.clone(),
            is_refused: self.sent.is_some(),
            errors: hidden.map(ToString::to_string).collect(),
            pieces: self.pieces,
        }
    }

    fn add(&mut self, parameter: &Parameter, parent: &str) {
        let full = full_name(parent, &parameter.name);
        if parameter.hide {
            return;
        }
        let input = match &parameter.kind {
            ParameterKind::NestedParameter { fields } => {
                self.pieces.push(Piece::Open(parameter.label().to_owned()));
                let inner = match parameter.name.as_str() {
                    "" => parent,
                    _ => &full,
                };
                for field in fields {
                    self.add(field, inner);
                }
                self.pieces.push(Piece::Close);
                return;
            }
            ParameterKind::PatchParameter => return self.add_patch(parameter, &full),
            ParameterKind::FixedParameter => return,
            // FRC-04: whoever has logged in has a name.
            ParameterKind::UserNameParameter { .. } if self.is_known => return,
            ParameterKind::AnyPropertyParameter => {
                let (name, value) = (format!("{full}name"), format!("{full}value"));
                self.shown.push(value.clone());
                Input::Pair {
                    name: self.text(&name, None),
                    value: self.text(&value, None),
                    wrong_value: self.error(&value),
                }
            }
            ParameterKind::BooleanParameter => Input::Tick(match &self.sent {
                Some(sent) => sent.form.has(&full),
                None => parameter.default.as_ref().is_some_and(is_true),
            }),
            ParameterKind::ChoiceStringParameter {
                choices, strict, ..
            } => self.choice(parameter, &full, choices, *strict),
            ParameterKind::BuildslaveChoiceParameter => {
                let slaves = self.slaves.iter().map(ToString::to_string);
                let choices: Vec<_> = [ANY_SLAVE.to_owned()].into_iter().chain(slaves).collect();
                self.choice(parameter, &full, &choices, true)
            }
            ParameterKind::TextParameter { cols, rows } => {
                self.area(parameter, &full, (*rows, *cols))
            }
            ParameterKind::FileParameter { .. } => self.area(parameter, &full, (8, 80)),
            ParameterKind::IntParameter => {
                Input::Number(self.text(&full, parameter.default.as_ref()))
            }
            ParameterKind::InheritBuildParameter => self.line(parameter, &full, "BUILDER/NUMBER"),
            ParameterKind::UserNameParameter { .. } => {
                self.line(parameter, &full, "Name <name@example.org>")
            }
            ParameterKind::StringParameter => {
                let hint = match (full.as_str(), parameter.name.as_str()) {
                    (_, "revision") => "the newest",
                    ("reason", _) => "why, for those who look later",
                    _ => "",
                };
                self.line(parameter, &full, hint)
            }
        };
        // Both parts of a property have their errors.
        let field = match matches!(input, Input::Pair { .. }) {
            true => format!("{full}name"),
            false => full.clone(),
        };
        self.shown.push(field.clone());
        self.pieces.push(Piece::Field(Field {
            error: self.error(&field),
            label: parameter.label().to_owned(),
            required: parameter.required,
            name: full,
            input,
        }));
    }

    /// A patch is a group of fields.
    fn add_patch(&mut self, parameter: &Parameter, full: &str) {
        self.pieces.push(Piece::Open(parameter.label().to_owned()));
        for (part, label) in PATCH_FIELDS {
            self.add_patch_field(full_name(full, part), part, label, parameter.required);
        }
        self.pieces.push(Piece::Close);
    }

    fn area(&self, parameter: &Parameter, full: &str, (rows, cols): (u32, u32)) -> Input {
        Input::Area {
            value: self.text(full, parameter.default.as_ref()),
            rows,
            cols,
        }
    }

    fn add_patch_field(&mut self, name: String, part: &str, label: &str, is_required: bool) {
        let value = self.text(&name, None);
        let input = match part {
            "body" => Input::Area {
                value,
                rows: 12,
                cols: 80,
            },
            "level" => Input::Number(if self.sent.is_some() {
                value
            } else {
                "1".to_owned()
            }),
            _ => Input::Line {
                value,
                size: None,
                hint: "",
                choices: Vec::new(),
            },
        };
        self.shown.push(name.clone());
        self.pieces.push(Piece::Field(Field {
            error: self.error(&name),
            label: label.to_owned(),
            required: is_required && part == "body",
            name,
            input,
        }));
    }

    fn line(&self, parameter: &Parameter, full: &str, hint: &'static str) -> Input {
        Input::Line {
            value: self.text(full, parameter.default.as_ref()),
            size: parameter.size,
            hint,
            choices: Vec::new(),
        }
    }

    fn choice(
        &self,
        parameter: &Parameter,
        full: &str,
        choices: &[String],
        is_strict: bool,
    ) -> Input {
        if !is_strict && !parameter.multiple {
            return Input::Line {
                value: self.text(full, parameter.default.as_ref()),
                size: parameter.size,
                hint: "",
                choices: choices.to_vec(),
            };
        }
        let chosen: Vec<String> = match (&self.sent, &parameter.default) {
            (Some(sent), _) => sent.form.all(full).to_vec(),
            (None, Some(Value::Array(list))) => list.iter().map(text_of).collect(),
            (None, Some(default)) => vec![text_of(default)],
            (None, None) => Vec::new(),
        };
        let options = choices
            .iter()
            .map(|choice| (choice.clone(), chosen.contains(choice)));
        Input::Choice {
            options: options.collect(),
            multiple: parameter.multiple,
        }
    }

    /// What was typed, or else the default.
    fn text(&self, field: &str, default: Option<&Value>) -> String {
        match &self.sent {
            Some(sent) => sent.form.text(field).to_owned(),
            None => default.map(text_of).unwrap_or_default(),
        }
    }

    fn error(&self, field: &str) -> Option<String> {
        let wrong = self.sent.as_ref()?.wrong.iter();
        let mut wrong = wrong.filter(|wrong| wrong.field == field);
        wrong.next().map(|wrong| wrong.message.clone())
    }
}

fn text_of(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_null() => String::new(),
        None => value.to_string(),
    }
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true)
}

#[cfg(test)]
mod tests;
