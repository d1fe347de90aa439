//! The settings of a slave, without the address of its master.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};

use super::host::{Host, LocalHost};
use crate::platform;
use crate::process::{Environment, pty};

/// The settings of a slave.
#[derive(Clone)]
pub struct Settings {
    /// The login name.
    pub name: String,
    /// The login password; never shown.
    pub password: String,
    /// The directory of the builders' directories and the `info` directory.
    pub base_dir: PathBuf,
    /// The interval of keepalives; `None`: never.
    pub keepalive: Option<Duration>,
    /// The longest wait between two attempts to connect.
    pub max_delay: Duration,
    /// Whether commands run on a pseudo terminal when their master leaves it to the slave.
    pub use_pty: bool,
    /// The environment that commands inherit, as it is at their start.
    pub environment: watch::Receiver<Arc<Environment>>,
    /// The program that runs a command on a pseudo terminal: one whose `main` calls
    /// [`pty::maybe_exec`] first. Normally this very program.
    pub pty_helper: PathBuf,
    /// The machine of the slave.
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
            pty_helper: pty::this_program(),
            host: Arc::new(LocalHost),
        }
    }
}

/// This process's environment, without the variables for the start of a latent slave's instance:
/// commands print their environment in logs, and processes that they leave behind are not part of
/// the start.
#[must_use]
pub fn own_environment() -> Environment {
    let own = std::env::vars_os();
    own.filter(|(name, _)| name != PASSWORD_VARIABLE && name != INSTANCE_VARIABLE)
        .map(|(name, value)| (platform::variable(name), value))
        .collect()
}

/// The variable with the password of a latent slave's instance.
pub const PASSWORD_VARIABLE: &str = "SLAVE_PASSWORD";
/// The variable by which a master recognizes the processes of an instance's start.
pub const INSTANCE_VARIABLE: &str = "BUILDMASTER_INSTANCE";

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("base_dir", &self.base_dir)
            .finish_non_exhaustive()
    }
}

/// How a slave connects to its master.
#[derive(Clone, Debug)]
pub enum Connector {
    /// Over the network.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Inside one process: for each connection, the slave sends the master's end of a stream.
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
