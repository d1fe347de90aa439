//! The settings of a `Git` step (section 21).

use std::time::Duration;

use super::TIMEOUT;
use crate::config::checked::{GitMode, GitStepConfig, Template};
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};

/// Most times that a failed checkout may be tried again.
const MOST_RETRIES: u32 = 1000;

/// Reads what the table has for the step.
pub(super) fn read(table: &mut Table<'_>) -> GitStepConfig {
    let repourl = table.require("repourl", "\"https://example.org/project.git\"");
    let repourl = repourl.and_then(|v| v.template());
    let branch = table.take("branch").and_then(|v| v.template());
    let mode = table.take("mode");
    let mode = mode.and_then(|v| v.one_of(&["incremental", "full"]));
    let mode = if mode == Some("full") {
        let method = table.take("method");
        match method.and_then(|v| v.one_of(&["clobber", "fresh", "clean"])) {
            Some("clobber") => GitMode::Clobber,
            Some("clean") => GitMode::Clean,
            Some(_) | None => GitMode::Fresh,
        }
    } else {
        GitMode::Incremental
    };
    let timeout = table.take("timeout");
    let timeout = timeout.and_then(|v| v.optional_duration(SHORTEST..=LONGEST));
    let workdir = table.take("workdir").and_then(|v| v.template());
    let log_environ = table.take("log_environ").and_then(|v| v.flag());
    GitStepConfig {
        repourl: repourl.unwrap_or_else(|| Template::literal("")),
        branch,
        mode,
        always_use_latest: table.flag("always_use_latest"),
        submodules: table.flag("submodules"),
        shallow: table.flag("shallow"),
        retry: table.take("retry").and_then(|v| read_retry(&v)),
        timeout: timeout.unwrap_or(Some(TIMEOUT)),
        workdir: workdir.unwrap_or_else(|| Template::literal("build")),
        env: table.env(),
        log_environ: log_environ.unwrap_or(false),
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
    use crate::config::checked::{StepConfig, StepKind};
    use crate::config::parse;
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
        assert!(refused(", method = \"fresh\"").contains("means nothing here"));
        assert!(refused(", command = \"make\"").contains("means nothing here"));
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
        assert_eq!(errors, ["step has no `repourl`"]);
        let errors = read_step("{ type = \"Compile\", repourl = \"u\" }").unwrap_err();
        assert!(errors.concat().contains("means nothing here"), "{errors:?}");
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
                crate::config::checked::CommandWords::Words(words.collect())
            );
            let step = read_step(&format!("{{ type = {kind:?}, command = \"x\" }}")).unwrap();
            let StepKind::Shell(shell) = &step.kind else {
                panic!("{step:?}");
            };
            let line = Template::literal("x");
            assert_eq!(
                shell.command,
                crate::config::checked::CommandWords::Line(line)
            );
        }
    }
}
