//! `type = "command"`: builds are told to a program (PSH-06).

use serde::Serialize;

use super::Around;
use super::telling::Telling;
use crate::config::mail_transport::read_command;
use crate::config::needs::Needed;
use crate::config::reader::Table;

/// Settings of `command`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CommandConfig {
    /// Which builds are told.
    #[serde(flatten)]
    pub telling: Telling,
    /// The program with its arguments.
    pub command: Vec<String>,
}

/// The keys that only these status targets have.
pub(super) const KEYS: &[&str] = &["command"];

impl CommandConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>, around: &Around<'_, '_>) {
        self.telling.read(table, "command", around);
        let command = table.require("command", "[\"notify-team\"]");
        if let Some((value, words)) = command.and_then(|v| Some((v.clone(), read_command(&v)?))) {
            if let Some(program) = words.first() {
                value.needs(Needed::Program {
                    program: program.clone(),
                    otherwise: "its letters will wait in the outbox".to_owned(),
                    help: "install it, or name another program with `command`".to_owned(),
                });
            }
            self.command = words;
        }
    }
}
