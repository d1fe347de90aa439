//! By which ways people are told of problems, beside mail (ESC-08).

use crate::config::{Config, StatusConfig};
use crate::model::{AttributeKind, Letter, LetterOp, Person, ProblemsTold};
use crate::status::lookout::Lookout;

/// From this harshness on, people who are likely to see it are told by other ways in addition.
const INSISTENT: u8 = 2;

/// At this harshness the channels are told, too (ESC-02).
const LOUD: u8 = 4;

/// The ways that a person has chosen; without a choice, mail.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Choice {
    mail: bool,
    irc: bool,
    live: bool,
}

/// Where a person is likely to see a message.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence {
    /// The bots on IRC that see them there.
    pub(super) irc: Vec<String>,
    /// Whether they have a live client that takes messages.
    pub(super) live: bool,
}

/// The ways by which a person is told something.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Ways {
    mail: bool,
    irc: Vec<String>,
    live: bool,
}

impl Choice {
    /// What a person has chosen.
    pub(super) fn of(person: Option<&Person>) -> Self {
        let mut choice = Self::default();
        let attributes = person.into_iter().flat_map(|person| &person.attributes);
        let chosen = attributes.filter(|attribute| attribute.kind == AttributeKind::Notify);
        for word in chosen.flat_map(|attribute| attribute.value.split([' ', ','])) {
            match word {
                "mail" | "email" => choice.mail = true,
                "irc" => choice.irc = true,
                "live" => choice.live = true,
                _ => {}
            }
        }
        choice
    }
}

impl Ways {
    /// The ways for something of this harshness. There is mail unless the person has chosen other
    /// ways alone, and is likely to see it there.
    pub(super) fn of(choice: Choice, harshness: u8, seen: &Presence) -> Self {
        let insists = harshness >= INSISTENT;
        let irc = match choice.irc || insists {
            true => seen.irc.clone(),
            false => Vec::new(),
        };
        let live = (choice.live || insists) && seen.live;
        let is_chosen = (choice.irc && !irc.is_empty()) || (choice.live && live);
        Self {
            mail: choice.mail || !is_chosen,
            irc,
            live,
        }
    }
}

/// Something that a person is to be told by mail, and what they have chosen.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) op: LetterOp,
    pub(super) choice: Choice,
    /// Of somebody without a mail address, what they are told where they are.
    pub(super) unreached: Option<Unreached>,
}

/// What somebody is told who has no mail address.
#[derive(Debug)]
pub(super) struct Unreached {
    pub(super) told: ProblemsTold,
    /// Whether the mail is for others, too, who get it in any case.
    pub(super) keeps_mail: bool,
}

impl Presence {
    /// Where a person is now.
    async fn of(lookout: &Lookout, config: &Config, person: &str) -> Self {
        let mut irc = Vec::new();
        for bot in bots(config) {
            if lookout.bots.find(bot, person).await.is_some() {
                irc.push(bot.to_owned());
            }
        }
        let live = lookout.clients.has(person);
        Self { irc, live }
    }
}

impl Telling {
    /// What is told, with the letters by other ways.
    pub(super) async fn spread(self, lookout: &Lookout, config: &Config) -> LetterOp {
        let Self {
            mut op,
            choice,
            unreached,
        } = self;
        if let Some(unreached) = unreached {
            unreached.spread(&mut op, lookout, config).await;
            return op;
        }
        let LetterOp::ProblemsTold {
            person,
            letter: Some(mail),
            beside,
            at,
            ..
        } = &mut op
        else {
            return op;
        };
        let harshness = mail.problems().map_or(0, |told| told.harshness());
        let is_asked = harshness >= INSISTENT || choice.irc || choice.live;
        let seen = match is_asked {
            true => Presence::of(lookout, config, person).await,
            false => Presence::default(),
        };
        let ways = Ways::of(choice, harshness, &seen);
        let Some(told) = mail.problems().cloned() else {
            return op;
        };
        let to_person = |target: &str| Letter::of_problems_now(target, told.clone(), *at);
        beside.extend(ways.irc.iter().map(|bot| to_person(bot)));
        if ways.live {
            beside.push(to_person(Letter::LIVE));
        }
        if harshness >= LOUD {
            let about = told.problems.first().map(|first| &first.builder);
            let builder = about.and_then(|name| config.builder(name.as_str()));
            for irc in config.status.iter().filter_map(StatusConfig::irc) {
                let is_about = builder.is_some_and(|b| irc.telling.has_builder(b));
                if irc.problems && is_about {
                    let name = &irc.telling.name;
                    beside.push(Letter::of_problems_for_channels(name, told.clone(), *at));
                }
            }
        }
        if !ways.mail && !beside.is_empty() {
            // The first of the others takes the place of the mail.
            *mail = beside.remove(0);
        }
        op
    }
}

impl Unreached {
    /// Tells the person where they are, if they are anywhere; then the owners need not know that
    /// they cannot be reached (ESC-09).
    async fn spread(self, op: &mut LetterOp, lookout: &Lookout, config: &Config) {
        let LetterOp::ProblemsTold {
            person,
            letter,
            beside,
            at,
            ..
        } = op
        else {
            return;
        };
        let seen = Presence::of(lookout, config, person).await;
        let live = seen.live.then(|| Letter::LIVE.to_owned());
        let targets = seen.irc.into_iter().chain(live);
        let letters =
            targets.map(|target| Letter::of_problems_now(&target, self.told.clone(), *at));
        let mut letters: Vec<_> = letters.collect();
        if !letters.is_empty() {
            letters.extend(letter.take().filter(|_| self.keeps_mail));
            *letter = Some(letters.remove(0));
            beside.extend(letters);
        }
    }
}

/// The bots that tell people of problems.
fn bots(config: &Config) -> impl Iterator<Item = &str> {
    let bots = config.status.iter().filter_map(StatusConfig::irc);
    let bots = bots.filter(|bot| bot.problems);
    bots.map(|bot| bot.telling.name.as_str())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::{BuilderConfig, IrcConfig};
    use crate::model::{Attribute, Mono, Timestamp};
    use crate::protocol::irc::{Hints, Network};

    const CASES: &str = include_str!("../../../tests/data/pester-cases.json");

    fn names(ways: &Ways) -> Vec<&str> {
        let mut names = Vec::new();
        names.extend(ways.mail.then_some("mail"));
        names.extend((!ways.irc.is_empty()).then_some("irc"));
        names.extend(ways.live.then_some("live"));
        names
    }

    #[test]
    fn esc_08_cases_017_and_018_of_pestering() {
        let cases: Value = serde_json::from_str(CASES).unwrap();
        for (place, silent) in [(16, Duration::from_mins(3)), (17, Duration::from_hours(3))] {
            let case = &cases["cases"][place];
            let mut network = Network::default();
            network.joined("ann", "#dev", Mono(Duration::ZERO));
            network.spoke("ann", Mono(Duration::ZERO));
            let hints = Hints {
                accounts: vec!["ann".to_owned()],
                ..Hints::default()
            };
            let found = network.here(&hints, Mono(silent));
            let seen = Presence {
                irc: found.map(|_| "IRC".to_owned()).into_iter().collect(),
                live: false,
            };
            let harshness = u8::try_from(case["given"]["harshness"].as_u64().unwrap()).unwrap();
            let ways = Ways::of(Choice::default(), harshness, &seen);
            assert_eq!(json!(names(&ways)), case["expect"]["by"], "{}", case["id"]);
        }
    }

    #[test]
    fn esc_08_others_are_told_by_mail_until_it_is_urgent_or_they_have_chosen() {
        let seen = Presence {
            irc: vec!["IRC".to_owned()],
            live: true,
        };
        let choice = |value: &str| {
            Choice::of(Some(&Person {
                attributes: [Attribute {
                    kind: AttributeKind::Notify,
                    value: value.to_owned(),
                }]
                .into(),
                ..Person::default()
            }))
        };
        let by = |choice, harshness, seen: &Presence| {
            let ways = Ways::of(choice, harshness, seen);
            names(&ways).join(" ")
        };
        assert_eq!(by(Choice::of(None), 1, &seen), "mail");
        assert_eq!(by(Choice::of(None), 2, &seen), "mail irc live");
        assert_eq!(by(choice("mail, irc"), 0, &seen), "mail irc");
        assert_eq!(by(choice("live"), 0, &seen), "live");
        assert_eq!(by(choice("live"), 0, &Presence::default()), "mail");
        assert_eq!(by(choice("irc"), 2, &seen), "irc live");
    }

    #[tokio::test]
    async fn esc_02_channels_are_told_of_a_problem_that_nobody_solves() {
        let irc = |name: &str, problems| {
            let telling = crate::config::Telling {
                name: name.to_owned(),
                ..Default::default()
            };
            StatusConfig::Irc(Box::new(IrcConfig {
                telling,
                problems,
                ..IrcConfig::default()
            }))
        };
        let builder = BuilderConfig {
            name: "full".into(),
            ..BuilderConfig::default()
        };
        let config = Config {
            status: vec![irc("loud", true), irc("quiet", false)],
            builders: vec![std::sync::Arc::new(builder)],
            ..Config::default()
        };
        let letters = async |times| {
            let facts = json!({
                "problem": 12, "say": {"reminder": times}, "role": "guilty", "what": "test",
                "builder": "full", "suspects": [], "since": 5
            });
            let told = json!({"person": "ann", "problems": [facts], "thread": 12});
            let told = serde_json::from_value(told).unwrap();
            let at = Timestamp(0);
            let op = LetterOp::ProblemsTold {
                person: "ann".to_owned(),
                said: Vec::new(),
                letter: Some(Letter::of_problems("mailer", told, at)),
                beside: Vec::new(),
                at,
            };
            let choice = Choice::default();
            let lookout = Lookout::default();
            let op = Telling {
                op,
                choice,
                unreached: None,
            };
            let op = op.spread(&lookout, &config);
            let LetterOp::ProblemsTold { letter, beside, .. } = op.await else {
                panic!("another op");
            };
            let all = letter.into_iter().chain(beside);
            let all: Vec<_> = all
                .map(|letter| format!("{}: {}", letter.target, letter.order))
                .collect();
            all.join("; ")
        };
        assert_eq!(letters(3).await, "mailer: problems of ann");
        assert_eq!(
            letters(4).await,
            "mailer: problems of ann; loud: channels",
            "nobody is there"
        );
    }

    #[tokio::test]
    async fn esc_09_who_has_no_mail_address_is_told_at_a_live_client() {
        let told = |instead_of: Option<&str>| -> ProblemsTold {
            let told = json!({
                "person": "ann", "problems": [], "thread": 12, "instead_of": instead_of
            });
            serde_json::from_value(told).unwrap()
        };
        let lookout = Lookout::default();
        let targets = async |keeps_mail| {
            let at = Timestamp(0);
            let telling = Telling {
                op: LetterOp::ProblemsTold {
                    person: "ann".to_owned(),
                    said: Vec::new(),
                    letter: Some(Letter::of_problems("mailer", told(Some("ann")), at)),
                    beside: Vec::new(),
                    at,
                },
                choice: Choice::default(),
                unreached: Some(Unreached {
                    told: told(None),
                    keeps_mail,
                }),
            };
            let op = telling.spread(&lookout, &Config::default()).await;
            let LetterOp::ProblemsTold { letter, beside, .. } = op else {
                panic!("another op");
            };
            let all = letter.into_iter().chain(beside);
            all.map(|letter| letter.target).collect::<Vec<_>>()
        };
        assert_eq!(targets(false).await, ["mailer"], "the owners are told");
        let _seat = lookout.clients.enter("ann");
        assert_eq!(targets(false).await, [Letter::LIVE]);
        assert_eq!(targets(true).await, [Letter::LIVE, "mailer"]);
    }
}
