//! `buildmaster import-state`: build and change numbers go on where a Buildbot master has stopped
//! (IST-01 to IST-08).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use super::base_dir::Master;
use super::configuration::{Scope, Source, Tell};
use super::{complain, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::known::usual_builddir;
use crate::model::Timestamp;
use crate::platform;
use crate::store::{NextOnes, OldNumbers, old_numbers, raise_numbers};

/// Continue the build and change numbers of a Buildbot master
///
/// Both masters must be stopped. The old master is known to run by its twistd.pid, and since 0.9 by
/// its entry in the database, which it renews each minute; an entry older than 3 minutes is that of
/// a master that was killed. The old base directory is only read. Numbers are only ever raised, so
/// import-state may run twice. History, logs and waiting requests stay where they are.
///
/// For a database other than SQLite, write the numbers into a file: a line per builder, with the
/// name, a tab and the last number, and a line `@changes`, with a tab and the last change. This
/// query lists them for 0.9 and later: select b.name, max(u.number) from builds u join builders b
/// on b.id = u.builderid group by b.name
///
/// Exit code: 0 if all builders are here, 1 if a builder of the old master is not, 2 if nothing was
/// done.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ImportState {
    /// Base directory of the old master
    #[arg(value_name = "OLD-BASEDIR")]
    old: PathBuf,
    /// SQLite file of the old master [default: state.sqlite in its base directory]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// File with the numbers, for other databases
    #[arg(long, value_name = "FILE", conflicts_with = "db")]
    numbers: Option<PathBuf>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    master: Master,
}

impl ImportState {
    /// Raises the numbers and prints them.
    ///
    /// # Errors
    /// Nothing; what goes wrong is told, with exit code 2.
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        self.raise().or_else(|error| {
            complain(&format!("buildmaster: error: {error:#}"));
            Ok(ExitCode::from(2))
        })
    }

    fn raise(&self) -> anyhow::Result<ExitCode> {
        let pid = fs::read_to_string(self.old.join("twistd.pid")).ok();
        let pid = pid.and_then(|pid| pid.trim().parse().ok());
        if let Some(pid) = pid.filter(|pid| platform::exists(*pid)) {
            bail!(
                "the old master in {} runs as process {pid}: stop it with `buildbot stop {}`",
                self.old.display(),
                self.old.display()
            );
        }
        if !self.old.is_dir() {
            bail!("{} is not a directory", self.old.display());
        }
        let source = Source::of(&self.master.basedir);
        let Some(config) = source.load(Scope::File, Tell::Errors)? else {
            bail!("{} has mistakes", source.file.display());
        };
        let mut old = self.old_numbers()?;
        refuse_running(&old)?;
        // Since 0.9 such directories hold what builds have uploaded.
        let directories = match old.is_all {
            true => Vec::new(),
            false => numbers_in_directories(&self.old, &config, &mut old)?,
        };
        let is_named = self.db.is_some() || self.numbers.is_some();
        if !is_named && old == OldNumbers::default() && !self.old.join("buildbot.tac").exists() {
            bail!(
                "{} is not the base directory of a Buildbot master: it has neither buildbot.tac nor \
                 state.sqlite nor builds",
                self.old.display()
            );
        }
        let ours: BTreeSet<&str> = config.builders.iter().map(|b| b.name.as_str()).collect();
        let here = old
            .builds
            .iter()
            .filter(|(name, _)| ours.contains(name.as_str()));
        let wanted = NextOnes {
            builds: here
                .map(|(name, last)| (name.clone(), last.saturating_add(1)))
                .collect(),
            change: old.change.map(|last| last.saturating_add(1)),
        };
        let next = raise_numbers(&self.master.basedir, &wanted, !self.dry_run)?;
        Ok(self.tell(&old, &next, &ours, &directories))
    }

    fn old_numbers(&self) -> anyhow::Result<OldNumbers> {
        if let Some(file) = &self.numbers {
            let text = fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            return numbers_in_file(&text, file);
        }
        let usual = self.old.join("state.sqlite");
        let file = self.db.as_ref().unwrap_or(&usual);
        if self.db.is_none() && !file.exists() {
            return Ok(OldNumbers::default());
        }
        old_numbers(file).with_context(|| {
            format!(
                "{} is not the database of a Buildbot master; give --numbers FILE",
                file.display()
            )
        })
    }

    /// Prints what was done; the exit code.
    fn tell(
        &self,
        old: &OldNumbers,
        next: &NextOnes,
        ours: &BTreeSet<&str>,
        directories: &[String],
    ) -> ExitCode {
        let width = ours.iter().map(|name| name.chars().count()).max();
        let width = width.unwrap_or(0).max("builder".len());
        say(&format!("{:width$}  last there  next here", "builder"));
        for (name, next) in &next.builds {
            let last = old.builds.get(name).copied().unwrap_or_default();
            say(&format!("{name:width$}  {last:>10}  {next:>9}"));
        }
        match (old.change, next.change) {
            (Some(last), Some(next)) => {
                say(&format!(
                    "the last change there is {last}, the next one here gets {next}"
                ));
            }
            _ => say("no changes of the old master are known: change numbers stay as they are"),
        }
        let is_new = |name: &&&str| !old.builds.contains_key(**name);
        let new: Vec<&str> = ours.iter().filter(is_new).copied().collect();
        if !new.is_empty() {
            say(&format!("without builds there: {}", new.join(", ")));
        }
        for (name, count) in &old.waiting {
            say(&format!(
                "{name}: requests that wait there: {count}; they are not carried over. Start the old \
                 master once more and stop it with `buildbot stop --clean` to build them"
            ));
        }
        let is_gone = |name: &&String| !ours.contains(name.as_str());
        let gone = old.builds.keys().filter(is_gone).chain(directories);
        let gone: Vec<&str> = gone.map(String::as_str).collect();
        if self.dry_run {
            say("nothing was changed (--dry-run)");
        }
        if gone.is_empty() {
            return ExitCode::SUCCESS;
        }
        complain(&format!(
            "buildmaster: these builders of the old master are not configured here: {}",
            gone.join(", ")
        ));
        ExitCode::from(1)
    }
}

/// For how long the mark of a running master counts. Masters renew it each minute.
const SIGN_OF_LIFE: Duration = Duration::from_mins(3);

/// How deep below the base directory builders are looked for: their `builddir` may have slashes.
const DEEPEST: usize = 6;

/// Refuses a master that has marked itself as running within the last minutes (IST-01).
fn refuse_running(old: &OldNumbers) -> anyhow::Result<()> {
    let oldest = Clock::system().wall() - SIGN_OF_LIFE;
    let mut running = old.running.iter();
    let running = running.find(|(_, last)| Timestamp::from_secs(**last) > oldest);
    let Some((name, _)) = running else {
        return Ok(());
    };
    bail!(
        "the old master `{name}` is marked as running in its database: stop it with `buildbot stop`, \
         or with SIGTERM if it runs in the foreground; if it was killed, wait 3 minutes"
    )
}

/// Adds the numbers of builds that have files in the directories of builders, as 0.7 and 0.8 keep
/// them; directories with builds that belong to no builder here and none of the database.
fn numbers_in_directories(
    old_dir: &Path,
    config: &Config,
    old: &mut OldNumbers,
) -> anyhow::Result<Vec<String>> {
    let mut known = BTreeSet::new();
    for builder in &config.builders {
        known.insert(builder.builddir.clone());
        let dir = old_dir.join(&builder.builddir);
        if let Some(last) = last_file(&dir) {
            let number = old.builds.entry(builder.name.to_string()).or_default();
            *number = last.max(*number);
        }
    }
    fs::read_dir(old_dir).with_context(|| format!("cannot read {}", old_dir.display()))?;
    let named: BTreeSet<String> = old.builds.keys().map(|name| usual_builddir(name)).collect();
    let mut others = Vec::new();
    find_builders(old_dir, "", DEEPEST, &mut others);
    others.retain(|dir| !known.contains(dir) && !named.contains(dir));
    others.sort();
    Ok(others)
}

/// Adds the directories below `dir` that have builds, as paths from the base directory.
fn find_builders(dir: &Path, above: &str, depth: usize, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let Some(name) = entry
            .file_name()
            .into_string()
            .ok()
            .filter(|_| is_directory)
        else {
            continue;
        };
        let path = format!("{above}{name}");
        if !entry.path().join("builder").is_file() {
            if depth > 1 {
                find_builders(&entry.path(), &format!("{path}/"), depth - 1, found);
            }
        } else if last_file(&entry.path()).is_some() {
            found.push(path);
        }
    }
}

/// The greatest name in a directory that is an integer.
fn last_file(dir: &Path) -> Option<u64> {
    let entries = fs::read_dir(dir).ok()?;
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u64>().ok();
    entries.flatten().filter_map(number).max()
}

/// Reads `BUILDER<TAB>LAST NUMBER`, a line each.
fn numbers_in_file(text: &str, file: &Path) -> anyhow::Result<OldNumbers> {
    let mut numbers = OldNumbers::default();
    for (at, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let (name, last) = line.rsplit_once('\t').with_context(|| {
            format!(
                "{}:{}: write NAME, a tab and a number",
                file.display(),
                at + 1
            )
        })?;
        let last: u64 = last
            .trim()
            .parse()
            .with_context(|| format!("{}:{}: {last:?} is not a number", file.display(), at + 1))?;
        match name {
            "@changes" => numbers.change = Some(last),
            name => drop(numbers.builds.insert(name.to_owned(), last)),
        }
    }
    Ok(numbers)
}
