//! Asking a program for the mail addresses of users (MAL-06).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tracing::info;

use super::turns::Failure;
use crate::config::MailLookup;
use crate::process::{self, Beginning, Limits, Lines, Output, Program};

/// Addresses that the program has given, by name.
pub(super) type Answers = BTreeMap<String, String>;

/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of its answers.
const MOST_BYTES: usize = 256 * 1024;

/// Names that are remembered as unknown, so that each is logged once.
const MOST_UNKNOWN: usize = 1000;

/// An answer of the program.
#[derive(Deserialize)]
struct Answer {
    name: String,
    email: Option<String>,
}

/// The addresses that the program of `lookup` has of `users`. It is given a line of JSON for each
/// name, `{"name": "ann"}`, and answers each with `{"name": "ann", "email": "ann@example.org"}`.
///
/// # Errors
/// The program fails.
pub(super) async fn ask(lookup: &MailLookup, users: &[String]) -> Result<Answers, Failure> {
    let MailLookup::Command(words) = lookup else {
        return Ok(Answers::new());
    };
    let Some(name) = words.first().filter(|_| !users.is_empty()) else {
        return Ok(Answers::new());
    };
    let questions = users
        .iter()
        .map(|user| format!("{}\n", json!({ "name": user })));
    let questions: String = questions.collect();
    let mut answers = Beginning::up_to(MOST_BYTES);
    let mut errors = Lines::new(|_| ());
    let limits = Limits {
        time: Some(PATIENCE),
        ..Limits::default()
    };
    let program = Program::new(words);
    let running = process::run(
        &program,
        Some(questions.as_bytes()),
        Output::To(&mut answers),
        Output::To(&mut errors),
        limits,
    );
    let ended = running.await;
    let ended = ended
        .map_err(|error| Failure::Later(format!("cannot run {name}: {error} (see `lookup`)")))?;
    if !ended.how.is_success() {
        let (_, last) = errors.finish();
        let colon = if last.is_empty() { "" } else { ": " };
        let why = format!("the lookup program {name} {}{colon}{last}", ended.how);
        return Err(Failure::Later(why));
    }
    let text = String::from_utf8_lossy(&answers.bytes);
    let found = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let found = found.filter_map(|answer: Answer| Some((answer.name, answer.email?)));
    Ok(found.collect())
}

/// Logs that nobody knows the address of a user, once for each name (MAL-06).
pub(super) fn tell_unknown(who: &str) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.len() < MOST_UNKNOWN && told.insert(who.to_owned()) {
        info!("no mail address is known of {who:?}; see `lookup` and [people]");
    }
}
