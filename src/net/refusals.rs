//! Connections that were refused: kept for people to see, and written to the log.
//!
//! Invariants: what is kept is bounded, by slave and in all. Strangers cause a bounded number of
//! lines a minute, each of bounded length; what is left out is counted, and the count is logged.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::info;

use super::Tasks;
use crate::measure::Counter;
use crate::model::{Refusal, SlaveName, Timestamp};

/// Most entries of one slave.
const PER_SLAVE: usize = 4;
/// Most entries of all slaves.
const OF_SLAVES: usize = 2_048;
/// Most other entries.
const OF_OTHERS: usize = 64;
/// Most characters of a name that is nobody's.
const LONGEST_NAME: usize = 48;
/// An entry is logged at most once in this time, and this is how long lines are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Most lines about slaves in that time.
const LINES_OF_SLAVES: u32 = 60;
/// Most lines about others in that time.
const LINES_OF_OTHERS: u32 = 20;

/// Who was refused.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Refused {
    /// A slave of the configuration, or somebody who says to be one.
    Slave(SlaveName),
    /// A user of change sources or try schedulers, or somebody who says to be one.
    User(String),
    /// A name that is nobody's.
    Unknown(String),
    /// A peer that did not say its name.
    Nameless,
}

/// The connections that were refused.
#[derive(Debug, Default)]
pub struct Refusals {
    kept: Mutex<Kept>,
    /// All that were ever noted.
    noted: Counter,
    /// Something was left out of the log.
    folded: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    entries: BTreeMap<Key, Entry>,
    slaves: Lines,
    others: Lines,
    /// How many refusals are to be logged together.
    folded: u64,
}

type Key = (Refused, Box<str>, Box<str>);

#[derive(Debug)]
struct Entry {
    first: Instant,
    last: Instant,
    times: u64,
    logged: Option<Instant>,
    /// Since it was logged.
    unlogged: u64,
}

/// Lines in the present window.
#[derive(Debug, Default)]
struct Lines {
    begun: Option<Instant>,
    count: u32,
}

impl Refused {
    /// A name that is nobody's, of bounded length.
    pub(super) fn unknown(name: &[u8]) -> Self {
        let name = String::from_utf8_lossy(name);
        let mut short: String = name.chars().take(LONGEST_NAME).collect();
        if short.len() < name.len() {
            short.push('…');
        }
        Self::Unknown(short)
    }

    const fn is_slave(&self) -> bool {
        matches!(self, Self::Slave(_))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slave(name) => write!(f, "slave {:?}", name.as_str()),
            Self::User(name) => write!(f, "user {name:?}"),
            Self::Unknown(name) => {
                let escaped = name.escape_debug();
                let short: String = escaped.take(2 * LONGEST_NAME).collect();
                write!(f, "unknown user \"{short}\"")
            }
            Self::Nameless => f.write_str("a connection"),
        }
    }
}

impl Refusals {
    /// Nobody was refused yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Somebody was refused. `address` may have a port.
    pub fn note(&self, who: Refused, address: &str, why: &str) {
        self.noted.add(1);
        let now = Instant::now();
        let host: Box<str> = match address.parse::<std::net::SocketAddr>() {
            Ok(address) => address.ip().to_string().into(),
            Err(_) => address.into(),
        };
        let line = format!("{who} from {host}: {why}");
        let mut kept = self.lock();
        match kept.note((who, host, why.into()), now) {
            Logged::Line { before: 0 } => info!("login rejected: {line}"),
            Logged::Line { before } => {
                info!(
                    "login rejected: {line} (and {before} times before, since the last such line)"
                );
            }
            Logged::Folded => {
                kept.folded += 1;
                self.folded.notify_one();
            }
        }
    }

    /// How many connections were refused since the start of the program.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.noted.get()
    }

    /// A slave is attached: its refusals are over.
    pub fn forget(&self, slave: &SlaveName) {
        let is_another = |who: &Refused| match who {
            Refused::Slave(name) => name != slave,
            // It came to a port where it is not known.
            Refused::Unknown(name) => name != slave.as_str(),
            Refused::User(_) | Refused::Nameless => true,
        };
        self.lock().entries.retain(|(who, ..), _| is_another(who));
    }

    /// What is known of slaves, and of those who may be slaves; the latest first. `wall` is the
    /// time now.
    #[must_use]
    pub fn list(&self, wall: Timestamp) -> Vec<Refusal> {
        let kept = self.lock();
        let mut entries: Vec<_> = kept.entries.iter().collect();
        entries.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.last));
        let time = |at: Instant| {
            let micros = i64::try_from(at.elapsed().as_micros()).unwrap_or(i64::MAX);
            Timestamp(wall.0.saturating_sub(micros))
        };
        let listed = entries
            .into_iter()
            .filter_map(|((who, address, why), entry)| {
                let name = match who {
                    Refused::Slave(name) => Some(name.as_str().to_owned()),
                    Refused::Unknown(name) => Some(name.clone()),
                    Refused::Nameless => None,
                    Refused::User(_) => return None,
                };
                Some(Refusal {
                    name,
                    address: address.to_string(),
                    why: why.to_string(),
                    first_at: time(entry.first),
                    last_at: time(entry.last),
                    times: entry.times,
                })
            });
        listed.collect()
    }

    /// Logs from time to time how many refusals were left out of the log, until the tasks stop.
    pub async fn log_folded(self: Arc<Self>, tasks: Tasks) {
        let mut stopping = std::pin::pin!(tasks.stopping());
        loop {
            tokio::select! {
                biased;
                () = &mut stopping => return,
                () = self.folded.notified() => {}
            }
            tokio::select! {
                biased;
                () = &mut stopping => {}
                () = sleep(WINDOW) => {}
            }
            let count = std::mem::take(&mut self.lock().folded);
            if count > 0 {
                info!("{count} more connections were rejected in the last minute");
            }
        }
    }

    /// No code panics while it holds the lock, and the value is whole at every point.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the log says of a refusal.
#[derive(Debug, Eq, PartialEq)]
enum Logged {
    /// A line, and how many refusals of this kind there were since the last one.
    Line { before: u64 },
    /// Nothing now.
    Folded,
}

impl Kept {
    fn note(&mut self, key: Key, now: Instant) -> Logged {
        if !self.entries.contains_key(&key) {
            self.make_room(&key.0);
        }
        let is_slave = key.0.is_slave();
        let entry = self.entries.entry(key).or_insert(Entry {
            first: now,
            last: now,
            times: 0,
            logged: None,
            unlogged: 0,
        });
        entry.last = now;
        entry.times += 1;
        let (lines, most) = match is_slave {
            true => (&mut self.slaves, LINES_OF_SLAVES),
            false => (&mut self.others, LINES_OF_OTHERS),
        };
        let is_due = entry.logged.is_none_or(|logged| now >= logged + WINDOW);
        if !is_due || !lines.take(now, most) {
            entry.unlogged += 1;
            return Logged::Folded;
        }
        entry.logged = Some(now);
        let before = std::mem::take(&mut entry.unlogged);
        Logged::Line { before }
    }

    /// Forgets what happened the longest ago, if there is no room for another entry about `who`.
    fn make_room(&mut self, who: &Refused) {
        let of_same = |key: &Key| key.0 == *who;
        let of_kind = |key: &Key| key.0.is_slave() == who.is_slave();
        if who.is_slave() {
            self.forget_oldest(PER_SLAVE, of_same);
        }
        let most = match who.is_slave() {
            true => OF_SLAVES,
            false => OF_OTHERS,
        };
        self.forget_oldest(most, of_kind);
    }

    fn forget_oldest(&mut self, most: usize, is_in: impl Fn(&Key) -> bool) {
        let group = || self.entries.iter().filter(|(key, _)| is_in(key));
        if group().count() < most {
            return;
        }
        let oldest = group().min_by_key(|(_, entry)| entry.last);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.entries.remove(&key);
        }
    }
}

impl Lines {
    /// Whether another line may be logged.
    fn take(&mut self, now: Instant, most: u32) -> bool {
        if self.begun.is_none_or(|begun| now >= begun + WINDOW) {
            self.begun = Some(now);
            self.count = 0;
        }
        self.count += 1;
        self.count <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Logged = Logged::Line { before: 0 };

    fn key(who: Refused, address: &str) -> Key {
        (who, address.into(), "wrong password".into())
    }

    #[test]
    fn a_refusal_is_logged_once_a_minute_with_the_count_of_those_between() {
        let mut kept = Kept::default();
        let mut now = Instant::now();
        let bot = || key(Refused::Slave("bot".into()), "10.0.0.1");
        assert_eq!(kept.note(bot(), now), LINE);
        for _ in 0..9 {
            assert_eq!(kept.note(bot(), now), Logged::Folded);
        }
        now += WINDOW;
        assert_eq!(kept.note(bot(), now), Logged::Line { before: 9 });
        assert_eq!(kept.entries[&bot()].times, 11);
    }

    #[test]
    fn strangers_fill_neither_log_nor_memory_and_hide_no_slave() {
        let mut kept = Kept::default();
        let mut now = Instant::now();
        let mut lines = 0;
        for n in 0..10_000 {
            let who = Refused::unknown(n.to_string().as_bytes());
            lines += u32::from(kept.note(key(who, "10.0.0.1"), now) == LINE);
        }
        assert_eq!((lines, kept.entries.len()), (LINES_OF_OTHERS, OF_OTHERS));
        let bot = key(Refused::Slave("bot".into()), "10.0.0.1");
        assert_eq!(kept.note(bot, now), LINE);
        for n in 0..99 {
            let bot = key(Refused::Slave("bot".into()), &n.to_string());
            kept.note(bot, now);
        }
        for n in 0..OF_SLAVES {
            let slave = format!("slave-{n}");
            kept.note(key(Refused::Slave(slave.as_str().into()), ""), now);
        }
        assert_eq!(kept.entries.len(), OF_OTHERS + OF_SLAVES);
        now += WINDOW;
        let who = Refused::unknown(b"x");
        assert_eq!(kept.note(key(who, ""), now), LINE);
    }

    #[test]
    fn names_that_are_nobodys_are_cut() {
        let long = Refused::unknown(&[0xff; 256]).to_string();
        assert!(long.chars().count() < 3 * LONGEST_NAME, "{long}");
        assert!(long.ends_with("…\""), "{long}");
        let hostile = Refused::unknown("\u{1b}[2J\n\u{202e}".repeat(9).as_bytes()).to_string();
        assert!(!hostile.contains(['\u{1b}', '\n', '\u{202e}']), "{hostile}");
        assert!(hostile.chars().count() < 3 * LONGEST_NAME, "{hostile}");
        assert_eq!(Refused::unknown(b"bob").to_string(), "unknown user \"bob\"");
    }

    #[tokio::test(start_paused = true)]
    async fn the_list_has_slaves_and_strangers_but_no_users_and_slaves_that_have_attached() {
        let refusals = Refusals::new();
        refusals.note(
            Refused::Slave("bot".into()),
            "10.0.0.1:4711",
            "wrong password",
        );
        refusals.note(
            Refused::Slave("bot".into()),
            "10.0.0.1:4712",
            "wrong password",
        );
        tokio::time::advance(Duration::from_secs(10)).await;
        refusals.note(Refused::Nameless, "unix", "it speaks TLS");
        refusals.note(Refused::User("alice".to_owned()), "unix", "wrong password");
        let list = refusals.list(Timestamp::from_secs(100));
        let bot = Refusal {
            name: Some("bot".to_owned()),
            address: "10.0.0.1".to_owned(),
            why: "wrong password".to_owned(),
            first_at: Timestamp::from_secs(90),
            last_at: Timestamp::from_secs(90),
            times: 2,
        };
        assert_eq!((list.len(), &list[1]), (2, &bot));
        assert_eq!((list[0].name.as_deref(), list[0].times), (None, 1));
        refusals.note(Refused::unknown(b"bot"), "unix", "not on this port");
        refusals.forget(&"bot".into());
        assert_eq!(refusals.list(Timestamp::from_secs(100)).len(), 1);
    }
}
