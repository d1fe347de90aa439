//! What steps make of the output of their command: settings of the readers in `build::steps`.

use std::sync::LazyLock;

use serde::Serialize;

use crate::config::pattern::LinePattern;
use crate::config::template::Template;
use crate::model::TestFormat;

/// How the output of a command is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub enum OutputReader {
    /// Not at all.
    #[default]
    Nothing,
    /// Lines that are warnings (`WarningCountingShellCommand`).
    Warnings(Box<WarningRules>),
    /// The same, and the package that was made (`DebPbuilder`).
    Pbuilder(Box<WarningRules>),
    /// The summary of `prove` (`PerlModuleTest`).
    PerlTests(Box<WarningRules>),
    /// The results of `mysql-test-run.pl` (`MTR`).
    MysqlTests(Box<MysqlTests>),
    /// The output of `du` (`TreeSize`).
    TreeSize,
    /// The output of `epydoc` (`BuildEPYDoc`).
    Epydoc,
    /// The output of `pyflakes` (`PyFlakes`).
    Pyflakes,
    /// The output of `pylint` (`PyLint`).
    Pylint,
    /// The output of `cppcheck` (`Cppcheck`).
    Cppcheck,
    /// The output of `sphinx-build` (`Sphinx`).
    Sphinx,
    /// The output of `trial` (`Trial`).
    Trial {
        /// The reactor, which is named in the text.
        reactor: Option<String>,
    },
    /// The output of `lore` (`HLint`).
    Hlint,
    /// The output of `run_maxq.py` (`MaxQ`).
    Maxq,
    /// A stream of subunit (`SubunitShellCommand`).
    Subunit {
        /// Whether a run without tests has failed.
        failure_on_no_tests: bool,
    },
    /// The output of Visual Studio.
    VisualStudio {
        /// Whether the text says what was counted.
        tells: bool,
    },
    /// Lines with `W: ` and `E: ` (`DebLintian`).
    Lintian,
    /// Lines with ` W: ` and ` E: ` (`RpmLint`), which the exit status alone judges.
    Rpmlint,
    /// The output of `rpmbuild` (`RpmBuild`).
    Rpmbuild,
    /// The log `build.log` of `mock --buildsrpm` (`MockBuildSRPM`).
    MockSrpm,
    /// All of it is the value of a property (`SetPropertyFromCommand`).
    Property {
        /// Name of the property.
        property: Template,
        /// Whether spaces and line breaks around it are left out.
        strip: bool,
    },
}

impl OutputReader {
    /// The format of the tests that commands of this kind print, for their pages. What the step
    /// says of them, and how it ends, is as in Buildbot 0.8.
    #[must_use]
    pub const fn format_of_tests(&self) -> Option<TestFormat> {
        if matches!(self, Self::Trial { .. }) {
            Some(TestFormat::Trial)
        } else if matches!(self, Self::PerlTests(_)) {
            Some(TestFormat::Prove)
        } else if matches!(self, Self::Subunit { .. }) {
            Some(TestFormat::Subunit1)
        } else {
            None
        }
    }

    /// Whether the tests are counted while the command runs.
    pub(super) const fn counts_tests(&self) -> bool {
        matches!(
            self,
            Self::Trial { .. } | Self::Subunit { .. } | Self::MysqlTests(_)
        )
    }
}

/// Which lines are warnings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WarningRules {
    /// What a warning looks like, from the beginning of its line on.
    pub pattern: LinePattern,
    /// What the groups of `pattern` are.
    pub extractor: WarningExtractor,
    /// What a line looks like that tells which directory is entered; its group 1 is the directory.
    pub directory_enter: LinePattern,
    /// What a line looks like that tells that the directory is left.
    pub directory_leave: LinePattern,
    /// Warnings that do not count.
    pub suppressions: Vec<Suppression>,
    /// A file on the slave with further ones.
    pub suppression_file: Option<Template>,
    /// With more warnings than this, the step has failed.
    pub max_count: Option<u32>,
}

/// What a warning is made of, for suppressions.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum WarningExtractor {
    /// The line is the text; file and line number are not known.
    Line,
    /// Groups 1 to 3 are file, line number and text.
    Groups,
}

/// Warnings that do not count; what is absent matches all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suppression {
    /// Its file, from the beginning of the path on.
    pub file: Option<LinePattern>,
    /// Its text, anywhere in it.
    pub text: Option<LinePattern>,
    /// The first line number.
    pub first: Option<u64>,
    /// The last line number.
    pub last: Option<u64>,
}

/// What is looked for in the output of `mysql-test-run.pl`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MysqlTests {
    /// Its warnings.
    pub warnings: WarningRules,
    /// What is tested, for the text.
    pub test_type: Option<String>,
    /// The maximum number of failures in the text, and of warnings.
    pub text_limit: usize,
    /// Longer names of tests are cut in the text.
    pub name_limit: usize,
}

impl WarningRules {
    /// The usual rules, with this pattern.
    pub(super) fn with(pattern: &str) -> Self {
        Self {
            pattern: LinePattern::from_start(pattern).expect("a valid expression"),
            ..Self::default()
        }
    }

    fn usual() -> Self {
        let known = "a valid expression";
        Self {
            pattern: LinePattern::from_start(".*warning[: ].*").expect(known),
            extractor: WarningExtractor::Line,
            directory_enter: LinePattern::anywhere(
                "make.*: Entering directory [\u{2019}\"`'](.*)[\u{2019}'`\"]",
            )
            .expect(known),
            directory_leave: LinePattern::anywhere("make.*: Leaving directory").expect(known),
            suppressions: Vec::new(),
            suppression_file: None,
            max_count: None,
        }
    }
}

impl Default for WarningRules {
    fn default() -> Self {
        static USUAL: LazyLock<WarningRules> = LazyLock::new(WarningRules::usual);
        USUAL.clone()
    }
}

impl OutputReader {
    /// The rules for warnings, if it looks for any.
    #[must_use]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most readers look for other things"
    )]
    pub fn warnings(&self) -> Option<&WarningRules> {
        match self {
            Self::Warnings(rules) | Self::Pbuilder(rules) | Self::PerlTests(rules) => Some(rules),
            Self::MysqlTests(tests) => Some(&tests.warnings),
            _ => None,
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most readers look for other things"
    )]
    pub(super) fn warnings_mut(&mut self) -> Option<&mut WarningRules> {
        match self {
            Self::Warnings(rules) | Self::Pbuilder(rules) | Self::PerlTests(rules) => Some(rules),
            Self::MysqlTests(tests) => Some(&mut tests.warnings),
            _ => None,
        }
    }
}
