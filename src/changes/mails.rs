//! Commit mails that a mail server puts into a maildir (MLD-01 to MLD-06).
//!
//! A mail stays in `new/` until its change is on disk; only then it moves to `cur/`. A mail that is
//! about no commit, or not as its format says, moves there too, as `cur/NAME` with the reason in
//! `cur/NAME.refused`. Each mail counts once, by its `Message-ID` or by its bytes, so a mail whose
//! move was lost in a crash does no harm.
//!
//! Invariant: no mail ends the source or delays others. While the master cannot write its state,
//! mails wait in `new/`.

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Notify;
use tracing::{debug, info, warn};

use super::arrivals::Arrivals;
use super::driver::{Desk, Driver};
use super::maildir::Maildir;
use crate::config::MaildirConfig;
use crate::model::{Delivery, Digest, Offer, OfferAnswer};
use crate::protocol::mail::{self, Content, Letter, Reading, Trust, in_utf8};

/// A source of commit mails.
#[derive(Debug)]
pub(super) struct Mails {
    config: MaildirConfig,
}

impl Mails {
    pub(super) fn new(config: &MaildirConfig) -> Self {
        let config = config.clone();
        Self { config }
    }
}

impl Driver for Mails {
    fn run(self: Box<Self>, desk: Desk) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let reading = Reading {
            prefix: self.config.prefix.clone(),
            branch_map: self.config.branch_map.clone(),
            default_branch: self.config.fields.branch.clone(),
            launchpad_marks: self.config.launchpad_marks,
        };
        let trust = Trust {
            from: self.config.from.clone(),
            authserv_id: self.config.signed_by.clone(),
        };
        let running = Running {
            config: self.config,
            reading,
            trust,
            desk,
            complaint: None,
        };
        Box::pin(running.run())
    }
}

/// A running source.
#[derive(Debug)]
struct Running {
    config: MaildirConfig,
    reading: Reading,
    trust: Trust,
    desk: Desk,
    /// The last problem of the directory, so that each problem is put on record once.
    complaint: Option<String>,
}

/// The directory while it is usable.
#[derive(Debug)]
struct Open {
    maildir: Arc<Maildir>,
    _arrivals: Option<Arrivals>,
}

/// What is to become of a mail.
#[derive(Debug)]
enum Fate {
    /// It goes to `cur/`.
    Accepted,
    /// It goes to `cur/` with this reason. It is not an error if the mail is
    /// about something else.
    Rejected { why: String, is_error: bool },
    /// It stays in `new/`, as all others.
    Waits(String),
    /// Somebody else has removed it.
    Gone,
}

impl Running {
    async fn run(mut self) {
        let wake = Arc::new(Notify::new());
        let mut open = None;
        while !self.desk.leaving.is_cancelled() {
            if open.is_none() {
                open = self.open(&wake).await;
            }
            if let Some(directory) = &open
                && !self.look(&directory.maildir).await
            {
                // The directory may come back as another directory.
                open = None;
            }
            tokio::select! {
                biased;
                () = self.desk.leaving.cancelled() => {}
                () = wake.notified() => {}
                () = self.desk.poked.wait() => {}
                () = tokio::time::sleep(self.config.poll_interval) => {}
            }
        }
    }

    /// Opens and locks the directory, and watches it.
    async fn open(&mut self, wake: &Arc<Notify>) -> Option<Open> {
        let path = self.desk.basedir.join(&self.config.maildir);
        let limit = (self.config.max_size, "max_size");
        let opened = crate::blocking::run(move || {
            let opened = Maildir::open(path, limit, &mut Vec::new());
            opened.map_err(|error| error.to_string())
        });
        let opened = opened.await.unwrap_or_else(|error| Err(error.to_string()));
        let maildir = match opened {
            Ok(maildir) => Arc::new(maildir),
            Err(why) => {
                self.complain(why);
                return None;
            }
        };
        if maildir.mode().is_some_and(|mode| mode & 0o002 != 0) {
            let dir = maildir.new_dir();
            warn!(
                source = %self.desk.source,
                "everybody on this machine can put commit mails into {}; run `chmod o-w` on it",
                dir.display()
            );
        }
        let arrivals = Arrivals::watch(&maildir.new_dir(), wake);
        let arrivals = arrivals.inspect_err(|error| {
            debug!(source = %self.desk.source, "cannot watch for mails, polling instead: {error}");
        });
        let arrivals = arrivals.ok();
        Some(Open {
            maildir,
            _arrivals: arrivals,
        })
    }

    /// Takes the mails that have arrived. Returns whether the directory could be read.
    async fn look(&mut self, maildir: &Arc<Maildir>) -> bool {
        let names = in_maildir(maildir, |dir| {
            dir.check().map_err(|error| error.to_string())?;
            dir.names()
        });
        let names = match names.await {
            Ok(names) => names,
            Err(why) => {
                self.complain(why);
                return false;
            }
        };
        let mut failed = None;
        for name in names {
            if self.desk.leaving.is_cancelled() {
                break;
            }
            match self.take(maildir, &name).await {
                Ok(true) => {}
                Ok(false) => return true,
                // A mail that cannot be moved does not delay the others.
                Err(why) => failed = failed.or(Some(why)),
            }
        }
        match failed {
            Some(why) => self.complain(why),
            None => self.complaint = None,
        }
        true
    }

    /// Takes one mail. Returns whether more can be taken.
    async fn take(&mut self, maildir: &Arc<Maildir>, name: &OsStr) -> Result<bool, String> {
        let file = name.to_owned();
        match self.judge(maildir, name).await {
            Fate::Gone => Ok(true),
            Fate::Waits(why) => {
                self.complain(why);
                Ok(false)
            }
            Fate::Accepted => {
                in_maildir(maildir, move |dir| dir.accept(&file)).await?;
                Ok(true)
            }
            Fate::Rejected { why, is_error } => {
                info!(source = %self.desk.source, file = ?name, "mail skipped: {why:?}");
                let said = format!("{}: {why}", name.to_string_lossy());
                self.desk
                    .tried(if is_error { Err(said) } else { Ok(Some(said)) }, None);
                in_maildir(maildir, move |dir| dir.reject(&file, &why)).await?;
                Ok(true)
            }
        }
    }

    async fn judge(&self, maildir: &Arc<Maildir>, name: &OsStr) -> Fate {
        let file: OsString = name.to_owned();
        let rejected = |why, is_error| Fate::Rejected { why, is_error };
        let bytes = match in_maildir(maildir, move |dir| dir.look_at(&file)).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Fate::Gone,
            Err(why) => return rejected(why, true),
        };
        let (delivery, mut change) = {
            let text = in_utf8(&bytes, self.config.fields.encoding);
            let letter = Letter::open(&text);
            if let Err(mistrust) = letter.check(&self.trust) {
                return rejected(mistrust.to_string(), true);
            }
            let now = self.desk.control.clock().wall();
            match mail::read(self.config.format, &letter, &self.reading, now) {
                Ok(Content::Commit(change)) => (Letter::open(&bytes).delivery(), *change),
                Ok(Content::Nothing(why)) => return rejected(why, false),
                Err(malformed) => return rejected(malformed.to_string(), true),
            }
        };
        self.config.fields.fill(&mut change);
        let offer = Offer {
            source: self.desk.source.clone(),
            delivery: Some(Delivery(Digest(delivery))),
            changes: vec![change],
            ..Offer::default()
        };
        let answer = match self.desk.control.offer(offer).await {
            Ok(pending) => pending.answer().await,
            Err(why) => Err(why),
        };
        match answer {
            Ok(OfferAnswer::Redelivered) => {
                debug!(source = %self.desk.source, file = ?name, "mail was taken before");
                Fate::Accepted
            }
            Ok(OfferAnswer::Taken(_)) => Fate::Accepted,
            Err(why) => Fate::Waits(why),
        }
    }

    /// Puts a problem on record, unless it is still the same.
    fn complain(&mut self, why: String) {
        if self.complaint.as_ref() != Some(&why) {
            warn!(source = %self.desk.source, "{why}");
            self.desk.tried(Err(why.clone()), None);
            self.complaint = Some(why);
        }
    }
}

/// Runs blocking file operations on a separate thread.
async fn in_maildir<T: Send + 'static>(
    maildir: &Arc<Maildir>,
    work: impl FnOnce(&Maildir) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let maildir = Arc::clone(maildir);
    let done = crate::blocking::run(move || work(&maildir)).await;
    done.unwrap_or_else(|error| Err(format!("cannot work with the maildir: {error}")))
}
