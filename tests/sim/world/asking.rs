//! What people ask for: builds that are cancelled, stopped or forced, slaves that are pinged or
//! paused (BRQ-04, BUI-10, BLD-16, SLV-08, SLV-09).

use buildmaster::botmaster::{Answer, Ask, Forced, Input, ReplyId};
use buildmaster::model::{
    BigState, BuildNumber, BuilderName, Properties, RequestId, SlaveName, SourceStamp,
};
use rand::RngExt;

use super::World;
use crate::setup;

/// What somebody asked for and waits for.
#[derive(Debug)]
pub(super) enum Asked {
    /// That a slave is paused, with a reason of its own.
    Pause(String),
    Unpause,
    /// A build, and whether it may be refused only, or may be made.
    Build {
        builder: BuilderName,
        may_be: bool,
    },
}

impl World {
    pub(super) fn cancel(&mut self) {
        if let Some(request) = self.some_request() {
            let reply = self.new_reply();
            self.input(Input::Asked {
                ask: Ask::Cancel {
                    request,
                    reason: String::new(),
                },
                reply,
            });
        }
    }

    fn some_request(&mut self) -> Option<RequestId> {
        let open = |r: &&crate::journal::Request| r.finished.is_none();
        let count = self.disk.requests.values().filter(open).count();
        let at = self.pick(count)?;
        let mut all = self.disk.requests.iter().filter(|(_, r)| open(r));
        all.nth(at).map(|(&id, _)| id)
    }

    pub(super) fn stop(&mut self) {
        let reason = "stopped".to_owned();
        if self.rng.random_bool(0.5) {
            let Some(request) = self.some_request() else {
                return;
            };
            let reply = self.new_reply();
            self.input(Input::Asked {
                ask: Ask::StopRequest { request, reason },
                reply,
            });
            return;
        }
        let at = self.rng.random_range(0..self.config.builders.len());
        let builder = self.config.builders[at].name.clone();
        let running = self.core.running(&builder);
        let number = running.first().map_or(BuildNumber(0), |&(n, _)| n);
        let reply = self.new_reply();
        self.input(Input::Asked {
            ask: Ask::StopBuild {
                builder,
                number,
                reason,
            },
            reply,
        });
    }

    pub(super) fn ping(&mut self) {
        let at = self.rng.random_range(0..self.config.builders.len());
        let builder = self.config.builders[at].name.clone();
        let reply = self.new_reply();
        self.input(Input::Asked {
            ask: Ask::Ping { builder },
            reply,
        });
    }

    /// Somebody pauses a slave, lets it build again, or wants it to end.
    pub(super) fn move_people(&mut self) {
        let at = self.rng.random_range(0..self.config.slaves.len());
        let slave = self.config.slaves[at].name.clone();
        match self.rng.random_range(0..6) {
            0 | 1 => {
                let reply = self.new_reply();
                let reason = format!("reason {reply}");
                self.asked.insert(reply, Asked::Pause(reason.clone()));
                let by = "me".to_owned();
                self.input(Input::Asked {
                    ask: Ask::Pause { slave, by, reason },
                    reply,
                });
            }
            2 | 3 => self.put_back(slave),
            4 => {
                let reply = self.new_reply();
                self.input(Input::Asked {
                    ask: Ask::Graceful {
                        slave,
                        cancel: false,
                    },
                    reply,
                });
            }
            _ => {
                let reply = self.new_reply();
                self.input(Input::Asked {
                    ask: Ask::Graceful {
                        slave,
                        cancel: true,
                    },
                    reply,
                });
            }
        }
    }

    pub(super) fn cancel_shutdown(&mut self) {
        let reply = self.new_reply();
        self.input(Input::Asked {
            ask: Ask::CancelShutdown,
            reply,
        });
    }

    pub(super) fn put_back(&mut self, slave: SlaveName) {
        let reply = self.new_reply();
        self.asked.insert(reply, Asked::Unpause);
        self.input(Input::Asked {
            ask: Ask::Unpause { slave },
            reply,
        });
    }

    /// Somebody wants a build, perhaps of a builder that is not, or no longer, there.
    pub(super) fn force(&mut self) {
        let builder: BuilderName = format!("b{}", self.rng.random_range(0..4)).into();
        let soon = self.rng.random_bool(0.3);
        self.let_timers_fire();
        let exists = self.config.builders.iter().any(|b| b.name == builder);
        let offline = self.core.big_state(&builder) == Some(BigState::Offline);
        let ends = self.reference.is_stopping() || self.exited;
        let is_refused = !exists || ends || (soon && offline);
        let may_be = !is_refused;
        let reply = self.new_reply();
        let asked = Asked::Build {
            builder: builder.clone(),
            may_be,
        };
        self.asked.insert(reply, asked);
        let stamp = SourceStamp {
            branch: setup::branch(&mut self.rng),
            revision: self.rng.random_bool(0.5).then(|| "77".to_owned()),
            ..SourceStamp::default()
        };
        let forced = Forced {
            builder,
            scheduler: None,
            soon,
            stamps: stamp.into(),
            reason: "because".to_owned(),
            properties: Properties::new(),
            priority: self.rng.random_range(-1..2),
        };
        let forced = Box::new(forced);
        self.input(Input::Asked {
            ask: Ask::Force(forced),
            reply,
        });
    }

    /// What somebody is told is on disk.
    pub(super) fn on_asked(&mut self, reply: ReplyId, result: &Result<Answer, String>) {
        let (Some(asked), Ok(answer)) = (self.asked.remove(&reply), result) else {
            return;
        };
        match asked {
            Asked::Pause(reason) => assert!(self.disk.pauses.contains(&reason), "not durable"),
            Asked::Unpause => {
                self.unpaused += 1;
                assert!(self.unpaused <= self.disk.unpauses, "not durable");
            }
            Asked::Build { builder, may_be } => {
                assert!(may_be, "it was to be refused");
                let Answer::Set(set) = answer else {
                    panic!("a build is answered with its set");
                };
                let builders: Vec<_> = set.requests.iter().map(|(_, b)| b).collect();
                assert_eq!(builders, [&builder]);
                assert!(self.disk.sets.contains_key(&set.id), "not durable");
            }
        }
    }
}
