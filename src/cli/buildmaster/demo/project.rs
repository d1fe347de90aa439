//! The repository of the demonstration and the configuration of its master.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::model::Results;

/// A commit of the demonstration.
#[derive(Debug)]
pub(super) struct Commit {
    /// The commit message.
    pub(super) message: &'static str,
    /// The files with their contents.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// The expected result of the build.
    pub(super) expected: Results,
}

/// A git repository.
#[derive(Debug)]
pub(super) struct Project(PathBuf);

impl Project {
    /// Creates an empty repository.
    pub(super) fn create(path: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        let project = Self(path);
        project.git(&["init", "--quiet"])?;
        Ok(project)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a commit and returns its revision.
    pub(super) fn commit(&self, commit: &Commit) -> anyhow::Result<String> {
        for (name, contents) in commit.files {
            std::fs::write(self.0.join(name), contents)?;
        }
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", commit.message])?;
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    /// Runs git in the repository, independent of the user's settings.
    fn git(&self, args: &[&str]) -> anyhow::Result<String> {
        let done = Command::new("git")
            .arg("-C")
            .arg(&self.0)
            .args(["-c", "user.name=demo", "-c", "user.email=demo@example.org"])
            .args([
                "-c",
                "commit.gpgSign=false",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args(args)
            .output()
            .context("cannot run git; is it installed?")?;
        if !done.status.success() {
            bail!(
                "git {} failed: {}",
                args.join(" "),
                String::from_utf8_lossy(&done.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }
}

/// The configuration of a master that builds `repository` on a local slave.
pub(super) fn master_toml(repository: &Path) -> anyhow::Result<String> {
    let path = repository
        .to_str()
        .context("the name of the directory is not UTF-8")?;
    let repository = toml::Value::String(path.replace('%', "%%"));
    Ok(format!(
        r#"title = "Widget"
slave_port = "tcp:0:interface=127.0.0.1"      # any free port

[[slaves]]
name = "here"
type = "local"

[factories.check]
steps = [
  {{ type = "ShellCommand", name = "checkout", workdir = ".", halt_on_failure = true, description_done = ["checked out"],
    command = ["git", "clone", "--quiet", "--no-hardlinks", {repository}, "build-%(buildnumber)s"] }},
  {{ type = "ShellCommand", name = "update", workdir = "build-%(buildnumber)s", halt_on_failure = true,
    command = ["git", "checkout", "--quiet", "%(revision)s"] }},
  {{ type = "ShellCommand", name = "test", workdir = "build-%(buildnumber)s", command = ["sh", "test.sh"], description_done = ["tested"] }},
  {{ type = "ShellCommand", name = "clean up", workdir = ".", always_run = true, flunk_on_failure = false,
    command = ["rm", "-rf", "build-%(buildnumber)s"], description_done = ["cleaned up"] }},
]

[[builders]]
name = "check"
slaves = ["here"]
factory = "check"

[[schedulers]]
type = "Scheduler"
name = "quick"
builders = ["check"]
tree_stable_timer = "1s"

[[change_sources]]
type = "PB"
user = "change"
password_file = "secrets/change"
"#
    ))
}
