//! `buildbot try`: builds a change before it is committed (SEMANTICS CLI-01 to CLI-05, FEATURES
//! CLI-12).
//!
//! [`Given`] is the command line. [`Given::prepare`] completes it to [`Settings`]. [`run`] makes
//! the job, submits it to the master, and follows its builds with `--wait`. `board` has the state
//! of the builds, without I/O.
//!
//! Invariants: the exit code (CLI-05) is 0 only if the job was accepted and, with `--wait`, all
//! builds were successful. It is 2 after wrong usage, a failed login or a rejected job, and 1 after
//! any other failure. Control characters of the master never reach the terminal.

mod board;
mod follow;
pub(in crate::client) mod job;
mod remote;
mod screen;
mod session;
mod settings;
mod ssh;
mod tail;
#[cfg(test)]
mod tests;
mod words;

use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::{Failed, password};
use crate::backoff::Backoff;
use crate::model::TryJob;
use crate::net::Tasks;
use crate::pb::{Luid, Value};
use crate::protocol::jobfile;

use board::Board;
use follow::{Trouble, follow};
use screen::Screen;
use session::Session;
pub use settings::{Action, Given, Origin, PbWay, Settings, SshWay, Way};

/// Does what `settings` say, for the working tree `here`. Answers with the exit code.
///
/// # Errors
/// The job could not be made or delivered, or its builds not be followed.
pub async fn run(settings: &Settings, here: &Path, tasks: &Tasks) -> Result<u8, Failed> {
    if let (Action::ListBuilders, Way::Pb(way)) = (settings.action, &settings.way) {
        return list_builders(way, tasks).await;
    }
    let made = job::make(settings, here, new_id()?).await?;
    for note in &made.notes {
        writeln!(io::stderr(), "buildbot: {note}").ok();
    }
    if settings.action == Action::Show {
        io::stdout().write_all(&job::describe(&made.job)).ok();
        return Ok(0);
    }
    match &settings.way {
        Way::Ssh(way) => {
            ssh::deliver(way, &jobfile::encode(&made.job)).await?;
            say(settings, "The job was delivered.");
            Ok(0)
        }
        Way::Pb(way) => deliver_by_login(settings, way, &made.job, tasks).await,
    }
}

async fn list_builders(way: &PbWay, tasks: &Tasks) -> Result<u8, Failed> {
    let session = Session::open(way, &password_of(way)?, tasks).await?;
    let names = session.builder_names().await?;
    session.peer.close("done");
    for name in names {
        writeln!(io::stdout(), "{name}").ok();
    }
    Ok(0)
}

async fn deliver_by_login(
    settings: &Settings,
    way: &PbWay,
    job: &TryJob,
    tasks: &Tasks,
) -> Result<u8, Failed> {
    let password = password_of(way)?;
    let session = Session::open(way, &password, tasks).await?;
    let set = session.deliver(job).await?;
    if settings.action != Action::Follow {
        // Only masters of this project find a set by its number.
        let number = session.id_of(set).await?.and_then(|id| id.as_int());
        session.peer.close("done");
        let number = number.map_or_else(String::new, |number| format!(" as build set {number}"));
        say(
            settings,
            &format!("The master has accepted the job{number}."),
        );
        return Ok(0);
    }
    say(
        settings,
        "The master has accepted the job; waiting for its builds.",
    );
    let mut screen = Screen::new(settings.quiet);
    let mut board = Board::default();
    follow_to_the_end(way, &password, session, set, &mut board, &mut screen, tasks).await?;
    screen.finish(&board);
    Ok(board.exit_code(settings.warnings_ok))
}

/// Follows the builds of `set`, over several connections if the master can find the set again
/// (TUP-06).
async fn follow_to_the_end(
    way: &PbWay,
    password: &str,
    mut session: Session,
    mut set: Luid,
    board: &mut Board,
    screen: &mut Screen,
    tasks: &Tasks,
) -> Result<(), Failed> {
    let id = session.id_of(set).await?;
    loop {
        match follow(&session.peer, set, board, screen, tasks).await {
            Ok(()) => {
                session.peer.close("done");
                return Ok(());
            }
            Err(Trouble::Nonsense(what)) => {
                return Err(Failed::NotDone(format!(
                    "{what}; the builds go on without being followed"
                )));
            }
            Err(Trouble::Lost) => {}
        }
        let Some(id) = &id else {
            return Err(Failed::NotDone(
                "the connection to the master broke, and this master does not let a job be followed again; its builds \
                 go on, see the master's own pages"
                    .to_owned(),
            ));
        };
        screen.say("The connection to the master broke; connecting again.");
        (session, set) = find_again(way, password, id, tasks).await?;
        board.reconnected();
    }
}

/// Logs in again and finds the set, with more and more patience.
async fn find_again(
    way: &PbWay,
    password: &str,
    id: &Value,
    tasks: &Tasks,
) -> Result<(Session, Luid), Failed> {
    let mut pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        sleep(pauses.next_delay()).await;
        let found = async {
            let session = Session::open(way, password, tasks).await?;
            let set = session.find_set(id).await?;
            Ok((session, set))
        };
        match found.await {
            Ok(found) => return Ok(found),
            Err(Failed::NotDone(_)) if !pauses.is_at_longest() => {}
            Err(Failed::NotDone(why)) => {
                return Err(Failed::NotDone(format!(
                    "the connection to the master broke, and: {why}; the builds may go on"
                )));
            }
            Err(failed @ (Failed::Usage(_) | Failed::Refused(_))) => return Err(failed),
        }
    }
}

/// Before the first attempt to connect again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// After a pause as long as this, about two minutes in all, there is no further attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(64);

fn password_of(way: &PbWay) -> Result<String, Failed> {
    if let Some(password) = &way.password {
        return Ok(password.clone());
    }
    match password::ask(&format!("Password of '{}' at the master: ", way.user)) {
        Ok(Some(password)) => Ok(password),
        Ok(None) => Err(Failed::Usage(
            "--passwd is missing, no options file says try_password = \"…\", and there is no terminal to ask on"
                .to_owned(),
        )),
        Err(e) => Err(Failed::Usage(format!(
            "--passwd: cannot ask for the password: {e}"
        ))),
    }
}

/// An id for the job: the time and a random number (CLI-02).
fn new_id() -> Result<String, Failed> {
    Ok(format!(
        "{}-{}",
        now_secs()?,
        rand::random_range(0..1_000_000_u32)
    ))
}

/// Seconds since the epoch.
///
/// # Errors
/// The machine's clock is before it.
pub fn now_secs() -> Result<u64, Failed> {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(time) => Ok(time.as_secs()),
        Err(_) => Err(Failed::NotDone(
            "the clock of this machine is before 1970; set it right".to_owned(),
        )),
    }
}

fn say(settings: &Settings, text: &str) {
    if !settings.quiet {
        writeln!(io::stdout(), "{text}").ok();
    }
}

/// `text` without control characters, which could do things to a terminal.
fn clean(text: &str) -> String {
    let harmless = |c: char| !c.is_control() || c == '\t';
    text.chars()
        .map(|c| {
            if harmless(c) {
                c
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect()
}
