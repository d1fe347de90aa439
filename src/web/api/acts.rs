//! What programs do over the API: the same acts as by the command line and by the pages.
//!
//! A row says which fields an act has; the act itself is a [`Request`] to [`crate::control`],
//! which checks the permission, does it, and writes the audit log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::problem::Problem;
use crate::config::nearest;
use crate::control::Request;
use crate::model::{RemarkKind, Timestamp};
use crate::web::args::Args;

/// An act: its row in the table.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Act {
    /// Its address, with `{name}` for each variable part.
    pub(in crate::web) path: &'static str,
    /// What it does, in a sentence.
    pub(in crate::web) about: &'static str,
    /// The fields that may be sent.
    pub(in crate::web) fields: &'static [Field],
    /// How it is asked for.
    pub(in crate::web) how: How,
}

/// A field of an act.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Field {
    /// Its name.
    pub(in crate::web) name: &'static str,
    /// What it may be.
    pub(in crate::web) kind: FieldKind,
    /// What it means.
    pub(in crate::web) about: &'static str,
}

/// What has come of an act.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub(in crate::web) struct Accepted {
    /// Where what was made is, or where to see what comes of it; null if that is nowhere.
    pub(in crate::web) address: Option<String>,
    /// The number of the request that was made.
    pub(in crate::web) request: Option<u64>,
    /// The number of its build set.
    pub(in crate::web) set: Option<u64>,
    /// The number of the change that was added.
    pub(in crate::web) change: Option<u64>,
    /// What else the master says; null if it is nothing.
    pub(in crate::web) answer: Value,
}

/// What a field may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::web) enum FieldKind {
    /// A text.
    Text,
    /// True or false.
    Flag,
    /// A list of texts.
    Texts,
    /// Values by name.
    Values,
}

/// How an act is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::web) enum How {
    /// By this verb of the control socket, which has the parts of the path and the fields.
    Verb(&'static str),
    /// By the form of a `ForceScheduler`.
    Form,
    /// By a change.
    Change,
    /// By saying this of a problem.
    Remark(RemarkKind),
}

const fn text(name: &'static str, about: &'static str) -> Field {
    let kind = FieldKind::Text;
    Field { name, kind, about }
}

const fn flag(name: &'static str, about: &'static str) -> Field {
    let kind = FieldKind::Flag;
    Field { name, kind, about }
}

const REASON: Field = text("reason", "Why.");
const TEXT: Field = text("text", "Why, for those who read it.");
const UNTIL: Field = text("until", "When it is over, such as 2026-11-26T14:32:00Z.");
const PERSON: Field = text(
    "person",
    "A user, or the author of a suspected change; absent: the caller.",
);

const fn remark(
    path: &'static str,
    kind: RemarkKind,
    fields: &'static [Field],
    about: &'static str,
) -> Act {
    Act {
        path,
        about,
        fields,
        how: How::Remark(kind),
    }
}

/// All acts.
pub(in crate::web) const ACTS: &[Act] = &[
    Act {
        path: "/api/v1/builders/{builder}/force",
        about: "Force a build, as a form of a ForceScheduler: its parameters are fields, too.",
        fields: &[
            text(
                "forcescheduler",
                "The ForceScheduler; the first of the builder if absent.",
            ),
            REASON,
            text("branch", "The branch."),
            text("revision", "The revision."),
            text("repository", "The repository."),
            text("project", "The project."),
        ],
        how: How::Form,
    },
    Act {
        path: "/api/v1/builders/{builder}/ping",
        about: "Ping the slaves of a builder.",
        fields: &[],
        how: How::Verb("ping"),
    },
    Act {
        path: "/api/v1/builders/{builder}/pause",
        about: "Start no new builds on a builder.",
        fields: &[REASON],
        how: How::Verb("pause-builder"),
    },
    Act {
        path: "/api/v1/builders/{builder}/unpause",
        about: "Start builds on a paused builder again.",
        fields: &[],
        how: How::Verb("unpause-builder"),
    },
    Act {
        path: "/api/v1/builders/{builder}/builds/{build}/stop",
        about: "Stop a build.",
        fields: &[REASON],
        how: How::Verb("stop-build"),
    },
    Act {
        path: "/api/v1/builders/{builder}/builds/{build}/rebuild",
        about: "Build again what a finished build has built.",
        fields: &[REASON],
        how: How::Verb("rebuild"),
    },
    Act {
        path: "/api/v1/requests/{request}/cancel",
        about: "Take a request out of the queue.",
        fields: &[REASON],
        how: How::Verb("cancel"),
    },
    Act {
        path: "/api/v1/slaves/{slave}/pause",
        about: "Give a slave no new builds.",
        fields: &[REASON],
        how: How::Verb("pause"),
    },
    Act {
        path: "/api/v1/slaves/{slave}/unpause",
        about: "Give a paused slave builds again.",
        fields: &[],
        how: How::Verb("unpause"),
    },
    Act {
        path: "/api/v1/slaves/{slave}/graceful",
        about: "Shut a slave down when it is idle.",
        fields: &[flag(
            "cancel",
            "Cancel the shutdown, if the slave has not been told yet.",
        )],
        how: How::Verb("graceful"),
    },
    remark(
        "/api/v1/problems/{problem}/claim",
        RemarkKind::Claim,
        &[PERSON, UNTIL, TEXT],
        "Say that you see to a problem, for a day if no end is given.",
    ),
    remark(
        "/api/v1/problems/{problem}/release",
        RemarkKind::Release,
        &[PERSON, TEXT],
        "Say that you do not see to a problem any more.",
    ),
    remark(
        "/api/v1/problems/{problem}/mute",
        RemarkKind::Mute,
        &[PERSON, UNTIL, TEXT],
        "Hear nothing of a problem, until a time or until it ends.",
    ),
    remark(
        "/api/v1/problems/{problem}/unmute",
        RemarkKind::Unmute,
        &[PERSON, TEXT],
        "Hear of a muted problem again.",
    ),
    remark(
        "/api/v1/problems/{problem}/mute_all",
        RemarkKind::MuteAll,
        &[UNTIL, TEXT],
        "Tell nobody of a problem, until a time or until it ends.",
    ),
    remark(
        "/api/v1/problems/{problem}/unmute_all",
        RemarkKind::UnmuteAll,
        &[TEXT],
        "Tell people of a problem again.",
    ),
    remark(
        "/api/v1/problems/{problem}/dismiss",
        RemarkKind::Dismiss,
        &[TEXT],
        "Say why a problem need not be mended. It is dismissed until it ends.",
    ),
    remark(
        "/api/v1/problems/{problem}/reopen",
        RemarkKind::Reopen,
        &[TEXT],
        "Take up a dismissed problem again.",
    ),
    remark(
        "/api/v1/problems/{problem}/guilty",
        RemarkKind::Guilty,
        &[PERSON, TEXT],
        "Say who is guilty of a problem.",
    ),
    remark(
        "/api/v1/problems/{problem}/not_guilty",
        RemarkKind::NotGuilty,
        &[PERSON, TEXT],
        "Say who is not guilty of a problem.",
    ),
    remark(
        "/api/v1/problems/{problem}/not_mine",
        RemarkKind::NotMine,
        &[PERSON, TEXT],
        "Say that a problem is not yours: you are suspected no more.",
    ),
    remark(
        "/api/v1/problems/{problem}/note",
        RemarkKind::Note,
        &[TEXT],
        "Write a note on a problem.",
    ),
    remark(
        "/api/v1/problems/{problem}/ticket",
        RemarkKind::Ticket,
        &[TEXT],
        "Link a problem to a ticket at the address `text`; without one, remove the link.",
    ),
    Act {
        path: "/api/v1/changes",
        about: "Add a change.",
        fields: &[
            text("who", "The author."),
            text("comments", "The commit message."),
            text("revision", "The revision."),
            text("branch", "The branch; the default branch if absent."),
            text("project", "The project."),
            text("repository", "The repository."),
            text("codebase", "The codebase."),
            text("category", "The category."),
            text("revlink", "A link to the revision."),
            text("src", "The kind of version control, such as git."),
            Field {
                name: "files",
                kind: FieldKind::Texts,
                about: "Files that the change touches.",
            },
            Field {
                name: "properties",
                kind: FieldKind::Values,
                about: "Properties.",
            },
        ],
        how: How::Change,
    },
    Act {
        path: "/api/v1/master/stop",
        about: "Stop the master when the running builds have ended.",
        fields: &[],
        how: How::Verb("clean-shutdown"),
    },
    Act {
        path: "/api/v1/master/cancel_stop",
        about: "Cancel a stop of the master that waits for builds.",
        fields: &[],
        how: How::Verb("cancel-shutdown"),
    },
    Act {
        path: "/api/v1/master/reconfigure",
        about: "Read the configuration file again and put it in force.",
        fields: &[flag("dry_run", "Only say what would change.")],
        how: How::Verb("reconfigure"),
    },
];

impl Act {
    /// The request of this act, with the parts of the path and the fields that were sent.
    ///
    /// # Errors
    /// A field is wrong.
    pub(in crate::web) fn request(
        &self,
        args: &Args,
        mut fields: Map<String, Value>,
        caller: &str,
    ) -> Result<Request, Problem> {
        let wrong =
            |error: serde_json::Error| Problem::bad(format!("The request is wrong: {error}."));
        let command = match self.how {
            How::Verb(verb) => {
                for part in self.parts() {
                    let text = args.part(part);
                    let value = match (part, text.parse::<u64>()) {
                        ("build" | "request", Ok(number)) => json!(number),
                        _ => json!(text),
                    };
                    let name = if part == "build" { "number" } else { part };
                    fields.insert(name.to_owned(), value);
                }
                if matches!(verb, "pause" | "pause-builder") {
                    fields.insert("by".to_owned(), json!(caller));
                }
                fields.insert("command".to_owned(), json!(verb));
                Value::Object(fields)
            }
            How::Change => {
                let change = change(fields);
                json!({ "command": "submit-change", "change": change })
            }
            How::Remark(kind) => {
                fields.insert(
                    "problem".to_owned(),
                    json!(args.part("problem").parse::<u64>().ok()),
                );
                fields.insert("kind".to_owned(), json!(kind));
                if let Some(until) = fields.remove("until") {
                    fields.insert("until".to_owned(), json!(time(&until)?));
                }
                json!({ "command": "problem", "act": fields })
            }
            How::Form => return Err(Problem::bad("A form is not a request.".to_owned())),
        };
        serde_json::from_value(command).map_err(wrong)
    }

    /// What has come of it, as the master says.
    pub(in crate::web) fn accepted(&self, answer: Value) -> Accepted {
        let of = |name: &str| answer.get(name).and_then(Value::as_u64);
        match self.how {
            How::Change => {
                let change = answer.as_u64();
                Accepted {
                    address: change.map(|number| format!("/api/v1/changes/{number}")),
                    change,
                    ..Accepted::default()
                }
            }
            How::Form | How::Verb("rebuild") => Accepted {
                address: of("request").map(|number| format!("/api/v1/requests/{number}")),
                request: of("request"),
                set: of("set"),
                ..Accepted::default()
            },
            How::Verb(_) | How::Remark(_) => Accepted {
                answer,
                ..Accepted::default()
            },
        }
    }

    /// Checks that the act has these fields.
    ///
    /// # Errors
    /// It has not.
    pub(in crate::web) fn check(&self, fields: &Map<String, Value>) -> Result<(), Problem> {
        if self.how == How::Form {
            return Ok(());
        }
        let known = || self.fields.iter().map(|field| field.name);
        let is_known = |name: &str| known().any(|known| known == name);
        match fields.keys().find(|name| !is_known(name)) {
            Some(name) => Err(Problem::unknown_argument(name, nearest(name, known()))),
            None => Ok(()),
        }
    }

    /// The names of the variable parts of its address.
    pub(in crate::web) fn parts(&self) -> impl Iterator<Item = &'static str> {
        let parts = self.path.split('/');
        parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// The time that a field names.
fn time(field: &Value) -> Result<Timestamp, Problem> {
    let text = field.as_str().unwrap_or_default();
    let parsed = chrono::DateTime::parse_from_rfc3339(text).ok();
    let parsed = parsed.ok_or_else(|| {
        let detail = "A time is written as 2026-11-26T14:32:00Z.".to_owned();
        Problem::value("until", detail, None)
    })?;
    Ok(Timestamp(parsed.timestamp_micros()))
}

/// A change as the control socket takes it: properties have their source.
fn change(mut fields: Map<String, Value>) -> Value {
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        for value in properties.values_mut() {
            *value = json!({ "value": value.take(), "source": "Change" });
        }
    }
    Value::Object(fields)
}
