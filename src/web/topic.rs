//! Topics: which of the things that happen somebody wants to hear of.
//!
//! A topic is a word, or a word and a name: `queue`, `builder:linux`, `build:linux/7`. The parts of
//! a name are percent-encoded where they contain `/` or `%`.

use percent_encoding::percent_decode_str;

use super::args::Args;
use crate::config::nearest;
use crate::model::{
    BuildNumber, BuilderName, Facts, Happening, HappeningName, SchedulerName, SetId, SlaveName,
};

/// A topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Topic {
    /// What the start page says: everything but the texts and logs of steps.
    Summary,
    /// A builder and its builds.
    Builder(BuilderName),
    /// A build, its steps and logs.
    Build(BuilderName, BuildNumber),
    /// A log; the step is named by its name or its number.
    Log(BuilderName, BuildNumber, String, String),
    /// A slave and its builds.
    Slave(SlaveName),
    /// A scheduler and its sets.
    Scheduler(SchedulerName),
    /// Changes and what is built of them.
    Change,
    /// A build set and its requests.
    BuildSet(SetId),
    /// What is broken.
    Problem,
    /// Requests.
    Request,
    /// What waits, and what it waits for.
    Queue,
    /// Sets, their requests and builds.
    Try,
    /// People.
    User,
    /// Whether the parts of the master work.
    Health,
}

/// The words, with the form of what follows them.
const WORDS: [&str; 14] = [
    "summary",
    "builder:NAME",
    "build:BUILDER/NUMBER",
    "log:BUILDER/NUMBER/STEP/LOG",
    "slave:NAME",
    "scheduler:NAME",
    "change",
    "buildset:NUMBER",
    "problem",
    "request",
    "queue",
    "try",
    "user",
    "health",
];

impl Topic {
    /// The topic that reads like this.
    ///
    /// # Errors
    /// There is none: the one that may have been meant.
    pub(super) fn parse(text: &str) -> Result<Self, Option<&'static str>> {
        let (word, name) = text.split_once(':').unwrap_or((text, ""));
        let parts: Vec<_> = name.split('/').map(decoded).collect();
        let whole = decoded(name);
        Self::of(word, &whole, &parts).ok_or_else(|| {
            let words = WORDS
                .iter()
                .map(|form| form.split(':').next().unwrap_or(form));
            let near = nearest(word, words)?;
            let mut forms = WORDS.iter().copied();
            forms.find(|form| form.split(':').next() == Some(near))
        })
    }

    /// The topic of a page, which has `{name}` for parts of its address.
    pub(super) fn of_page(template: &str, args: &Args) -> Option<Self> {
        let (word, names) = template.split_once(':').unwrap_or((template, ""));
        let names = names.split('/').map(|name| {
            let name = name.trim_start_matches('{').trim_end_matches('}');
            args.part(name).to_owned()
        });
        let parts: Vec<_> = names.collect();
        Self::of(word, &parts[0], &parts)
    }

    fn of(word: &str, whole: &str, parts: &[String]) -> Option<Self> {
        let build = |builder: &str, number: &str| {
            let number = number.parse().ok()?;
            Some((BuilderName::from(builder), BuildNumber(number)))
        };
        Some(match (word, parts) {
            ("builder", _) if !whole.is_empty() => Self::Builder(whole.into()),
            ("build", [builder, number]) => {
                let (builder, number) = build(builder, number)?;
                Self::Build(builder, number)
            }
            ("log", [builder, number, step, log]) => {
                let (builder, number) = build(builder, number)?;
                Self::Log(builder, number, step.clone(), log.clone())
            }
            ("slave", _) if !whole.is_empty() => Self::Slave(whole.into()),
            ("scheduler", _) if !whole.is_empty() => Self::Scheduler(whole.into()),
            ("buildset", _) => Self::BuildSet(SetId(whole.parse().ok()?)),
            (_, _) if !whole.is_empty() => return None,
            ("summary", _) => Self::Summary,
            ("change", _) => Self::Change,
            ("problem", _) => Self::Problem,
            ("request", _) => Self::Request,
            ("queue", _) => Self::Queue,
            ("try", _) => Self::Try,
            ("user", _) => Self::User,
            ("health", _) => Self::Health,
            _ => return None,
        })
    }

    /// Whether a page with this topic says how long a build that runs will still take.
    pub(super) fn foresees(&self, builder: &BuilderName, number: BuildNumber) -> bool {
        match self {
            Self::Summary | Self::Slave(_) | Self::Queue | Self::Request | Self::BuildSet(_) => {
                true
            }
            Self::Builder(own) => own == builder,
            Self::Build(own, own_number) => own == builder && *own_number == number,
            Self::Log(..)
            | Self::Scheduler(_)
            | Self::Change
            | Self::Problem
            | Self::Try
            | Self::User
            | Self::Health => false,
        }
    }

    /// Whether a page with this topic shows what has changed without being on record: where things
    /// stand, and what is in the way of requests.
    pub(super) fn shows(&self, facts: &Facts) -> bool {
        match self {
            Self::Summary | Self::Queue | Self::Request => true,
            Self::Health => facts.slave.is_some(),
            Self::Builder(builder) => facts.builder.as_ref() == Some(builder),
            Self::Build(builder, number) => {
                facts.builder.as_ref() == Some(builder) && facts.build == Some(*number)
            }
            Self::Slave(slave) => facts.slave.as_ref() == Some(slave),
            Self::Log(..)
            | Self::Scheduler(_)
            | Self::Change
            | Self::BuildSet(_)
            | Self::Problem
            | Self::Try
            | Self::User => false,
        }
    }

    /// Whether something that has happened belongs to this topic.
    pub(super) fn has(&self, happening: &Happening) -> bool {
        self.is_about(happening.name, &happening.facts)
    }

    fn is_about(&self, name: HappeningName, facts: &Facts) -> bool {
        use HappeningName as Name;
        let kind = Kind::of(name);
        if kind == Kind::Master {
            return true;
        }
        match self {
            Self::Summary => !matches!(kind, Kind::Text | Kind::Log | Kind::User),
            Self::Builder(builder) => facts.builder.as_ref() == Some(builder) && kind != Kind::Log,
            Self::Build(builder, number) => {
                facts.builder.as_ref() == Some(builder) && facts.build == Some(*number)
            }
            Self::Log(builder, number, step, log) => {
                let is_step = || match &facts.step {
                    Some(name) => name == step || step.bytes().all(|b| b.is_ascii_digit()),
                    None => true,
                };
                facts.builder.as_ref() == Some(builder)
                    && facts.build == Some(*number)
                    && facts.log.as_ref().is_none_or(|name| name == log)
                    && kind != Kind::Text
                    && is_step()
            }
            Self::Slave(slave) => facts.slave.as_ref() == Some(slave),
            Self::Scheduler(scheduler) => {
                facts.scheduler.as_ref() == Some(scheduler) || name == Name::ChangeAdded
            }
            Self::Change => matches!(kind, Kind::Change | Kind::Set | Kind::Build),
            Self::BuildSet(set) => facts.set == Some(*set),
            Self::Problem => matches!(
                name,
                Name::BuildFinished | Name::BuilderRemoved | Name::ProblemTaken
            ),
            Self::Request => matches!(kind, Kind::Request | Kind::Build),
            Self::Queue => !matches!(
                kind,
                Kind::Change | Kind::Step | Kind::Text | Kind::Log | Kind::Problem | Kind::User
            ),
            Self::Try => matches!(kind, Kind::Set | Kind::Request | Kind::Build),
            Self::User => kind == Kind::User,
            Self::Health => matches!(kind, Kind::Slave | Kind::Builder),
        }
    }
}

/// What something that happened happened to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Change,
    Set,
    Request,
    Builder,
    Build,
    Step,
    Text,
    Log,
    Slave,
    Scheduler,
    Problem,
    User,
    Master,
}

impl Kind {
    const fn of(name: HappeningName) -> Self {
        use HappeningName as Name;
        match name {
            Name::ChangeAdded => Self::Change,
            Name::SetSubmitted | Name::SetFirstFailure | Name::SetFinished => Self::Set,
            Name::RequestQueued
            | Name::RequestStarted
            | Name::RequestCancelled
            | Name::RequestFinished => Self::Request,
            Name::BuilderAdded
            | Name::BuilderRemoved
            | Name::BuilderState
            | Name::BuilderPaused
            | Name::BuilderResumed => Self::Builder,
            Name::BuildStarted | Name::BuildStopped | Name::BuildFinished => Self::Build,
            Name::StepStarted | Name::StepFinished => Self::Step,
            Name::StepText => Self::Text,
            Name::LogOpened | Name::LogClosed => Self::Log,
            Name::SlaveConnected
            | Name::SlaveDisconnected
            | Name::SlavePaused
            | Name::SlaveResumed => Self::Slave,
            Name::SchedulerTimer => Self::Scheduler,
            Name::ProblemTaken => Self::Problem,
            Name::UserChanged => Self::User,
            Name::MasterConfigured | Name::MasterStarted => Self::Master,
        }
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn facts() -> Facts {
        Facts {
            builder: Some("a/b c".into()),
            build: Some(BuildNumber(7)),
            ..Facts::default()
        }
    }

    #[test]
    fn topics_read_as_they_are_written() {
        for (text, topic) in [
            ("queue", Topic::Queue),
            ("builder:a%2Fb c", Topic::Builder("a/b c".into())),
            ("builder:a/b c", Topic::Builder("a/b c".into())),
            (
                "build:a%2Fb c/7",
                Topic::Build("a/b c".into(), BuildNumber(7)),
            ),
            (
                "log:b/7/make/stdio",
                Topic::Log("b".into(), BuildNumber(7), "make".into(), "stdio".into()),
            ),
            ("buildset:3", Topic::BuildSet(SetId(3))),
        ] {
            assert_eq!(Topic::parse(text), Ok(topic), "{text}");
        }
    }

    #[test]
    fn what_is_not_on_record_changes_the_pages_that_show_it() {
        let wait = facts();
        let own = Topic::Build("a/b c".into(), BuildNumber(7));
        let other = Topic::Build("a/b c".into(), BuildNumber(8));
        assert!(own.shows(&wait) && !other.shows(&wait));
        assert!(Topic::Queue.shows(&wait) && !Topic::Change.shows(&wait));
        let held = Facts {
            slave: Some("oak".into()),
            ..Facts::default()
        };
        assert!(Topic::Slave("oak".into()).shows(&held) && Topic::Health.shows(&held));
        assert!(!Topic::Slave("elm".into()).shows(&held) && !own.shows(&held));
    }

    #[test]
    fn a_topic_that_does_not_exist_names_the_nearest() {
        assert_eq!(Topic::parse("bulder:x"), Err(Some("builder:NAME")));
        assert_eq!(Topic::parse("builder:"), Err(Some("builder:NAME")));
        assert_eq!(Topic::parse("queue:x"), Err(Some("queue")));
        assert_eq!(
            Topic::parse("build:x/last"),
            Err(Some("build:BUILDER/NUMBER"))
        );
        assert_eq!(Topic::parse("xyzzy"), Err(None));
    }

    #[test]
    fn the_topics_of_a_page_have_the_parts_of_its_address() {
        let path = [("builder", "a/b c"), ("build", "7")];
        let path = path.map(|(name, part)| (name.to_owned(), part.to_owned()));
        let args = Args::check(&[], path, "").unwrap();
        let build = Topic::of_page("build:{builder}/{build}", &args);
        assert_eq!(build, Some(Topic::Build("a/b c".into(), BuildNumber(7))));
        let builder = Topic::of_page("builder:{builder}", &args);
        assert_eq!(builder, Some(Topic::Builder("a/b c".into())));
        assert_eq!(Topic::of_page("queue", &args), Some(Topic::Queue));
    }

    #[test]
    fn what_happens_belongs_to_the_topics_that_name_it() {
        let (own, other) = (facts(), Facts::default());
        let build = Topic::Build("a/b c".into(), BuildNumber(7));
        assert!(build.is_about(HappeningName::StepText, &own));
        assert!(!build.is_about(HappeningName::StepText, &other));
        assert!(!Topic::Summary.is_about(HappeningName::StepText, &own));
        assert!(Topic::Summary.is_about(HappeningName::BuildFinished, &own));
        assert!(!Topic::Queue.is_about(HappeningName::StepStarted, &own));
        assert!(Topic::Queue.is_about(HappeningName::RequestQueued, &own));
        for name in [
            HappeningName::MasterConfigured,
            HappeningName::MasterStarted,
        ] {
            assert!(build.is_about(name, &other), "everything looks different");
        }
    }
}
