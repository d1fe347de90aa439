//! The steps of factories (STP-01, STP-05, STP-06): the table of the kinds, and what all of them
//! have.

mod arch;
mod bk;
mod bzr;
pub(in crate::config) mod cvs;
mod darcs;
mod download;
mod files;
pub(in crate::config) mod git;
mod http;
mod kind;
mod kinds;
mod master_shell;
mod mercurial;
mod monotone;
mod output;
mod p4;
mod patch;
pub(in crate::config) mod programs;
mod related;
mod repo;
pub(in crate::config) mod reports;
pub(in crate::config) mod rules;
mod set_property;
pub(in crate::config) mod shell;
mod slave_env;
pub(in crate::config) mod source;
mod steps_from;
pub(in crate::config) mod svn;
mod transfer;
pub(in crate::config) mod trigger;
mod upload;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Serialize;

use self::kind::{Kind, StepSettings};
use self::kinds::KINDS;
use self::rules::watch;
use super::locks::{LockAccess, Locks, User};
use super::reader::{Table, Value};
use super::shape::Shape;
use super::spelling;
use super::template::{SecretSource, Template};
use crate::model::unique_names;

pub use self::arch::ArchStepConfig;
pub use self::bk::BkStepConfig;
pub use self::bzr::BzrStepConfig;
pub use self::cvs::CvsStepConfig;
pub use self::darcs::DarcsStepConfig;
pub use self::download::{Download, DownloadStepConfig, JsonTemplate};
pub use self::files::{FileAction, FileStepConfig};
pub use self::git::access::{GitAccess, GitCredential, SshServers};
pub use self::git::{GitFlavor, GitStepConfig};
pub use self::http::{HttpData, HttpStepConfig};
pub use self::master_shell::MasterShellConfig;
pub use self::mercurial::MercurialStepConfig;
pub use self::monotone::MonotoneStepConfig;
pub use self::output::{MysqlTests, OutputReader, Suppression, WarningExtractor, WarningRules};
pub use self::p4::P4StepConfig;
pub use self::patch::PatchStepConfig;
pub use self::related::RelatedStepConfig;
pub use self::repo::RepoStepConfig;
pub use self::reports::{ReportFormat, ReportPlace, TestReports, TestSettings};
pub use self::rules::{Lines, StepRules, WatchPattern, WatchRule};
pub use self::set_property::{LogTextConfig, PropertyValue, SetPropertyConfig};
pub use self::shell::{
    BaseImage, ChangedFiles, CommandWords, ExitCode, Preparation, ReleaseCounter, SearchPath,
    SequenceCommand, ShellStepConfig,
};
pub use self::slave_env::SlaveEnvConfig;
pub use self::source::{Location, SourceMethod, SourceMode, SourceSettings};
pub use self::steps_from::{MAX_STEPS_BYTES, StepsFromConfig};
pub use self::svn::SvnStepConfig;
pub use self::trigger::{
    BuildersMatching, ForEach, ForEachValues, GivenSource, TriggerSource, TriggerStepConfig,
    TriggerValue,
};
pub use self::upload::{Upload, UploadStepConfig};

/// A step: what all kinds have (STP-01), and its kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepConfig {
    /// Its name before suffixes (BUI-04).
    pub name: String,
    /// Locks that it holds while it runs (LCK-05).
    pub locks: Vec<LockAccess>,
    /// Stop the build if it fails.
    pub halt_on_failure: bool,
    /// Its warnings fail the build.
    pub flunk_on_warnings: bool,
    /// Its failure fails the build.
    pub flunk_on_failure: bool,
    /// Its warnings are the build's.
    pub warn_on_warnings: bool,
    /// Its failure is a warning of the build.
    pub warn_on_failure: bool,
    /// Run it even when the build is already ending.
    pub always_run: bool,
    /// Whether its time counts for when the build is expected to end (PRG-01).
    pub use_progress: bool,
    /// By what its progress is estimated: [`OUTPUT`], or names of what it counts (PRG-01).
    pub progress_metrics: Vec<String>,
    /// What it does, while it runs; from the command by default (STP-06).
    pub description: Option<Vec<Template>>,
    /// What it did.
    pub description_done: Option<Vec<Template>>,
    /// Added to both.
    pub description_suffix: Option<Vec<Template>>,
    /// The secrets in its settings.
    #[serde(skip)]
    pub secrets: Vec<SecretSource>,
    /// Whether words of its command that are empty are left out (CFL-103).
    pub drop_empty: bool,
    /// Whether it has effects outside the build, as one that publishes something (SRH-03).
    pub side_effects: bool,
    /// What the first line looks like that says why it failed; absent for usual errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_pattern: Option<WatchPattern>,
    /// Whether its failure says nothing about the sources (INF-01).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub infrastructure: bool,
    /// If an error of its logs looks like this, its failure says nothing about the sources; absent
    /// for usual errors of machines (INF-01).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infrastructure_lines: Option<WatchPattern>,
    /// When it runs, and what is made of its end.
    #[serde(flatten)]
    pub rules: StepRules,
    /// What it is.
    #[serde(flatten)]
    pub kind: StepKind,
}

/// The metric that is the bytes of output in each log.
pub const OUTPUT: &str = "output";
/// The metric that is the number of tests, of kinds that count them.
pub const TESTS: &str = "tests";

/// Kinds of step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum StepKind {
    /// `ShellCommand`.
    #[serde(rename = "ShellCommand")]
    Shell(Box<ShellStepConfig>),
    /// `Git`.
    Git(Box<GitStepConfig>),
    /// `MasterShellCommand`.
    #[serde(rename = "MasterShellCommand")]
    MasterShell(Box<MasterShellConfig>),
    /// `Patch`.
    Patch(Box<PatchStepConfig>),
    /// `FileUpload`, `DirectoryUpload`, `MultipleFileUpload`.
    Upload(Box<UploadStepConfig>),
    /// `FileDownload`, `StringDownload`, `JSONStringDownload`, `JSONPropertiesDownload`.
    Download(Box<DownloadStepConfig>),
    /// `FileExists`, `CopyDirectory`, `RemoveDirectory`, `MakeDirectory`, `RemoveFile`.
    Files(Box<FileStepConfig>),
    /// `SetProperty` and `SetProperties`.
    SetProperty(Box<SetPropertyConfig>),
    /// `LogRenderable`.
    LogRenderable(Box<LogTextConfig>),
    /// `SetPropertiesFromEnv`.
    #[serde(rename = "SetPropertiesFromEnv")]
    SlaveEnv(Box<SlaveEnvConfig>),
    /// `CancelRelatedBuilds`, and `StopRelatedBuilds`.
    Related(Box<RelatedStepConfig>),
    /// `StepsFrom`.
    StepsFrom(Box<StepsFromConfig>),
    /// `Trigger`.
    Trigger(Box<TriggerStepConfig>),
    /// `SVN`.
    #[serde(rename = "SVN")]
    Svn(Box<SvnStepConfig>),
    /// `Mercurial`.
    Mercurial(Box<MercurialStepConfig>),
    /// `Bzr`.
    Bzr(Box<BzrStepConfig>),
    /// `BK`.
    #[serde(rename = "BK")]
    Bk(Box<BkStepConfig>),
    /// `Darcs`.
    Darcs(Box<DarcsStepConfig>),
    /// `CVS`.
    #[serde(rename = "CVS")]
    Cvs(Box<CvsStepConfig>),
    /// `Repo`.
    Repo(Box<RepoStepConfig>),
    /// `Arch`.
    Arch(Box<ArchStepConfig>),
    /// `Monotone`.
    Monotone(Box<MonotoneStepConfig>),
    /// `P4`.
    P4(Box<P4StepConfig>),
    /// `HTTPStep`, `GET`, `PUT` and so on.
    #[serde(rename = "HTTPStep")]
    Http(Box<HttpStepConfig>),
}

/// All kinds of step.
static ROWS: LazyLock<Vec<&Kind>> =
    LazyLock::new(|| KINDS.iter().chain(programs::families()).collect());

/// The names of all kinds of step.
#[cfg(test)]
pub(crate) fn kinds_of_step() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|kind| kind.shape.name)
}

impl Kind {
    /// Takes what steps of this kind have.
    fn read(&self, table: &mut Table<'_>, step: &mut StepConfig) {
        step.kind.read(table);
        (self.own)(table, step);
        step.secrets = table.sink.take_secrets();
        let source = step.kind.settings().source();
        let codebase = source.and_then(|source| source.codebase.clone());
        step.tell_codebase(codebase.as_deref());
    }
}

pub(super) static STEP: Shape = Shape {
    place: "steps",
    noun: "step",
    keys: &[
        "type",
        "name",
        "halt_on_failure",
        "flunk_on_warnings",
        "flunk_on_failure",
        "warn_on_warnings",
        "warn_on_failure",
        "always_run",
        "use_progress",
        "progress_metrics",
        "locks",
        "description",
        "description_done",
        "description_suffix",
        "do_step_if",
        "watch",
        "result",
        "set",
        "hide_step_if",
        "drop_empty",
        "side_effects",
        "error_pattern",
        "infrastructure",
        "infrastructure_lines",
    ],
    kinds: || ROWS.iter().map(|kind| kind.shape).collect(),
};

impl Default for StepConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            locks: Vec::new(),
            halt_on_failure: false,
            flunk_on_warnings: false,
            flunk_on_failure: true,
            warn_on_warnings: false,
            warn_on_failure: false,
            always_run: false,
            use_progress: true,
            progress_metrics: vec![OUTPUT.to_owned()],
            description: None,
            description_done: None,
            description_suffix: None,
            secrets: Vec::new(),
            drop_empty: false,
            side_effects: false,
            error_pattern: None,
            infrastructure: false,
            infrastructure_lines: None,
            rules: StepRules::default(),
            kind: StepKind::default(),
        }
    }
}

impl Default for StepKind {
    fn default() -> Self {
        Self::Shell(Box::default())
    }
}

impl StepKind {
    /// Whether it brings the sources of the build.
    #[must_use]
    pub const fn is_source(&self) -> bool {
        match self {
            Self::Git(_)
            | Self::Svn(_)
            | Self::Mercurial(_)
            | Self::Bzr(_)
            | Self::Bk(_)
            | Self::Darcs(_)
            | Self::Cvs(_)
            | Self::Repo(_)
            | Self::Arch(_)
            | Self::Monotone(_)
            | Self::P4(_) => true,
            Self::Shell(_)
            | Self::MasterShell(_)
            | Self::Patch(_)
            | Self::Upload(_)
            | Self::Download(_)
            | Self::Files(_)
            | Self::SetProperty(_)
            | Self::LogRenderable(_)
            | Self::SlaveEnv(_)
            | Self::Related(_)
            | Self::StepsFrom(_)
            | Self::Trigger(_)
            | Self::Http(_) => false,
        }
    }

    /// What steps of its kind have.
    fn settings(&self) -> &dyn StepSettings {
        match self {
            Self::Shell(shell) => &**shell,
            Self::Git(git) => &**git,
            Self::Upload(upload) => &**upload,
            Self::Download(download) => &**download,
            Self::Files(files) => &**files,
            Self::MasterShell(shell) => &**shell,
            Self::Patch(patch) => &**patch,
            Self::Http(http) => &**http,
            Self::SetProperty(set) => &**set,
            Self::LogRenderable(log) => &**log,
            Self::SlaveEnv(env) => &**env,
            Self::Related(related) => &**related,
            Self::StepsFrom(steps_from) => &**steps_from,
            Self::Trigger(trigger) => &**trigger,
            Self::Svn(config) => &**config,
            Self::Mercurial(config) => &**config,
            Self::Bzr(config) => &**config,
            Self::Bk(config) => &**config,
            Self::Darcs(config) => &**config,
            Self::Cvs(config) => &**config,
            Self::Repo(config) => &**config,
            Self::Arch(config) => &**config,
            Self::Monotone(config) => &**config,
            Self::P4(config) => &**config,
        }
    }

    /// The settings of its command, if it is one that runs a command of the user's.
    pub(super) fn shell_mut(&mut self) -> Option<&mut ShellStepConfig> {
        if let Self::Shell(shell) = self {
            Some(shell)
        } else if let Self::StepsFrom(steps_from) = self {
            Some(&mut steps_from.command)
        } else {
            None
        }
    }

    /// Takes what the table has.
    fn read(&mut self, table: &mut Table<'_>) {
        match self {
            Self::Shell(shell) => shell.read(table),
            Self::Git(git) => git.read(table),
            Self::Upload(upload) => upload.read(table),
            Self::Download(download) => download.read(table),
            Self::Files(files) => files.read(table),
            Self::MasterShell(shell) => shell.read(table),
            Self::Patch(patch) => patch.read(table),
            Self::Http(http) => http.read(table),
            Self::SetProperty(set) => set.read(table),
            Self::LogRenderable(log) => log.read(table),
            Self::SlaveEnv(env) => env.read(table),
            Self::Related(related) => related.read(table),
            Self::StepsFrom(steps_from) => steps_from.read(table),
            Self::Trigger(trigger) => trigger.read(table),
            Self::Svn(config) => config.read(table),
            Self::Mercurial(config) => config.read(table),
            Self::Bzr(config) => config.read(table),
            Self::Bk(config) => config.read(table),
            Self::Darcs(config) => config.read(table),
            Self::Cvs(config) => config.read(table),
            Self::Repo(config) => config.read(table),
            Self::Arch(config) => config.read(table),
            Self::Monotone(config) => config.read(table),
            Self::P4(config) => config.read(table),
        }
    }
}

/// A step of the kind `name`, which the table has, whose own table says nothing.
pub(super) fn usual(name: &str) -> StepConfig {
    (row(name).usual)()
}

/// A step of the kind `name` with the settings that stand in `table`, which has the keys of the
/// kind and others.
pub(super) fn read_as(name: &str, table: &mut Table<'_>) -> StepConfig {
    let row = row(name);
    let mut step = (row.usual)();
    row.read(table, &mut step);
    step
}

fn row(name: &str) -> &'static Kind {
    let row = ROWS.iter().find(|row| row.shape.name == name);
    row.expect("a kind of the table")
}

impl StepConfig {
    /// Whether it may have effects outside its build (SRH-03). What steps that are made while the
    /// build runs have is not known.
    #[must_use]
    pub const fn has_effects(&self) -> bool {
        self.side_effects
            || matches!(
                self.kind,
                StepKind::MasterShell(_)
                    | StepKind::Upload(_)
                    | StepKind::Trigger(_)
                    | StepKind::Http(_)
                    | StepKind::Related(_)
                    | StepKind::StepsFrom(_)
            )
    }

    /// The step with `command`, if its kind runs one.
    pub(super) fn with_command(mut self, command: CommandWords) -> Self {
        if let Some(shell) = self.kind.shell_mut() {
            shell.command = command;
        }
        self
    }

    /// Whether it is a source step that gets the newest sources, whatever the build is of.
    #[must_use]
    pub fn builds_latest(&self) -> bool {
        let source = self.kind.settings().source();
        source.is_some_and(|source| source.always_use_latest)
    }

    /// Whether the step gets the source of the build, with its patch.
    #[must_use]
    pub fn takes_source(&self) -> bool {
        self.kind.settings().takes_source()
    }

    /// Adds the codebase to the name and to the texts, unless they have a suffix of their own.
    fn tell_codebase(&mut self, codebase: Option<&str>) {
        if let Some(codebase) = codebase {
            self.name = format!("{} {codebase}", self.name);
            let suffix = || vec![Template::literal(codebase)];
            self.description_suffix.get_or_insert_with(suffix);
        }
    }

    /// The values of its metrics: of `output`, the bytes of output in each of its logs, and of
    /// what it has counted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "they become an estimate")]
    pub fn measured(
        &self,
        output: BTreeMap<String, f64>,
        counts: BTreeMap<String, u64>,
    ) -> BTreeMap<String, f64> {
        let counts = counts.into_iter().map(|(name, n)| (name, n as f64));
        let has_output = self.progress_metrics.iter().any(|name| name == OUTPUT);
        let output = output.into_iter().filter(|_| has_output);
        output.chain(counts).collect()
    }

    /// Whether it counts its tests while they run.
    fn counts_tests(&self) -> bool {
        matches!(&self.kind, StepKind::Shell(shell) if shell.reader.counts_tests())
    }

    /// Takes by what its progress is estimated; its rules have been read.
    fn read_metrics(&mut self, table: &mut Table<'_>) {
        let tests = self.counts_tests().then_some(TESTS);
        if tests.is_some() {
            self.progress_metrics.push(TESTS.to_owned());
        }
        let known: Vec<&str> = std::iter::once(OUTPUT)
            .chain(tests)
            .chain(self.rules.counts())
            .collect();
        let metric = |value: &Value<'_>| {
            let name = value.text()?;
            if known.contains(&name) {
                return Some(name.to_owned());
            }
            let help = match spelling::nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near:?}`?"),
                None => {
                    "write \"output\", or a name that `count` has in a rule of `watch`".to_owned()
                }
            };
            value.error(
                &format!("has {name:?}, which the step does not count"),
                help,
            );
            None
        };
        let metrics = table.take("progress_metrics").and_then(|value| {
            let entries = value.list()?;
            Some(entries.iter().filter_map(metric).collect())
        });
        if let Some(metrics) = metrics {
            self.progress_metrics = metrics;
        }
    }

    /// The kind of the step, and the program that it runs on a slave, unless the user has to name
    /// that or says where to look for it.
    pub(super) fn program(&self) -> Option<(&'static str, &'static str)> {
        self.kind.settings().program()
    }
}

/// Reads the step in the place `at` of `factory`, before which the steps `before` could be read.
/// Where it does not say its own, its work directory is `workdir`.
pub(super) fn read_step<'a>(
    mut table: Table<'a>,
    (factory, at): (&'a str, usize),
    workdir: Option<&Value<'a>>,
    before: &[StepConfig],
    locks: &mut Locks<'a>,
) -> Option<StepConfig> {
    let number = at + 1;
    table.label = format!("step {number} of factory `{factory}`").into();
    let row = table.kind(&ROWS, |kind| kind.shape, None)?;
    let name = row.shape.name;
    table.label = format!("step {number} ({name}) of factory `{factory}`").into();
    if let Some(workdir) = workdir {
        table.inherit(workdir);
    }
    let mut step = (row.usual)();
    let mut own_name = None;
    table.set_some("name", &mut own_name, |v| v.name().map(str::to_owned));
    step.locks = locks.read_uses(&mut table, &User::Step(factory, before.len()));
    for (key, flag) in [
        ("halt_on_failure", &mut step.halt_on_failure),
        ("flunk_on_warnings", &mut step.flunk_on_warnings),
        ("flunk_on_failure", &mut step.flunk_on_failure),
        ("warn_on_warnings", &mut step.warn_on_warnings),
        ("warn_on_failure", &mut step.warn_on_failure),
        ("always_run", &mut step.always_run),
        ("use_progress", &mut step.use_progress),
        ("drop_empty", &mut step.drop_empty),
        ("side_effects", &mut step.side_effects),
        ("infrastructure", &mut step.infrastructure),
    ] {
        table.set(key, flag, Value::flag);
    }
    for (key, text) in [
        ("description", &mut step.description),
        ("description_done", &mut step.description_done),
        ("description_suffix", &mut step.description_suffix),
    ] {
        table.set_some(key, text, templates);
    }
    for (key, pattern) in [
        ("error_pattern", &mut step.error_pattern),
        ("infrastructure_lines", &mut step.infrastructure_lines),
    ] {
        table.set_some(key, pattern, watch::pattern);
    }
    row.read(&mut table, &mut step);
    if let Some(name) = own_name {
        step.name = name;
    }
    let earlier = unique_names(before.iter().map(|step| step.name.as_str()));
    let earlier = (before.len() == at).then_some(earlier.as_slice());
    let (output, printed) = (step.kind.settings().output(), step.kind.settings().prints());
    step.rules
        .read(&mut table, earlier, (output, printed.as_ref()));
    step.read_metrics(&mut table);
    table.finish();
    Some(step)
}

fn templates(value: &Value<'_>) -> Option<Vec<Template>> {
    let entries = value.one_or_list()?;
    Some(entries.iter().filter_map(Value::template).collect())
}
