//! The driver of all pollers: polls when it is time, offers what a poll gives, and reports how it
//! went.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::bzr_poller::BzrPoller;
use super::cvs_poller::CvsPoller;
use super::driver::{Desk, Driver, Wake};
use super::git_poller::{GitPoller, OwnersFile};
use super::hg_poller::HgPoller;
use super::p4_poller::P4Poller;
use super::polling::{Batch, MIRRORS, PollError, Schedule};
use super::pull_poller::PullPoller;
use super::svn_poller::SvnPoller;
use crate::config::{ChangeSourceKind, PollerConfig};
use crate::control::Approval;
use crate::model::held_pulls::not_waiting;
use crate::model::{Offer, OfferAnswer, Timestamp};
use crate::text;

/// Polls one repository.
#[derive(Debug)]
pub(super) struct PollerDriver {
    kind: ChangeSourceKind,
    settings: PollerConfig,
    /// What a failed poll leaves behind is not used again, so that a new password counts.
    poller: Option<Poller>,
    /// The last error, which is logged once.
    complaint: Option<String>,
}

#[derive(Debug)]
enum Poller {
    Git(Box<GitPoller>),
    Svn(Box<SvnPoller>),
    Hg(Box<HgPoller>),
    Bzr(Box<BzrPoller>),
    Cvs(Box<CvsPoller>),
    P4(Box<P4Poller>),
    Pulls(Box<PullPoller>),
}

impl PollerDriver {
    /// The driver of a source, if it is a poller.
    pub(super) fn new(kind: &ChangeSourceKind) -> Option<Self> {
        Some(Self {
            kind: kind.clone(),
            settings: kind.poller()?.clone(),
            poller: None,
            complaint: None,
        })
    }

    async fn drive(mut self, desk: Desk) {
        let mut rng = StdRng::from_rng(&mut rand::rng());
        let (interval, at_launch) = (self.settings.poll_interval, self.settings.poll_at_launch);
        let mut schedule = Schedule::new(Instant::now(), interval, at_launch, &mut rng);
        while let Some(next) = schedule.next() {
            match desk.wait(next).await {
                Wake::Leaving => return,
                Wake::Poked => schedule.poke(Instant::now()),
                Wake::Due => {}
            }
            if !schedule.begin(Instant::now()) {
                continue;
            }
            let approvals = desk.poked.approvals();
            let waiting = desk.poked.waiting();
            let result = self.poll(&desk, &approvals).await;
            self.settle(approvals, &result);
            drop(waiting);
            let now = Instant::now();
            schedule.finish(now, result.is_ok(), &mut rng);
            let next = schedule.next().map(|next| in_wall_time(&desk, next - now));
            match result {
                Err(PollError::Stopped) => return,
                Err(PollError::Failed(why)) => {
                    self.poller = None;
                    self.complain(&why);
                    desk.tried(Err(why), next);
                }
                Ok(note) => {
                    self.complaint = None;
                    desk.tried(Ok(note), next);
                }
            }
        }
    }

    fn complain(&mut self, why: &str) {
        if self.complaint.as_deref() == Some(why) {
            debug!(error = ?why, "poll failed again");
        } else {
            warn!(error = ?why, "poll failed");
            self.complaint = Some(why.to_owned());
        }
    }

    /// Answers those who have approved pull requests.
    fn settle(&self, approvals: Vec<Approval>, result: &Result<Option<String>, PollError>) {
        for approval in approvals {
            let pull = approval.pull;
            let answer = match (result, &self.poller) {
                (Err(error), _) => Err(error.to_string()),
                (Ok(_), Some(Poller::Pulls(pulls))) if pulls.has_approved(pull) => Ok(()),
                (Ok(_), _) => Err(not_waiting(pull, &approval.head)),
            };
            approval.settle(answer);
        }
    }

    /// Polls once. Returns what was noticed.
    async fn poll(
        &mut self,
        desk: &Desk,
        approvals: &[Approval],
    ) -> Result<Option<String>, PollError> {
        let poller = match &mut self.poller {
            Some(poller) => poller,
            none @ None => none.insert(Poller::new(&self.kind, desk)?),
        };
        if let Poller::Pulls(pulls) = poller {
            let approvals = approvals.iter();
            let approvals = approvals.map(|approval| (approval.pull, approval.head.clone()));
            pulls.approve(approvals.collect());
        }
        let cursor = desk.control.source_cursor(&desk.source).await;
        let mut cursor = cursor.map_err(|error| PollError::new(error.to_string()))?;
        let mut notes = Vec::new();
        while let Some(batch) = poller.next(cursor.as_deref()).await? {
            for note in &batch.notes {
                info!("{}", text::printable(note));
            }
            notes.extend(batch.notes.iter().cloned());
            let is_new = cursor.as_ref() != Some(&batch.cursor) || !batch.changes.is_empty();
            cursor = Some(batch.cursor.clone());
            if is_new {
                offer(desk, batch).await?;
            }
            if desk.leaving.is_cancelled() {
                return Err(PollError::Stopped);
            }
        }
        if let Poller::Pulls(pulls) = poller {
            notes.extend(pulls.standing());
        }
        if let (Poller::Git(git), Some(name)) = (poller, &self.settings.repository) {
            notes.extend(read_owners(desk, git, name).await);
        }
        notes.truncate(MOST_NOTES);
        Ok((!notes.is_empty()).then(|| notes.join("; ")))
    }
}

impl Driver for PollerDriver {
    fn run(self: Box<Self>, desk: Desk) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.drive(desk))
    }
}

impl Poller {
    fn new(kind: &ChangeSourceKind, desk: &Desk) -> Result<Self, PollError> {
        let mirrors: PathBuf = desk.basedir.join(MIRRORS);
        let stop = desk.leaving.clone();
        let name = desk.source.as_str();
        match kind {
            ChangeSourceKind::Git(config) => {
                let poller = GitPoller::new((**config).clone(), name, &mirrors, stop)?;
                Ok(Self::Git(Box::new(poller)))
            }
            ChangeSourceKind::Svn(config) => Ok(Self::Svn(Box::new(SvnPoller::new(
                (**config).clone(),
                &mirrors,
                stop,
            )?))),
            ChangeSourceKind::Hg(config) => Ok(Self::Hg(Box::new(HgPoller::new(
                (**config).clone(),
                &mirrors,
                stop,
            )?))),
            ChangeSourceKind::Bzr(config) => Ok(Self::Bzr(Box::new(BzrPoller::new(
                (**config).clone(),
                stop,
            )))),
            ChangeSourceKind::Cvs(config) => {
                let clock = *desk.control.clock();
                Ok(Self::Cvs(Box::new(CvsPoller::new(
                    (**config).clone(),
                    clock,
                    stop,
                ))))
            }
            ChangeSourceKind::P4(config) => {
                Ok(Self::P4(Box::new(P4Poller::new((**config).clone(), stop)?)))
            }
            ChangeSourceKind::Pulls(config) => {
                let clock = *desk.control.clock();
                let poller = PullPoller::new((**config).clone(), clock, stop)?;
                Ok(Self::Pulls(Box::new(poller)))
            }
            ChangeSourceKind::Pb(_)
            | ChangeSourceKind::ChangeHook(_)
            | ChangeSourceKind::Gerrit(_)
            | ChangeSourceKind::Maildir(_) => Err(PollError::new("this source cannot be polled")),
        }
    }

    async fn next(&mut self, cursor: Option<&str>) -> Result<Option<Batch>, PollError> {
        match self {
            Self::Git(poller) => poller.next(cursor).await,
            Self::Svn(poller) => poller.next(cursor).await,
            Self::Hg(poller) => poller.next(cursor).await,
            Self::Bzr(poller) => poller.next(cursor).await,
            Self::Cvs(poller) => poller.next(cursor).await,
            Self::P4(poller) => poller.next(cursor).await,
            Self::Pulls(poller) => poller.next(cursor).await,
        }
    }
}

/// Reads the file of the repository that says who owns its files, if it names one. Returns why it
/// could not be read: the changes are there all the same.
async fn read_owners(desk: &Desk, git: &mut GitPoller, repository: &str) -> Option<String> {
    let config = desk.control.config();
    let known = config.repository(repository)?;
    let file = OwnersFile {
        path: known.owners_file.as_deref()?,
        branch: known.default_branch.as_deref(),
    };
    match git.owners(file).await {
        Ok(Some(text)) => {
            desk.control.owners_read(repository, text).await;
            None
        }
        Ok(None) => None,
        Err(why) => Some(format!("cannot read {}: {why}", file.path)),
    }
}

/// Offers a batch, and waits until it is on disk.
async fn offer(desk: &Desk, batch: Batch) -> Result<(), PollError> {
    let offer = Offer {
        source: desk.source.clone(),
        cursor: Some(batch.cursor),
        changes: batch.changes,
        ..Offer::default()
    };
    let pending = desk.control.offer(offer).await.map_err(PollError::Failed)?;
    let answer = pending.answer().await.map_err(PollError::Failed)?;
    if let OfferAnswer::Taken(changes) = answer {
        let new = changes.iter().filter(|change| change.is_new).count();
        debug!(new, known = changes.len() - new, "changes found");
    }
    Ok(())
}

fn in_wall_time(desk: &Desk, pause: std::time::Duration) -> Timestamp {
    desk.control.clock().wall() + pause
}

/// Notes of a poll that are shown.
const MOST_NOTES: usize = 10;
