//! `buildbot mail-change`: what mail servers call.

use std::ffi::OsString;
use std::io::{self, Read as _};

use super::complain;
use super::surroundings::{block_on, current_dir, find_options};
use crate::client::mail_change::{self, MailChange};
use crate::client::{Failed, OptionsFile};

#[derive(Debug, clap::Args)]
pub(super) struct MailChangeArguments {
    /// Program that sends the mails: cvs, svn, launchpad, freshcvs, syncmail or bonsai.
    #[arg(short, long)]
    format: String,
    /// Address of the build master.
    #[arg(short, long, value_name = "HOST:PORT")]
    master: Option<OsString>,
    /// User and password of the change source [default: change:changepw].
    #[arg(short, long, value_name = "USER:PASSWORD")]
    auth: Option<OsString>,
    /// Drop files outside of this directory, and take it off the others.
    #[arg(long)]
    prefix: Option<String>,
    /// Branch of commits whose mail names none.
    #[arg(short, long)]
    branch: Option<String>,
    /// Repository of commits whose mail names none.
    #[arg(short = 'R', long)]
    repository: Option<String>,
    /// Project of commits whose mail names none.
    #[arg(short = 'P', long)]
    project: Option<String>,
    /// Category of commits whose mail names none.
    #[arg(short = 'C', long)]
    category: Option<String>,
    /// Codebase of the commits.
    #[arg(long)]
    codebase: Option<String>,
    /// Encoding of a mail that is not UTF-8 and does not name its encoding [default: utf-8].
    #[arg(long)]
    encoding: Option<String>,
}

/// Exit codes for mail servers: the mail is wrong, and: try again later.
const BAD_MAIL: u8 = 65;
const LATER: u8 = 75;

/// Largest mail.
const LARGEST_MAIL: u64 = 64 * 1024 * 1024;

/// Hands a mail to the master. A mail server keeps it and tries again if that fails.
pub(super) fn run_mail_change(arguments: MailChangeArguments) -> u8 {
    let handed = || {
        let options: OptionsFile = find_options(&current_dir()?)?;
        let mut mail = Vec::new();
        let read = io::stdin().take(LARGEST_MAIL).read_to_end(&mut mail);
        read.map_err(|error| Failed::NotDone(format!("cannot read the mail: {error}")))?;
        let given = MailChange {
            format: arguments.format,
            master: arguments.master,
            auth: arguments.auth,
            prefix: arguments.prefix,
            branch: arguments.branch,
            repository: arguments.repository,
            project: arguments.project,
            category: arguments.category,
            codebase: arguments.codebase,
            encoding: arguments.encoding,
        };
        block_on(async |tasks| mail_change::run(given, &mail, &options, &tasks).await)
    };
    let (text, code) = match handed() {
        Ok(mail_change::Done::Sent) => ("change sent successfully".to_owned(), 0),
        Ok(mail_change::Done::Nothing(why)) => (format!("nothing was sent: {why}"), 0),
        Ok(mail_change::Done::Malformed(why)) => {
            (format!("the mail is malformed: {why}"), BAD_MAIL)
        }
        Err(failed) => (failed.to_string(), LATER),
    };
    complain(&format!("buildbot: {text}"));
    code
}
