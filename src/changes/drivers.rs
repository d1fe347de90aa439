//! The table of the kinds of change source that act by themselves.

use super::driver::Driver;
use super::gerrit::Gerrit;
use super::mails::Mails;
use super::poller::PollerDriver;
use crate::config::{ChangeSourceConfig, ChangeSourceKind};

/// The driver of a source, if sources of its kind act by themselves.
#[must_use]
pub fn driver(config: &ChangeSourceConfig) -> Option<Box<dyn Driver>> {
    match &config.kind {
        ChangeSourceKind::Pb(_) | ChangeSourceKind::ChangeHook(_) => None,
        ChangeSourceKind::Maildir(maildir) => Some(Box::new(Mails::new(maildir))),
        ChangeSourceKind::Gerrit(gerrit) => Some(Box::new(Gerrit::new(gerrit))),
        ChangeSourceKind::Git(_)
        | ChangeSourceKind::Svn(_)
        | ChangeSourceKind::Hg(_)
        | ChangeSourceKind::Bzr(_)
        | ChangeSourceKind::Cvs(_)
        | ChangeSourceKind::P4(_)
        | ChangeSourceKind::Pulls(_) => {
            let driver = PollerDriver::new(&config.kind)?;
            Some(Box::new(driver))
        }
    }
}
