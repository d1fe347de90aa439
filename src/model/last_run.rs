//! How a start of the master ends what its last run left open, as ops.

use std::collections::BTreeSet;

use super::journal::{BuildFinish, StepFinish};
use super::{BigState, Op, Recovered, RequestId, Results, StepOutcome, Timestamp};

/// Begins the epoch of a master that starts: no less than the seconds since 1970, so that the epoch
/// of a state that was put back from a copy is not an old one.
#[must_use]
pub fn begin_epoch(recovered: &mut Recovered, now: Timestamp) -> Op {
    let seconds = u64::try_from(now.0 / 1_000_000).unwrap_or_default();
    let epoch = (recovered.state.epoch + 1).max(seconds);
    recovered.state.epoch = epoch;
    Op::EpochBegun { epoch }
}

/// Ends what the last run of the master left open: builds, connections, and the big states of
/// builders. The requests of a build return to the queue at their old places, which is not counted
/// as a retry (BUI-14); those of a build that people have stopped end with it (BUI-10).
///
/// `recovered` is then what is left to go on with; the ops say the same to the state.
#[must_use]
pub fn end_last_run(recovered: &mut Recovered, now: Timestamp) -> Vec<Op> {
    let mut ops = Vec::new();
    end_builds(recovered, now, &mut ops);
    for (name, slave) in &mut recovered.slaves {
        // Until when it was connected is not known.
        if std::mem::take(&mut slave.connected) {
            slave.seen_at = Some(now);
            ops.push(Op::SlaveState {
                slave: name.clone(),
                connected: false,
                info: None,
                at: now,
            });
        }
    }
    ops.extend(recovered.online.drain(..).map(|builder| {
        let state = BigState::Offline;
        Op::BuilderState { builder, state }
    }));
    ops
}

fn end_builds(recovered: &mut Recovered, now: Timestamp, ops: &mut Vec<Op>) {
    let mut ended = BTreeSet::new();
    for open in std::mem::take(&mut recovered.open_builds) {
        let (build, at) = (open.build, open.last_at.max(now));
        let (result, text) = match open.stop_reason {
            Some(_) => (Results::Exception, ["exception", "interrupted"]),
            None => (Results::Retry, ["retry", RESTARTED]),
        };
        ops.extend(open.logs.into_iter().map(|log| Op::LogClosed {
            build,
            step: log.step,
            name: log.name,
            size_bytes: log.size_bytes,
        }));
        for (index, mut text) in open.steps {
            text.push(RESTARTED.to_owned());
            let outcome = StepOutcome {
                contribution: Some(result),
                terminates: true,
                ..StepOutcome::default()
            };
            ops.push(Op::StepFinished(StepFinish {
                build,
                index,
                result,
                text,
                outcome: Box::new(outcome),
                at,
            }));
        }
        ops.push(Op::BuildFinished(BuildFinish {
            build,
            result,
            text: text.map(str::to_owned).into(),
            stop_reason: open.stop_reason,
            properties: open.properties,
            at,
        }));
        if result == Results::Exception {
            ended.extend(open.requests.iter().copied());
            ops.extend(
                open.requests
                    .into_iter()
                    .map(|request| Op::RequestFinished {
                        request,
                        result,
                        why: None,
                        at,
                    }),
            );
            continue;
        }
        let requeued = recovered.requests.iter();
        let requeued = requeued.filter(|request| open.requests.contains(&request.id));
        ops.extend(requeued.map(|request| Op::RequestRetries {
            request: request.id,
            retries: request.retries,
        }));
    }
    forget(recovered, &ended);
}

/// These requests have ended as EXCEPTION.
fn forget(recovered: &mut Recovered, ended: &BTreeSet<RequestId>) {
    if ended.is_empty() {
        return;
    }
    recovered
        .requests
        .retain(|request| !ended.contains(&request.id));
    for known in &mut recovered.sets {
        let of_set = known.set.requests.iter().map(|(id, _)| *id);
        let of_set = of_set.filter(|id| ended.contains(id));
        known
            .finished
            .extend(of_set.map(|id| (id, Results::Exception)));
        known.finished.sort_by_key(|(id, _)| *id);
    }
}

/// What the texts of builds and steps say that a start of the master ended.
/// Whether a build with this text was ended as the last run of the master was over.
#[must_use]
pub fn was_cut_short(text: &[String]) -> bool {
    text.last().is_some_and(|last| last == RESTARTED)
}

const RESTARTED: &str = "master restarted";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::journal::OpenBuild;
    use crate::model::{BuildId, BuildNumber, Properties};

    fn open(build: u64, stop_reason: Option<&str>) -> OpenBuild {
        OpenBuild {
            build: BuildId(build),
            builder: "quick".into(),
            number: BuildNumber(build),
            requests: vec![RequestId(build)],
            stop_reason: stop_reason.map(str::to_owned),
            properties: Properties::new(),
            last_at: Timestamp(5),
            steps: vec![(0, vec!["compiling".to_owned()])],
            logs: Vec::new(),
        }
    }

    #[test]
    fn a_build_ends_after_its_steps_and_before_its_requests() {
        let mut recovered = Recovered {
            open_builds: vec![open(1, Some("wrong branch"))],
            ..Recovered::default()
        };
        let ops = end_last_run(&mut recovered, Timestamp(3));
        assert!(matches!(
            &ops[..],
            [
                Op::StepFinished(StepFinish {
                    at: Timestamp(5),
                    ..
                }),
                Op::BuildFinished(BuildFinish {
                    result: Results::Exception,
                    ..
                }),
                Op::RequestFinished {
                    request: RequestId(1),
                    ..
                },
            ]
        ));
        assert!(recovered.open_builds.is_empty());
    }

    #[test]
    fn the_epoch_grows_with_each_start_and_is_no_less_than_the_time() {
        let mut recovered = Recovered::default();
        for (secs, epoch) in [(100, 100), (100, 101), (50, 102), (200, 200)] {
            let op = begin_epoch(&mut recovered, Timestamp::from_secs(secs));
            assert_eq!(op, Op::EpochBegun { epoch });
        }
    }
}
