//! Steps that are a `ShellCommand` with a command, texts and a reader of their own: a row each, in
//! the table of their family.

mod make;
mod mysql;
mod packages;
mod python;
pub(in crate::config) mod sequence;
pub(in crate::config) mod trial;
mod visual_studio;
pub(in crate::config) mod warnings;
mod windows;
mod words;

use super::kind::{Kind, nothing};
use super::output::OutputReader;
use super::shell::{self, CommandWords, ShellStepConfig};
use super::{StepConfig, StepKind};
use crate::config::template::Template;

/// The tables of all families.
pub(super) fn families() -> impl Iterator<Item = &'static Kind> {
    [
        make::PROGRAMS,
        python::PROGRAMS,
        trial::PROGRAMS,
        packages::PROGRAMS,
        visual_studio::PROGRAMS,
        windows::PROGRAMS,
        mysql::PROGRAMS,
        sequence::PROGRAMS,
    ]
    .into_iter()
    .flatten()
}

/// The keys of a kind whose command is its own.
const WITHOUT_COMMAND: &[&str] = shell::KEYS;
/// The key of a kind whose command may be given.
const COMMAND: &[&str] = shell::COMMAND;

/// What is usual of a program: its name, its command, what it is doing and has done.
struct Usual<'u> {
    name: &'u str,
    command: &'u [&'u str],
    doing: &'u [&'u str],
    done: &'u [&'u str],
    reader: OutputReader,
}

impl Usual<'_> {
    /// A step of it whose failure fails the build.
    fn step(self) -> StepConfig {
        let texts = |words: &[&str]| {
            let texts = words.iter().map(|word| Template::literal(*word));
            (!words.is_empty()).then(|| texts.collect())
        };
        StepConfig {
            name: self.name.to_owned(),
            description: texts(self.doing),
            description_done: texts(self.done),
            kind: StepKind::Shell(Box::new(ShellStepConfig {
                command: CommandWords::of(self.command),
                reader: self.reader,
                ..ShellStepConfig::default()
            })),
            ..StepConfig::default()
        }
    }

    /// The same; its failure ends the build.
    fn halting(self) -> StepConfig {
        StepConfig {
            halt_on_failure: true,
            ..self.step()
        }
    }
}

/// The settings of the command of a program.
fn shell_of(step: &mut StepConfig) -> &mut ShellStepConfig {
    step.kind.shell_mut().expect("programs are shell commands")
}
