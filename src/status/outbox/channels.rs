//! Letters for channels and for people who are there, and those with codes for nicks (ESC-08,
//! IRC-06, IRC-10, LIV-05).

use std::sync::Arc;

use tokio::time::timeout;

use super::mail::Post;
use super::message::{Parts, message_id, one_line};
use super::recipients::Recipients;
use super::turns::{FRESH_FOR_CHANNELS, Failure, Refused};
use super::wording::{self, About};
use super::{objects, problem_mail};
use crate::config::IrcConfig;
use crate::model::{
    AttributeKind, BuildFacts, Letter, LetterFacts, ProblemFacts, ProblemsTold, Timestamp,
};
use crate::status::irc::{Says, Spot};
use crate::store::StoreError;
use crate::store::read::LetterRow;
use crate::view;

impl Post {
    /// Tells the channels of a target of a build, or a person or the channels of problems. While
    /// there is no connection, a letter to channels waits here, so that it leaves as soon as there
    /// is one, until it is too old.
    ///
    /// # Errors
    /// It was not taken in time, or the person is not there any more.
    pub(super) async fn tell_by_irc(
        &self,
        letter: &LetterRow,
        irc: &IrcConfig,
        now: Timestamp,
    ) -> Result<Refused, Failure> {
        let bots = &self.lookout.bots;
        let target = &irc.telling.name;
        #[expect(clippy::wildcard_enum_match_arm, reason = "others say nothing on IRC")]
        let says = match &letter.facts {
            LetterFacts::Build(facts) => {
                let text = self.words_of_build(facts, irc).await?;
                Says::Build(facts.clone(), text)
            }
            LetterFacts::Problems(told) if letter.order == Letter::CHANNELS => {
                let loud = |facts: &ProblemFacts| facts.say.harshness() == told.harshness();
                Says::Channels(self.brief(told, loud)?)
            }
            LetterFacts::Problems(told) => {
                let spot = bots.find(target, &told.person).await;
                let Some(Spot { nick, unseen }) = spot else {
                    let why = format!("{} is not there any more", told.person);
                    return Err(Failure::Stale(why));
                };
                let may_hear = |facts: &ProblemFacts| {
                    let unseen = unseen.as_deref();
                    unseen.is_none_or(|unseen| !unseen.builders.contains(&facts.builder))
                };
                Says::Nick(nick, self.brief(told, may_hear)?)
            }
            // A digest of what came in too fast for channels says nothing to them.
            _ => return Err(Failure::Stale("it is not about one build".to_owned())),
        };
        let left = FRESH_FOR_CHANNELS.saturating_sub(now.since(letter.made_at));
        match timeout(left, bots.tell(target, &says)).await {
            Ok(()) => Ok(None),
            Err(_) => Err(Failure::Stale("it was older than 10 minutes".to_owned())),
        }
    }

    /// Tells a person of problems at their live clients.
    ///
    /// # Errors
    /// None of them has taken it.
    pub(super) async fn tell_clients(&self, letter: &LetterRow) -> Result<Refused, Failure> {
        let LetterFacts::Problems(told) = &letter.facts else {
            return Err(Failure::Stale("it is not about problems".to_owned()));
        };
        let text = self.brief(told, |_| true)?;
        let first = told.problems.first();
        let link = first.map(|first| problem_mail::address(&self.config, first));
        let clients = &self.lookout.clients;
        let link = link.unwrap_or_default();
        match clients.tell(&told.person, text.trim_end(), &link).await {
            true => Ok(None),
            false => {
                let why = format!("no client of {} takes messages", told.person);
                Err(Failure::Stale(why))
            }
        }
    }

    /// What the template of a target makes of a build, if it has one (MSG-01).
    pub(super) async fn words_of_build(
        &self,
        facts: &BuildFacts,
        irc: &IrcConfig,
    ) -> Result<Option<String>, Failure> {
        let Some(template) = irc.template.clone() else {
            return Ok(None);
        };
        let (config, templates) = (Arc::clone(&self.config), Arc::clone(&self.templates));
        let (facts, modes) = (facts.clone(), irc.telling.modes.clone());
        let wording = self.reader.read(move |state| {
            let Some(told) = objects::of_build(state, &config, &facts, &modes)? else {
                return Ok(None);
            };
            let wanted = (Some(template.as_str()), false);
            let worded = wording::word(&templates, About::Build, wanted, &told.objects);
            Ok::<_, StoreError>(Some(worded))
        });
        let worded = wording.await.map_err(|e| Failure::Later(e.to_string()))?;
        let worded = worded.transpose().map_err(Failure::Never)?;
        Ok(worded.map(|worded| worded.text))
    }

    /// A message about the problems that pass `has`, a line each.
    pub(super) fn brief(
        &self,
        told: &ProblemsTold,
        has: impl Fn(&ProblemFacts) -> bool,
    ) -> Result<String, Failure> {
        let mut told = told.clone();
        told.problems.retain(has);
        if told.problems.is_empty() {
            return Err(Failure::Stale("nothing of it may be said there".to_owned()));
        }
        let objects = problem_mail::objects(&self.config, &told);
        let about = About::ProblemsInLines;
        let worded = wording::word(&self.templates, about, (None, false), &objects);
        Ok(worded.map_err(Failure::Never)?.text)
    }

    /// The mail with the code that confirms a nick. The bot alone has the code.
    ///
    /// # Errors
    /// The code is not good any more, or the person has no mail address.
    pub(super) async fn code(
        &self,
        letter: &LetterRow,
        (bot, person, nick): (&str, &str, &str),
    ) -> Result<Parts, Failure> {
        let expired = || Failure::Never("the code has expired".to_owned());
        let code = self
            .lookout
            .bots
            .code(bot, person, nick)
            .await
            .ok_or_else(expired)?;
        let (config, name) = (self.config.clone(), person.to_owned());
        let finding = self.reader.read(move |state| {
            let register = view::register(state, &config)?;
            let known = register.get(&name).into_iter();
            let mut emails = known
                .flat_map(|person| &person.attributes)
                .filter(|known| known.kind == AttributeKind::Email);
            Ok::<_, StoreError>(emails.next().map(|email| email.value.clone()))
        });
        let found = finding
            .await
            .map_err(|error| Failure::Later(error.to_string()))?;
        let unknown = || Failure::Never(format!("user {person} has no `email`"));
        let address = found.ok_or_else(unknown)?;
        let (title, nick) = (one_line(&self.config.title), one_line(nick));
        Ok(Parts {
            from: self.config.mail.from.clone(),
            recipients: Recipients::new(vec![address], &[]),
            subject: format!("[{title}] code for {nick} on IRC"),
            id: message_id(&self.identity, letter.id, &self.config.mail.from),
            at: letter.made_at,
            text: format!(
                "{nick} on IRC says to be you. If that is so, send the bot this in private within \
                 10 minutes:\n\n    i am {person} {code}\n\nIf it is somebody else, do nothing.\n"
            ),
            ..Parts::default()
        })
    }
}
