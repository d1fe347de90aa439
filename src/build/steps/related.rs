//! `CancelRelatedBuilds` and `StopRelatedBuilds`: end requests and builds that a newer build
//! has made needless.

use super::shell::{Unrenderable, put_in};
use crate::botmaster::{Related, RelatedEnds, StampField};
use crate::build::control::AskedNews;
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::{RelatedStepConfig, Template};
use crate::model::Results;

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &RelatedStepConfig,
) -> Performed {
    let prepared = prepare(step, config);
    let (related, doing, done) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => return Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    };
    step.begin(doing, done, &[STDIO]).await;
    let build = step.around.plan.build;
    step.around.desk.end_related(build, related).await;
    loop {
        match step.controls.asked_news(step.logs.index).await {
            AskedNews::Ended(ends) => {
                step.logs.note(lines_of(&ends)).await;
                return Performed::Ended {
                    result: Results::Success,
                    detail: detail(&ends),
                };
            }
            // It belongs to a step that was interrupted.
            AskedNews::Triggered(_) | AskedNews::Over(_) => {}
            AskedNews::Stopped(reason) => {
                step.interrupted = Some(reason);
                return Performed::Ended {
                    result: Results::Exception,
                    detail: Vec::new(),
                };
            }
            AskedNews::SlaveLost => return Performed::SlaveLost,
        }
    }
}

type Prepared = (Related, Vec<String>, Vec<String>);

fn prepare(step: &StepRun<'_>, config: &RelatedStepConfig) -> Result<Prepared, Unrenderable> {
    let values = step.values();
    let put_all_in = |texts: &[Template], what: &str| {
        let texts = texts.iter().map(|text| put_in(text, values, what));
        texts.collect::<Result<Vec<_>, _>>()
    };
    let texts = |texts: &Option<Vec<Template>>, what| {
        put_all_in(texts.as_deref().unwrap_or_default(), what)
    };
    let mut doing = texts(&step.config.description, "description")?;
    let mut done = texts(&step.config.description_done, "description_done")?;
    let suffix = texts(&step.config.description_suffix, "description_suffix")?;
    doing.extend(suffix.iter().cloned());
    done.extend(suffix);
    let reason = put_in(&config.reason, values, "reason")?;
    let properties = config.same_properties.iter().map(|name| {
        let value = step.properties.get(name).cloned().unwrap_or_default();
        (name.clone(), value)
    });
    let related = Related {
        step: step.logs.index,
        builders: put_all_in(&config.builders, "builders")?,
        same: config.same.iter().filter_map(|name| field(name)).collect(),
        properties: properties.collect(),
        only_older: config.only_older,
        waiting: config.cancel_waiting,
        running: config.stop_running.then_some(reason),
    };
    Ok((related, doing, done))
}

fn field(name: &str) -> Option<StampField> {
    Some(match name {
        "branch" => StampField::Branch,
        "revision" => StampField::Revision,
        "repository" => StampField::Repository,
        "project" => StampField::Project,
        "codebase" => StampField::Codebase,
        _ => return None,
    })
}

/// What was ended, for the log.
fn lines_of(ends: &RelatedEnds) -> String {
    let cancelled = ends.cancelled.iter();
    let cancelled =
        cancelled.map(|(id, builder)| format!("request {id} of {builder}: cancelled\n"));
    let stopped = ends.stopped.iter().map(|(builder, number)| match number {
        Some(number) => format!("build {builder}/{number}: stopped\n"),
        None => format!("a build of {builder} that was being started: stopped\n"),
    });
    let lines: String = cancelled.chain(stopped).collect();
    match lines.is_empty() {
        true => "nothing to end\n".to_owned(),
        false => lines,
    }
}

fn detail(ends: &RelatedEnds) -> Vec<String> {
    let counts = [
        (ends.cancelled.len(), "cancelled"),
        (ends.stopped.len(), "stopped"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match counts.is_empty() {
        true => Vec::new(),
        false => vec![format!("({})", counts.join(", "))],
    }
}
