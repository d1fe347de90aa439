//! Acts: what callers ask for at any door is checked against the permissions, done, and put into
//! the audit log (MAY-02, MAY-05).
//!
//! Every door calls [`Control::act`] and nothing else. What the core does is in the log in the
//! transaction of the act; a refusal is written by itself.

use std::sync::Arc;

use serde_json::{Value, json};

use super::object::object;
use super::strangers::Noted;
use super::{Caller, Control, NotForced, Request, Service, Target};
use crate::botmaster::Ask;
use crate::model::{Action, AuditRecord, BuilderName, Op, Outcome, SchedulerName};
use crate::people::{Decision, may};
use crate::schedulers::forcing::{Sent, WrongField};
use crate::store::State;

/// Why something was not done.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotDone {
    /// The caller may not do it.
    #[error("{who} may not {}{}: {decision}", .action.name(), on(.object))]
    NotAllowed {
        /// The caller, for people.
        who: String,
        /// The permission that is missing.
        action: Action,
        /// The thing, in words; empty for the master as a whole.
        object: String,
        /// Why.
        decision: Decision,
    },
    /// Fields of a form were filled in wrongly.
    #[error("{}", NotForced::WrongFields(.0.clone()))]
    WrongFields(Vec<WrongField>),
    /// Another reason.
    #[error("{0}")]
    Rejected(String),
}

fn on(object: &str) -> String {
    match object {
        "" => String::new(),
        object => format!(" ({object})"),
    }
}

impl From<String> for NotDone {
    fn from(why: String) -> Self {
        Self::Rejected(why)
    }
}

impl From<NotForced> for NotDone {
    fn from(why: NotForced) -> Self {
        match why {
            NotForced::WrongFields(wrong) => Self::WrongFields(wrong),
            NotForced::Rejected(why) => Self::Rejected(why),
        }
    }
}

/// The permission that an act needs, and the words for the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// The permission.
    pub action: Action,
    /// What the act is done to.
    pub target: Target,
    /// The act in words.
    pub what: String,
    /// The reason that the caller gives.
    pub reason: String,
}

impl Request {
    /// What the request needs; absent if it changes nothing.
    #[must_use]
    pub fn need(&self) -> Option<Need> {
        let what = self.act()?;
        let (action, target, reason) = match self {
            Self::Core(ask) => need_of(ask),
            Self::Service(service) => match service {
                Service::Rebuild {
                    builder,
                    number,
                    reason,
                    updated: _,
                } => (
                    Action::Rebuild,
                    Target::Build(builder.clone(), *number),
                    reason.as_str(),
                ),
                Service::Reconfigure { .. } => (Action::Reconfigure, Target::Master, ""),
                Service::Poke { .. } => (Action::Poll, Target::Master, ""),
                Service::Approve { .. } => (Action::Try, Target::Master, ""),
                Service::Quarantine { act } => {
                    let target = match &act.builder {
                        Some(builder) => Target::Builder(builder.clone()),
                        None => Target::Master,
                    };
                    (Action::Problem, target, "")
                }
                Service::Letters { .. } => (Action::Outbox, Target::Master, ""),
                Service::Problem { act } => {
                    // Whoever sees a problem says for themselves what concerns them alone.
                    let action = match act.is_own() {
                        true => Action::View,
                        false => Action::Problem,
                    };
                    (action, Target::Problem(act.problem), act.text.as_str())
                }
                Service::Search { act } => {
                    let target = act
                        .builder()
                        .map(|builder| Target::Builder(builder.clone()));
                    (Action::Search, target.unwrap_or(Target::Master), "")
                }
                Service::SubmitChange { .. } => (Action::Submit, Target::Master, ""),
                Service::User { act } => {
                    let target = Target::User(act.name().to_owned());
                    (Action::Users, target, "")
                }
                Service::Status | Service::Live | Service::Why { .. } => return None,
            },
        };
        Some(Need {
            action,
            target,
            what,
            reason: reason.to_owned(),
        })
    }
}

fn need_of(ask: &Ask) -> (Action, Target, &str) {
    match ask {
        Ask::SubmitTry { scheduler, .. } => (Action::Try, Target::Scheduler(scheduler.clone()), ""),
        Ask::Force(forced) => {
            let target = Target::Builder(forced.builder.clone());
            (Action::Force, target, &forced.reason)
        }
        Ask::RoomForSearch { builder } => (Action::View, Target::Builder(builder.clone()), ""),
        Ask::EndProbe { request, reason } => (Action::Search, Target::Request(*request), reason),
        Ask::Probe(probe) => (Action::Search, Target::Builder(probe.builder.clone()), ""),
        Ask::StopBuild {
            builder,
            number,
            reason,
        } => (
            Action::Stop,
            Target::Build(builder.clone(), *number),
            reason,
        ),
        Ask::StopRequest { request, reason } => (Action::Stop, Target::Request(*request), reason),
        Ask::Cancel { request, reason } => (Action::Cancel, Target::Request(*request), reason),
        Ask::Pause { slave, reason, .. } => {
            (Action::PauseSlave, Target::Slave(slave.clone()), reason)
        }
        Ask::PauseBuilder {
            builder, reason, ..
        } => (
            Action::PauseBuilder,
            Target::Builder(builder.clone()),
            reason,
        ),
        Ask::UnpauseBuilder { builder } => {
            (Action::PauseBuilder, Target::Builder(builder.clone()), "")
        }
        Ask::Unpause { slave } => (Action::PauseSlave, Target::Slave(slave.clone()), ""),
        Ask::Graceful { slave, .. } => (Action::StopSlave, Target::Slave(slave.clone()), ""),
        Ask::Ping { builder } => (Action::Ping, Target::Builder(builder.clone()), ""),
        Ask::CleanShutdown | Ask::CancelShutdown => (Action::Shutdown, Target::Master, ""),
    }
}

impl Control {
    /// Does what `caller` asks for, if the caller may, and gives the answer: null if there is
    /// nothing to say but that it is done. The audit log has the act, or that it was refused.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn act(&self, caller: &Caller, request: Request) -> Result<Value, NotDone> {
        let Some(need) = request.need() else {
            return match request {
                Request::Service(service) => Ok(self.serve(service).await?),
                Request::Core(ask) => Ok(json!(self.ask(ask).await?)),
            };
        };
        let record = self.permit(caller, &need).await?;
        let done = match request {
            Request::Core(Ask::Force(forced)) => {
                let ask = match self.force(*forced, caller.name()).await {
                    Ok(ask) => ask,
                    Err(why) => return Err(self.failed(record, why.into())),
                };
                return Ok(json!(self.ask_for(ask, record).await?));
            }
            // Answered only if it comes to nothing; else the connection ends with the master.
            Request::Core(Ask::CleanShutdown) => {
                return Err(self.clean_shutdown(record).await.into());
            }
            Request::Core(ask) => return Ok(json!(self.ask_for(ask, record).await?)),
            Request::Service(Service::Rebuild {
                builder,
                number,
                reason,
                updated,
            }) => match self.like(builder, number, reason, updated).await {
                Ok(forced) => {
                    let ask = Ask::Force(Box::new(forced));
                    return Ok(json!(self.ask_for(ask, record).await?));
                }
                Err(why) => Err(why),
            },
            Request::Service(Service::Search { act }) => {
                let done = self.search(*act, caller.name()).await;
                done.map(|number| json!(number))
            }
            Request::Service(Service::User { act }) => {
                return match self.user(*act, record.clone()).await {
                    Ok(answer) => Ok(answer),
                    Err(why) => Err(self.failed(record, why.into())),
                };
            }
            Request::Service(Service::Problem { act }) => {
                return match self.remark(*act, caller, record.clone()).await {
                    Ok(()) => Ok(Value::Null),
                    Err(why) => Err(self.failed(record, why.into())),
                };
            }
            Request::Service(Service::Quarantine { act }) => {
                let done = self.quarantine(*act, caller.name()).await;
                done.map(|()| Value::Null)
            }
            Request::Service(service) => self.serve(service).await,
        };
        match done {
            Ok(answer) => {
                self.writer.hand_in(None, vec![Op::Audited(record)]);
                Ok(answer)
            }
            Err(why) => Err(self.failed(record, why.into())),
        }
    }

    /// Lets `caller` do something that is done elsewhere. The audit log has it, or that it was
    /// refused.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn allow(&self, caller: &Caller, need: &Need) -> Result<(), NotDone> {
        let record = self.permit(caller, need).await?;
        self.writer.hand_in(None, vec![Op::Audited(record)]);
        Ok(())
    }

    /// Begins a clean stop, for callers who cannot wait until the master has ended: returns when no
    /// more builds are started.
    ///
    /// # Errors
    /// Why the master goes on.
    pub async fn begin_clean_stop(&self, caller: &Caller) -> Result<(), NotDone> {
        let Some(need) = Request::Core(Ask::CleanShutdown).need() else {
            return Ok(());
        };
        let record = self.permit(caller, &need).await?;
        self.ask_for(Ask::CleanShutdown, record).await?;
        Ok(())
    }

    /// Forces a build as a form of a `ForceScheduler` says, as [`Control::act`] does.
    ///
    /// # Errors
    /// Why it was not done, with all fields that are wrong.
    pub async fn act_by_form(
        &self,
        caller: &Caller,
        builder: &BuilderName,
        scheduler: Option<&SchedulerName>,
        sent: &Sent,
    ) -> Result<Value, NotDone> {
        let reason = sent.get("reason").and_then(|values| values.first());
        let reason = reason.and_then(Value::as_str).unwrap_or_default();
        let need = Need {
            action: Action::Force,
            target: Target::Builder(builder.clone()),
            what: format!("asked for a build on {builder}{}", Ask::because(reason)),
            reason: reason.to_owned(),
        };
        let record = self.permit(caller, &need).await?;
        let form = self.force_by_form(builder, scheduler, sent, caller.user());
        match form.await {
            Ok(ask) => Ok(json!(self.ask_for(ask, record).await?)),
            Err(why) => Err(self.failed(record, why.into())),
        }
    }

    /// Whether `caller` may do what `need` says.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn decide(&self, caller: &Caller, need: &Need) -> Result<Decision, String> {
        // An act that needs no more than to see a thing is the act of a person still.
        if need.action == Action::View && caller.user().is_none() {
            return Ok(Decision::NotAllowed);
        }
        let config = self.config();
        let target = need.target.clone();
        let known = Arc::clone(&config);
        let look = move |state: &State| object(state, &known, &target);
        let object = self.reader().read(look).await;
        let object = object.map_err(|error| error.to_string())?;
        let rights = caller.token.as_ref().map(|(_, rights)| rights);
        let decision = may(
            &config.permissions,
            &caller.actor,
            rights,
            need.action,
            &object,
        );
        let mut granted = caller.granted.iter();
        let grant = granted.find(|(action, _)| *action == need.action);
        Ok(match (decision, grant) {
            (Decision::NotAllowed, Some((_, ground))) => Decision::Allowed(ground.clone()),
            (decision, _) => decision,
        })
    }

    /// Puts into the audit log that `caller` was refused before the act was tried.
    pub fn refuse(&self, caller: &Caller, need: &Need, ground: &str) {
        let record = self.record(caller, need, Outcome::Refused, ground.to_owned());
        self.note_refusal(caller, record);
    }

    /// Puts a refusal into the audit log; those of strangers a limited number of times.
    fn note_refusal(&self, caller: &Caller, mut record: Box<AuditRecord>) {
        if caller.user().is_none() {
            match self.strangers.note(&caller.address, record.at) {
                Noted::Entry => {}
                Noted::Last => {
                    record.ground += "; further refusals of this caller are not recorded for now";
                }
                Noted::Nothing => return,
            }
        }
        self.writer.hand_in(None, vec![Op::Audited(record)]);
    }

    pub(super) fn record(
        &self,
        caller: &Caller,
        need: &Need,
        outcome: Outcome,
        ground: String,
    ) -> Box<AuditRecord> {
        Box::new(AuditRecord {
            at: self.clock.wall(),
            who: caller.name().to_owned(),
            door: caller.door,
            address: caller.address.clone(),
            token: caller.token.as_ref().map(|(token, _)| *token),
            action: need.action,
            object: need.target.to_string(),
            what: need.what.clone(),
            reason: need.reason.clone(),
            outcome,
            ground,
        })
    }

    /// The entry for the audit log of an act that is allowed.
    ///
    /// # Errors
    /// The caller may not; then the audit log has that.
    async fn permit(&self, caller: &Caller, need: &Need) -> Result<Box<AuditRecord>, NotDone> {
        let decision = self.decide(caller, need).await?;
        let mut record = self.record(caller, need, Outcome::Done, decision.to_string());
        if decision.is_allowed() {
            return Ok(record);
        }
        record.outcome = Outcome::Refused;
        self.note_refusal(caller, record);
        let who = caller.user().unwrap_or("somebody who has not logged in");
        Err(NotDone::NotAllowed {
            who: who.to_owned(),
            action: need.action,
            object: need.target.to_string(),
            decision,
        })
    }

    /// Notes in the audit log that an act was allowed but not done.
    fn failed(&self, mut record: Box<AuditRecord>, why: NotDone) -> NotDone {
        record.outcome = Outcome::Failed(why.to_string());
        self.writer.hand_in(None, vec![Op::Audited(record)]);
        why
    }
}

#[cfg(test)]
mod tests;
