//! `type = "CVSPoller"`: changes that the master finds in a module of CVS (POL-12).

use serde::Serialize;

use super::Around;
use super::kind::SourceSettings;
use super::poller::{PollerConfig, program, without_password};
use crate::config::reader::{Table, Value};
use crate::config::repositories::RepositoryConfig;

/// Settings of `CVSPoller`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CvsPollerConfig {
    /// What all pollers have.
    #[serde(flatten)]
    pub poller: PollerConfig,
    /// The repository, without a password.
    pub cvsroot: String,
    /// The module.
    pub cvsmodule: String,
    /// Program: `cvs`.
    pub cvs: String,
}

/// The keys that only these change sources have.
pub(super) const KEYS: &[&str] = &["cvsroot", "cvsmodule", "cvs"];

impl SourceSettings for CvsPollerConfig {
    fn kind(&self) -> &'static str {
        "CVSPoller"
    }

    fn usual_name(&self) -> String {
        let module = format!("{}/{}", self.cvsroot, self.cvsmodule);
        self.poller.repository_at(&module)
    }

    fn poller(&self) -> Option<&PollerConfig> {
        Some(&self.poller)
    }

    fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        let known = self.poller.read(table, around, "cvs");
        without_password(
            table,
            known,
            "log in with `cvs login` as the user of the master, and remove it there",
        );
        for (key, example, setting) in [
            (
                "cvsroot",
                "\":pserver:me@example.org:/cvs\"",
                &mut self.cvsroot,
            ),
            ("cvsmodule", "\"project\"", &mut self.cvsmodule),
        ] {
            let own = known.and_then(RepositoryConfig::url);
            let own = own.filter(|_| key == "cvsroot" && table.place(key).is_none());
            let value = match own {
                Some(url) => {
                    url.clone_into(setting);
                    continue;
                }
                None => table.require(key, example),
            };
            let word = value.as_ref().and_then(Value::name);
            match (value.as_ref(), word) {
                (Some(value), Some(word)) if word.starts_with('-') => {
                    value.error("begins with `-`", "write a name");
                }
                (_, Some(word)) => word.clone_into(setting),
                (_, None) => {}
            }
        }
        self.cvs = program(table, "cvs");
    }
}
