//! What all pages have in common.

use super::*;

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    for (command, expected) in [
        (
            "builds quik",
            r#"there is no builder "quik"; did you mean "quick"?"#,
        ),
        (
            "build xyz 0",
            r#"there is no builder "xyz"; there are "full" and "quick""#,
        ),
        (
            "build quick 7",
            "there is no build quick/7; the last one is quick/1",
        ),
        ("build full 0", "full has no builds yet"),
        ("change 9", "there is no change 9"),
        (
            "log quick 0 tets stdio",
            r#"there is no step "tets"; did you mean "test"?"#,
        ),
        (
            "log quick 0 test err",
            r#"there is no log "err"; there are "stdio""#,
        ),
        (
            "log quick 1 test",
            r#"there is no step "test"; there are none yet"#,
        ),
    ] {
        assert_eq!(refusal(command), expected);
    }
    let empty = tempfile::tempdir().unwrap();
    let error = try_shown(empty.path(), "builders", false).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is this the base directory of a master?")
    );
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn an_empty_state_is_shown_as_such() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap();
    for (what, expected) in [
        ("builders", "the configuration has no builders\n"),
        ("slaves", "the configuration has no slaves\n"),
        ("changes", "no changes yet\n"),
        ("requests", "no requests\n"),
        ("builds", "no builds yet\n"),
        ("builds --json", ""),
    ] {
        assert_eq!(try_shown(dir.path(), what, false).unwrap(), expected);
    }
}

#[test]
fn colours_do_not_move_the_columns() {
    let coloured = try_shown(a_state().path(), "builds", true).unwrap();
    assert!(coloured.contains("\x1b[31mnew failure: test\x1b[0m  2011"));
    assert!(coloured.contains("\x1b[35minterrupted\x1b[0m        2011"));
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
    assert!(is_broken_pipe(&error.context("cannot read the log x.log")));
}
