//! The mail that tells an owner that a test counts again in a day (FLK-07).

use super::lookup;
use super::mail::Post;
use super::message::{Parts, message_id, one_line};
use super::recipients::{Recipients, address_of_person};
use super::turns::Failure;
use crate::config::MailNotifierConfig;
use crate::model::LetterFacts;
use crate::store::StoreError;
use crate::store::read::LetterRow;
use crate::view;

impl Post {
    /// The mail to the owner.
    ///
    /// # Errors
    /// The owner cannot be reached.
    pub(super) async fn write_of_quarantine(
        &self,
        letter: &LetterRow,
        notifier: &MailNotifierConfig,
    ) -> Result<Parts, Failure> {
        let LetterFacts::QuarantineEnds {
            test,
            builder,
            owner,
            reason,
            until,
        } = &letter.facts
        else {
            let why = "it is not about a test in quarantine";
            return Err(Failure::Never(why.to_owned()));
        };
        let config = self.config.clone();
        let register = self
            .reader
            .read(move |state| view::register(state, &config));
        let unreadable = |error: StoreError| Failure::Later(error.to_string());
        let register = register.await.map_err(unreadable)?;
        let answers = lookup::ask(&notifier.lookup, std::slice::from_ref(owner)).await?;
        let Some(to) = address_of_person(owner, &register, &notifier.lookup, &answers) else {
            lookup::tell_unknown(owner);
            let why = format!("no mail address is known of {owner}; see `lookup` and [people]");
            return Err(Failure::Never(why));
        };
        let place = builder.as_ref().map(|builder| format!(" on {builder}"));
        let (place, title) = (place.unwrap_or_default(), one_line(&self.config.title));
        let (test, reason) = (one_line(test), one_line(reason));
        let extra = notifier.extra_headers.iter();
        Ok(Parts {
            from: notifier.from.clone(),
            recipients: Recipients::new(vec![to], &[]),
            subject: format!("[{title}] quarantine of test {test} ends"),
            id: message_id(&self.identity, letter.id, &notifier.from),
            at: letter.made_at,
            headers: extra
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            text: format!(
                "The test {test}{place} is in quarantine until {}, and you see to it. After that \
                 its failures fail their steps again.\n\nIt was put there because: {reason}.\n\n\
                 If it is not well by then, `buildmaster quarantine add` or its page keep it \
                 there.\n",
                until.to_rfc3339()
            ),
            ..Parts::default()
        })
    }
}
