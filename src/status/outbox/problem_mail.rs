//! Mails that tell people of problems (ESC-02, ESC-11, MAL-09, MAL-11).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::lookup;
use super::mail::Post;
use super::message::{Parts, host_of, message_id};
use super::objects;
use super::recipients::{Recipients, address_of_person};
use super::turns::Failure;
use super::wording::{self, About, Wording};
use crate::config::{Config, MailNotifierConfig};
use crate::model::{
    ProblemFacts, ProblemNumber, ProblemsTold, RemarkKind, Role, Say, Timestamp, build_url,
};
use crate::people::{OneClick, Register};
use crate::store::StoreError;
use crate::store::read::LetterRow;
use crate::view;

impl Post {
    /// The mail that tells a person of problems.
    ///
    /// # Errors
    /// Nobody can be reached.
    pub(super) async fn write_of_problems(
        &self,
        letter: &LetterRow,
        told: &ProblemsTold,
        notifier: &MailNotifierConfig,
    ) -> Result<Parts, Failure> {
        let (worded, unsubscribe, register) = self.draft(letter, told, notifier.html).await?;
        let person = told.instead_of.is_none().then_some(&told.person);
        let all: Vec<_> = person
            .into_iter()
            .chain(&told.read_along)
            .cloned()
            .collect();
        let answers = lookup::ask(&notifier.lookup, &all).await?;
        let address = |who: &String| {
            let found = address_of_person(who, &register, &notifier.lookup, &answers);
            if found.is_none() {
                lookup::tell_unknown(who);
            }
            found
        };
        let to: Vec<_> = person.into_iter().filter_map(address).collect();
        if person.is_some() && to.is_empty() {
            let why = format!(
                "no mail address is known of {}; see `lookup` and [people]",
                told.person
            );
            return Err(Failure::Never(why));
        }
        let along: Vec<_> = told.read_along.iter().filter_map(address).collect();
        let recipients = match person {
            Some(_) => Recipients::new(to, &along),
            None if along.is_empty() => Recipients::new(Vec::new(), &notifier.extra_recipients),
            None => Recipients::new(along, &[]),
        };
        if recipients.is_empty() {
            return Err(Failure::Never("nobody can be told".to_owned()));
        }
        let numbers = told.problems.iter().map(|one| one.problem.to_string());
        let numbers: Vec<_> = numbers.collect();
        let host = host_of(&notifier.from);
        let thread = format!(
            "<buildmaster.{}.problem.{}@{host}>",
            self.identity, told.thread
        );
        let mut headers = vec![("X-Buildmaster-Problem".to_owned(), numbers.join(", "))];
        if let Some(link) = unsubscribe {
            headers.push(("List-Unsubscribe".to_owned(), format!("<{link}>")));
            let post = "List-Unsubscribe=One-Click";
            headers.push(("List-Unsubscribe-Post".to_owned(), post.to_owned()));
        }
        let extra = notifier.extra_headers.iter();
        headers.extend(extra.map(|(name, value)| (name.clone(), value.clone())));
        Ok(Parts {
            from: notifier.from.clone(),
            recipients,
            subject: subject(&self.config, told),
            id: message_id(&self.identity, letter.id, &notifier.from),
            thread: Some(thread),
            at: letter.made_at,
            headers,
            text: worded.text,
            html: worded.html,
            ..Parts::default()
        })
    }

    /// The wording, the link that unsubscribes, and the register of people.
    async fn draft(
        &self,
        letter: &LetterRow,
        told: &ProblemsTold,
        html: bool,
    ) -> Result<(Wording, Option<String>, Register), Failure> {
        let (config, facts, at) = (Arc::clone(&self.config), told.clone(), letter.made_at);
        let templates = Arc::clone(&self.templates);
        let drafting = self.reader.read(move |state| {
            let mut objects = objects(&config, &facts);
            let key = state.link_key()?;
            let links = Links {
                config: &config,
                told: &facts,
                key: key.as_bytes(),
                at,
            };
            links.add_to(&mut objects);
            let unsubscribe = links.unsubscribe();
            let worded = wording::word(&templates, About::Problems, (None, html), &objects);
            Ok::<_, StoreError>((worded, unsubscribe, view::register(state, &config)?))
        });
        let unreadable = |error: StoreError| Failure::Later(error.to_string());
        let (worded, unsubscribe, register) = drafting.await.map_err(unreadable)?;
        Ok((worded.map_err(Failure::Never)?, unsubscribe, register))
    }
}

/// How long the links of a mail are good (MAL-11).
const GOOD: Duration = Duration::from_secs(30 * 86_400);

/// The links of a mail by which the person does something with one click (MAL-11). A mail that
/// others get, too, has none: they would be links of all of them.
struct Links<'a> {
    config: &'a Config,
    told: &'a ProblemsTold,
    key: &'a [u8],
    /// When the letter was written.
    at: Timestamp,
}

impl Links<'_> {
    /// The link that says this of problems for the person.
    fn link(&self, kind: RemarkKind, problems: Vec<ProblemNumber>) -> Option<String> {
        if self.told.instead_of.is_some() || !self.told.read_along.is_empty() {
            return None;
        }
        let click = OneClick {
            person: self.told.person.clone(),
            kind,
            problems,
            until: self.at + GOOD,
        };
        let sealed = click.sealed(self.key)?;
        let base = self.config.buildbot_url.trim_end_matches('/');
        Some(format!("{base}/one-click/{sealed}"))
    }

    /// Adds the links of each problem.
    fn add_to(&self, objects: &mut Json) {
        for (place, facts) in self.told.problems.iter().enumerate() {
            if facts.ended.is_some() || facts.say == Say::Cleared {
                continue;
            }
            let link = |kind| self.link(kind, vec![facts.problem]);
            let links = &mut objects["problems"][place]["links"];
            links["claim"] = json!(link(RemarkKind::Claim));
            links["mute"] = json!(link(RemarkKind::Mute));
            if facts.role.is_accused() {
                links["not_mine"] = json!(link(RemarkKind::NotMine));
            }
        }
    }

    /// The link that mutes all problems of the mail that are not over.
    fn unsubscribe(&self) -> Option<String> {
        let open = self.told.problems.iter();
        let open = open.filter(|facts| facts.ended.is_none());
        let open: Vec<_> = open.map(|facts| facts.problem).collect();
        if open.is_empty() {
            return None;
        }
        self.link(RemarkKind::Mute, open)
    }
}

/// What a letter about problems says, for templates (MSG-02).
pub(super) fn objects(config: &Config, told: &ProblemsTold) -> Json {
    let problem = |facts: &ProblemFacts| {
        let mut object = json!(facts);
        let build = |number| build_url(&config.buildbot_url, &facts.builder, number);
        object["news"] = json!(news(facts));
        object["why"] = json!(why(facts));
        object["since"] = json!(facts.since.to_rfc3339());
        object["links"] = json!({
            "problem": address(config, facts),
            "first_build": facts.first_build.map(build),
            "good_build": facts.good_build.map(build),
        });
        object
    };
    json!({
        "master": objects::master(config),
        "person": told.person,
        "instead_of": told.instead_of,
        "problems": told.problems.iter().map(problem).collect::<Vec<_>>(),
        "more": told.more,
        "harshness": told.harshness(),
        "read_along": told.read_along,
    })
}

/// The page of a problem.
pub(super) fn address(config: &Config, facts: &ProblemFacts) -> String {
    let base = config.buildbot_url.trim_end_matches('/');
    format!("{base}/problems/{}", facts.problem)
}

/// What has happened, in words.
fn news(facts: &ProblemFacts) -> String {
    match (facts.say, &facts.ended) {
        (Say::Opened(_), _) => "fails now".to_owned(),
        (Say::Proved(_) | Say::Reminder(_) | Say::Daily(_), _) => "still fails".to_owned(),
        (Say::Cleared, _) => "accuses you no longer".to_owned(),
        (Say::Ended, Some(state)) => format!("is over: {state}"),
        (Say::Ended, None) => "is over".to_owned(),
    }
}

/// Why the person is told, in a sentence.
fn why(facts: &ProblemFacts) -> String {
    let count = facts.suspects.len() as u64 + facts.more_suspects;
    match (facts.say, facts.role) {
        (Say::Cleared, _) => "You were told that a change of yours may have caused it.".to_owned(),
        (_, Role::Guilty) => "It is proved that a change of yours has caused it.".to_owned(),
        (_, Role::SoleSuspect) if count == 1 => {
            "The only change in it is yours. That is not proved.".to_owned()
        }
        (_, Role::SoleSuspect) => {
            format!("All {count} changes in it are yours. That is not proved.")
        }
        (_, Role::Suspect) => {
            format!("One of {count} changes has caused it, and you made one of them.")
        }
        (_, Role::Responsible) => "You care for what is broken.".to_owned(),
        (_, Role::Interested) => "You may want to know of it.".to_owned(),
    }
}

fn subject(config: &Config, told: &ProblemsTold) -> String {
    let title = &config.title;
    let Some(first) = told.problems.first() else {
        return title.clone();
    };
    let count = told.problems.len() as u64 + told.more;
    let begin = if let Say::Reminder(times) = first.say {
        format!("reminder {times}: ")
    } else {
        String::new()
    };
    let what = format!("{}: {} {}", first.builder, first.what, news(first));
    let more = match count {
        0 | 1 => String::new(),
        _ => format!(", and {} more", count - 1),
    };
    format!("{title}: {begin}{what}{more} (problem {})", first.problem)
}
