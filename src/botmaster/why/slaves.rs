//! What keeps one slave from taking a build: the objections of the slave, its use for the builder,
//! its room and its locks (BLD-04).

use super::absent::{Refused, not_connected};
use super::{BlockerKind, NAMES_SHOWN, Obstacle, at, by};
use crate::botmaster::dispatch::Answer;
use crate::botmaster::holding::held;
use crate::botmaster::ids::{AttemptId, BuilderIx, SlaveIx};
use crate::botmaster::instances::Stage;
use crate::botmaster::roster::{Objection, Phase, Session, Use};
use crate::botmaster::{BotMaster, CheckAnswer, LockHolder};
use crate::model::BuildRequest;
use crate::text::and_more;

impl BotMaster {
    /// BLD-04, one by one: what keeps `dispatch` from giving the slave a build of this builder.
    pub(super) fn obstacles(
        &self,
        slave: SlaveIx,
        (builder, request): (BuilderIx, &BuildRequest),
        refused: &Refused<'_>,
    ) -> Vec<Obstacle> {
        if let Some(obstacle) = self.refusal_by_rule(slave, builder, request) {
            return vec![obstacle];
        }
        let mut all = Vec::new();
        if self.roster.session(slave).is_none() {
            all.extend(self.absence(slave, builder, refused));
        }
        let objections: Vec<_> = self.roster.objections(slave).collect();
        let is_ready = !objections
            .iter()
            .any(|objection| matches!(objection, Objection::NotReady(_)));
        if is_ready && let Some(session) = self.roster.session(slave) {
            all.extend(self.unfitness(slave, builder, session));
        }
        all.extend(objections.iter().filter_map(|o| self.objection(o)));
        if let Some((window, until)) = held(&self.out, &self.out.layout.slave(slave).config.hold) {
            let rest = format!("no builds{}: hold {window}", by(until));
            let (one, many) = (format!("takes {rest}"), format!("take {rest}"));
            let mut obstacle = Obstacle::new(BlockerKind::Hold, None, one, many);
            obstacle.until = until;
            all.push(obstacle);
        }
        all.extend(self.unchecked(slave, builder));
        for block in self.slave_lock_blocks(&self.out.layout.slave(slave).config.name) {
            let who = block.holders.iter().map(ToString::to_string).collect();
            let (one, many) = (format!("needs {block}"), format!("need {block}"));
            all.push(Obstacle::new(BlockerKind::SlaveLock, None, one, many).by(who));
        }
        all
    }

    /// CFL-130: the slave may not take the request, whatever it does now.
    fn refusal_by_rule(
        &self,
        slave: SlaveIx,
        builder: BuilderIx,
        request: &BuildRequest,
    ) -> Option<Obstacle> {
        let (answer, text) = self.dispatch.answer_for(builder, request, slave)?;
        let name = self.out.layout.builder_name(builder);
        let rule = format!("may not take it: slave_if of builder {name}");
        let text = match answer {
            Answer::Yes => return None,
            Answer::No => format!("{rule} is false: {text}"),
            Answer::Named(name) => {
                format!("may not take it: its property {text} names slave {name}")
            }
            Answer::Failed(why) => format!("{rule} failed: {why}"),
        };
        Some(Obstacle::new(
            BlockerKind::SlaveIf,
            None,
            text.clone(),
            text,
        ))
    }

    /// The check of the builder has not said that the slave may take a build.
    fn unchecked(&self, slave: SlaveIx, builder: BuilderIx) -> Option<Obstacle> {
        self.idle_way(slave, builder)?;
        let check = self.checks.get(builder, slave)?;
        let kind = BlockerKind::SlaveCheck;
        let name = self.out.layout.builder_name(builder);
        let rule = format!("the slave_check of builder {name}");
        let Some((answer, until)) = &check.answer else {
            let (_, since) = check.asked?;
            let rest = format!("asked about by {rule} since {}", at(since));
            let (one, many) = (format!("is {rest}"), format!("are {rest}"));
            return Some(Obstacle::new(kind, since, one, many));
        };
        let said = match answer {
            CheckAnswer::Yes => return None,
            CheckAnswer::No(why) if why.is_empty() => "said no".to_owned(),
            CheckAnswer::No(why) => format!("said no: {why}"),
            CheckAnswer::Failed(why) => format!("failed, which counts as no: {why}"),
        };
        let until = self.out.now.wall + until.since(self.out.now.mono);
        let again = match check.asked {
            Some((_, since)) => format!("asked again since {}", at(since)),
            None => format!("asked again at {}", at(until)),
        };
        let text = format!("may not take it: {rule} {said}, {again}");
        let mut obstacle = Obstacle::new(kind, None, text.clone(), text);
        obstacle.until = check.asked.is_none().then_some(until);
        Some(obstacle)
    }

    fn objection(&self, objection: &Objection<'_>) -> Option<Obstacle> {
        Some(match objection {
            Objection::NotReady(session) => return not_ready(session),
            Objection::Paused(pause) => {
                let who = [&pause.by].into_iter().filter(|by| !by.is_empty());
                let who = who.cloned().collect();
                let by = if pause.by.is_empty() { "" } else { " by " };
                let colon = if pause.reason.is_empty() { "" } else { ": " };
                let rest = format!(
                    "paused{by}{} since {}{colon}{}",
                    pause.by,
                    at(pause.since),
                    pause.reason
                );
                Obstacle::is(BlockerKind::Paused, pause.since, &rest).by(who)
            }
            Objection::HeldBack(until, failure) => {
                let until = self.out.now.wall + until.since(self.out.now.mono);
                let since = failure.at;
                let rest = format!(
                    "held back until {} after a failure at {}: {}",
                    at(until),
                    at(since),
                    failure.why
                );
                let mut obstacle = Obstacle::is(BlockerKind::HeldBack, since, &rest);
                obstacle.until = Some(until);
                obstacle
            }
            Objection::Graceful(since) => {
                let rest = format!(
                    "to be shut down when idle and takes no builds since {}",
                    at(*since)
                );
                Obstacle::is(BlockerKind::Graceful, *since, &rest)
            }
        })
    }

    /// Why a slave without a connection cannot take a build of this builder.
    fn absence(
        &self,
        slave: SlaveIx,
        builder: BuilderIx,
        refused: &Refused<'_>,
    ) -> Option<Obstacle> {
        let placed = self.out.layout.slave(slave);
        if placed.latent().is_some() {
            return self.latent_absence(slave, builder);
        }
        let (since, seen_at) = self.roster.absent_since(slave);
        let absence = not_connected(since, seen_at);
        Some(refused.explain(&placed.config.name, absence))
    }

    /// Why a slave that is attached to its builders cannot take a build of this builder.
    fn unfitness(&self, slave: SlaveIx, builder: BuilderIx, session: &Session) -> Option<Obstacle> {
        if let Some(failed) = session.failed.get(&builder) {
            let again = session.retry_at.unwrap_or(self.out.now.mono);
            let again = self.out.now.wall + again.since(self.out.now.mono);
            let text = format!(
                "could not be attached to the builder at {}, which is tried again at {}: {}",
                at(failed.at),
                at(again),
                failed.why
            );
            let kind = BlockerKind::NotAttached;
            let mut obstacle = Obstacle::new(kind, failed.at, text.clone(), text);
            obstacle.until = Some(again);
            return Some(obstacle);
        }
        match self.roster.used_for(slave, builder) {
            None | Some(Use::Attaching) => {
                let since = session.listed_at;
                let rest = format!("being told of the builder since {}", at(since));
                Some(Obstacle::is(BlockerKind::Attaching, since, &rest))
            }
            Some(Use::Pinged(None)) => {
                let rest = "being pinged because somebody asked for it";
                Some(Obstacle::is(BlockerKind::Pinging, None, rest))
            }
            Some(Use::Pinged(Some(_)) | Use::Building(_)) => self.busy_with(slave, builder),
            Some(Use::Idle) => self.fullness(slave),
        }
    }

    /// Why a latent slave without a connection cannot take a build: that alone is not an
    /// obstacle.
    fn latent_absence(&self, slave: SlaveIx, builder: BuilderIx) -> Option<Obstacle> {
        if self.instances.stage(slave) == Stage::Stopping {
            let since = self.instances.since(slave);
            let so_far = match self.instances.failed_stop(slave) {
                None => String::new(),
                Some(why) => format!("; the last try failed: {why}"),
            };
            let rest = format!("stopped since {}{so_far}", at(since));
            let one = format!("has an instance that is being {rest}");
            let many = format!("have instances that are being {rest}");
            return Some(Obstacle::new(
                BlockerKind::InstanceStopping,
                since,
                one,
                many,
            ));
        }
        self.busy_with(slave, builder)
            .or_else(|| self.fullness(slave))
    }

    fn busy_with(&self, slave: SlaveIx, builder: BuilderIx) -> Option<Obstacle> {
        let attempt = self.builds.get(self.attempt_on(slave, builder)?)?;
        let who = self.occupants(slave, [builder]);
        let since = attempt.chosen_at;
        let rest = format!(
            "busy with {} since {}",
            and_more(&who, NAMES_SHOWN),
            at(since)
        );
        Some(Obstacle::is(BlockerKind::Busy, since, &rest).by(who))
    }

    /// Whether it runs as many builds as it may.
    fn fullness(&self, slave: SlaveIx) -> Option<Obstacle> {
        let max = self.out.layout.slave(slave).config.max_builds?;
        if self.dispatch.has_room(slave) {
            return None;
        }
        let who = self.occupants(slave, self.dispatch.busy_with(slave));
        let builds = self.dispatch.busy_with(slave).filter_map(|builder| {
            let id = self.attempt_on(slave, builder)?;
            Some(self.builds.get(id)?.chosen_at)
        });
        let since = builds.max();
        let when = since.map_or_else(String::new, |since| format!(" since {}", at(since)));
        let rest = format!(
            "full with {} (max_builds {max}){when}",
            and_more(&who, NAMES_SHOWN)
        );
        Some(Obstacle::is(BlockerKind::MaxBuilds, since, &rest).by(who))
    }

    /// What a slave does for these builders.
    pub(super) fn occupants(
        &self,
        slave: SlaveIx,
        builders: impl IntoIterator<Item = BuilderIx>,
    ) -> Vec<String> {
        let of = |builder| {
            let attempt = self.attempt_on(slave, builder);
            match attempt.and_then(|id| self.build_of(id)) {
                Some((builder, number)) => LockHolder {
                    builder,
                    number,
                    user: None,
                }
                .to_string(),
                None => format!("a ping of {}", self.out.layout.builder_name(builder)),
            }
        };
        builders.into_iter().map(of).collect()
    }

    /// The build that starts or runs on a slave for a builder, also one that waits for the
    /// instance.
    fn attempt_on(&self, slave: SlaveIx, builder: BuilderIx) -> Option<AttemptId> {
        match self.roster.used_for(slave, builder) {
            Some(Use::Building(attempt) | Use::Pinged(Some(attempt))) => Some(attempt),
            Some(Use::Attaching | Use::Idle | Use::Pinged(None)) | None => {
                self.instances.waiting(slave, builder)
            }
        }
    }
}

/// What a connection that takes no builds is about to do.
fn not_ready(session: &Session) -> Option<Obstacle> {
    let since = session.since;
    match session.phase {
        Phase::Greeting | Phase::Listing | Phase::Attaching => {
            let rest = format!("connected since {} and being attached", at(since));
            Some(Obstacle::is(BlockerKind::Attaching, since, &rest))
        }
        Phase::Rejoining => {
            let rest = format!(
                "to connect again when idle since {}, because something about its builders failed",
                at(since)
            );
            Some(Obstacle::is(BlockerKind::Rejoining, since, &rest))
        }
        Phase::ShuttingDown => {
            let text = format!("told to shut down at {}", at(since));
            let (one, many) = (format!("was {text}"), format!("were {text}"));
            Some(Obstacle::new(BlockerKind::ToldToEnd, since, one, many))
        }
        Phase::Ready => None,
    }
}
