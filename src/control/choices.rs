//! Choices of forced builds that a command prints (FRC-03).
//!
//! Invariants: a command runs at most once at a time, and again only when its answer is old. The
//! last answer is kept when it fails, so that a form never loses its choices.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use tracing::warn;

use super::Control;
use crate::config::{AskedProgram, Config, Parameter, ParameterKind, SchedulerKind};
use crate::model::BuilderName;
use crate::process;

/// Maximum number of bytes of an answer, and of choices.
const LARGEST: usize = 64 * 1024;
const MOST: usize = 1000;

/// The answers of commands. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct ChoiceLists {
    lists: Arc<Mutex<BTreeMap<AskedProgram, Arc<List>>>>,
}

/// The answer of a command.
#[derive(Debug, Default)]
struct List {
    /// Held while the command runs.
    answer: tokio::sync::Mutex<Answer>,
}

#[derive(Debug, Default)]
struct Answer {
    choices: Vec<String>,
    good_until: Option<Instant>,
}

impl ChoiceLists {
    /// The choices that `command` prints.
    async fn of(&self, command: &AskedProgram) -> Vec<String> {
        let list = {
            let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lists.entry(command.clone()).or_default())
        };
        let mut answer = list.answer.lock().await;
        if answer
            .good_until
            .is_some_and(|until| Instant::now() < until)
        {
            return answer.choices.clone();
        }
        let said = run(command).await;
        let good_for = command.wait(said.is_ok());
        match said {
            Ok(choices) => answer.choices = choices,
            Err(why) => {
                let program = command.command.first().map_or("", String::as_str);
                warn!(program, "the choices of a parameter are not known: {why}");
            }
        }
        answer.good_until = Some(Instant::now() + good_for);
        answer.choices.clone()
    }
}

async fn run(program: &AskedProgram) -> Result<Vec<String>, String> {
    let text = process::ask(&program.command, None, program.timeout, LARGEST).await?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.take(MOST).map(ToOwned::to_owned).collect())
}

/// The commands of a parameter and of those in its group.
fn commands<'p>(
    parameter: &'p mut Parameter,
    found: &mut Vec<(AskedProgram, &'p mut Vec<String>)>,
) {
    match &mut parameter.kind {
        ParameterKind::ChoiceStringParameter {
            choices,
            command: Some(command),
            ..
        } => found.push((command.clone(), choices)),
        ParameterKind::NestedParameter { fields } => {
            for field in fields {
                commands(field, found);
            }
        }
        ParameterKind::ChoiceStringParameter { .. }
        | ParameterKind::FixedParameter
        | ParameterKind::StringParameter
        | ParameterKind::TextParameter { .. }
        | ParameterKind::IntParameter
        | ParameterKind::BooleanParameter
        | ParameterKind::UserNameParameter { .. }
        | ParameterKind::InheritBuildParameter
        | ParameterKind::BuildslaveChoiceParameter
        | ParameterKind::AnyPropertyParameter
        | ParameterKind::FileParameter { .. }
        | ParameterKind::PatchParameter => {}
    }
}

impl Control {
    /// The configuration, with the choices that commands print in the forms of `builder`.
    pub async fn with_choices(&self, config: Arc<Config>, builder: &BuilderName) -> Arc<Config> {
        let mut known = config;
        for at in 0..known.schedulers.len() {
            let Some(scheduler) = known.schedulers.get(at) else {
                break;
            };
            let form = scheduler.kind.force();
            if !scheduler.builders.contains(builder) || !form.is_some_and(|f| f.has_commands()) {
                continue;
            }
            let mut changed = scheduler.as_ref().clone();
            let SchedulerKind::ForceScheduler(form) = &mut changed.kind else {
                continue;
            };
            let mut found = Vec::new();
            let sources = form.codebases.iter_mut().map(|it| &mut it.source);
            for parameter in sources.chain(&mut form.parameters) {
                commands(parameter, &mut found);
            }
            for (command, choices) in found {
                *choices = self.choices.of(&command).await;
            }
            if let Some(place) = Arc::make_mut(&mut known).schedulers.get_mut(at) {
                *place = Arc::new(changed);
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A command that prints a line for each time it has run, and then fails if it must.
    fn command(dir: &std::path::Path, every: Duration) -> AskedProgram {
        let log = dir.join("log");
        let script = format!(
            "echo x >> {log}; cat {log} | grep -c x; test ! -e {dir}/broken",
            log = log.display(),
            dir = dir.display()
        );
        AskedProgram {
            command: vec!["sh".to_owned(), "-c".to_owned(), script],
            every,
            timeout: Duration::from_secs(600),
        }
    }

    #[test]
    fn frc_03_a_command_is_asked_when_its_answer_is_old_and_the_last_answer_is_kept() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("a directory");
            let lists = ChoiceLists::default();
            let seldom = command(dir.path(), Duration::from_secs(900));
            assert_eq!(lists.of(&seldom).await, ["1"]);
            assert_eq!(lists.of(&seldom).await, ["1"]);
            let always = command(dir.path(), Duration::ZERO);
            assert_eq!(lists.of(&always).await, ["2"]);
            assert_eq!(lists.of(&always).await, ["3"]);
            std::fs::write(dir.path().join("broken"), "").expect("a file");
            assert_eq!(lists.of(&always).await, ["3"]);
            let missing = AskedProgram {
                command: vec!["/no/such/program".to_owned()],
                every: Duration::ZERO,
                timeout: Duration::from_secs(600),
            };
            assert_eq!(lists.of(&missing).await, Vec::<String>::new());
        });
    }
}
