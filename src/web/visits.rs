//! What was asked of the web: how often, and how long the answers took.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::measure::{Distribution, Histogram};

/// Counts requests by route. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Visits {
    /// A leaf: the lock is held to count one request, or to look.
    routes: Arc<Mutex<BTreeMap<String, Route>>>,
}

/// The requests of one route so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// How many were answered with each status.
    pub statuses: BTreeMap<u16, u64>,
    /// How long it took until the head of the answer.
    pub took: Distribution,
}

#[derive(Debug)]
struct Route {
    statuses: BTreeMap<u16, u64>,
    took: Histogram,
}

/// Bounds of the times of answers, in seconds.
const BOUNDS: &[f64] = &[0.001, 0.005, 0.02, 0.1, 0.5, 2.0];

impl Visits {
    /// Counts a request; `route` is a pattern of the router, never the address.
    pub(super) fn note(&self, route: &str, status: u16, took: Duration) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if !routes.contains_key(route) {
            let fresh = Route {
                statuses: BTreeMap::new(),
                took: Histogram::new(BOUNDS),
            };
            routes.insert(route.to_owned(), fresh);
        }
        if let Some(known) = routes.get_mut(route) {
            *known.statuses.entry(status).or_default() += 1;
            known.took.add(took);
        }
    }

    /// All routes that were asked for.
    pub(super) fn list(&self) -> Vec<(String, Visit)> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let visits = routes.iter().map(|(route, known)| {
            let visit = Visit {
                statuses: known.statuses.clone(),
                took: known.took.get(),
            };
            (route.clone(), visit)
        });
        visits.collect()
    }
}
