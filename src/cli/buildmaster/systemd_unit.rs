//! `buildmaster systemd-unit`: prints a unit that starts a master at boot.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;

use super::base_dir::BaseDir;
use super::say;

/// The example unit, with placeholders for the program, the base directory and the user.
const UNIT: &str = include_str!("../../../examples/buildmaster.service");

/// The placeholders in the example unit.
const PROGRAM: &str = "/usr/local/bin/buildmaster";
const BASE_DIR: &str = "/srv/ci";
const USER: &str = "User=buildmaster";

/// Print a systemd unit that starts the master at boot.
#[derive(Clone, Debug, Args)]
pub(super) struct SystemdUnit {
    /// User that runs the master [default: the owner of the base directory].
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    dir: BaseDir,
}

impl SystemdUnit {
    /// Prints the unit for this program and the given base directory.
    ///
    /// # Errors
    /// The base directory does not exist, or a path cannot be written in a unit.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let dir = self.dir.path();
        let dir = std::path::absolute(dir)
            .and_then(|dir| dir.canonicalize())
            .with_context(|| format!("the base directory {} does not exist", dir.display()))?;
        let owner = std::fs::metadata(&dir).map(|meta| meta.uid())?;
        let user = self.user.clone().unwrap_or_else(|| user_name(owner));
        let program =
            std::env::current_exe().context("cannot determine the path of this program")?;
        say(unit(&program, &dir, &user)?.trim_end());
        Ok(())
    }
}

/// The name of a user, or the number if the user has no name.
fn user_name(uid: u32) -> String {
    let user = uzers::get_user_by_uid(uid);
    let name = user.map(|user| user.name().to_string_lossy().into_owned());
    name.unwrap_or_else(|| uid.to_string())
}

/// The example unit with these paths and this user.
fn unit(program: &Path, dir: &Path, user: &str) -> anyhow::Result<String> {
    let description = format!("Build master in {}", text(dir)?.replace('%', "%%"));
    Ok(UNIT
        .replace(&format!("Build master in {BASE_DIR}"), &description)
        .replace(PROGRAM, &quoted(program)?)
        .replace(BASE_DIR, &quoted(dir)?)
        .replace(USER, &format!("User={user}")))
}

/// A word of a command in a unit (systemd.syntax, "Quoting").
fn quoted(path: &Path) -> anyhow::Result<String> {
    let word = text(path)?.replace('%', "%%").replace('$', "$$");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,%$".contains(c);
    if word.chars().all(is_plain) {
        return Ok(word);
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{escaped}\""))
}

fn text(path: &Path) -> anyhow::Result<&str> {
    match std::str::from_utf8(path.as_os_str().as_bytes()) {
        Ok(text) if !text.contains(char::is_control) => Ok(text),
        Ok(_) | Err(_) => {
            bail!(
                "a systemd unit cannot name the path {path:?}; choose a path in UTF-8 without control characters"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn the_unit_names_the_program_the_directory_and_the_user() {
        let text = unit(
            Path::new("/opt/bm/buildmaster"),
            Path::new("/home/ci"),
            "ci",
        )
        .unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for line in [
            "Description=Build master in /home/ci",
            "User=ci",
            "ExecStart=/opt/bm/buildmaster start --nodaemon /home/ci",
            "ExecReload=/opt/bm/buildmaster reconfig /home/ci",
        ] {
            assert!(lines.contains(&line), "{line} is missing in {text}");
        }
        for example in [PROGRAM, BASE_DIR, USER] {
            assert!(
                !text.contains(&format!("={example}")),
                "{example} in {text}"
            );
        }
    }

    #[test]
    fn paths_are_quoted_as_systemd_reads_them() {
        for (path, word) in [
            ("/srv/ci", "/srv/ci"),
            ("/srv/my ci", "\"/srv/my ci\""),
            ("/srv/100%", "/srv/100%%"),
            ("/srv/$HOME", "/srv/$$HOME"),
            ("/srv/a\"b\\c", "\"/srv/a\\\"b\\\\c\""),
        ] {
            assert_eq!(quoted(Path::new(path)).unwrap(), word);
        }
        let error = quoted(Path::new("/srv/a\nb")).unwrap_err().to_string();
        assert!(
            error.contains("choose a path in UTF-8 without control characters"),
            "{error}"
        );
        let error = quoted(Path::new(OsStr::from_bytes(b"/srv/\xff"))).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("choose a path in UTF-8 without control characters")
        );
    }
}
