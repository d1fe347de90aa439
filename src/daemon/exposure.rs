//! Finds files of a master whose permissions give other users of this machine too much access.
//!
//! A user who can replace a file that the master reads can make the master run commands. A user who
//! can read a password can log in. The master only warns about such files, at a start and in
//! `checkconfig`, because an operator may have reasons for the permissions.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::process::geteuid;

use super::jobdirs;
use crate::config::{Config, Secret};

/// Checks the files of a master with the configuration `config` and the current directory as its
/// base directory. Returns a sentence for each finding, with the remedy.
#[must_use]
pub fn exposed(config: &Config) -> Vec<String> {
    exposed_in(Path::new("."), config)
}

pub(super) fn exposed_in(basedir: &Path, config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let base = fs::canonicalize(basedir).unwrap_or_else(|_| basedir.to_owned());
    if let Ok(meta) = base.metadata() {
        found.extend(directory("the base directory", &base, &meta));
        found.extend(above(&base));
        let files = PARTS.iter().map(|name| base.join(name));
        found.extend(files.filter_map(|path| part(&path, &meta)));
    }
    for (scheduler, path) in jobdirs::paths(config) {
        let path = basedir.join(path);
        if let Ok(meta) = path.metadata() {
            let what = format!("the job directory of scheduler \"{scheduler}\",");
            found.extend(directory(&what, &path, &meta));
        }
    }
    let files: BTreeSet<_> = config.secrets().filter_map(file).collect();
    found.extend(
        files
            .iter()
            .filter_map(|path| password(&basedir.join(path))),
    );
    found
}

/// A finding if other users can replace files in a directory.
fn directory(what: &str, path: &Path, meta: &Metadata) -> Option<String> {
    let shown = path.display();
    if let Some((who, bits)) = writers(meta) {
        return Some(format!(
            "{what} {shown} can be written by {who}, who can replace files in it: run `chmod {bits} {shown}`"
        ));
    }
    let owner = meta.uid();
    (![0, geteuid().as_raw()].contains(&owner)).then(|| {
        format!(
            "{what} {shown} belongs to another user (uid {owner}), who can replace files in it: `chown` it to the \
             user of the master"
        )
    })
}

/// A finding if everybody can replace a directory above the base directory.
fn above(base: &Path) -> Option<String> {
    let open = base.ancestors().skip(1).find(|dir| {
        dir.metadata()
            .is_ok_and(|meta| meta.mode() & OTHERS_WRITE != 0 && meta.mode() & STICKY == 0)
    })?;
    let open = open.display();
    Some(format!(
        "{open}, which contains the base directory, can be written by everybody on this machine: run `chmod o-w {open}`"
    ))
}

/// A finding if other users can write to a file or directory in the base directory. A group does
/// not count if it has no access to the base directory.
fn part(path: &Path, base: &Metadata) -> Option<String> {
    let meta = path.metadata().ok()?;
    let (who, bits) = writers(&meta)?;
    let is_kept_out = meta.mode() & OTHERS_WRITE == 0 && base.mode() & GROUP_SEARCH == 0;
    (!is_kept_out).then(|| {
        let path = path.display();
        format!("{path} can be written by {who}, who can act as the master's user: run `chmod {bits} {path}`")
    })
}

fn file(secret: &Secret) -> Option<&Path> {
    match secret {
        Secret::File(path) => Some(path),
        Secret::Inline(_) | Secret::Env(_) => None,
    }
}

/// A finding if other users can read or write a password file.
fn password(path: &Path) -> Option<String> {
    let meta = path.metadata().ok()?;
    let (all, group) = reached_by(path).ok()?;
    let mode = meta.permissions().mode();
    // A file of root that the master's group can read is intended.
    let is_own = meta.uid() == geteuid().as_raw();
    let who = if all && mode & 0o006 != 0 {
        "everybody on this machine"
    } else if group && (mode & 0o020 != 0 || is_own && mode & 0o040 != 0) {
        "its group"
    } else {
        return None;
    };
    let can = if mode & 0o022 != 0 { "written" } else { "read" };
    let path = path.display();
    Some(format!(
        "the password file {path} can be {can} by {who}: run `chmod 600 {path}`"
    ))
}

/// Whether everybody, and whether groups, can traverse all directories above a file.
fn reached_by(path: &Path) -> io::Result<(bool, bool)> {
    let path = fs::canonicalize(path)?;
    let (mut all, mut group) = (true, true);
    for dir in path.ancestors().skip(1) {
        let mode = dir.metadata()?.mode();
        all &= mode & OTHERS_SEARCH != 0;
        group &= mode & (OTHERS_SEARCH | GROUP_SEARCH) != 0;
    }
    Ok((all, group))
}

/// The users besides the owner that can write to a file, and the `chmod` mode that prevents it.
fn writers(meta: &Metadata) -> Option<(&'static str, &'static str)> {
    match (meta.mode() & OTHERS_WRITE, meta.mode() & GROUP_WRITE) {
        (0, 0) => None,
        (0, _) => Some(("its group", "g-w")),
        (_, 0) => Some(("everybody on this machine", "o-w")),
        (_, _) => Some(("everybody on this machine", "go-w")),
    }
}

/// Files in a base directory that determine what the master does.
const PARTS: [&str; 5] = [
    "master.toml",
    "secrets",
    "state.sqlite",
    "state.sqlite-wal",
    "builders",
];

const GROUP_WRITE: u32 = 0o020;
const GROUP_SEARCH: u32 = 0o010;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_SEARCH: u32 = 0o001;
const STICKY: u32 = 0o1000;

/// Whether `file` is the configuration of a base directory, and not a separate file to be checked.
#[must_use]
pub(super) fn is_in_base_directory(file: &Path) -> bool {
    file.file_name() == Some(OsStr::new("master.toml"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::fs::Permissions;

    use super::*;
    use crate::config;
    use crate::model::Zone;

    const CONFIG: &str = r#"
        slave_port = 9989
        factories.f.steps = []
        slaves = [{ name = "bot", password_file = "secrets/bot" }]
        builders = [{ name = "b", slaves = ["bot"], factory = "f" }]
        schedulers = [{ type = "Try_Jobdir", name = "try", jobdir = "jobs", builders = ["b"] }]
    "#;

    /// A private base directory, with the modes of some things in it changed.
    fn check(modes: &[(&str, u32)]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("ci");
        for name in ["", "secrets", "builders", "jobs"] {
            fs::create_dir(base.join(name)).unwrap();
        }
        for name in ["master.toml", "secrets/bot", "state.sqlite"] {
            fs::write(base.join(name), "x").unwrap();
        }
        let private = ["", "secrets", "secrets/bot", "master.toml", "state.sqlite"];
        let private = private.map(|name| (name, 0o700));
        for (name, mode) in private
            .iter()
            .chain(&[("builders", 0o755), ("jobs", 0o2750)])
            .chain(modes)
        {
            let path = match *name {
                ".." => dir.path().to_owned(),
                name => base.join(name),
            };
            fs::set_permissions(path, Permissions::from_mode(*mode)).unwrap();
        }
        let (config, _) = config::parse(CONFIG, "c", &Ok(Zone::UTC))
            .unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        let real = dir.path().canonicalize().unwrap();
        let shown = |text: String| text.replace(&format!("{}/", real.display()), "");
        exposed_in(&base, &config).into_iter().map(shown).collect()
    }

    #[test]
    fn a_private_base_directory_is_fine() {
        assert_eq!(check(&[]), [""; 0]);
        // Its group is kept out of all that is in it.
        assert_eq!(
            check(&[("master.toml", 0o664), ("secrets/bot", 0o644)]),
            [""; 0]
        );
    }

    #[test]
    fn what_others_can_write_is_told_with_the_remedy() {
        assert_eq!(
            check(&[("", 0o770), ("master.toml", 0o664)]),
            [
                "the base directory ci can be written by its group, who can replace files in it: run `chmod g-w ci`",
                "ci/master.toml can be written by its group, who can act as the master's user: run `chmod g-w ci/master.toml`",
            ]
        );
        for part in ["master.toml", "secrets", "state.sqlite", "builders"] {
            let found = check(&[(part, 0o722)]);
            assert_eq!(found.len(), 1, "{found:?}");
            let who = format!("ci/{part} can be written by everybody on this machine");
            assert!(
                found.iter().all(|found| found.starts_with(&who)),
                "{found:?}"
            );
        }
        let found = check(&[("..", 0o777)]);
        assert!(
            found
                .iter()
                .any(|found| found.contains("which contains the base directory"))
        );
        assert_eq!(check(&[("..", 0o1777)]), [""; 0]);
    }

    #[test]
    fn a_job_directory_that_others_can_write_is_told() {
        for mode in [0o2770, 0o757] {
            let found = check(&[("jobs", mode)]);
            assert_eq!(found.len(), 1, "{found:?}");
            let what = "the job directory of scheduler \"try\", ci/jobs can be written by ";
            assert!(
                found.iter().all(|found| found.starts_with(what)),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_password_that_others_can_read_is_told() {
        let open = [("", 0o755), ("secrets", 0o755), ("..", 0o755)];
        let found = |mode| check(&[&open[..], &[("secrets/bot", mode)]].concat());
        assert_eq!(
            found(0o644),
            [
                "the password file ci/secrets/bot can be read by everybody on this machine: run `chmod 600 ci/secrets/bot`"
            ]
        );
        assert_eq!(
            found(0o640),
            [
                "the password file ci/secrets/bot can be read by its group: run `chmod 600 ci/secrets/bot`"
            ]
        );
        assert_eq!(found(0o600), [""; 0]);
    }
}
