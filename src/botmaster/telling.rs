//! Which status targets may be told of the end of a build or a set (OUT-02).
//!
//! The core knows the builder, the result and the properties. Whether a mode wants the build hangs
//! on the build before it, which the store knows: it writes the letters in the same transaction.

use std::collections::BTreeSet;

use crate::config::{BuilderConfig, Config, EndedBuild, StatusConfig};
use crate::model::{
    BuildId, BuildNumber, BuildRequest, BuildSet, BuildTold, CommitFacts, CommitState, Letter,
    LetterOp, Op, Results, SetId, SourceStamps, Timestamp, Told,
};

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
    let told = config.status.iter().filter_map(|target| {
        let telling = target.telling()?;
        telling.is_about(ended).then(|| Told {
            target: telling.name.clone(),
            modes: telling.modes.clone(),
            previous: telling.previous,
            by_set: telling.by_set,
            events: target
                .irc()
                .map_or_else(Vec::new, |irc| irc.notify_events.clone()),
        })
    });
    // Channels that want no event hear of no end.
    let told = told.filter(|told| !(told.modes.is_empty() && told.events.is_empty()));
    let told: Vec<_> = told.collect();
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

/// What code hosts are told when a build of `requests` runs. Those of searches are not told.
pub(super) fn running(
    config: &Config,
    builder: &BuilderConfig,
    requests: &[&BuildRequest],
    build: (BuildId, BuildNumber),
    at: Timestamp,
) -> Vec<Op> {
    let told = requests.iter().filter(|request| !request.is_of_search());
    let stamps = told.map(|request| &*request.stamps);
    let state = (CommitState::Running, Some(build));
    commits(config, builder, stamps, state, at)
}

/// What code hosts are told of the commits in `stamps` (PSH-04): the state that `builder` gives
/// them. Commits of repositories that are not registered with a code host and a token are told to a
/// target with a server of its own only; tries are never told.
pub(super) fn commits<'s>(
    config: &Config,
    builder: &BuilderConfig,
    stamps: impl Iterator<Item = &'s SourceStamps> + Clone,
    (state, build): (CommitState, Option<(BuildId, BuildNumber)>),
    at: Timestamp,
) -> Vec<Op> {
    let mut ops = Vec::new();
    let targets = config.status.iter().filter_map(StatusConfig::commit_status);
    for target in targets.filter(|target| target.telling.has_builder(builder)) {
        let mut seen = BTreeSet::new();
        for stamp in stamps.clone().flat_map(SourceStamps::iter) {
            let known = config.repository(&stamp.repository);
            let host = known.and_then(|known| known.host.as_ref());
            let has_host = host.is_some_and(|host| host.token.is_some());
            let is_told = (has_host || target.stash.is_some()) && stamp.patch.is_none();
            let Some(revision) = stamp.revision_to_build().filter(|_| is_told) else {
                continue;
            };
            if !seen.insert((&stamp.repository, revision)) {
                continue;
            }
            let facts = CommitFacts {
                repository: stamp.repository.clone(),
                revision: revision.to_owned(),
                context: target.context_of(builder.name.as_str()),
                builder: builder.name.clone(),
                build,
                state,
            };
            let letter = Letter::of_commit(&target.telling.name, facts, at);
            ops.push(Op::Letter(Box::new(LetterOp::Written(letter))));
        }
    }
    ops
}

/// What code hosts are told of a set that is queued.
pub(super) fn queued(config: &Config, set: &BuildSet) -> Vec<Op> {
    let mut targets = config.status.iter();
    if !targets.any(|target| target.commit_status().is_some()) {
        return Vec::new();
    }
    let builders = set.requests.iter();
    let builders = builders.filter_map(|(_, name)| config.builder(name.as_str()));
    let stamps = std::iter::once(&*set.stamps);
    let ops = builders.flat_map(|builder| {
        let state = (CommitState::Pending, None);
        commits(config, builder, stamps.clone(), state, set.submitted_at)
    });
    ops.collect()
}
