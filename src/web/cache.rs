//! Pages that were rendered, kept compressed for as long as nothing changes.
//!
//! Invariants: a page is sent from here only if the state was not written, the core has handled no
//! batch and the configuration is the same since it was asked for, and if no time on it is too old.
//! Many who ask for one page at once wait for one rendering. The memory is limited.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::model::Timestamp;

/// What a rendered page depends on, beside its address and its reader.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Version {
    /// How often the state was written.
    pub(super) commits: u64,
    /// How many batches the core has handled.
    pub(super) batch: u64,
    /// How often the master was configured.
    pub(super) configuration: u64,
}

/// A page as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Rendered {
    /// The status of the answer.
    pub(super) status: StatusCode,
    /// Its entity tag, with the quotes.
    pub(super) etag: String,
    /// The page.
    pub(super) html: Bytes,
    /// The page, compressed by gzip.
    pub(super) gzip: Bytes,
    /// Whether something on it runs.
    pub(super) runs: bool,
    /// Whether it is kept.
    pub(super) kept: bool,
    /// After how many seconds a reader without script loads it again.
    pub(super) refresh: Option<u64>,
    /// When it was made.
    pub(super) at: Timestamp,
    /// A cookie to set.
    pub(super) cookie: Option<(&'static str, &'static str)>,
}

/// A page that is being rendered, or was.
pub(super) type Slot = Arc<OnceCell<Rendered>>;

/// The pages.
#[derive(Debug, Default)]
pub(super) struct Cache {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    by_key: BTreeMap<String, (Version, Slot)>,
    /// The keys, those that were added first at the front.
    order: VecDeque<String>,
}

/// Maximum number of pages.
const MOST_PAGES: usize = 256;

/// A page larger than this is not kept, in bytes compressed.
const LARGEST: usize = 256 * 1024;

/// How old a page may be on which something runs.
const FRESH_WHILE_RUNNING: Duration = Duration::from_secs(15);

/// How old any page may be.
const FRESH: Duration = Duration::from_secs(60);

impl Rendered {
    /// Whether the times on it are still right at `now`.
    fn is_fresh(&self, now: Timestamp) -> bool {
        let longest = if self.runs {
            FRESH_WHILE_RUNNING
        } else {
            FRESH
        };
        // A clock that was set back makes every page too old.
        self.at <= now && now.since(self.at) < longest
    }
}

impl Cache {
    /// The place of the page `key` of this version: rendered already, being rendered, or empty.
    pub(super) fn slot(&self, key: &str, version: Version, now: Timestamp) -> Slot {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((kept, slot)) = pages.by_key.get(key)
            && *kept == version
            && slot
                .get()
                .is_none_or(|page| page.is_fresh(now) && page.gzip.len() <= LARGEST)
        {
            return Arc::clone(slot);
        }
        let slot = Slot::default();
        let before = pages
            .by_key
            .insert(key.to_owned(), (version, Arc::clone(&slot)));
        if before.is_none() {
            pages.order.push_back(key.to_owned());
            if pages.order.len() > MOST_PAGES
                && let Some(oldest) = pages.order.pop_front()
            {
                pages.by_key.remove(&oldest);
            }
        }
        slot
    }

    /// Gives up a page, unless another version has taken its place.
    pub(super) fn forget(&self, key: &str, slot: &Slot) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, kept)) = pages.by_key.get(key)
            && Arc::ptr_eq(kept, slot)
        {
            pages.by_key.remove(key);
            pages.order.retain(|known| known != key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn fill(slot: &Slot, runs: bool) {
        let page = Rendered {
            status: StatusCode::OK,
            etag: String::new(),
            html: Bytes::new(),
            gzip: Bytes::new(),
            runs,
            kept: true,
            refresh: None,
            at: NOW,
            cookie: None,
        };
        slot.set(page).unwrap();
    }

    #[test]
    fn a_page_is_kept_until_something_changes() {
        let cache = Cache::default();
        let version = Version::default();
        fill(&cache.slot("/", version, NOW), false);
        assert!(cache.slot("/", version, NOW).get().is_some());
        assert!(cache.slot("/other", version, NOW).get().is_none());
        let later = Version {
            commits: 1,
            ..version
        };
        assert!(cache.slot("/", later, NOW).get().is_none());
    }

    #[test]
    fn a_page_on_which_something_runs_is_made_anew_each_quarter_of_a_minute() {
        let cache = Cache::default();
        let version = Version::default();
        fill(&cache.slot("/run", version, NOW), true);
        fill(&cache.slot("/idle", version, NOW), false);
        let later = NOW + Duration::from_secs(15);
        assert!(cache.slot("/run", version, later).get().is_none());
        assert!(cache.slot("/idle", version, later).get().is_some());
        let later = NOW + Duration::from_secs(60);
        assert!(cache.slot("/idle", version, later).get().is_none());
    }

    #[test]
    fn a_page_that_is_given_up_is_made_anew() {
        let cache = Cache::default();
        let version = Version::default();
        let slot = cache.slot("/", version, NOW);
        fill(&slot, true);
        cache.forget("/other", &slot);
        assert!(cache.slot("/", version, NOW).get().is_some());
        cache.forget("/", &slot);
        assert!(cache.pages.lock().unwrap().order.is_empty());
        assert!(cache.slot("/", version, NOW).get().is_none());
        cache.forget("/", &slot);
        assert_eq!(cache.pages.lock().unwrap().by_key.len(), 1);
    }

    #[test]
    fn of_many_pages_the_first_ones_are_given_up() {
        let cache = Cache::default();
        let version = Version::default();
        fill(&cache.slot("0", version, NOW), false);
        for page in 1..=MOST_PAGES {
            cache.slot(&page.to_string(), version, NOW);
        }
        assert_eq!(cache.pages.lock().unwrap().by_key.len(), MOST_PAGES);
        assert!(cache.slot("0", version, NOW).get().is_none());
    }
}
