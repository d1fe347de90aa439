//! `buildbot hook`: what the hooks of a repository call to tell a master what was committed
//! (HKN-01 to HKN-03).
//!
//! A hook finds the changes of one push, puts them into the spool beside the repository, and sends
//! what is in the spool. What the master does not take within [`PATIENCE`] stays there, and goes
//! with the next push or by `buildbot hook flush`.
//!
//! Invariants: a push never fails because of a hook, and never waits longer for the master than
//! that. Changes are sent in the order of the pushes, and each has a number of its own by which the
//! master knows it when it comes twice. Nothing that comes from a repository passes a shell.

mod bzr;
mod cvs;
mod darcs;
mod git;
mod hg;
mod install;
mod place;
mod sending;
mod settings;
mod spool;
mod svn;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Failed;
use super::vc::VcError;
use crate::model::NewChange;
use crate::net::Tasks;
use crate::text::Encoding;
use crate::vc::Vc;

pub use self::install::install;
pub use self::place::Place;
pub use self::settings::{Layout, Settings};

use self::sending::Sent;
use self::spool::Spool;

/// How long a push waits for the master (HKN-03).
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How long `flush` waits for each answer of the master.
const PATIENCE_OF_FLUSH: Duration = Duration::from_secs(60);

/// Maximum number of commits of one push that are sent one by one.
const MOST_COMMITS: u64 = 10_000;

/// Maximum number of bytes of the standard input of a hook.
const MOST_INPUT: u64 = 64 * 1024 * 1024;

/// What a hook has found.
#[derive(Debug, Default)]
struct Found {
    /// The changes, the oldest first.
    changes: Vec<NewChange>,
    /// What the user should know.
    notes: Vec<String>,
}

/// What a hook has done, for the user who pushed.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Sentences for the user.
    pub notes: Vec<String>,
    /// Whether all that was in the spool is at the master now.
    pub is_sent: bool,
    /// Whether a process of its own should go on sending, because the master only is slow.
    pub goes_on: bool,
}

/// Runs the hook of a repository. `words` are the arguments that the version control system gives.
///
/// # Errors
/// The call is wrong, or the repository cannot be read. The push has happened all the same.
pub async fn run(place: &Place, words: &[String], tasks: &Tasks) -> Result<Outcome, Failed> {
    let settings = place.settings()?;
    let spool = Spool::open(place).map_err(|error| not_kept(place, &error))?;
    let encoding = settings.encoding();
    let found = match place.vc {
        Vc::Git => git::changes(place, &input()?, &settings).await,
        Vc::Svn => svn::changes(&place.dir, words, &settings).await,
        Vc::Hg => hg::changes(&place.dir, encoding).await,
        Vc::Bzr => bzr::changes(&place.dir, words, encoding).await,
        Vc::Darcs => darcs::changes(&place.dir, encoding).await,
        Vc::Cvs => {
            cvs::keep(&spool, words, &text(&input()?, encoding))?;
            return Ok(Outcome {
                goes_on: true,
                ..Outcome::default()
            });
        }
        Vc::Mtn | Vc::P4 => Err(place::no_hook(place.vc)),
    };
    let Found { mut changes, notes } = found?;
    for change in &mut changes {
        settings.fill(change, place.vc, &place.dir);
    }
    if !changes.is_empty() {
        spool
            .add(&changes)
            .map_err(|error| not_kept(place, &error))?;
    }
    let sent = sending::send(&spool, &settings, PATIENCE, tasks).await;
    Ok(outcome(place, notes, sent))
}

/// Sends what is in the spool of a repository.
///
/// # Errors
/// The settings or the spool cannot be read.
pub async fn flush(place: &Place, tasks: &Tasks) -> Result<Outcome, Failed> {
    let settings = place.settings()?;
    let spool = Spool::open(place).map_err(|error| not_kept(place, &error))?;
    if place.vc == Vc::Cvs {
        let changes = cvs::gather(&spool)
            .await
            .map_err(|error| not_kept(place, &error))?;
        for mut change in changes {
            settings.fill(&mut change, place.vc, &place.dir);
            spool
                .add(&[change])
                .map_err(|error| not_kept(place, &error))?;
        }
    }
    let sent = sending::send(&spool, &settings, PATIENCE_OF_FLUSH, tasks).await;
    Ok(outcome(place, Vec::new(), sent))
}

/// Sends a sample, to see whether the master takes changes of this repository.
///
/// # Errors
/// The settings or the spool cannot be read.
pub async fn test(place: &Place, tasks: &Tasks) -> Result<Outcome, Failed> {
    let settings = place.settings()?;
    let spool = Spool::open(place).map_err(|error| not_kept(place, &error))?;
    let mut change = NewChange {
        who: "buildbot hook test".to_owned(),
        comments: "This change tests the hook of the repository.".to_owned(),
        files: vec!["test-of-the-hook".to_owned()],
        category: Some("hook-test".to_owned()),
        ..NewChange::default()
    };
    settings.fill(&mut change, place.vc, &place.dir);
    spool
        .add(&[change])
        .map_err(|error| not_kept(place, &error))?;
    let sent = sending::send(&spool, &settings, PATIENCE_OF_FLUSH, tasks).await;
    Ok(outcome(place, Vec::new(), sent))
}

fn outcome(place: &Place, mut notes: Vec<String>, sent: Sent) -> Outcome {
    if let Some(why) = &sent.why
        && sent.left > 0
    {
        let count = match sent.left {
            1 => "1 change is".to_owned(),
            left => format!("{left} changes are"),
        };
        let mut note = format!("{why}; {count} kept");
        if !sent.goes_on {
            let dir = place.dir.display();
            write!(
                note,
                " and sent with the next push, or by `buildbot hook flush {dir}`"
            )
            .expect("a string takes all");
        }
        notes.push(note);
    }
    Outcome {
        notes,
        is_sent: sent.left == 0,
        goes_on: sent.goes_on,
    }
}

fn not_kept(place: &Place, error: &dyn std::fmt::Display) -> Failed {
    let spool = place.spool();
    Failed::NotDone(format!(
        "cannot keep changes in {}: {error}",
        spool.display()
    ))
}

impl From<VcError> for Failed {
    fn from(error: VcError) -> Self {
        Self::NotDone(error.to_string())
    }
}

/// The standard input.
fn input() -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(MOST_INPUT).read_to_end(&mut bytes);
    read.map_err(|error| Failed::NotDone(format!("cannot read the standard input: {error}")))?;
    Ok(bytes)
}

/// The text of a message or a name, in UTF-8 (INT-08).
fn text(bytes: &[u8], encoding: Encoding) -> String {
    encoding.decode(bytes).into_owned()
}

/// A path in messages of the version control system, made absolute.
fn absolute(dir: &Path) -> PathBuf {
    std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())
}
