//! `Trigger`: has other builds made, and may wait for them.
//!
//! The core makes the build sets; this step says what it wants and hears of their ends. Its log
//! tells of each set. The result is a failure if one of the sets that are waited for has failed,
//! as in Buildbot 0.8; warnings of their builds do not count.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::shell::{Unrenderable, put_in};
use crate::botmaster::{
    BuilderPattern, MOST_TRIGGERED, NotTriggered, Trigger, TriggerOver, TriggerWish, Triggered,
    Wished,
};
use crate::build::control::AskedNews;
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::{
    ForEach, ForEachValues, GivenSource, Subject, TemplatePart, TriggerSource, TriggerStepConfig,
    TriggerValue,
};
use crate::model::{
    Properties, Results, SchedulerName, SetId, SourceStamp, SourceStamps, build_url,
    revision_of_codebase, revision_text,
};

/// The source of the properties that the step gives along.
const SOURCE: &str = "Trigger";

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &TriggerStepConfig,
) -> Performed {
    let prepared = match prepare(step, config) {
        Ok(prepared) => prepared,
        Err(problem) => return Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    };
    let mut text = vec!["triggered".to_owned()];
    text.extend(prepared.names.iter().cloned());
    let doing = vec!["triggering".to_owned(), prepared.names.join(", ")];
    step.begin(doing, text.clone(), &[STDIO]).await;
    let (build, index) = (step.around.plan.build, step.logs.index);
    if prepared.wishes.len() > MOST_TRIGGERED {
        let count = prepared.wishes.len();
        let why = format!("{count} build sets are too many: the limit is {MOST_TRIGGERED}\n");
        return Performed::Raised(format!("step '{}': {why}", step.name));
    }
    let trigger = Trigger {
        step: index,
        wait: config.wait_for_finish,
        wishes: prepared.wishes,
    };
    step.around.desk.trigger(build, trigger).await;
    let triggered = match await_answer(step).await {
        Ok(triggered) => triggered,
        Err(performed) => return performed,
    };
    step.begin(text.clone(), text.clone(), &[]).await;
    step.text = Some(text);
    let mut open = Open::default();
    for one in &triggered {
        let line = open.take(one, &prepared.unimportant);
        step.logs.note(line).await;
    }
    if !config.wait_for_finish {
        return ended(Results::Success);
    }
    open.outlast(step).await
}

fn ended(result: Results) -> Performed {
    Performed::Ended {
        result,
        detail: Vec::new(),
    }
}

/// What the step wants, with the names that its text has.
struct Prepared {
    names: Vec<String>,
    wishes: Vec<TriggerWish>,
    /// Schedulers that cannot fail the step.
    unimportant: BTreeSet<SchedulerName>,
}

fn prepare(step: &StepRun<'_>, config: &TriggerStepConfig) -> Result<Prepared, Unrenderable> {
    let values = step.values();
    let mut targets = Vec::new();
    let mut names = Vec::new();
    for scheduler in &config.schedulers {
        let name = put_in(scheduler, values, "schedulers")?;
        targets.push(Wished::Scheduler(name.as_str().into()));
        names.push(name);
    }
    if let Some(matching) = &config.builders_matching {
        let put_all_in = |texts: &[_], what| {
            let texts = texts.iter().map(|text| put_in(text, values, what));
            texts.collect::<Result<Vec<_>, _>>()
        };
        let pattern = BuilderPattern {
            names: put_all_in(&matching.name, "builders_matching, name")?,
            tags: put_all_in(&matching.tags, "builders_matching, tags")?,
        };
        names.extend(pattern.names.iter().chain(&pattern.tags).cloned());
        targets.push(Wished::Builders(pattern));
    }
    let unimportant = config.unimportant_schedulers.iter().map(|name| {
        let name = put_in(name, values, "unimportant_schedulers")?;
        Ok(name.as_str().into())
    });
    let stamps = Arc::new(stamps(step, &config.source)?);
    let common = properties(step, config)?;
    let each = match &config.for_each {
        Some(each) => values_of(step, each)?
            .into_iter()
            .map(|value| {
                let mut properties = common.clone();
                properties.set(&each.property, value, SOURCE);
                properties
            })
            .collect(),
        None => vec![common],
    };
    let wishes = each.iter().flat_map(|properties| {
        targets.iter().map(|what| TriggerWish {
            what: what.clone(),
            stamps: Arc::clone(&stamps),
            properties: properties.clone(),
        })
    });
    Ok(Prepared {
        wishes: wishes.collect(),
        unimportant: unimportant.collect::<Result<_, Unrenderable>>()?,
        names,
    })
}

/// What is built (SST-07).
fn stamps(step: &StepRun<'_>, source: &TriggerSource) -> Result<SourceStamps, Unrenderable> {
    let of_build = &*step.around.plan.stamps;
    Ok(match source {
        TriggerSource::Latest => SourceStamps::default(),
        TriggerSource::Given(given) => {
            let stamps = given.iter().map(|one| given_stamp(step, one));
            stamps.collect::<Result<_, _>>()?
        }
        TriggerSource::Asked => of_build.clone(),
        TriggerSource::Built => of_build.map(|stamp| SourceStamp {
            revision: revision(step, stamp).or_else(|| stamp.revision.clone()),
            ..stamp.clone()
        }),
    })
}

/// The revision that a step of the build has checked out for the codebase of `stamp`.
fn revision(step: &StepRun<'_>, stamp: &SourceStamp) -> Option<String> {
    let got = step.properties.get("got_revision")?;
    match (got.is_object(), step.around.plan.stamps.single()) {
        (true, _) => revision_of_codebase(got, &stamp.codebase),
        (false, Some(_)) => revision_text(got),
        (false, None) => None,
    }
}

fn given_stamp(step: &StepRun<'_>, given: &GivenSource) -> Result<SourceStamp, Unrenderable> {
    let values = step.values();
    let text = |template: &Option<_>, what: &str| {
        let what = format!("source_stamp, {what}");
        let text = template.as_ref().map(|text| put_in(text, values, &what));
        text.transpose()
    };
    Ok(SourceStamp {
        branch: text(&given.branch, "branch")?,
        revision: text(&given.revision, "revision")?,
        repository: text(&given.repository, "repository")?.unwrap_or_default(),
        project: text(&given.project, "project")?.unwrap_or_default(),
        codebase: text(&given.codebase, "codebase")?.unwrap_or_default(),
        ..SourceStamp::default()
    })
}

/// The properties that all sets get. A property that is copied but not set is null, as in Buildbot.
fn properties(step: &StepRun<'_>, config: &TriggerStepConfig) -> Result<Properties, Unrenderable> {
    let mut properties = Properties::new();
    for (name, value) in &config.set_properties {
        let value = value_of(step, value, &format!("set_properties, {name}"))?;
        properties.set(name, value, SOURCE);
    }
    for name in &config.copy_properties {
        let value = step.properties.get(name).cloned().unwrap_or_default();
        properties.set(name, value, SOURCE);
    }
    Ok(properties)
}

fn value_of(step: &StepRun<'_>, value: &TriggerValue, what: &str) -> Result<Value, Unrenderable> {
    Ok(match value {
        TriggerValue::Text(text) => put_in(text, step.values(), what)?.into(),
        TriggerValue::Constant(value) => value.clone(),
    })
}

/// The values of which each gets a set.
fn values_of(step: &StepRun<'_>, each: &ForEach) -> Result<Vec<Value>, Unrenderable> {
    let what = "for_each, values";
    match &each.values {
        ForEachValues::Listed(values) => {
            let values = values.iter().map(|value| value_of(step, value, what));
            values.collect()
        }
        ForEachValues::Words(text) => {
            // A property that is a list.
            let name = match &text.0[..] {
                [
                    TemplatePart::Form {
                        subject: Subject::Property(name),
                        ..
                    }
                    | TemplatePart::List(Subject::Property(name)),
                ] => Some(name),
                _ => None,
            };
            let list = name.and_then(|name| step.properties.get(name)?.as_array());
            if let Some(list) = list {
                return Ok(list.clone());
            }
            let words = put_in(text, step.values(), what)?;
            Ok(words.split_whitespace().map(Value::from).collect())
        }
    }
}

/// Waits until the core has answered; gives what was triggered, or how the step ends.
async fn await_answer(step: &mut StepRun<'_>) -> Result<Vec<Triggered>, Performed> {
    loop {
        match step.controls.asked_news(step.logs.index).await {
            AskedNews::Triggered(Ok(triggered)) => return Ok(triggered),
            AskedNews::Triggered(Err(NotTriggered::Unknown(names))) => {
                let names: Vec<_> = names.iter().map(ToString::to_string).collect();
                let mut text = vec!["not valid scheduler:".to_owned()];
                text.extend(names.iter().cloned());
                step.text = Some(text);
                let line = format!("no scheduler that takes triggers: {}\n", names.join(", "));
                step.logs.note(line).await;
                return Err(ended(Results::Failure));
            }
            AskedNews::Triggered(Err(NotTriggered::Refused(why))) => {
                let why = format!("step '{}': nothing was triggered: {why}\n", step.name);
                return Err(Performed::Raised(why));
            }
            // It belongs to a step that was interrupted.
            AskedNews::Over(_) | AskedNews::Ended(_) => {}
            AskedNews::Stopped(reason) => return Err(interrupted(step, reason)),
            AskedNews::SlaveLost => return Err(Performed::SlaveLost),
        }
    }
}

fn interrupted(step: &mut StepRun<'_>, reason: String) -> Performed {
    step.interrupted = Some(reason);
    ended(Results::Exception)
}

/// The sets that the step waits for.
#[derive(Default)]
struct Open {
    sets: BTreeSet<SetId>,
    /// Those of them that cannot fail the step.
    unimportant: BTreeSet<SetId>,
}

impl Open {
    /// Takes what was triggered; gives its line of the log.
    fn take(&mut self, triggered: &Triggered, unimportant: &BTreeSet<SchedulerName>) -> String {
        let set = match triggered {
            Triggered::Set(set) => set,
            Triggered::Kept(scheduler) => {
                return format!("scheduler {scheduler} builds it at its next run\n");
            }
        };
        self.sets.insert(set.id);
        let scheduler = set.scheduler.as_ref();
        if scheduler.is_some_and(|name| unimportant.contains(name)) {
            self.unimportant.insert(set.id);
        }
        let by = scheduler.map_or_else(String::new, |name| format!(" of scheduler {name}"));
        let requests = set.requests.iter();
        let requests: Vec<_> = requests
            .map(|(request, builder)| format!("{builder} (request {request})"))
            .collect();
        format!("set {}{by}: {}\n", set.id, requests.join(", "))
    }

    /// Waits until all are over.
    async fn outlast(mut self, step: &mut StepRun<'_>) -> Performed {
        let mut result = Results::Success;
        while !self.sets.is_empty() {
            match step.controls.asked_news(step.logs.index).await {
                AskedNews::Over(over) => {
                    if !self.sets.remove(&over.set) {
                        continue;
                    }
                    if !self.unimportant.contains(&over.set) {
                        result = result.worse(over.result);
                    }
                    step.logs.note(line_of(&over)).await;
                    link(step, &over).await;
                }
                AskedNews::Triggered(_) | AskedNews::Ended(_) => {}
                AskedNews::Stopped(reason) => return interrupted(step, reason),
                AskedNews::SlaveLost => return Performed::SlaveLost,
            }
        }
        ended(result)
    }
}

/// Links the builds of a set that is over.
async fn link(step: &mut StepRun<'_>, over: &TriggerOver) {
    for build in &over.builds {
        if let Some(number) = build.number {
            let name = format!("{} #{number}", build.builder);
            let base = &step.around.plan.buildbot_url;
            let url = build_url(base, &build.builder, number);
            step.link(name, url).await;
        }
    }
}

/// The line of the log for a set that is over.
fn line_of(over: &TriggerOver) -> String {
    let builds = over.builds.iter().map(|build| match build.number {
        Some(number) => format!("{}/{number} {}", build.builder, build.result),
        None => format!("{} {} without a build", build.builder, build.result),
    });
    let builds: Vec<_> = builds.collect();
    format!("set {} {}: {}\n", over.set, over.result, builds.join(", "))
}

#[cfg(test)]
mod tests;
