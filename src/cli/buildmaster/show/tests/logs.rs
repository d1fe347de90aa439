//! `show log`: which log is meant, and what of it goes where.

use super::*;

/// The state with these pieces in the log of step `test` of build 0, which failed.
fn state_with(pieces: &[(Channel, &str)]) -> tempfile::TempDir {
    let dir = a_state();
    let logs = LogStore::start(dir.path().to_owned()).unwrap();
    let mut log = logs.create("builders/quick/0/1-test/stdio");
    block_on(async {
        for (channel, text) in pieces {
            log.append(*channel, (*text).to_owned().into()).await;
        }
        log.close().await;
    });
    dir
}

/// What goes to standard output and to standard error.
fn streams(dir: &tempfile::TempDir, command: &str, terminal: Option<bool>) -> (String, String) {
    let words = ["show", "--basedir", dir.path().to_str().unwrap()];
    let words = words.into_iter().chain(command.split(' '));
    let args = Show::try_parse_from(words).unwrap().args;
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let mut screen = Screen {
        is_coloured: terminal == Some(true),
        width: terminal.map(|_| 80),
        format_time: |at, format| at.format(format).to_string(),
        out: &mut out,
        notes: &mut notes,
    };
    show(&args, &mut screen, at(100)).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out), text(notes))
}

const PIECES: &[(Channel, &str)] = &[
    (Channel::Header, "make test\n"),
    (Channel::Stdout, "\x1b[31mred\x1b[0m\x1b]0;title\x07\r\n"),
    (
        Channel::Header,
        "\nOutput exceeded 9 bytes, remaining output has been truncated\n",
    ),
];

#[test]
fn a_log_can_be_shown_from_a_line_on() {
    let dir = state_with(&[
        (Channel::Header, "make test\n"),
        (Channel::Stdout, "one\ntwo\n"),
        (Channel::Header, "exit code 1\n"),
    ]);
    let from_line = |line| streams(&dir, &format!("log quick 0 --headers --line {line}"), None).0;
    assert_eq!(from_line(3), "two\nexit code 1\n");
    assert_eq!(from_line(1), "make test\none\ntwo\nexit code 1\n");
}

#[test]
fn what_the_command_printed_and_what_is_said_about_it_are_told_apart() {
    let dir = state_with(PIECES);
    let output = PIECES[1].1;
    let headers = [PIECES[0].1, PIECES[2].1].concat();
    let all = [PIECES[0].1, output, PIECES[2].1].concat();
    let none = String::new();
    for (options, expected) in [
        ("", (output.to_owned(), headers)),
        (" --headers", (all, none.clone())),
        // What was cut is marked all the same.
        (" --output", ([output, PIECES[2].1].concat(), none.clone())),
    ] {
        let shown = streams(&dir, &format!("log quick 0{options}"), None);
        assert_eq!(shown, expected, "{options}");
    }
    // On a terminal all is shown, also that something is missing, and nothing steers it.
    let plain = "make test\nred^[]0;title^G\n\nOutput exceeded 9 bytes, remaining output has been truncated\n";
    assert_eq!(
        streams(&dir, "log quick 0", Some(false)),
        (plain.to_owned(), none)
    );
    let (coloured, _) = streams(&dir, "log quick 0 test stdio", Some(true));
    assert!(
        coloured.contains("\x1b[31mred\x1b[0m^[]0;title^G\n"),
        "{coloured:?}"
    );
    assert!(
        coloured.starts_with("\x1b[36mmake test\n\x1b[0m"),
        "{coloured:?}"
    );
}

#[test]
fn where_no_step_failed_the_steps_are_named() {
    let dir = state_with(PIECES);
    let why = try_shown(dir.path(), "log quick 1", false).unwrap_err();
    assert_eq!(why.to_string(), "build quick/1 has no steps");
}

#[test]
fn a_log_is_copied_byte_for_byte() {
    let dir = a_state();
    let logs = LogStore::start(dir.path().to_owned()).unwrap();
    let mut log = logs.create("builders/quick/0/0-compile/stdio");
    block_on(async {
        for (channel, text) in [
            (Channel::Header, "make\n"),
            (Channel::Stdout, "one\r\x1b["),
            (Channel::Stderr, "two"),
            (Channel::Header, "\nexit 0"),
        ] {
            log.append(channel, text.into()).await;
        }
        log.close().await;
    });
    let shown = |command| try_shown(dir.path(), command, false).unwrap();
    assert_eq!(shown("log quick 0 compile"), "one\r\x1b[two");
    assert_eq!(shown("log quick 0 compile stdio"), "one\r\x1b[two");
    assert_eq!(
        shown("log quick 0 compile stdio --headers"),
        "make\none\r\x1b[two\nexit 0"
    );
    let missing = try_shown(dir.path(), "log quick 0 test stdio", false).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read the log "));
}
