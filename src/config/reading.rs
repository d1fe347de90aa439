//! Reading the text of a configuration: syntax first, then what it says.

use super::needs::Need;
use super::reader::{Sink, Table};
use super::report::{ConfigError, ConfigErrors};
use super::syntax;
use super::toplevel::{self, Config};
use super::zones::MachineZone;

/// What reading a configuration file has found.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The configuration; absent if something is wrong with the file.
    pub config: Option<Config>,
    /// What is wrong with it, and what is only strange.
    pub problems: ConfigErrors,
    /// What it needs outside of the file, as far as the file could be read.
    pub needs: Vec<Need>,
}

impl Reading {
    /// The configuration with its warnings, if there are no errors.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn into_result(self) -> Result<(Config, ConfigErrors), ConfigErrors> {
        match self.config.filter(|_| self.problems.errors.is_empty()) {
            Some(config) => Ok((config, self.problems)),
            None => Err(self.problems),
        }
    }
}

/// Reads and checks the text of a configuration, and nothing else, as [`read`] does.
///
/// # Errors
/// All that is wrong with it.
pub fn parse(
    text: &str,
    file: &str,
    zone: &MachineZone,
) -> Result<(Config, Vec<ConfigError>), ConfigErrors> {
    let (config, problems) = read(text, file, zone).into_result()?;
    Ok((config, problems.warnings))
}

/// Reads and checks a configuration; `file` is its name for messages. What runs by local time and
/// names no time zone runs by that of the machine, `zone`; not knowing that is a mistake only then.
#[must_use]
pub fn read(text: &str, file: &str, zone: &MachineZone) -> Reading {
    let mut sink = Sink::new(text);
    let parsed = syntax::parse(text);
    for mistake in parsed.mistakes {
        sink.syntax_error(mistake.span, &mistake.message, &mistake.help);
    }
    if parsed.is_lost {
        return finished(sink, text, file, None);
    }
    let config = {
        let root = Table::new(&sink, &toplevel::SHAPE, 0..0, parsed.tree.get_ref());
        toplevel::read(root, file, zone)
    };
    sink.warn_of_near_misses();
    finished(sink, text, file, Some(config))
}

fn finished(sink: Sink<'_>, text: &str, file: &str, config: Option<Config>) -> Reading {
    let (errors, warnings, needs) = sink.into_findings();
    Reading {
        config: config.filter(|_| errors.is_empty()),
        problems: ConfigErrors {
            file: file.to_owned(),
            text: text.to_owned(),
            errors,
            warnings,
        },
        needs,
    }
}
