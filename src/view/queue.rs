//! The queue: open requests in the order in which they are built.
//!
//! The priorities of builders are not on disk, so the order over all builders is made here, by
//! merging the queues of the builders. Invariant: the cost is that of the builders that have open
//! requests and of what is shown, however long the queue is.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::Request;
use super::order::order_of;
use crate::botmaster::Live;
use crate::config::Config;
use crate::model::{BuilderName, RequestId, Timestamp};
use crate::store::read::RequestPlace;
use crate::store::{State, StoreError};

/// Which part of the queue is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue<'a> {
    /// Whether only those are wanted that wait for a build, which is not being started (BLD-03).
    pub is_pending: bool,
    /// Only the requests of these builders; absent for all.
    pub builders: Option<&'a [BuilderName]>,
    /// Only what is built after this request. A request that was pruned is before all others.
    pub after: Option<RequestId>,
    /// The configuration, if the `request_order` of builders counts, which it does not after a
    /// request. Of a builder that has many requests, only the first ones by priority and age find
    /// their places among each other.
    pub orders: Option<&'a Config>,
}

/// The place of a request among all: its own priority, that of its builder, its age (BRQ-09).
type Turn = (Reverse<i32>, Reverse<i32>, RequestId);

/// The queue of one builder, of which some was read.
#[derive(Debug)]
struct Line {
    builder: BuilderName,
    priority: i32,
    read: VecDeque<RequestPlace>,
    last: Option<RequestPlace>,
    /// How many are read next.
    step: u32,
}

impl Queue<'_> {
    /// The first `limit` requests, in the order in which they are built. `live` is what a running
    /// master knows, `priorities` those of the builders.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn read(
        &self,
        state: &State,
        live: &Live,
        priorities: &BTreeMap<BuilderName, i32>,
        limit: u32,
    ) -> Result<Vec<Request>, StoreError> {
        let mut lines = self.lines(state, priorities)?;
        if let (Some(config), None) = (self.orders, self.after) {
            for line in &mut lines {
                line.order(state, (live, config), self.is_pending)?;
            }
        }
        let mut next = BinaryHeap::new();
        for (at, line) in lines.iter_mut().enumerate() {
            next.extend(
                line.next(state, self.is_pending)?
                    .map(|turn| (Reverse(turn), at)),
            );
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut requests = Vec::new();
        while let Some((Reverse((_, _, id)), at)) = next.pop() {
            if requests.len() == limit {
                break;
            }
            let is_left_out = self.is_pending && live.starting.contains_key(&id);
            let row = match is_left_out {
                true => None,
                false => state.request(id)?,
            };
            requests.extend(row.map(|row| Request::new(row, live)));
            if let Some(line) = lines.get_mut(at) {
                next.extend(
                    line.next(state, self.is_pending)?
                        .map(|turn| (Reverse(turn), at)),
                );
            }
        }
        Ok(requests)
    }

    /// How many requests there are, whatever they are built after. Open ones that have a build are
    /// counted one by one.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn count(&self, state: &State, live: &Live) -> Result<u64, StoreError> {
        let is_wanted = |name: &BuilderName| self.builders.is_none_or(|all| all.contains(name));
        let queues = queues(state, live)?;
        let waiting = queues.iter().filter(|(name, _)| is_wanted(name));
        let waiting = waiting.map(|(_, (count, _))| count).sum::<u64>();
        if self.is_pending {
            return Ok(waiting);
        }
        let starting = live.starting.values();
        let starting = starting.filter(|start| is_wanted(&start.builder)).count();
        let built = state.requests_being_built()?;
        let built = built.iter().filter(|(name, _)| is_wanted(name)).count();
        Ok(waiting + u64::try_from(starting + built).unwrap_or(u64::MAX))
    }

    fn lines(
        &self,
        state: &State,
        priorities: &BTreeMap<BuilderName, i32>,
    ) -> Result<Vec<Line>, StoreError> {
        let builders = match self.builders {
            Some(builders) => builders.to_vec(),
            None => state.builders_with_requests()?,
        };
        let priority = |builder: &BuilderName| priorities.get(builder).copied().unwrap_or_default();
        let after = match self.after {
            Some(after) => state.request(after)?,
            None => None,
        };
        let after = after.map(|row| (row.priority, priority(&row.builder), row.id));
        let lines = builders.into_iter().map(|builder| {
            let own = priority(&builder);
            let last = after.map(|(priority, of_builder, id)| RequestPlace {
                priority,
                id: match own.cmp(&of_builder) {
                    Ordering::Less => RequestId(0),
                    Ordering::Equal => id,
                    Ordering::Greater => RequestId(u64::MAX),
                },
            });
            Line {
                builder,
                priority: own,
                read: VecDeque::new(),
                last,
                step: 1,
            }
        });
        Ok(lines.collect())
    }
}

impl Line {
    /// Reads the first requests and puts them in the order that the builder has for its own
    /// (CFL-120, CFL-121), if it has one.
    fn order(
        &mut self,
        state: &State,
        (live, config): (&Live, &Config),
        is_pending: bool,
    ) -> Result<(), StoreError> {
        let builder = config.builder(self.builder.as_str());
        if builder.is_none_or(|builder| builder.queue.request_order.is_empty()) {
            return Ok(());
        }
        let places = state.places_in_queue(&self.builder, None, is_pending, MOST_ORDERED)?;
        self.last = places.last().copied();
        let is_all = places.len() < usize::try_from(MOST_ORDERED).unwrap_or(usize::MAX);
        self.step = if is_all { 0 } else { MOST_AT_ONCE };
        let mut ordered = Vec::with_capacity(places.len());
        for place in places {
            let values = match state.request(place.id)? {
                Some(row) => order_of(&Request::new(row, live), state, config)?,
                None => None,
            };
            ordered.push((place, values.unwrap_or_default()));
        }
        ordered.sort_by(|(one, values), (other, of_other)| {
            let by_values = || of_other.partial_cmp(values).unwrap_or(Ordering::Equal);
            let by_priority = other.priority.cmp(&one.priority);
            by_priority.then_with(by_values).then(one.id.cmp(&other.id))
        });
        self.read = ordered.into_iter().map(|(place, _)| place).collect();
        Ok(())
    }

    /// Takes the next request.
    fn next(&mut self, state: &State, is_pending: bool) -> Result<Option<Turn>, StoreError> {
        if self.read.is_empty() && self.step > 0 {
            let read = state.places_in_queue(&self.builder, self.last, is_pending, self.step)?;
            self.last = read.last().copied().or(self.last);
            let is_all = read.len() < usize::try_from(self.step).unwrap_or(usize::MAX);
            self.step = match is_all {
                true => 0,
                false => (self.step * 2).min(MOST_AT_ONCE),
            };
            self.read = read.into();
        }
        let next = self.read.pop_front();
        Ok(next.map(|place| (Reverse(place.priority), Reverse(self.priority), place.id)))
    }
}

/// How many requests wait for each builder for which some wait, and when the oldest was submitted
/// (BLD-03, BLD-17).
///
/// # Errors
/// The state cannot be read.
pub(super) fn queues(
    state: &State,
    live: &Live,
) -> Result<BTreeMap<BuilderName, (u64, Timestamp)>, StoreError> {
    if let Some(queues) = &live.queues {
        let queues = queues.iter();
        return Ok(queues
            .map(|(name, queue)| (name.clone(), (queue.count, queue.since)))
            .collect());
    }
    let mut queues = state.pending()?;
    for starting in live.starting.values() {
        if let Some((count, _)) = queues.get_mut(&starting.builder) {
            *count = count.saturating_sub(1);
        }
    }
    queues.retain(|_, (count, _)| *count > 0);
    Ok(queues)
}

/// Requests of one builder that are put in the order of that builder, at most.
const MOST_ORDERED: u32 = 10_000;

/// Requests of one builder that are read at once, at most.
const MOST_AT_ONCE: u32 = 1024;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::botmaster::{Queued, Starting};
    use crate::config::parse;
    use crate::model::{SlaveName, Zone};
    use crate::store::crowd::crowded;
    use crate::view::{Builder, Moment, Overview};

    /// What a master knows of a crowded state of 100 000 requests.
    fn live() -> Live {
        let queues = (0..10).map(|n| {
            let queued = Queued {
                count: 10_000,
                first: RequestId(n),
                since: Timestamp(1),
            };
            (BuilderName::from(format!("b{n}").as_str()), queued)
        });
        Live {
            queues: Some(queues.collect()),
            ..Live::default()
        }
    }

    fn numbers(requests: &[Request]) -> Vec<u64> {
        requests.iter().map(|request| request.id.0).collect()
    }

    fn read(state: &State, queue: &Queue<'_>, live: &Live, limit: u32) -> Vec<u64> {
        let priorities = [("b3".into(), -1), ("b7".into(), 2)].into();
        numbers(&queue.read(state, live, &priorities, limit).unwrap())
    }

    #[test]
    fn brq_09_requests_are_in_the_order_in_which_they_are_built_on_every_page() {
        let dir = tempfile::tempdir().unwrap();
        let state = crowded(dir.path(), 230);
        let live = Live::default();
        let all = read(&state, &Queue::default(), &live, u32::MAX);
        let mut expected: Vec<u64> = (1..=230).collect();
        expected.sort_by_key(|id| {
            let of_builder = match id % 10 {
                3 => -1,
                7 => 2,
                _ => 0,
            };
            (Reverse(id % 100 == 0), Reverse(of_builder), *id)
        });
        assert_eq!(all, expected);
        let mut paged = Vec::new();
        let mut after = None;
        loop {
            let queue = Queue {
                after,
                ..Queue::default()
            };
            let page = read(&state, &queue, &live, 7);
            let Some(&last) = page.last() else { break };
            paged.extend(page);
            after = Some(RequestId(last));
        }
        assert_eq!(paged, expected);
        let some = Queue {
            builders: Some(&["b3".into()]),
            after: Some(RequestId(23)),
            ..Queue::default()
        };
        assert_eq!(read(&state, &some, &live, 2), [33, 43]);
    }

    #[test]
    fn cfl_120_requests_are_in_the_order_of_their_builder() {
        let dir = tempfile::tempdir().unwrap();
        let state = crowded(dir.path(), 230);
        let text = "slave_port = 9989\n[[slaves]]\nname = \"s\"\ntype = \"local\"\n\
                    [factories.f]\nsteps = []\n[[builders]]\nname = \"b1\"\nslaves = [\"s\"]\n\
                    factory = \"f\"\nrequest_order = [\"request.number // 50\", \"-request.number\"]\n\
                    [[builders]]\nname = \"b2\"\nslaves = [\"s\"]\nfactory = \"f\"\n";
        let (config, _) = parse(text, "master.toml", &Ok(Zone::UTC)).unwrap();
        let builders = ["b1".into(), "b2".into()];
        let queue = Queue {
            builders: Some(&builders),
            orders: Some(&config),
            ..Queue::default()
        };
        let live = Live::default();
        let all = read(&state, &queue, &live, u32::MAX);
        let of = |wanted: u64| all.iter().copied().filter(move |id| id % 10 == wanted);
        let mut expected: Vec<u64> = (0..23).map(|n| n * 10 + 1).collect();
        expected.sort_by_key(|id| (Reverse(id / 50), *id));
        assert_eq!(of(1).collect::<Vec<_>>(), expected);
        assert!(of(2).is_sorted());
        // Between builders, the first requests compete: 201 of b1 waits for all of b2 before it.
        assert_eq!(all.get(..3), Some(&[2, 12, 22][..]));
        assert_eq!(read(&state, &queue, &live, 30), all[..30]);
    }

    #[test]
    fn bld_03_a_request_that_is_being_started_does_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        let state = crowded(dir.path(), 30);
        let starting = Starting {
            builder: "b1".into(),
            slave: SlaveName::from("s"),
            since: Timestamp(5),
        };
        let live = Live {
            starting: [(RequestId(1), starting)].into(),
            ..Live::default()
        };
        let b1 = ["b1".into()];
        let open = Queue {
            builders: Some(&b1),
            ..Queue::default()
        };
        let pending = Queue {
            is_pending: true,
            ..open
        };
        assert_eq!(read(&state, &open, &live, 9), [1, 11, 21]);
        assert_eq!(read(&state, &pending, &live, 9), [11, 21]);
        assert_eq!(open.count(&state, &live).unwrap(), 3);
        assert_eq!(pending.count(&state, &live).unwrap(), 2);
    }

    #[test]
    fn web_18_a_look_at_a_long_queue_costs_what_is_shown() {
        let live = live();
        let moment = Moment {
            is_running: true,
            now: Timestamp(9),
        };
        let cost = |requests, after: Option<u64>| {
            let dir = tempfile::tempdir().unwrap();
            let mut state = crowded(dir.path(), requests);
            state.cost(|state| {
                for is_pending in [true, false] {
                    let queue = Queue {
                        is_pending,
                        after: after.map(RequestId),
                        ..Queue::default()
                    };
                    assert_eq!(read(state, &queue, &live, 100).len(), 100);
                    queue.count(state, &live).unwrap();
                }
                let overview = Overview::read(state, &live, moment).unwrap();
                assert_eq!(overview.waiting, 100_000);
                let builders = Builder::all(Some(state), None, &live, moment).unwrap();
                assert_eq!(builders[0].pending, 10_000);
            })
        };
        let few = cost(1_000, None);
        assert!(few > 10, "{few}");
        for after in [None, Some(100), Some(90_001)] {
            let many = cost(100_000, after);
            assert!(many < few * 2, "{many} for many, {few} for few");
        }
    }
}
