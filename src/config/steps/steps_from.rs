//! The settings of `StepsFrom`, which adds steps to its build, and the reading of those steps.

use std::sync::Arc;

use serde::Serialize;
use toml::de::DeTable;

use super::kind::{Kind, StepSettings};
use super::shell::{CommandWords, ShellStepConfig};
use super::{ROWS, STEP, StepConfig, StepKind, read_step};
use crate::config::class::Class;
use crate::config::locks::Locks;
use crate::config::places::Places;
use crate::config::reader::{Sink, Table};
use crate::config::report::{ConfigError, ConfigErrors};
use crate::config::shape::Shape;
use crate::config::template::Template;
use crate::config::tree::Fields;

/// Settings of `StepsFrom`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepsFromConfig {
    /// The command whose output are the steps; for a file of the tree, the command that prints it.
    #[serde(flatten)]
    pub command: ShellStepConfig,
    /// Most steps that it adds: 50.
    pub max_steps: u32,
    /// Kinds that it may add besides those that only run commands.
    pub allow: Vec<String>,
}

/// Most bytes of the text of steps.
pub const MAX_STEPS_BYTES: usize = 64 * 1024;

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &["file", "max_steps", "allow"];

/// Most steps that a setting may allow.
const MOST_STEPS: u32 = 500;

static ADDED: Shape = Shape {
    place: "added_steps",
    noun: "this list of steps",
    keys: &["steps"],
    kinds: Vec::new,
};

impl Default for StepsFromConfig {
    fn default() -> Self {
        Self {
            command: ShellStepConfig::default(),
            max_steps: 50,
            allow: Vec::new(),
        }
    }
}

impl StepSettings for StepsFromConfig {}

impl StepsFromConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        table.sink.triggers_any.set(true);
        if let Some(file) = table.take("file") {
            if let Some(place) = table.place("command") {
                let message = "`file` and `command` exclude each other".to_owned();
                let help = "each of them says where the steps are; keep one";
                table.sink.error(place, message, help);
                drop(table.take("command"));
            }
            let words = ["cat", "--"].map(|word| (Template::literal(word), None));
            let file = file.template().map(|file| (file, None));
            self.command.command = CommandWords::Words(words.into_iter().chain(file).collect());
        }
        self.command.read(table);
        table.set("max_steps", &mut self.max_steps, |value| {
            value.integer(1..=MOST_STEPS)
        });
        table.set("allow", &mut self.allow, |value| {
            let names: Vec<_> = ROWS.iter().map(|row| row.shape.name).collect();
            let entries = value.one_or_list()?;
            let kinds = entries.iter().filter_map(|entry| entry.one_of(&names));
            Some(kinds.map(str::to_owned).collect())
        });
    }

    /// Reads the steps in `text`, which `from` says where it is from.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn parse(&self, text: &str, from: &str) -> Result<Vec<StepConfig>, ConfigErrors> {
        let places = Arc::new(Places::of(from, text));
        let mut sink = Sink::new(&places);
        let (tree, syntax_errors) = DeTable::parse_recoverable(text);
        let wrong = syntax_errors.iter().map(|error| {
            let span = error.span().unwrap_or(text.len()..text.len());
            ConfigError::of_class(Class::Syntax, &places, span, error.message())
        });
        sink.take_over(wrong.collect(), Vec::new());
        let tree = Fields::from_toml(tree.get_ref(), 0);
        let steps = {
            let mut root = Table::new(&sink, &ADDED, 0..0, &tree);
            let steps = self.read_added(&mut root);
            root.finish();
            steps
        };
        // A scheduler that is triggered is looked for when the step runs.
        drop(sink.take_triggers());
        let (errors, _, _) = sink.into_findings();
        if errors.is_empty() {
            return Ok(steps);
        }
        Err(ConfigErrors {
            file: from.to_owned(),
            places,
            errors,
            warnings: Vec::new(),
        })
    }

    /// Whether steps of this kind may be added: those that only run a command on the slave, which a
    /// source tree may do anyway, and those that are allowed.
    fn may_add(&self, row: &Kind) -> bool {
        let name = row.shape.name;
        matches!((row.usual)().kind, StepKind::Shell(_))
            || self.allow.iter().any(|allowed| allowed == name)
    }

    fn read_added<'a>(&self, root: &mut Table<'a>) -> Vec<StepConfig> {
        let Some(value) = root.require("steps", "[{ type = \"ShellCommand\", command = \"…\" }]")
        else {
            return Vec::new();
        };
        let tables = value.tables(&STEP);
        let most = usize::try_from(self.max_steps).unwrap_or(usize::MAX);
        if tables.len() > most {
            let what = format!("has {} steps; at most {most} are added", tables.len());
            value.error(&what, "raise `max_steps` of the StepsFrom step");
            return Vec::new();
        }
        let mut locks = Locks::none();
        let mut steps = Vec::with_capacity(tables.len());
        for (at, table) in tables.into_iter().enumerate() {
            if let Some((kind, place)) = table.text_of("type")
                && let Some(row) = ROWS.iter().find(|row| row.shape.name == kind)
                && !self.may_add(row)
            {
                let message = format!("a step of type {kind:?} may not be added");
                let help = format!("add `allow = [{kind:?}]` to the StepsFrom step");
                table.sink.error(place, message, help);
            }
            let (sink, place) = (table.sink, table.span.clone());
            let has_workdir = table.peek("workdir").is_some();
            let mut step = read_step(table, ("added", at), None, &steps, &mut locks);
            let shell = step.as_mut().and_then(|step| step.kind.shell_mut());
            if let (false, Some(shell)) = (has_workdir, shell) {
                shell.workdir = self.command.workdir.clone();
            }
            let counts = |step: &StepConfig| matches!(&step.kind, StepKind::Shell(shell) if shell.release.is_some());
            let is_allowed = self.allow.iter().any(|kind| kind == "RpmBuild");
            if step.as_ref().is_some_and(counts) && !is_allowed {
                let message = "a step that is added has `auto_release`".to_owned();
                let help = "add `allow = [\"RpmBuild\"]` to the StepsFrom step";
                sink.error(place.clone(), message, help);
            }
            if step.as_ref().is_some_and(|step| !step.secrets.is_empty()) {
                let message = "a step that is added uses a secret".to_owned();
                sink.error(
                    place,
                    message,
                    "secrets are for the steps of the configuration",
                );
            }
            steps.extend(step);
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        let errors = StepsFromConfig::default()
            .parse(text, "output")
            .unwrap_err();
        let lines = errors.errors.iter();
        lines
            .map(|e| format!("{}: {}", e.line, e.message))
            .collect()
    }

    #[test]
    fn steps_are_read_in_both_forms() {
        let config = StepsFromConfig::default();
        for text in [
            "steps = [{ type = \"ShellCommand\", command = \"make\" }, { type = \"Test\" }]",
            "[[steps]]\ntype = \"ShellCommand\"\ncommand = \"make\"\n[[steps]]\ntype = \"Test\"\n",
        ] {
            let steps = config.parse(text, "output").unwrap();
            let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
            assert_eq!(names, ["shell", "test"]);
        }
        assert!(config.parse("steps = []", "output").unwrap().is_empty());
    }

    #[test]
    fn added_steps_run_where_their_step_runs_unless_they_say_their_own() {
        let mut config = StepsFromConfig::default();
        config.command.workdir = Template::literal("src");
        let text = "[[steps]]\ntype = \"Test\"\n\
                    [[steps]]\ntype = \"Test\"\nworkdir = \"doc\"\n";
        let steps = config.parse(text, "output").unwrap();
        let workdirs: Vec<_> = steps
            .into_iter()
            .filter_map(|mut step| Some(step.kind.shell_mut()?.workdir.clone()))
            .collect();
        assert_eq!(workdirs, ["src", "doc"].map(Template::literal));
    }

    #[test]
    fn mistakes_have_lines() {
        let [mistake] = &mistakes("\n[[steps]]\ntype = \"ShellCommand\"\ncomand = \"make\"\n")[..]
        else {
            panic!("one mistake");
        };
        assert!(mistake.starts_with("4: unknown key `comand`"), "{mistake}");
        assert!(mistakes("[[steps]\n")[0].starts_with("1: "));
        assert!(mistakes("step = []")[0].contains("`step`"));
        let locked = "[[steps]]\ntype = \"Test\"\nlocks = [\"disk\"]\n";
        assert!(mistakes(locked)[0].contains("which does not exist"));
    }

    #[test]
    fn what_a_tree_may_not_do_is_refused_unless_it_is_allowed() {
        let text = "[[steps]]\ntype = \"Trigger\"\nschedulers = \"deploy\"\n";
        let [mistake] = &mistakes(text)[..] else {
            panic!("one mistake");
        };
        assert!(mistake.contains("may not be added"), "{mistake}");
        let config = StepsFromConfig {
            allow: vec!["Trigger".to_owned()],
            ..StepsFromConfig::default()
        };
        assert_eq!(config.parse(text, "output").unwrap().len(), 1);

        let counting =
            "[[steps]]\ntype = \"RpmBuild\"\nspecfile = \"a.spec\"\nauto_release = true\n";
        let [mistake] = &mistakes(counting)[..] else {
            panic!("one mistake");
        };
        assert!(mistake.contains("auto_release"), "{mistake}");
        let uncounted = counting.replace("true", "false");
        let steps = StepsFromConfig::default().parse(&uncounted, "output");
        assert_eq!(steps.unwrap().len(), 1);
    }

    #[test]
    fn the_number_of_steps_is_limited() {
        let step = "[[steps]]\ntype = \"Test\"\n";
        let config = StepsFromConfig::default();
        assert_eq!(config.parse(&step.repeat(50), "output").unwrap().len(), 50);
        assert!(mistakes(&step.repeat(51))[0].contains("at most 50"));
    }
}
