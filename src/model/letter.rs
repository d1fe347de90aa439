//! Letters: what the master tells people and programs outside (OUT-01).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    BuildId, BuildNumber, BuilderName, Ending, LetterId, NewsMode, NotifyEvent, PreviousBuild,
    ProblemNumber, ProblemsTold, Results, Say, SetId, SlaveName, Timestamp,
};

/// A letter as it is written, in the transaction of its cause (OUT-02).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Letter {
    /// The target: who takes it.
    pub target: String,
    /// Letters of a target with the same order leave one after the other (OUT-07).
    pub order: String,
    /// What was true when it was written.
    pub facts: LetterFacts,
    /// Whether it takes the place of older letters of its order that wait (OUT-08).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
    /// Time of the event.
    pub at: Timestamp,
}

/// What a letter says. The wording is made when it is sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LetterFacts {
    /// A slave is missing (SLV-07, LAT-04).
    SlaveMissing {
        /// Name of the slave.
        slave: SlaveName,
        /// Since when.
        since: Timestamp,
        /// Why its instance could not be had, if it is a latent slave.
        why: Option<String>,
        /// Its administrator, as the slave itself said; empty if it said none.
        admin: String,
    },
    /// A build has ended.
    Build(BuildFacts),
    /// A build set has ended (MAL-13).
    BuildSet {
        /// Number of the set.
        set: SetId,
        /// Those of its builds that the target wants, in the order of their ends.
        builds: Vec<BuildFacts>,
        /// How many more there are, of which nothing is kept.
        more: u64,
    },
    /// What a build makes of a commit (PSH-04).
    Commit(CommitFacts),
    /// What a person is told of problems (ESC-01).
    Problems(ProblemsTold),
    /// A test in quarantine counts again in a day (FLK-07).
    QuarantineEnds {
        /// The test, as people see it.
        test: String,
        /// The only builder where it is in quarantine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        builder: Option<BuilderName>,
        /// Who sees to it that it gets well.
        owner: String,
        /// Why it is there.
        reason: String,
        /// When it counts again.
        until: Timestamp,
    },
    /// Somebody on IRC says to be a person, who gets the code that proves it (IRC-06). The code is
    /// a secret, which only the bot has.
    IrcCode {
        /// The bot that was told.
        bot: String,
        /// The person.
        person: String,
        /// The nick.
        nick: String,
    },
    /// So many letters waited for the target that the later ones of an order became one (OUT-10).
    Digest {
        /// How many letters it stands for.
        count: u64,
        /// What the last of them was about.
        last: String,
    },
}

/// What a letter keeps of a build. Its text, its logs and its blame list are read when it is sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BuildFacts {
    /// Number over all builders.
    pub build: BuildId,
    /// The builder.
    pub builder: BuilderName,
    /// Number within the builder.
    pub number: BuildNumber,
    /// The set of its first request.
    pub set: Option<SetId>,
    /// The first build of its line with this result in a row, if the line stands at this build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<BuildNumber>,
    /// What it came to.
    #[serde(flatten)]
    pub ending: Ending,
}

/// The state of a commit for a builder.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CommitFacts {
    /// The name of its repository.
    pub repository: String,
    /// Its revision.
    pub revision: String,
    /// What the state is called at the code host.
    pub context: String,
    /// The builder.
    pub builder: BuilderName,
    /// The build, if it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<(BuildId, BuildNumber)>,
    /// The state.
    pub state: CommitState,
}

/// How far a builder is with a commit.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitState {
    /// A build is queued.
    Pending,
    /// A build runs.
    Running,
    /// The build succeeded.
    Success,
    /// The build failed.
    Failure,
    /// The build ended by an exception, or was cancelled.
    Error,
}

impl CommitState {
    /// The state after a build with this result.
    #[must_use]
    pub const fn of(result: Results) -> Self {
        match result {
            Results::Success | Results::Warnings | Results::Skipped => Self::Success,
            Results::Failure => Self::Failure,
            Results::Exception => Self::Error,
            Results::Retry => Self::Pending,
        }
    }

    /// The state in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }
}

/// A target that may want a letter about a build.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Told {
    /// Its name.
    pub target: String,
    /// The builds that it wants.
    pub modes: Vec<NewsMode>,
    /// What it takes for the previous build.
    #[serde(default)]
    pub previous: PreviousBuild,
    /// Whether it wants one letter for all builds of a set, when that has ended.
    #[serde(default)]
    pub by_set: bool,
    /// The events that it wants, of a target for channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<NotifyEvent>,
}

impl Told {
    /// Whether the target wants a letter about such an end.
    #[must_use]
    pub fn wants(&self, ending: &Ending) -> bool {
        ending.is_wanted(&self.modes) || self.events.iter().any(|event| event.wants(ending))
    }
}

/// A build has ended, and these targets may want a letter about it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BuildTold {
    /// The build, whose end is in the same transaction.
    pub build: BuildId,
    /// The targets whose rules for builders fit.
    pub told: Vec<Told>,
    /// Time of the event.
    pub at: Timestamp,
}

impl Letter {
    /// The target that takes mail.
    pub const MAIL: &str = "mail";

    /// The target that tells people at their live clients.
    pub const LIVE: &str = "live";

    /// The order of all letters for channels.
    pub const CHANNELS: &str = "channels";

    /// How the orders of letters begin that tell a person what they are likely to see at once.
    const NOW: &str = "now ";

    /// A letter about a build. Those of a builder leave in order.
    #[must_use]
    pub fn of_build(target: &str, facts: BuildFacts, at: Timestamp) -> Self {
        Self {
            target: target.to_owned(),
            order: format!("builder {}", facts.builder),
            facts: LetterFacts::Build(facts),
            replaces: false,
            at,
        }
    }

    /// A letter about a build for channels, where all are told in order (OUT-07).
    #[must_use]
    pub fn for_channels(target: &str, facts: BuildFacts, at: Timestamp) -> Self {
        Self {
            order: Self::CHANNELS.to_owned(),
            ..Self::of_build(target, facts, at)
        }
    }

    /// The state of a commit, which takes the place of the states before it (OUT-08).
    #[must_use]
    pub fn of_commit(target: &str, facts: CommitFacts, at: Timestamp) -> Self {
        let CommitFacts {
            repository,
            revision,
            context,
            ..
        } = &facts;
        Self {
            target: target.to_owned(),
            order: format!("{repository} {revision} {context}"),
            facts: LetterFacts::Commit(facts),
            replaces: true,
            at,
        }
    }

    /// A letter that tells a person of problems. Those of a person leave in order.
    #[must_use]
    pub fn of_problems(target: &str, told: ProblemsTold, at: Timestamp) -> Self {
        Self {
            target: target.to_owned(),
            order: format!("problems of {}", told.person),
            facts: LetterFacts::Problems(told),
            replaces: false,
            at,
        }
    }

    /// A letter that tells a person of problems where they are likely to see it at once (ESC-08).
    #[must_use]
    pub fn of_problems_now(target: &str, told: ProblemsTold, at: Timestamp) -> Self {
        Self {
            order: format!("{}{}", Self::NOW, told.person),
            ..Self::of_problems(target, told, at)
        }
    }

    /// A letter that tells channels of problems which nobody solves (ESC-02).
    #[must_use]
    pub fn of_problems_for_channels(target: &str, told: ProblemsTold, at: Timestamp) -> Self {
        Self {
            order: Self::CHANNELS.to_owned(),
            ..Self::of_problems(target, told, at)
        }
    }

    /// Whether letters of this order say nothing to anybody after a while (OUT-09).
    #[must_use]
    pub fn is_for_now(order: &str) -> bool {
        order == Self::CHANNELS || order.starts_with(Self::NOW)
    }

    /// What it tells of problems, if it does.
    #[must_use]
    pub const fn problems(&self) -> Option<&ProblemsTold> {
        if let LetterFacts::Problems(told) = &self.facts {
            return Some(told);
        }
        None
    }

    /// A letter about a build set.
    #[must_use]
    pub fn of_set(target: &str, set: SetId, facts: LetterFacts, at: Timestamp) -> Self {
        Self {
            target: target.to_owned(),
            order: format!("build set {set}"),
            facts,
            replaces: false,
            at,
        }
    }

    /// A letter about a test in quarantine.
    #[must_use]
    pub fn of_quarantine(target: &str, facts: LetterFacts, at: Timestamp) -> Self {
        Self {
            target: target.to_owned(),
            order: "quarantine".to_owned(),
            facts,
            replaces: false,
            at,
        }
    }

    /// A mail with the code for a nick.
    #[must_use]
    pub fn of_irc_code(bot: &str, person: &str, nick: &str, at: Timestamp) -> Self {
        Self {
            target: Self::MAIL.to_owned(),
            order: format!("irc {person}"),
            facts: LetterFacts::IrcCode {
                bot: bot.to_owned(),
                person: person.to_owned(),
                nick: nick.to_owned(),
            },
            replaces: false,
            at,
        }
    }

    /// A mail that a slave is missing.
    #[must_use]
    pub fn of_missing(facts: LetterFacts, slave: &SlaveName, at: Timestamp) -> Self {
        Self {
            target: Self::MAIL.to_owned(),
            order: format!("slave {slave}"),
            facts,
            replaces: false,
            at,
        }
    }
}

/// For people: `slave bot is missing`.
impl fmt::Display for LetterFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlaveMissing { slave, .. } => write!(f, "slave {slave} is missing"),
            Self::Build(build) => build.fmt(f),
            Self::BuildSet { set, builds, more } => {
                let count = builds.len() as u64 + more;
                let builds = if count == 1 { "build" } else { "builds" };
                write!(
                    f,
                    "build set {set} has ended, with {count} {builds} to tell"
                )
            }
            Self::Commit(commit) => {
                let (builder, revision) = (&commit.builder, &commit.revision);
                write!(f, "{revision} is {} on {builder}", commit.state.as_str())
            }
            Self::Problems(told) => {
                let count = told.problems.len() as u64 + told.more;
                match told.problems.first() {
                    Some(first) if count == 1 => {
                        write!(f, "problem {}: {}", first.problem, first.what)
                    }
                    _ => write!(f, "{count} problems"),
                }
            }
            Self::QuarantineEnds { test, .. } => {
                write!(f, "the quarantine of test {test} ends")
            }
            Self::IrcCode { person, nick, .. } => {
                write!(f, "{nick} on IRC says to be {person}")
            }
            Self::Digest { count: 1, last } => f.write_str(last),
            Self::Digest { count, last } => {
                write!(f, "{last}, and {} more like it", count.saturating_sub(1))
            }
        }
    }
}

/// For people: `build full/12 ended with failure`.
impl fmt::Display for BuildFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (builder, number) = (&self.builder, self.number);
        let result: Results = self.ending.result;
        write!(f, "build {builder}/{number} ended with {result}")
    }
}

/// What an attempt to send a letter came to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The target has taken it (OUT-03).
    Delivered,
    /// The target has taken it, but not for all recipients (MAL-10).
    DeliveredInPart {
        /// Who was refused, and why.
        why: String,
    },
    /// It became one letter for each of these recipients (MAL-05).
    Split {
        /// Their addresses.
        to: Vec<String>,
    },
    /// It is tried again.
    Later {
        /// Why it was not taken.
        why: String,
        /// When.
        next_at: Timestamp,
    },
    /// It is not sent: it is too old, or its target is gone (OUT-09, OUT-11).
    Dropped {
        /// Why.
        why: String,
    },
    /// It is not tried again unless somebody asks for it (OUT-06).
    Dead {
        /// Why.
        why: String,
    },
}

impl Fate {
    /// The fate in a word, for metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::DeliveredInPart { .. } => "delivered_in_part",
            Self::Split { .. } => "split",
            Self::Later { .. } => "later",
            Self::Dropped { .. } => "dropped",
            Self::Dead { .. } => "dead",
        }
    }
}

/// A change of the outbox.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterOp {
    /// A letter was written.
    Written(Letter),
    /// A build has ended: the letters that its targets want are written (OUT-02).
    BuildEnded(BuildTold),
    /// A build set has ended: the letters about its builds are written (MAL-13).
    SetEnded {
        /// Number of the set.
        set: SetId,
        /// The targets that want one letter for a set.
        targets: Vec<String>,
        /// Time of the event.
        at: Timestamp,
    },
    /// People are told of problems, each once (ESC-01).
    ProblemsTold {
        /// Who.
        person: String,
        /// What.
        said: Vec<(ProblemNumber, Say)>,
        /// The letter; absent if nobody can be reached (ESC-09).
        letter: Option<Letter>,
        /// What says the same by other ways (ESC-08).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        beside: Vec<Letter>,
        /// Time of the event.
        at: Timestamp,
    },
    /// The master has tried to send a letter.
    Tried {
        /// Number of the letter.
        letter: LetterId,
        /// What it came to.
        fate: Fate,
        /// Time of the event.
        at: Timestamp,
    },
    /// Letters are tried again at once, as if for the first time (OUT-12).
    Retried {
        /// Numbers of the letters.
        letters: Vec<LetterId>,
        /// Time of the event.
        at: Timestamp,
    },
    /// Letters are not sent (OUT-12).
    Dropped {
        /// Numbers of the letters.
        letters: Vec<LetterId>,
        /// Time of the event.
        at: Timestamp,
    },
}

/// How far a letter is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// It waits to be sent.
    Waiting,
    /// The target has taken it.
    Delivered,
    /// It could not be sent, and is not tried again by itself.
    Dead,
    /// Somebody has dropped it.
    Dropped,
}

impl LetterState {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Delivered, Self::Dead, Self::Dropped];

    /// The number by which it is stored.
    #[must_use]
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }
}
