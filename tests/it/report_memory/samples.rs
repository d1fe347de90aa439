//! Large reports of each format, as the tools write them: results of tests, and much other output.

use buildmaster::model::TestFormat;

/// One test of this many fails.
pub(super) const FAILS: usize = 100;

/// A report: the head, then each test with filler behind it, then the tail.
pub(super) struct Sample {
    pub(super) head: String,
    /// The result of a test, which has a number from 1.
    pub(super) test: fn(usize) -> Vec<u8>,
    /// A line of other output.
    pub(super) filler: &'static str,
    /// What follows the filler.
    pub(super) close: &'static str,
    pub(super) tail: String,
}

const OUTPUT: &str = "src/reader.c:214 the output of a program has many lines like this one\n";

impl Sample {
    /// A report with this many tests.
    pub(super) fn new(format: TestFormat, tests: usize) -> Self {
        let plain = |head: String, test, tail: String| Self {
            head,
            test,
            filler: OUTPUT,
            close: "",
            tail,
        };
        match format {
            TestFormat::Junit => Self {
                close: "</system-out></testcase>\n",
                ..plain(
                    "<?xml version=\"1.0\"?>\n<testsuites><testsuite name=\"s\">\n".to_owned(),
                    junit,
                    "</testsuite></testsuites>\n".to_owned(),
                )
            },
            TestFormat::Tap => plain(format!("1..{tests}\n"), tap, String::new()),
            TestFormat::Prove => plain(format!("t/a.t .. \n1..{tests}\n"), tap, prove_end(tests)),
            TestFormat::Subunit1 => plain(String::new(), subunit1, String::new()),
            TestFormat::Subunit2 => plain(String::new(), subunit2, String::new()),
            TestFormat::Gtest => plain(
                format!("[==========] Running {tests} tests from 1 test suite.\n"),
                gtest,
                format!("[==========] {tests} tests from 1 test suite ran. (15 ms total)\n"),
            ),
            TestFormat::Go => Self {
                filler: "{\"Action\":\"output\",\"Package\":\"p\",\"Output\":\"a line like many\\n\"}\n",
                ..plain(String::new(), go, GO_END.to_owned())
            },
            TestFormat::Libtest => plain(libtest_begin(tests), libtest, libtest_end(tests)),
            TestFormat::Nextest => plain(
                format!("    Starting {tests} tests across 1 binary\n"),
                nextest,
                format!("     Summary [   0.1s] {tests} tests run: some passed, some failed\n"),
            ),
            TestFormat::Pytest => plain(PYTEST_BEGIN.to_owned(), pytest, pytest_end(tests)),
            TestFormat::Ctest => plain(
                "Test project /b\n".to_owned(),
                ctest,
                format!("\n99% tests passed, 20 tests failed out of {tests}\n"),
            ),
            TestFormat::Lit => plain(
                format!("-- Testing: {tests} tests, 4 workers --\n"),
                lit,
                format!("\nTotal Discovered Tests: {tests}\n"),
            ),
            TestFormat::Trial => Self {
                // What is not indented so far is the name of a module.
                filler: "      the output of a program has many lines like this one\n",
                ..plain("test_x\n  A\n".to_owned(), trial, trial_end(tests))
            },
            TestFormat::Own => Self {
                filler: "{\"message\":\"a line that is about no test, like many others\"}\n",
                ..plain(String::new(), own, "{\"complete\":true}\n".to_owned())
            },
        }
    }
}

const fn fails(number: usize) -> bool {
    number.is_multiple_of(FAILS)
}

/// The numbers of the tests that fail, each in a text.
fn failing(tests: usize, text: impl Fn(usize) -> String) -> String {
    (1..=tests)
        .filter(|number| fails(*number))
        .map(text)
        .collect()
}

fn junit(number: usize) -> Vec<u8> {
    let failure = match fails(number) {
        true => "<failure message=\"expected 1, got 2\">at x.c:7</failure>",
        false => "",
    };
    format!("<testcase classname=\"s.C\" name=\"case {number}\">{failure}<system-out>").into()
}

fn tap(number: usize) -> Vec<u8> {
    match fails(number) {
        true => format!(
            "not ok {number} - case {number}\n  ---\n  message: 'expected 1, got 2'\n  ...\n"
        ),
        false => format!("ok {number} - case {number}\n"),
    }
    .into()
}

fn prove_end(tests: usize) -> String {
    let failed = tests / FAILS;
    format!(
        "Failed {failed}/{tests} subtests \n\nTest Summary Report\n-------------------\n\
         t/a.t (Wstat: 5120 (exited 20) Tests: {tests} Failed: {failed})\n\
         Files=1, Tests={tests},  1 wallclock secs\nResult: FAIL\n"
    )
}

fn subunit1(number: usize) -> Vec<u8> {
    match fails(number) {
        true => {
            format!("test: case {number}\nfailure: case {number} [\nAssertionError: 1 != 2\n]\n")
        }
        false => format!("test: case {number}\nsuccess: case {number}\n"),
    }
    .into()
}

/// A packet with a time, the name of the test, and its status.
fn subunit2(number: usize) -> Vec<u8> {
    let name = format!("case.{number}");
    let status = if fails(number) { 6 } else { 3 };
    // Seconds of four bytes, and nanoseconds of one.
    let mut rest = vec![0x65, 0x92, 0, 0x80, 0];
    rest.push(u8::try_from(name.len()).unwrap());
    rest.extend(name.as_bytes());
    let length = u8::try_from(rest.len() + 8).unwrap();
    let mut packet = vec![0xb3, 0x2a, status, length];
    packet.extend(rest);
    let mut sum = flate2::Crc::new();
    sum.update(&packet);
    packet.extend(sum.sum().to_be_bytes());
    packet.push(b'\n');
    packet
}

fn gtest(number: usize) -> Vec<u8> {
    let name = format!("Disk.Case{number}");
    match fails(number) {
        true => {
            format!("[ RUN      ] {name}\ndisk_test.cc:31: Failure\n[  FAILED  ] {name} (3 ms)\n")
        }
        false => format!("[ RUN      ] {name}\n[       OK ] {name} (3 ms)\n"),
    }
    .into()
}

const GO_END: &str = "{\"Action\":\"fail\",\"Package\":\"p\",\"Elapsed\":0.2}\n";

fn go(number: usize) -> Vec<u8> {
    let of = format!("\"Package\":\"p\",\"Test\":\"Test{number}\"");
    let action = if fails(number) { "fail" } else { "pass" };
    format!("{{\"Action\":\"run\",{of}}}\n{{\"Action\":\"{action}\",{of},\"Elapsed\":0.1}}\n")
        .into()
}

fn libtest_begin(tests: usize) -> String {
    format!(
        "     Running unittests src/lib.rs (target/debug/deps/nx-0123456789abcdef)\n\n\
         running {tests} tests\n"
    )
}

fn libtest(number: usize) -> Vec<u8> {
    let result = if fails(number) { "FAILED" } else { "ok" };
    format!("test m::case{number} ... {result}\n").into()
}

fn libtest_end(tests: usize) -> String {
    let outputs = failing(tests, |number| {
        format!(
            "---- m::case{number} stdout ----\nthread 'm::case{number}' (7) panicked at \
             src/lib.rs:9:5:\nwrong\n\n"
        )
    });
    let names = failing(tests, |number| format!("    m::case{number}\n"));
    format!(
        "\nfailures:\n\n{outputs}\nfailures:\n{names}\ntest result: FAILED. some passed; some \
         failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
    )
}

fn nextest(number: usize) -> Vec<u8> {
    let word = if fails(number) { "FAIL" } else { "PASS" };
    format!("        {word} [   0.005s] nx m::case{number}\n").into()
}

const PYTEST_BEGIN: &str = "\
============================= test session starts ==============================
collected many items

";

fn pytest(number: usize) -> Vec<u8> {
    let word = if fails(number) { "FAILED" } else { "PASSED" };
    format!("t.py::test_{number} {word}            [ 12%]\n").into()
}

fn pytest_end(tests: usize) -> String {
    let outputs = failing(tests, |number| {
        format!("____ test_{number} ____\nE   assert 1 == 2\n")
    });
    let summary = failing(tests, |number| {
        format!("FAILED t.py::test_{number} - assert 1 == 2\n")
    });
    format!(
        "===== FAILURES =====\n{outputs}===== short test summary info =====\n{summary}\
         ===== 20 failed, 1980 passed in 1.00s =====\n"
    )
}

fn ctest(number: usize) -> Vec<u8> {
    let result = if fails(number) {
        "***Failed "
    } else {
        "   Passed "
    };
    format!(" {number}/9 Test #{number}: case{number} .......{result}   0.01 sec\n").into()
}

fn lit(number: usize) -> Vec<u8> {
    let stars = "*".repeat(20);
    match fails(number) {
        true => format!(
            "FAIL: W :: {number}.t ({number} of 9)\n{stars} TEST 'W :: {number}.t' FAILED {stars}\n\
             error: command failed\n{stars}\n"
        ),
        false => format!("PASS: W :: {number}.t ({number} of 9)\n"),
    }
    .into()
}

fn trial(number: usize) -> Vec<u8> {
    let result = if fails(number) { "FAIL" } else { "OK" };
    format!("    test_{number} ...                                         [{result}]\n").into()
}

fn trial_end(tests: usize) -> String {
    let (across, line) = ("=".repeat(79), "-".repeat(79));
    let names = failing(tests, |number| format!("test_x.A.test_{number}\n"));
    format!(
        "\n{across}\n[FAIL]\nTraceback (most recent call last):\n\
         twisted.trial.unittest.FailTest: 1 != 2\n\n{names}{line}\nRan {tests} tests in 1.0s\n"
    )
}

fn own(number: usize) -> Vec<u8> {
    let outcome = match fails(number) {
        true => "\"failed\",\"message\":\"expected 1, got 2\"",
        false => "\"passed\"",
    };
    format!("{{\"name\":[\"a\",\"case {number}\"],\"outcome\":{outcome}}}\n").into()
}
