//! `buildbot hook install`: writes the settings of a hook, and the lines that call it (HKN-01).

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::place::{Place, no_hook};
use super::settings::Settings;
use super::spool::Spool;
use crate::client::Failed;
use crate::client::vc::run::{MAX_ANSWER_BYTES, Runner};
use crate::platform;
use crate::vc::Vc;

/// What the plugin of Bazaar looks like; it is for all branches of its user that have a spool.
const PLUGIN: &str = r#""""Tells a build master what was pushed. Written by `buildbot hook install bzr`."""

import os
import subprocess

try:
    from breezy import branch, urlutils
except ImportError:
    from bzrlib import branch, urlutils


def tell(params):
    try:
        path = urlutils.local_path_from_url(params.branch.user_url)
    except Exception:
        return
    if os.path.isdir(os.path.join(path, ".bzr", "buildbot-spool")):
        numbers = [str(params.old_revno), str(params.new_revno)]
        subprocess.call([PROGRAM, "buildbot", "hook", "bzr", path] + numbers)


branch.Branch.hooks.install_named_hook("post_change_branch_tip", tell, "buildbot")
"#;

/// What to do when CVS fails.
const REMEDY: &str = "the hook is not installed";

/// Installs the hook of a repository: `program` is called there. Answers with what was written.
///
/// # Errors
/// A file cannot be written, or there is a hook already.
pub async fn install(
    place: &Place,
    settings: &Settings,
    program: &Path,
) -> Result<Vec<String>, Failed> {
    settings.address()?;
    let spool = Spool::open(place).map_err(|error| failed(&place.spool(), &error))?;
    let program = quoted(program)?;
    let inner = place.inner();
    let written = match place.vc {
        Vc::Git => {
            let file = inner.join("hooks/post-receive");
            script(&file, &format!("exec {program} buildbot hook git\n"))?
        }
        Vc::Svn => {
            let file = inner.join("hooks/post-commit");
            script(
                &file,
                &format!("exec {program} buildbot hook svn \"$1\" \"$2\"\n"),
            )?
        }
        Vc::Hg => {
            let lines = format!("[hooks]\nchangegroup.buildbot = {program} buildbot hook hg\n");
            append(&inner.join("hgrc"), &lines)?
        }
        Vc::Darcs => {
            let lines =
                format!("apply posthook {program} buildbot hook darcs\napply run-posthook\n");
            append(&inner.join("prefs/defaults"), &lines)?
        }
        Vc::Bzr => plugin(&program)?,
        Vc::Cvs => loginfo(place, &program).await?,
        Vc::Mtn | Vc::P4 => return Err(no_hook(place.vc)),
    };
    let file = place.settings_file();
    let text = toml::to_string(settings).map_err(|error| failed(&file, &error))?;
    let mode = fs::metadata(inner).map_err(|error| failed(inner, &error))?;
    let draft = file.with_extension("new");
    fs::write(&draft, text)
        .and_then(|()| platform::set_mode_at(&draft, platform::mode(&mode) & 0o660 | 0o600))
        .and_then(|()| fs::rename(&draft, &file))
        .map_err(|error| failed(&file, &error))?;
    drop(spool);
    Ok(vec![format!("wrote {}", file.display()), written])
}

/// A path for a shell; those that need quotes are not taken, because not all who read it know them.
fn quoted(program: &Path) -> Result<String, Failed> {
    let text = program.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "-_=./:@+,".contains(c);
    match text.chars().all(is_plain) {
        true => Ok(text),
        false => Err(Failed::Usage(format!(
            "{text}: hooks cannot call a program with such a path; copy it elsewhere"
        ))),
    }
}

/// Writes a script. An existing one stays.
fn script(file: &Path, line: &str) -> Result<String, Failed> {
    let shown = file.display();
    match fs::read_to_string(file) {
        Ok(text) if text.contains(line) => return Ok(format!("{shown} calls it already")),
        Ok(_) => {
            return Err(Failed::NotDone(format!(
                "{shown} exists; add this line to it, where nothing has read the standard input yet: {}",
                line.trim_end()
            )));
        }
        Err(_) => {}
    }
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
    }
    let written = fs::write(file, format!("#!/bin/sh\n{line}"));
    written
        .and_then(|()| platform::set_mode_at(file, 0o755))
        .map_err(|error| failed(file, &error))?;
    Ok(format!("wrote {shown}"))
}

/// Adds lines to a file that does not have them.
fn append(file: &Path, lines: &str) -> Result<String, Failed> {
    let shown = file.display();
    if fs::read_to_string(file).is_ok_and(|text| text.contains(lines)) {
        return Ok(format!("{shown} calls it already"));
    }
    let opened = OpenOptions::new().create(true).append(true).open(file);
    opened
        .and_then(|mut file| file.write_all(lines.as_bytes()))
        .map_err(|error| failed(file, &error))?;
    Ok(format!("added two lines to {shown}"))
}

/// Writes the plugin of Bazaar for the user who runs this.
fn plugin(program: &str) -> Result<String, Failed> {
    let home = std::env::var_os("BRZ_HOME").or_else(|| std::env::var_os("HOME"));
    let home = home.map(PathBuf::from).unwrap_or_default();
    let old = home.join(".bazaar");
    let dir = match old.is_dir() {
        true => old,
        false => home.join(".config/breezy"),
    };
    let dir = dir.join("plugins");
    fs::create_dir_all(&dir).map_err(|error| failed(&dir, &error))?;
    let file = dir.join("buildbot_hook.py");
    let text = PLUGIN.replace("PROGRAM", &format!("{program:?}"));
    fs::write(&file, text).map_err(|error| failed(&file, &error))?;
    Ok(format!("wrote {}", file.display()))
}

/// Adds a line to `loginfo`, which is under version control itself.
async fn loginfo(place: &Place, program: &str) -> Result<String, Failed> {
    let dir = tempfile::tempdir().map_err(|error| Failed::NotDone(error.to_string()))?;
    let root = place.dir.display().to_string();
    let run = Runner::new(dir.path(), &["cvs"]);
    let checkout = ["-Q", "-d", &root, "checkout", "CVSROOT"];
    run.output(&checkout, MAX_ANSWER_BYTES, REMEDY).await?;
    let file = dir.path().join("CVSROOT/loginfo");
    let config = fs::read_to_string(dir.path().join("CVSROOT/config")).unwrap_or_default();
    let has_new_formats = config
        .lines()
        .any(|line| line.trim() == "UseNewInfoFmtStrings=yes");
    let line = match has_new_formats {
        true => format!("ALL {program} buildbot hook cvs %p %{{sVv}}\n"),
        false => format!("ALL {program} buildbot hook cvs %{{sVv}}\n"),
    };
    append(&file, &line)?;
    let message = "Tell the build master of commits";
    let commit = ["-Q", "-d", &root, "commit", "-m", message, "CVSROOT"];
    run.output(&commit, MAX_ANSWER_BYTES, REMEDY).await?;
    Ok("added a line to CVSROOT/loginfo".to_owned())
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failed {
    Failed::NotDone(format!("cannot write {}: {error}", path.display()))
}
