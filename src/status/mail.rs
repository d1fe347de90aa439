//! Mail about slaves that are missed (SLV-07, LAT-04).
//!
//! A mail is given to a program, as `sendmail` takes it, which has a queue of its own; so nothing is kept here. A program
//! that fails is told of in the log.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::broadcast::error::RecvError;
use tracing::{error, info, info_span, warn};

use crate::botmaster::{Absence, Event};
use crate::config::MailConfig;
use crate::control::{News, Newsroom};
use crate::net::Tasks;

/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Mails for as long as the master runs.
pub async fn run(newsroom: Newsroom, tasks: Tasks) {
    let mut news = newsroom.listen();
    loop {
        let heard = tokio::select! {
            heard = news.recv() => heard,
            () = tasks.stopping() => return,
        };
        match heard.as_deref() {
            Ok(News::Event(Event::SlaveMissing(absence))) => {
                let slave = absence.slave.as_str().to_owned();
                let (mail, text) = (absence.mail.clone(), letter(absence));
                tasks.spawn(info_span!("mail", slave), async move {
                    match send(&mail, &text).await {
                        Ok(()) => info!("mailed that the slave is missing"),
                        Err(why) => error!("cannot mail that the slave is missing: {why}"),
                    }
                });
            }
            Ok(_) => {}
            Err(RecvError::Lagged(lost)) => {
                warn!(
                    lost,
                    "so much happened that some slaves may be missed without a mail"
                );
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// The mail, with its headers.
fn letter(absence: &Absence) -> String {
    let project = one_line(&absence.project);
    let slave = one_line(absence.slave.as_str());
    let since = absence.since.to_rfc3339();
    let admin = match one_line(&absence.admin) {
        admin if admin.is_empty() => "unknown".to_owned(),
        admin => admin,
    };
    let what = match &absence.why {
        None => format!("has been away since {since}"),
        Some(why) => format!("could not be had for a build: {}", one_line(why)),
    };
    let mut text = format!(
        "From: {}\nTo: {}\nSubject: {project}: build slave {slave} is missing\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n",
        absence.mail.from,
        absence.to.join(", "),
    );
    write!(
        text,
        "The build slave {slave} of {project} {what}.\nIts administrator, as it said itself: {admin}.\n"
    )
    .expect("a text takes all");
    text
}

/// What peers and people wrote must not bring headers or lines of its own.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

async fn send(mail: &MailConfig, text: &str) -> Result<(), String> {
    let (program, args) = mail.command.split_first().ok_or("mail_command is empty")?;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot run {program}: {error} (see mail_command)"))?;
    let stdin = child.stdin.take();
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read says by its exit code what it thinks of that.
            drop(stdin.write_all(text.as_bytes()).await);
        }
    };
    let finish = async { tokio::join!(write, child.wait_with_output()).1 };
    let output = tokio::time::timeout(PATIENCE, finish)
        .await
        .map_err(|_| format!("{program} did not end within {} s", PATIENCE.as_secs()))?
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = one_line(said.lines().last().unwrap_or_default());
    Err(format!("{program} ended with {}: {said}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn slv_07_the_mail_has_what_is_known_and_no_headers_of_others() {
        let mut absence = Absence {
            slave: "bot".into(),
            since: Timestamp::from_secs(1_000_000),
            why: None,
            admin: "zoe\nBcc: all@example.org".to_owned(),
            to: vec!["a@example.org".to_owned(), "b@example.org".to_owned()],
            project: "Widget".to_owned(),
            mail: MailConfig {
                command: Vec::new(),
                from: "ci@example.org".to_owned(),
            },
        };
        insta::assert_snapshot!(letter(&absence), @r"
        From: ci@example.org
        To: a@example.org, b@example.org
        Subject: Widget: build slave bot is missing
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 8bit

        The build slave bot of Widget has been away since 1970-01-12T13:46:40.000Z.
        Its administrator, as it said itself: zoe Bcc: all@example.org.
        ");
        absence.why = Some("its instance did not connect in time".to_owned());
        assert!(
            letter(&absence)
                .contains("could not be had for a build: its instance did not connect in time.")
        );
    }
}
