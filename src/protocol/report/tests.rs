#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::string_slice,
    reason = "tests"
)]

use base64::Engine as _;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use super::*;
use crate::model::{TestFormat, TestOutcome};

struct Case {
    place: String,
    format: TestFormat,
    text: Vec<u8>,
    expect: Value,
}

fn cases() -> Vec<Case> {
    let all: Value =
        serde_json::from_str(include_str!("../../../tests/data/report-cases.json")).unwrap();
    let all = all["cases"].as_array().unwrap().iter().map(|case| {
        let given = &case["given"];
        let text = given["text"].as_str().unwrap();
        let format = TestFormat::named(given["format"].as_str().unwrap()).unwrap();
        let decoder = base64::engine::general_purpose::STANDARD;
        Case {
            place: format!("{} {}", case["id"], case["name"]),
            format,
            text: match format {
                TestFormat::Subunit2 => decoder.decode(text).unwrap(),
                _ => text.as_bytes().to_vec(),
            },
            expect: case["expect"].clone(),
        }
    });
    all.collect()
}

const fn name(outcome: TestOutcome) -> &'static str {
    match outcome {
        TestOutcome::Passed => "passed",
        TestOutcome::Failed => "failed",
        TestOutcome::Error => "error",
        TestOutcome::Skipped => "skipped",
        TestOutcome::ExpectedFailure => "xfail",
        TestOutcome::UnexpectedSuccess | TestOutcome::BadSuccess => "xpass",
    }
}

/// A test as the cases show it. Fields that a case may leave out are there only if it has them.
fn shown(test: &Test, expected: &Value) -> Value {
    let mut all = Map::new();
    all.insert("id".to_owned(), test.name.parts().collect());
    all.insert("outcome".to_owned(), name(test.outcome).into());
    if !expected["secs"].is_null() {
        let secs = test.secs.map(|secs| (secs * 1e6).round() / 1e6);
        all.insert("secs".to_owned(), json!(secs));
    }
    if let Some(message) = &test.message {
        all.insert("message".to_owned(), message.as_str().into());
    }
    if test.is_flaky {
        all.insert("flaky".to_owned(), true.into());
    }
    if test.attempts > 1 {
        all.insert("attempts".to_owned(), test.attempts.into());
    }
    if name(test.outcome) == "xpass" {
        all.insert("bad".to_owned(), test.outcome.is_bad().into());
    }
    Value::Object(all)
}

fn check(report: &Report, case: &Case, how: &str) {
    let (place, expect) = (&case.place, &case.expect);
    let empty = Vec::new();
    let tests = expect["tests"].as_array().unwrap_or(&empty);
    let nothing = Value::Null;
    let seen = report.tests.iter().enumerate();
    let seen: Vec<_> = seen
        .map(|(at, test)| shown(test, tests.get(at).unwrap_or(&nothing)))
        .collect();
    let mut expected = tests.clone();
    for test in &mut expected {
        if let Some(secs) = test["secs"].as_f64() {
            test["secs"] = json!(secs);
        }
    }
    assert_eq!(seen, expected, "{place} {how}");
    assert_eq!(report.is_complete, expect["complete"], "{place} {how}");
    let mut counts = Map::new();
    for test in &report.tests {
        let name = match test.outcome {
            TestOutcome::BadSuccess => "xpass_bad",
            outcome => name(outcome),
        };
        let count = counts.entry(name).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap() + 1);
    }
    assert_eq!(Value::Object(counts), expect["counts"], "{place} {how}");
    assert_eq!(report.counts.flaky, expect["flaky"], "{place} {how}");
    if let Some(notes) = expect["notes"].as_array() {
        assert_eq!(&report.notes, notes, "{place} {how}");
    }
}

#[test]
fn tst_05_tst_06_all_cases_of_reports() {
    let cases = cases();
    assert_eq!(cases.len(), 63);
    for case in &cases {
        let mut reading = Reading::new(case.format);
        reading.feed(&case.text);
        check(&reading.finish(), case, "whole");
    }
}

#[test]
fn tst_02_a_report_is_the_same_however_it_is_cut() {
    for case in cases() {
        for at in 0..=case.text.len() {
            let (one, other) = case.text.split_at(at);
            let mut reading = Reading::new(case.format);
            reading.feed(one);
            reading.feed(other);
            check(&reading.finish(), &case, &format!("cut at {at}"));
        }
        let mut reading = Reading::new(case.format);
        case.text.chunks(1).for_each(|byte| reading.feed(byte));
        check(&reading.finish(), &case, "byte by byte");
    }
}

#[test]
fn tst_12_random_damage_breaks_no_promise() {
    let mut random = StdRng::seed_from_u64(20_26);
    let mut cases = cases();
    cases.push(Case {
        place: "one JSON object a test".to_owned(),
        format: TestFormat::Own,
        text: b"{\"name\":[\"a\",\"b\"],\"outcome\":\"failed\",\"secs\":1.5,\"message\":\"m\",\
            \"attempts\":2,\"flaky\":true,\"offset\":1,\"length\":2}\n{\"complete\":true}\n"
            .to_vec(),
        expect: Value::Null,
    });
    let rounds = if std::env::var_os("SLOW_TESTS").is_some() {
        400_000
    } else {
        1500
    };
    for round in 0..rounds {
        let case = &cases[round % cases.len()];
        let format = TestFormat::ALL
            .iter()
            .position(|(_, known)| *known == case.format);
        let format = format.unwrap_or(TestFormat::ALL.len());
        let mut data = vec![u8::try_from(format).unwrap(), random.random()];
        data.extend(&case.text);
        for _ in 0..random.random_range(1..8) {
            let at = random.random_range(2..=data.len());
            match random.random_range(0..5) {
                0 if at < data.len() => data[at] = random.random(),
                1 if at < data.len() => drop(data.remove(at)),
                2 => data.insert(at, random.random()),
                3 => data.truncate(at),
                _ => {
                    let from = random.random_range(2..=at);
                    let again = data[from..at].to_vec();
                    data.splice(from..from, again);
                }
            }
        }
        fuzz::report(&data);
    }
}

/// Feeds `piece` until `bytes` were given. Answers the report, and the most memory of the reader.
fn long(format: TestFormat, head: &str, piece: &str, bytes: usize) -> (Report, usize) {
    let mut reading = Reading::new(format);
    reading.feed(head.as_bytes());
    let block = piece.repeat((64 << 10) / piece.len() + 1);
    let (mut fed, mut most) = (0, 0);
    while fed < bytes {
        reading.feed(block.as_bytes());
        fed += block.len();
        most = most.max(reading.memory());
    }
    (reading.finish(), most)
}

/// How much of each format is read: with `SLOW_TESTS` a GiB.
fn how_much() -> usize {
    if std::env::var_os("SLOW_TESTS").is_some() {
        1 << 30
    } else {
        5 << 20
    }
}

#[test]
fn tst_02_a_reader_keeps_at_most_four_mib() {
    let hostile = [
        (
            TestFormat::Junit,
            "<testsuite name='s'>",
            "<testsuite name='x'>",
        ),
        (
            TestFormat::Junit,
            "<testsuite name='s'><testcase name='",
            "endless ",
        ),
        (
            TestFormat::Junit,
            "<testsuite><testcase><failure>",
            "text\n",
        ),
        (TestFormat::Junit, "<testsuite>", "<testcase name='a'/>"),
        (TestFormat::Tap, "", "    ok 1 - a child without a parent\n"),
        (TestFormat::Tap, "", "not ok 1 - a\n  ---\n  message: 'm'\n"),
        (TestFormat::Prove, "", "t/a.t .. \n1..9\nok 1 - a\n"),
        (TestFormat::Subunit1, "", "test: a\nfailure: a [\nx\n]\n"),
        (TestFormat::Subunit1, "test: a\nfailure: a [\n", "endless\n"),
        (TestFormat::Subunit2, "", "\u{33}\u{b3}+\u{3}"),
        (TestFormat::Gtest, "", "[ RUN      ] A.b\nx\n"),
        (
            TestFormat::Go,
            "",
            "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n",
        ),
        (TestFormat::Libtest, "running 2 tests\n", "test a ... \n"),
        (
            TestFormat::Nextest,
            "",
            "  TRY 1 FAIL [   0.010s] (1/2) nx m::a\n",
        ),
        (TestFormat::Pytest, "", "t.py::test_a RERUN\n"),
        (
            TestFormat::Ctest,
            "",
            "1/1 Test #1: a ......***Failed 0.1 sec\n",
        ),
        (TestFormat::Lit, "", "FAIL: W :: a (1 of 8)\n"),
        (TestFormat::Trial, "", "a.B.c ... [OK]\n"),
        (TestFormat::Trial, &"=".repeat(60), "x\n"),
        (
            TestFormat::Own,
            "",
            "{\"name\":\"a\",\"outcome\":\"failed\"}\n",
        ),
    ];
    for (format, head, piece) in hostile {
        let (report, most) = long(format, head, piece, how_much());
        assert!(most <= MOST_MEMORY, "{format:?} kept {most} bytes");
        assert!(report.notes.len() <= 20, "{format:?}");
    }
    for (_, format) in TestFormat::ALL {
        let (_, most) = long(format, "", "a line without an end ", how_much());
        assert!(
            most <= MOST_MEMORY,
            "{format:?} kept {most} bytes of a line"
        );
    }
}

/// Reads TAP of `count` tests, of which each hundredth fails.
fn tap(count: u32) -> Report {
    let mut reading = Reading::new(TestFormat::Tap);
    for number in 1..=count {
        let not = if number % 100 == 0 { "not " } else { "" };
        reading.feed(format!("{not}ok {number} - case {number}\n").as_bytes());
    }
    reading.feed(format!("1..{count}\n").as_bytes());
    reading.finish()
}

#[test]
fn tst_02_of_more_tests_than_the_limit_only_bad_ones_are_named() {
    let report = tap(500_000);
    assert_eq!((report.tests.len(), report.notes.len()), (500_000, 0));
    let report = tap(500_300);
    assert_eq!(report.tests.len(), 500_003);
    assert_eq!(report.counts.total(), 500_300);
    assert_eq!(report.counts.failed, 5_003);
    assert!(report.is_complete);
    assert_eq!(
        report.notes,
        ["more than 500000 tests: further ones are counted, and only bad ones named"]
    );
}

#[test]
fn tst_02_messages_are_cut_and_all_of_them_are_limited() {
    let mut reading = Reading::new(TestFormat::Own);
    for number in 0..600 {
        let message = "m".repeat(9000);
        let line = json!({"name": format!("t{number}"), "outcome": "failed", "message": message});
        reading.feed(format!("{line}\n").as_bytes());
    }
    let report = reading.finish();
    let messages: Vec<_> = report
        .tests
        .iter()
        .filter_map(|t| t.message.as_ref())
        .collect();
    assert_eq!(messages.len(), (4 << 20) / MOST_MESSAGE);
    assert!(messages.iter().all(|message| message.len() == MOST_MESSAGE));
    assert_eq!(report.notes, ["messages beyond 4194304 bytes are left out"]);
}

#[test]
fn tst_08_a_message_says_where_its_text_is() {
    let text = "<testsuite name='s'><testcase name='t'><failure>one\ntwo</failure></testcase>\
        </testsuite>";
    let mut reading = Reading::new(TestFormat::Junit);
    reading.feed(text.as_bytes());
    let report = reading.finish();
    let (begin, length) = report.tests[0].place.unwrap();
    let range = usize::try_from(begin).unwrap()..usize::try_from(begin + length).unwrap();
    assert_eq!(&text[range], "one\ntwo</failure>");
}

/// What a report of one bad test says of it: its name, outcome and message.
fn said(format: TestFormat, text: &str) -> (String, &'static str, String) {
    let mut reading = Reading::new(format);
    reading.feed(text.as_bytes());
    let report = reading.finish();
    let test = report.tests.iter().find(|test| test.outcome.is_bad());
    let test = test.unwrap();
    let message = test.message.clone().unwrap_or_default();
    (test.name.shown(), name(test.outcome), message)
}

#[test]
fn tst_05_the_parts_of_details_of_subunit_are_not_the_message() {
    let text = "test: a\nsuccessful: a [ multipart\n]\ntest: b\nfailure: b [ multipart\n\
        Content-Type: text/x-traceback;charset=utf8\ntraceback\n61\n\
        Traceback (most recent call last):\n  File \"x.py\", line 4, in b\n\
        AssertionError: [1] != [2]\n\n+ [2]\n0\n]\n";
    let expected = (
        "b".to_owned(),
        "failed",
        "AssertionError: [1] != [2]".to_owned(),
    );
    assert_eq!(said(TestFormat::Subunit1, text), expected);
    let text = "test: c\nerror: c [ multipart\nContent-Type: text/plain\nreason\n3\nwhy0\n]\n";
    let expected = ("c".to_owned(), "error", "why".to_owned());
    assert_eq!(said(TestFormat::Subunit1, text), expected);
}

#[test]
fn tst_05_the_reporter_of_trial_steps_says_failure() {
    let text = "a.B.test_x ... [FAILURE]\n\n===============================================\
        ================================\n[FAIL]\nTraceback (most recent call last):\n\
        twisted.trial.unittest.FailTest: 1 != 2\n\na.B.test_x\n------------------------------------\
        -------------------------------------------\nRan 1 tests in 0.010s\n";
    let (test, outcome, message) = said(TestFormat::Trial, text);
    assert_eq!((test.as_str(), outcome), ("a.B.test_x", "failed"));
    assert_eq!(message, "twisted.trial.unittest.FailTest: 1 != 2");
}

#[test]
fn tst_08_the_text_of_a_bad_test_is_what_was_written_about_it() {
    let check = |format, text: &str, expected: &[(&str, &str)]| {
        let mut reading = Reading::new(format);
        text.as_bytes()
            .chunks(7)
            .for_each(|part| reading.feed(part));
        let report = reading.finish();
        let placed = report.tests.iter().filter(|test| test.place.is_some());
        let seen: Vec<_> = placed
            .map(|test| {
                let (begin, length) = test.place.unwrap();
                let begin = usize::try_from(begin).unwrap();
                let end = begin + usize::try_from(length).unwrap();
                (test.name.shown(), &text[begin..end])
            })
            .collect();
        let seen: Vec<_> = seen
            .iter()
            .map(|(name, text)| (name.as_str(), *text))
            .collect();
        assert_eq!(seen, expected, "{format:?}");
    };
    check(
        TestFormat::Tap,
        "1..3\nnot ok 1 - a\n# got 7\n  ---\n  message: no\n  ...\nok 2\nnot ok 3 - c\n# end\n",
        &[
            ("a", "not ok 1 - a\n# got 7\n  ---\n  message: no\n  ...\n"),
            ("c", "not ok 3 - c\n# end\n"),
        ],
    );
    check(
        TestFormat::Pytest,
        "===== test session starts =====\nx.py::test_a FAILED [ 50%]\nx.py::C::test_b PASSED [100%]\n\
         ===== FAILURES =====\n____ test_a ____\n  assert 1\nE  no\n\
         ===== short test summary info =====\nFAILED x.py::test_a - no\n\
         ===== 1 failed, 1 passed in 0.1s =====\n",
        &[("x.py.test_a", "____ test_a ____\n  assert 1\nE  no\n")],
    );
    check(
        TestFormat::Libtest,
        "running 1 test\ntest a ... FAILED\n\nfailures:\n\n\
         ---- a stdout ----\nwhy\n\nfailures:\n    a\n\n\
         test result: FAILED. 0 passed; 1 failed\n",
        &[("-.a", "---- a stdout ----\nwhy\n\n")],
    );
    check(
        TestFormat::Ctest,
        "1/2 Test #1: a ......***Failed 0.1 sec\ndetail\n2/2 Test #2: b ......   Passed 0.1 sec\n\
         50% tests passed, 1 tests failed out of 2\n",
        &[("a", "1/2 Test #1: a ......***Failed 0.1 sec\ndetail\n")],
    );
    check(
        TestFormat::Go,
        "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n\
         {\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"T\",\"Output\":\"no\\n\"}\n\
         {\"Action\":\"fail\",\"Package\":\"p\",\"Test\":\"T\"}\n",
        &[(
            "p.T",
            "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n\
             {\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"T\",\"Output\":\"no\\n\"}\n",
        )],
    );
    check(
        TestFormat::Own,
        "{\"name\":\"a\",\"outcome\":\"failed\"}\n",
        &[],
    );
}

#[test]
fn tst_05_the_output_of_failed_tests_of_pytest_is_not_results() {
    let text = "\
============================= test session starts ==============================
collecting ... collected 3 items

test_x.py::test_bad FAILED                                               [ 33%]
test_x.py::test_teardown PASSED                                          [ 66%]
test_x.py::test_teardown ERROR                                           [ 66%]
test_x.py::TestC::test_par[a::b x] PASSED                                [100%]

=================================== FAILURES ===================================
___________________________________ test_bad ___________________________________
----------------------------- Captured stdout call -----------------------------
test_x.py::test_fake PASSED
=========================== short test summary info ============================
FAILED test_x.py::test_bad - assert 1 == 2
ERROR test_x.py::test_teardown - RuntimeError: down
========== 1 failed, 2 passed, 1 error in 0.09s ==========
";
    let mut reading = Reading::new(TestFormat::Pytest);
    reading.feed(text.as_bytes());
    let report = reading.finish();
    let seen: Vec<_> = report
        .tests
        .iter()
        .map(|test| (test.name.shown(), name(test.outcome), test.attempts))
        .collect();
    let seen: Vec<_> = seen
        .iter()
        .map(|(name, how, tries)| (name.as_str(), *how, *tries))
        .collect();
    assert_eq!(
        seen,
        [
            ("test_x.py.test_bad", "failed", 1),
            ("test_x.py.test_teardown", "error", 1),
            ("test_x.py.TestC::test_par[a::b x]", "passed", 1),
        ]
    );
    assert!(report.is_complete);
}
