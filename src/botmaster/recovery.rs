//! The core's beginning: the configuration laid out, and what the state knew taken up (MAS-06).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::BotMaster;
use crate::config::{BuilderConfig, Config, SlaveConfig};
use crate::model::{BigState, Op, Recovered, RequestId, Results, StepOutcome, Timestamp};

impl BotMaster {
    /// Lays out builders and slaves, none of them connected.
    pub(super) fn configure(&mut self, config: &Arc<Config>) {
        self.lay_out(config);
        self.take_up_removed_slaves();
        let configured = self.out.layout.configured_op();
        self.out.persist(vec![configured]);
    }

    /// Slaves that are not configured any more, but have an instance still: it is stopped (LAT-07).
    fn take_up_removed_slaves(&mut self) {
        for name in self.roster.remembered_with_instance() {
            let removed = Arc::new(SlaveConfig::removed(name));
            let slave = self.out.layout.add_slave(removed);
            self.out.layout.remove_slave(slave);
            self.on_slave_added(slave);
        }
    }

    /// Queues the open requests at their old places and lets the schedulers go on (SCH-11).
    /// What the last run of the master left open has ended with `ops`.
    pub(super) fn recover(&mut self, recovered: Recovered, mut ops: Vec<Op>) {
        let mut effects = Vec::new();
        self.intake
            .recover(&mut self.out, &recovered, &mut ops, &mut effects);
        for request in recovered.requests {
            let id = request.id;
            if self.out.layout.builder_named(&request.builder).is_none() {
                // It may come back (BST-09).
                let builder = BuilderConfig::named(request.builder.clone());
                let builder = self.out.layout.add_builder(Arc::new(builder));
                self.out.layout.remove_builder(builder);
                self.on_builder_added(builder);
            }
            self.intake.add_request(request);
            self.enqueue(id, true);
        }
        self.out.persist_then(ops, effects);
    }
}

/// Ends what the last run of the master left open: builds, connections, and the big states of
/// builders. The requests of a build return to the queue at their old places, which is not counted as
/// a retry (BUI-14); those of a build that people have stopped end with it (BUI-10).
pub(crate) fn end_last_run(recovered: &mut Recovered, now: Timestamp) -> Vec<Op> {
    let seconds = u64::try_from(now.0 / 1_000_000).unwrap_or_default();
    let epoch = (recovered.state.epoch + 1).max(seconds);
    recovered.state.epoch = epoch;
    let mut ops = vec![Op::EpochBegun { epoch }];
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
            ops.push(Op::StepFinished {
                build,
                index,
                result,
                text,
                outcome: Box::new(outcome),
                at,
            });
        }
        ops.push(Op::BuildFinished {
            build,
            result,
            text: text.map(str::to_owned).into(),
            stop_reason: open.stop_reason,
            properties: open.properties,
            at,
        });
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
const RESTARTED: &str = "master restarted";
