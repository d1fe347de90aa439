//! Patterns on files and on the fields of changes, ready to match.

use crate::model::Change;

/// Which files count: globs to include and exclude, or a regular expression.
#[derive(Clone, Debug)]
pub struct FilePatterns {}

impl FilePatterns {
    /// Whether `file` counts.
    #[must_use]
    pub fn is_match(&self, file: &str) -> bool {
        let _ = file;
        todo!()
    }
}

impl PartialEq for FilePatterns {
    fn eq(&self, _other: &Self) -> bool {
        todo!("compares what was written")
    }
}

/// How a field of a change must look: an exact text, one of a list, or an anchored regular expression, and the
/// not-equal forms (SCH-12).
#[derive(Clone, Debug)]
pub struct TextMatch {}

impl TextMatch {
    /// Whether `text`, or its absence, matches.
    #[must_use]
    pub fn is_match(&self, text: Option<&str>) -> bool {
        let _ = text;
        todo!()
    }
}

impl PartialEq for TextMatch {
    fn eq(&self, _other: &Self) -> bool {
        todo!("compares what was written")
    }
}

/// Which changes a scheduler looks at; what is absent matches all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeFilter {
    /// On the project.
    pub project: Option<TextMatch>,
    /// On the repository.
    pub repository: Option<TextMatch>,
    /// On the category.
    pub category: Option<TextMatch>,
    /// On the codebase.
    pub codebase: Option<TextMatch>,
    /// On the branch, in place of the scheduler's own.
    pub branch: Option<TextMatch>,
}

impl ChangeFilter {
    /// Whether `change` passes; the branch is looked at only if the filter has one.
    #[must_use]
    pub fn passes(&self, change: &Change) -> bool {
        let _ = change;
        todo!()
    }
}
