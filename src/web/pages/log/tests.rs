use super::Aim;
use crate::logs::Channel::{self, Header, Stderr, Stdout};
use crate::model::Results;
use crate::web::testing::{Farm, ago};

const LOG: &str = "/builders/linux/builds/0/steps/test/logs/stdio";

fn farm(pieces: &[(Channel, &[u8])], is_closed: bool) -> Farm {
    let mut farm = Farm::new();
    let build = farm.start("linux", 0, Vec::new(), ago(1_000));
    if is_closed {
        farm.finish(build, Results::Failure, ago(900));
    }
    farm.step_log("builders/b/0/0-test/stdio", pieces, is_closed);
    farm
}

fn numbered(lines: u32, is_closed: bool) -> Farm {
    let text: String = (1..=lines).map(|n| format!("line <{n}>\n")).collect();
    farm(&[(Stdout, text.as_bytes())], is_closed)
}

/// The numbers of the lines on a page.
fn shown(page: &str) -> Vec<u64> {
    let ids = page.split(" id=\"L").skip(1);
    let ids = ids.map(|rest| rest.split('"').next().unwrap_or_default());
    ids.filter_map(|id| id.parse().ok()).collect()
}

fn range(first: u64, last: u64) -> Vec<u64> {
    (first..=last).collect()
}

#[test]
fn a_window_has_200_lines_wherever_it_is() {
    let farm = numbered(10_000, true);
    for (args, expected) in [
        ("", range(1, 200)),
        ("?line=", range(1, 200)),
        ("?from=5000", range(5_000, 5_199)),
        ("?line=5000", range(4_927, 5_126)),
        ("?line=-1", range(9_801, 10_000)),
        ("?line=9999", range(9_801, 10_000)),
        ("?line=20000", range(9_801, 10_000)),
    ] {
        assert_eq!(
            shown(&farm.page(&format!("{LOG}{args}"))),
            expected,
            "{args}"
        );
    }
    let page = farm.page(&format!("{LOG}?line=5000-5001"));
    assert_eq!(page.matches("class=\"l on\"").count(), 2);
    assert!(page.contains("line &#60;5000&#62;\n</span>"));
    assert!(page.contains("lines 4927 to 5126"));
    assert!(page.contains(&format!("<a href=\"{LOG}?from=4727\">‹ 200 lines</a>")));
    assert!(page.contains(&format!("<a href=\"{LOG}?from=5127\">200 lines ›</a>")));
    assert!(page.contains("10000 lines, 116 KiB, finished"));
    assert!(!page.contains("data-follow"));
}

#[test]
fn of_a_log_that_grows_the_beginning_and_the_end_are_shown() {
    let farm = numbered(1_000, false);
    let answer = farm.get(LOG);
    assert_eq!(answer.header("cache-control"), "no-store");
    let page = answer.text;
    assert_eq!(shown(&page), [range(1, 6), range(985, 1_000)].concat());
    let cut = format!("<a class=\"cut\" href=\"{LOG}?from=7\">978 lines between</a>");
    assert!(page.contains(&cut), "{page}");
    assert!(page.contains("data-follow=\"1000\""));
    assert!(page.contains("1000 lines so far"));
    assert_eq!(shown(&numbered(22, false).page(LOG)), range(1, 22));
    let stopped = farm.page(&format!("{LOG}?from=985"));
    assert!(!stopped.contains("data-follow"));
}

#[test]
fn a_line_without_its_end_is_followed_from_the_one_before() {
    let farm = farm(&[(Stdout, b"one\ntwo")], false);
    let page = farm.page(LOG);
    assert_eq!(shown(&page), [1, 2]);
    assert!(page.contains("data-follow=\"1\""));
}

#[test]
fn a_search_leads_to_its_hits() {
    let farm = numbered(10_000, true);
    let page = farm.page(&format!("{LOG}?q=777%3E"));
    assert!(page.contains("hit 1 of 10<"), "{page}");
    assert!(page.contains("&#60;<mark>777&#62;</mark>"));
    assert_eq!(shown(&page), range(704, 903));
    let next =
        format!("<a class=\"btn\" href=\"{LOG}?q=777%3E&#38;line=1777#L1777\" rel=\"next\">");
    assert!(page.contains(&next), "{page}");
    let page = farm.page(&format!("{LOG}?q=/%5Eline%20%3C50%2B%3E/&line=500"));
    assert!(page.contains("hit 2 of 3<"), "{page}");
    let none = farm.page(&format!("{LOG}?q=nowhere"));
    assert!(none.contains("not found<"));
    assert_eq!(shown(&none), range(1, 200));
}

#[test]
fn one_channel_is_shown_with_the_true_numbers() {
    let farm = farm(
        &[
            (Header, b"make\n"),
            (Stdout, b"out\n"),
            (Stderr, b"err\n"),
            (Stdout, b"out\n"),
        ],
        true,
    );
    assert_eq!(shown(&farm.page(&format!("{LOG}?channel=stderr"))), [3]);
    assert_eq!(shown(&farm.page(&format!("{LOG}?channel=stdout"))), [2, 4]);
    let whole = farm.page(LOG);
    assert!(whole.contains("class=\"l h\" id=\"L1\""));
    assert!(whole.contains("class=\"l e\" id=\"L3\""));
    assert!(whole.contains(">First error</a>"));
}

#[test]
fn a_wrong_line_or_pattern_is_answered_with_a_sentence() {
    let farm = numbered(3, true);
    for (args, sentence) in [
        (
            "line=x",
            "It must be a line number, a range such as 7-9, or -1",
        ),
        ("line=0", "It must be a line number"),
        (
            "q=/(/",
            "The argument q is not a regular expression: unclosed group.",
        ),
    ] {
        let answer = farm.get(&format!("{LOG}?{args}"));
        assert_eq!(answer.status.as_u16(), 400, "{args}");
        assert!(answer.text.contains(sentence), "{}", answer.text);
    }
    let last = farm.get("/builders/linux/builds/-1/steps/0/logs/stdio");
    assert_eq!((last.status.as_u16(), last.header("location")), (302, LOG));
}

#[test]
fn a_range_may_be_written_in_both_directions() {
    assert_eq!(Aim::parse("9-7"), Some(Aim::Around(7, 9)));
    assert_eq!(Aim::parse("-1"), Some(Aim::Last));
    assert_eq!(Aim::parse("-2"), None);
}

#[test]
fn a_long_log_has_a_map_with_its_hits() {
    let line = "a line of 32 bytes, its line feed\n";
    let many = line.repeat(40_000);
    let pieces: [(Channel, &[u8]); 3] = [
        (Stdout, many.as_bytes()),
        (Stderr, b"error: here\n"),
        (Stdout, b"end\n"),
    ];
    let farm = farm(&pieces, true);
    let page = farm.page(&format!("{LOG}?q=error"));
    assert!(page.contains("Map of the log: standard error and the part that is shown, 1 hit"));
    let hit = "?q=error&amp;line=40001#L40001\"><title>hit in line 40001</title><rect x=\"997\"";
    let hit = hit.replace("&amp;", "&#38;");
    assert!(page.contains(&hit), "{page}");
    // In a short log all can be seen at once.
    assert!(!numbered(3_000, true).page(LOG).contains("class=\"map\""));
}

#[test]
fn web_07_a_log_is_followed_without_script_until_its_end() {
    let farm = numbered(1_000, false);
    let live = farm.page(LOG);
    let link = format!("<noscript><a class=\"btn\" href=\"{LOG}?follow=1\">");
    assert!(live.contains(&link), "{live}");
    // It grows still, so that the page has no end yet.
    let text = farm.follow(&format!("{LOG}?follow=1"), &[]).text;
    assert_eq!(shown(&text), range(801, 1_000));
    assert!(!text.contains("data-follow") && !text.contains("<footer"));
    assert!(text.contains("<title>"), "{text}");
    // What has no end is not sent before it has.
    let farm = self::farm(&[(Stdout, b"one\ntwo")], false);
    let text = farm.follow(&format!("{LOG}?follow=1"), &[]).text;
    assert_eq!(shown(&text), [1]);
    // A log that is complete is a page like others.
    let page = numbered(1_000, true).page(&format!("{LOG}?follow=1"));
    assert!(page.contains("<footer") && !page.contains("<!--rows"));
}
