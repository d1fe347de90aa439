//! Which slave gets a build: whether it may take the requests, the order that the builder has, its
//! locks, and the builder's rule (BLD-05, LCK-10, CFL-130 to CFL-132).

use std::collections::HashMap;
use std::sync::Arc;

use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use super::judge::{Answer, Judge, Order};
use super::lanes::LaneIx;
use super::pool::Pool;
use super::{Dispatch, Pair, Rules, Supply, Way};
use crate::botmaster::ids::{BuilderIx, SlaveIx};
use crate::config::SlaveChoice;
use crate::model::BuildRequest;

/// Maximum number of answers of `slave_if` that are kept (CFL-131).
pub(super) const MOST_ANSWERS: usize = 100_000;

/// What is known of a slave for the expressions of builders.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// `slave`, as expressions see it.
    pub(super) facts: Arc<Json>,
    /// What was answered for these facts.
    pub(super) answers: HashMap<(BuilderIx, LaneIx), Answer>,
}

/// The slave that gets a build.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) slave: SlaveIx,
    /// Why, for people.
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// By the builder's rule, of this number, attached or not.
    Rule((usize, bool)),
    /// Its locks were free, unlike those of the one that the rule chose.
    Locks((usize, bool)),
    /// By the builder's order, of this number.
    Order { order: Order, of: usize },
}

impl Dispatch {
    /// Chooses a slave for the first request, or for those of `lane`; nothing if none that is idle
    /// may take it. One that has no room may be chosen: it is parked then.
    pub(super) fn choose(
        &mut self,
        builder: BuilderIx,
        lane: Option<LaneIx>,
        fits: &impl Fn(BuilderIx, SlaveIx) -> bool,
    ) -> Option<Chosen> {
        let Some(lane) = lane else {
            let demand = &self.demands[builder.0];
            let pools = (&demand.attached, &demand.latent);
            let by = (demand.rules, &*self.supplies);
            let suits = |slave| fits(builder, slave);
            return choose_of(&mut self.rng, by, pools, suits);
        };
        let demand = &self.demands[builder.0];
        let idle = [&demand.attached, &demand.latent].map(|pool| pool.iter().collect::<Vec<_>>());
        let [attached, latent] = idle.map(|slaves| {
            let slaves = slaves.into_iter();
            slaves
                .filter(|&slave| self.may(builder, lane, slave))
                .collect::<Pool>()
        });
        let judge = self.demands[builder.0].queue.judge().cloned();
        match judge.filter(|judge| judge.orders_slaves()) {
            Some(judge) => self.choose_by_order(builder, lane, (&attached, &latent), &judge, fits),
            None => {
                let by = (self.demands[builder.0].rules, &*self.supplies);
                let suits = |slave| fits(builder, slave);
                choose_of(&mut self.rng, by, (&attached, &latent), suits)
            }
        }
    }

    /// By the builder's order: of those that could take it now, and whose locks are free if there
    /// is one, the first; the builder's rule decides between equal ones.
    fn choose_by_order(
        &mut self,
        builder: BuilderIx,
        lane: LaneIx,
        pools: (&Pool, &Pool),
        judge: &Judge,
        fits: &impl Fn(BuilderIx, SlaveIx) -> bool,
    ) -> Option<Chosen> {
        let all = pools.0.iter().chain(pools.1.iter());
        let mut able: Vec<SlaveIx> = all
            .filter(|slave| self.supplies[slave.0].is_available())
            .collect();
        if able.is_empty() {
            let by = (self.demands[builder.0].rules, &*self.supplies);
            return choose_of(&mut self.rng, by, pools, |slave| fits(builder, slave));
        }
        if self.demands[builder.0].rules.locks_differ && able.iter().any(|&s| fits(builder, s)) {
            able.retain(|&slave| fits(builder, slave));
        }
        let of = able.len();
        let scope = self.demands[builder.0].queue.lanes().scope(lane)?.clone();
        let mut failures = Vec::new();
        let mut best: Option<(Order, Vec<SlaveIx>)> = None;
        for slave in able {
            let facts = self.facts_at_start(builder, slave);
            let order = judge.order_of_slave(&scope, facts, &mut failures);
            match &mut best {
                Some((first, slaves)) if *first == order => slaves.push(slave),
                Some((first, _)) if *first < order => {}
                Some(_) | None => best = Some((order, vec![slave])),
            }
        }
        self.note_failures(builder, failures);
        let (order, slaves) = best?;
        let equal = |pool: &Pool| Pool::from_iter(pool.iter().filter(|s| slaves.contains(s)));
        let equal = (equal(pools.0), equal(pools.1));
        let by = (self.demands[builder.0].rules, &*self.supplies);
        let suits = |slave| fits(builder, slave);
        let chosen = choose_of(&mut self.rng, by, (&equal.0, &equal.1), suits)?;
        Some(Chosen {
            slave: chosen.slave,
            why: Why::Order { order, of },
        })
    }

    /// What the order of slaves sees of one: what is known of it, and what it does now.
    fn facts_at_start(&self, builder: BuilderIx, slave: SlaveIx) -> Json {
        let supply = &self.supplies[slave.0];
        let demand = &self.demands[builder.0];
        let is_up = matches!(
            supply.pairs.get(&builder),
            Some(Pair::Pooled(Way::Attached))
        );
        let mut facts = Json::clone(&supply.known.facts);
        facts["running"] = json!(supply.busy);
        facts["is_up"] = json!(is_up);
        facts["used_last"] = json!(demand.used_last == Some(slave));
        facts
    }

    /// A build of the builder runs on the slave.
    pub(in crate::botmaster) fn set_used_last(&mut self, builder: BuilderIx, slave: SlaveIx) {
        self.demands[builder.0].used_last = Some(slave);
    }

    /// A builder goes on with the builds of another one.
    pub(in crate::botmaster) fn take_over_use(&mut self, from: BuilderIx, to: BuilderIx) {
        self.demands[to.0].used_last = self.demands[from.0].used_last;
    }

    /// Whether the slave may take the requests of a lane; asked once for its facts.
    pub(super) fn may(&mut self, builder: BuilderIx, lane: LaneIx, slave: SlaveIx) -> bool {
        let known = &self.supplies[slave.0].known;
        if let Some(answer) = known.answers.get(&(builder, lane)) {
            return *answer == Answer::Yes;
        }
        let answer = self.answer(builder, lane, slave);
        if let Answer::Failed(why) = &answer {
            let judge = self.demands[builder.0].queue.judge();
            let failed = judge.and_then(|judge| judge.failed(why));
            self.note_failures(builder, failed);
        }
        if self.answers >= MOST_ANSWERS {
            self.forget_answers();
        }
        self.answers += 1;
        let is_yes = answer == Answer::Yes;
        let known = &mut self.supplies[slave.0].known;
        known.answers.insert((builder, lane), answer);
        is_yes
    }

    /// Whether the slave may take the requests of a lane; what is answered is not kept.
    pub(super) fn answer(&self, builder: BuilderIx, lane: LaneIx, slave: SlaveIx) -> Answer {
        let known = &self.supplies[slave.0].known;
        if let Some(answer) = known.answers.get(&(builder, lane)) {
            return answer.clone();
        }
        self.asked.set(self.asked.get() + 1);
        let queue = &self.demands[builder.0].queue;
        match (queue.judge(), queue.lanes().scope(lane)) {
            (Some(judge), Some(scope)) => judge.answer(scope, &known.facts),
            (None, _) | (_, None) => Answer::Yes,
        }
    }

    /// Whether the slave may take a request that waits, and by which expression or property that is
    /// decided.
    pub(in crate::botmaster) fn answer_for(
        &self,
        builder: BuilderIx,
        request: &BuildRequest,
        slave: SlaveIx,
    ) -> Option<(Answer, String)> {
        let queue = &self.demands[builder.0].queue;
        let lane = queue.lane_of(request.id)?;
        let judge = queue.judge()?;
        let answer = self.answer(builder, lane, slave);
        let by = match &answer {
            Answer::Named(_) => judge.slave_property().to_owned(),
            Answer::Yes | Answer::No | Answer::Failed(_) => judge.slave_if(),
        };
        Some((answer, by))
    }

    /// What is known of a slave; what was answered for other facts is forgotten.
    /// Answers whether they are others.
    pub(in crate::botmaster) fn set_facts(&mut self, slave: SlaveIx, facts: Json) -> bool {
        let known = &mut self.supplies[slave.0].known;
        if *known.facts == facts {
            return false;
        }
        known.facts = Arc::new(facts);
        self.answers -= std::mem::take(&mut known.answers).len();
        let pairs = self.supplies[slave.0].pairs.iter();
        let pooled = pairs.filter(|(_, pair)| matches!(pair, Pair::Pooled(_)));
        let pooled: Vec<BuilderIx> = pooled.map(|(&builder, _)| builder).collect();
        for builder in pooled {
            self.give_hope(builder, slave);
        }
        true
    }

    /// What is known of a slave.
    pub(in crate::botmaster) fn facts(&self, slave: SlaveIx) -> Arc<Json> {
        Arc::clone(&self.supplies[slave.0].known.facts)
    }

    /// A slave is idle for a builder: there may be lanes that have waited for it.
    pub(super) fn give_hope(&mut self, builder: BuilderIx, slave: SlaveIx) {
        if !self.demands[builder.0].queue.has_lanes() {
            return;
        }
        for lane in self.demands[builder.0].queue.lanes().hopeless() {
            if self.may(builder, lane, slave) {
                self.change_builder(builder, |demand| {
                    demand.queue.lanes_mut().set_hopeful(lane, true);
                });
            }
        }
    }

    /// Forgets what was answered for a builder, whose rules have changed.
    pub(super) fn forget_answers_of(&mut self, builder: BuilderIx) {
        for supply in &mut self.supplies {
            let before = supply.known.answers.len();
            supply.known.answers.retain(|(its, _), _| *its != builder);
            self.answers -= before - supply.known.answers.len();
        }
    }

    fn forget_answers(&mut self) {
        for supply in &mut self.supplies {
            supply.known.answers = HashMap::new();
        }
        self.answers = 0;
    }

    /// Why this slave was chosen, for people; before it is busy with the build.
    pub(super) fn reason_of_choice(&self, builder: BuilderIx, chosen: &Chosen, way: Way) -> String {
        let slaves = |of: (usize, bool)| match of {
            (1, true) => Err("no other slave was idle".to_owned()),
            (1, false) => Err("no slave was idle, and no other could be started".to_owned()),
            (several, true) => Ok(format!("{several} idle slaves")),
            (several, false) => Ok(format!(
                "{several} slaves that could be started, for none was idle"
            )),
        };
        let (of, for_locks) = match &chosen.why {
            Why::Order { order, of } => return format!("slave_order {order}, first of {of}"),
            Why::Locks((_, true)) if way == Way::Latent => {
                return "to be started, for its locks were free, unlike those of the idle slaves"
                    .to_owned();
            }
            Why::Locks(of) => (*of, true),
            Why::Rule(of) => (*of, false),
        };
        let slaves = match slaves(of) {
            Ok(slaves) => slaves,
            Err(alone) => return alone,
        };
        match self.demands[builder.0].rules.choice {
            _ if for_locks => format!("one of {slaves}; its locks were free"),
            SlaveChoice::Random => format!("at random of {slaves}"),
            SlaveChoice::First => format!("the first of {slaves}"),
            SlaveChoice::LeastLoaded => {
                let load = self.supplies[chosen.slave.0].busy;
                format!("with the fewest builds ({load}) of {slaves}")
            }
        }
    }
}

/// By the builder's rule: an attached slave, or else one to be started. `fits` says on which slaves
/// a build would find its locks free.
fn choose_of(
    rng: &mut StdRng,
    (rules, supplies): (Rules, &[Supply]),
    (attached, latent): (&Pool, &Pool),
    fits: impl Fn(SlaveIx) -> bool,
) -> Option<Chosen> {
    let load = |slave: SlaveIx| supplies[slave.0].busy;
    let is_attached = !attached.is_empty();
    let pool = if is_attached { attached } else { latent };
    let of = (pool.len(), is_attached);
    let slave = pool.choose(rng, rules.choice, load)?;
    let plain = Chosen {
        slave,
        why: Why::Rule(of),
    };
    let suits = |slave: SlaveIx| supplies[slave.0].is_available() && fits(slave);
    if !rules.locks_differ || suits(slave) {
        return Some(plain);
    }
    // LCK-10: in its place a slave on which a build would not wait for its locks, if there is one,
    // even one that has to be started; of several, by the builder's rule.
    let suiting = |pool: &Pool| Pool::from_iter(pool.iter().filter(|slave| suits(*slave)));
    let better = [attached, latent].map(suiting);
    let better = better.iter().find(|pool| !pool.is_empty());
    let better = better.and_then(|pool| pool.choose(rng, rules.choice, load));
    Some(match better {
        Some(better) if better != slave => Chosen {
            slave: better,
            why: Why::Locks(of),
        },
        Some(_) | None => plain,
    })
}
