//! What a slave needs to know.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};

use super::host::{Host, LocalHost};
use crate::process::Environment;

/// What a slave needs to know, beside where its master is.
#[derive(Clone)]
pub struct Settings {
    /// The name it logs in with.
    pub name: String,
    /// The password it logs in with; never shown.
    pub password: String,
    /// Where its builders' directories and its `info` directory are.
    pub base_dir: PathBuf,
    /// How often it tells the master that it lives; `None`: never.
    pub keepalive: Option<Duration>,
    /// The longest wait between two attempts to connect.
    pub max_delay: Duration,
    /// Whether commands run on a pseudo terminal when their master leaves it to the slave.
    pub use_pty: bool,
    /// The environment that commands start from, as it is at their start.
    pub environment: watch::Receiver<Arc<Environment>>,
    /// The program that runs a command on a pseudo terminal: one whose `main` calls
    /// [`super::pty::maybe_exec`] first. Normally this very program.
    pub pty_helper: PathBuf,
    /// The machine that it runs on.
    pub host: Arc<dyn Host>,
}

impl Settings {
    /// Settings with the defaults of `buildslave create-slave` and this process's environment.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        password: impl Into<String>,
        base_dir: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
            base_dir: base_dir.into(),
            keepalive: Some(DEFAULT_KEEPALIVE),
            max_delay: DEFAULT_MAX_DELAY,
            use_pty: false,
            environment: watch::channel(Arc::new(own_environment())).1,
            pty_helper: super::pty::this_program(),
            host: Arc::new(LocalHost),
        }
    }
}

/// This process's environment, without what only a process that starts an instance of a slave is to
/// know: commands print their environment in logs, and what they leave running is not part of the
/// start.
#[must_use]
pub fn own_environment() -> Environment {
    let own = std::env::vars_os();
    own.filter(|(name, _)| name != PASSWORD_VARIABLE && name != INSTANCE_VARIABLE)
        .collect()
}

/// The variable in which a master tells an instance of a latent slave its password.
pub const PASSWORD_VARIABLE: &str = "SLAVE_PASSWORD";
/// The variable by which a master knows what belongs to the start of an instance.
pub const INSTANCE_VARIABLE: &str = "BUILDMASTER_INSTANCE";

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("base_dir", &self.base_dir)
            .finish_non_exhaustive()
    }
}

/// How a slave reaches its master.
#[derive(Clone, Debug)]
pub enum Connector {
    /// Over the network.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Inside one process: for each connection the master's end of a stream is handed over.
    Memory(mpsc::Sender<DuplexStream>),
}

impl fmt::Display for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Memory(_) => write!(f, "the master of this process"),
        }
    }
}

/// Seconds between keepalives, as `buildslave create-slave` writes it.
pub(super) const DEFAULT_KEEPALIVE: Duration = Duration::from_secs(600);
/// The longest wait between two attempts to connect, likewise.
pub(super) const DEFAULT_MAX_DELAY: Duration = Duration::from_secs(300);
