//! `buildbot mail-change`: hands a commit mail to a master, for a pipe of a mail server. The master
//! needs no maildir then; the counterpart is its change source of type `PB`.

use std::ffi::OsString;
use std::time::SystemTime;

use super::sendchange::Given;
use super::{Failed, OptionsFile, sendchange};
use crate::model::{Delivery, Digest, MailFormat, Timestamp};
use crate::net::Tasks;
use crate::protocol::mail::{self, Content, Letter, Reading, in_utf8};
use crate::text::Encoding;

/// The command line.
#[derive(Clone, Debug, Default)]
pub struct MailChange {
    /// The program that sends the mails.
    pub format: String,
    /// HOST:PORT.
    pub master: Option<OsString>,
    /// USER:PASSWORD.
    pub auth: Option<OsString>,
    /// Files outside are dropped.
    pub prefix: Option<String>,
    /// Branch of commits whose mail names none.
    pub branch: Option<String>,
    /// Repository of commits whose mail names none.
    pub repository: Option<String>,
    /// Project of commits whose mail names none.
    pub project: Option<String>,
    /// Category of commits whose mail names none.
    pub category: Option<String>,
    /// Codebase of the commits.
    pub codebase: Option<String>,
    /// Encoding of a mail that is not UTF-8 and says nothing of its encoding.
    pub encoding: Option<String>,
}

/// What became of the mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Done {
    /// The master has its change.
    Sent,
    /// It is about no commit, and why.
    Nothing(String),
    /// It is about a commit, but not in the way of its format.
    Malformed(String),
}

/// Sends the change of a mail.
///
/// # Errors
/// An option is wrong, or the master did not take the change: the mail should be kept.
pub async fn run(
    given: MailChange,
    mail: &[u8],
    options: &OptionsFile,
    tasks: &Tasks,
) -> Result<Done, Failed> {
    let format = MailFormat::named(&given.format).ok_or_else(|| {
        let names = MailFormat::ALL.map(MailFormat::name).join(", ");
        Failed::Usage(format!("--format: expected one of {names}"))
    })?;
    let encoding = given
        .encoding
        .as_deref()
        .map_or(Ok(Encoding::default()), encoding)?;
    let text = in_utf8(mail, encoding);
    let letter = Letter::open(&text);
    let reading = Reading {
        prefix: given.prefix,
        default_branch: given.branch,
        ..Reading::default()
    };
    let change = match mail::read(format, &letter, &reading, now()) {
        Ok(Content::Commit(change)) => *change,
        Ok(Content::Nothing(why)) => return Ok(Done::Nothing(why)),
        Err(malformed) => return Ok(Done::Malformed(malformed.to_string())),
    };
    let sender = Given {
        master: given.master,
        auth: given.auth,
        who: Some(change.who.clone().into()),
        ..Given::default()
    };
    let mut prepared = sender.prepare(options)?;
    let or = |text: String, given: Option<String>| match text.is_empty() {
        true => given.unwrap_or_default(),
        false => text,
    };
    prepared.change = crate::model::NewChange {
        repository: or(change.repository, given.repository),
        project: or(change.project, given.project),
        codebase: or(change.codebase, given.codebase),
        category: change.category.or(given.category),
        ..change
    };
    prepared.delivery = Some(Delivery(Digest(Letter::open(mail).delivery())));
    sendchange(&prepared, tasks).await?;
    Ok(Done::Sent)
}

/// The encoding that the option `--encoding` names.
///
/// # Errors
/// The encoding is unknown.
pub fn encoding(name: &str) -> Result<Encoding, Failed> {
    Encoding::named(name).ok_or_else(|| {
        Failed::Usage(format!(
            "--encoding: {name:?} is not an encoding; write for example utf-8, latin-1 or shift_jis"
        ))
    })
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::from_secs_f64(since.unwrap_or_default().as_secs_f64())
}
