//! The slave port, which change sources and try schedulers may share.

use crate::config::address::Listen;
use crate::config::names::Names;
use crate::config::reader::Value;

/// The slave port, and who logs in there.
#[derive(Debug)]
pub(in crate::config) struct SlavePort<'a, 'n> {
    /// Whether there is one, if misspelt.
    pub(in crate::config) is_given: bool,
    /// Its setting, if there is one.
    pub(in crate::config) value: Option<Value<'a>>,
    /// Its addresses.
    pub(in crate::config) listens: &'n [Listen],
    /// The slaves.
    pub(in crate::config) slaves: &'n Names<'a>,
}
