//! The settings of `Git` (section 21).

use serde::Serialize;

use super::kind::StepSettings;
use super::source::{SourceMethod, SourceSettings};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `Git` (section 21 of the semantics).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GitStepConfig {
    /// Settings of every source step.
    #[serde(flatten)]
    pub source: SourceSettings,
    /// Address of the repository.
    pub repourl: Template,
    /// Whether submodules are checked out.
    pub submodules: bool,
    /// Whether only the latest revision is fetched, if no other is asked for.
    pub shallow: bool,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &["repourl", "branch", "submodules", "shallow"];

impl Default for GitStepConfig {
    fn default() -> Self {
        Self {
            source: SourceSettings::default(),
            repourl: Template::literal(""),
            submodules: false,
            shallow: false,
        }
    }
}

impl StepSettings for GitStepConfig {
    fn takes_source(&self) -> bool {
        !self.source.always_use_latest
    }

    fn codebase(&self) -> Option<&str> {
        self.source.codebase.as_deref()
    }

    fn program(&self) -> Option<(&'static str, &'static str)> {
        self.source.needed("Git", "git")
    }
}

impl GitStepConfig {
    /// Reads the settings.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let repourl = table.require("repourl", "\"https://example.org/project.git\"");
        if let Some(repourl) = repourl.and_then(|v| v.template()) {
            self.repourl = repourl;
        }
        self.source.read(table, "branch", SourceMethod::Fresh);
        table.set("submodules", &mut self.submodules, Value::flag);
        table.set("shallow", &mut self.shallow, Value::flag);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;
    use crate::config::parse;
    use crate::config::steps::kind::TIMEOUT;
    use crate::config::steps::source::SourceMode;
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
        assert!(!git.submodules && !git.shallow);
        let source = git.source;
        assert_eq!(source.mode, SourceMode::Incremental);
        assert_eq!((source.branch, source.retry), (None, None));
        assert_eq!(source.timeout, Some(TIMEOUT));
        assert_eq!(source.workdir, Template::literal("build"));
        assert!(!source.always_use_latest && !source.log_environ);
    }

    #[test]
    fn src_04_modes_and_methods() {
        let full = SourceMode::Full;
        for (settings, mode) in [
            (", mode = \"incremental\"", SourceMode::Incremental),
            (", mode = \"full\"", full(SourceMethod::Fresh)),
            (
                ", mode = \"full\", method = \"fresh\"",
                full(SourceMethod::Fresh),
            ),
            (
                ", mode = \"full\", method = \"clean\"",
                full(SourceMethod::Clean),
            ),
            (
                ", mode = \"full\", method = \"clobber\"",
                full(SourceMethod::Clobber),
            ),
            (
                ", mode = \"full\", method = \"copy\"",
                full(SourceMethod::Copy),
            ),
            (
                ", mode = \"full\", method = \"export\"",
                full(SourceMethod::Export),
            ),
        ] {
            assert_eq!(git(settings).source.mode, mode, "{settings}");
        }
        refused(", mode = \"export\"");
        refused(", mode = \"full\", method = \"update\"");
        assert!(refused(", method = \"fresh\"").contains("has no effect here"));
        assert_eq!(
            refused(", command = \"make\""),
            "`command` is not a setting of a `Git` step"
        );
    }

    #[test]
    fn a_retry_is_a_pause_and_a_limited_number() {
        let some = |seconds, count| Some((Duration::from_secs(seconds), count));
        assert_eq!(git(", retry = [\"10s\", 3]").source.retry, some(10, 3));
        assert_eq!(git(", retry = [\"0s\", 1000]").source.retry, some(0, 1000));
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
