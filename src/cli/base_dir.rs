//! Which master a verb is about: one rule for all of them.
//!
//! Every verb takes `--basedir DIR`. A verb that needs nothing else may be given DIR alone, as with
//! Buildbot. Without either it is the directory that the environment variable BUILDMASTER_BASEDIR
//! names, or else the current one.

use std::path::{Path, PathBuf};

/// The environment variable that names a base directory.
const VARIABLE: &str = "BUILDMASTER_BASEDIR";

/// Which master, for the verbs that have arguments of their own.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Master {
    /// The master's base directory [default: $BUILDMASTER_BASEDIR, or the current directory]
    #[arg(long, value_name = "DIR", default_value_os_t = default_basedir(), hide_default_value = true)]
    pub(super) basedir: PathBuf,
}

/// Which master, for the verbs that need nothing else.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct BaseDir {
    /// The master's base directory [default: $BUILDMASTER_BASEDIR, or the current directory]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The master's base directory, as for the verbs with other arguments
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
    /// The directory.
    pub(super) fn path(&self) -> &Path {
        self.dir.as_deref().unwrap_or(&self.basedir)
    }
}

/// The base directory where a command line names none.
pub(super) fn default_basedir() -> PathBuf {
    let named = std::env::var_os(VARIABLE).filter(|dir| !dir.is_empty());
    named.map_or_else(|| PathBuf::from("."), PathBuf::from)
}
