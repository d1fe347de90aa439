//! The checked configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clients::ClientLimits;
use super::{Horizons, LockAccess, LockConfig, Merging, SchedulerConfig, SlaveChoice};
use crate::model::{BuilderName, InstanceStop, Properties, Results, SlaveName, StopMeans};

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Name of the project.
    pub title: String,
    /// Its page.
    pub title_url: String,
    /// The master's own address for people.
    pub buildbot_url: String,
    /// Where slaves and `sendchange` connect; several addresses may be given, and a port without an
    /// address is loopback of IPv4 and IPv6 (the latter may be missing on a machine). Empty: only local slaves.
    pub slave_port: Vec<Listen>,
    /// Properties of all builds, with source "master.toml".
    pub properties: Properties,
    /// Slaves, in the order of the file.
    pub slaves: Vec<Arc<SlaveConfig>>,
    /// Builders, in the order of the file.
    pub builders: Vec<Arc<BuilderConfig>>,
    /// Locks, in the order of the file (LCK-01).
    pub locks: Vec<LockConfig>,
    /// Schedulers, in the order of the file.
    pub schedulers: Vec<Arc<SchedulerConfig>>,
    /// Where changes come from.
    pub change_sources: Vec<ChangeSourceConfig>,
    /// How long a slave may take to answer the ping before a build (START_BUILD_TIMEOUT): 10 s.
    pub start_build_timeout: Duration,
    /// How long a slave may take to answer while its builders are attached (row 1): 30 s.
    pub attach_timeout: Duration,
    /// How mail is sent.
    pub mail: MailConfig,
    /// How long a slave may take to answer a keepalive (SLV-05): 30 s.
    pub keepalive_timeout: Duration,
    /// Limits of connections that are not those of slaves.
    pub clients: ClientLimits,
    /// How long a stopped step may go on (BUI-12): 60 s.
    pub interrupt_grace: Duration,
    /// How long requests wait for a builder that was removed to come back (BST-09): not at all.
    pub orphan_request_grace: Duration,
    /// Builds that a request may lose to lost slaves before it ends as EXCEPTION (BUI-14): 5.
    pub max_retries: u32,
    /// Whether a second slave of a connected name replaces the first (`duplicate_slave = "replace"`) instead of being
    /// arbitrated (SLV-04).
    pub duplicate_slave_replaces: bool,
    /// Which idle slave gets a build, of builders that do not say it themselves (BLD-05).
    pub choose_slaves: SlaveChoice,
    /// Limits of step logs (LOG-03).
    pub logs: LogLimits,
    /// How much of the program's own log file is kept: bytes a file, and number of old files.
    pub log_rotation: (u64, u32),
    /// How much of the past is kept (MAS-08): all.
    pub horizons: Horizons,
}

impl Config {
    /// The builder of this name; looks through all of them.
    #[must_use]
    pub fn builder(&self, name: &str) -> Option<&Arc<BuilderConfig>> {
        self.builders.iter().find(|b| b.name.as_str() == name)
    }

    /// Which idle slave gets a build of `builder` (BLD-05).
    #[must_use]
    pub fn slave_choice(&self, builder: &BuilderConfig) -> SlaveChoice {
        builder.next_slave.unwrap_or(self.choose_slaves)
    }

    /// The slave of this name; looks through all of them.
    #[must_use]
    pub fn slave(&self, name: &str) -> Option<&Arc<SlaveConfig>> {
        self.slaves.iter().find(|s| s.name.as_str() == name)
    }
}

/// Limits of step logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogLimits {
    /// Most bytes of stdout and stderr together; the rest is dropped with a note.
    pub max_size: Option<u64>,
    /// Of what is dropped, so many bytes of the end are kept.
    pub max_tail_size: Option<u64>,
}

/// An address to listen on. A port without a host becomes two: loopback of IPv4 and of IPv6.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// How mail is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MailConfig {
    /// The program that takes a mail on its standard input, with its arguments.
    pub command: Vec<String>,
    /// The sender.
    pub from: String,
}

/// A password or where it is.
#[derive(Clone, Eq, PartialEq)]
pub enum Secret {
    /// In the configuration.
    Inline(String),
    /// In a file, relative to the base directory; a final newline does not count.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Env(name) => f.debug_tuple("Env").field(name).finish(),
        }
    }
}

/// A slave (SLV-01).
#[derive(Clone, Debug, PartialEq)]
pub struct SlaveConfig {
    /// Its name.
    pub name: SlaveName,
    /// What it is.
    pub kind: SlaveKind,
    /// Builds at once; absent is unlimited.
    pub max_builds: Option<u32>,
    /// Properties of its builds, with source "BuildSlave".
    pub properties: Properties,
    /// Time between keepalives from the master: 1 h.
    pub keepalive_interval: Duration,
    /// Locks that each build on it holds while it uses the slave (LCK-05).
    pub locks: Vec<LockAccess>,
    /// Addresses to mail to when it is missing (SLV-07).
    pub notify_on_missing: Vec<String>,
    /// How long it may be away before that: 1 h. Absent for those that do not connect by themselves.
    pub missing_timeout: Option<Duration>,
}

impl SlaveConfig {
    /// Of a slave that the configuration does not have any more, and of which no more is known than its name.
    #[must_use]
    pub fn removed(name: SlaveName) -> Self {
        Self {
            name,
            kind: SlaveKind::Local,
            max_builds: None,
            properties: Properties::default(),
            keepalive_interval: Duration::from_secs(3600),
            locks: Vec::new(),
            notify_on_missing: Vec::new(),
            missing_timeout: None,
        }
    }
}

/// Kinds of slave.
#[derive(Clone, Debug, PartialEq)]
pub enum SlaveKind {
    /// Connects over TCP with this password.
    Remote {
        /// Its password.
        password: Secret,
    },
    /// The native slave inside the master; its work is below `slaves/NAME` in the base directory.
    Local,
    /// An instance that is started when a build wants it, and connects then (section 15).
    Latent(Box<LatentConfig>),
}

impl SlaveKind {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Remote { .. } => "slave",
            Self::Local => "local",
            Self::Latent(latent) => match latent.kind {
                InstanceKind::Command { .. } => "command",
                InstanceKind::Process => "process",
                InstanceKind::Docker { .. } => "docker",
            },
        }
    }

    /// What latent slaves have; nothing if it is not one.
    #[must_use]
    pub fn latent(&self) -> Option<&LatentConfig> {
        match self {
            Self::Latent(latent) => Some(latent),
            Self::Remote { .. } | Self::Local => None,
        }
    }
}

/// What latent slaves have (LAT-01).
#[derive(Clone, Debug, PartialEq)]
pub struct LatentConfig {
    /// How its instance is started and stopped.
    pub kind: InstanceKind,
    /// Where the instance finds the master; absent: at the first address of the slave port.
    pub master: Option<MasterAddress>,
    /// How long an instance without a build is kept: 10 min; zero: it is stopped after every build; absent: it is
    /// never stopped for that.
    pub build_wait_timeout: Option<Duration>,
    /// How long an instance may take from its start until it has attached: 20 min.
    pub missing_timeout: Duration,
    /// How long the command may take that stops it: 1 min.
    pub stop_timeout: Duration,
}

impl LatentConfig {
    /// How its instance is stopped.
    #[must_use]
    pub fn stop(&self) -> InstanceStop {
        let means = match &self.kind {
            InstanceKind::Command { stop, .. } => StopMeans::Command {
                words: stop.clone(),
            },
            InstanceKind::Process => StopMeans::Process,
            InstanceKind::Docker { docker, .. } => StopMeans::Docker {
                program: docker.clone(),
            },
        };
        InstanceStop {
            means,
            limit: self.stop_timeout,
        }
    }
}

/// How an instance is started and stopped (LAT-11).
#[derive(Clone, Debug, PartialEq)]
pub enum InstanceKind {
    /// By two commands.
    Command {
        /// The slave's password.
        password: Secret,
        /// The program that starts it, and its arguments.
        start: Vec<String>,
        /// The program that stops it, and its arguments.
        stop: Vec<String>,
    },
    /// The native slave as a process of its own on this machine, below `instances/NAME` in the base directory.
    Process,
    /// A container.
    Docker {
        /// The slave's password.
        password: Secret,
        /// The program `docker`.
        docker: String,
        /// The image.
        image: String,
        /// Further arguments of `docker run`, before the image.
        args: Vec<String>,
        /// What runs in the container, if not what the image says.
        command: Vec<String>,
    },
}

/// Where slaves find the master.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MasterAddress {
    /// A name or address.
    pub host: String,
    /// A port, if not that of the slave port.
    pub port: Option<u16>,
}

/// A builder (BLD-01).
#[derive(Clone, Debug, PartialEq)]
pub struct BuilderConfig {
    /// Its name.
    pub name: BuilderName,
    /// Its slaves.
    pub slaves: Vec<SlaveName>,
    /// Directory of its logs below `builders/` in the base directory, made from the name by default.
    pub builddir: String,
    /// Directory on the slave; the builddir by default.
    pub slavebuilddir: String,
    /// Its steps.
    pub factory: Arc<FactoryConfig>,
    /// Locks that each of its builds holds (LCK-05).
    pub locks: Vec<LockAccess>,
    /// Environment of its commands.
    pub env: BTreeMap<String, Option<Template>>,
    /// Labels.
    pub tags: Vec<String>,
    /// What it is for.
    pub description: String,
    /// Properties of its builds, with source "Builder".
    pub properties: Properties,
    /// Which requests share a build; the builder's own settings or else the global ones.
    pub merging: Merging,
    /// Which idle slave gets a build, if not as for all builders (BLD-05).
    pub next_slave: Option<SlaveChoice>,
    /// Of builders whose requests have equal priorities, one with a higher number goes first: 0.
    pub priority: i32,
    /// Whether a build whose steps do not apply the patch of its try job goes on without it.
    pub ignore_patch: bool,
}

impl BuilderConfig {
    /// A builder that is not configured any more, but for which requests wait still.
    #[must_use]
    pub fn removed(name: BuilderName) -> Self {
        let dir = name.as_str().to_owned();
        Self {
            name,
            slaves: Vec::new(),
            builddir: dir.clone(),
            slavebuilddir: dir,
            factory: Arc::new(FactoryConfig {
                name: String::new(),
                steps: Vec::new(),
            }),
            locks: Vec::new(),
            env: BTreeMap::new(),
            tags: Vec::new(),
            description: String::new(),
            properties: Properties::new(),
            merging: Merging::default(),
            next_slave: None,
            priority: 0,
            ignore_patch: false,
        }
    }
}

/// A list of steps.
#[derive(Clone, Debug, PartialEq)]
pub struct FactoryConfig {
    /// Its name.
    pub name: String,
    /// Its steps.
    pub steps: Vec<StepConfig>,
}

/// A step: what all kinds have (STP-01), and its kind.
#[derive(Clone, Debug, PartialEq)]
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
    /// What it does, while it runs; from the command by default (STP-06).
    pub description: Option<Vec<Template>>,
    /// What it did.
    pub description_done: Option<Vec<Template>>,
    /// Added to both.
    pub description_suffix: Option<Vec<Template>>,
    /// What it is.
    pub kind: StepKind,
}

/// Kinds of step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// `ShellCommand`.
    Shell(Box<ShellStepConfig>),
    /// `Git`.
    Git(Box<GitStepConfig>),
}

/// Settings of `Git` (section 21 of the semantics).
#[derive(Clone, Debug, PartialEq)]
pub struct GitStepConfig {
    /// Where the repository is.
    pub repourl: Template,
    /// What is built when the source stamp names no branch; absent is the repository's own default.
    pub branch: Option<Template>,
    /// What is done with the tree of the last build (SRC-04).
    pub mode: GitMode,
    /// Whether the source stamp is ignored, its patch too (SRC-01).
    pub always_use_latest: bool,
    /// Whether submodules are checked out.
    pub submodules: bool,
    /// Whether only the latest revision is fetched, where no other is asked for.
    pub shallow: bool,
    /// Pause before a failed checkout is tried again, and how often it is (SRC-07).
    pub retry: Option<(Duration, u32)>,
    /// Longest time of a command without output: 20 min.
    pub timeout: Option<Duration>,
    /// Directory below the builder's: `build`.
    pub workdir: Template,
    /// Environment, over the builder's (BUI-16).
    pub env: BTreeMap<String, Option<Template>>,
    /// Whether the environment is shown in the log: false.
    pub log_environ: bool,
}

/// What is done with the tree of the last build (SRC-04).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GitMode {
    /// It is updated; what the last build left stays.
    Incremental,
    /// It is removed.
    Clobber,
    /// It is updated, and all files that are not in the repository are removed.
    Fresh,
    /// It is updated, and all files that are neither in the repository nor ignored by it are removed.
    Clean,
}

/// Settings of `ShellCommand` (STP-05).
#[derive(Clone, Debug, PartialEq)]
pub struct ShellStepConfig {
    /// What to run.
    pub command: CommandWords,
    /// Directory below the builder's: `build`.
    pub workdir: Template,
    /// Environment, over the builder's (BUI-16).
    pub env: BTreeMap<String, Option<Template>>,
    /// Whether its output is kept.
    pub want_stdout: bool,
    /// Whether its errors are kept.
    pub want_stderr: bool,
    /// Log name to path of a file to follow, and whether to start at its present end.
    pub logfiles: Vec<(String, Template, bool)>,
    /// Logs are made when there is something in them, instead of at once.
    pub lazy_logfiles: bool,
    /// Longest time without output: 20 min.
    pub timeout: Option<Duration>,
    /// Longest time at all.
    pub max_time: Option<Duration>,
    /// Time between SIGTERM and the harder signal.
    pub sigterm_time: Option<Duration>,
    /// The harder signal, without `SIG`.
    pub interrupt_signal: Option<String>,
    /// Whether to use a pseudo terminal; absent: as the slave says.
    pub use_pty: Option<bool>,
    /// Whether the environment is shown in the log: false.
    pub log_environ: bool,
    /// What it reads.
    pub initial_stdin: Option<Template>,
    /// Exit codes to results; 0 is SUCCESS and the rest FAILURE where it says nothing.
    pub decode_rc: BTreeMap<i64, Results>,
    /// Lines of output after which it is killed.
    pub max_lines: Option<u64>,
}

/// A command.
#[derive(Clone, PartialEq)]
pub enum CommandWords {
    /// A line for the slave's shell.
    Line(Template),
    /// Words; the second text is shown instead of the first if it is there.
    Words(Vec<(Template, Option<String>)>),
}

impl std::fmt::Debug for CommandWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => f.debug_tuple("Line").field(line).finish(),
            Self::Words(words) => {
                let shown = words.iter().map(|(word, shown)| match shown {
                    Some(shown) => Template::literal(shown.as_str()),
                    None => word.clone(),
                });
                f.debug_tuple("Words")
                    .field(&shown.collect::<Vec<_>>())
                    .finish()
            }
        }
    }
}

/// A text with `%(property)s` forms (PRP-07, PRP-08), parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template(pub Vec<TemplatePart>);

/// A piece of a [`Template`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TemplatePart {
    /// Literal text.
    Text(String),
    /// A property.
    Property {
        /// Its name.
        name: String,
        /// What to put when it is, or is not, there.
        otherwise: Otherwise,
    },
    /// An attribute of the source stamp, whatever the property of that name is.
    Source {
        /// The codebase of the source stamp.
        codebase: String,
        /// Which attribute.
        attribute: SourceAttribute,
        /// What to put when it is, or is not, there.
        otherwise: Otherwise,
    },
}

/// What can be told of a source stamp.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceAttribute {
    /// Its branch.
    Branch,
    /// The revision to build: its own, else that of its newest change.
    Revision,
    /// Its repository.
    Repository,
    /// Its project.
    Project,
    /// Its codebase.
    Codebase,
    /// Whether it has a patch.
    HasPatch,
    /// How many leading path components the patch strips.
    PatchLevel,
    /// The directory in which the patch is applied.
    PatchSubdir,
    /// Who made the patch.
    PatchAuthor,
    /// What is said of the patch.
    PatchComment,
}

/// What a property form does when the property is not set (PRP-07).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Otherwise {
    /// `%(name)s`: an unset property is an error of the step.
    Fail,
    /// `%(name:-text)s`: the text if it is unset.
    IfUnset(String),
    /// `%(name:~text)s`: the text if it is unset or false.
    IfFalse(String),
    /// `%(name:+text)s`: the text if it is set, else nothing.
    IfSet(String),
}

/// Where changes come from.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeSourceConfig {
    /// `PB`: `sendchange`.
    Pb {
        /// A port of its own, which may be several addresses; empty: the slave port.
        ports: Vec<Listen>,
        /// User name.
        user: String,
        /// Password.
        password: Secret,
        /// Files outside are dropped from the change, those inside lose the prefix.
        prefix: Option<String>,
    },
}

impl ChangeSourceConfig {
    /// What it is called: by its user, which is what a sender knows it by.
    #[must_use]
    pub fn name(&self) -> String {
        let Self::Pb { user, ports, .. } = self;
        let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
        match ports.as_slice() {
            [] => user.clone(),
            ports => format!("{user} at {}", ports.join(", ")),
        }
    }
}
