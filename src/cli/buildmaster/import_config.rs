//! `buildmaster import-config`: carries the configuration of a Buildbot master over.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::base_dir::private_dir;
use super::{complain, say, write_out};
use crate::daemon::machine_zone;
use crate::import::{HEAD, Import, Request, SCRIPT, import};

/// How many mistakes of a farm are printed; the report has all.
const MOST_FAULTS: usize = 20;

/// Carry the configuration of a Buildbot master over
///
/// Print the script with --print-script and run it with the Python of the old master. Give its
/// output to import-config, which writes master.toml, slaves.toml, answers.toml, import-report.md
/// and secrets/. Answer the questions in answers.toml and run import-config again with --force.
///
/// Exit code: 0 if everything is carried over, 1 if questions are open or this version lacks
/// something, 2 if nothing was written, 3 if checkconfig refuses the result.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ImportConfig {
    /// Print the Python script that writes the dump of a farm
    #[arg(long, conflicts_with_all = ["file", "out", "force", "json"])]
    print_script: bool,
    /// The dump that the script has written
    #[arg(value_name = "FILE", required_unless_present = "print_script")]
    file: Option<PathBuf>,
    /// Directory for the configuration: the base directory of the new master
    #[arg(long, value_name = "DIR", required_unless_present = "print_script")]
    out: Option<PathBuf>,
    /// Replace what an earlier import has written, and use the answers
    #[arg(long, short)]
    force: bool,
    /// Write each factory as it was, without arguments
    #[arg(long)]
    flat: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl ImportConfig {
    /// Reads the dump and writes the directory.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let (Some(file), Some(out)) = (&self.file, &self.out) else {
            return write_out(|to| to.write_all(SCRIPT.as_bytes())).map(|()| ExitCode::SUCCESS);
        };
        let done = match self.import(file, out) {
            Ok(done) => done,
            Err(error) => {
                complain(&format!("buildmaster: error: {error:#}"));
                return Ok(ExitCode::from(2));
            }
        };
        if self.json {
            say(&done.json.to_string());
        } else {
            say(&done.sentence);
            for fault in done.faults.iter().take(MOST_FAULTS) {
                complain(&format!("buildmaster: error: {fault}"));
            }
            if let Some(more) = done
                .faults
                .len()
                .checked_sub(MOST_FAULTS)
                .filter(|n| *n > 0)
            {
                complain(&format!("buildmaster: error: {more} more: see the report"));
            }
            say(&format!("See {}.", out.join("import-report.md").display()));
        }
        Ok(match (done.faults.is_empty(), done.is_partial) {
            (false, _) => ExitCode::from(3),
            (true, true) => ExitCode::from(1),
            (true, false) => ExitCode::SUCCESS,
        })
    }

    fn import(&self, file: &Path, out: &Path) -> anyhow::Result<Import> {
        let dump =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let config = out.join("master.toml");
        if config.exists() && !self.force {
            bail!(
                "{} is already there: give another directory, or --force to replace what an \
                 earlier import has written",
                config.display()
            );
        }
        let answers = out.join("answers.toml");
        let answers = answers.exists().then(|| fs::read_to_string(&answers));
        let answers = answers.transpose().context("cannot read answers.toml")?;
        let done = import(&Request {
            dump: &dump,
            file: &file.display().to_string(),
            answers: answers.as_deref(),
            dir: &out.display().to_string(),
            flat: self.flat,
            zone: &machine_zone(),
        })
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("cannot import {}", file.display()))?;
        write(out, &done)?;
        Ok(done)
    }
}

/// Writes the directory. Nothing is replaced that an import has not written.
fn write(out: &Path, done: &Import) -> anyhow::Result<()> {
    let report = [("import-report.md".to_owned(), &done.report)];
    let files = done.files.iter().map(|(name, text)| (name.clone(), text));
    let files: Vec<(String, &String)> = files.chain(report).collect();
    for (name, _) in &files {
        let path = out.join(name);
        let is_ours = |text: String| text.lines().next().is_some_and(|line| line.contains(HEAD));
        if path.exists() && !fs::read_to_string(&path).is_ok_and(is_ours) {
            bail!(
                "{} was not written by an import: move it away, or give another directory",
                path.display()
            );
        }
    }
    private_dir(out)?;
    let secrets = out.join("secrets");
    private_dir(&secrets)?;
    for (name, text) in files {
        write_file(&out.join(name), text)?;
    }
    write_file(&out.join("answers.toml"), &done.answers)?;
    for (name, text) in &done.secrets {
        write_file(&secrets.join(name), text)?;
    }
    for name in &done.made_up {
        let path = secrets.join(name);
        if !path.exists() {
            write_file(&path, &format!("{:032x}", rand::random::<u128>()))?;
        }
    }
    Ok(())
}

/// Writes a file that only its owner may read.
fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(text.as_bytes())
        });
    written.with_context(|| format!("cannot write {}", path.display()))
}
