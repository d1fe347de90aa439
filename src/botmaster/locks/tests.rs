#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::Config as Runs;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::config::LockKind;

const NOW: Timestamp = Timestamp(0);

fn lock(name: &str, max_count: u32) -> LockConfig {
    LockConfig {
        name: name.into(),
        kind: LockKind::Master,
        max_count,
    }
}

fn table(locks: &[(&str, u32)]) -> Locks {
    let mut table = Locks::default();
    let locks: Vec<_> = locks.iter().map(|(name, max)| lock(name, *max)).collect();
    assert_eq!(table.define(&locks), []);
    table
}

fn build(n: u64) -> Holder {
    Holder {
        owner: AttemptId(n),
        part: Part::User(LockUser::Build),
    }
}

fn step(n: u64) -> Holder {
    let (index, name) = (0, "s".into());
    Holder {
        owner: AttemptId(n),
        part: Part::User(LockUser::Step { index, name }),
    }
}

/// `a` counting, `a!` exclusive.
fn wants(names: &[&str]) -> Wants {
    let want = |name: &&str| {
        let mode = if name.ends_with('!') {
            LockMode::Exclusive
        } else {
            LockMode::Counting
        };
        let lock = name.trim_end_matches('!').into();
        let scope = LockScope::Master;
        (Instance { lock, scope }, mode)
    };
    names.iter().map(want).collect()
}

impl Locks {
    fn asks(&mut self, who: Holder, names: &[&str]) -> Vec<u64> {
        numbers(self.want(who, wants(names), NOW))
    }

    fn frees(&mut self, who: &Holder) -> Vec<u64> {
        numbers(self.release(who))
    }
}

fn numbers(holders: Vec<Holder>) -> Vec<u64> {
    holders.into_iter().map(|h| h.owner.0).collect()
}

#[test]
fn lck_02_counting_holders_share_up_to_the_count_and_an_exclusive_one_is_alone() {
    let mut t = table(&[("a", 3)]);
    for n in 1..=3 {
        assert_eq!(t.asks(build(n), &["a"]), [n]);
    }
    assert_eq!(t.asks(build(4), &["a"]), [0; 0]);
    assert_eq!(t.frees(&build(2)), [4]);
    assert_eq!(t.asks(build(5), &["a!"]), [0; 0]);
    assert_eq!(t.frees(&build(1)), [0; 0]);
    assert_eq!(t.frees(&build(3)), [0; 0]);
    assert_eq!(t.frees(&build(4)), [5]);
    assert_eq!(t.asks(build(6), &["a"]), [0; 0]);
    assert_eq!(t.frees(&build(5)), [6]);
    assert_eq!(t.frees(&build(6)), [0; 0]);
    assert!(t.is_empty());
    assert_eq!(t.instances.len(), 0);
}

#[test]
fn lck_03_counting_waits_behind_an_exclusive_waiter() {
    let mut t = table(&[("a", 2)]);
    assert_eq!(t.asks(build(1), &["a"]), [1]);
    assert_eq!(t.asks(build(2), &["a!"]), [0; 0]);
    assert_eq!(t.asks(build(3), &["a"]), [0; 0]);
    let places = |t: &Locks| -> Vec<_> {
        let seen = t.waiters().into_iter();
        seen.map(|s| (s.holder.owner.0, s.blocks[0].2[0].owner.0, s.blocks[0].3))
            .collect()
    };
    assert_eq!(places(&t), [(2, 1, 1), (3, 1, 2)], "LCK-11");
    assert_eq!(t.frees(&build(1)), [2]);
    assert_eq!(places(&t), [(3, 2, 1)], "LCK-11");
    assert_eq!(t.waiter(&build(3)).unwrap().blocks[0].3, 1);
    assert!(t.waiter(&build(2)).is_none());
    assert_eq!(t.frees(&build(2)), [3]);
}

#[test]
fn lck_04_several_locks_are_taken_all_or_none() {
    let mut t = table(&[("a", 1), ("b", 1)]);
    assert_eq!(t.asks(build(1), &["a"]), [1]);
    assert_eq!(t.asks(build(2), &["a", "b"]), [0; 0]);
    assert_eq!(t.holders(&wants(&["b"])[0].0), [] as [&Holder; 0]);
    assert_eq!(t.asks(build(3), &["b"]), [0; 0], "behind the second");
    assert_eq!(t.frees(&build(1)), [2]);
    assert_eq!(t.frees(&build(2)), [3]);
}

#[test]
fn lck_06_releasing_what_is_not_held_never_releases_anothers() {
    let mut t = table(&[("a", 1)]);
    assert_eq!(t.asks(build(1), &["a!"]), [1]);
    assert_eq!(t.asks(build(2), &["a!"]), [0; 0]);
    assert_eq!(t.asks(build(3), &["a!"]), [0; 0]);
    assert_eq!(t.frees(&build(2)), [0; 0], "it was stopped");
    assert_eq!(t.frees(&build(2)), [0; 0]);
    assert_eq!(t.frees(&step(1)), [0; 0]);
    assert_eq!(t.asks(build(3), &["a!"]), [0; 0], "asking twice");
    assert_eq!(t.frees(&build(1)), [3]);
}

#[test]
fn lck_07_a_waiter_that_is_forgotten_lets_the_others_move_up() {
    let mut t = table(&[("a", 2)]);
    assert_eq!(t.asks(build(1), &["a"]), [1]);
    assert_eq!(t.asks(build(2), &["a!"]), [0; 0]);
    assert_eq!(t.asks(build(3), &["a"]), [0; 0]);
    assert_eq!(numbers(t.forget_waiter(AttemptId(1))), [0; 0], "it holds");
    assert_eq!(numbers(t.forget_waiter(AttemptId(2))), [3]);
}

#[test]
fn lck_08_a_release_wakes_as_many_as_fit() {
    let mut t = table(&[("a", 2)]);
    assert_eq!(t.asks(build(1), &["a!"]), [1]);
    for (n, mode) in [(2, "a"), (3, "a"), (4, "a!"), (5, "a")] {
        assert_eq!(t.asks(build(n), &[mode]), [0; 0]);
    }
    assert_eq!(t.frees(&build(1)), [2, 3]);
    assert_eq!(t.frees(&build(2)), [0; 0]);
    assert_eq!(t.frees(&build(3)), [4]);
    assert_eq!(t.frees(&build(4)), [5]);
}

#[test]
fn lck_09_new_counts_keep_holders_and_waiters() {
    let mut t = table(&[("a", 1)]);
    assert_eq!(t.asks(build(1), &["a"]), [1]);
    assert_eq!(t.asks(build(2), &["a"]), [0; 0]);
    assert_eq!(t.asks(build(3), &["a"]), [0; 0]);
    assert_eq!(numbers(t.define(&[lock("a", 2)])), [2]);
    assert_eq!(t.define(&[lock("a", 1)]), []);
    assert_eq!(t.frees(&build(1)), [0; 0], "the next waits for both");
    assert_eq!(t.define(&[]), [], "it is kept while it is used");
    assert_eq!(t.frees(&build(2)), [3]);
}

#[test]
fn lck_01_each_slave_has_a_count_of_its_own() {
    let mut t = Locks::default();
    let max_count_for_slave = [("s2".into(), 2)].into();
    let kind = LockKind::Slave {
        max_count_for_slave,
    };
    let (name, max_count) = ("cpu".into(), 1);
    let cpu = LockConfig {
        name,
        kind,
        max_count,
    };
    assert_eq!(t.define(&[cpu]), []);
    let mut free = Vec::new();
    for (n, slave) in (1..).zip(["s1", "s1", "s2", "s2", "s2"]) {
        let instance = t.instance_of(&"cpu".into(), &slave.into());
        free.push(t.take(&build(n), &[(instance, LockMode::Counting)]));
    }
    assert_eq!(free, [true, false, true, true, false]);
}

#[test]
fn who_holds_what_another_waits_for_does_not_wait_behind_it() {
    let mut t = table(&[("x", 1), ("y", 1)]);
    assert_eq!(t.asks(build(1), &["x"]), [1]);
    assert_eq!(t.asks(build(2), &["x", "y"]), [0; 0]);
    assert_eq!(t.asks(step(1), &["y"]), [1]);
    assert_eq!(t.frees(&step(1)), [0; 0]);
    assert_eq!(numbers(t.release_all(AttemptId(1))), [2]);
}

#[test]
fn who_comes_to_be_waited_for_at_several_removes_passes() {
    let mut t = table(&[("x", 1), ("y", 1), ("z", 1), ("g", 1)]);
    assert_eq!(t.asks(build(1), &["x"]), [1]);
    assert_eq!(t.asks(build(3), &["g", "z"]), [3]);
    assert_eq!(t.asks(build(4), &["y"]), [4]);
    assert_eq!(t.asks(build(2), &["y", "z"]), [0; 0]);
    assert_eq!(t.asks(step(1), &["y"]), [0; 0], "y is held");
    assert_eq!(t.frees(&build(4)), [0; 0], "behind 2, who waits for 3");
    assert_eq!(
        t.asks(step(3), &["x"]),
        [1],
        "3 waits for 1 now: 1 passes 2"
    );
    assert_eq!(numbers(t.release_all(AttemptId(1))), [3]);
    assert_eq!(numbers(t.release_all(AttemptId(3))), [2]);
}

/// The rules word by word, for those who hold nothing while they wait.
#[derive(Default)]
struct Naive {
    max: BTreeMap<LockName, usize>,
    held: Vec<(u64, Wants)>,
    waiting: Vec<(u64, Wants)>,
}

impl Naive {
    fn settle(&mut self) -> BTreeSet<u64> {
        let mut granted = BTreeSet::new();
        while let Some(at) = (0..self.waiting.len()).find(|&at| self.is_available(at)) {
            let one = self.waiting.remove(at);
            granted.insert(one.0);
            self.held.push(one);
        }
        granted
    }

    fn is_available(&self, at: usize) -> bool {
        self.waiting[at].1.iter().all(|(instance, mode)| {
            let modes = |all: &[(u64, Wants)]| -> Vec<LockMode> {
                let all = all.iter().flat_map(|(_, wants)| wants);
                let its = all.filter(|(i, _)| i == instance);
                its.map(|(_, mode)| *mode).collect()
            };
            let (held, ahead) = (modes(&self.held), modes(&self.waiting[..at]));
            match mode {
                LockMode::Exclusive => held.is_empty() && ahead.is_empty(),
                LockMode::Counting => {
                    !held.contains(&LockMode::Exclusive)
                        && !ahead.contains(&LockMode::Exclusive)
                        && held.len() + ahead.len() < self.max[&instance.lock]
                }
            }
        })
    }
}

fn some_wants(rng: &mut StdRng, names: &[&str]) -> Wants {
    let mut names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
    names.retain(|_| rng.random_bool(0.5));
    for name in &mut names {
        if rng.random_bool(0.4) {
            name.push('!');
        }
    }
    wants(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(Runs::with_cases(10_000))]

    #[test]
    fn random_claims_are_granted_as_the_rules_say(seed in any::<u64>()) {
        let mut rng = StdRng::seed_from_u64(seed);
        let names = ["a", "b", "c"];
        let locks = names.map(|name| lock(name, rng.random_range(1..=3)));
        let mut t = Locks::default();
        prop_assert_eq!(t.define(&locks), []);
        let mut naive = Naive::default();
        for lock in &locks {
            naive.max.insert(lock.name.clone(), lock.max_count as usize);
        }
        for n in 0..30 {
            let (ours, theirs) = match rng.random_range(0..10) {
                0..5 => {
                    let wants = some_wants(&mut rng, &names);
                    naive.waiting.push((n, wants.clone()));
                    (t.want(build(n), wants, NOW), naive.settle())
                }
                5..9 => {
                    let who = rng.random_range(0..=n);
                    naive.held.retain(|(other, _)| *other != who);
                    naive.waiting.retain(|(other, _)| *other != who);
                    (t.release(&build(who)), naive.settle())
                }
                _ => {
                    let max = rng.random_range(1..=3);
                    naive.max.insert("a".into(), max as usize);
                    (t.define(&[lock("a", max)]), naive.settle())
                }
            };
            prop_assert_eq!(BTreeSet::from_iter(numbers(ours)), theirs);
        }
        while let Some((who, _)) = naive.held.pop() {
            let theirs = naive.settle();
            prop_assert_eq!(BTreeSet::from_iter(numbers(t.release(&build(who)))), theirs);
        }
        prop_assert!(naive.waiting.is_empty() && t.is_empty() && t.instances.is_empty());
    }

    /// Builds that hold locks while their steps wait for others: without circles of "held while
    /// waited for" all come to their end, whatever is wanted together.
    #[test]
    fn nobody_waits_for_ever(seed in any::<u64>()) {
        let mut rng = StdRng::seed_from_u64(seed);
        let names = ["a", "b", "c", "d", "e"];
        let mut t = table(&names.map(|name| (name, rng.random_range(1..=2))));
        let mut all = BTreeMap::new();
        for n in 0..8 {
            // What a build holds comes before what its steps want.
            let cut = rng.random_range(0..=names.len());
            let (own, steps) = names.split_at(cut);
            all.insert(n, vec![some_wants(&mut rng, steps), some_wants(&mut rng, steps), some_wants(&mut rng, own)]);
        }
        let mut able: Vec<u64> = all.keys().copied().collect();
        let mut over = 0;
        while !able.is_empty() {
            let n = able.swap_remove(rng.random_range(0..able.len()));
            let its = all.get_mut(&n).unwrap();
            let mut granted = t.release(&step(n));
            granted.extend(match its.pop() {
                Some(wants) if its.len() == 2 => t.want(build(n), wants, NOW),
                Some(wants) => t.want(step(n), wants, NOW),
                None => {
                    over += 1;
                    t.release_all(AttemptId(n))
                }
            });
            able.extend(numbers(granted));
            for state in t.instances.values() {
                let most = if state.is_exclusive { 1 } else { state.max };
                prop_assert!(state.holders.len() <= most);
            }
        }
        prop_assert_eq!(over, 8, "a deadlock: {:?}", t);
    }
}
