//! Letters for channels, and those with codes for nicks (IRC-06, IRC-10).

use tokio::time::timeout;

use super::mail::Post;
use super::message::{Parts, message_id, one_line};
use super::recipients::Recipients;
use super::turns::{FRESH_FOR_CHANNELS, Failure, Refused};
use crate::model::{AttributeKind, LetterFacts, Timestamp};
use crate::store::StoreError;
use crate::store::read::LetterRow;
use crate::view;

impl Post {
    /// Tells the channels of a target of a build. While there is no connection, the letter waits
    /// here, so that it leaves as soon as there is one, until it is too old.
    ///
    /// # Errors
    /// It was not taken in time.
    pub(super) async fn tell_channels(
        &self,
        letter: &LetterRow,
        now: Timestamp,
    ) -> Result<Refused, Failure> {
        let LetterFacts::Build(facts) = &letter.facts else {
            // A digest of what came in too fast for channels says nothing to them.
            return Err(Failure::Stale("it is not about one build".to_owned()));
        };
        let left = FRESH_FOR_CHANNELS.saturating_sub(now.since(letter.made_at));
        match timeout(left, self.bots.tell(&letter.target, facts)).await {
            Ok(()) => Ok(None),
            Err(_) => Err(Failure::Stale("it was older than 10 minutes".to_owned())),
        }
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
