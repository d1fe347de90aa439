//! How a running command is asked to end.

use std::fmt;
use std::sync::Arc;

/// Asks a slave to interrupt a command, with the reason. What matters is how the command ends then,
/// so there is no answer. Cheap to clone.
#[derive(Clone)]
pub struct Interrupt(Arc<dyn Fn(&str) + Send + Sync>);

impl Interrupt {
    /// One that is asked for by `ask`.
    pub fn new(ask: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// Asks for it.
    pub fn ask(&self, why: &str) {
        (self.0)(why);
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupt")
    }
}
