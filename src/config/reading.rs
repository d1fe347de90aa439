//! Reading the text of a configuration: syntax first, then what it says.

use toml::de::DeTable;

use super::needs::Need;
use super::reader::{Sink, Table};
use super::report::{ConfigError, ConfigErrors};
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
    let (tree, mut syntax_errors) = DeTable::parse_recoverable(text);
    let python = syntax_errors.first().and_then(|_| python_line(text));
    if let Some(span) = python {
        let help =
            "master.toml is TOML, without code: see master.toml.example for the same settings";
        sink.error(
            span,
            "this is a Buildbot configuration in Python".to_owned(),
            help,
        );
        return finished(sink, text, file, None);
    }
    syntax_errors.sort_by_key(|error| error.span().map(|span| span.start));
    for error in believable(&syntax_errors) {
        let span = error.span().unwrap_or(text.len()..text.len());
        sink.syntax_error(span, error.message(), syntax_help(error.message()));
    }
    let config = {
        let root = Table::new(&sink, &toplevel::SHAPE, 0..0, tree.get_ref());
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

/// The first line of `text` that is Python as it stands in a `master.cfg`.
fn python_line(text: &str) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let code = line.trim_end();
        let is_python = code.contains("BuildmasterConfig")
            || code.starts_with("from buildbot")
            || code.starts_with("import ")
            || code.starts_with("c['")
            || code.starts_with("c[\"");
        if is_python && !code.starts_with('#') {
            return Some(start..start + code.len());
        }
        start += line.len();
    }
    None
}

/// The errors without those that follow from a list that is not closed, which goes on to the end of
/// the file and lacks a comma in each line.
fn believable(errors: &[toml::de::Error]) -> &[toml::de::Error] {
    let lacks_comma = |e: &toml::de::Error| e.message().starts_with("missing comma");
    let first = errors.iter().position(lacks_comma);
    match first {
        Some(first) if errors.iter().filter(|e| lacks_comma(e)).count() > 3 => {
            errors.get(..=first).unwrap_or(errors)
        }
        Some(_) | None => errors,
    }
}

/// What would be right, as far as the parser's message tells.
fn syntax_help(message: &str) -> &'static str {
    if message.contains("duplicate") {
        "keep one of the two; several slaves, builders and so on begin with `[[…]]` in two brackets"
    } else if message.contains("string") {
        "put strings in quotes: `title = \"Example\"`; end a string with the quote that began it"
    } else if message.contains("key with no value") || message.contains("expected `=`") {
        "write a setting as `key = value`"
    } else {
        "write settings as `key = value`, strings in quotes, and lists in brackets with commas between entries"
    }
}
