//! The steps of factories (STP-01, STP-05, STP-06): the table of the kinds, and what all of them
//! have.

mod git;
mod kind;
mod master_shell;
mod patch;
mod related;
pub(in crate::config) mod shell;
mod source;
mod steps_from;
pub(in crate::config) mod trigger;

use serde::Serialize;

use self::kind::StepSettings;
use super::locks::{LockAccess, Locks, User};
use super::reader::{Table, Value};
use super::shape::{KindShape, Shape};
use super::template::{SecretSource, Template};

pub use self::git::GitStepConfig;
pub use self::master_shell::MasterShellConfig;
pub use self::patch::PatchStepConfig;
pub use self::related::RelatedStepConfig;
pub use self::shell::{CommandWords, ShellStepConfig};
pub use self::source::{SourceMethod, SourceMode, SourceSettings};
pub use self::steps_from::{MAX_STEPS_BYTES, StepsFromConfig};
pub use self::trigger::{
    BuildersMatching, ForEach, ForEachValues, GivenSource, TriggerSource, TriggerStepConfig,
    TriggerValue,
};

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
    /// What it does, while it runs; from the command by default (STP-06).
    pub description: Option<Vec<Template>>,
    /// What it did.
    pub description_done: Option<Vec<Template>>,
    /// Added to both.
    pub description_suffix: Option<Vec<Template>>,
    /// The secrets in its settings.
    #[serde(skip)]
    pub secrets: Vec<SecretSource>,
    /// What it is.
    #[serde(flatten)]
    pub kind: StepKind,
}

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
    /// `CancelRelatedBuilds`, and `StopRelatedBuilds`.
    Related(Box<RelatedStepConfig>),
    /// `StepsFrom`.
    StepsFrom(Box<StepsFromConfig>),
    /// `Trigger`.
    Trigger(Box<TriggerStepConfig>),
}

/// A row of [`KINDS`].
struct Kind {
    shape: KindShape,
    /// A step of this kind whose table says nothing.
    usual: fn() -> StepConfig,
}

/// The kinds of step.
static KINDS: [Kind; 11] = [
    Kind {
        shape: KindShape {
            name: "ShellCommand",
            keys: &[shell::KEYS],
        },
        usual: || StepConfig {
            name: "shell".to_owned(),
            ..StepConfig::default()
        },
    },
    Kind {
        shape: KindShape {
            name: "Configure",
            keys: &[shell::KEYS],
        },
        usual: || StepConfig {
            halt_on_failure: true,
            ..shell_command("configure", &["./configure"], "configuring")
        },
    },
    Kind {
        shape: KindShape {
            name: "Compile",
            keys: &[shell::KEYS],
        },
        usual: || StepConfig {
            halt_on_failure: true,
            ..shell_command("compile", &["make", "all"], "compiling")
        },
    },
    Kind {
        shape: KindShape {
            name: "Test",
            keys: &[shell::KEYS],
        },
        usual: || StepConfig {
            warn_on_failure: true,
            ..shell_command("test", &["make", "test"], "testing")
        },
    },
    Kind {
        shape: KindShape {
            name: "Git",
            keys: &[git::KEYS, source::KEYS],
        },
        usual: || source_step("git", StepKind::Git(Box::default())),
    },
    Kind {
        shape: KindShape {
            name: "MasterShellCommand",
            keys: &[master_shell::KEYS],
        },
        usual: || StepConfig {
            name: "MasterShellCommand".to_owned(),
            halt_on_failure: true,
            description: Some(vec![Template::literal("Running")]),
            description_done: Some(vec![Template::literal("Ran")]),
            kind: StepKind::MasterShell(Box::default()),
            ..StepConfig::default()
        },
    },
    Kind {
        shape: KindShape {
            name: "CancelRelatedBuilds",
            keys: &[related::KEYS, related::CANCEL],
        },
        usual: || related_step("CancelRelatedBuilds", RelatedStepConfig::cancel()),
    },
    Kind {
        shape: KindShape {
            name: "StopRelatedBuilds",
            keys: &[related::KEYS],
        },
        usual: || related_step("StopRelatedBuilds", RelatedStepConfig::stop()),
    },
    Kind {
        shape: KindShape {
            name: "StepsFrom",
            keys: &[shell::KEYS, steps_from::KEYS],
        },
        usual: || StepConfig {
            name: "steps".to_owned(),
            halt_on_failure: true,
            kind: StepKind::StepsFrom(Box::default()),
            ..StepConfig::default()
        },
    },
    Kind {
        shape: KindShape {
            name: "Patch",
            keys: &[patch::KEYS],
        },
        usual: || StepConfig {
            name: "patch".to_owned(),
            halt_on_failure: true,
            description: Some(vec![Template::literal("patching")]),
            description_done: Some(vec![Template::literal("patch")]),
            kind: StepKind::Patch(Box::default()),
            ..StepConfig::default()
        },
    },
    Kind {
        shape: KindShape {
            name: "Trigger",
            keys: &[trigger::KEYS],
        },
        usual: || StepConfig {
            name: "trigger".to_owned(),
            kind: StepKind::Trigger(Box::default()),
            ..StepConfig::default()
        },
    },
];

/// A step that ends other builds.
fn related_step(name: &str, settings: RelatedStepConfig) -> StepConfig {
    StepConfig {
        name: name.to_owned(),
        description: Some(vec![Template::literal("Checking")]),
        description_done: Some(vec![Template::literal("Checked")]),
        kind: StepKind::Related(Box::new(settings)),
        ..StepConfig::default()
    }
}

/// A step that runs `words`; its name is what it did.
fn shell_command(name: &str, words: &[&str], doing: &str) -> StepConfig {
    StepConfig {
        name: name.to_owned(),
        description: Some(vec![Template::literal(doing)]),
        description_done: Some(vec![Template::literal(name)]),
        kind: StepKind::Shell(Box::new(ShellStepConfig::of_words(words))),
        ..StepConfig::default()
    }
}

/// A step that obtains the source.
fn source_step(name: &str, kind: StepKind) -> StepConfig {
    StepConfig {
        name: name.to_owned(),
        halt_on_failure: true,
        description: Some(vec![Template::literal("updating")]),
        description_done: Some(vec![Template::literal("update")]),
        kind,
        ..StepConfig::default()
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
        "locks",
        "description",
        "description_done",
        "description_suffix",
    ],
    kinds: || KINDS.iter().map(|kind| kind.shape).collect(),
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
            description: None,
            description_done: None,
            description_suffix: None,
            secrets: Vec::new(),
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
    /// What steps of its kind have.
    fn settings(&self) -> &dyn StepSettings {
        match self {
            Self::Shell(shell) => &**shell,
            Self::Git(git) => &**git,
            Self::MasterShell(shell) => &**shell,
            Self::Patch(patch) => &**patch,
            Self::Related(related) => &**related,
            Self::StepsFrom(steps_from) => &**steps_from,
            Self::Trigger(trigger) => &**trigger,
        }
    }

    /// The settings of its command, if it is one that runs a command of the user's.
    pub(super) fn shell_mut(&mut self) -> Option<&mut ShellStepConfig> {
        match self {
            Self::Shell(shell) => Some(shell),
            Self::StepsFrom(steps_from) => Some(&mut steps_from.command),
            Self::Git(_)
            | Self::MasterShell(_)
            | Self::Patch(_)
            | Self::Related(_)
            | Self::Trigger(_) => None,
        }
    }

    /// Takes what the table has.
    fn read(&mut self, table: &mut Table<'_>) {
        match self {
            Self::Shell(shell) => shell.read(table),
            Self::Git(git) => git.read(table),
            Self::MasterShell(shell) => shell.read(table),
            Self::Patch(patch) => patch.read(table),
            Self::Related(related) => related.read(table),
            Self::StepsFrom(steps_from) => steps_from.read(table),
            Self::Trigger(trigger) => trigger.read(table),
        }
    }
}

/// A step of the kind `name`, which the table has, whose own table says nothing.
pub(super) fn usual(name: &str) -> StepConfig {
    let kind = KINDS.iter().find(|kind| kind.shape.name == name);
    (kind.expect("a kind of the table").usual)()
}

impl StepConfig {
    /// The step with `command`, if its kind runs one.
    pub(super) fn with_command(mut self, command: CommandWords) -> Self {
        if let Some(shell) = self.kind.shell_mut() {
            shell.command = command;
        }
        self
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

    /// The kind of the step, and the program that it runs on a slave, unless the user has to name
    /// that or says where to look for it.
    pub(super) fn program(&self) -> Option<(&'static str, &'static str)> {
        self.kind.settings().program()
    }
}

/// Reads the step in the place `at` of `factory`, before which `before` steps could be read.
pub(super) fn read_step<'a>(
    mut table: Table<'a>,
    (factory, at): (&'a str, usize),
    before: usize,
    locks: &mut Locks<'a>,
) -> Option<StepConfig> {
    let number = at + 1;
    table.label = format!("step {number} of factory `{factory}`").into();
    let kind = table.kind(&KINDS, |kind| kind.shape, None)?;
    let name = kind.shape.name;
    table.label = format!("step {number} ({name}) of factory `{factory}`").into();
    let mut step = (kind.usual)();
    let mut own_name = None;
    table.set_some("name", &mut own_name, |v| v.name().map(str::to_owned));
    step.locks = locks.read_uses(&mut table, &User::Step(factory, before));
    for (key, flag) in [
        ("halt_on_failure", &mut step.halt_on_failure),
        ("flunk_on_warnings", &mut step.flunk_on_warnings),
        ("flunk_on_failure", &mut step.flunk_on_failure),
        ("warn_on_warnings", &mut step.warn_on_warnings),
        ("warn_on_failure", &mut step.warn_on_failure),
        ("always_run", &mut step.always_run),
        ("use_progress", &mut step.use_progress),
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
    step.kind.read(&mut table);
    step.secrets = table.sink.take_secrets();
    let codebase = step.kind.settings().codebase().map(str::to_owned);
    step.tell_codebase(codebase.as_deref());
    if let Some(name) = own_name {
        step.name = name;
    }
    table.finish();
    Some(step)
}

fn templates(value: &Value<'_>) -> Option<Vec<Template>> {
    let entries = value.one_or_list()?;
    Some(entries.iter().filter_map(Value::template).collect())
}
