//! Carries a Buildbot farm over: the dump that its own Python wrote becomes a configuration with
//! questions, secrets and a report (the rules IMP-01 to IMP-51).
//!
//! It works on the dump alone. Everything here is texts in and texts out; the verb
//! `import-config` reads and writes the files.
//!
//! Start reading at [`import`], then `farm`, which walks the farm; `values` and `steps` have most
//! of the rules. Which types and settings exist is asked of the configuration itself
//! (`config::known`), and its checks judge the result (`judge`), so what this program does not have
//! is told and never written.

mod answers;
mod bundle;
mod changes;
mod defaults;
mod desk;
mod dump;
mod emit;
mod farm;
mod fold;
mod folded;
mod hooks;
mod item;
mod judge;
mod layout;
mod locks;
mod questions;
mod report;
mod settings;
mod slaves;
mod spot;
mod steps;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::config::MachineZone;

/// The Python script that writes the dump of a farm (IMP-01).
pub const SCRIPT: &str = include_str!("dump.py");

/// The first line of every file that an import writes; without it a file is not replaced.
pub const HEAD: &str = emit::HEAD;

/// What is to be carried over.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The text of the dump.
    pub dump: &'a str,
    /// The name of its file.
    pub file: &'a str,
    /// The text of `answers.toml`, if there is one.
    pub answers: Option<&'a str>,
    /// The name of the directory that is written.
    pub dir: &'a str,
    /// Whether factories stay as they were, without arguments.
    pub flat: bool,
    /// The time zone of the machine, for schedulers without one.
    pub zone: &'a MachineZone,
}

/// What an import writes.
#[derive(Clone, Debug)]
pub struct Import {
    /// Files of the configuration, by name.
    pub files: BTreeMap<String, String>,
    /// Files with secrets, by name below `secrets/`.
    pub secrets: BTreeMap<String, String>,
    /// Files of passwords that have to be made up, by name below `secrets/`.
    pub made_up: BTreeSet<String>,
    /// The text of `answers.toml`.
    pub answers: String,
    /// The text of `import-report.md`.
    pub report: String,
    /// Its first sentence.
    pub sentence: String,
    /// The report as JSON.
    pub json: Json,
    /// Mistakes of the farm that keep the master from starting.
    pub faults: Vec<String>,
    /// Whether something is open or missing.
    pub is_partial: bool,
}

/// Carries a farm over.
///
/// # Errors
/// It is not a dump, or `answers.toml` has a mistake: what is wrong.
pub fn import(request: &Request<'_>) -> Result<Import, String> {
    let farm = dump::read(request.dump)?;
    let json: Json = serde_json::from_str(request.dump).map_err(|error| error.to_string())?;
    let given = match request.answers {
        Some(text) => answers::read(text)?,
        None => BTreeMap::new(),
    };
    let mut desk = desk::Desk {
        questions: questions::Questions::new(&json, given),
        ..desk::Desk::default()
    };
    let mut plain = farm::translate(&farm, &mut desk);
    check_answers(&desk, request)?;
    let is_good = judge::judge(&mut plain, &mut desk, request.zone);
    check_answers(&desk, request)?;
    desk.tell_waiting_locks(&plain);
    let written = written(&mut plain, &desk, request, is_good);
    let outcome = report::Outcome {
        plain: &plain,
        desk: &desk,
        written: (written.factories, written.steps),
        dir: request.dir,
        file: request.file,
        farm: &farm,
    };
    Ok(Import {
        files: written.files,
        answers: answers::write(request.answers, &desk),
        report: format!("<!-- {HEAD} -->\n{}", outcome.markdown()),
        sentence: outcome.sentence(),
        json: outcome.json(),
        is_partial: desk.questions.open().next().is_some() || !desk.missing.is_empty(),
        faults: plain.faults.clone(),
        secrets: desk.secrets,
        made_up: desk.made_up,
    })
}

/// Tells the first answer that is wrong, with its line.
fn check_answers(desk: &desk::Desk, request: &Request<'_>) -> Result<(), String> {
    let Some((id, wrong)) = desk.questions.wrong.first_key_value() else {
        return Ok(());
    };
    let line = answers::line_of(request.answers.unwrap_or_default(), id);
    Err(format!("answers.toml:{line}: the answer to {id}: {wrong}"))
}

/// The configuration as it is written. A folded one that does not mean the same is a mistake of
/// this program, and is told (IMP-38). One that the checks refuse cannot be compared, and stays as
/// it is.
fn written(
    plain: &mut farm::Plain,
    desk: &desk::Desk,
    request: &Request<'_>,
    is_good: bool,
) -> folded::Written {
    if !request.flat && is_good {
        match folded::folded(plain, desk, request.zone) {
            Ok(written) => return written,
            Err(what) => plain.faults.push(format!(
                "this program has folded the configuration wrongly, and has written it unfolded; \
                 please report this: {what}"
            )),
        }
    }
    folded::plainly(plain, desk)
}
