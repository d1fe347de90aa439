//! Properties and passwords, which several kinds of tables have.

use std::path::PathBuf;

use super::checked::{ChangeSourceConfig, Config, InstanceKind, Secret, SlaveKind};
use super::needs::Needed;
use super::reader::{Table, Value};
use super::scheduling::SchedulerKind;
use crate::model::Properties;

impl Config {
    /// All passwords of slaves, change sources and users.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let slaves = self.slaves.iter().filter_map(|slave| match &slave.kind {
            SlaveKind::Remote { password } => Some(password),
            SlaveKind::Latent(latent) => match &latent.kind {
                InstanceKind::Command { password, .. } | InstanceKind::Docker { password, .. } => {
                    Some(password)
                }
                InstanceKind::Process => None,
            },
            SlaveKind::Local => None,
        });
        let sources = self.change_sources.iter();
        let sources = sources.map(|ChangeSourceConfig::Pb { password, .. }| password);
        let users = self.schedulers.iter().flat_map(|s| match &s.kind {
            SchedulerKind::TryUserpass(config) => config.users.as_slice(),
            SchedulerKind::Scheduler { .. }
            | SchedulerKind::AnyBranch { .. }
            | SchedulerKind::Dependent { .. }
            | SchedulerKind::Periodic { .. }
            | SchedulerKind::Nightly(_)
            | SchedulerKind::Triggerable
            | SchedulerKind::TryJobdir(_) => &[],
        });
        slaves
            .chain(sources)
            .chain(users.map(|(_, password)| password))
    }
}

impl Value<'_> {
    /// A table of properties, which get `source` (PRP-02, PRP-03).
    pub(super) fn properties(&self, source: &str) -> Properties {
        let mut properties = Properties::new();
        for (name, value) in self.entries() {
            if !Properties::is_valid_name(name) {
                let message = format!("`{name}` is no name of a property");
                let help = "letters, digits and `_ . - / ~ :`";
                self.sink.error(value.key_span.clone(), message, help);
            }
            if let Some(value) = value.json() {
                properties.set(name, value, source);
            }
        }
        properties
    }
}

impl Table<'_> {
    /// The properties under the key `properties`.
    pub(super) fn properties(&mut self, source: &str) -> Properties {
        let value = self.take("properties");
        value.map(|v| v.properties(source)).unwrap_or_default()
    }

    /// The password in one of its three forms; one that `may_be_hash` is not needed as it is.
    pub(super) fn password(&mut self, may_be_hash: bool) -> Option<Secret> {
        let forms = FORMS.map(|key| self.take(key));
        let given: Vec<&Value<'_>> = forms.iter().flatten().collect();
        match given.as_slice() {
            [] if FORMS.iter().any(|key| self.has_misspelt(key)) => {}
            [] => {
                let message = format!("{} has no password", self.label);
                let help = "add `password = \"…\"`, `password_file = \"FILE\"` or \
                            `password_env = \"VARIABLE\"`";
                self.sink.missing(self.span.clone(), message, help);
            }
            [_] => {}
            [first, second, ..] => self.sink.clash(
                (second.key_span.clone(), first.key_span.clone()),
                format!("{} has two passwords", self.label),
                "here is the other",
                "keep one of the two",
            ),
        }
        let [inline, file, env] = &forms;
        let inline = inline.as_ref().and_then(|v| filled(v)).map(Secret::Inline);
        let file = file.as_ref().and_then(|v| filled(v));
        let env = env.as_ref().and_then(|v| filled(v));
        let secret = inline
            .or_else(|| file.map(|f| Secret::File(PathBuf::from(f))))
            .or_else(|| env.map(Secret::Env))?;
        if let Some(value) = given.first() {
            value.needs(Needed::Password {
                secret: secret.clone(),
                may_be_hash,
            });
        }
        Some(secret)
    }
}

fn filled(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if text.is_empty() {
        value.error("is empty", "give it a text");
        return None;
    }
    Some(text.to_owned())
}

/// Keys of a password.
const FORMS: [&str; 3] = ["password", "password_file", "password_env"];
