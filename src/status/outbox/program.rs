//! Mail to a program, as `sendmail` takes it.

use std::process::ExitStatus;
use std::time::Duration;

use super::message::Mail;
use super::turns::Failure;
use crate::process::{self, How, Limits, Lines, Output, Program};

/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Exit codes of `sendmail` that say that the mail will never be taken: its form or its recipients
/// are wrong (`EX_USAGE`, `EX_DATAERR`, `EX_NOUSER`, `EX_NOHOST`).
const NEVER: [i32; 4] = [64, 65, 67, 68];

/// Gives a mail to a program, with the line ends of Unix.
///
/// # Errors
/// It was not taken.
pub(super) async fn give(words: &[String], mail: &Mail) -> Result<(), Failure> {
    let Some(name) = words.first() else {
        return Err(Failure::Later("`mail_command` is empty".to_owned()));
    };
    let mut text = mail.bytes.clone();
    text.retain(|&byte| byte != b'\r');
    let mut errors = Lines::new(|_| ());
    let limits = Limits {
        time: Some(PATIENCE),
        ..Limits::default()
    };
    let program = Program::new(words);
    let ended = process::run(
        &program,
        Some(&text),
        Output::Discarded,
        Output::To(&mut errors),
        limits,
    );
    let ended = ended.await.map_err(|error| {
        Failure::Later(format!("cannot run {name}: {error} (see `mail_command`)"))
    })?;
    // A program that does not read the mail says by its exit code what that means.
    if ended.how.is_success() {
        return Ok(());
    }
    let (_, last) = errors.finish();
    let colon = if last.is_empty() { "" } else { ": " };
    let why = format!("{name} {}{colon}{last}", ended.how);
    let never = |status: ExitStatus| status.code().is_some_and(|code| NEVER.contains(&code));
    Err(match ended.how {
        How::Exited(status) if never(status) => Failure::Never(why),
        How::Exited(_) | How::Cancelled | How::OutOfTime | How::TooMuchOutput => {
            Failure::Later(why)
        }
    })
}
