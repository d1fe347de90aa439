//! Asks the programs of the configuration whether slaves may take builds (`slave_check`), and tells
//! the core what they say.
//!
//! A program reads a line of JSON: `{"builder": "full", "slave": {"name": "one", …}}`. It prints
//! `yes`, or `no` and a reason, and ends with exit code 0. All else is a failure. What differs from
//! the last answer about the same builder and slave goes into the log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tracing::{info, info_span, warn};

use super::sessions::Happened;
use crate::botmaster::{CheckAnswer, CheckId, CheckWanted, Input};
use crate::model::{BuilderName, SlaveName};
use crate::net::Tasks;
use crate::process;
use crate::text::printable;

/// How many programs run at once; others wait.
const AT_ONCE: usize = 16;

/// Maximum number of bytes of an answer.
const LARGEST: usize = 4096;

/// Maximum number of characters of a reason.
const LONGEST_REASON: usize = 200;

/// What is between the answer and its reason.
const SIGNS: [char; 3] = [' ', ':', ','];

/// What the log was told last of each pair.
type Told = Arc<Mutex<HashMap<(BuilderName, SlaveName), CheckAnswer>>>;

/// Runs the checks.
#[derive(Debug)]
pub(super) struct Checks {
    room: Arc<Semaphore>,
    told: Told,
    tell: mpsc::Sender<Happened>,
    tasks: Tasks,
}

impl Checks {
    /// None runs yet.
    pub(super) fn new(tell: mpsc::Sender<Happened>, tasks: Tasks) -> Self {
        Self {
            room: Arc::new(Semaphore::new(AT_ONCE)),
            told: Told::default(),
            tell,
            tasks,
        }
    }

    /// Asks, and tells the core.
    pub(super) fn carry_out(&self, check: CheckId, what: Box<CheckWanted>) {
        let (room, told, tell) = (
            Arc::clone(&self.room),
            Arc::clone(&self.told),
            self.tell.clone(),
        );
        let span = info_span!("check", builder = %what.builder, slave = %what.slave);
        self.tasks.spawn(span, async move {
            let Ok(_room) = room.acquire().await else {
                return;
            };
            let answer = ask(&what).await;
            log(&told, *what, &answer);
            // The receiver is gone once the master has ended.
            drop(
                tell.send(Happened::Told(Input::Checked { check, answer }))
                    .await,
            );
        });
    }
}

async fn ask(what: &CheckWanted) -> CheckAnswer {
    let question = json!({ "builder": what.builder.as_str(), "slave": *what.facts });
    let mut input = question.to_string();
    input.push('\n');
    let program = &what.program;
    let said = process::ask(
        &program.command,
        Some(input.as_bytes()),
        program.timeout,
        LARGEST,
    );
    said.await
        .map_or_else(|why| CheckAnswer::Failed(short(&why)), |said| read(&said))
}

/// What a program has printed.
fn read(said: &str) -> CheckAnswer {
    let line = said.trim().lines().next().unwrap_or_default().trim_end();
    let (word, reason) = line.split_once(SIGNS).unwrap_or((line, ""));
    match word {
        "yes" => CheckAnswer::Yes,
        "no" => CheckAnswer::No(short(reason.trim_start_matches(SIGNS))),
        "" => CheckAnswer::Failed("it printed nothing".to_owned()),
        _ => CheckAnswer::Failed(format!(
            "it printed `{}`, which is neither `yes` nor `no`",
            short(line)
        )),
    }
}

/// On one line for people.
fn short(text: &str) -> String {
    printable(text).chars().take(LONGEST_REASON).collect()
}

fn log(told: &Told, what: CheckWanted, answer: &CheckAnswer) {
    let pair = (what.builder, what.slave);
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let last = told.insert(pair, answer.clone());
    if last.as_ref() == Some(answer) {
        return;
    }
    match answer {
        CheckAnswer::Yes if last.is_none() => {}
        CheckAnswer::Yes => info!("the slave may take builds again"),
        CheckAnswer::No(why) => info!("the slave takes no builds: {why}"),
        CheckAnswer::Failed(why) => {
            warn!("the slave takes no builds, because its slave_check has failed: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_yes_or_no_with_a_reason_and_all_else_is_a_failure() {
        let no = |why: &str| CheckAnswer::No(why.to_owned());
        for (said, answer) in [
            ("yes\n", CheckAnswer::Yes),
            ("\n yes: all is well\nmore\n", CheckAnswer::Yes),
            ("no\n", no("")),
            ("no: the board is taken\n", no("the board is taken")),
            ("no, the board is taken\n", no("the board is taken")),
            ("no the board\tis taken", no(&short("the board\tis taken"))),
        ] {
            assert_eq!(read(said), answer, "{said:?}");
        }
        for said in ["", "\n", "YES", "yesterday", "nothing", "{\"may\": true}"] {
            assert!(matches!(read(said), CheckAnswer::Failed(_)), "{said:?}");
        }
        let CheckAnswer::No(why) = read(&format!("no {}", "x".repeat(1000))) else {
            panic!("it is no");
        };
        assert_eq!(why.len(), LONGEST_REASON);
    }
}
