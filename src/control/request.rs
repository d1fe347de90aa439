//! What the command line asks of a running master, and what answers it.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{Control, LetterAct, QuarantineAct, RemarkAct, SearchAct, UserAct};
use crate::botmaster::Ask;
use crate::model::{
    BuildNumber, BuilderName, NewChange, Offer, OfferAnswer, RequestId, SourceName,
};

/// The source of changes that people hand in without a change source: by the API and its forms.
const FORM: &str = "form";

/// A request, one JSON object with the name of its verb as `command`:
/// `{"command": "stop-build", "builder": "full", "number": 3, "reason": "wrong branch"}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Request {
    /// A question to the core.
    Core(Ask),
    /// What `control` answers by itself.
    Service(Service),
}

/// What needs more than the core: files of the base directory, or the tasks around the core.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Service {
    /// Build again what a finished build has built.
    Rebuild {
        /// The builder of the build.
        builder: BuilderName,
        /// The number of the build.
        number: BuildNumber,
        /// Why.
        #[serde(default)]
        reason: String,
        /// Whether the source stamp is taken as it was asked for, so that a newer revision may be
        /// built, and not the revision that was built.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        updated: bool,
    },
    /// Read the configuration file again, and put the configuration in force.
    Reconfigure {
        /// Only answer what would change.
        #[serde(default)]
        dry_run: bool,
    },
    /// Take a change; answered with its number when the change and all that follows from it are on
    /// disk.
    SubmitChange {
        /// The change.
        change: Box<NewChange>,
    },
    /// Have a change source that polls look now (INT-11).
    Poke {
        /// The source.
        source: SourceName,
    },
    /// Have a pull request built that waits for an approval (POL-13).
    Approve {
        /// The source.
        source: SourceName,
        /// The number of the pull request.
        pull: u64,
        /// The commit that is approved; at least seven digits of its id.
        head: String,
    },
    /// Retry or drop letters of the outbox (OUT-12); answered with their count.
    Letters {
        /// What is done, and with which letters.
        act: Box<LetterAct>,
    },
    /// Say something of a problem (PRB-16).
    Problem {
        /// What is said.
        act: Box<RemarkAct>,
    },
    /// Begin or stop a culprit search (SRH-16); answered with its number.
    Search {
        /// What is done.
        act: Box<SearchAct>,
    },
    /// Put a test in quarantine, or take it out (FLK-07).
    Quarantine {
        /// What is done, and with which test.
        act: Box<QuarantineAct>,
    },
    /// Change the register of people.
    User {
        /// The change.
        act: Box<UserAct>,
    },
    /// Tell which process the master is, since when it runs, and where it listens.
    Status,
    /// Tell what is known beyond what is on disk.
    Live,
    /// Tell why a request does not run.
    Why {
        /// The request.
        request: RequestId,
    },
}

impl Request {
    /// What the request asks for, in words for the log; absent if it changes nothing.
    pub(super) fn act(&self) -> Option<String> {
        match self {
            Self::Core(ask) => Some(ask.act()),
            Self::Service(service) => service.act(),
        }
    }
}

impl Service {
    /// Whether the verb `command` is one of these.
    fn has(command: &str) -> bool {
        matches!(
            command,
            "rebuild"
                | "reconfigure"
                | "submit-change"
                | "poke"
                | "approve"
                | "letters"
                | "problem"
                | "search"
                | "quarantine"
                | "user"
                | "status"
                | "live"
                | "why"
        )
    }

    fn act(&self) -> Option<String> {
        match self {
            Self::Rebuild {
                builder,
                number,
                reason,
                updated,
            } => {
                let why = Ask::because(reason);
                let how = match updated {
                    true => " with its source stamp as it was asked for",
                    false => "",
                };
                Some(format!("asked to rebuild {builder}/{number}{how}{why}"))
            }
            Self::SubmitChange { .. } => Some("asked to accept a change".to_owned()),
            Self::Poke { source } => Some(format!("asked change source {source} to look now")),
            Self::Approve { source, pull, head } => Some(format!(
                "approved pull request {pull} of change source {source} at {head}"
            )),
            Self::User { act } => Some(act.act()),
            Self::Letters { act } => Some(act.act()),
            Self::Problem { act } => Some(act.act()),
            Self::Search { act } => Some(act.act()),
            Self::Quarantine { act } => Some(act.act()),
            Self::Reconfigure { dry_run: false } => Some("asked to reconfigure".to_owned()),
            Self::Reconfigure { dry_run: true } | Self::Status | Self::Live | Self::Why { .. } => {
                None
            }
        }
    }
}

impl From<Ask> for Request {
    fn from(ask: Ask) -> Self {
        Self::Core(ask)
    }
}

impl From<Service> for Request {
    fn from(service: Service) -> Self {
        Self::Service(service)
    }
}

/// By the verb, so that a mistake in the fields of a known verb is reported as such.
impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let is_service = value["command"].as_str().is_some_and(Service::has);
        if is_service {
            serde_json::from_value(value).map(Self::Service)
        } else {
            serde_json::from_value(value).map(Self::Core)
        }
        .map_err(D::Error::custom)
    }
}

impl Control {
    /// Answers a request that the core is not asked, and that needs no entry in the audit log or
    /// gets it elsewhere: null if there is nothing to say but that it is done.
    ///
    /// # Errors
    /// Why it was not done.
    pub(super) async fn serve(&self, service: Service) -> Result<Value, String> {
        Ok(match service {
            Service::Reconfigure { dry_run } => json!(self.reconfigure(dry_run).await?),
            Service::Status => json!(self.newsroom().facts()),
            Service::Live => json!(self.live().await?),
            Service::Why { request } => json!(self.why(request).await?),
            Service::Poke { source } => {
                self.poke(&source)?;
                Value::Null
            }
            Service::Approve { source, pull, head } => {
                self.approve(&source, pull, &head).await?;
                Value::Null
            }
            Service::Letters { act } => json!(self.letters(*act).await?),
            Service::SubmitChange { change } => {
                let offer = Offer {
                    source: FORM.into(),
                    changes: vec![*change],
                    ..Offer::default()
                };
                match self.offer(offer).await?.answer().await? {
                    OfferAnswer::Taken(taken) => json!(taken.first().map(|taken| taken.number)),
                    OfferAnswer::Redelivered => Value::Null,
                }
            }
            Service::Rebuild { .. }
            | Service::User { .. }
            | Service::Problem { .. }
            | Service::Search { .. }
            | Service::Quarantine { .. } => Value::Null,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read(text: &str) -> Result<Request, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn requests_are_spelled_for_programs() {
        let request = RequestId(7);
        let cases: [(Request, &str); 8] = [
            (
                Ask::StopBuild {
                    builder: "full".into(),
                    number: BuildNumber(3),
                    reason: "old".to_owned(),
                }
                .into(),
                r#"{"command":"stop-build","builder":"full","number":3,"reason":"old"}"#,
            ),
            (
                Ask::Cancel {
                    request,
                    reason: String::new(),
                }
                .into(),
                r#"{"command":"cancel","request":7}"#,
            ),
            (
                Ask::CancelShutdown.into(),
                r#"{"command":"cancel-shutdown"}"#,
            ),
            (
                Service::Rebuild {
                    builder: "full".into(),
                    number: BuildNumber(3),
                    reason: String::new(),
                    updated: false,
                }
                .into(),
                r#"{"command":"rebuild","builder":"full","number":3,"reason":""}"#,
            ),
            (
                Service::Reconfigure { dry_run: true }.into(),
                r#"{"command":"reconfigure","dry_run":true}"#,
            ),
            (Service::Status.into(), r#"{"command":"status"}"#),
            (Service::Live.into(), r#"{"command":"live"}"#),
            (
                Service::Why { request }.into(),
                r#"{"command":"why","request":7}"#,
            ),
        ];
        for (request, text) in cases {
            assert_eq!(serde_json::to_string(&request).unwrap(), text);
            assert_eq!(read(text), Ok(request));
        }
    }

    #[test]
    fn what_may_be_left_out_has_a_default() {
        let pause = Ask::Pause {
            slave: "bot".into(),
            by: String::new(),
            reason: String::new(),
        };
        let text = r#"{"command":"pause","slave":"bot"}"#;
        assert_eq!(read(text), Ok(pause.into()));
        let Ok(Request::Core(Ask::Force(forced))) =
            read(r#"{"command":"force","builder":"full","stamp":{"branch":"rel"}}"#)
        else {
            panic!("a build is forced");
        };
        assert_eq!(forced.stamps.first().branch.as_deref(), Some("rel"));
        assert_eq!((forced.soon, forced.priority), (false, 0));
    }

    #[test]
    fn a_mistake_is_named() {
        let why = |text| read(text).unwrap_err();
        assert!(why(r#"{"command":"explode"}"#).contains("unknown variant `explode`"));
        assert!(why(r#"{"command":"cancel"}"#).contains("missing field `request`"));
        assert!(why(r#"{"command":"why"}"#).contains("missing field `request`"));
        let typo = r#"{"command":"force","builder":"full","stamp":{"brnach":"rel"}}"#;
        assert!(why(typo).contains("unknown field `brnach`"));
        let typo = r#"{"command":"force","biulder":"full"}"#;
        assert!(why(typo).contains("unknown field `biulder`"));
    }
}
