//! What is made of the command line and the options file.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use clap::Parser;

use super::super::OptionsFile;
use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    given: Given,
}

/// The settings of a command line and the text of an options file.
fn prepare(line: &str, options: &str) -> Result<Settings, String> {
    let options = OptionsFile::parse(options, PathBuf::from("options")).unwrap();
    let words = std::iter::once("try").chain(line.split_whitespace());
    let line = Line::try_parse_from(words).map_err(|e| e.to_string())?;
    line.given.prepare(&options).map_err(|failed| {
        assert_eq!(failed.exit_code(), 2);
        failed.to_string()
    })
}

fn ssh_command(line: &str, options: &str) -> String {
    match prepare(line, options).unwrap().way {
        Way::Ssh(way) => way.command.join("|"),
        Way::Pb(_) => unreachable!("ssh was asked for"),
    }
}

const PB: &str = "-c pb -m m:8031 -u alice --passwd pw";
const SSH: &str = "-c ssh --host h --jobdir /jobs";

#[test]
fn the_least_has_buildbots_defaults() {
    let settings = prepare(PB, "").unwrap();
    assert_eq!(
        settings,
        Settings {
            way: Way::Pb(PbWay {
                host: "m".to_owned(),
                port: 8031,
                user: "alice".to_owned(),
                password: Some("pw".to_owned()),
            }),
            action: Action::Send,
            origin: Origin::Tree {
                vc: None,
                topdir: None,
                topfile: None,
            },
            patch_level: None,
            base_revision: None,
            branch: None,
            repository: None,
            codebase: None,
            builders: Vec::new(),
            properties: Default::default(),
            who: None,
            comment: None,
            quiet: false,
            warnings_ok: false,
        }
    );
    assert!(!format!("{settings:?}").contains("pw"));
    assert_eq!(
        ssh_command(SSH, ""),
        "ssh|h|buildbot|tryserver|--jobdir|/jobs"
    );
}

#[test]
fn every_option_has_its_place() {
    let line = "--who zoe -C please --diff f -p 2 --baserev r1 --branch b --repository repo -b x --builder y \
                --properties p=1,q=a=b --property r= -D s=t --wait --warnings-ok -q";
    let settings = prepare(&format!("{PB} {line}"), "").unwrap();
    let some = |text: &str| Some(text.to_owned());
    let properties = [("p", "1"), ("q", "a=b"), ("r", ""), ("s", "t")];
    assert_eq!(settings.action, Action::Follow);
    assert_eq!(settings.origin, Origin::Diff(PathBuf::from("f")));
    assert_eq!(settings.patch_level, Some(2));
    assert_eq!(settings.base_revision, some("r1"));
    assert_eq!(settings.branch, some("b"));
    assert_eq!(settings.repository, some("repo"));
    assert_eq!(settings.builders, ["x", "y"]);
    assert_eq!(
        settings.properties,
        properties.map(|(n, v)| (n.to_owned(), v.to_owned())).into()
    );
    assert_eq!(settings.who, some("zoe"));
    assert_eq!(settings.comment, some("please"));
    assert!(settings.quiet && settings.warnings_ok);
    let line = "--port 22 -u bob --buildbotbin /bin/bb --vc svn --topdir d --topfile f";
    assert_eq!(
        ssh_command(&format!("{SSH} {line}"), ""),
        "ssh|-l|bob|-p|22|h|/bin/bb|tryserver|--jobdir|/jobs"
    );
    assert_eq!(
        prepare(&format!("{SSH} {line}"), "").unwrap().origin,
        Origin::Tree {
            vc: some("svn"),
            topdir: Some(PathBuf::from("d")),
            topfile: some("f"),
        }
    );
}

#[test]
fn cli_04_the_command_line_wins_over_the_options_file() {
    let file = "try_connect = 'ssh'\ntry_host = 'fh'\ntry_jobdir = '/fj'\ntry_username = 'fu'\ntry_who = 'fw'\n\
                try_comment = 'fc'\ntry_branch = 'fb'\ntry_repository = 'fr'\ntry_builders = ['f1', 'f2']\n\
                try_buildbotbin = 'fbb'\ntry_ssh = \"rsh '-a b'\"\ntry_quiet = True\ntry_vc = 'hg'\n\
                try_topdir = 'ft'\ntry_topfile = 'ff'\n";
    assert_eq!(
        ssh_command("", file),
        "rsh|-a b|-l|fu|fh|fbb|tryserver|--jobdir|/fj"
    );
    let from_file = prepare("", file).unwrap();
    assert_eq!(from_file.builders, ["f1", "f2"]);
    assert_eq!(from_file.who.as_deref(), Some("fw"));
    assert_eq!(from_file.comment.as_deref(), Some("fc"));
    assert_eq!(from_file.branch.as_deref(), Some("fb"));
    assert_eq!(from_file.repository.as_deref(), Some("fr"));
    assert!(from_file.quiet);
    assert_eq!(
        from_file.origin,
        Origin::Tree {
            vc: Some("hg".to_owned()),
            topdir: Some(PathBuf::from("ft")),
            topfile: Some("ff".to_owned()),
        }
    );
    let line =
        "--host h --jobdir /j --username u --who w --branch b --builder x --buildbotbin bb --ssh s";
    assert_eq!(ssh_command(line, file), "s|-l|u|h|bb|tryserver|--jobdir|/j");
    let from_line = prepare(line, file).unwrap();
    assert_eq!(from_line.builders, ["x"]);
    assert_eq!(from_line.who.as_deref(), Some("w"));
    assert_eq!(from_line.branch.as_deref(), Some("b"));
}

#[test]
fn old_spellings_of_the_options_file_are_known() {
    for master in ["try_master", "try_masterstatus", "masterstatus"] {
        for password in ["try_passwd", "try_password"] {
            let file = format!(
                "try_connect = 'pb'\n{master} = 'h:1'\ntry_username = 'u'\n{password} = 'p'\ntry_wait = 1\n"
            );
            let settings = prepare("", &file).unwrap();
            assert_eq!(settings.action, Action::Follow);
            let Way::Pb(way) = settings.way else {
                unreachable!("pb was asked for")
            };
            assert_eq!(
                (way.host.as_str(), way.password.as_deref()),
                ("h", Some("p"))
            );
        }
    }
    assert!(ssh_command("-c ssh --host h", "try_dir = '/old'").ends_with("|/old"));
}

#[test]
fn what_is_missing_or_malformed_is_named_with_its_key() {
    for (line, expected) in [
        (
            "",
            "--connect is missing, and no options file says try_connect",
        ),
        ("-c telnet", "--connect: 'telnet' is not supported"),
        (
            "-c pb",
            "--master is missing, and no options file says try_master",
        ),
        (
            "-c pb -m nowhere",
            "--master: 'nowhere' must have the form HOST:PORT",
        ),
        (
            "-c pb -m h:1",
            "--username is missing, and no options file says try_username",
        ),
        (
            "-c ssh",
            "--host is missing, and no options file says try_host",
        ),
        (
            "-c ssh --host h",
            "--jobdir is missing, and no options file says try_jobdir",
        ),
        (
            "-c ssh --host=-oProxyCommand=x --jobdir j",
            "is not a host name",
        ),
        (
            "-c ssh --host h --jobdir j --ssh '",
            "--ssh: ''' is not a command",
        ),
        (
            "-c ssh --host h --jobdir j --wait",
            "--wait does not work over ssh",
        ),
        (
            "-c ssh --get-builder-names",
            "--get-builder-names does not work over ssh",
        ),
        (
            "-c ssh --host h --jobdir j --property x",
            "--property: 'x' must have the form NAME=VALUE",
        ),
        (
            "-c ssh --host h --jobdir j --properties a=1,b",
            "--properties: 'b' must have",
        ),
        ("-p x", "invalid value 'x' for '--patchlevel"),
    ] {
        let error = prepare(line, "").unwrap_err();
        assert!(error.contains(expected), "{line}: {error}");
    }
    let error = prepare(PB, "try_wait = 'yes'").unwrap_err();
    assert!(error.contains("try_wait must be True or False"), "{error}");
    let error = prepare(PB, "try_builders = 3").unwrap_err();
    assert!(
        error.contains("try_builders must be a list of strings"),
        "{error}"
    );
}

#[test]
fn no_wait_wins_over_the_options_file() {
    let action = |line: &str| prepare(line, "try_wait = True").unwrap().action;
    assert_eq!(action(PB), Action::Follow);
    assert_eq!(action(&format!("{PB} --no-wait")), Action::Send);
}

#[test]
fn what_to_do_follows_from_the_flags() {
    for (flags, action) in [
        ("--wait", Action::Follow),
        ("--wait -n", Action::Show),
        ("--dryrun", Action::Show),
        ("--get-builder-names --wait -n", Action::ListBuilders),
    ] {
        assert_eq!(
            prepare(&format!("{PB} {flags}"), "").unwrap().action,
            action
        );
    }
}
