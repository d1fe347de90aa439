//! Mail about slaves that are missing (SLV-07, LAT-04).
//!
//! Who is mailed, and how, is what the configuration in force says. A mail is given to a program,
//! as `sendmail` takes it.

use std::fmt::Write as _;
use std::process::ExitStatus;
use std::time::Duration;

use chrono::DateTime;

use super::turns::Failure;
use crate::config::{Config, MailConfig};
use crate::model::{LetterFacts, Timestamp};
use crate::process::{self, How, Limits, Lines, Output, Program};
use crate::store::read::LetterRow;

/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Exit codes of `sendmail` that say that the mail will never be taken: its form or its recipients
/// are wrong (`EX_USAGE`, `EX_DATAERR`, `EX_NOUSER`, `EX_NOHOST`).
const NEVER: [i32; 4] = [64, 65, 67, 68];

/// Sends a letter. `identity` is that of the state.
///
/// # Errors
/// It was not taken.
pub(super) async fn send(
    letter: &LetterRow,
    config: &Config,
    identity: &str,
) -> Result<(), Failure> {
    let text = write(letter, config, identity)?;
    give(&config.mail, &text).await
}

/// The mail, with its headers.
///
/// # Errors
/// Nobody is to be mailed.
fn write(letter: &LetterRow, config: &Config, identity: &str) -> Result<String, Failure> {
    let LetterFacts::SlaveMissing {
        slave,
        since,
        why,
        admin,
    } = &letter.facts;
    let to = config
        .slave(slave.as_str())
        .map(|slave| &slave.notify_on_missing);
    let Some(to) = to.filter(|to| !to.is_empty()) else {
        let why = format!("nobody is to be told: slave {slave} has no `notify_on_missing`");
        return Err(Failure::Never(why));
    };
    let project = one_line(&config.title);
    let slave = one_line(slave.as_str());
    let admin = match one_line(admin) {
        admin if admin.is_empty() => "unknown".to_owned(),
        admin => admin,
    };
    let what = match why {
        None => format!("has been away since {}", since.to_rfc3339()),
        Some(why) => format!("could not be had for a build: {}", one_line(why)),
    };
    let from = &config.mail.from;
    let host = from.rsplit_once('@').map_or("localhost", |(_, host)| host);
    let (to, date) = (to.join(", "), date(letter.made_at));
    let mut text = format!(
        "From: {from}\nTo: {to}\nSubject: {project}: build slave {slave} is missing\n\
         Date: {date}\nMessage-ID: <buildmaster.{identity}.{}@{host}>\n\
         Auto-Submitted: auto-generated\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n",
        letter.id,
    );
    write!(
        text,
        "The build slave {slave} of {project} {what}.\nIts administrator, as it said itself: {admin}.\n"
    )
    .expect("a string accepts every write");
    Ok(text)
}

/// As mails have it; empty for a time that has no date.
fn date(at: Timestamp) -> String {
    let date = DateTime::from_timestamp_micros(at.0);
    date.map_or_else(String::new, |date| date.to_rfc2822())
}

/// What peers and people wrote must not bring headers or lines of its own.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

async fn give(mail: &MailConfig, text: &str) -> Result<(), Failure> {
    let Some(name) = mail.command.first() else {
        return Err(Failure::Later("`mail_command` is empty".to_owned()));
    };
    let mut errors = Lines::new(|_| ());
    let limits = Limits {
        time: Some(PATIENCE),
        ..Limits::default()
    };
    let program = Program::new(&mail.command);
    let ended = process::run(
        &program,
        Some(text.as_bytes()),
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use super::*;
    use crate::config::SlaveConfig;
    use crate::model::{LetterId, LetterState};

    fn letter(why: Option<&str>) -> LetterRow {
        LetterRow {
            id: LetterId(7),
            target: "mail".to_owned(),
            order: "slave bot".to_owned(),
            facts: LetterFacts::SlaveMissing {
                slave: "bot".into(),
                since: Timestamp::from_secs(1_000_000),
                why: why.map(str::to_owned),
                admin: "zoe\nBcc: all@example.org".to_owned(),
            },
            made_at: Timestamp::from_secs(1_003_600),
            next_at: Timestamp::from_secs(1_003_600),
            tries: 0,
            error: None,
            state: LetterState::Waiting,
            ended_at: None,
        }
    }

    fn config(command: &[&str]) -> Config {
        let slave = SlaveConfig {
            name: "bot".into(),
            notify_on_missing: vec!["a@example.org".to_owned(), "b@example.org".to_owned()],
            ..SlaveConfig::default()
        };
        Config {
            title: "Widget".to_owned(),
            mail: MailConfig {
                command: command.iter().map(|word| (*word).to_owned()).collect(),
                from: "ci@example.org".to_owned(),
            },
            slaves: vec![Arc::new(slave)],
            ..Config::default()
        }
    }

    #[test]
    fn slv_07_the_mail_has_what_is_known_and_no_headers_of_others() {
        let mut config = config(&[]);
        insta::assert_snapshot!(write(&letter(None), &config, "cafe").unwrap(), @r"
        From: ci@example.org
        To: a@example.org, b@example.org
        Subject: Widget: build slave bot is missing
        Date: Mon, 12 Jan 1970 14:46:40 +0000
        Message-ID: <buildmaster.cafe.7@example.org>
        Auto-Submitted: auto-generated
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 8bit

        The build slave bot of Widget has been away since 1970-01-12T13:46:40.000Z.
        Its administrator, as it said itself: zoe Bcc: all@example.org.
        ");
        let failed = letter(Some("its instance did not connect in time"));
        let text = write(&failed, &config, "cafe").unwrap();
        let what = "could not be had for a build: its instance did not connect in time.";
        assert!(text.contains(what), "{text}");
        config.slaves.clear();
        let why = "nobody is to be told: slave bot has no `notify_on_missing`".to_owned();
        assert_eq!(write(&letter(None), &config, ""), Err(Failure::Never(why)));
    }

    #[tokio::test]
    async fn out_06_the_exit_code_says_whether_a_mail_is_tried_again() {
        let sent = async |script: &str| {
            let config = config(&["sh", "-c", script]);
            send(&letter(None), &config, "cafe").await
        };
        assert_eq!(sent("cat >/dev/null").await, Ok(()));
        let later = sent("echo try later >&2; exit 75").await.unwrap_err();
        let why = "sh ended with exit code 75: try later".to_owned();
        assert_eq!(later, Failure::Later(why));
        let never = sent("exit 67").await.unwrap_err();
        assert_eq!(
            never,
            Failure::Never("sh ended with exit code 67".to_owned())
        );
        let config = config(&["/no/such/program"]);
        let missing = send(&letter(None), &config, "cafe").await.unwrap_err();
        assert!(matches!(missing, Failure::Later(_)), "{missing:?}");
    }
}
