//! `buildmaster hash-password`: the hash of a password, for `userpass` (TUP-02).

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Context, bail};
use clap::Args;

use super::say;
use crate::client::ask_password;
use crate::pb::hashed::Recipe;

/// Maximum length of a password, in bytes.
const MAX_PASSWORD_BYTES: usize = 4096;

/// Print the hash of a password for a try user
///
/// On a terminal, hash-password asks for the password twice. Otherwise it reads one line of
/// standard input.
#[derive(Clone, Debug, Args)]
pub(super) struct HashPassword;

impl HashPassword {
    /// Asks for the password, or reads it, and prints its hash.
    #[expect(clippy::unused_self, reason = "as all verbs have it")]
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let password = password()?;
        say(Recipe::new(rand::random()).hash(&password).text());
        Ok(())
    }
}

/// Asks for a password on a terminal; otherwise reads a line of standard input.
pub(super) fn password() -> anyhow::Result<Vec<u8>> {
    let password = match io::stdin().is_terminal() {
        true => ask()?,
        false => read()?,
    };
    if password.is_empty() {
        bail!("the password is empty");
    }
    Ok(password)
}

fn ask() -> anyhow::Result<Vec<u8>> {
    let prompt = |prompt| -> anyhow::Result<String> {
        let typed = ask_password(prompt).context("cannot read from the terminal")?;
        typed.context(
            "there is no terminal to ask for the password; write the password to standard input",
        )
    };
    let password = prompt("Password: ")?;
    if prompt("Again: ")? != password {
        bail!("the passwords differ");
    }
    Ok(password.into_bytes())
}

fn read() -> anyhow::Result<Vec<u8>> {
    let mut line = Vec::new();
    // With room for the end of the line.
    let limit = u64::try_from(MAX_PASSWORD_BYTES + 2).unwrap_or(u64::MAX);
    let mut input = io::Read::take(io::stdin().lock(), limit);
    input
        .read_until(b'\n', &mut line)
        .context("cannot read standard input")?;
    let end = line.strip_suffix(b"\n").unwrap_or(&line);
    let password = end.strip_suffix(b"\r").unwrap_or(end);
    if password.len() > MAX_PASSWORD_BYTES {
        bail!("the password is longer than {MAX_PASSWORD_BYTES} bytes");
    }
    Ok(password.to_vec())
}
