//! `SetPropertiesFromEnv`: properties from the environment of the slave.
//!
//! The master does not keep the environments of its slaves, which are long. The step asks for each
//! variable with a command.

use super::shell::{describe, raised};
use crate::build::command::Listening;
use crate::build::step::{Performed, StepRun};
use crate::config::SlaveEnvConfig;
use crate::model::Results;
use crate::protocol::{CommandArgs, ShellArgs, ShellCommand};

/// Longest value; a longer one is cut.
const MOST_BYTES: usize = 64 * 1024;

/// Runs the step. A variable that is not set, or is empty, sets no property, as in Buildbot.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &SlaveEnvConfig,
) -> Performed {
    let nothing = ShellCommand::Words(Vec::new());
    let texts = [false, true].map(|done| describe(step.config, &nothing, done, step.values()));
    let [doing, done] = match texts {
        [Ok(doing), Ok(done)] => [doing, done],
        [Err(problem), _] | [_, Err(problem)] => return raised(step, &problem),
    };
    step.begin(doing, done, &[]).await;
    let is_windows = {
        let system = step.around.plan.slave_info.get("system");
        system.is_some_and(|system| system == "nt")
    };
    let mut lines = String::new();
    for name in &config.variables {
        let asked = CommandArgs::Shell(Box::new(question(name, is_windows)));
        let listening = Listening {
            log: "",
            collect: MOST_BYTES,
            lines: None,
            taps: None,
        };
        let report = match step.complete_heard(&asked, listening).await {
            Ok(report) => report,
            Err(performed) => return performed,
        };
        let output = String::from_utf8_lossy(&report.output);
        let value = output.trim_end_matches(['\r', '\n']);
        let is_set = report.rc == Some(0) && value != format!("%{name}%");
        if is_set && !value.is_empty() {
            lines += &format!("{name} = {value}\n");
            step.set_property_from(name, value, &config.source);
        }
    }
    step.logs.add("properties", lines.into()).await;
    Performed::Ended {
        result: Results::Success,
        detail: Vec::new(),
    }
}

/// The command that prints a variable: on Windows, its name between percent signs if it is not set.
fn question(name: &str, is_windows: bool) -> ShellArgs {
    let echo = format!("echo %{name}%");
    let words: &[&str] = if is_windows {
        &["cmd", "/c", &echo]
    } else {
        &["printenv", name]
    };
    ShellArgs {
        log_environ: false,
        ..ShellArgs::words(words.iter().copied(), ".")
    }
}
