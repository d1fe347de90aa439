use super::*;
use crate::logs::Channel::{Header, Stderr, Stdout};
use crate::model::Results;
use crate::web::testing::{Farm, ago};

const LOG: &str = "/builders/linux/builds/0/steps/test/logs/stdio";
const PIECES: &[(Channel, &[u8])] = &[
    (Header, b"make test\n"),
    (Stdout, b"one\ntwo \x1b[31m<b>\x1b[0m\n"),
    (Stderr, b"oops\n"),
    (Stdout, b"three\n"),
    (Header, b"exit code 1\n"),
];
const WHOLE: &str = "make test\none\ntwo \x1b[31m<b>\x1b[0m\noops\nthree\nexit code 1\n";

fn farm(is_closed: bool) -> Farm {
    let mut farm = Farm::new();
    let build = farm.start("linux", 0, Vec::new(), ago(1_000));
    if is_closed {
        farm.finish(build, Results::Failure, ago(900));
    }
    farm.step_log("builders/b/0/0-test/stdio", PIECES, is_closed);
    farm
}

#[test]
fn a_log_is_sent_as_it_was_written() {
    let answer = farm(true).get(&format!("{LOG}/text"));
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text, WHOLE);
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", &WHOLE.len().to_string()),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("content-disposition", "inline; filename=\"test.stdio.txt\""),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private, max-age=86400"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
}

#[test]
fn lines_and_channels_are_chosen_by_arguments() {
    for is_closed in [true, false] {
        let farm = farm(is_closed);
        let get = |args: &str| farm.get(&format!("{LOG}/text?{args}")).text;
        assert_eq!(get("lines=2-2"), "one\n");
        assert_eq!(get("lines=4"), "oops\n");
        let output = "one\ntwo \x1b[31m<b>\x1b[0m\noops\n";
        assert_eq!(get("lines=1-4&headers=0"), output);
        assert_eq!(get("lines=1-6&channel=stderr"), "oops\n");
        if is_closed {
            assert_eq!(get("channel=header"), "make test\nexit code 1\n");
            assert_eq!(get("tail=2"), "three\nexit code 1\n");
            assert_eq!(get("tail=20"), WHOLE);
            assert_eq!(get("lines=5-"), "three\nexit code 1\n");
            assert_eq!(get("lines=8-9"), "");
        }
    }
    let farm = farm(true);
    for wrong in ["0", "3-2", "x", "-1"] {
        let answer = farm.get(&format!("{LOG}/text?lines={wrong}"));
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(answer.text.contains("a range such as 7-9 or 7-."));
    }
}

#[test]
fn ranges_of_bytes_are_sent_also_of_a_log_that_grows() {
    let range = |is_closed: bool, range: &str| {
        let address = format!("{LOG}/text");
        let mut answers = farm(is_closed).ask(&[(&address, &[("range", range)])]);
        let answer = answers.remove(0);
        let sent = answer.header("content-range").to_owned();
        (answer.status.as_u16(), sent, answer.text)
    };
    let size = WHOLE.len();
    let expected = (206, format!("bytes 5-8/{size}"), "test".to_owned());
    assert_eq!(range(true, "bytes=5-8"), expected);
    let (first, last) = (size - 2, size - 1);
    let sent = format!("bytes {first}-{last}/{size}");
    assert_eq!(range(true, "bytes=-2"), (206, sent, "1\n".to_owned()));
    let sent = format!("bytes {first}-{last}/*");
    let asked = format!("bytes={first}-");
    assert_eq!(range(false, &asked), (206, sent, "1\n".to_owned()));
    let (status, sent, _) = range(true, &format!("bytes={size}-"));
    assert_eq!((status, sent), (416, format!("bytes */{size}")));
    // Several ranges at once are answered with the whole.
    assert_eq!(range(true, "bytes=0-1,3-4").0, 200);
}

#[test]
fn a_reader_who_has_the_log_is_told_so() {
    let farm = farm(true);
    let address = format!("{LOG}/text");
    let first = farm.get(&address);
    let known: &[(&str, &str)] = &[("if-none-match", first.header("etag"))];
    let answers = farm.ask(&[(&address, known)]);
    assert_eq!(answers[0].status, StatusCode::NOT_MODIFIED);
}

#[test]
fn what_is_not_there_is_named_in_a_line_of_text() {
    let farm = farm(true);
    for (address, sentence) in [
        ("7/steps/test", "build \u{201c}linux 7\u{201d}.\n"),
        (
            "0/steps/tset",
            "step \u{201c}tset\u{201d}. Did you mean test?\n",
        ),
    ] {
        let answer = farm.get(&format!("/builders/linux/builds/{address}/logs/stdio/text"));
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.text, format!("There is no {sentence}"));
    }
    let by_number = farm.get("/builders/linux/builds/-1/steps/0/logs/stdio/text");
    assert_eq!(by_number.text, WHOLE);
}
