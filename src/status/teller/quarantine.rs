//! Tells the owners of tests in quarantine that these count again in a day (FLK-07).

use crate::config::{BuilderConfig, Config, MailNotifierConfig, StatusConfig};
use crate::model::{Letter, LetterFacts, LetterOp, Op, Quarantine, QuarantineOp, Timestamp};
use crate::store::{State, StoreError};

/// The letters that are due at `now`, with what says that they were written.
///
/// # Errors
/// The state cannot be read.
pub(super) fn notices(
    state: &State,
    config: &Config,
    now: Timestamp,
) -> Result<Vec<Op>, StoreError> {
    let ending = state.quarantine_ending(now, Quarantine::NOTICE)?;
    let notices = ending.into_iter().filter_map(|one| {
        let target = &target(config, &one)?.telling.name;
        let told = QuarantineOp::Told {
            test: one.test.clone(),
            builder: one.builder.clone(),
        };
        let facts = LetterFacts::QuarantineEnds {
            test: one.test.shown(),
            builder: one.builder,
            owner: one.owner,
            reason: one.reason,
            until: one.until,
        };
        let letter = Letter::of_quarantine(target, facts, now);
        Some([
            Op::Letter(Box::new(LetterOp::Written(letter))),
            Op::Quarantine(Box::new(told)),
        ])
    });
    Ok(notices.flatten().collect())
}

/// The target that tells of problems of the builder.
fn target<'a>(config: &'a Config, one: &Quarantine) -> Option<&'a MailNotifierConfig> {
    let is_about = |mail: &MailNotifierConfig| match &one.builder {
        None => true,
        Some(name) => match config.builder(name.as_str()) {
            Some(builder) => mail.telling.has_builder(builder),
            None => mail
                .telling
                .has_builder(&BuilderConfig::named(name.clone())),
        },
    };
    let mut mails = config.status.iter().filter_map(StatusConfig::mail);
    mails.find(|mail| mail.problems && is_about(mail))
}
