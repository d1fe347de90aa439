//! Requests of a builder by class, where it depends on the request which slaves may take it
//! (CFL-130, CFL-131). Each class is a lane: what is true of its first request is true of all.
//!
//! Invariant: a lane that has requests and is not hopeful has no idle slave that may take them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::place::{Place, RequestKey};
use crate::config::expression::Scope;

/// Which lane; never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct LaneIx(u64);

/// The lanes of a builder.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    by_class: HashMap<Arc<str>, LaneIx>,
    lanes: BTreeMap<LaneIx, Lane>,
    next: u64,
    /// The lanes for which a slave might be found, by their first places.
    hopeful: BTreeSet<(Place, LaneIx)>,
    /// The same lanes, by the turns of their first requests.
    hopeful_turns: BTreeSet<(RequestKey, LaneIx)>,
    /// Lanes with requests, by the turns of their first ones.
    firsts: BTreeSet<(RequestKey, LaneIx)>,
}

#[derive(Debug)]
struct Lane {
    class: Arc<str>,
    /// What the rules on slaves see of its requests.
    scope: Scope,
    places: BTreeSet<Place>,
    is_hopeful: bool,
}

/// Empty lanes are kept for as long as there are not more lanes than this.
const KEPT: usize = 1000;

impl Lanes {
    /// The lane of a class, which is made if there is none.
    pub(super) fn enter(&mut self, class: &str, scope: Scope) -> LaneIx {
        if let Some(&known) = self.by_class.get(class) {
            return known;
        }
        let ix = LaneIx(self.next);
        self.next += 1;
        let class: Arc<str> = class.into();
        self.by_class.insert(Arc::clone(&class), ix);
        let lane = Lane {
            class,
            scope,
            places: BTreeSet::new(),
            is_hopeful: true,
        };
        self.lanes.insert(ix, lane);
        ix
    }

    /// What the rules on slaves see of the requests of a lane.
    pub(super) fn scope(&self, ix: LaneIx) -> Option<&Scope> {
        self.lanes.get(&ix).map(|lane| &lane.scope)
    }

    /// A request waits in a lane.
    pub(super) fn insert(&mut self, ix: LaneIx, place: Place) {
        self.change(ix, |lane| {
            if lane.places.is_empty() {
                lane.is_hopeful = true;
            }
            lane.places.insert(place);
        });
    }

    /// A request has left its lane.
    pub(super) fn remove(&mut self, ix: LaneIx, place: &Place) {
        self.change(ix, |lane| {
            lane.places.remove(place);
        });
        self.leave(ix);
    }

    /// Forgets a lane in which nothing waits, if there are many.
    pub(super) fn leave(&mut self, ix: LaneIx) {
        if self.lanes.len() <= KEPT {
            return;
        }
        if let Some(lane) = self.lanes.remove(&ix) {
            if lane.places.is_empty() {
                self.by_class.remove(&lane.class);
            } else {
                self.lanes.insert(ix, lane);
            }
        }
    }

    /// Says whether a slave might be found for a lane.
    pub(super) fn set_hopeful(&mut self, ix: LaneIx, is_hopeful: bool) {
        self.change(ix, |lane| lane.is_hopeful = is_hopeful);
    }

    /// The lanes with requests for which no idle slave is there.
    pub(super) fn hopeless(&self) -> Vec<LaneIx> {
        let lanes = self.lanes.iter();
        let waiting = lanes.filter(|(_, lane)| !lane.is_hopeful && !lane.places.is_empty());
        waiting.map(|(&ix, _)| ix).collect()
    }

    /// The lanes with requests.
    pub(super) fn waiting(&self) -> impl Iterator<Item = LaneIx> {
        self.firsts.iter().map(|&(_, ix)| ix)
    }

    /// The lane to try first, and its first request.
    pub(super) fn first_hopeful(&self) -> Option<(&Place, LaneIx)> {
        self.hopeful.first().map(|(place, ix)| (place, *ix))
    }

    /// The first turn that a hopeful lane might ask for.
    pub(super) fn first_hopeful_turn(&self) -> Option<RequestKey> {
        self.hopeful_turns.first().map(|&(key, _)| key)
    }

    /// The first turn that any lane might ask for.
    pub(super) fn bound(&self) -> Option<RequestKey> {
        self.firsts.first().map(|&(key, _)| key)
    }

    fn change(&mut self, ix: LaneIx, change: impl FnOnce(&mut Lane)) {
        let Some(lane) = self.lanes.get_mut(&ix) else {
            return;
        };
        if let Some(first) = lane.places.first() {
            self.firsts.remove(&(first.key(), ix));
            if lane.is_hopeful {
                self.hopeful.remove(&(first.clone(), ix));
                self.hopeful_turns.remove(&(first.key(), ix));
            }
        }
        change(lane);
        if let Some(first) = lane.places.first() {
            self.firsts.insert((first.key(), ix));
            if lane.is_hopeful {
                self.hopeful.insert((first.clone(), ix));
                self.hopeful_turns.insert((first.key(), ix));
            }
        }
    }
}
