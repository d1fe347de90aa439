//! What the subcommands of `buildbot` find around them: the directory, the options file, a runtime.

use std::io;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::complain;
use crate::client::{Failed, OptionsFile};
use crate::net::Tasks;
use crate::platform;

pub(super) fn current_dir() -> Result<PathBuf, Failed> {
    std::env::current_dir().map_err(|e| Failed::Usage(e.to_string()))
}

pub(super) fn find_options(here: &Path) -> Result<OptionsFile, Failed> {
    let home = std::env::home_dir();
    let uid = platform::this_user();
    let options = OptionsFile::find(here, home.as_deref(), uid, &mut io::stderr())
        .map_err(|e| Failed::Usage(e.to_string()))?;
    let path = options.path.clone().unwrap_or_default();
    for (name, meant) in options.mistyped() {
        let path = path.display();
        complain(&format!(
            "buildbot: {path}: '{name}' is not an option; did you mean '{meant}'?"
        ));
    }
    Ok(options)
}

pub(super) fn block_on<T>(work: impl AsyncFnOnce(Tasks) -> Result<T, Failed>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failed::NotDone(e.to_string()))?;
    let tasks = Tasks::new(TaskTracker::new(), CancellationToken::new());
    let done = runtime.block_on(work(tasks));
    // Nobody waits for an address that is still being looked up.
    runtime.shutdown_background();
    done
}
