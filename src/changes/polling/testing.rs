//! Repositories for tests, made by their own programs.

#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

/// A directory in which scripts run.
#[derive(Debug)]
pub(in crate::changes) struct Shell(tempfile::TempDir);

impl Shell {
    /// A directory, if all these programs are installed.
    pub(in crate::changes) fn with(programs: &[&str]) -> Option<Self> {
        for program in programs {
            if Command::new(program).arg("--version").output().is_err() {
                eprintln!("skipped: {program} is not installed");
                return None;
            }
        }
        Some(Self(tempfile::tempdir().unwrap()))
    }

    pub(in crate::changes) fn dir(&self) -> &Path {
        self.0.path()
    }

    /// Runs a script, which must succeed, and returns what it prints.
    pub(in crate::changes) fn run(&self, script: &str) -> String {
        let script = format!("set -e\n{script}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(self.dir());
        for (name, value) in [
            ("HOME", self.dir().to_str().unwrap()),
            ("GIT_AUTHOR_NAME", "me"),
            ("GIT_AUTHOR_EMAIL", "me@example.org"),
            ("GIT_COMMITTER_NAME", "me"),
            ("GIT_COMMITTER_EMAIL", "me@example.org"),
            ("BZR_EMAIL", "me <me@example.org>"),
            ("LC_ALL", "C.UTF-8"),
        ] {
            command.env(name, value);
        }
        let ended = command.output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{script}: {errors}");
        String::from_utf8(ended.stdout).unwrap()
    }
}
