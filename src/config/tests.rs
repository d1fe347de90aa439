//! Whole files: what is accepted, and every way to be wrong.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::Zone;

mod accepted;
mod buildbot_names;
mod example;
mod expressions;
mod factories;
mod idle;
mod irc;
mod latent;
mod mail_notifier;
mod mistakes;
mod near_names;
mod schema;
mod unused;

pub(in crate::config) use self::schema::{mistakes_by, schema_of_tests};

/// A small configuration that is right.
const SMALL: &str = r#"
slave_port = 9989

[[slaves]]
name = "bot"
password = "sekrit"

[factories.check]
steps = [{ type = "ShellCommand", command = "make" }]

[[builders]]
name = "full"
slaves = ["bot"]
factory = "check"

[[schedulers]]
type = "Scheduler"
name = "quick"
builders = ["full"]
"#;

/// The configuration in `text`, which has no mistakes. It may have things that it does not use.
fn accept(text: &str) -> Config {
    match parse(text, "master.toml", &Ok(Zone::UTC)) {
        Ok((config, mut warnings)) => {
            warnings.retain(|warning| warning.class != Class::Unused);
            assert_eq!(lines(&warnings), "", "warnings");
            assert_eq!(mistakes_by(schema_of_tests(), text), [""; 0]);
            config
        }
        Err(errors) => panic!("{errors}"),
    }
}

/// `LINE:COLUMN: message (help)`, one a line.
fn lines(problems: &[ConfigError]) -> String {
    let show = |p: &ConfigError| {
        let help = p
            .help
            .as_ref()
            .map(|h| format!(" ({h})"))
            .unwrap_or_default();
        format!("{}:{}: {}{help}", p.line, p.column, p.message)
    };
    problems.iter().map(show).collect::<Vec<_>>().join("\n")
}

/// The errors of `text`, then its warnings.
fn mistakes_of(text: &str) -> String {
    match parse(text, "master.toml", &Ok(Zone::UTC)) {
        Ok((_, warnings)) => format!("accepted\n{}", lines(&warnings)),
        Err(errors) => {
            let warnings = lines(&errors.warnings);
            [lines(&errors.errors), warnings].join("\n")
        }
    }
    .trim_end()
    .to_owned()
}

/// That the small configuration with `from` replaced by `to` has this mistake alone.
fn check(from: &str, to: &str, expected: &str) {
    assert!(
        SMALL.contains(from),
        "{from:?} is not in the small configuration"
    );
    let text = SMALL.replacen(from, to, 1);
    assert_eq!(mistakes_of(&text), expected, "{to}");
}

/// The step `step`, a table of TOML, in a configuration with these further lines; else all that is
/// wrong.
pub(in crate::config) fn read_step(step: &str, more: &str) -> Result<StepConfig, Vec<String>> {
    match parse_step(step, more) {
        Ok((config, _)) => Ok(config.builders[0].factory.steps[0].clone()),
        Err(errors) => Err(errors.errors.iter().map(|e| e.message.clone()).collect()),
    }
}

/// The warnings of a configuration with this step.
pub(in crate::config) fn warned(step: &str) -> String {
    let (_, warnings) = parse_step(step, "").expect(step);
    lines(&warnings)
}

fn parse_step(step: &str, more: &str) -> Result<(Config, Vec<ConfigError>), ConfigErrors> {
    let text = format!(
        "title = \"t\"\ntitle_url = \"http://localhost/\"\nbuildbot_url = \"http://localhost/\"\n\
         slave_port = 9989\n\
         [factories.f]\nsteps = [{step}]\n\
         [[slaves]]\nname = \"s\"\npassword = \"p\"\n\
         [[builders]]\nname = \"b\"\nslaves = [\"s\"]\nfactory = \"f\"\n{more}"
    );
    parse(&text, "master.toml", &Ok(Zone::UTC))
}

/// The one mistake in a step.
pub(in crate::config) fn refused(step: &str, more: &str) -> String {
    let errors = read_step(step, more).expect_err(step);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.concat()
}
