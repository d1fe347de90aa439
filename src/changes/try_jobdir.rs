//! Watches the job directory of a `Try_Jobdir` scheduler (TJD-01 to TJD-07).
//!
//! A job directory is a maildir: senders write a job to `tmp/` and rename it to `new/`. The watcher
//! moves the job to `cur/` before it reads the job. The job stays there as `cur/NAME`, as in
//! Buildbot. If the job is rejected, `cur/NAME.refused` has the reason, readable for every user who
//! can read the directory.
//!
//! Names of jobs do not begin with a dot. Until a job is in the state, its name is `cur/.NAME`:
//!
//! ```text
//! new/NAME ──taken──► cur/.NAME ──refused──► cur/NAME, cur/NAME.refused
//!                         │
//!                         └──durably submitted──► cur/NAME
//! ```
//!
//! At a start, the watcher looks each `.NAME` up in the state by its job id. If the state has the
//! build set, only the last rename is missing. Otherwise the job was not submitted: the watcher
//! logs this and submits the job again as `cur/..NAME`. If the master ends again during the second
//! attempt, the job is rejected, so no job can keep a master from running.
//!
//! Invariants: a job is submitted once (TJD-07), even if the master is killed at any moment. No
//! content of the directory ends the watcher or delays other jobs (SB-07). While the master stops
//! or cannot write its state, jobs stay in `new/`. The directory is locked against a second master.

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::arrivals::Arrivals;
use super::maildir::{self, Maildir, Taken, Unsettled};
use crate::config::TryJobdirConfig;
use crate::control::Control;
use crate::directory::Identity;
use crate::model::{SchedulerName, TryJob};
use crate::protocol::jobfile;

pub use super::maildir::{Lock, MaildirError};

/// A job directory that is ready to be watched.
#[derive(Debug)]
pub struct JobdirWatcher {
    scheduler: SchedulerName,
    maildir: Arc<Maildir>,
    poll_interval: Duration,
}

impl JobdirWatcher {
    /// Checks and locks the directory of `scheduler`, and creates missing subdirectories. A
    /// relative path is below `basedir`. If a watcher whose lock is in `leaving` has the directory,
    /// its lock is taken over; this watcher must not run before that watcher has ended.
    ///
    /// # Errors
    /// The directory does not exist, this process cannot use it, or another process watches it.
    pub fn open(
        scheduler: &SchedulerName,
        config: &TryJobdirConfig,
        basedir: &Path,
        leaving: &mut Vec<Lock>,
    ) -> Result<Self, MaildirError> {
        let path = basedir.join(&config.jobdir);
        let maildir = Maildir::open(path, (config.max_job_size, "max_job_size"), leaving)?;
        Ok(Self {
            scheduler: scheduler.clone(),
            maildir: Arc::new(maildir),
            poll_interval: config.poll_interval,
        })
    }

    /// The lock on the directory.
    #[must_use]
    pub fn lock(&self) -> Lock {
        self.maildir.lock().clone()
    }

    /// Checks whether the directory of a scheduler is usable, without changing anything and without
    /// looking for another watcher. A relative path is below `basedir`.
    ///
    /// # Errors
    /// The directory does not exist, or this process cannot use it.
    pub fn check(jobdir: &Path, basedir: &Path) -> Result<(), MaildirError> {
        maildir::check(&basedir.join(jobdir))
    }

    /// Submits jobs until `stopping` completes. A job that is being submitted at that time is
    /// looked up by the next master. To hand the directory over to another watcher of this master,
    /// cancel `leaving`: the watcher then ends after the current job, whose result may not be on
    /// disk yet.
    pub async fn run(
        self,
        control: Control,
        stopping: impl Future<Output = ()>,
        leaving: CancellationToken,
    ) {
        tokio::pin!(stopping);
        if let Some(advice) = advice(&self.maildir) {
            info!(scheduler = %self.scheduler, "{advice}");
        }
        let wake = Arc::new(Notify::new());
        let mut running = Running {
            watcher: self,
            control,
            leaving,
            complaint: None,
            is_settled: false,
            arriving: None,
            watched: None,
        };
        let mut notifications = None;
        while !running.leaving.is_cancelled() {
            // Watch before looking, so that no job falls between.
            if notifications.is_none() {
                notifications = running.watcher.notifications(&wake);
            }
            let is_readable = tokio::select! {
                biased;
                () = &mut stopping => return,
                is_readable = running.look() => is_readable,
            };
            if !is_readable {
                // The directory may come back as another directory.
                notifications = None;
            } else if running.is_elsewhere() {
                notifications = None;
                continue;
            }
            tokio::select! {
                biased;
                () = &mut stopping => return,
                () = wake.notified() => {}
                () = tokio::time::sleep(running.watcher.poll_interval) => {}
                () = running.leaving.cancelled() => {}
            }
        }
    }

    /// Notifies `wake` when a file appears. Without notifications, the periodic look finds the
    /// file.
    fn notifications(&self, wake: &Arc<Notify>) -> Option<Arrivals> {
        Arrivals::watch(&self.maildir.new_dir(), wake)
            .inspect_err(|error| {
                debug!(scheduler = %self.scheduler, "cannot watch for new jobs, polling instead: {error}");
            })
            .ok()
    }
}

/// A running watcher.
#[derive(Debug)]
struct Running {
    watcher: JobdirWatcher,
    control: Control,
    leaving: CancellationToken,
    /// The last problem of the directory, so that each problem is logged once.
    complaint: Option<String>,
    /// Whether all jobs in `cur/` have been looked up.
    is_settled: bool,
    /// The directory of arriving jobs at the last look.
    arriving: Option<Identity>,
    watched: Option<Identity>,
}

impl Running {
    /// Whether jobs arrive in a different directory than at the previous look.
    fn is_elsewhere(&mut self) -> bool {
        let was = std::mem::replace(&mut self.watched, self.arriving);
        was.is_some() && was != self.arriving
    }

    /// Submits all jobs that have arrived, oldest first (TJD-04). Returns whether the directory
    /// could be read.
    async fn look(&mut self) -> bool {
        if !self.goes_on() {
            return true;
        }
        let (is_readable, done) = match self.arrived().await {
            Ok(names) => (true, self.take_all(names).await),
            Err(why) => (false, Err(why)),
        };
        match &done {
            Ok(()) => self.complaint = None,
            Err(why) if self.complaint.as_ref() == Some(why) => {}
            Err(why) => {
                warn!(scheduler = %self.watcher.scheduler, "{why}");
                self.complaint = Some(why.clone());
            }
        }
        is_readable
    }

    /// Whether more jobs can be taken.
    fn goes_on(&self) -> bool {
        self.control.takes_work() && !self.leaving.is_cancelled()
    }

    /// The names of the jobs that have arrived. Fails if the directory is not safe to use.
    async fn arrived(&mut self) -> Result<Vec<OsString>, String> {
        let arrived = self.in_maildir(|dir| {
            let arriving = dir.check().map_err(|error| error.to_string())?;
            Ok((arriving, dir.names()?))
        });
        let (arriving, names) = arrived.await?;
        self.arriving = arriving;
        Ok(names)
    }

    /// Submits the jobs `names`. A file that cannot be moved does not delay the others; the first
    /// such failure is returned.
    async fn take_all(&mut self, names: Vec<OsString>) -> Result<(), String> {
        let mut failed = Ok(());
        if !self.is_settled {
            let unsettled = self.in_maildir(Maildir::unsettled).await?;
            self.is_settled = true;
            for Unsettled { name, is_second } in unsettled {
                if self.leaving.is_cancelled() {
                    break;
                }
                failed = failed.and(self.resume(name, is_second).await);
            }
        }
        for name in names {
            if !self.goes_on() {
                break;
            }
            let file = name.clone();
            match self.in_maildir(move |dir| dir.take(&file)).await {
                Ok(Taken::Job) => failed = failed.and(self.submit(&name, false).await),
                Ok(Taken::Refused { cut, why }) => self.tell_refusal(&cut, &why),
                Ok(Taken::Gone) => {}
                Err(why) => failed = failed.and(Err(why)),
            }
        }
        failed
    }

    /// Settles a job that an earlier master took without settling it.
    async fn resume(&mut self, name: OsString, is_second: bool) -> Result<(), String> {
        let job = match self.read(&name, is_second).await {
            Ok(job) => job,
            Err(why) => return self.refuse(&name, is_second, why).await,
        };
        if self.is_submitted(job.id.clone()).await? {
            debug!(file = ?name, "try job found in the state");
            return self.settle(&name, is_second).await;
        }
        if is_second {
            let why = "the job was not submitted, because the master ended twice while it submitted the job";
            return self.refuse(&name, true, why.to_owned()).await;
        }
        warn!(
            scheduler = %self.watcher.scheduler,
            file = ?name,
            "try job was not submitted before the master ended: submitting again"
        );
        let file = name.clone();
        self.in_maildir(move |dir| dir.begin_second(&file)).await?;
        self.submit(&name, true).await
    }

    /// Submits a job that has been taken.
    async fn submit(&mut self, name: &OsStr, is_second: bool) -> Result<(), String> {
        let job = match self.read(name, is_second).await {
            Ok(job) => job,
            Err(why) => return self.refuse(name, is_second, why).await,
        };
        let scheduler = &self.watcher.scheduler;
        match self.control.submit_try(scheduler, job, None).await {
            Ok(set) => {
                debug!(file = ?name, set = set.id.0, "try job submitted");
                self.settle(name, is_second).await
            }
            // The state may or may not have the job. The watcher looks it up when the master
            // accepts work again.
            Err(_) if !self.control.takes_work() => {
                self.is_settled = false;
                if is_second {
                    let file = name.to_owned();
                    self.in_maildir(move |dir| dir.end_second(&file)).await?;
                }
                Ok(())
            }
            Err(why) => self.refuse(name, is_second, why).await,
        }
    }

    /// Reads the job in a file that has been taken. A job without an id gets the name of the file
    /// as its id.
    async fn read(&self, name: &OsStr, is_second: bool) -> Result<TryJob, String> {
        let file = name.to_owned();
        let bytes = self.in_maildir(move |dir| dir.read(&file, is_second));
        let mut job = jobfile::decode(&bytes.await?).map_err(|bad| bad.to_string())?;
        if job.id.is_empty() {
            job.id = name.to_string_lossy().into_owned();
        }
        Ok(job)
    }

    async fn is_submitted(&self, job: String) -> Result<bool, String> {
        let scheduler = self.watcher.scheduler.clone();
        let reader = self.control.reader();
        let found = reader.read(move |state| state.set_of_try_job(&scheduler, &job));
        match found.await {
            Ok(set) => Ok(set.is_some()),
            Err(error) => Err(format!("cannot look up try jobs in the state: {error}")),
        }
    }

    async fn settle(&self, name: &OsStr, is_second: bool) -> Result<(), String> {
        let file = name.to_owned();
        self.in_maildir(move |dir| dir.settle(&file, is_second))
            .await
    }

    async fn refuse(&self, name: &OsStr, is_second: bool, why: String) -> Result<(), String> {
        self.tell_refusal(name, &why);
        let file = name.to_owned();
        self.in_maildir(move |dir| dir.refuse(&file, is_second, &why))
            .await
    }

    fn tell_refusal(&self, name: &OsStr, why: &str) {
        info!(scheduler = %self.watcher.scheduler, file = ?name, "try job rejected: {why}");
    }

    /// Runs blocking file operations on a separate thread.
    async fn in_maildir<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Maildir) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let maildir = Arc::clone(&self.watcher.maildir);
        crate::blocking::run(move || work(&maildir))
            .await
            .unwrap_or_else(|error| Err(format!("cannot work with the job directory: {error}")))
    }
}

/// Advice for the operator if the permissions allow too few or too many users to submit jobs.
fn advice(maildir: &Maildir) -> Option<String> {
    let mode = maildir.mode()?;
    let (who, advice) = match (mode & 0o002, mode & 0o020) {
        (0, 0) => (
            "only the user of the master can submit try jobs",
            "to allow several developers, give the job directory to their group, `chmod 2750` it, and \
             `chmod 2770` tmp, new and cur in it",
        ),
        (0, _) => return None,
        _ => (
            "everybody on this machine can submit try jobs, which run arbitrary commands",
            "run `chmod o-w` on it if this is not intended",
        ),
    };
    Some(format!("{}: {who}; {advice}", maildir.new_dir().display()))
}

#[cfg(test)]
mod tests;
