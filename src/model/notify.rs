//! The events of builds that people on IRC are told (IRC-02, IRC-09).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Ending, Results};

/// An event of builds, by the name that Buildbot has for it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "String", try_from = "String")]
pub enum NotifyEvent {
    /// `started`: a build has started.
    Started,
    /// `finished`: a build has ended.
    Finished,
    /// `success`, `warnings`, `failure`, `exception`: it has ended so.
    Result(ToldResult),
    /// `successToFailure` and the like: it has ended otherwise than the build before.
    Turn(ToldResult, ToldResult),
}

/// A result that is told.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ToldResult {
    /// Success.
    Success,
    /// Warnings.
    Warnings,
    /// Failure.
    Failure,
    /// An exception.
    Exception,
}

impl ToldResult {
    /// All of them.
    const ALL: [Self; 4] = [
        Self::Success,
        Self::Warnings,
        Self::Failure,
        Self::Exception,
    ];

    const fn names(self) -> [&'static str; 2] {
        match self {
            Self::Success => ["success", "Success"],
            Self::Warnings => ["warnings", "Warnings"],
            Self::Failure => ["failure", "Failure"],
            Self::Exception => ["exception", "Exception"],
        }
    }

    fn is(self, result: Results) -> bool {
        self.names()[0] == result.as_str()
    }
}

impl NotifyEvent {
    /// The event of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = ToldResult::ALL.into_iter();
        let results = all.clone().map(Self::Result);
        let turns = all.flat_map(|from| ToldResult::ALL.map(|to| Self::Turn(from, to)));
        let mut events = [Self::Started, Self::Finished]
            .into_iter()
            .chain(results)
            .chain(turns);
        events.find(|event| event.to_string() == name)
    }

    /// Whether somebody who wants this is told of such an end.
    #[must_use]
    pub fn wants(self, ending: &Ending) -> bool {
        let is_told = ending.result != Results::Retry;
        match self {
            Self::Started => false,
            Self::Finished => is_told,
            Self::Result(told) => told.is(ending.result),
            Self::Turn(from, to) => {
                to.is(ending.result) && ending.previous.is_some_and(|before| from.is(before))
            }
        }
    }
}

impl fmt::Display for NotifyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::Finished => f.write_str("finished"),
            Self::Result(told) => f.write_str(told.names()[0]),
            Self::Turn(from, to) => write!(f, "{}To{}", from.names()[0], to.names()[1]),
        }
    }
}

impl From<NotifyEvent> for String {
    fn from(event: NotifyEvent) -> Self {
        event.to_string()
    }
}

impl TryFrom<String> for NotifyEvent {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::named(&name).ok_or_else(|| format!("there is no event `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn irc_09_events_have_the_names_of_buildbot() {
        for name in [
            "started",
            "finished",
            "warnings",
            "successToFailure",
            "failureToFailure",
        ] {
            let event = NotifyEvent::named(name).unwrap();
            assert_eq!(event.to_string(), name);
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<NotifyEvent>(&json).unwrap(), event);
        }
        for name in [
            "retry",
            "skipped",
            "Success",
            "retryToSuccess",
            "successTofailure",
            "",
        ] {
            assert_eq!(NotifyEvent::named(name), None, "{name}");
        }
    }

    #[test]
    fn irc_09_an_event_wants_its_ends() {
        let ending = |result, previous| Ending {
            result,
            previous,
            judgement: None,
        };
        let wants = |name: &str, ending: &Ending| NotifyEvent::named(name).unwrap().wants(ending);
        let broken = ending(Results::Failure, Some(Results::Success));
        let first = ending(Results::Failure, None);
        for name in ["finished", "failure", "successToFailure"] {
            assert!(wants(name, &broken), "{name}");
        }
        for name in [
            "started",
            "success",
            "failureToFailure",
            "successToWarnings",
        ] {
            assert!(!wants(name, &broken), "{name}");
        }
        assert!(!wants("successToFailure", &first));
        assert!(!wants("finished", &ending(Results::Retry, None)));
    }
}
