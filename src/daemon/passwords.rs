//! The passwords of a configuration, read from the file, from password files and from the
//! environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::Context;

use crate::config::Secret;
use crate::control::read_password;

/// The owner of a password: its kind and its name, as in a [`crate::config::Difference`], and the
/// user if the owner has several.
type Owner = (&'static str, String, Option<String>);

/// The passwords that have been read.
#[derive(Default)]
pub(super) struct Passwords {
    of: BTreeMap<Owner, Vec<u8>>,
    variables: BTreeSet<String>,
}

impl Passwords {
    /// Reads the password of an owner with one password.
    ///
    /// # Errors
    /// The password cannot be read, or is empty.
    pub(super) fn read(
        &mut self,
        what: &'static str,
        name: &str,
        secret: &Secret,
    ) -> anyhow::Result<Vec<u8>> {
        let password = self.note((what, name.to_owned(), None), secret);
        password.with_context(|| format!("{what} \"{name}\""))
    }

    /// Reads the password of a user of an owner with several users.
    ///
    /// # Errors
    /// The password cannot be read, or is empty.
    pub(super) fn read_of_user(
        &mut self,
        user: &str,
        what: &'static str,
        name: &str,
        secret: &Secret,
    ) -> anyhow::Result<Vec<u8>> {
        let owner = (what, name.to_owned(), Some(user.to_owned()));
        let password = self.note(owner, secret);
        password.with_context(|| format!("user \"{user}\" of {what} \"{name}\""))
    }

    fn note(&mut self, owner: Owner, secret: &Secret) -> anyhow::Result<Vec<u8>> {
        if let Secret::Env(name) = secret {
            self.variables.insert(name.clone());
        }
        let password = read(secret, Path::new("."))?;
        self.of.insert(owner, password.clone());
        Ok(password)
    }

    /// The environment variables that hold passwords.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// The owners whose password differs from `old`: their kind and their name. New owners do not
    /// count.
    pub(super) fn changed_since<'a>(
        &'a self,
        old: &'a Self,
    ) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.of.iter().filter_map(|(owner, password)| {
            let was = old.of.get(owner)?;
            (was != password).then_some((owner.0, owner.1.as_str()))
        })
    }
}

impl fmt::Debug for Passwords {
    /// Prints no passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.of.keys()).finish()
    }
}

/// Reads the password that `secret` describes. Files are relative to `basedir`.
///
/// # Errors
/// The password cannot be read, or is empty.
pub(super) fn read(secret: &Secret, basedir: &Path) -> anyhow::Result<Vec<u8>> {
    read_password(secret, basedir).map_err(anyhow::Error::msg)
}
