//! Which ends of builds are told, and in which words: the modes of status targets (MAL-02, MAL-03).

use serde::{Deserialize, Serialize};

use super::{ChangeNumber, Judgement, Results};

/// A mode of a status target: which builds it reports. Several add up (MAL-02).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NewsMode {
    /// Builds whose result differs from that of the previous build.
    Change,
    /// Builds that failed.
    Failing,
    /// Builds that succeeded.
    Passing,
    /// Builds that failed while the previous build had not.
    Problem,
    /// Builds with warnings.
    Warnings,
    /// Builds that ended by an exception.
    Exception,
    /// Builds whose failure is news on their line.
    New,
    /// Builds that end a row of failures.
    Fixed,
    /// Builds that fail as the build before did.
    Still,
}

/// Which build counts as the previous one (MAL-03).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviousBuild {
    /// The last build of the same line that has ended and was not a try.
    #[default]
    Line,
    /// The build with the number before, as Buildbot has it.
    Number,
}

/// What a build came to, beside the build before it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ending {
    /// The result of the build.
    pub result: Results,
    /// The result of the previous build; absent if there is none.
    pub previous: Option<Results>,
    /// How the build compares with the one before on its line.
    pub judgement: Option<Judgement>,
}

impl NewsMode {
    /// All modes, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Change,
        Self::Failing,
        Self::Passing,
        Self::Problem,
        Self::Warnings,
        Self::Exception,
        Self::New,
        Self::Fixed,
        Self::Still,
    ];

    /// The modes that the word `all` stands for.
    pub const OF_ALL: [Self; 4] = [
        Self::Failing,
        Self::Passing,
        Self::Warnings,
        Self::Exception,
    ];

    /// The modes that the word `warnings` stands for when it is alone.
    pub const OF_WARNINGS: [Self; 2] = [Self::Failing, Self::Warnings];

    /// The modes of a target that names none.
    pub const USUAL: [Self; 3] = [Self::Failing, Self::Passing, Self::Warnings];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Failing => "failing",
            Self::Passing => "passing",
            Self::Problem => "problem",
            Self::Warnings => "warnings",
            Self::Exception => "exception",
            Self::New => "new",
            Self::Fixed => "fixed",
            Self::Still => "still",
        }
    }

    const fn wants(self, ending: &Ending) -> bool {
        let Ending {
            result,
            previous,
            judgement,
        } = ending;
        match self {
            Self::Change => match previous {
                Some(previous) => previous.number() != result.number(),
                None => false,
            },
            Self::Failing => matches!(result, Results::Failure),
            Self::Passing => matches!(result, Results::Success),
            Self::Problem => {
                matches!(result, Results::Failure)
                    && matches!(previous, Some(previous) if !matches!(previous, Results::Failure))
            }
            Self::Warnings => matches!(result, Results::Warnings),
            Self::Exception => matches!(result, Results::Exception),
            Self::New => {
                matches!(result, Results::Failure) && matches!(judgement, Some(Judgement::New))
            }
            Self::Fixed => matches!(judgement, Some(Judgement::Fixed)),
            Self::Still => {
                matches!(result, Results::Failure) && matches!(judgement, Some(Judgement::Still))
            }
        }
    }
}

impl Ending {
    /// Whether one of these modes wants to be told. A build that is built again is never told.
    #[must_use]
    pub fn is_wanted(&self, modes: &[NewsMode]) -> bool {
        self.result != Results::Retry && modes.iter().any(|mode| mode.wants(self))
    }

    /// What a letter calls the ending, for a target with these modes (MAL-07): a failure or a
    /// success is news only to a target that asks for news.
    #[must_use]
    pub fn opening(&self, modes: &[NewsMode]) -> &'static str {
        let is_wanted_by = |news: &[NewsMode]| {
            let mut modes = modes.iter().filter(|mode| news.contains(mode));
            modes.any(|mode| mode.wants(self))
        };
        match self.result {
            Results::Failure
                if is_wanted_by(&[NewsMode::Change, NewsMode::Problem, NewsMode::New]) =>
            {
                "new failure"
            }
            Results::Failure => "failed",
            Results::Success if is_wanted_by(&[NewsMode::Change, NewsMode::Fixed]) => "restored",
            Results::Success => "passing",
            Results::Warnings => "warnings",
            Results::Exception => "exception",
            Results::Skipped => "skipped",
            Results::Retry => "retry",
        }
    }
}

/// A build that may be the previous one of another.
#[derive(Clone, Copy, Debug)]
pub struct Earlier {
    /// The newest change in it; absent if it has no changes, as when the latest is built.
    pub newest: Option<ChangeNumber>,
    /// Its result.
    pub result: Results,
}

/// The result of the previous build of one whose newest change is `newest` (MAL-03). `earlier` are
/// builds of its line that have ended and were not tries, the latest first.
///
/// A build of older sources than one before it says something of these sources, and is passed over.
/// A build without changes is of what was newest then.
#[must_use]
pub fn previous_result(earlier: &[Earlier], newest: Option<ChangeNumber>) -> Option<Results> {
    let mut reached = None;
    let mut previous: Option<(Option<ChangeNumber>, Results)> = None;
    for build in earlier.iter().rev() {
        let point = build.newest.or(reached);
        reached = reached.max(point);
        let is_too_new = newest.is_some() && point > newest;
        let is_older = previous.is_some_and(|(known, _)| point < known);
        if build.result != Results::Retry && !is_too_new && !is_older {
            previous = Some((point, build.result));
        }
    }
    previous.map(|(_, result)| result)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::Value;

    use super::*;

    fn result(name: &str) -> Results {
        Results::from_name(name).unwrap()
    }

    /// The modes of a setting of the cases.
    fn modes(setting: &str) -> Vec<NewsMode> {
        match setting {
            "all" => NewsMode::OF_ALL.to_vec(),
            "default" => NewsMode::USUAL.to_vec(),
            "warnings" => NewsMode::OF_WARNINGS.to_vec(),
            names => names
                .split('+')
                .map(|name| {
                    let mut all = NewsMode::ALL.into_iter();
                    all.find(|mode| mode.as_str() == name).unwrap()
                })
                .collect(),
        }
    }

    /// A build of a line: its branch, its result, and its newest change if that is said.
    struct Built {
        branch: String,
        newest: Option<ChangeNumber>,
        result: Results,
        is_try: bool,
    }

    impl Built {
        fn of(build: &Value) -> Self {
            let text = |at: usize| build[at].as_str().unwrap();
            let (branch, point) = text(0).split_once(" at ").unwrap_or((text(0), ""));
            let name = text(1).strip_prefix("try: ");
            Self {
                branch: branch.to_owned(),
                newest: point.parse().ok().map(ChangeNumber),
                result: result(name.unwrap_or(text(1))),
                is_try: name.is_some(),
            }
        }
    }

    /// The numbers of the builds that are told, and of the tries among them.
    fn told(builds: &[Built], modes: &[NewsMode]) -> (Vec<usize>, Vec<usize>) {
        let (mut told, mut tries) = (Vec::new(), Vec::new());
        for (number, build) in builds.iter().enumerate() {
            let earlier = builds[..number].iter().rev();
            let earlier: Vec<_> = earlier
                .filter(|other| other.branch == build.branch && !other.is_try)
                .map(|other| Earlier {
                    newest: other.newest,
                    result: other.result,
                })
                .collect();
            let previous = previous_result(&earlier, build.newest);
            let ending = Ending {
                result: build.result,
                previous,
                judgement: Judgement::of(build.result, previous),
            };
            if ending.is_wanted(modes) {
                let wanted = if build.is_try { &mut tries } else { &mut told };
                wanted.push(number);
            }
        }
        (told, tries)
    }

    fn numbers(list: &Value) -> Vec<usize> {
        let list = list.as_array().into_iter().flatten();
        list.map(|number| usize::try_from(number.as_u64().unwrap()).unwrap())
            .collect()
    }

    #[test]
    fn mal_02_mal_03_all_cases_of_modes_and_previous_builds() {
        let cases: Value =
            serde_json::from_str(include_str!("../../tests/data/letter-cases.json")).unwrap();
        let cases = cases["cases"].as_array().unwrap().iter();
        let cases: Vec<_> = cases.filter(|case| case["area"] == "mode").collect();
        assert_eq!(cases.len(), 45);
        for case in cases {
            let (given, expect) = (&case["given"], &case["expect"]);
            if let Some(results) = given["results"].as_array() {
                let builds = results.iter().map(|name| Built {
                    branch: String::new(),
                    newest: None,
                    result: result(name.as_str().unwrap()),
                    is_try: false,
                });
                let builds: Vec<_> = builds.collect();
                for (setting, expected) in expect["mails"].as_object().unwrap() {
                    let told = told(&builds, &modes(setting)).0;
                    assert_eq!(told, numbers(expected), "{}: {setting}", case["id"]);
                }
            } else if let Some(builds) = given["builds"].as_array() {
                let builds: Vec<_> = builds.iter().map(Built::of).collect();
                let (mails, tries) = told(&builds, &modes(given["mode"].as_str().unwrap()));
                assert_eq!(mails, numbers(&expect["mails"]), "{}", case["id"]);
                assert_eq!(tries, numbers(&expect["to_the_tryer"]), "{}", case["id"]);
            } else if let Some(earlier) = given["earlier"].as_str() {
                // The build between them has not ended.
                let earlier = result(earlier);
                let earlier = Earlier {
                    newest: None,
                    result: earlier,
                };
                let ending = Ending {
                    result: result(given["result"].as_str().unwrap()),
                    previous: previous_result(&[earlier], None),
                    judgement: None,
                };
                let modes = modes(given["mode"].as_str().unwrap());
                assert_eq!(expect["mail"], ending.is_wanted(&modes), "{}", case["id"]);
            } else {
                // Those about builders and tags are run where the settings are read.
                assert!(given["settings"].is_object(), "{}", case["id"]);
            }
        }
    }

    #[test]
    fn mal_07_all_cases_of_openings() {
        let cases: Value =
            serde_json::from_str(include_str!("../../tests/data/letter-cases.json")).unwrap();
        let cases = cases["cases"].as_array().unwrap().iter();
        let cases: Vec<_> = cases.filter(|case| case["area"] == "mailtext").collect();
        assert_eq!(cases.len(), 24);
        for case in cases {
            let given = &case["given"];
            let ending = Ending {
                result: result(given["result"].as_str().unwrap()),
                previous: given["previous"].as_str().map(result),
                judgement: None,
            };
            let opening = ending.opening(&modes(given["mode"].as_str().unwrap()));
            assert_eq!(case["expect"]["says"], opening, "{}", case["id"]);
        }
    }

    #[test]
    fn mal_02_what_is_new_fixed_or_still_is_of_the_judgement() {
        let of = |result, before| Ending {
            result,
            previous: None,
            judgement: Judgement::of(result, before),
        };
        let [new, still] =
            [Results::Success, Results::Failure].map(|before| of(Results::Failure, Some(before)));
        let fixed = of(Results::Success, Some(Results::Failure));
        let warned = of(Results::Warnings, Some(Results::Success));
        for (mode, wanted) in [
            (NewsMode::New, new),
            (NewsMode::Still, still),
            (NewsMode::Fixed, fixed),
        ] {
            for ending in [new, still, fixed, warned] {
                assert_eq!(ending.is_wanted(&[mode]), ending == wanted, "{mode:?}");
            }
        }
        assert_eq!(new.opening(&[NewsMode::New]), "new failure");
        assert_eq!(fixed.opening(&[NewsMode::Fixed]), "restored");
        assert_eq!(fixed.opening(&[NewsMode::Passing]), "passing");
    }
}
