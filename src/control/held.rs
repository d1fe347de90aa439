//! Pull requests of hooks that wait for an approval (POL-13).
//!
//! Invariant: the cursor of a hook is read and replaced by one caller at a time.

use super::Control;
use crate::model::{Delivery, HeldPull, HeldPulls, Holding, Offer, OfferAnswer, SourceName};

impl Control {
    /// Keeps a pull request that the hook `source` has brought until somebody approves it. Returns
    /// when that is on disk; nothing if a filter of the source drops its change.
    ///
    /// # Errors
    /// It cannot be kept now. The sender tries again.
    pub async fn hold(
        &self,
        source: &SourceName,
        delivery: Option<Delivery>,
        pull: HeldPull,
    ) -> Result<Option<Holding>, String> {
        let changes = pull.change.iter().map(|change| (**change).clone());
        let mut offer = Offer {
            source: source.clone(),
            delivery,
            changes: changes.collect(),
            ..Offer::default()
        };
        if self.prepare(&mut offer) > 0 {
            return Ok(None);
        }
        let _turn = self.held.lock().await;
        let mut held = self.held_pulls(source).await?;
        let holding = held.hold(pull);
        if holding == Holding::Waits {
            offer.changes.clear();
            offer.cursor = Some(held.cursor());
            if let OfferAnswer::Redelivered = self.offer(offer).await?.answer().await? {
                return Ok(Some(Holding::Waited));
            }
        }
        Ok(Some(holding))
    }

    /// Forgets a pull request that was closed.
    ///
    /// # Errors
    /// The state cannot be read or written.
    pub async fn forget_pull(
        &self,
        source: &SourceName,
        repository: &str,
        number: u64,
    ) -> Result<(), String> {
        let _turn = self.held.lock().await;
        let mut held = self.held_pulls(source).await?;
        if held.forget(repository, number) {
            let offer = Offer {
                source: source.clone(),
                cursor: Some(held.cursor()),
                ..Offer::default()
            };
            self.offer(offer).await?.answer().await?;
        }
        Ok(())
    }

    /// Has a pull request built that the hook `source` keeps. Returns when its change is on disk.
    pub(super) async fn approve_held(
        &self,
        source: &SourceName,
        number: u64,
        head: &str,
    ) -> Result<(), String> {
        let _turn = self.held.lock().await;
        let mut held = self.held_pulls(source).await?;
        let change = held.approve(number, head)?;
        let offer = Offer {
            source: source.clone(),
            cursor: Some(held.cursor()),
            changes: vec![change],
            ..Offer::default()
        };
        self.offer(offer).await?.answer().await?;
        Ok(())
    }

    async fn held_pulls(&self, source: &SourceName) -> Result<HeldPulls, String> {
        let cursor = self.source_cursor(source).await;
        let cursor = cursor.map_err(|error| error.to_string())?;
        Ok(HeldPulls::parse(cursor.as_deref()))
    }
}
