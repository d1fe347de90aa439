use std::sync::Arc;

use proptest::prelude::{any, prop_assert, proptest};

use super::*;

mod corpus;
mod keys;
mod locks;
mod login;
mod names;
mod permissions;
mod syntax;
mod values;

#[test]
fn mas_01_five_mistakes_are_shown_together_with_their_places() {
    let text = r#"slave_port = "tcp:9989:interface=everywhere"
title = "Example

[[slaves]]
name = "bot"
password = "sekrit"
max_builds = "2"

[[builders]]
name = "full"
slaves = ["bott"]
factory = "check"

[factories.check]
steps = [{ type = "ShellCommand", command = "make", haltOnFailure = true }]
"#;
    let errors = parse(text, "master.toml", &Ok(Zone::UTC)).unwrap_err();
    assert_eq!(errors.errors.len(), 5);
    assert_eq!(errors.to_string(), errors.render(false));
    assert!(errors.render(true).contains("\u{1b}["));
    insta::assert_snapshot!(errors.render(false), @r##"
    error: `slave_port` is not an address to listen on
     --> master.toml:1:14
      |
    1 | slave_port = "tcp:9989:interface=everywhere"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: a port such as 9989 (loopback only), "0.0.0.0:9989" or "[::]:9989" to open it to others, "tcp:9989:interface=ADDRESS", or "unix:/path"

    error: invalid basic string, expected `"`
     --> master.toml:2:17
      |
    2 | title = "Example
      |                 ^
      |
      = help: put strings in quotes: `title = "Example"`; end a string with the quote that began it

    error: `max_builds` of slave `bot` must be an integer, not a string
     --> master.toml:7:14
      |
    7 | max_builds = "2"
      |              ^^^
      |
      = help: write a number without quotes or fraction

    error: builder `full` names the slave `bott`, which does not exist
      --> master.toml:11:11
       |
    11 | slaves = ["bott"]
       |           ^^^^^^
       |
       = help: did you mean `bot`?

    error: unknown key `haltOnFailure` of step 1 (ShellCommand) of factory `check`
      --> master.toml:15:53
       |
    15 | steps = [{ type = "ShellCommand", command = "make", haltOnFailure = true }]
       |                                                     ^^^^^^^^^^^^^
       |
       = by master.toml:9
       = help: it is called `halt_on_failure` here
    "##);
}

#[test]
fn a_clash_shows_both_places() {
    let text = SMALL.replace(
        "[factories.check]",
        "[[slaves]]\nname = \"bot\"\npassword = \"x\"\n[factories.check]",
    );
    let errors = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap_err();
    insta::assert_snapshot!(errors.render(false), @r##"
    error: the name `bot` is used by two slaves, here and on line 5
     --> master.toml:9:8
      |
    9 | name = "bot"
      |        ^^^^^
      |
     ::: master.toml:5:8
      |
    5 | name = "bot"
      |        ----- first used here
      |
      = help: give each slave a name of its own
    "##);
}

#[test]
fn of_very_many_mistakes_the_first_are_shown() {
    let text: String = (0..103).map(|i| format!("x{i} = 1\n")).collect();
    let rendered = parse(&text, "master.toml", &Ok(Zone::UTC))
        .unwrap_err()
        .render(false);
    assert!(rendered.contains("unknown key `x99`") && !rendered.contains("unknown key `x100`"));
    assert!(rendered.ends_with("\n\n… and 3 more"), "{rendered}");
}

#[test]
fn a_buildbot_configuration_in_python_gets_one_error() {
    let text = "from buildbot.plugins import *\nc = BuildmasterConfig = {}\nc['slaves'] = []\n";
    assert_eq!(
        mistakes_of(text),
        "1:1: this is a Buildbot configuration in Python (master.toml is TOML, without code: \
         `buildmaster import-config` translates the configuration of a running master)"
    );
}

#[test]
fn an_empty_file_is_a_configuration_of_nothing() {
    assert_eq!(mistakes_of(""), "accepted");
}

#[test]
fn errors_anywhere_can_be_shown() {
    for span in [0..0, 3..3, 2..99, 99..100, 1..2] {
        let places = Arc::new(Places::of("f", "é\r\nb"));
        let mut error = ConfigError::new(&places, span.clone(), "wrong");
        error.related = Some((span.clone(), "related".to_owned()));
        let errors = ConfigErrors {
            file: "f".to_owned(),
            places,
            errors: vec![error],
            warnings: Vec::new(),
        };
        assert!(errors.render(false).contains("wrong"), "{span:?}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        if let Err(errors) = parse(&text, "master.toml", &Ok(Zone::UTC)) {
            prop_assert!(!errors.render(false).is_empty());
        }
    }

    /// Pieces of configurations in any order get further than mere noise does.
    #[test]
    fn no_mixture_of_lines_panics(picks in proptest::collection::vec((any::<proptest::sample::Index>(), 0_usize..60), 0..40)) {
        let example = include_str!("../../../master.toml.example");
        let lines: Vec<&str> = example.lines().collect();
        let cut = |(pick, from): (proptest::sample::Index, usize)| {
            let line: Vec<char> = pick.get(&lines).chars().collect();
            line.into_iter().skip(from.saturating_sub(30)).collect::<String>()
        };
        let text = picks.into_iter().map(cut).collect::<Vec<_>>().join("\n");
        if let Err(errors) = parse(&text, "master.toml", &Ok(Zone::UTC)) {
            prop_assert!(!errors.render(false).is_empty());
        }
    }
}
