//! What the master does about tests and steps that may be flaky: it builds a point again that makes
//! them suspect (FLK-04), and puts tests in quarantine that are proved to be so (FLK-07).

use tracing::{info, warn};

use super::Searcher;
use crate::model::{Op, QuarantineOp};
use crate::store::State;
use crate::view::{new_quarantine, searches_of_suspects};

impl Searcher {
    /// Builds again what is suspect, in the manner of searches.
    pub(super) async fn look_at_suspects(&mut self) -> Result<(), String> {
        let config = self.control.config();
        if !config.search.automatic {
            return Ok(());
        }
        let now = self.control.clock().wall();
        let look = move |state: &State| searches_of_suspects(state, &config, now);
        let suspects = self.control.reader().read(look).await;
        for record in suspects.map_err(|error| error.to_string())? {
            let (builder, step) = (record.builder.clone(), record.step.clone());
            let number = self.control.begin_search(record).await?;
            let step = step.unwrap_or_default();
            info!(search = %number, %builder, step, "what may be flaky is built once more");
        }
        Ok(())
    }

    /// Puts tests in quarantine, if the configuration says so.
    pub(super) async fn quarantine(&mut self) -> Result<(), String> {
        let config = self.control.config();
        if !config.quarantine.auto_quarantine {
            return Ok(());
        }
        let now = self.control.clock().wall();
        let look = move |state: &State| new_quarantine(state, &config, now);
        let found = self.control.reader().read(look).await;
        let (new, unowned) = found.map_err(|error| error.to_string())?;
        if let Some(test) = unowned
            && self.unowned.insert(test.clone())
        {
            let why = "see [[owners]], or give somebody the role sheriff or operator";
            warn!(
                test,
                "a flaky test is not put in quarantine, as it has no owner: {why}"
            );
        }
        let mut ops = Vec::new();
        for one in new {
            let builder = one.builder.clone().unwrap_or_default();
            let (test, owner) = (one.test.shown(), one.owner.clone());
            info!(%builder, test, owner, "a flaky test is in quarantine");
            ops.push(Op::Quarantine(Box::new(QuarantineOp::Begun(one))));
        }
        if !ops.is_empty() {
            self.control.writer().write_and_wait(ops).await;
        }
        Ok(())
    }
}
