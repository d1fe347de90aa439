//! What the core announces to subscribers: the log, live views, notifiers (STA-01).
//!
//! Events carry facts. Subscribers look up in the configuration whom to notify, and how.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{LockUser, LockWait};
use crate::model::journal::BuildStart;
use crate::model::{
    BigState, BuildId, BuildNumber, BuildSet, BuilderName, Change, Pause, RequestId, Results,
    SchedulerName, SetId, SlaveName, Timestamp,
};

/// Something worth telling. What is on record is announced only when it is durable.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// About changes, schedulers, build sets and requests.
    Intake(IntakeEvent),
    /// About a build, or one that is being prepared.
    Build(BuildEvent),
    /// About a builder, and what a slave does for it.
    Builder(BuilderEvent),
    /// About a slave.
    Slave(SlaveEvent),
    /// About an instance of a latent slave.
    Instance(InstanceEvent),
    /// About the master.
    Master(MasterEvent),
}

/// About changes, schedulers, build sets and requests.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IntakeEvent {
    /// A change was accepted.
    ChangeAdded(Arc<Change>),
    /// A scheduler could not do its work; it and the others run on (CHG-05, SCB-03).
    SchedulerFailed {
        /// Which scheduler.
        scheduler: SchedulerName,
        /// What went wrong.
        why: String,
    },
    /// A set was submitted; all its requests exist (BST-01).
    SetSubmitted(Arc<BuildSet>),
    /// The first request of a set has failed; once at most (BST-04).
    FirstFailure {
        /// Which set.
        set: SetId,
    },
    /// A set has finished; exactly once (BST-05).
    SetFinished {
        /// Which set.
        set: SetId,
        /// SUCCESS or FAILURE (BST-03).
        result: Results,
    },
    /// A request waits in the queue of its builder, for the first time or again (BLD-10).
    RequestQueued {
        /// Which request.
        request: RequestId,
        /// Its builder.
        builder: BuilderName,
    },
    /// A request ends that no build answers for: it was cancelled, or stopped before its build
    /// began.
    RequestCancelled {
        /// Which request.
        request: RequestId,
        /// Why.
        why: String,
    },
    /// A request has finished.
    RequestFinished {
        /// Which request.
        request: RequestId,
        /// Its result.
        result: Results,
    },
}

/// About a build, or one that is being prepared.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildEvent {
    /// A build could not be started; its requests are queued again (BLD-10).
    StartFailed {
        /// Its builder.
        builder: BuilderName,
        /// The slave that was tried.
        slave: SlaveName,
        /// Why.
        why: String,
    },
    /// A build has started.
    Started(Arc<BuildStart>),
    /// A build, or a step of one, has to wait for locks.
    LocksAwaited(Arc<LockWait>),
    /// A build, or a step of one, has got the locks that it waited for.
    LocksGranted {
        /// Its builder.
        builder: BuilderName,
        /// Its number.
        number: BuildNumber,
        /// What of it.
        user: LockUser,
    },
    /// A build is being stopped, maybe again (BUI-10).
    Interrupted {
        /// Its builder.
        builder: BuilderName,
        /// Its number; absent while it is being prepared.
        number: Option<BuildNumber>,
        /// Why.
        reason: String,
    },
    /// A build has ended.
    Finished {
        /// Which build.
        build: BuildId,
        /// Its builder.
        builder: BuilderName,
        /// Its number within the builder.
        number: BuildNumber,
        /// Its result.
        result: Results,
        /// Short text.
        text: Vec<String>,
    },
}

/// About a builder, and what a slave does for it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BuilderEvent {
    /// The big state of a builder changed (BLD-13).
    State {
        /// Which builder.
        builder: BuilderName,
        /// What it is now.
        state: BigState,
    },
    /// A builder was paused, or builds again (MAY-03).
    Paused {
        /// Which builder.
        builder: BuilderName,
        /// How it is paused; absent: no longer.
        pause: Option<Pause>,
    },
    /// Something about a builder that passes (BLD-15).
    Point {
        /// The builder.
        builder: BuilderName,
        /// The slave that it is about, if it is about one.
        slave: Option<SlaveName>,
        /// What it is.
        what: BuilderPoint,
    },
    /// A builder could not be attached to a slave (row 5).
    FailedConnect {
        /// The builder.
        builder: BuilderName,
        /// The slave.
        slave: SlaveName,
        /// Why.
        why: String,
    },
    /// A slave did not answer a ping (row 11).
    PingFailed {
        /// The builder.
        builder: BuilderName,
        /// The slave.
        slave: SlaveName,
    },
    /// A latent slave without a connection was pinged, which is well (row 28).
    PingedLatent {
        /// The builder.
        builder: BuilderName,
        /// The slave.
        slave: SlaveName,
    },
}

/// About a slave.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlaveEvent {
    /// A slave is attached to all its builders and can be used.
    Connected {
        /// Which slave.
        slave: SlaveName,
        /// Where it comes from.
        address: String,
    },
    /// A slave's connection is gone.
    Lost {
        /// Which slave.
        slave: SlaveName,
        /// Why.
        why: String,
    },
    /// A slave has been away for as long as is configured, or its instance could not be had for a
    /// build; once for each absence (SLV-07, LAT-04).
    Missing {
        /// The slave.
        slave: SlaveName,
        /// Since when it is away.
        since: Timestamp,
        /// Why its instance could not be had, if it is a latent slave (LAT-04).
        why: Option<String>,
        /// Its administrator, as the slave itself told; empty if it told none.
        admin: String,
    },
    /// A connection was refused in favour of an older one, or because the master does not want it.
    Refused {
        /// Which slave.
        slave: SlaveName,
        /// Where it comes from.
        address: String,
        /// Why.
        why: String,
    },
    /// A slave is to connect again when its builds have ended, for something about its builders
    /// went wrong.
    Rejoins {
        /// Which slave.
        slave: SlaveName,
        /// Why.
        why: String,
    },
    /// A slave gets no builds for a while because starts on it fail again and again (BLD-12).
    HeldBack {
        /// Which slave.
        slave: SlaveName,
        /// How long; serialized in milliseconds.
        #[serde(rename = "delay_ms", with = "millis")]
        delay: Duration,
    },
    /// A slave was paused, or takes builds again.
    Paused {
        /// Which slave.
        slave: SlaveName,
        /// How it is paused; absent: no longer.
        pause: Option<Pause>,
    },
    /// A slave is to be shut down when it is idle, or no longer (SLV-08).
    Graceful {
        /// Which slave.
        slave: SlaveName,
        /// Whether it is.
        graceful: bool,
    },
}

/// About an instance of a latent slave.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceEvent {
    /// A build has chosen a latent slave, whose instance is being started (row 20). Told for each
    /// build that waits for the instance.
    Substantiating {
        /// The builder.
        builder: BuilderName,
        /// The slave.
        slave: SlaveName,
    },
    /// A latent slave has attached, and the build that waited for it goes on (row 21).
    Substantiated {
        /// The builder.
        builder: BuilderName,
        /// The slave.
        slave: SlaveName,
    },
    /// A build waited for a latent slave in vain (row 23).
    SubstantiateFailed {
        /// The builder.
        builder: BuilderName,
        /// The slave.
        slave: SlaveName,
        /// Why.
        why: String,
    },
    /// The instance of a latent slave is being stopped (row 25).
    Stopping {
        /// The slave.
        slave: SlaveName,
        /// Why.
        why: String,
    },
    /// The instance of a latent slave is gone.
    Stopped {
        /// The slave.
        slave: SlaveName,
    },
    /// An instance could not be stopped; the slave is not used meanwhile.
    StopFailed {
        /// The slave.
        slave: SlaveName,
        /// Why.
        why: String,
        /// When it is tried again.
        #[serde(rename = "again_ms", with = "millis")]
        again: Duration,
    },
}

/// About the master.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MasterEvent {
    /// Another configuration is in force.
    Reconfigured,
    /// The master stops.
    ShuttingDown {
        /// Whether running builds are waited for.
        clean: bool,
    },
    /// A clean shutdown was cancelled.
    ShutdownCancelled,
    /// An expression that decides what is built could not be worked out (CFL-145).
    ExpressionFailed {
        /// Where it stands; empty in the count at the end of a configuration.
        place: String,
        /// The expression.
        expression: String,
        /// Why; likewise.
        why: String,
        /// How often since the configuration is in force.
        count: u64,
    },
}

impl From<IntakeEvent> for Event {
    fn from(event: IntakeEvent) -> Self {
        Self::Intake(event)
    }
}

impl From<BuildEvent> for Event {
    fn from(event: BuildEvent) -> Self {
        Self::Build(event)
    }
}

impl From<BuilderEvent> for Event {
    fn from(event: BuilderEvent) -> Self {
        Self::Builder(event)
    }
}

impl From<SlaveEvent> for Event {
    fn from(event: SlaveEvent) -> Self {
        Self::Slave(event)
    }
}

impl From<InstanceEvent> for Event {
    fn from(event: InstanceEvent) -> Self {
        Self::Instance(event)
    }
}

impl From<MasterEvent> for Event {
    fn from(event: MasterEvent) -> Self {
        Self::Master(event)
    }
}

/// What passes at a builder; what concerns builds is told by events of its own.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BuilderPoint {
    /// A slave was attached to it (row 4).
    Connected,
    /// A slave is attached to it no longer, or not going to be (rows 6, 12, 18 and 19).
    Disconnected,
    /// A latent slave can be started for it.
    LatentAdded,
    /// A latent slave cannot be started for it any more, or not now because that failed (row 23).
    LatentRemoved,
    /// Somebody has a slave pinged (row 8).
    Pinging,
    /// The slave has answered (row 10).
    PingSucceeded,
    /// Somebody wants its slaves pinged, and it has none (BLD-16).
    NoSlaveToPing,
    /// It is another one by a new configuration.
    ConfigUpdated,
}

impl BuilderPoint {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connect",
            Self::Disconnected => "disconnect",
            Self::LatentAdded => "added latent",
            Self::LatentRemoved => "removing latent",
            Self::Pinging => "pinging",
            Self::PingSucceeded => "ping success",
            Self::NoSlaveToPing => "ping / no slave",
            Self::ConfigUpdated => "config updated",
        }
    }
}

/// Durations as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn check(event: &Event, text: &str) {
        assert_eq!(serde_json::to_string(event).unwrap(), text);
        assert_eq!(serde_json::from_str::<Event>(text).unwrap(), *event);
    }

    #[test]
    fn events_have_a_stable_format() {
        check(
            &Event::Intake(IntakeEvent::SetFinished {
                set: SetId(3),
                result: Results::Failure,
            }),
            r#"{"intake":{"set_finished":{"set":3,"result":"failure"}}}"#,
        );
        check(
            &Event::Slave(SlaveEvent::Missing {
                slave: "bot".into(),
                since: Timestamp(5),
                why: None,
                admin: "zoe".to_owned(),
            }),
            r#"{"slave":{"missing":{"slave":"bot","since":5,"why":null,"admin":"zoe"}}}"#,
        );
        check(
            &Event::Slave(SlaveEvent::HeldBack {
                slave: "bot".into(),
                delay: Duration::from_secs(10),
            }),
            r#"{"slave":{"held_back":{"slave":"bot","delay_ms":10000}}}"#,
        );
        check(
            &Event::Builder(BuilderEvent::Point {
                builder: "full".into(),
                slave: None,
                what: BuilderPoint::NoSlaveToPing,
            }),
            r#"{"builder":{"point":{"builder":"full","slave":null,"what":"no_slave_to_ping"}}}"#,
        );
        check(
            &MasterEvent::Reconfigured.into(),
            r#"{"master":"reconfigured"}"#,
        );
    }
}
