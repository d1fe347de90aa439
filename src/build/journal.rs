//! Where a build's steps and logs are remembered, and who hears of it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{
    BuildId, BuilderName, ComparedTests, Op, Patch, PatchBody, TestHash, TestName, TestTable,
    Timestamp,
};
use crate::store::{State, StoreError, Writer};

/// Takes the ops of a running build, in order. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    state: Writer,
    told: Arc<dyn Fn(Op) + Send + Sync>,
}

impl Journal {
    /// Remembers ops in the state; `told` hears of each, and must not wait.
    pub fn new(state: Writer, told: impl Fn(Op) + Send + Sync + 'static) -> Self {
        Self {
            state,
            told: Arc::new(told),
        }
    }

    /// Hands in `ops`; waits while the state is far behind.
    pub(super) async fn write(&self, ops: Vec<Op>) {
        let told = ops.clone();
        self.state.write(None, ops).await;
        told.into_iter().for_each(|op| (self.told)(op));
    }

    /// Compares the tests of a step of a build with the last outcomes of its line, on a thread that
    /// may block. Answers also with the hashes whose names the state does not have.
    pub(super) async fn compare_tests(
        &self,
        (build, step): (BuildId, String),
        table: TestTable,
        is_complete: bool,
    ) -> Result<(ComparedTests, Vec<TestHash>), StoreError> {
        let look = move |state: &State| state.compare_tests(build, &step, &table, is_complete);
        self.state.reader().read(look).await
    }

    /// Whether all these tests of a builder are in quarantine (FLK-07). If that cannot be found
    /// out, they are not.
    pub(super) async fn are_in_quarantine(
        &self,
        builder: BuilderName,
        tests: Vec<TestName>,
        now: Timestamp,
    ) -> bool {
        let look = move |state: &State| {
            for test in &tests {
                if state.quarantine_of(test, &builder, now)?.is_none() {
                    return Ok::<_, StoreError>(false);
                }
            }
            Ok(true)
        };
        let found = self.state.reader().read(look).await;
        found.unwrap_or_else(|error| {
            tracing::warn!("cannot read which tests are in quarantine: {error}");
            false
        })
    }

    /// The diff of `patch`, which the state has.
    pub(super) async fn diff(&self, patch: &Patch) -> Result<Bytes, String> {
        let set = match &patch.body {
            PatchBody::Given(diff) => return Ok(diff.clone()),
            PatchBody::Kept(set) => *set,
        };
        let unreadable =
            |error: &dyn fmt::Display| format!("cannot read the patch of the build: {error}");
        let diff = self.state.reader().read(move |state| state.diff(set)).await;
        let diff = diff.map_err(|error: StoreError| unreadable(&error))?;
        diff.filter(|diff| !diff.is_empty())
            .map(Bytes::from)
            .ok_or_else(|| unreadable(&format!("the state has no patch of build set {set}")))
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}
