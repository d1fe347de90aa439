//! What people and programs ask of the core, and what it answers.
//!
//! [`Ask`] is the one type of a question: it is made by the command line or another source, carried
//! over the control socket, handed on by `control`, and answered here. A new verb is a variant of
//! it, a handler, and its words on the command line.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::{BotMaster, ReplyId};
use crate::model::{
    BuildNumber, BuildSet, BuilderName, Properties, RequestId, SchedulerName, SearchNumber,
    SlaveName, SourceStamps, TakenChange, TryJob,
};

/// A question to the core. Each is answered once, and when the answer is yes, what it says is on
/// disk.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
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
    /// Build something for a culprit search (SRH-03); answered with its set when that is on disk.
    /// Only the master itself asks for that.
    #[serde(skip)]
    Probe(Box<Probe>),
    /// How many builds of a culprit search could start on a builder now (SRH-08).
    #[serde(skip)]
    RoomForSearch {
        /// The builder.
        builder: BuilderName,
    },
    /// Give up what a culprit search has asked for (SRH-13): it leaves the queue, or its build is
    /// stopped, unless that is past half of its expected time. Only the master itself asks for
    /// that.
    #[serde(skip)]
    EndProbe {
        /// The request.
        request: RequestId,
        /// Why.
        reason: String,
    },
    /// Stop a build that has a number (BUI-10). When it is stopped again, the command that it runs
    /// by then is interrupted.
    StopBuild {
        /// The builder of the build.
        builder: BuilderName,
        /// The number of the build.
        number: BuildNumber,
        /// Why (BUI-11).
        #[serde(default)]
        reason: String,
    },
    /// Stop the build of a request, also one that is still being prepared and has no number yet
    /// (BUI-10).
    StopRequest {
        /// The request.
        request: RequestId,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Take a request out of the queue (BRQ-04).
    Cancel {
        /// The request.
        request: RequestId,
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Give a slave no new builds, also after a restart (SLV-09).
    Pause {
        /// The slave.
        slave: SlaveName,
        /// The user who pauses it.
        #[serde(default)]
        by: String,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Give a paused slave builds again.
    Unpause {
        /// The slave.
        slave: SlaveName,
    },
    /// Start no builds on a builder, also after a restart (MAY-03); those that run continue.
    PauseBuilder {
        /// The builder.
        builder: BuilderName,
        /// The user who pauses it.
        #[serde(default)]
        by: String,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Start builds on a paused builder again.
    UnpauseBuilder {
        /// The builder.
        builder: BuilderName,
    },
    /// Shut a slave down when it is idle (SLV-08).
    Graceful {
        /// The slave.
        slave: SlaveName,
        /// Cancel the shutdown, if the slave has not been told yet. A slave inside the master is
        /// started again.
        #[serde(default)]
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

/// A forced build: a set of one request, without a scheduler.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Forced {
    /// The builder.
    pub builder: BuilderName,
    /// The `ForceScheduler` whose form was filled in; absent: the first of the builder, if it has
    /// one.
    #[serde(default)]
    pub scheduler: Option<SchedulerName>,
    /// Whether it is rejected if no slave is connected and no latent one can be started.
    #[serde(default)]
    pub soon: bool,
    /// What to build.
    #[serde(default, rename = "stamp")]
    pub stamps: SourceStamps,
    /// Why; shown with the build.
    #[serde(default)]
    pub reason: String,
    /// The properties of the set.
    #[serde(default)]
    pub properties: Properties,
    /// Its priority in the queue (BRQ-09): higher numbers are built first; 0 is usual.
    #[serde(default)]
    pub priority: i32,
}

/// A build at a point of a culprit search.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The search.
    pub search: SearchNumber,
    /// The point, from 0.
    pub point: u32,
    /// The builder.
    pub builder: BuilderName,
    /// The sources at the point.
    pub stamps: SourceStamps,
    /// The last step that is run; absent: all are.
    pub step: Option<String>,
}

/// The source of properties that are given with a forced build.
pub const FORCED: &str = "Force";

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The changes of an offer are on disk, in the order of the offer.
    Taken(Vec<TakenChange>),
    /// This set is submitted.
    Set(#[serde(serialize_with = "numbers")] Arc<BuildSet>),
    /// The slaves of a builder were pinged, and all that are connected have answered.
    Pinged(Pinged),
    /// So many.
    Count(usize),
    /// It is done.
    Done,
}

/// What a round of pings has found, beside slaves that did not answer.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pinged {
    /// Those that have answered.
    pub answered: Vec<SlaveName>,
    /// Those that are not attached, so that they were not asked.
    pub away: Vec<SlaveName>,
    /// Latent ones that are not attached, as it should be while no build wants them.
    pub down: Vec<SlaveName>,
}

/// The numbers of a set and of its first request.
fn numbers<S: Serializer>(set: &BuildSet, serializer: S) -> Result<S::Ok, S::Error> {
    let request = set.requests.first().map(|(request, _)| request);
    serde_json::json!({ "set": set.id, "request": request }).serialize(serializer)
}

impl Ask {
    /// What is not done, if this is work that the master takes only while it can write its state.
    #[must_use]
    pub const fn work(&self) -> Option<&'static str> {
        match self {
            Self::SubmitTry { .. } => Some("the try job was not accepted"),
            Self::Force(_) => Some("nothing was forced"),
            Self::Probe(_) => Some("the search did not go on"),
            Self::EndProbe { .. }
            | Self::RoomForSearch { .. }
            | Self::StopBuild { .. }
            | Self::StopRequest { .. }
            | Self::Cancel { .. }
            | Self::Pause { .. }
            | Self::Unpause { .. }
            | Self::PauseBuilder { .. }
            | Self::UnpauseBuilder { .. }
            | Self::Graceful { .. }
            | Self::Ping { .. }
            | Self::CleanShutdown
            | Self::CancelShutdown => None,
        }
    }

    /// What is asked for, in words for the log.
    #[must_use]
    pub fn act(&self) -> String {
        match self {
            Self::SubmitTry { scheduler, .. } => format!("asked for a try job of {scheduler}"),
            Self::Force(forced) => {
                let owner = forced
                    .properties
                    .get("owner")
                    .and_then(|owner| owner.as_str());
                let owner = owner.map_or_else(String::new, |owner| {
                    format!(" for {}", owner.escape_debug())
                });
                let (builder, why) = (&forced.builder, Self::because(&forced.reason));
                format!("asked for a build on {builder}{owner}{why}")
            }
            Self::Probe(probe) => {
                let Probe {
                    search, builder, ..
                } = &**probe;
                format!("asked for a build of search {search} on {builder}")
            }
            Self::RoomForSearch { builder } => {
                format!("asked how many builds of a search could start on {builder}")
            }
            Self::EndProbe { request, reason } => {
                let why = Self::because(reason);
                format!("gave up request {request} of a search{why}")
            }
            Self::StopBuild {
                builder,
                number,
                reason,
            } => format!(
                "asked to stop build {builder}/{number}{}",
                Self::because(reason)
            ),
            Self::StopRequest { request, reason } => {
                let why = Self::because(reason);
                format!("asked to stop the build of request {request}{why}")
            }
            Self::Cancel { request, reason } => {
                format!("asked to cancel request {request}{}", Self::because(reason))
            }
            Self::Pause { slave, by, reason } => {
                let why = Self::because(reason);
                format!("asked to pause slave {slave}{}{why}", Self::on_behalf(by))
            }
            Self::PauseBuilder {
                builder,
                by,
                reason,
            } => {
                let why = Self::because(reason);
                format!(
                    "asked to pause builder {builder}{}{why}",
                    Self::on_behalf(by)
                )
            }
            Self::UnpauseBuilder { builder } => format!("asked to unpause builder {builder}"),
            Self::Unpause { slave } => format!("asked to unpause slave {slave}"),
            Self::Graceful {
                slave,
                cancel: false,
            } => format!("asked to shut slave {slave} down when it is idle"),
            Self::Graceful {
                slave,
                cancel: true,
            } => format!("asked to cancel the shutdown of slave {slave}"),
            Self::Ping { builder } => format!("asked to ping the slaves of {builder}"),
            Self::CleanShutdown => "asked to stop when the running builds have ended".to_owned(),
            Self::CancelShutdown => "asked to cancel the clean shutdown".to_owned(),
        }
    }

    fn on_behalf(by: &str) -> String {
        match by {
            "" => String::new(),
            by => format!(" for {}", by.escape_debug()),
        }
    }

    /// A reason as the end of a sentence; escaped, so that it cannot forge a line of the log.
    #[must_use]
    pub fn because(reason: &str) -> String {
        match reason {
            "" => String::new(),
            reason => format!(": {}", reason.escape_debug()),
        }
    }
}

/// A user's request about a slave.
#[derive(Debug)]
pub(super) enum SlaveWish {
    /// SLV-09: pauses the slave, which gets no new builds; answers when the pause is on disk. A
    /// second pause replaces the reason.
    Pause { by: String, reason: String },
    /// SLV-09: resumes the slave, which takes builds again at once.
    Unpause,
    /// SLV-08: give the slave no new builds, and shut it down when it is idle.
    ShutDown,
    /// Cancel the shutdown, unless it is too late. A slave inside the master that has ended is
    /// started again.
    Stay,
}

impl BotMaster {
    pub(super) fn on_asked(&mut self, ask: Ask, reply: ReplyId) {
        match ask {
            Ask::SubmitTry {
                scheduler,
                job,
                user,
            } => self.on_try_submitted(&scheduler, *job, user.as_deref(), reply),
            Ask::Force(forced) => self.on_force(*forced, reply),
            Ask::Probe(probe) => self.on_probe(*probe, reply),
            Ask::RoomForSearch { builder } => self.on_room_for_search(&builder, reply),
            Ask::EndProbe { request, reason } => self.on_end_probe(request, reason, reply),
            Ask::StopBuild {
                builder,
                number,
                reason,
            } => self.on_stop_build(&builder, number, reason, reply),
            Ask::StopRequest { request, reason } => self.on_stop_request(request, reason, reply),
            Ask::Cancel { request, reason } => self.on_cancel_request(request, &reason, reply),
            Ask::Pause { slave, by, reason } => {
                self.on_slave_wish(&slave, SlaveWish::Pause { by, reason }, reply);
            }
            Ask::Unpause { slave } => self.on_slave_wish(&slave, SlaveWish::Unpause, reply),
            Ask::PauseBuilder {
                builder,
                by,
                reason,
            } => self.on_pause_builder(&builder, by, reason, reply),
            Ask::UnpauseBuilder { builder } => self.on_unpause_builder(&builder, reply),
            Ask::Graceful { slave, cancel } => {
                let wish = match cancel {
                    false => SlaveWish::ShutDown,
                    true => SlaveWish::Stay,
                };
                self.on_slave_wish(&slave, wish, reply);
            }
            Ask::Ping { builder } => self.roster.on_ping_slaves(&mut self.out, &builder, reply),
            Ask::CleanShutdown => {
                self.on_shutdown(true);
                self.out.reply(reply, Ok(Answer::Done));
            }
            Ask::CancelShutdown => self.on_cancel_shutdown(reply),
        }
    }

    fn on_slave_wish(&mut self, slave: &SlaveName, wish: SlaveWish, reply: ReplyId) {
        self.roster.on_wish(&mut self.out, slave, wish, reply);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::{Patch, PatchBody, SetId, SourceStamp};

    #[test]
    fn an_act_names_what_it_concerns_and_cannot_forge_a_line() {
        let stop = Ask::StopBuild {
            builder: "full".into(),
            number: BuildNumber(3),
            reason: "old\nforged".to_owned(),
        };
        assert_eq!(stop.act(), "asked to stop build full/3: old\\nforged");
        let request = RequestId(7);
        assert_eq!(
            Ask::Cancel {
                request,
                reason: "old".to_owned()
            }
            .act(),
            "asked to cancel request 7: old"
        );
    }

    #[test]
    fn a_question_can_be_passed_on_without_loss() {
        let patch = |body| Patch {
            level: 1,
            body,
            subdir: None,
            who: Some("zoe".to_owned()),
            comment: None,
        };
        let force = |patch| {
            let stamp = SourceStamp {
                branch: Some("rel".to_owned()),
                patch: Some(patch),
                ..SourceStamp::default()
            };
            let mut properties = Properties::new();
            properties.set("owner", "zoe", FORCED);
            Ask::Force(Box::new(Forced {
                builder: "full".into(),
                scheduler: Some("force".into()),
                soon: true,
                stamps: stamp.into(),
                reason: "to see".to_owned(),
                properties,
                priority: -1,
            }))
        };
        let job = TryJob {
            patch: vec![0, 0xff, b'\n'],
            ..TryJob::default()
        };
        for ask in [
            force(patch(PatchBody::Kept(SetId(4)))),
            force(patch(PatchBody::Given(vec![0, 0xff].into()))),
            Ask::SubmitTry {
                scheduler: "try".into(),
                job: Box::new(job),
                user: None,
            },
        ] {
            let text = serde_json::to_string(&ask).unwrap();
            assert_eq!(serde_json::from_str::<Ask>(&text).unwrap(), ask);
        }
    }
}
