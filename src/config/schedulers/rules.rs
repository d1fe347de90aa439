//! Which changes a scheduler looks at, and which of them matter (SCH-03, SCH-12).

use serde::Serialize;

use crate::config::change_condition::ChangeCondition;
use crate::config::filter::{globs, read_filter};
use crate::config::pattern::{ChangeFilter, FilePatterns};
use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;

/// Which changes a scheduler looks at, and which of them matter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeRules {
    /// Whether changes of different repositories, projects and codebases wait apart, each with a
    /// set of its own (CBS-02): true.
    pub separate: bool,
    /// Whether unimportant changes stay out of the set (SCH-12).
    pub only_important: bool,
    /// Which changes are important; absent: all.
    #[serde(rename = "important_files")]
    pub importance: Option<Importance>,
    /// Which of those are important after all; absent: all (CFL-141).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub important_if: Option<ChangeCondition>,
    /// Which changes it looks at.
    pub filter: ChangeFilter,
    /// Which of those it looks at after all; absent: all (CFL-140).
    #[serde(rename = "filter.when", skip_serializing_if = "Option::is_none")]
    pub when: Option<ChangeCondition>,
}

/// Which changes are important: those that touch a matching file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Importance {
    /// The files that count.
    pub files: FilePatterns,
}

impl Default for ChangeRules {
    fn default() -> Self {
        Self {
            separate: true,
            only_important: false,
            importance: None,
            important_if: None,
            filter: ChangeFilter::default(),
            when: None,
        }
    }
}

pub(in crate::config) static IMPORTANT_FILES: Shape = Shape {
    place: "schedulers.important_files",
    noun: "important_files",
    keys: &["include", "exclude", "regex"],
    kinds: Vec::new,
};

impl ChangeRules {
    /// Takes what the table has; `branch` is the setting that takes the place of a filter on the
    /// branch.
    pub(super) fn read(&mut self, table: &mut Table<'_>, branch: Option<&Value<'_>>) {
        let filter = table.take("filter").and_then(|v| read_filter(&v, branch));
        if let Some((filter, when)) = filter {
            (self.filter, self.when) = (filter, when);
        }
        table.set_some("important_files", &mut self.importance, |v| {
            read_important_files(v).map(|files| Importance { files })
        });
        table.set_some("important_if", &mut self.important_if, |v| {
            v.change_condition()
        });
        table.set("separate", &mut self.separate, Value::flag);
        table.set("only_important", &mut self.only_important, Value::flag);
    }
}

fn read_important_files(value: &Value<'_>) -> Option<FilePatterns> {
    if !value.data().is_table() {
        let help = "for example `important_files = { include = [\"**/*.c\"] }`";
        return value.expected("a table", help);
    }
    let mut table = value.table(&IMPORTANT_FILES)?;
    let include = table.take("include");
    let exclude = table.take("exclude");
    let regex = table.take("regex");
    table.finish();
    match (&include, &exclude, &regex) {
        (None, None, None) => {
            value.error(
                "says nothing",
                "`{ include = [\"**/*.c\"] }`, `exclude`, or `{ regex = \"…\" }`",
            );
            None
        }
        (None, None, Some(regex)) => regex.pattern(FilePatterns::from_regex),
        (_, _, Some(regex)) => {
            let help = "keep one of the two";
            regex.error("cannot be combined with `include` and `exclude`", help);
            None
        }
        (_, _, None) => {
            let include = globs(include.as_ref())?;
            let exclude = globs(exclude.as_ref())?;
            FilePatterns::from_globs(&include, &exclude).ok()
        }
    }
}
