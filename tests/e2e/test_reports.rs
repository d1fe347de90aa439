//! Reports of tests, from real programs on slaves of every generation, until they are on pages.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::web::whole;
use crate::harness::{Kind, Master, Sandbox, Setup, Slave, free_port, run, shell};

/// Runs tests of Rust: a program that the compiler of this project makes.
const RUST: &str = "printf '#[test] fn adds() { assert_eq!(1 + 1, 2); }\\n\
    #[test] fn multiplies() { assert_eq!(2 * 2, 5); }\\n' > t.rs && RUSTC --test -o t t.rs && ./t";
/// Prints TAP in pieces.
const TAP: &str = "echo 1..3; echo 'ok 1 - opens'; printf 'not '; echo 'ok 2 - closes # TODO later'; \
    echo 'ok 3 # SKIP no tty'";
/// Writes two files in the XML of JUnit.
const JUNIT: &str = "mkdir -p out && rm -f out/* && \
    echo '<testsuite name=\"io\"><testcase name=\"reads\" time=\"1.5\"/></testsuite>' > out/TEST-a.xml && \
    echo '<testsuite name=\"db\"><testcase name=\"writes\"><failure message=\"&lt;b&gt;full\"/></testcase></testsuite>' \
    > out/TEST-b.xml";

#[test]
fn tst_01_tst_11_real_reports_become_tests_on_pages_for_slaves_of_every_generation() {
    let sandbox = Sandbox::new();
    // Slaves have not always the PATH of those who start them.
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let steps = [
        shell(
            "rust",
            &RUST.replace("RUSTC", rustc.to_str().unwrap()),
            "flunk_on_failure = false, tests = [{ format = \"libtest\", log = \"stdio\" }]",
        ),
        shell(
            "tap",
            TAP,
            "tests = [{ format = \"tap\", log = \"stdio\" }]",
        ),
        shell(
            "junit",
            JUNIT,
            "tests = [{ format = \"junit\", files = [\"out/TEST-*.xml\"] }]",
        ),
    ];
    let port = free_port();
    let web = format!("[web]\nport = \"tcp:{port}:interface=127.0.0.1\"\n");
    let setup = Setup::new(&steps).slave("bot").tables(&web);
    let master = Master::start(&sandbox, &setup);
    let mut number = 0;
    for kind in [Kind::Native, Kind::Slave0814, Kind::Worker430] {
        let Some(slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
            continue;
        };
        master.wait_until_attached("bot");
        master.send_change(&format!("r{number}"));
        let build = master.finished_build("full", number);
        assert_eq!(build.result.as_deref(), Some("failure"), "{kind:?}");
        let tests: Vec<Value> = master.show(&["tests", "full", &number.to_string()]);
        check(&tests, number, kind);
        let page = whole(port, &format!("/builders/full/builds/{number}/tests"));
        assert!(
            page.contains("&#60;b&#62;full") || page.contains("&lt;b&gt;full"),
            "{page}"
        );
        assert!(
            !page.contains("<b>full"),
            "markup of a test is in the page: {page}"
        );
        drop(slave);
        master.wait_until_detached("bot");
        number += 1;
    }
    assert!(number > 0, "no slave ran");
    let page = whole(port, "/builders/full/builds/0/tests");
    let (_, link) = page
        .split_once("href=\"/builders/full/builds/0/tests/")
        .unwrap();
    let (test, _) = link.split_once('"').unwrap();
    let history = whole(port, &format!("/builders/full/tests/{test}"));
    assert!(history.contains("/builders/full/builds/0\""), "{history}");
    // The outcome was the same ever since.
    assert!(!history.contains("/builders/full/builds/1\""), "{history}");
}

fn check(tests: &[Value], number: u64, kind: Kind) {
    let counts = |step: &Value| {
        let counts = &step["counts"];
        let count = |name: &str| counts[name].as_u64().unwrap();
        (count("passed"), count("failed"), count("skipped"))
    };
    let all: Vec<_> = tests
        .iter()
        .map(|step| (step["step"].as_str().unwrap(), counts(step)))
        .collect();
    let expected = [
        ("rust", (1, 1, 0)),
        ("tap", (1, 0, 1)),
        ("junit", (1, 1, 0)),
    ];
    assert_eq!(all, expected, "{kind:?}");
    for step in tests {
        assert_eq!(step["is_complete"], true, "{kind:?}: {step}");
    }
    let bad = &tests[0]["tests"][0];
    assert_eq!(bad["name"], json!(["-", "multiplies"]), "{kind:?}");
    assert_eq!(bad["result"], "failed");
    assert!(
        bad["text"].as_str().unwrap().contains("left == right"),
        "{bad}"
    );
    assert_eq!(
        (&bad["since"], &bad["is_new"]),
        (&json!(0), &json!(number == 0))
    );
    let bad = &tests[2]["tests"][0];
    assert_eq!(bad["text"], "<b>full", "{kind:?}");
    let slow = &tests[2]["tests"][1];
    assert_eq!(
        (&slow["result"], &slow["secs"]),
        (&json!("passed"), &json!(1.5)),
        "{kind:?}"
    );
}

/// Prints results in a form of its own, which [`READER`] reads.
const OWN: &str = "echo passed opens; echo failed closes; echo 'why: closed'";
const READER: &str = "while read how name; do case $how in *:) ;; *) \
    printf '{\"name\": [\"own\", \"%s\"], \"outcome\": \"%s\", \"message\": \"no\", ' $name $how; \
    printf '\"offset\": 13, \"length\": 26}\\n';; esac; done; echo '{\"complete\": true}'";
/// Writes a report whose failure has a text of several lines.
const LONG: &str = "echo '<testsuite name=\"db\"><testcase name=\"writes\"><failure message=\"full\">\
    first line\nsecond &lt;i&gt; line hunter22</failure></testcase></testsuite>' > r.xml";

#[test]
fn tst_05_tst_08_a_program_reads_a_log_and_pages_show_the_whole_texts() {
    let sandbox = Sandbox::new();
    let tests = format!(
        "tests = [{{ format = {{ command = [\"sh\", \"-c\", {READER:?}] }}, log = \"stdio\" }}]"
    );
    let steps = [
        shell("own", OWN, &format!("flunk_on_failure = false, {tests}")),
        shell(
            "junit",
            LONG,
            "flunk_on_failure = false, tests = [{ format = \"junit\", files = [\"r.xml\"] }]",
        ),
        shell(
            "tap",
            "echo 1..2; echo 'not ok 1 - opens'; echo '# got 7'; echo '# want 8'; echo ok 2",
            "tests = [{ format = \"tap\", log = \"stdio\" }]",
        ),
    ];
    let port = free_port();
    let web = format!("[web]\nport = \"tcp:{port}:interface=127.0.0.1\"\n");
    let setup = Setup::new(&steps).local_slave("here").tables(&web);
    let master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    master.finished_build("full", 0);
    let tests: Vec<Value> = master.show(&["tests", "full", "0"]);
    let own = &tests[0];
    assert_eq!(
        (
            &own["counts"]["passed"],
            &own["counts"]["failed"],
            &own["is_complete"]
        ),
        (&json!(1), &json!(1), &json!(true)),
        "{own}"
    );
    let place = &own["tests"][0]["place"];
    assert_eq!(place, &json!({"log": "stdio", "begin": 13, "length": 26}));
    let page = whole(port, "/builders/full/builds/0/tests");
    let texts: Vec<String> = page
        .match_indices("href=\"/builders/full/builds/0/tests/")
        .map(|(at, _)| {
            let (_, link) = page.split_at(at + 6);
            whole(port, link.split_once('"').unwrap().0)
        })
        .collect();
    let has = |text: &str| texts.iter().any(|page| page.contains(text));
    assert!(has("failed closes\nwhy: closed"), "{texts:?}");
    assert!(has("first line\nsecond &#60;i&#62; line"), "{texts:?}");
    assert!(has("not ok 1 - opens\n# got 7\n# want 8"), "{texts:?}");
    check_json(port);
}

/// The tests of the build in the tree of Buildbot 0.8 and in the API.
fn check_json(port: u16) {
    let get = |address: &str| -> Value { serde_json::from_str(&whole(port, address)).unwrap() };
    let test = get("/json/builders/full/builds/0/tests/own.closes");
    let url = "http://localhost/builders/full/builds/0/steps/own/logs/stdio";
    assert_eq!(
        test,
        json!({"name": ["own", "closes"], "results": 2, "text": ["failed"],
            "logs": [["stdio", url]]})
    );
    let steps = get("/api/v1/builders/full/builds/0/tests");
    let steps = steps["items"].as_array().unwrap();
    let names: Vec<_> = steps
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["own", "junit", "tap"]);
    let of_builder = get("/api/v1/builders/full/tests");
    let lines = of_builder["lines"].as_array().unwrap();
    let own = lines.iter().find(|line| line["step"] == "own").unwrap();
    assert_eq!((&own["tests"], &own["failed"]), (&json!(2), &json!(1)));
    assert_eq!(own["failing"][0]["name"], json!(["own", "closes"]));
    // As addresses of Buildbot 0.8 have it.
    let one = get("/api/v1/builders/full/tests/own.closes");
    assert_eq!(one["changes"][0]["result"], "failed");
    let page = whole(port, "/builders/full/tests");
    assert!(
        page.contains("own.closes") && page.contains("2 tests, 1 of them failing"),
        "{page}"
    );
}

#[test]
fn tst_07_steps_that_read_tests_of_their_own_have_pages_of_them() {
    let sandbox = Sandbox::new();
    let trial = sandbox.private_dir("bin").join("trial");
    let output = "a.test.B.test_x ... [OK]\na.test.B.test_y ... [FAIL]\n\n\
        ===============================================================================\n\
        [FAIL]\nTraceback (most recent call last):\nexceptions.AssertionError: 1 != 2\n\n\
        a.test.B.test_y\n\
        -------------------------------------------------------------------------------\n\
        Ran 2 tests in 0.1s\n\nFAILED (failures=1, successes=1)\n";
    fs::write(
        &trial,
        format!("#!/bin/sh\ncat <<'END'\n{output}END\nexit 1\n"),
    )
    .unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&trial, mode).unwrap();
    let subunit = "printf 'test: a\\nsuccess: a\\ntest: b\\nfailure: b [\\nno\\n]\\n'";
    let steps = [
        format!(
            "{{ type = \"Trial\", name = \"trial\", trial = {:?}, tests = \"a.test\" }}",
            trial.to_str().unwrap()
        ),
        format!(
            "{{ type = \"SubunitShellCommand\", name = \"subunit\", \
             command = [\"sh\", \"-c\", {subunit:?}] }}"
        ),
    ];
    let setup = Setup::new(&steps).local_slave("here");
    let master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    let build = master.finished_build("full", 0);
    assert_eq!(build.result.as_deref(), Some("failure"));
    let tests: Vec<Value> = master.show(&["tests", "full", "0"]);
    let seen: Vec<_> = tests
        .iter()
        .map(|step| {
            let counts = &step["counts"];
            let bad = &step["tests"][0];
            (
                step["step"].clone(),
                counts["passed"].clone(),
                bad["name"].clone(),
                bad["text"].clone(),
            )
        })
        .collect();
    let expected = [
        (
            json!("trial"),
            json!(1),
            json!(["a.test", "B", "test_y"]),
            json!("exceptions.AssertionError: 1 != 2"),
        ),
        (json!("subunit"), json!(1), json!(["b"]), json!("no")),
    ];
    assert_eq!(seen, expected);
    // The steps say what those of Buildbot 0.8 say.
    assert_eq!(build.steps[0].text, ["tests", "1 failure"]);
}

#[test]
fn flk_07_a_failing_test_in_quarantine_leaves_a_warning_and_excuses_nothing_else() {
    let sandbox = Sandbox::new();
    let dir = sandbox.private_dir("flags");
    let command = format!(
        "echo 1..2; echo 'ok 1 - opens'; echo 'not ok 2 - closes'; \
         test ! -e {0}/crash || kill -9 $$; test ! -e {0}/cut || exec echo 'Bail out!'; exit 1",
        dir.display()
    );
    let step = shell(
        "tap",
        &command,
        "warn_on_warnings = true, tests = [{ format = \"tap\", log = \"stdio\" }]",
    );
    let setup = Setup::new(&[step]).local_slave("here");
    let master = Master::start(&sandbox, &setup);
    let quarantine = |words: &[&str]| {
        let mut command = master.program();
        command.arg("quarantine").args(words);
        command.arg("--basedir").arg(master.dir());
        run(&mut command)
    };
    let mut number = 0;
    let mut build = || {
        master.send_change(&format!("r{number}"));
        let build = master.finished_build("full", number);
        number += 1;
        build.result.unwrap()
    };
    assert_eq!(build(), "failure");
    let add = [
        "add",
        "closes",
        "--owner",
        "ann",
        "--reason",
        "slow machine",
    ];
    quarantine(&add).ok();
    let listed = quarantine(&[]).ok();
    assert!(
        listed.contains("closes") && listed.contains("owner ann"),
        "{listed}"
    );
    assert_eq!(build(), "warnings");
    for flag in ["crash", "cut"] {
        fs::write(dir.join(flag), "").unwrap();
        assert_eq!(build(), "failure", "{flag}");
        fs::remove_file(dir.join(flag)).unwrap();
    }
    quarantine(&["remove", "closes"]).ok();
    assert_eq!(build(), "failure");
    let unknown = ["add", "nope", "--owner", "ann", "--reason", "why"];
    let refused = quarantine(&unknown).fails_with(1);
    assert!(
        refused.contains("no report has had a test nope"),
        "{refused}"
    );
}
