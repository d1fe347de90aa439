//! The options of the three programs, one by one: what holds for every option holds for new ones
//! too.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsStr;

use buildmaster::cli;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// Texts that people have written as commit messages, reasons and names, and that look like
/// something else.
const TEXTS: [&str; 9] = [
    "- fix the build",
    "-Wall: fix all warnings",
    "--no-verify is gone",
    "--",
    "-",
    "-1 for the old way",
    "--help",
    "--version",
    "",
];

/// An option, and the command that has it.
struct Case {
    path: Vec<String>,
    option: Arg,
}

impl Case {
    /// The command line with the option, which has each of `values` in turn.
    fn words<'a>(&self, flag: &'a str, values: &[&'a str]) -> Vec<String> {
        let pairs = values.iter().flat_map(|value| [flag, *value]);
        let words = pairs.map(str::to_owned);
        self.path.iter().cloned().chain(words).collect()
    }

    /// How the option can be written.
    fn flags(&self) -> Vec<String> {
        let long = self.option.get_long_and_visible_aliases();
        let long = long.into_iter().flatten().map(|name| format!("--{name}"));
        let aliases = self.option.get_all_aliases().into_iter().flatten();
        let aliases = aliases.map(|name| format!("--{name}"));
        let short = self.option.get_all_short_aliases().into_iter().flatten();
        let short = short.chain(self.option.get_short());
        let short = short.map(|c| format!("-{c}"));
        long.chain(aliases).chain(short).collect()
    }

    /// What `command` makes of the words.
    fn read(&self, command: &Command, words: &[String]) -> Result<Vec<String>, ErrorKind> {
        let program = command.get_name().to_owned();
        let words = [program].into_iter().chain(words.iter().cloned());
        let matches = command.clone().try_get_matches_from(words);
        let matches = matches.map_err(|error| error.kind())?;
        let mut innermost: &ArgMatches = &matches;
        while let Some((_, inner)) = innermost.subcommand() {
            innermost = inner;
        }
        let raw = innermost.get_raw(self.option.get_id().as_str()).unwrap();
        Ok(raw.map(OsStr::to_string_lossy).map(Into::into).collect())
    }
}

/// Every option that takes a value.
fn options(command: &Command) -> Vec<Case> {
    let mut found = Vec::new();
    walk(command, &mut Vec::new(), &mut found);
    found
}

fn walk(command: &Command, path: &mut Vec<String>, found: &mut Vec<Case>) {
    for option in command.get_opts() {
        if option.get_action().takes_values() {
            found.push(Case {
                path: path.clone(),
                option: option.clone(),
            });
        }
    }
    for inner in command.get_subcommands() {
        path.push(inner.get_name().to_owned());
        walk(inner, path, found);
        path.pop();
    }
}

#[test]
fn an_option_takes_what_follows_it() {
    for command in cli::program_commands() {
        for case in options(&command) {
            for flag in case.flags() {
                for text in TEXTS {
                    let words = case.words(&flag, &[text]);
                    match case.read(&command, &words) {
                        Ok(values) => assert_eq!(values.last().unwrap(), text, "{words:?}"),
                        // The text was taken, and is not one of the values that the option can
                        // have; or something else is missing.
                        Err(
                            ErrorKind::ValueValidation
                            | ErrorKind::MissingRequiredArgument
                            | ErrorKind::MissingSubcommand
                            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                        ) => {}
                        // The text is not one of a few words, or no name of a file.
                        Err(ErrorKind::InvalidValue)
                            if text.is_empty() || !case.option.get_possible_values().is_empty() => {
                        }
                        Err(kind) => panic!("{} {words:?}: {kind:?}", command.get_name()),
                    }
                }
            }
        }
    }
}

#[test]
fn of_an_option_given_twice_the_last_counts_and_a_list_grows() {
    for command in cli::program_commands() {
        for case in options(&command) {
            for flag in case.flags() {
                let possible = case.option.get_possible_values();
                let known = possible.first().map(|value| value.get_name().to_owned());
                let known = known.unwrap_or_else(|| "1".to_owned());
                let words = case.words(&flag, &[&known, &known]);
                match case.read(&command, &words) {
                    Ok(values) => {
                        let is_list = matches!(case.option.get_action(), ArgAction::Append);
                        let count = if is_list { 2 } else { 1 };
                        assert_eq!(values.len(), count, "{words:?}");
                    }
                    Err(
                        ErrorKind::ValueValidation
                        | ErrorKind::MissingRequiredArgument
                        | ErrorKind::MissingSubcommand
                        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                    ) => {}
                    Err(kind) => panic!("{} {words:?}: {kind:?}", command.get_name()),
                }
            }
        }
    }
}

#[test]
fn a_flag_may_be_given_twice() {
    fn check(command: &Command, path: &mut Vec<String>, whole: &Command) {
        let flags = command.get_arguments();
        let flags = flags.filter(|arg| matches!(arg.get_action(), ArgAction::SetTrue));
        for flag in flags.filter_map(Arg::get_long) {
            let flag = format!("--{flag}");
            let words = [whole.get_name()]
                .into_iter()
                .chain(path.iter().map(String::as_str));
            let words: Vec<&str> = words.chain([flag.as_str(), flag.as_str()]).collect();
            if let Err(error) = whole.clone().try_get_matches_from(&words) {
                let kind = error.kind();
                assert_ne!(kind, ErrorKind::ArgumentConflict, "{words:?}");
                assert_ne!(kind, ErrorKind::UnknownArgument, "{words:?}");
            }
        }
        for inner in command.get_subcommands() {
            path.push(inner.get_name().to_owned());
            check(inner, path, whole);
            path.pop();
        }
    }
    for command in cli::program_commands() {
        check(&command, &mut Vec::new(), &command);
    }
}

/// What the options of `words`, a call of `buildbot`, are read as.
fn buildbot(words: &[&str]) -> ArgMatches {
    let [_, buildbot, _] = cli::program_commands();
    let words = [&["buildbot"], words].concat();
    let matches = buildbot.try_get_matches_from(&words);
    let mut matches = matches.unwrap_or_else(|error| panic!("{words:?}: {error}"));
    matches.remove_subcommand().unwrap().1
}

/// The options of Buildbot 0.7.12, 0.8.14 and 4.3.0, without the short `-m` and `-c` of
/// `sendchange` 0.7, which were given to other options later.
const SENDCHANGE: &str = "--master -m --auth -a --who -W --username -u --repository -R --vc -s --project -P \
    --branch -b --category -C --codebase --revision -r --revision_number -n --revision_file --property -p \
    --comments -c --logfile -F --when -w --revlink -l --encoding -e";
const TRY: &str = "--connect -c --host --tryhost --port --jobdir --trydir --ssh --username -u --master -m --passwd \
    --who -w --comment -C --buildbotbin --diff --patchlevel -p --baserev --vc --branch --repository --builder -b \
    --properties --property --topfile --try-topfile --topdir --try-topdir";
const TRY_FLAGS: &str = "--wait --dryrun -n --get-builder-names --quiet -q";

#[test]
fn every_option_of_buildbots_clients_is_known() {
    for option in SENDCHANGE.split_whitespace() {
        buildbot(&["sendchange", option, "1"]);
    }
    for option in TRY.split_whitespace() {
        buildbot(&["try", option, "1"]);
    }
    for flag in TRY_FLAGS.split_whitespace() {
        buildbot(&["try", flag]);
    }
    buildbot(&["--verbose", "sendchange"]);
    buildbot(&["tryserver", "--jobdir", "-jobs"]);
}

#[test]
fn of_wait_and_no_wait_the_last_counts() {
    for (words, waits) in [
        (&["try", "--wait", "--no-wait"][..], (false, true)),
        (&["try", "--no-wait", "--wait"], (true, false)),
    ] {
        let matches = buildbot(words);
        let found = (matches.get_flag("wait"), matches.get_flag("no_wait"));
        assert_eq!(found, waits, "{words:?}");
    }
}

#[test]
fn what_follows_a_file_name_is_one_too() {
    for (words, files) in [
        (
            vec!["--who", "me", "a", "-b", "--c"],
            vec!["a", "-b", "--c"],
        ),
        (vec!["--", "-a", "--who", "b"], vec!["-a", "--who", "b"]),
        (vec!["a", "--", "b"], vec!["a", "--", "b"]),
        (vec!["-"], vec!["-"]),
    ] {
        let matches = buildbot(&[vec!["sendchange"], words.clone()].concat());
        let found: Vec<_> = matches.get_raw("files").unwrap().collect();
        assert_eq!(found, files, "{words:?}");
    }
}

#[test]
fn an_unknown_option_before_the_files_is_an_error() {
    let [_, buildbot, _] = cli::program_commands();
    let error = buildbot.try_get_matches_from(["buildbot", "sendchange", "--brnach", "x", "f"]);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::UnknownArgument);
}

#[test]
fn every_verb_that_concerns_a_master_takes_basedir() {
    let [program, ..] = cli::program_commands();
    for verb in program.get_subcommands() {
        let name = verb.get_name();
        // They make a directory, or concern none.
        if [
            "create-master",
            "completions",
            "man",
            "schema",
            "hash-password",
            // Its directory is --out.
            "import-config",
            "help",
        ]
        .contains(&name)
        {
            continue;
        }
        let takes = verb
            .get_arguments()
            .any(|arg| arg.get_long() == Some("basedir"));
        assert!(takes, "{name} has no --basedir");
    }
}
