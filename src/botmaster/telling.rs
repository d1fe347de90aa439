//! Which status targets may be told of the end of a build or a set (OUT-02).
//!
//! The core knows the builder, the result and the properties. Whether a mode wants the build hangs
//! on the build before it, which the store knows: it writes the letters in the same transaction.

use crate::config::{Config, EndedBuild, StatusConfig};
use crate::model::{BuildId, BuildTold, LetterOp, Op, Results, SetId, Timestamp, Told};

/// What is written for the end of `build`; nothing if no target is about such builds.
pub(super) fn build_ended(
    config: &Config,
    build: BuildId,
    ended: &EndedBuild<'_>,
    at: Timestamp,
) -> Option<Op> {
    if ended.result == Results::Retry {
        return None;
    }
    let targets = config.status.iter().filter_map(StatusConfig::telling);
    let told = targets.filter(|telling| telling.is_about(ended));
    let told: Vec<_> = told
        .map(|telling| Told {
            target: telling.name.clone(),
            modes: telling.modes.clone(),
            previous: telling.previous,
            by_set: telling.by_set,
        })
        .collect();
    let ended = BuildTold { build, told, at };
    (!ended.told.is_empty()).then(|| Op::Letter(Box::new(LetterOp::BuildEnded(ended))))
}

/// What is written for the end of a set; nothing if no target wants a letter for a whole set.
pub(super) fn set_ended(config: &Config, set: SetId, at: Timestamp) -> Option<Op> {
    let targets = config.status.iter().filter_map(StatusConfig::telling);
    let targets = targets.filter(|telling| telling.by_set);
    let targets: Vec<_> = targets.map(|telling| telling.name.clone()).collect();
    let is_wanted = !targets.is_empty();
    let ended = LetterOp::SetEnded { set, targets, at };
    is_wanted.then(|| Op::Letter(Box::new(ended)))
}
