//! Sends try clients the estimated time until a build or step ends (section 19).
//!
//! An overdue build has a negative time, as under Buildbot: each client shows it in its own way.

use tokio::time::Instant;

use super::tracked::BuildKey;
use super::{Client, Thing};
use crate::pb::{Luid, Value};
use crate::view::Left;

impl Client {
    pub(super) async fn tell_etas(&mut self) {
        let due = self.watched_builds.take_due(Instant::now());
        for (build, observer) in due {
            self.tell_eta(build, observer).await;
        }
    }

    pub(super) async fn tell_eta(&mut self, key: BuildKey, observer: Luid) {
        let Some(seconds) = self.eta(key).await else {
            return;
        };
        let Some(builder) = self.tracked.build(key).map(|b| b.builder.clone()) else {
            return;
        };
        let args = vec![
            self.text(builder.as_str()),
            self.value_of(Thing::Build(key)),
            Value::Float(seconds),
        ];
        self.send(observer, "buildETAUpdate", args);
    }

    /// Estimated remaining time of the build in seconds; absent if unknown.
    pub(super) async fn eta(&mut self, key: BuildKey) -> Option<f64> {
        Some(self.left(key).await?.build?.0)
    }

    /// Estimated remaining time of the step in seconds; absent if unknown.
    pub(super) async fn step_eta(&mut self, key: BuildKey, index: usize) -> Option<f64> {
        let left = self.left(key).await?;
        Some((*left.steps.get(index)?)?.0)
    }

    /// Estimates for a running build and its steps.
    async fn left(&self, key: BuildKey) -> Option<Left> {
        let followed = self.tracked.build(key).filter(|build| !build.is_over)?;
        let build = followed.build.as_ref()?;
        Some(self.history.left(build, self.control.clock().wall()).await)
    }

    /// Actual and expected output of a step: name, bytes so far, expected bytes at the end.
    pub(super) async fn step_expectations(&self, key: BuildKey, index: usize) -> Value {
        let build = self.tracked.build(key).and_then(|b| b.build.as_ref());
        match build {
            Some(build) => self.history.expectations(self.style, build, index).await,
            None => Value::List(Vec::new()),
        }
    }
}
