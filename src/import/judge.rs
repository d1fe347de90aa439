//! Has the configuration's own checks judge what was translated. What they refuse is taken out and
//! told, so that what is written is good (IMP-12).

use std::collections::BTreeSet;

use super::desk::Desk;
use super::emit::{Part, flat};
use super::farm::Plain;
use super::item::Table;
use super::steps::placeholder;
use crate::config::{ConfigError, MachineZone, parse};

/// How often the checks are asked.
const MOST_ROUNDS: usize = 40;

/// Settings that refer to other things: what is wrong with them is a mistake of the farm.
const REFERENCES: [&str; 4] = ["builders", "slaves", "factory", "builddir"];

/// Settings without which a step does nothing.
const NEEDED: [&str; 11] = [
    "extends",
    "type",
    "name",
    "let",
    "command",
    "repourl",
    "property",
    "schedulers",
    "slavedest",
    "masterdest",
    "commands",
];

/// Takes out what the checks refuse, and notes it. What is left is a mistake of the farm; whether
/// the checks have nothing against it.
pub(super) fn judge(plain: &mut Plain, desk: &mut Desk, zone: &MachineZone) -> bool {
    for _ in 0..MOST_ROUNDS {
        let emitted = flat(plain, desk);
        let Err(problems) = parse(&emitted.text, "master.toml", zone) else {
            return true;
        };
        let mut done = BTreeSet::new();
        let mut changed = false;
        let mut faults = Vec::new();
        // From the end, so that the numbers of what is before stay true.
        for error in problems.errors.iter().rev() {
            let Some(mark) = emitted.mark(error.line, error.column) else {
                faults.push(told(error));
                continue;
            };
            // One thing a round: what is wrong with the rest of it is told again.
            if !done.insert(format!("{:?}", mark.part)) {
                continue;
            }
            if let Part::Bundle(at) = mark.part {
                if let Some(id) = desk.bundles.keys().nth(at) {
                    desk.questions.wrong.insert(id.clone(), told(error));
                }
            } else if take_out(plain, desk, mark.part, mark.key.as_deref(), error) {
                changed = true;
            } else {
                faults.push(told(error));
            }
        }
        if !desk.questions.wrong.is_empty() {
            return false;
        }
        if !changed {
            faults.retain(|fault| !plain.faults.contains(fault));
            plain.faults.extend(faults);
            return false;
        }
    }
    let what =
        "this program cannot find out what is wrong with the configuration; please report this";
    plain.faults.push(what.to_owned());
    false
}

fn told(error: &ConfigError) -> String {
    match &error.help {
        Some(help) => format!("{} ({help})", error.message),
        None => error.message.clone(),
    }
}

/// Takes out what is wrong; false if that is not for the import to do.
fn take_out(
    plain: &mut Plain,
    desk: &mut Desk,
    part: Part,
    key: Option<&str>,
    error: &ConfigError,
) -> bool {
    if key.is_some_and(|key| REFERENCES.contains(&key)) && !matches!(part, Part::Step(..)) {
        return false;
    }
    let spot = spot_of(plain, part);
    let removed = match part {
        Part::Top => key.is_some_and(|key| plain.top.remove(key).is_some()),
        Part::Table(at) => {
            let table = plain.tables.get_mut(at).map(|(_, table)| table);
            remove_key(table, key) || remove(&mut plain.tables, at)
        }
        Part::Slave(at) => remove_key(plain.slaves.get_mut(at), key),
        Part::Builder(at) => remove_key(plain.builders.get_mut(at).map(|(table, _)| table), key),
        // The answer is wrong, which the caller tells.
        Part::Bundle(_) => false,
        Part::Step(factory, at) => return take_step(plain, desk, (factory, at), key, error),
        // Without its filter it would build what it should not; what it waits for is not there.
        Part::Scheduler(at) if matches!(key, Some("filter" | "upstream")) => {
            remove(&mut plain.schedulers, at)
        }
        Part::Scheduler(at) => {
            remove_key(plain.schedulers.get_mut(at), key) || remove(&mut plain.schedulers, at)
        }
        Part::ChangeSource(at) => {
            remove_key(plain.change_sources.get_mut(at), key)
                || remove(&mut plain.change_sources, at)
        }
        Part::Status(at) => {
            remove_key(plain.status.get_mut(at), key) || remove(&mut plain.status, at)
        }
    };
    if removed {
        let what = told(error);
        // One entry for all builders that have it.
        let what = match spot.what.split_once(' ') {
            Some((noun, _)) => what.replacen(&spot.what, &format!("{noun}s"), 1),
            None => what,
        };
        desk.spot = spot;
        desk.misses(what);
    }
    removed
}

/// What a part is, for people.
fn spot_of(plain: &Plain, part: Part) -> super::spot::Spot {
    let (noun, table, builders) = match part {
        Part::Slave(at) => ("slave", plain.slaves.get(at), Vec::new()),
        Part::Builder(at) => ("builder", plain.builders.get(at).map(|(t, _)| t), vec![at]),
        Part::Scheduler(at) => ("scheduler", plain.schedulers.get(at), Vec::new()),
        Part::Top
        | Part::Table(_)
        | Part::Bundle(_)
        | Part::Step(..)
        | Part::ChangeSource(_)
        | Part::Status(_) => {
            return super::spot::Spot::default();
        }
    };
    let name = table.and_then(|table| table.get("name")?.as_text());
    super::spot::Spot {
        what: format!("{noun} `{}`", name.unwrap_or_default()),
        at: None,
        builders,
    }
}

fn take_step(
    plain: &mut Plain,
    desk: &mut Desk,
    (factory, at): (usize, usize),
    key: Option<&str>,
    error: &ConfigError,
) -> bool {
    let users = plain.builders.iter().enumerate();
    let users = users.filter(|(_, (_, used))| *used == factory);
    let builders: Vec<usize> = users.map(|(at, _)| at).collect();
    let steps = plain.factories.get_mut(factory).map(|f| &mut f.steps);
    let Some(step) = steps.and_then(|steps| steps.get_mut(at)) else {
        return false;
    };
    let name = step.table.get("name").and_then(super::item::Item::as_text);
    let name = name.unwrap_or(&step.class).to_owned();
    desk.spot = super::spot::Spot {
        what: format!("step `{name}`"),
        at: step.at.clone(),
        builders: builders.clone(),
    };
    let what = match key {
        Some(key) => format!(
            "`{key}` of the step type `{}`: {}",
            step.class,
            without_step(error)
        ),
        None => format!("the step type `{}`: {}", step.class, without_step(error)),
    };
    desk.misses(what);
    match key.filter(|key| !NEEDED.contains(key)) {
        Some(key) => step.table.remove(key).is_some(),
        None if step.waits_for.is_some() => false,
        None => {
            step.table = placeholder(&name, "import-missing", &step.class);
            step.waits_for = Some(format!("`{}`", step.class));
            for builder in builders {
                let waits = desk.waiting.entry(builder).or_default();
                waits.insert(format!("`{}`", step.class));
            }
            true
        }
    }
}

/// The message without the number of the step and the name of its factory, which the import made.
fn without_step(error: &ConfigError) -> String {
    let message = told(error);
    match (message.find(" of step "), message.find("` ")) {
        (Some(start), Some(_)) => {
            let rest = message.get(start + 9..).unwrap_or_default();
            let behind = rest
                .split_once("factory `")
                .and_then(|(_, rest)| rest.split_once('`'));
            let behind = behind.map_or("", |(_, behind)| behind);
            format!("{}{behind}", message.get(..start).unwrap_or_default())
        }
        (Some(_) | None, _) => message,
    }
}

fn remove_key(table: Option<&mut Table>, key: Option<&str>) -> bool {
    match (table, key) {
        (Some(table), Some(key)) if !matches!(key, "type" | "name") => table.remove(key).is_some(),
        (Some(_) | None, _) => false,
    }
}

fn remove<T>(list: &mut Vec<T>, at: usize) -> bool {
    let is_there = at < list.len();
    if is_there {
        list.remove(at);
    }
    is_there
}
