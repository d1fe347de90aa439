//! The settings of `Git` (section 21).

pub(in crate::config) mod access;

use std::collections::BTreeMap;

use serde::Serialize;

use self::access::GitAccess;
use super::kind::StepSettings;
use super::source::{SourceMethod, SourceSettings, strings};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;
use crate::config::trace::Wanted;

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
    /// Whether submodules are at the latest commits of their branches, not at those of the tree.
    pub remote_submodules: bool,
    /// Whether only the latest revision is fetched, if no other is asked for.
    pub shallow: bool,
    /// Filters of a partial clone.
    pub filters: Vec<String>,
    /// Repository on the slave that objects are borrowed from.
    pub reference: Option<Template>,
    /// Name of the remote in the tree.
    pub origin: Option<String>,
    /// Whether git shows its progress, which also keeps long commands alive.
    pub progress: bool,
    /// Whether a failed fetch is tried again at once.
    pub retry_fetch: bool,
    /// Whether a tree that cannot be updated is made anew.
    pub clobber_on_failure: bool,
    /// Options of `git describe` for the property `commit-description`; absent: no property.
    pub get_description: Option<Vec<String>>,
    /// Settings of git.
    pub config: BTreeMap<String, Template>,
    /// Directories of a sparse tree; empty: the whole tree.
    pub sparse: Vec<String>,
    /// Whether files of Git LFS are fetched.
    pub lfs: bool,
    /// Whether tags are fetched; absent: all of them, unless the tree is shallow.
    pub tags: Option<bool>,
    /// How git gets access to repositories.
    #[serde(flatten)]
    pub access: GitAccess,
    /// What the branch of a build is.
    pub flavor: GitFlavor,
}

/// What the branch of a build is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub enum GitFlavor {
    /// A branch.
    #[default]
    Git,
    /// The change of Gerrit that the properties name, if any.
    Gerrit,
    /// A branch or a pull request of GitHub. The revision of a merge is unknown to the repository.
    GitHub,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &[
    "repourl",
    "branch",
    "submodules",
    "remote_submodules",
    "shallow",
    "filters",
    "reference",
    "origin",
    "progress",
    "retry_fetch",
    "clobber_on_failure",
    "get_description",
    "config",
    "sparse",
    "lfs",
    "tags",
];

impl Default for GitStepConfig {
    fn default() -> Self {
        Self {
            source: SourceSettings::default(),
            repourl: Template::literal(""),
            submodules: false,
            remote_submodules: false,
            shallow: false,
            filters: Vec::new(),
            reference: None,
            origin: None,
            progress: true,
            retry_fetch: false,
            clobber_on_failure: true,
            get_description: None,
            config: BTreeMap::new(),
            sparse: Vec::new(),
            lfs: false,
            tags: None,
            access: GitAccess::default(),
            flavor: GitFlavor::Git,
        }
    }
}

impl StepSettings for GitStepConfig {
    fn source(&self) -> Option<&SourceSettings> {
        Some(&self.source)
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
        for (key, flag) in [
            ("submodules", &mut self.submodules),
            ("shallow", &mut self.shallow),
            ("progress", &mut self.progress),
        ] {
            table.set(key, flag, Value::flag);
        }
        table.set_some("reference", &mut self.reference, Value::template);
        if self.source.slave_side {
            // The command of the slave has no more settings.
            return;
        }
        for (key, flag) in [
            ("remote_submodules", &mut self.remote_submodules),
            ("retry_fetch", &mut self.retry_fetch),
            ("clobber_on_failure", &mut self.clobber_on_failure),
            ("lfs", &mut self.lfs),
        ] {
            table.set(key, flag, Value::flag);
        }
        table.set_some("tags", &mut self.tags, Value::flag);
        self.access.read(table);
        table.set("filters", &mut self.filters, strings);
        table.set_some("origin", &mut self.origin, read_word);
        table.set("get_description", &mut self.get_description, read_describe);
        table.set("config", &mut self.config, read_config);
        table.set("sparse", &mut self.sparse, |v| {
            v.list()?.iter().map(read_word).collect()
        });
    }
}

/// A string that git does not take for an option.
fn read_word(value: &Value<'_>) -> Option<String> {
    let word = value.name()?;
    if word.starts_with('-') {
        value.error("starts with `-`", "remove the `-`");
        return None;
    }
    Some(word.to_owned())
}

fn read_config(value: &Value<'_>) -> Option<BTreeMap<String, Template>> {
    let mut config = BTreeMap::new();
    for (name, value) in value.entries() {
        if !name.contains('.') || name.contains(['=', '\n']) {
            let message = format!("`{name}` is not a git setting");
            let help = "for example `\"http.proxy\"`, in quotes";
            value.sink.error(value.key_span.clone(), message, help);
        }
        config.insert(name.to_owned(), value.template()?);
    }
    Some(config)
}

/// Flags of `git describe`.
const DESCRIBE_FLAGS: [&str; 8] = [
    "all",
    "always",
    "contains",
    "debug",
    "dirty",
    "exact_match",
    "long",
    "tags",
];

/// Options of `git describe` with a value.
const DESCRIBE_VALUES: [&str; 4] = ["abbrev", "candidates", "dirty", "match"];

/// The words for `git describe`: true for none, or a table of its options.
fn read_describe(value: &Value<'_>) -> Option<Option<Vec<String>>> {
    if let Some(wanted) = value.among([Wanted::Flag, Wanted::Table]).as_bool() {
        return Some(wanted.then(Vec::new));
    }
    let mut words = Vec::new();
    for (name, value) in value.entries() {
        let option = format!("--{}", name.replace('_', "-"));
        if DESCRIBE_FLAGS.contains(&name) && value.data().as_bool().is_some() {
            words.extend(value.flag()?.then_some(option));
        } else if !DESCRIBE_VALUES.contains(&name) {
            let message = format!("`{name}` is not an option of `git describe`");
            let help = format!("one of {}", DESCRIBE_FLAGS.join(", "));
            value.sink.error(value.key_span.clone(), message, help);
        } else if value.data().as_integer().is_some() {
            words.push(format!("{option}={}", value.integer(0..=u32::MAX)?));
        } else {
            words.push(format!("{option}={}", value.text()?));
        }
    }
    Some(Some(words))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;
    use crate::config::steps::source::SourceMode;
    use crate::config::steps::source::TIMEOUT;
    use crate::config::tests;
    use crate::config::{StepConfig, StepKind};

    fn read_step(step: &str) -> Result<StepConfig, Vec<String>> {
        tests::read_step(step, "")
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
        tests::refused(&step, "")
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
    fn settings_that_the_command_of_a_slave_does_not_have_are_refused() {
        let slave_side = |more: &str| format!(", slave_side = true{more}");
        let source = git(&slave_side(", mode = \"full\"")).source;
        assert_eq!(source.mode, SourceMode::Full(SourceMethod::Clobber));
        assert!(source.slave_side);
        let method = refused(&slave_side(", mode = \"full\", method = \"fresh\""));
        assert!(method.contains("cannot be used with `slave_side = true`"));
        for setting in ["lfs = true", "ssh_private_key = \"k\"", "sparse = [\"a\"]"] {
            let refused = refused(&slave_side(&format!(", {setting}")));
            assert!(refused.contains("has no effect here"), "{refused}");
        }
        let errors =
            read_step("{ type = \"Arch\", url = \"u\", version = \"v\", slave_side = true }");
        assert!(errors.unwrap_err().concat().contains("is not possible"));
    }

    #[test]
    fn keys_and_passwords_of_git_are_read() {
        let access = git(
            ", port = 2222, ssh_private_key = \"k\", ssh_known_hosts = \"h\", \
             auth_credentials = [\"me\", \"p\"], git_credentials = { credentials = \
             [{ url = \"https://h\", username = \"you\", password = \"q\" }], use_http_path = true }",
        )
        .access;
        assert_eq!(
            (access.port, access.use_http_path),
            (Some(2222), Some(true))
        );
        assert_eq!(access.credentials.len(), 2);
        assert_eq!(access.credentials[0].url, None);
        let shown = serde_json::to_string(&access.credentials).unwrap();
        assert!(
            !shown.contains("\"p\"") && !shown.contains("\"q\""),
            "{shown}"
        );
        refused(", ssh_host_key = \"k\", ssh_known_hosts = \"h\"");
        refused(", port = 0");
        refused(", auth_credentials = \"me:p\"");
        refused(", auth_credentials = [\"me\"]");
        refused(", git_credentials = {}");
        refused(", git_credentials = { credentials = [{ url = \"u\", username = \"n\" }] }");
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
