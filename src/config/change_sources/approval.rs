//! Which pull requests need an approval before they are built (POL-13).

use serde::Serialize;

use crate::config::reader::Table;

/// Which pull requests of authors who cannot push to the repository need an approval before they
/// are built.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    /// Those of repositories that everybody may see, or whose host does not say so.
    #[default]
    Public,
    /// All.
    Always,
    /// None.
    Never,
}

/// What a source of pull requests says of approvals.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ApprovalRules {
    /// Which pull requests of authors who cannot push to the repository need one.
    pub approval: Approval,
    /// Authors whose pull requests need none.
    pub trusted: Vec<String>,
}

/// The keys of these rules.
pub(super) const KEYS: &[&str] = &["approval", "trusted"];

impl ApprovalRules {
    /// Whether a pull request of an author who cannot push to the repository needs an approval.
    #[must_use]
    pub fn ask_for(&self, author: &str, is_public: Option<bool>) -> bool {
        let is_asked_for = match self.approval {
            Approval::Public => is_public.unwrap_or(true),
            Approval::Always => true,
            Approval::Never => false,
        };
        is_asked_for && !self.trusted.iter().any(|trusted| trusted == author)
    }

    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        table.set("approval", &mut self.approval, |v| {
            Some(match v.one_of(&["public", "always", "never"])? {
                "always" => Approval::Always,
                "never" => Approval::Never,
                _ => Approval::Public,
            })
        });
        table.set("trusted", &mut self.trusted, |v| {
            let names = v.one_or_list()?.into_iter();
            names.map(|name| name.name().map(str::to_owned)).collect()
        });
    }
}
