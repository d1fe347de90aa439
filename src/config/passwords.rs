//! Reading passwords, which several kinds of tables have.

use std::path::PathBuf;

use super::needs::Needed;
use super::reader::{Table, Value};
use super::secret::Secret;

impl Table<'_> {
    /// Takes the password, which must be there.
    pub(super) fn set_password(&mut self, setting: &mut Secret) {
        if let Some(secret) = self.password(false) {
            *setting = secret;
        }
    }

    /// The password in one of its three forms; one that `may_be_hash` is not needed as it is.
    pub(super) fn password(&mut self, may_be_hash: bool) -> Option<Secret> {
        let mut keys = KEYS.iter();
        if !keys.any(|key| self.peek(key).is_some() || self.has_misspelt(key)) {
            let message = format!("{} needs a password", self.label);
            let help = "add `password = \"…\"`, `password_file = \"FILE\"` or \
                        `password_env = \"VARIABLE\"`";
            self.sink.missing(self.span.clone(), message, help);
        }
        self.secret(KEYS, "passwords", may_be_hash)
    }

    /// A secret in one of its three forms, which have these keys, if there is one; `noun` is for
    /// the message about two of them.
    pub(super) fn secret(
        &mut self,
        keys: [&'static str; 3],
        noun: &str,
        may_be_hash: bool,
    ) -> Option<Secret> {
        let forms = keys.map(|key| self.take(key));
        let given: Vec<&Value<'_>> = forms.iter().flatten().collect();
        if let [first, second, ..] = given.as_slice() {
            self.sink.clash(
                (second.key_span.clone(), first.key_span.clone()),
                format!("{} has two {noun}", self.label),
                "here is the other",
                "keep one of the two",
            );
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
        value.error("is empty", "put a value between the quotes");
        return None;
    }
    Some(text.to_owned())
}

/// The keys of a password.
pub(super) const KEYS: [&str; 3] = ["password", "password_file", "password_env"];
