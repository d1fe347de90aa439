//! The program under the three names that it is called by, as an installation has it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The directory with `buildmaster`, `buildbot` and `buildslave`.
pub(crate) fn programs() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
        fs::create_dir_all(&dir).expect("a directory for the links");
        for name in ["buildmaster", "buildbot", "buildslave"] {
            let link = dir.join(name);
            // Of an earlier run.
            fs::remove_file(&link).ok();
            symlink(env!("CARGO_BIN_EXE_buildmaster"), link).expect("a link to the program");
        }
        dir
    })
}

/// One of them.
pub(crate) fn program(name: &str) -> PathBuf {
    programs().join(name)
}
