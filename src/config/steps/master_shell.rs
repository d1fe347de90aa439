//! The settings of `MasterShellCommand`.

use std::time::Duration;

use serde::Serialize;

use super::kind::StepSettings;
use super::shell::{CommandWords, read_command, read_signal};
use crate::config::env::Environment;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of `MasterShellCommand`: a command on the machine of the master.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MasterShellConfig {
    /// What to run.
    pub command: CommandWords,
    /// Variables in addition to those of the master. In a value, `${NAME}` is a variable of the
    /// master.
    pub env: Environment,
    /// Directory of the command, below the master's: that directory itself.
    pub path: Option<Template>,
    /// The signal that interrupts it, without `SIG`: KILL.
    pub interrupt_signal: String,
    /// Longest time at all.
    pub max_time: Option<Duration>,
    /// Whether to use a pseudo terminal: false.
    pub use_pty: bool,
}

/// The keys that only these steps have.
pub(super) const KEYS: &[&str] = &[
    "command",
    "env",
    "path",
    "interrupt_signal",
    "max_time",
    "use_pty",
];

impl Default for MasterShellConfig {
    fn default() -> Self {
        Self {
            command: CommandWords::of(&[]),
            env: Environment::default(),
            path: None,
            interrupt_signal: "KILL".to_owned(),
            max_time: None,
            use_pty: false,
        }
    }
}

impl StepSettings for MasterShellConfig {}

impl MasterShellConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let command = table.require("command", "[\"make\", \"publish\"]");
        if let Some(command) = command.and_then(|v| read_command(&v)) {
            self.command = command;
        }
        table.set("env", &mut self.env, Value::environment);
        table.set_some("path", &mut self.path, Value::template);
        table.set("interrupt_signal", &mut self.interrupt_signal, read_signal);
        table.set("max_time", &mut self.max_time, |v| {
            v.optional_duration(SHORTEST..=LONGEST)
        });
        table.set("use_pty", &mut self.use_pty, Value::flag);
    }
}
