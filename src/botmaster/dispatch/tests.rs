//! What starts next, against a model that looks at every request and every pair.

#![expect(clippy::unwrap_used, reason = "tests")]

mod wanted;

use std::cmp::Reverse;
use std::sync::Arc;

use proptest::prelude::*;

use self::wanted::{PLAIN, Wanted, wanted};
use super::*;
use crate::config::MergeRule;
use crate::model::{SetId, SourceStamp, SourceStamps, Timestamp};

const BUILDERS: usize = 3;
const SLAVES: usize = 4;

/// Something that happens to the queues or the slaves.
#[derive(Clone, Debug)]
enum Step {
    Enqueue {
        builder: usize,
        priority: i32,
        stamp: u8,
    },
    /// The request that waits at this position, counted over all builders.
    Unqueue(usize),
    Idle(usize, usize, bool),
    Gone(usize, usize),
    Willing(usize, bool),
    FreeLocks(usize, bool),
    MaxBuilds(usize, Option<u32>),
    Rules {
        builder: usize,
        priority: i32,
        choice: SlaveChoice,
        locks_differ: bool,
        max_builds: Option<u32>,
    },
    QueueRules(usize, Wanted),
    /// The builder is held, or not any more.
    Held(usize, bool),
    /// Whether the slave is big is another from now on.
    Big(usize, bool),
    /// The builder's slaves are listed in another order, turned by this.
    Order(usize, usize),
    /// The builder's own locks are free on this slave, or not.
    Fits(usize, usize, bool),
    /// What can start starts; as many builds at most.
    Start(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let builder = || 0..BUILDERS;
    let slave = || 0..SLAVES;
    let choice = prop_oneof![
        Just(SlaveChoice::First),
        Just(SlaveChoice::Random),
        Just(SlaveChoice::LeastLoaded)
    ];
    prop_oneof![
        6 => (builder(), -1..2, 0..3_u8).prop_map(|(builder, priority, stamp)| Step::Enqueue {
            builder,
            priority,
            stamp,
        }),
        1 => (0..20_usize).prop_map(Step::Unqueue),
        6 => (slave(), builder(), any::<bool>()).prop_map(|(s, b, l)| Step::Idle(s, b, l)),
        1 => (slave(), builder()).prop_map(|(s, b)| Step::Gone(s, b)),
        3 => (slave(), prop::bool::weighted(0.7)).prop_map(|(s, is)| Step::Willing(s, is)),
        1 => (slave(), prop::bool::weighted(0.7)).prop_map(|(s, are)| Step::FreeLocks(s, are)),
        1 => (slave(), prop::option::of(1..3_u32)).prop_map(|(s, max)| Step::MaxBuilds(s, max)),
        1 => (builder(), -1..2, choice, any::<bool>(), prop::option::of(1..3_u32)).prop_map(
            |(builder, priority, choice, locks_differ, max_builds)| Step::Rules {
                builder,
                priority,
                choice,
                locks_differ,
                max_builds,
            }
        ),
        1 => (builder(), wanted()).prop_map(|(b, wanted)| Step::QueueRules(b, wanted)),
        1 => (builder(), prop::bool::weighted(0.3)).prop_map(|(b, is)| Step::Held(b, is)),
        1 => (slave(), any::<bool>()).prop_map(|(s, big)| Step::Big(s, big)),
        1 => (builder(), slave()).prop_map(|(b, by)| Step::Order(b, by)),
        1 => (builder(), slave(), any::<bool>()).prop_map(|(b, s, f)| Step::Fits(b, s, f)),
        5 => (0..4_usize).prop_map(Step::Start),
    ]
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Use {
    Gone,
    Idle(Way),
    Busy,
}

/// The same without an index.
#[derive(Debug)]
struct Model {
    waiting: Vec<(usize, BuildRequest)>,
    uses: [[Use; BUILDERS]; SLAVES],
    willing: [bool; SLAVES],
    free_locks: [bool; SLAVES],
    max_builds: [Option<u32>; SLAVES],
    rules: [Rules; BUILDERS],
    wanted: [Wanted; BUILDERS],
    held: [bool; BUILDERS],
    big: [bool; SLAVES],
    order: [Vec<usize>; BUILDERS],
    fits: [[bool; SLAVES]; BUILDERS],
}

impl Model {
    fn load(&self, slave: usize) -> usize {
        let uses = self.uses[slave].iter();
        uses.filter(|pair| **pair == Use::Busy).count()
    }

    fn is_available(&self, slave: usize) -> bool {
        let load = u32::try_from(self.load(slave)).unwrap();
        self.willing[slave]
            && self.free_locks[slave]
            && self.max_builds[slave].is_none_or(|max| load < max)
    }

    /// The available slaves that are idle for a builder in this way, in the builder's order.
    fn available(&self, builder: usize, way: Way) -> Vec<usize> {
        let slaves = self.order[builder].iter().copied();
        let can = |s: &usize| self.uses[*s][builder] == Use::Idle(way) && self.is_available(*s);
        slaves.filter(can).collect()
    }

    /// Whether a slave may take a request.
    fn may(&self, builder: usize, request: &BuildRequest, slave: usize) -> bool {
        !self.wanted[builder].slave_if || revision(request) != 1 || self.big[slave]
    }

    /// The slaves of which the builder's rule may choose any for a request.
    fn candidates(&self, builder: usize, request: &BuildRequest) -> Vec<usize> {
        let busy = self.uses.iter().filter(|uses| uses[builder] == Use::Busy);
        let busy = u32::try_from(busy.count()).unwrap();
        let is_full = self.rules[builder]
            .max_builds
            .is_some_and(|max| busy >= max);
        if self.held[builder] || is_full {
            return Vec::new();
        }
        let [mut attached, mut latent] = [Way::Attached, Way::Latent].map(|way| {
            let mut slaves = self.available(builder, way);
            slaves.retain(|&slave| self.may(builder, request, slave));
            slaves
        });
        if self.wanted[builder].slave_order {
            let mut able = [attached.clone(), latent.clone()].concat();
            if self.rules[builder].locks_differ && able.iter().any(|&s| self.fits[builder][s]) {
                able.retain(|&slave| self.fits[builder][slave]);
            }
            let key = |slave: usize| revision(request) == 2 && self.big[slave];
            let best = able.iter().map(|&slave| key(slave)).max();
            let is_best = |slave: &usize| able.contains(slave) && Some(key(*slave)) == best;
            attached.retain(is_best);
            latent.retain(is_best);
        }
        let rules = self.rules[builder];
        let fitting = |slaves: &[usize]| -> Vec<usize> {
            let slaves = slaves.iter().copied();
            slaves.filter(|&s| self.fits[builder][s]).collect()
        };
        let plain = if attached.is_empty() {
            &latent
        } else {
            &attached
        };
        let mut of = plain.clone();
        if rules.locks_differ {
            // A slave that was chosen is given up for another only if its own locks are not free.
            let better = [fitting(&attached), fitting(&latent)];
            let better = better.into_iter().find(|slaves| !slaves.is_empty());
            let kept = fitting(plain);
            of = if kept.is_empty() {
                better.unwrap_or(of)
            } else {
                kept
            };
        }
        match rules.choice {
            SlaveChoice::Random => of,
            SlaveChoice::First => of.into_iter().take(1).collect(),
            SlaveChoice::LeastLoaded => {
                let least = of.iter().map(|&s| self.load(s)).min();
                of.retain(|&s| Some(self.load(s)) == least);
                of
            }
        }
    }

    fn turn(&self, builder: usize, request: &BuildRequest) -> Turn {
        let own = Reverse(request.priority);
        (own, Reverse(self.rules[builder].priority), request.id)
    }

    /// The place of a request in the queue of its builder.
    fn place(
        &self,
        builder: usize,
        request: &BuildRequest,
    ) -> (Reverse<i32>, [Reverse<u64>; 2], u64) {
        let wanted = self.wanted[builder];
        let by_revision = if wanted.by_revision {
            revision(request)
        } else {
            0
        };
        let by_number = if wanted.newest_first { request.id.0 } else { 0 };
        let order = [Reverse(by_revision), Reverse(by_number)];
        (Reverse(request.priority), order, request.id.0)
    }

    /// The first request that could start, with its builder: of the first ones of each builder that
    /// could, that whose turn is first.
    fn first(&self) -> Option<(usize, &BuildRequest)> {
        let first_of = |builder: usize| {
            let could = self.waiting.iter().filter(|(its, request)| {
                *its == builder && !self.candidates(builder, request).is_empty()
            });
            could.min_by_key(|(_, request)| self.place(builder, request))
        };
        let firsts = (0..BUILDERS).filter_map(first_of);
        let first = firsts.min_by_key(|(builder, request)| self.turn(*builder, request))?;
        Some((first.0, &first.1))
    }

    /// What shares a build on a slave with a request, in queue order.
    fn merged(&self, builder: usize, first: &BuildRequest, slave: usize) -> Vec<RequestId> {
        let wanted = self.wanted[builder];
        let joins = |other: &BuildRequest| {
            let by_rule = match wanted.merging {
                MergeRule::Never => false,
                MergeRule::Compatible => first.stamps.can_merge_with(&other.stamps),
                MergeRule::SameBranch => true,
            };
            other.id == first.id
                || by_rule && (!wanted.merge_by || revision(other) == revision(first))
        };
        let waiting = self.waiting.iter();
        let of = waiting.filter(|(its, request)| {
            *its == builder && joins(request) && self.may(builder, request, slave)
        });
        let mut of: Vec<_> = of.map(|(_, r)| (self.place(builder, r), r.id)).collect();
        of.sort_unstable();
        let limit = wanted.limit.map_or(usize::MAX, |limit| limit as usize);
        of.into_iter().take(limit).map(|(_, id)| id).collect()
    }
}

fn revision(request: &BuildRequest) -> u64 {
    let revision = request.stamps.first().revision.as_ref().unwrap();
    revision.parse().unwrap()
}

/// Both, and what is asked of both.
struct Pair {
    dispatch: Dispatch,
    model: Model,
    last: u64,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut dispatch = Dispatch::new(seed);
        let order: Vec<SlaveIx> = (0..SLAVES).map(SlaveIx).collect();
        for slave in (0..SLAVES).map(SlaveIx) {
            dispatch.add_slave();
            dispatch.set_facts(slave, serde_json::json!({ "big": false }));
        }
        for builder in (0..BUILDERS).map(BuilderIx) {
            dispatch.add_builder(Merging::default());
            dispatch.set_order(builder, &order);
        }
        let order = (0..SLAVES).collect::<Vec<_>>();
        let model = Model {
            waiting: Vec::new(),
            uses: [[Use::Gone; BUILDERS]; SLAVES],
            willing: [false; SLAVES],
            free_locks: [true; SLAVES],
            max_builds: [None; SLAVES],
            rules: [Rules::default(); BUILDERS],
            wanted: [PLAIN; BUILDERS],
            held: [false; BUILDERS],
            big: [false; SLAVES],
            order: [order.clone(), order.clone(), order],
            fits: [[true; SLAVES]; BUILDERS],
        };
        Self {
            dispatch,
            model,
            last: 0,
        }
    }

    fn apply(&mut self, step: &Step) {
        let Self {
            dispatch, model, ..
        } = self;
        match *step {
            Step::Enqueue {
                builder,
                priority,
                stamp,
            } => {
                self.last += 1;
                let request = request(self.last, priority, stamp);
                dispatch.enqueue(BuilderIx(builder), &request);
                model.waiting.push((builder, request));
            }
            Step::Unqueue(at) => {
                if at < model.waiting.len() {
                    let (builder, request) = model.waiting.swap_remove(at);
                    dispatch.unqueue(BuilderIx(builder), &request);
                }
            }
            Step::Idle(slave, builder, is_latent) => {
                let way = [Way::Attached, Way::Latent][usize::from(is_latent)];
                dispatch.set_idle(SlaveIx(slave), BuilderIx(builder), way);
                model.uses[slave][builder] = Use::Idle(way);
            }
            Step::Gone(slave, builder) => {
                dispatch.set_gone(SlaveIx(slave), BuilderIx(builder));
                model.uses[slave][builder] = Use::Gone;
            }
            Step::Willing(slave, is) => {
                dispatch.set_willing(SlaveIx(slave), is);
                model.willing[slave] = is;
            }
            Step::FreeLocks(slave, are) => {
                dispatch.set_free_locks(SlaveIx(slave), are);
                model.free_locks[slave] = are;
            }
            Step::MaxBuilds(slave, max) => {
                dispatch.set_max_builds(SlaveIx(slave), max);
                model.max_builds[slave] = max;
            }
            Step::Rules {
                builder,
                priority,
                choice,
                locks_differ,
                max_builds,
            } => {
                let rules = Rules {
                    priority,
                    choice,
                    locks_differ,
                    reserve: false,
                    max_builds,
                };
                dispatch.set_rules(BuilderIx(builder), rules);
                model.rules[builder] = rules;
            }
            Step::QueueRules(builder, wanted) => self.set_queue_rules(builder, wanted),
            Step::Held(builder, is_held) => {
                dispatch.set_held(BuilderIx(builder), is_held);
                model.held[builder] = is_held;
            }
            Step::Big(slave, big) => {
                dispatch.set_facts(SlaveIx(slave), serde_json::json!({ "big": big }));
                model.big[slave] = big;
            }
            Step::Order(builder, by) => {
                model.order[builder].rotate_left(by);
                let order: Vec<_> = model.order[builder].iter().map(|&s| SlaveIx(s)).collect();
                dispatch.set_order(BuilderIx(builder), &order);
            }
            Step::Fits(builder, slave, fits) => model.fits[builder][slave] = fits,
            Step::Start(most) => {
                for _ in 0..most {
                    self.start();
                }
            }
        }
    }

    fn set_queue_rules(&mut self, builder: usize, wanted: Wanted) {
        let merging = Merging {
            rule: wanted.merging,
            ..Merging::default()
        };
        let waiting = self.model.waiting.iter();
        let waiting = waiting.filter(|(its, _)| *its == builder);
        let requests = waiting.map(|(_, request)| request);
        let rules = (merging, wanted.limit);
        self.dispatch
            .set_queue_rules(BuilderIx(builder), rules, wanted.judge(), requests);
        self.model.wanted[builder] = wanted;
    }

    /// Work and an available idle slave imply a match: the first turn, on a slave by the builder's
    /// rule.
    fn start(&mut self) -> bool {
        let model = &mut self.model;
        let found = self.dispatch.next(|b, s| model.fits[b.0][s.0]);
        let Some((builder, first)) = model.first() else {
            assert_eq!(found, None, "nothing could start");
            return false;
        };
        let found = found.expect("a request and an available slave imply a match");
        assert_eq!(found.builder, BuilderIx(builder));
        let slave = found.slave.0;
        assert_eq!(found.requests, model.merged(builder, first, slave));
        assert_eq!(model.uses[slave][builder], Use::Idle(found.way));
        assert!(
            model.candidates(builder, first).contains(&slave),
            "{found:?}"
        );
        let is_taken = |(_, r): &(usize, BuildRequest)| found.requests.contains(&r.id);
        model.waiting.retain(|waiting| !is_taken(waiting));
        model.uses[slave][builder] = Use::Busy;
        true
    }

    fn check(&self) {
        for slave in 0..SLAVES {
            let load = self.model.load(slave);
            assert_eq!(self.dispatch.load(SlaveIx(slave)), load);
            assert_eq!(self.dispatch.busy_with(SlaveIx(slave)).count(), load);
        }
        for builder in 0..BUILDERS {
            let waiting = self.model.waiting.iter();
            let waiting = waiting.filter(|(its, _)| *its == builder).count();
            assert_eq!(self.dispatch.queue(BuilderIx(builder)).len(), waiting);
        }
    }
}

fn request(id: u64, priority: i32, stamp: u8) -> BuildRequest {
    BuildRequest {
        id: RequestId(id),
        set: SetId(1),
        builder: "b".into(),
        stamps: Arc::new(SourceStamps::from(SourceStamp {
            revision: Some(stamp.to_string()),
            ..SourceStamp::default()
        })),
        reason: "".into(),
        properties: Arc::default(),
        submitted_at: Timestamp(0),
        priority,
        retries: 0,
        start_count: 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn bld_07_work_and_an_available_idle_slave_imply_the_match_whose_turn_is_first(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut pair = Pair::new(seed);
        for step in &steps {
            pair.apply(step);
            pair.check();
        }
        for builder in 0..BUILDERS {
            pair.apply(&Step::Held(builder, false));
        }
        while pair.start() {}
        pair.check();
    }
}

/// A builder with requests 1 to `requests`, and slaves that run one build each.
fn one_builder(slaves: usize, requests: u64) -> Dispatch {
    let mut dispatch = Dispatch::new(1);
    dispatch.add_builder(Merging {
        rule: MergeRule::Never,
        ..Merging::default()
    });
    for slave in (0..slaves).map(SlaveIx) {
        dispatch.add_slave();
        dispatch.set_max_builds(slave, Some(1));
        dispatch.set_willing(slave, true);
        dispatch.set_idle(slave, BuilderIx(0), Way::Attached);
    }
    for id in 1..=requests {
        dispatch.enqueue(BuilderIx(0), &request(id, 0, 0));
    }
    dispatch
}

#[test]
fn bld_05_each_slave_is_as_likely_also_when_others_are_full() {
    let mut counts = [0; 3];
    let mut dispatch = one_builder(4, 3001);
    dispatch.set_willing(SlaveIx(3), false);
    for _ in 0..3000 {
        let found = dispatch.next(|_, _| true).unwrap();
        counts[found.slave.0] += 1;
        dispatch.set_idle(found.slave, BuilderIx(0), Way::Attached);
    }
    for count in counts {
        assert!((850..=1150).contains(&count), "{counts:?}");
    }
}

#[test]
fn a_slave_that_has_room_again_takes_the_first_turn_of_all_its_builders() {
    let mut dispatch = one_builder(1, 1);
    let slave = SlaveIx(0);
    for builder in (1..4).map(BuilderIx) {
        dispatch.add_builder(Merging::default());
        dispatch.set_idle(slave, builder, Way::Attached);
    }
    let next = |dispatch: &mut Dispatch| dispatch.next(|_, _| true);
    let first = next(&mut dispatch).unwrap();
    for (builder, id, priority) in [(1, 4, 0), (2, 5, 0), (3, 6, 1)] {
        dispatch.enqueue(BuilderIx(builder), &request(id, priority, 0));
        assert_eq!(next(&mut dispatch), None, "the slave is full");
    }
    dispatch.enqueue(BuilderIx(2), &request(3, 0, 1));
    let mut order = Vec::new();
    let mut busy = Some(first);
    while let Some(found) = busy {
        dispatch.set_idle(slave, found.builder, Way::Attached);
        order.extend(found.requests.iter().map(|id| id.0));
        busy = next(&mut dispatch);
    }
    assert_eq!(order, [1, 6, 3, 4, 5]);
}

#[test]
fn a_slave_for_which_much_is_parked_looks_at_one_builder_when_it_has_room() {
    let mut dispatch = one_builder(1, 1);
    for builder in (1..2000).map(BuilderIx) {
        dispatch.add_builder(Merging::default());
        dispatch.set_idle(SlaveIx(0), builder, Way::Attached);
        let id = u64::try_from(builder.0).unwrap() + 1;
        dispatch.enqueue(builder, &request(id, 0, 0));
    }
    let next = |dispatch: &mut Dispatch| dispatch.next(|_, _| true);
    let mut found = next(&mut dispatch).unwrap();
    assert_eq!(next(&mut dispatch), None, "the slave is full");
    for expected in 2..=2000 {
        assert_eq!(dispatch.supplies[0].parked.len(), 2001 - expected);
        dispatch.set_idle(SlaveIx(0), found.builder, Way::Attached);
        found = next(&mut dispatch).unwrap();
        assert_eq!(found.requests, [RequestId(expected as u64)]);
    }
}
