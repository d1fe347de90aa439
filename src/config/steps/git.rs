//! The settings of `Git` (section 21).

use std::time::Duration;

use serde::Serialize;

use super::kind::{StepSettings, TIMEOUT};
use crate::config::env::Environment;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `Git` (section 21 of the semantics).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GitStepConfig {
    /// Where the repository is.
    pub repourl: Template,
    /// What is built when the source stamp names no branch; absent is the repository's own default.
    pub branch: Option<Template>,
    /// What is done with the tree of the last build (SRC-04).
    pub mode: GitMode,
    /// Whether the source stamp is ignored, its patch too (SRC-01).
    pub always_use_latest: bool,
    /// Whether submodules are checked out.
    pub submodules: bool,
    /// Whether only the latest revision is fetched, where no other is asked for.
    pub shallow: bool,
    /// Pause before a failed checkout is tried again, and how often it is (SRC-07).
    pub retry: Option<(Duration, u32)>,
    /// Longest time of a command without output: 20 min.
    pub timeout: Option<Duration>,
    /// Directory below the builder's: `build`.
    pub workdir: Template,
    /// Environment, over the builder's (BUI-16).
    pub env: Environment,
    /// Whether the environment is shown in the log: false.
    pub log_environ: bool,
}

/// What is done with the tree of the last build (SRC-04).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum GitMode {
    /// It is updated; what the last build left stays.
    #[default]
    Incremental,
    /// It is removed.
    Clobber,
    /// It is updated, and all files that are not in the repository are removed.
    Fresh,
    /// It is updated, and all files that are neither in the repository nor ignored by it are
    /// removed.
    Clean,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &[
    "repourl",
    "branch",
    "mode",
    "method",
    "always_use_latest",
    "submodules",
    "shallow",
    "retry",
    "timeout",
    "workdir",
    "env",
    "log_environ",
];

/// Most times that a failed checkout may be tried again.
const MOST_RETRIES: u32 = 1000;

impl Default for GitStepConfig {
    fn default() -> Self {
        Self {
            repourl: Template::literal(""),
            branch: None,
            mode: GitMode::Incremental,
            always_use_latest: false,
            submodules: false,
            shallow: false,
            retry: None,
            timeout: Some(TIMEOUT),
            workdir: Template::literal("build"),
            env: Environment::new(),
            log_environ: false,
        }
    }
}

impl StepSettings for GitStepConfig {
    fn takes_source(&self) -> bool {
        !self.always_use_latest
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        (!self.env.contains_key("PATH")).then_some(("Git", "git"))
    }
}

impl GitStepConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let repourl = table.require("repourl", "\"https://example.org/project.git\"");
        if let Some(repourl) = repourl.and_then(|v| v.template()) {
            self.repourl = repourl;
        }
        table.set_some("branch", &mut self.branch, Value::template);
        self.mode = read_mode(table);
        table.set(
            "always_use_latest",
            &mut self.always_use_latest,
            Value::flag,
        );
        table.set("submodules", &mut self.submodules, Value::flag);
        table.set("shallow", &mut self.shallow, Value::flag);
        table.set_some("retry", &mut self.retry, read_retry);
        table.set("timeout", &mut self.timeout, |v| {
            v.optional_duration(SHORTEST..=LONGEST)
        });
        table.set("workdir", &mut self.workdir, Value::template);
        table.set("env", &mut self.env, Value::environment);
        table.set("log_environ", &mut self.log_environ, Value::flag);
    }
}

/// `mode`, and `method` where that means something.
fn read_mode(table: &mut Table<'_>) -> GitMode {
    let mode = table.take("mode");
    match mode.and_then(|v| v.one_of(&["incremental", "full"])) {
        Some("full") => {
            let method = table.take("method");
            match method.and_then(|v| v.one_of(&["clobber", "fresh", "clean"])) {
                Some("clobber") => GitMode::Clobber,
                Some("clean") => GitMode::Clean,
                Some(_) | None => GitMode::Fresh,
            }
        }
        Some(_) | None => GitMode::Incremental,
    }
}

fn read_retry(value: &Value<'_>) -> Option<(Duration, u32)> {
    let entries = value.list()?;
    let [delay, count] = entries.as_slice() else {
        let help = "say how long to wait and how often to try again: `[\"10s\", 3]`";
        return value.expected("a list of two", help);
    };
    let delay = delay.duration(Duration::ZERO..=LONGEST);
    let count = count.integer(0..=MOST_RETRIES);
    delay.zip(count)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::parse;
    use crate::config::{StepConfig, StepKind};
    use crate::model::Zone;

    fn read_step(step: &str) -> Result<StepConfig, Vec<String>> {
        let text = format!(
            "title = \"t\"\ntitle_url = \"http://localhost/\"\nbuildbot_url = \"http://localhost/\"\n\
             slave_port = 9989\n\
             [factories.f]\nsteps = [{step}]\n\
             [[slaves]]\nname = \"s\"\npassword = \"p\"\n\
             [[builders]]\nname = \"b\"\nslaves = [\"s\"]\nfactory = \"f\"\n"
        );
        match parse(&text, "master.toml", &Ok(Zone::UTC)) {
            Ok((config, _)) => Ok(config.builders[0].factory.steps[0].clone()),
            Err(errors) => Err(errors.errors.iter().map(|e| e.message.clone()).collect()),
        }
    }

    fn git(settings: &str) -> GitStepConfig {
        let step = format!("{{ type = \"Git\", repourl = \"u\" {settings} }}");
        let step = read_step(&step).unwrap_or_else(|errors| panic!("{settings}: {errors:?}"));
        let StepKind::Git(git) = step.kind else {
            panic!("{step:?}");
        };
        *git
    }

    fn refused(settings: &str) -> String {
        let step = format!("{{ type = \"Git\", repourl = \"u\" {settings} }}");
        let errors = read_step(&step).expect_err(settings);
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors.concat()
    }

    #[test]
    fn a_git_step_has_its_defaults() {
        let step = read_step("{ type = \"Git\", repourl = \"u\" }").unwrap();
        assert_eq!(step.name, "git");
        assert!(step.halt_on_failure && step.flunk_on_failure && !step.warn_on_failure);
        assert_eq!(step.description, Some(vec![Template::literal("updating")]));
        assert_eq!(
            step.description_done,
            Some(vec![Template::literal("update")])
        );
        let git = git("");
        assert_eq!(git.mode, GitMode::Incremental);
        assert_eq!((git.branch, git.retry), (None, None));
        assert_eq!(git.timeout, Some(TIMEOUT));
        assert_eq!(git.workdir, Template::literal("build"));
        assert!(!git.always_use_latest && !git.submodules && !git.shallow && !git.log_environ);
    }

    #[test]
    fn src_04_modes_and_methods() {
        for (settings, mode) in [
            (", mode = \"incremental\"", GitMode::Incremental),
            (", mode = \"full\"", GitMode::Fresh),
            (", mode = \"full\", method = \"fresh\"", GitMode::Fresh),
            (", mode = \"full\", method = \"clean\"", GitMode::Clean),
            (", mode = \"full\", method = \"clobber\"", GitMode::Clobber),
        ] {
            assert_eq!(git(settings).mode, mode, "{settings}");
        }
        refused(", mode = \"export\"");
        refused(", mode = \"full\", method = \"copy\"");
        assert!(refused(", method = \"fresh\"").contains("has no effect here"));
        assert_eq!(
            refused(", command = \"make\""),
            "`command` is not a setting of a `Git` step"
        );
    }

    #[test]
    fn a_retry_is_a_pause_and_a_limited_number() {
        let some = |seconds, count| Some((Duration::from_secs(seconds), count));
        assert_eq!(git(", retry = [\"10s\", 3]").retry, some(10, 3));
        assert_eq!(git(", retry = [\"0s\", 1000]").retry, some(0, MOST_RETRIES));
        for bad in [
            "3",
            "[]",
            "[\"1s\"]",
            "[\"1s\", 1, 1]",
            "[\"1s\", 1001]",
            "[\"1s\", -1]",
        ] {
            refused(&format!(", retry = {bad}"));
        }
    }

    #[test]
    fn a_git_step_needs_its_repository() {
        let errors = read_step("{ type = \"Git\" }").unwrap_err();
        assert_eq!(errors, ["step 1 (Git) of factory `f` needs `repourl`"]);
        let errors = read_step("{ type = \"Compile\", repourl = \"u\" }").unwrap_err();
        assert_eq!(errors, ["`repourl` is not a setting of a `Compile` step"]);
    }

    #[test]
    fn stp_01_commands_of_other_names_have_their_defaults() {
        for (kind, name, words, halts, warns) in [
            (
                "Configure",
                "configure",
                ["./configure"].as_slice(),
                true,
                false,
            ),
            ("Compile", "compile", &["make", "all"], true, false),
            ("Test", "test", &["make", "test"], false, true),
        ] {
            let step = read_step(&format!("{{ type = {kind:?} }}")).unwrap();
            assert_eq!(step.name, name);
            assert!(step.flunk_on_failure && !step.flunk_on_warnings);
            assert_eq!((step.halt_on_failure, step.warn_on_failure), (halts, warns));
            let StepKind::Shell(shell) = &step.kind else {
                panic!("{step:?}");
            };
            let words = words.iter().map(|word| (Template::literal(*word), None));
            assert_eq!(
                shell.command,
                crate::config::CommandWords::Words(words.collect())
            );
            let step = read_step(&format!("{{ type = {kind:?}, command = \"x\" }}")).unwrap();
            let StepKind::Shell(shell) = &step.kind else {
                panic!("{step:?}");
            };
            let line = Template::literal("x");
            assert_eq!(shell.command, crate::config::CommandWords::Line(line));
        }
    }
}
