//! How often one address may send (HKI-08).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts requests by address. Cheap to clone.
///
/// Invariant: the table is bounded, whatever is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    /// When the requests of an address so far would be over, had they come evenly.
    until: Arc<Mutex<BTreeMap<Option<IpAddr>, Until>>>,
}

#[derive(Clone, Copy, Debug)]
struct Until {
    at: Instant,
    /// Whether a request was refused since the last one that was not.
    is_over: bool,
}

/// The address has sent too much.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooOften {
    /// When the next request is taken.
    pub(super) wait: Duration,
    /// Whether it is the first one in a row.
    pub(super) is_first: bool,
}

/// Maximum number of addresses that are counted.
const MOST_ADDRESSES: usize = 4_096;

const MINUTE: Duration = Duration::from_secs(60);

impl Rate {
    /// Counts a request, if it is not more than the `per_minute` of its address.
    pub(super) fn take(
        &self,
        address: Option<IpAddr>,
        per_minute: u32,
        now: Instant,
    ) -> Result<(), TooOften> {
        let mut table = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= MOST_ADDRESSES && !table.contains_key(&address) {
            table.retain(|_, until| until.at > now);
            // All have sent something in the last minute: the one that sent least is forgotten.
            if table.len() >= MOST_ADDRESSES
                && let Some((&least, _)) = table.iter().min_by_key(|(_, until)| until.at)
            {
                table.remove(&least);
            }
        }
        let is_over = false;
        let until = table.entry(address).or_insert(Until { at: now, is_over });
        let next = until.at.max(now) + MINUTE / per_minute.max(1);
        let ahead = next - now;
        if ahead > MINUTE {
            let is_first = !std::mem::replace(&mut until.is_over, true);
            let wait = ahead - MINUTE;
            return Err(TooOften { wait, is_first });
        }
        *until = Until { at: next, is_over };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(n.into()))
    }

    #[tokio::test(start_paused = true)]
    async fn hki_08_an_address_sends_its_share_at_once_and_then_evenly() {
        let (rate, now) = (Rate::default(), Instant::now());
        let second = Duration::from_secs(1);
        for _ in 0..60 {
            assert_eq!(rate.take(address(1), 60, now), Ok(()));
        }
        let refused = |is_first| TooOften {
            wait: second,
            is_first,
        };
        assert_eq!(rate.take(address(1), 60, now), Err(refused(true)));
        assert_eq!(rate.take(address(1), 60, now), Err(refused(false)));
        assert_eq!(rate.take(address(2), 60, now), Ok(()), "another address");
        assert_eq!(rate.take(address(1), 60, now + second), Ok(()));
        assert_eq!(rate.take(address(1), 60, now + second), Err(refused(true)));
        let later = now + 2 * MINUTE;
        let taken = (0..100).filter(|_| rate.take(address(1), 60, later).is_ok());
        assert_eq!(taken.count(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn hki_08_the_table_of_addresses_is_bounded() {
        let (rate, now) = (Rate::default(), Instant::now());
        for n in 0..10_000 {
            assert_eq!(rate.take(address(n), 60, now), Ok(()));
        }
        let count = |rate: &Rate| {
            let table = rate.until.lock().unwrap_or_else(PoisonError::into_inner);
            table.len()
        };
        assert_eq!(count(&rate), MOST_ADDRESSES);
        assert_eq!(rate.take(address(10_000), 60, now + MINUTE), Ok(()));
        assert_eq!(count(&rate), 1);
    }
}
