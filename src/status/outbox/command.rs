//! Letters to a program (PSH-06).

use std::time::Duration;

use super::turns::Failure;
use crate::process::{self, How, Limits, Lines, Output, Program};

/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The exit code by which a program asks for the letter again (`EX_TEMPFAIL`).
pub(super) const LATER: i32 = 75;

/// The exit code of ssh that says that the connection failed.
pub(super) const SSH_LATER: i32 = 255;

/// Gives `body`, a JSON object, to a program, which asks for it again by the exit code `later`;
/// `key` is that of the letter (OUT-04).
///
/// # Errors
/// It was not taken.
pub(super) async fn give(
    words: &[String],
    key: &str,
    body: &str,
    later: i32,
) -> Result<(), Failure> {
    let Some(name) = words.first() else {
        return Err(Failure::Later("`command` is empty".to_owned()));
    };
    let mut errors = Lines::new(|_| ());
    let limits = Limits {
        time: Some(PATIENCE),
        ..Limits::default()
    };
    let mut program = Program::new(words);
    let environment = std::env::vars_os().chain([("BUILDMASTER_LETTER".into(), key.into())]);
    program.environment = Some(environment.collect());
    let ended = process::run(
        &program,
        Some(body.as_bytes()),
        Output::Discarded,
        Output::To(&mut errors),
        limits,
    );
    let ended = ended
        .await
        .map_err(|error| Failure::Later(format!("cannot run {name}: {error} (see `command`)")))?;
    // A program that does not read its input says by its exit code what that means.
    if ended.how.is_success() {
        return Ok(());
    }
    let (_, last) = errors.finish();
    let colon = if last.is_empty() { "" } else { ": " };
    let why = format!("{name} {}{colon}{last}", ended.how);
    Err(match ended.how {
        How::Exited(status) if status.code().is_some_and(|code| code != later) => {
            Failure::Never(why)
        }
        How::Exited(_) | How::Cancelled | How::OutOfTime | How::TooMuchOutput => {
            Failure::Later(why)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn psh_06_the_exit_code_says_whether_a_letter_is_tried_again() {
        let given = async |script: &str| {
            let words = ["sh", "-c", script].map(str::to_owned);
            give(&words, "cafe.7", "{\"event\":\"build\"}", LATER).await
        };
        let checks = "test \"$BUILDMASTER_LETTER\" = cafe.7 && grep -q event";
        assert_eq!(given(checks).await, Ok(()));
        let later = given("echo busy >&2; exit 75").await;
        let why = "sh ended with exit code 75: busy".to_owned();
        assert_eq!(later, Err(Failure::Later(why)));
        let never = given("echo no such room >&2; exit 1").await;
        let why = "sh ended with exit code 1: no such room".to_owned();
        assert_eq!(never, Err(Failure::Never(why)));
    }
}
