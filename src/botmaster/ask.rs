//! What people and programs ask of the core, and what it answers.
//!
//! A new verb is a variant of [`Ask`] with its arm in `on_asked`, its handler, and its words on the
//! command line.

use std::sync::Arc;

use super::{BotMaster, Forced, Pinged, ReplyId};
use crate::model::{
    BuildNumber, BuildSet, BuilderName, ChangeNumber, NewChange, RequestId, SchedulerName,
    SlaveName, TryJob,
};

/// A question to the core. Each is answered once, and when the answer is yes, what it says is on
/// disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Take a change; answered with its number when the change and all that follows from it are on
    /// disk.
    SubmitChange {
        /// The change.
        change: Box<NewChange>,
    },
    /// Build a try job; answered with its set when that is on disk (section 9).
    SubmitTry {
        /// The try scheduler that the job was handed to.
        scheduler: SchedulerName,
        /// The job.
        job: Box<TryJob>,
        /// The user who has logged in to hand it in.
        user: Option<String>,
    },
    /// Build something on one builder (BLD-16); answered with its set when that is on disk.
    Force(Box<Forced>),
    /// Stop a build that has a number (BUI-10). When it is stopped again, the command that it runs
    /// by then is interrupted.
    StopBuild {
        /// The builder of the build.
        builder: BuilderName,
        /// The number of the build.
        number: BuildNumber,
        /// Why (BUI-11).
        reason: String,
    },
    /// Stop the build of a request, also one that is still being prepared and has no number yet
    /// (BUI-10).
    StopRequest {
        /// The request.
        request: RequestId,
        /// Why.
        reason: String,
    },
    /// Take a request out of the queue (BRQ-04).
    Cancel {
        /// The request.
        request: RequestId,
    },
    /// Give a slave no new builds, also after a restart (SLV-09).
    Pause {
        /// The slave.
        slave: SlaveName,
        /// The user who pauses it.
        by: String,
        /// Why.
        reason: String,
    },
    /// Give a paused slave builds again.
    Unpause {
        /// The slave.
        slave: SlaveName,
    },
    /// Shut a slave down when it is idle (SLV-08).
    Graceful {
        /// The slave.
        slave: SlaveName,
        /// Cancel the shutdown, if the slave has not been told yet. A slave inside the master is
        /// started again.
        cancel: bool,
    },
    /// Ping all slaves of a builder (BLD-16); an error names the first slave that did not answer.
    Ping {
        /// The builder.
        builder: BuilderName,
    },
    /// Stop when the running builds have ended (MAS-05); answered when no more builds are started.
    CleanShutdown,
    /// Cancel a clean shutdown.
    CancelShutdown,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The change is accepted under this number.
    Change(ChangeNumber),
    /// This set is submitted.
    Set(Arc<BuildSet>),
    /// The slaves of a builder were pinged, and all that are connected have answered.
    Pinged(Pinged),
    /// It is done.
    Done,
}

impl BotMaster {
    pub(super) fn on_asked(&mut self, ask: Ask, reply: ReplyId) {
        match ask {
            Ask::SubmitChange { change } => self.on_change_submitted(*change, reply),
            Ask::SubmitTry {
                scheduler,
                job,
                user,
            } => self.on_try_submitted(&scheduler, *job, user.as_deref(), reply),
            Ask::Force(forced) => self.on_force(*forced, reply),
            Ask::StopBuild {
                builder,
                number,
                reason,
            } => self.on_stop_build(&builder, number, reason, reply),
            Ask::StopRequest { request, reason } => self.on_stop_request(request, reason, reply),
            Ask::Cancel { request } => self.on_cancel_request(request, reply),
            Ask::Pause { slave, by, reason } => {
                self.roster
                    .on_pause_slave(&mut self.out, &slave, by, reason, reply)
            }
            Ask::Unpause { slave } => self.roster.on_unpause_slave(&mut self.out, &slave, reply),
            Ask::Graceful {
                slave,
                cancel: false,
            } => self.roster.on_end_slave(&mut self.out, &slave, reply),
            Ask::Graceful {
                slave,
                cancel: true,
            } => self.roster.on_keep_slave(&mut self.out, &slave, reply),
            Ask::Ping { builder } => self.roster.on_ping_slaves(&mut self.out, &builder, reply),
            Ask::CleanShutdown => {
                self.on_shutdown(true);
                self.out.reply(reply, Ok(Answer::Done));
            }
            Ask::CancelShutdown => self.on_cancel_shutdown(reply),
        }
    }
}
