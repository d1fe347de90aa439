//! Paths on the master, as steps give them.

use crate::blocking;
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::{Template, TemplatePart};
use crate::logs::Channel;
use crate::model::Results;
use crate::transfer::{MasterFiles, MasterPath, Problem};

/// The path that `template` gives, which is `rendered`. Only what the configuration writes is
/// trusted.
pub(super) fn master_path(template: &Template, rendered: &str) -> MasterPath {
    let is_text = |part: &TemplatePart| matches!(part, TemplatePart::Text(_));
    let literal = match template.0.as_slice() {
        parts if parts.iter().all(is_text) => rendered.len(),
        [TemplatePart::Text(text), ..] => text.len(),
        _ => 0,
    };
    MasterPath::new(rendered, literal)
}

/// Opens the master's end of a transfer, on a thread that may block.
pub(super) async fn open<T: Send + 'static>(
    step: &StepRun<'_>,
    open: impl FnOnce(&MasterFiles) -> Result<T, Problem> + Send + 'static,
) -> Result<Result<T, Problem>, Performed> {
    let files = step.around.files.clone();
    let opened = blocking::run(move || open(&files)).await;
    opened.map_err(|error| Performed::Raised(format!("{error}\n")))
}

/// Says in the step's log what went wrong on the master.
pub(super) async fn say(step: &mut StepRun<'_>, problem: &Problem) {
    let text = format!("{problem}\n");
    step.logs.store(Channel::Header, STDIO, text.into()).await;
}

/// How a transfer ended.
pub(super) const fn ended(is_good: bool) -> Performed {
    Performed::Ended {
        result: if is_good {
            Results::Success
        } else {
            Results::Failure
        },
        detail: Vec::new(),
    }
}

/// The last part of a path on the slave, as in the texts of Buildbot.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
