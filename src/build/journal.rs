//! Where a build's steps and logs are remembered.

use tokio::sync::mpsc;

use crate::model::Op;
use crate::store::Writer;

/// Takes the ops of a running build, in order.
#[derive(Clone, Debug)]
pub enum Journal {
    /// The state.
    State(Writer),
    /// Somebody who watches.
    Watched(mpsc::UnboundedSender<Op>),
}

impl Journal {
    /// Hands in `ops`; waits while the state is far behind.
    pub(super) async fn write(&self, ops: Vec<Op>) {
        match self {
            Self::State(writer) => writer.write(None, ops).await,
            Self::Watched(watcher) => {
                for op in ops {
                    // Who has stopped watching does not stop the build.
                    drop(watcher.send(op));
                }
            }
        }
    }
}
