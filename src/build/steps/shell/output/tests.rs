//! Readers against output as the tools write it.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;
use crate::build::lines::Splitter;
use crate::build::steplogs::STDIO;
use crate::config::{LinePattern, MysqlTests, WarningExtractor, WarningRules};
use crate::logs::Channel;

use Results::{Failure, Success, Warnings};

/// What `settings` finds in `output` of a command with exit status `rc`.
fn found(settings: &OutputReader, rc: i64, output: &str) -> Findings {
    found_in(settings, rc, &[(STDIO, output)], Vec::new())
}

fn found_in(
    settings: &OutputReader,
    rc: i64,
    logs: &[(&str, &str)],
    further: Vec<Suppression>,
) -> Findings {
    let end = Ended {
        by_status: if rc == 0 { Success } else { Failure },
        rc: Some(rc),
        step: "step",
        output: logs[0].1.as_bytes(),
    };
    let mut reader = reader(settings, further).expect("a reader");
    let mut splitter = Splitter::default();
    for (log, text) in logs {
        splitter.push(log, Channel::Stdout, text.as_bytes(), &mut *reader);
    }
    splitter.finish(&mut *reader);
    reader.conclude(&end)
}

/// Names and texts of the logs.
fn logs(findings: &Findings) -> Vec<(&str, &str)> {
    let logs = findings.logs.iter();
    logs.map(|(name, text)| (name.as_str(), std::str::from_utf8(text).expect("text")))
        .collect()
}

fn properties(findings: &Findings) -> Vec<(&str, u64)> {
    let properties = findings.properties.iter();
    properties
        .map(|(name, value)| (name.as_str(), value.as_u64().expect("a number")))
        .collect()
}

fn statistics(findings: &Findings) -> Vec<(&str, u64)> {
    let statistics = findings.statistics.iter();
    statistics
        .map(|(name, value)| (*name, value.as_u64().expect("a number")))
        .collect()
}

fn text(findings: &Findings) -> String {
    findings.text.as_ref().expect("a text").join(" ")
}

const GCC: &str = "\
make[1]: Entering directory '/b/src'
cc -c main.c
main.c:12:3: warning: unused variable 'x'
main.c:90:1: warning: control reaches end
make[2]: Entering directory 'lib'
list.c:7:9: warning: unused variable 'y'
make[2]: Leaving directory 'lib'
util.c:3:1: error: nonsense
make[1]: Leaving directory '/b/src'
";

fn by_groups(suppressions: Vec<Suppression>) -> OutputReader {
    OutputReader::Warnings(Box::new(WarningRules {
        pattern: LinePattern::from_start(r"(.*?):(\d+):\d+: warning: (.*)").unwrap(),
        extractor: WarningExtractor::Groups,
        suppressions,
        ..WarningRules::default()
    }))
}

#[test]
fn warnings_are_counted_and_kept() {
    let findings = found(&OutputReader::Warnings(Box::default()), 0, GCC);
    assert_eq!(findings.result, Some(Warnings));
    assert_eq!(findings.warnings, Some(3));
    assert_eq!(statistics(&findings), [("warnings", 3)]);
    let [(name, lines)] = logs(&findings)[..] else {
        panic!("one log: {findings:?}");
    };
    assert_eq!((name, lines.lines().count()), ("warnings (3)", 3));
    let failed = found(&OutputReader::Warnings(Box::default()), 2, GCC);
    assert_eq!(failed.result, Some(Failure));
    let none = found(&OutputReader::Warnings(Box::default()), 0, "cc -c main.c\n");
    assert_eq!((none.result, none.warnings), (Some(Success), Some(0)));
    assert_eq!(logs(&none), []);
}

#[test]
fn more_warnings_than_allowed_are_a_failure() {
    for (max, result) in [(2, Failure), (3, Warnings)] {
        let reader = OutputReader::Warnings(Box::new(WarningRules {
            max_count: Some(max),
            ..WarningRules::default()
        }));
        assert_eq!(found(&reader, 0, GCC).result, Some(result), "{max}");
    }
}

#[test]
fn suppressions_look_at_file_text_and_line() {
    let file = "\
# comment

src/lib/ : unused
/b/src/main.c : .* : 1-12
[ : x
no suppression
";
    let (further, wrong) = suppressions_of(file);
    assert_eq!((further.len(), wrong), (2, vec![5, 6]));
    let find = |further: &[Suppression]| {
        let logs = [(STDIO, GCC)];
        found_in(&by_groups(Vec::new()), 0, &logs, further.to_vec()).warnings
    };
    assert_eq!(find(&[]), Some(3));
    // The directory of the list is /b/src/lib, so that the first one does not cover it.
    assert_eq!(find(&further), Some(2));
    let (further, _) = suppressions_of("/b/src/lib/ : unused\n/b/src/main.c : control : 90");
    assert_eq!(find(&further), Some(1));
    let (further, _) = suppressions_of("/b/src/main.c : control : 89");
    assert_eq!(find(&further), Some(3));
    let own = Suppression {
        file: None,
        text: LinePattern::anywhere("unused").ok(),
        first: Some(8),
        last: None,
    };
    assert_eq!(found(&by_groups(vec![own]), 0, GCC).warnings, Some(2));
}

#[test]
fn the_counts_of_prove_are_read_in_both_forms() {
    let reader = OutputReader::PerlTests(Box::default());
    let old = "\
t/01-load....ok
t/02-run.....ok
All tests successful.
Files=2, Tests=93,  1 wallclock secs
";
    let findings = found(&reader, 0, old);
    assert_eq!(findings.result, Some(Success));
    assert_eq!(findings.done, ["93 tests", "93 passed"]);
    let old = "Failed 1/2 test scripts, 50.00% okay. 3/93 subtests failed, 96.77% okay.\n";
    let findings = found(&reader, 1, old);
    assert_eq!(findings.result, Some(Failure));
    assert_eq!(findings.done, ["93 tests", "90 passed", "3 failed"]);
    let new = "\
t/01-load.t .. ok
t/02-run.t ... Failed 2/5 subtests

Test Summary Report
-------------------
t/02-run.t (Wstat: 512 Tests: 5 Failed: 2)
  Failed tests:  3-4
Files=2, Tests=9,  0 wallclock secs
Result: FAIL
";
    let findings = found(&reader, 1, new);
    assert_eq!(findings.result, Some(Failure));
    assert_eq!(findings.done, ["9 tests", "7 passed", "2 failed"]);
    assert!(statistics(&findings).contains(&("tests-failed", 2)));
}

#[test]
fn the_size_of_a_tree_is_a_property() {
    let findings = found(&OutputReader::TreeSize, 0, "1234\t.\n");
    assert_eq!(text(&findings), "treesize 1234 KiB");
    assert_eq!(properties(&findings), [("tree-size-KiB", 1234)]);
    let findings = found(&OutputReader::TreeSize, 0, "du: nothing\n");
    assert_eq!(text(&findings), "treesize unknown");
    assert_eq!(findings.result, Some(Warnings));
}

#[test]
fn issues_of_pyflakes_are_sorted() {
    let output = "\
pyflakes project
project/a.py:1: 'os' imported but unused
project/a.py:9: undefined name 'x'
project/b.py:2: redefinition of unused 'y' from line 1
";
    let findings = found(&OutputReader::Pyflakes, 0, output);
    assert_eq!(findings.result, Some(Failure));
    assert_eq!(findings.done, ["unused=1", "undefined=1", "redefs=1"]);
    assert!(properties(&findings).contains(&("pyflakes-total", 3)));
    let names: Vec<_> = logs(&findings).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["unused", "undefined", "redefs"]);
    let unused = found(
        &OutputReader::Pyflakes,
        0,
        "a.py:1: 'os' imported but unused\n",
    );
    assert_eq!(unused.result, Some(Warnings));
    let broken = found(&OutputReader::Pyflakes, 0, "a.py:3: invalid syntax\n");
    assert_eq!(broken.result, Some(Failure));
    assert_eq!(logs(&broken)[0].0, "syntax-error");
    assert_eq!(properties(&broken), []);
}

#[test]
fn messages_of_pylint_are_sorted_in_both_forms() {
    let usual = "************* Module a\nW0611:  1: unused import\nC0111:  2: no docstring\n";
    let findings = found(&OutputReader::Pylint, 20, usual);
    assert_eq!(findings.result, Some(Warnings));
    assert_eq!(findings.done, ["convention=1", "warning=1"]);
    let parseable = "a.py:3: [E1101(no-member), f] no such member\na.py:9: [W0613, g] unused\n";
    let findings = found(&OutputReader::Pylint, 0, parseable);
    assert_eq!(findings.result, Some(Failure));
    assert!(properties(&findings).contains(&("pylint-total", 2)));
    assert_eq!(found(&OutputReader::Pylint, 0, "").result, Some(Success));
    assert_eq!(found(&OutputReader::Pylint, 32, "").result, Some(Failure));
}

#[test]
fn messages_of_cppcheck_are_sorted() {
    let output = "Checking a.c ...\n[a.c:3]: (style) unused variable\n(information) no includes\n";
    let findings = found(&OutputReader::Cppcheck, 0, output);
    assert_eq!(findings.result, Some(Warnings));
    assert_eq!(findings.done, ["style=1", "information=1"]);
    assert!(properties(&findings).contains(&("cppcheck-total", 2)));
    let error = found(
        &OutputReader::Cppcheck,
        0,
        "[a.c:3]: (error) null pointer\n",
    );
    assert_eq!(error.result, Some(Failure));
}

#[test]
fn documents_say_whether_they_were_made() {
    let output = "index.rst:3: WARNING: unknown document\nbuild succeeded, 1 warning.\n";
    let findings = found(&OutputReader::Sphinx, 0, output);
    assert_eq!(findings.result, Some(Warnings));
    assert_eq!(text(&findings), "step 1 warnings warnings");
    let findings = found(&OutputReader::Sphinx, 0, "Traceback\n");
    assert_eq!(findings.result, Some(Failure));
    let epydoc = "Error importing a\n  Warning: no docs\n  Error: broken\n";
    let findings = found(&OutputReader::Epydoc, 0, epydoc);
    assert_eq!(findings.done, ["ierr=1", "warn=1", "err=1"]);
    assert_eq!(findings.result, Some(Warnings));
}

#[test]
fn the_last_words_of_trial_are_its_counts() {
    let reader = OutputReader::Trial { reactor: None };
    let good = "\
project.test.A.test_one ... [OK]
/x.py:3: DeprecationWarning: old
  import old
-------------------------------------------------------------------------------
Ran 2 tests in 0.1s

PASSED (skips=1, successes=1)
";
    let findings = found(&reader, 0, good);
    assert_eq!(findings.result, Some(Success));
    assert_eq!(text(&findings), "2 tests passed 1 skip");
    let names: Vec<_> = logs(&findings).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["problems", "warnings"]);
    assert!(logs(&findings)[1].1.contains("import old"));
    let bad = "Ran 12 tests in 3s\n\nFAILED (failures=1, errors=3, expectedFailures=2)\n";
    let findings = found(&reader, 1, bad);
    assert_eq!(text(&findings), "tests 1 failure 3 errors 2 todos");
    assert_eq!(findings.build_text, Some(vec!["4 tests".to_owned()]));
    let silent = found(&reader, 0, "nothing\n");
    assert_eq!(silent.result, Some(Failure));
    assert_eq!(text(&silent), "testlog unparseable");
    let reader = OutputReader::Trial {
        reactor: Some("gtkreactor".to_owned()),
    };
    assert_eq!(text(&found(&reader, 1, "")), "tests failed (gtk)");
}

#[test]
fn a_stream_of_subunit_is_counted() {
    let reader = OutputReader::Subunit {
        failure_on_no_tests: true,
    };
    let output = "\
time: 2012-01-01 00:00:00Z
test: a.good
success: a.good
noise
test: a.bad
failure: a.bad [
Traceback: it broke
]
test: a.later
skip: a.later [
not today
]
";
    let findings = found(&reader, 0, output);
    assert_eq!(findings.result, Some(Failure));
    assert_eq!(text(&findings), "step Total 3 test(s) 1 failure 1 skip");
    let expected = [
        ("problems", "a.bad\nTraceback: it broke\n"),
        ("warnings", "noise\n"),
    ];
    assert_eq!(logs(&findings), expected);
    assert_eq!(found(&reader, 0, "").result, Some(Failure));
    let good = found(&reader, 0, "test: a\nsuccess: a\n");
    assert_eq!(text(&good), "step 1 test passed");
}

#[test]
fn visual_studio_is_counted() {
    let output = "\
1>------ Build started: Project: main, Configuration: Release ------\r
1>main.cpp\r
1>c:\\main.cpp(3) : warning C4101: unreferenced local variable\r
1>c:\\main.cpp(9) : error C2065: undeclared identifier\r
";
    let findings = found(&OutputReader::VisualStudio { tells: true }, 1, output);
    assert_eq!(findings.result, Some(Failure));
    assert_eq!(
        findings.done,
        ["1 projects", "1 files", "1 warnings", "1 errors"]
    );
    let sizes: Vec<_> = logs(&findings)
        .iter()
        .map(|(name, text)| (*name, text.lines().count()))
        .collect();
    assert_eq!(sizes, [("warnings", 2), ("errors", 2)]);
}

#[test]
fn packages_are_checked_and_named() {
    let lint = "project: W: old-standard\nproject: E: no-copyright\n";
    let findings = found(&OutputReader::Lintian, 0, lint);
    assert_eq!(findings.result, Some(Failure));
    assert_eq!(
        logs(&findings).iter().map(|l| l.0).collect::<Vec<_>>(),
        ["1 Warnings", "1 Errors"]
    );
    assert_eq!(found(&OutputReader::Rpmlint, 0, lint).result, Some(Success));
    let rpm = "+ make\nWrote: /x/a.rpm\nerror: Bad exit status\n";
    let findings = found(&OutputReader::Rpmbuild, 1, rpm);
    let expected = [
        ("RPM Command Log", "+ make\nWrote: /x/a.rpm\n"),
        ("RPM Errors", "error: Bad exit status\n"),
    ];
    assert_eq!(logs(&findings), expected);
    let logs = [
        ("stdio", "Wrote: /no/b.src.rpm\n"),
        ("build.log", "Wrote: /x/a-1.src.rpm\n"),
    ];
    let findings = found_in(&OutputReader::MockSrpm, 0, &logs, Vec::new());
    assert_eq!(
        findings.properties,
        [("srpm".to_owned(), json!("a-1.src.rpm"))]
    );
    let rules = Box::new(WarningRules::default());
    let output = "/root/.pbuilderrc does not exist: warning: x\ndpkg-genchanges  >../a_1.changes\n";
    let findings = found(&OutputReader::Pbuilder(rules), 0, output);
    assert_eq!(findings.warnings, Some(0));
    assert_eq!(
        findings.properties,
        [("deb-changes".to_owned(), json!("a_1.changes"))]
    );
}

#[test]
fn failures_of_mysql_tests_are_named_in_the_text() {
    let reader = OutputReader::MysqlTests(Box::new(MysqlTests {
        warnings: WarningRules::default(),
        test_type: Some("nightly".to_owned()),
        text_limit: 2,
        name_limit: 16,
    }));
    let output = "\
main.alias                               w1 [ pass ]     12
main.a_test_with_a_long_name 'InnoDB'    w2 [ fail ]
main.count                               w1 [ fail ]
main.zzz                                 w1 [ fail ]
***Warnings generated in error logs during shutdown after running tests: main.union
";
    let findings = found(&reader, 1, output);
    assert_eq!(
        text(&findings),
        "test nightly F:a_test_with_a_... F:count W:union"
    );
}

#[test]
fn small_readers_count_lines() {
    let findings = found(
        &OutputReader::Maxq,
        0,
        "TEST FAILURE: a\nok\nTEST FAILURE: b\n",
    );
    assert_eq!(text(&findings), "2 maxq failures");
    assert_eq!(text(&found(&OutputReader::Maxq, 0, "ok\n")), "maxq tests");
    let findings = found(&OutputReader::Hlint, 0, "a.xhtml:3: bad\nfine\n");
    assert_eq!(findings.build_text, Some(vec!["1 hlint".to_owned()]));
    assert_eq!(findings.result, Some(Warnings));
}

#[test]
fn the_output_of_a_command_is_a_property_unless_it_failed() {
    let end = |by_status, output| Ended {
        by_status,
        rc: Some(0),
        step: "step",
        output,
    };
    let findings = property(&end(Success, b" 1.2\n"), "version", true).unwrap();
    assert_eq!(findings.properties, [("version".to_owned(), json!("1.2"))]);
    assert_eq!(text(&findings), "property 'version' set");
    let raw = property(&end(Success, b" 1.2\n"), "version", false).unwrap();
    assert_eq!(raw.properties, [("version".to_owned(), json!(" 1.2\n"))]);
    let failed = property(&end(Failure, b"1.2"), "version", true).unwrap();
    assert_eq!(failed, Findings::default());
    let long = vec![b'x'; 70_000];
    assert!(property(&end(Success, &long), "version", true).is_err());
}

#[test]
fn lines_for_a_log_are_limited() {
    let mut lines = Lines::default();
    let line = [b'x'; 60_000];
    for _ in 0..100 {
        lines.push(&line);
    }
    let bytes = lines.into_bytes();
    assert!(bytes.len() <= Lines::MOST_BYTES + 100);
    assert!(bytes.ends_with(b" further lines are left out)\n"));
}
