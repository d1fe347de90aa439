//! Where a build's steps and logs are remembered, and who hears of it.

use std::fmt;
use std::sync::Arc;

use crate::model::Op;
use crate::store::Writer;

/// Takes the ops of a running build, in order. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    /// Absent where nothing is to be remembered.
    state: Option<Writer>,
    told: Arc<dyn Fn(Op) + Send + Sync>,
}

impl Journal {
    /// Remembers ops in the state; `told` hears of each, and must not wait.
    pub fn new(state: Writer, told: impl Fn(Op) + Send + Sync + 'static) -> Self {
        Self {
            state: Some(state),
            told: Arc::new(told),
        }
    }

    /// Only tells.
    pub fn watched(told: impl Fn(Op) + Send + Sync + 'static) -> Self {
        Self {
            state: None,
            told: Arc::new(told),
        }
    }

    /// Hands in `ops`; waits while the state is far behind.
    pub(super) async fn write(&self, ops: Vec<Op>) {
        let Some(state) = &self.state else {
            ops.into_iter().for_each(|op| (self.told)(op));
            return;
        };
        let told = ops.clone();
        state.write(None, ops).await;
        told.into_iter().for_each(|op| (self.told)(op));
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}
