//! Mails that tell people of problems (ESC-02, ESC-11, MAL-09).

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::lookup;
use super::mail::Post;
use super::message::{Parts, host_of, message_id};
use super::objects;
use super::recipients::{Recipients, address_of_person};
use super::turns::Failure;
use super::wording::{self, About};
use crate::config::{Config, MailNotifierConfig};
use crate::model::{ProblemFacts, ProblemsTold, Role, Say, build_url};
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
        let config = Arc::clone(&self.config);
        let templates = Arc::clone(&self.templates);
        let (facts, html) = (told.clone(), notifier.html);
        let drafting = self.reader.read(move |state| {
            let objects = objects(&config, &facts);
            let worded = wording::word(&templates, About::Problems, (None, html), &objects);
            Ok::<_, StoreError>((worded, view::register(state, &config)?))
        });
        let unreadable = |error: StoreError| Failure::Later(error.to_string());
        let (worded, register) = drafting.await.map_err(unreadable)?;
        let worded = worded.map_err(Failure::Never)?;
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
