//! The base directory of a verb: one rule for all verbs.
//!
//! Every verb accepts `--basedir DIR`. A verb without other arguments also accepts a plain DIR, as
//! in Buildbot. Without either, the base directory is the value of the environment variable
//! BUILDMASTER_BASEDIR, or else the current directory.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Name of the pid file in the base directory.
pub(super) const PID_FILE: &str = "buildmaster.pid";

/// The environment variable that names a base directory.
const VARIABLE: &str = "BUILDMASTER_BASEDIR";

/// The base directory, for verbs with other arguments.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Master {
    /// The master's base directory [default: $BUILDMASTER_BASEDIR, or the current directory]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value_os_t = default_basedir(),
        hide_default_value = true
    )]
    pub(super) basedir: PathBuf,
}

/// The base directory, for verbs without other arguments.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct BaseDir {
    /// The master's base directory [default: $BUILDMASTER_BASEDIR, or the current directory]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Base directory of the master, as an option
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "dir",
        default_value_os_t = default_basedir(),
        hide_default_value = true
    )]
    basedir: PathBuf,
}

impl BaseDir {
    /// The base directory that was given, or the default.
    pub(super) fn path(&self) -> &Path {
        self.dir.as_deref().unwrap_or(&self.basedir)
    }
}

/// The base directory if the command line names none.
pub(super) fn default_basedir() -> PathBuf {
    let named = std::env::var_os(VARIABLE).filter(|dir| !dir.is_empty());
    named.map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// Makes `dir`, which only its owner can enter.
///
/// # Errors
/// It cannot be made, or belongs to somebody else.
pub(super) fn private_dir(dir: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot create {}", dir.display()))?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
        .with_context(|| format!("cannot make {} private", dir.display()))
}
