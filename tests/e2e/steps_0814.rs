//! What Buildbot 0.8.14 makes of steps, against the file that our steps are compared with, and
//! beside our master.

use std::path::Path;

use crate::git_settings::serve;
use crate::harness::printed::{PrintedLog, assert_same};
use crate::harness::real_master::{RealMaster, Version};
use crate::harness::{Master, Sandbox, Setup, Slave, peer, run};

#[test]
fn the_file_of_steps_says_what_a_master_0814_makes_of_them() {
    let Some(bin) = peer("bb0814") else { return };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let cases = tests.join("data/steps-0814.jsonl");
    let sandbox = Sandbox::new();
    let told = run(sandbox
        .command(bin.join("python"))
        .args(["-W", "ignore", "-B"])
        .arg(tests.join("steps_0814.py"))
        .arg(&cases))
    .ok();
    let expected = std::fs::read_to_string(&cases).unwrap();
    for (told, expected) in told.lines().zip(expected.lines()) {
        assert_eq!(told, expected);
    }
    assert_eq!(told.lines().count(), expected.lines().count());
}

/// Steps as a master of Buildbot 0.8.14 and ours spell them; `PORT` is that of a server.
const STEPS: [(&str, &str); 16] = [
    (
        "ShellCommand(command=['sh', '-c', 'echo out; echo \"caf\\303\\251\"; echo err >&2; exit 3'], LENIENT)",
        r#"type = "ShellCommand", command = ["sh", "-c", "echo out; echo \"café\"; echo err >&2; exit 3"], LENIENT"#,
    ),
    (
        "ShellCommand(command='kill -9 $$', LENIENT)",
        "type = \"ShellCommand\", command = \"kill -9 $$\", LENIENT",
    ),
    (
        "ShellCommand(command='echo out; echo err >&2; echo a >a.txt; echo b >b.txt', want_stdout=False, \
         logfiles={'first': 'a.txt', 'second': {'filename': 'b.txt'}})",
        "type = \"ShellCommand\", command = \"echo out; echo err >&2; echo a >a.txt; echo b >b.txt\", \
         want_stdout = false, logfiles = { first = \"a.txt\", second = { filename = \"b.txt\" } }",
    ),
    (
        "Compile(command='echo begin; echo a.c:1: warning: x; echo b.c:2: warning: y >&2')",
        "type = \"Compile\", command = \"echo begin; echo a.c:1: warning: x; echo b.c:2: warning: y >&2\"",
    ),
    (
        "SetPropertyFromCommand(command='echo one; echo two', property='p')",
        "type = \"SetPropertyFromCommand\", command = \"echo one; echo two\", property = \"p\"",
    ),
    (
        "ShellCommand(command='tty -s && echo a terminal; echo err >&2', usePTY=True)",
        "type = \"ShellCommand\", command = \"tty -s && echo a terminal; echo err >&2\", use_pty = true",
    ),
    (
        "MasterShellCommand(['sh', '-c', 'echo out; echo err >&2'])",
        "type = \"MasterShellCommand\", command = [\"sh\", \"-c\", \"echo out; echo err >&2\"]",
    ),
    (
        "MasterShellCommand('exit 3', LENIENT)",
        "type = \"MasterShellCommand\", command = \"exit 3\", LENIENT",
    ),
    (
        "MasterShellCommand('kill -9 $$', LENIENT)",
        "type = \"MasterShellCommand\", command = \"kill -9 $$\", LENIENT",
    ),
    (
        "HTTPStep('http://127.0.0.1:PORT/page', method='GET')",
        "type = \"HTTPStep\", url = \"http://127.0.0.1:PORT/page\", method = \"GET\"",
    ),
    (
        "GET('http://127.0.0.1:PORT/gone', flunkOnFailure=False)",
        "type = \"GET\", url = \"http://127.0.0.1:PORT/gone\", flunk_on_failure = false",
    ),
    (
        "PUT('http://127.0.0.1:PORT/page')",
        "type = \"PUT\", url = \"http://127.0.0.1:PORT/page\"",
    ),
    (
        "POST('http://127.0.0.1:PORT/page')",
        "type = \"POST\", url = \"http://127.0.0.1:PORT/page\"",
    ),
    (
        "DELETE('http://127.0.0.1:PORT/page')",
        "type = \"DELETE\", url = \"http://127.0.0.1:PORT/page\"",
    ),
    (
        "HEAD('http://127.0.0.1:PORT/page')",
        "type = \"HEAD\", url = \"http://127.0.0.1:PORT/page\"",
    ),
    (
        "OPTIONS('http://127.0.0.1:PORT/page')",
        "type = \"OPTIONS\", url = \"http://127.0.0.1:PORT/page\"",
    ),
];

/// What steps of HTTP need of the library `txrequests`, which is not installed with Buildbot.
const TXREQUESTS: &str = "
import sys, types, urllib2
from twisted.internet import threads
def module(name):
    return sys.modules.setdefault(name, types.ModuleType(name))
class Request(urllib2.Request):
    def get_method(self):
        return self.asked
class Response(object):
    history = []
    def __init__(self, request):
        self.request = request
        try:
            answer = urllib2.urlopen(request)
        except urllib2.HTTPError, error:
            answer = error
        self.url, self.status_code = answer.geturl(), answer.getcode()
        self.headers, self.text = dict(answer.headers), answer.read()
class Session(object):
    def request(self, method, url):
        request = Request(url)
        request.asked = method
        return threads.deferToThread(Response, request)
    def close(self):
        pass
module('requests').codes = types.ModuleType('codes')
module('requests').codes.ok = 200
module('requests').exceptions = types.ModuleType('exceptions')
module('requests').exceptions.ConnectionError = urllib2.URLError
module('txrequests').Session = Session
from buildbot.steps.http import *
from buildbot.steps.shell import *
from buildbot.steps.master import *
";

#[test]
fn steps_end_and_print_as_under_a_master_0814() {
    let sandbox = Sandbox::new();
    let pages = sandbox.private_dir("pages");
    std::fs::write(pages.join("page"), "content\n").unwrap();
    let port = serve(pages, "").to_string();
    let mut python = TXREQUESTS.to_owned();
    for (step, _) in STEPS {
        let step = step.replace("LENIENT", "haltOnFailure=False, flunkOnFailure=False");
        python += &format!("factory.addStep({})\n", step.replace("PORT", &port));
    }
    let Some(real) = RealMaster::start_with(Version::V0814, &sandbox, &[], &python) else {
        return;
    };
    let _theirs = Slave::native(&sandbox, "bot", real.port());
    real.wait_until_attached();
    let steps = STEPS.map(|(_, step)| {
        let step = step.replace(
            "LENIENT",
            "halt_on_failure = false, flunk_on_failure = false",
        );
        format!("{{ {} }}", step.replace("PORT", &port))
    });
    let ours = Master::start(&sandbox, &Setup::new(&steps).slave("bot"));
    let _ours = Slave::native(&sandbox, "bot", ours.port());
    ours.wait_until_attached("bot");
    for port in [real.port(), ours.port()] {
        real.send_change_to(port, &sandbox);
    }
    real.finished_build(&sandbox);
    let build = ours.finished_build("full", 0);
    assert_eq!(build.told_steps(), real.told_steps(&sandbox));
    let mut theirs = real.printed(&sandbox);
    for log in &mut theirs {
        match log.name[1].as_str() {
            "log" => as_ours(log),
            // JSON, not an expression of Python.
            "property changes" => log.runs[0].1 = log.runs[0].1.replace('\'', "\""),
            _ => {}
        }
    }
    assert_same(ours.printed(&build), theirs);
}

/// Makes the log of a request ours, which has the reason after the status, and the content in its
/// own log alone.
fn as_ours(log: &mut PrintedLog) {
    for (_, text) in &mut log.runs {
        if let Some(at) = text.find(" ------ Content ------") {
            text.truncate(at);
        }
        for (code, reason) in [("200", "OK"), ("404", "Not Found")] {
            *text = text.replace(
                &format!("Status: {code}\n"),
                &format!("Status: {code} {reason}\n"),
            );
        }
    }
    log.runs.retain(|(_, text)| !text.is_empty());
}
