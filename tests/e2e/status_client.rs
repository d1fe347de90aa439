//! Live status clients: `buildbot statuslog` of 0.7.12 and 0.8.14, our own, and a client that asks
//! exactly what a test wants asked.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use buildmaster::pb::{Failure, Luid, Value};
use serde_json::Value as Json;

use crate::harness::client::{Client, Refused};
use crate::harness::slave::{Kind, Slave};
use crate::harness::{Master, Process, Sandbox, Setup, free_port, peer, run, shell, wait_until};

#[test]
fn liv_01_statuslog_0814_follows_builds_to_their_end() {
    let Some(bin) = peer("bb0814") else { return };
    follows_builds(|sandbox| sandbox.command(bin.join("buildbot")));
}

#[test]
fn liv_01_statuslog_0712_follows_builds_to_their_end() {
    let Some(bin) = peer("bb0814") else { return };
    let clients = clients_0712();
    follows_builds(|sandbox| {
        let mut command = sandbox.command(bin.join("python"));
        command.env("PYTHONPATH", &clients);
        command.arg(Path::new(&clients).join("bin/buildbot"));
        command
    });
}

#[test]
fn liv_01_our_statuslog_follows_builds_to_their_end() {
    follows_builds(Sandbox::buildbot);
}

#[test]
fn liv_02_every_method_of_the_classes_of_0814_answers() {
    let Some(bin) = peer("bb0814") else { return };
    answers_everything(&bin, None);
}

#[test]
fn liv_02_every_method_of_the_classes_of_0712_answers() {
    let Some(bin) = peer("bb0814") else { return };
    answers_everything(&bin, Some(&clients_0712()));
}

/// A client made of the real classes of a Buildbot asks everything that they have.
fn answers_everything(bin: &Path, library: Option<&str>) {
    let sandbox = Sandbox::new();
    let port = free_port();
    let mut master = Master::start(&sandbox, &three_builders(port, "true"));
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    master.send_change("r1");
    master.finished_build("quick", 0);
    force(&master, "away");
    let walker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/status_walker.py");
    let mut command = sandbox.command(bin.join("python"));
    command.arg(walker).arg(port.to_string());
    if let Some(library) = library {
        command.env("PYTHONPATH", library);
    }
    let printed = run(&mut command).ok();
    let failed = printed.lines().filter(|line| line.starts_with("failed"));
    assert_eq!(failed.collect::<Vec<_>>(), [""; 0], "{printed}");
    assert!(printed.contains("walked"), "{printed}");
    for method in [
        "RemoteEvent getText",
        "RemoteSlave getHost",
        "RemoteBuild getLogs",
    ] {
        assert!(printed.contains(&format!("ok {method}")), "{printed}");
    }
    master.terminate();
}

/// A slave of 0.8.14 builds, while a client is connected. The client prints what the case of the
/// shared cases says, which was recorded from a real master.
fn follows_builds(client: impl Fn(&Sandbox) -> Command) {
    let sandbox = Sandbox::new();
    let port = free_port();
    let gate = sandbox.gate("gate");
    let master = &mut Master::start(&sandbox, &three_builders(port, &gate.command()));
    let Some(_slave) = Slave::start(Kind::Slave0814, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");

    let mut command = client(&sandbox);
    command.args(["statuslog", "--master", &format!("127.0.0.1:{port}")]);
    let mut process = Process::start("statuslog", command.env("PYTHONUNBUFFERED", "1"));
    process.wait_for_line("builderChangedState slow idle None");
    force(master, "quick");
    process.wait_for_line("builderChangedState quick building None");
    process.wait_for_line("buildFinished 2");
    force(master, "slow");
    process.wait_for_line("stepStarted slow slow");
    gate.open();
    process.wait_for_line("buildFinished 0");
    assert_eq!(master.finished_build("slow", 0).number, 0);
    master.terminate();
    process.wait_for_line("lost connection");
    assert!(process.wait().success());

    let printed = process.printed();
    let mut printed: Vec<String> = printed.lines().map(without_text).collect();
    // The order of the builders is not fixed.
    let first = printed.iter().position(|line| line.starts_with("build"));
    let last = printed
        .iter()
        .rposition(|line| line.starts_with("builderAdded"));
    let (first, last) = (first.unwrap(), last.unwrap() + 2);
    let mut builders: Vec<_> = printed[first..last].chunks(2).map(<[_]>::to_vec).collect();
    builders.sort();
    printed.splice(first..last, builders.concat());
    assert_eq!(printed, expected_lines());
}

/// What `buildbot statuslog` printed at a real master, by its case.
fn expected_lines() -> Vec<String> {
    let case = case("live-001");
    let lines = case["expect"]["lines"].as_array().unwrap();
    let lines = lines.iter().map(|line| line.as_str().unwrap());
    // There is no estimate before a build has succeeded.
    let lines = lines.filter(|line| !line.starts_with("ETA"));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    let mut builders: Vec<_> = lines[1..7].chunks(2).map(<[_]>::to_vec).collect();
    builders.sort();
    lines.splice(1..7, builders.concat());
    lines.push("lost connection".to_owned());
    lines
}

fn case(id: &str) -> Json {
    let cases: Json = serde_json::from_str(include_str!("../data/live-cases.json")).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    cases.iter().find(|case| case["id"] == id).unwrap().clone()
}

/// A line with the text of a result replaced, which is not that of Buildbot.
fn without_text(line: &str) -> String {
    match line.split_once(", [") {
        Some((result, _)) if line.starts_with("stepFinished") => format!("{result}, RESULTTEXT)"),
        _ => line.to_owned(),
    }
}

#[test]
fn liv_01_a_wrong_password_is_unauthorized() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let _master = Master::start(&sandbox, &three_builders(port, "true"));
    let error = Client::connect(port)
        .unwrap()
        .login("statusClient", "wrong", Value::None)
        .unwrap_err();
    let Refused::Failure(failure) = error else {
        panic!("{error}");
    };
    let expected = case("live-002");
    assert_eq!(failure.kind, expected["expect"]["error"].as_str().unwrap());

    let address = format!("127.0.0.1:{port}");
    let mut ours = sandbox.buildbot();
    ours.args(["statuslog", "-p", "wrong", &address]);
    let error = run(&mut ours).fails_with(2);
    assert!(
        error.contains("does not know user 'statusClient'"),
        "{error}"
    );

    let Some(bin) = peer("bb0814") else { return };
    let mut real = sandbox.command(bin.join("buildbot"));
    real.args(["statuslog", "--passwd", "wrong", "--master", &address]);
    let ended = run(&mut real);
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned() + &ended.stderr;
    assert!(printed.contains("Unable to login"), "{printed}");
}

#[test]
fn liv_02_a_client_in_full_mode_gets_the_text_of_logs() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let gate = sandbox.gate("gate");
    let line = format!(
        "echo first; echo wrong >&2; ({}); echo last",
        gate.command()
    );
    let setup = Setup::new(&[shell("talk", &line, "")])
        .local_slave("here")
        .tables(&listener(port));
    let master = Master::start(&sandbox, &setup);
    let mut command = sandbox.buildbot();
    command.args(["statuslog", "--events", "full"]);
    command.arg(format!("127.0.0.1:{port}"));
    let process = Process::start("statuslog", &mut command);
    process.wait_for_line("builderChangedState full idle None");
    force(&master, "full");
    // While the step runs.
    process.wait_for_line("logChunk[STDOUT]: first");
    process.wait_for_line("logChunk[STDERR]: wrong");
    gate.open();
    process.wait_for_line("logChunk[STDOUT]: last");
    process.wait_for_line("buildFinished 0");
    let printed = process.printed();
    let order = [
        "buildStarted full",
        "stepStarted full talk",
        "stepETA full talk None",
        "logStarted full talk",
        "logChunk[STDOUT]: first",
        "logChunk[STDOUT]: last",
        "logFinished full talk",
        "stepFinished full talk (0, [])",
        "buildFinished 0",
    ];
    let places: Vec<_> = order.iter().map(|line| printed.find(line)).collect();
    assert!(places.is_sorted() && places[0].is_some(), "{printed}");
}

#[test]
fn liv_02_objects_answer_with_the_methods_of_buildbot() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let mut master = Master::start(&sandbox, &three_builders(port, "true"));
    let slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    master.send_change("r1");
    master.finished_build("quick", 0);

    let (mut client, avatar) = connect(port);
    let client = &mut client;
    assert_eq!(text(&ask(client, avatar, "ping", &[])), "pong");
    let names = ask(client, avatar, "getBuilderNames", &[]);
    let names: Vec<_> = names.as_items().unwrap().iter().map(text).collect();
    assert_eq!(names, ["away", "quick", "slow"]);
    let quick = object(&ask(client, avatar, "getBuilder", &[Value::text("quick")]));
    assert_eq!(text(&ask(client, quick, "getName", &[])), "quick");
    let build = object(&ask(client, quick, "getBuild", &[Value::Int(-1)]));
    let last = ask(client, quick, "getLastFinishedBuild", &[]);
    assert_eq!(ask(client, object(&last), "getNumber", &[]), Value::Int(0));
    assert_eq!(ask(client, build, "getResults", &[]), Value::Int(2));
    assert_eq!(ask(client, build, "isFinished", &[]), Value::Bool(true));
    assert_eq!(ask(client, build, "getCurrentStep", &[]), Value::None);
    let again = ask(client, build, "waitUntilFinished", &[]);
    assert_eq!(ask(client, object(&again), "getNumber", &[]), Value::Int(0));
    let changes = ask(client, build, "getChanges", &[]);
    let change = object(&changes.as_items().unwrap()[0]);
    assert_eq!(text(&ask(client, change, "getWho", &[])), "alice");

    let steps = ask(client, build, "getSteps", &[]);
    let step = object(&steps.as_items().unwrap()[0]);
    assert_eq!(text(&ask(client, step, "getName", &[])), "code");
    let logs = ask(client, step, "getLogs", &[]);
    let log = object(logs.get("stdio").unwrap());
    assert_eq!(text(&ask(client, log, "getText", &[])), "it is broken\n");
    let chunks = ask(client, log, "getChunks", &[]);
    let of = |chunk: &Value| chunk.as_items().unwrap().to_vec();
    let chunks: Vec<_> = chunks.as_items().unwrap().iter().map(of).collect();
    assert!(chunks.contains(&vec![Value::Int(0), Value::bytes("it is broken\n")]));
    let none = client.ask(step, "nonsense", &[]).unwrap_err();
    assert!(none.is(Failure::NO_SUCH_METHOD), "{none}");
    let none = client.ask(avatar, "getBuilder", &[Value::text("no")]);
    assert!(none.unwrap_err().is("builtins.KeyError"));

    // live-003: what 0.8.14 cannot send.
    let bot = object(&ask(client, avatar, "getSlave", &[Value::text("bot")]));
    assert_eq!(ask(client, bot, "isConnected", &[]), Value::Bool(true));
    let slaves = ask(client, quick, "getSlaves", &[]);
    let first = object(&slaves.as_items().unwrap()[0]);
    assert_eq!(text(&ask(client, first, "getName", &[])), "bot");
    let event = object(&ask(client, quick, "getEvent", &[Value::Int(-1)]));
    let words = ask(client, event, "getText", &[]);
    let words: Vec<_> = words.as_items().unwrap().iter().map(text).collect();
    assert_eq!(words, ["connect", "bot"]);
    // live-004.
    let logs = ask(client, build, "getLogs", &[]);
    let log = object(logs.get("code.stdio").unwrap());
    assert_eq!(text(&ask(client, log, "getName", &[])), "stdio");
    // live-005.
    drop(slave);
    master.wait_until_detached("bot");
    let state = ask(client, quick, "getState", &[]);
    let expected = case("live-005");
    let answer = &expected["expect"]["answer"];
    let [word, eta, builds] = state.as_items().unwrap() else {
        panic!("{state:?}");
    };
    assert_eq!(text(word), answer[0].as_str().unwrap());
    assert_eq!((eta, builds.as_items().unwrap()), (&Value::None, &[][..]));
    master.terminate();
}

#[test]
fn liv_02_sets_and_requests_are_followed_to_their_end() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let gate = sandbox.gate("gate");
    let setup = Setup::new(&[shell("wait", &gate.command(), "")])
        .local_slave("here")
        .tables(&listener(port));
    let master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    gate.wait_until_reached(1);

    let (mut client, avatar) = connect(port);
    let client = &mut client;
    let sets = ask(client, avatar, "getBuildSets", &[]);
    let [pair] = sets.as_items().unwrap() else {
        panic!("{sets:?}");
    };
    let set = object(&pair.as_items().unwrap()[0]);
    let id = ask(client, set, "getID", &[]);
    assert_eq!(Some(&id), pair.as_items().unwrap().get(1));
    let stamp = ask(client, set, "getSourceStamp", &[]);
    assert_eq!(text(stamp.get("revision").unwrap()), "r1");
    let requests = ask(client, set, "getBuildRequests", &[]);
    let pair = requests.as_items().unwrap()[0].as_items().unwrap();
    assert_eq!(text(&pair[0]), "full");
    let build = client.first_build(object(&pair[1]));
    assert_eq!(ask(client, build, "isFinished", &[]), Value::Bool(false));
    let current = object(&ask(client, build, "getCurrentStep", &[]));
    assert_eq!(text(&ask(client, current, "getName", &[])), "wait");
    let full = object(&ask(client, avatar, "getBuilder", &[Value::text("full")]));
    let state = ask(client, full, "getState", &[]);
    let state = state.as_items().unwrap();
    assert_eq!(text(&state[0]), "building");
    assert_eq!(state[2].as_items().unwrap().len(), 1);
    gate.open();
    ask(client, set, "waitUntilFinished", &[]);
    assert_eq!(ask(client, set, "getResults", &[]), Value::Int(0));
    assert_eq!(ask(client, build, "getResults", &[]), Value::Int(0));
}

#[test]
fn liv_02_builders_of_a_new_configuration_are_told() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let setup = Setup::new(&[shell("nothing", "true", "")])
        .local_slave("here")
        .tables(&listener(port));
    let master = Master::start(&sandbox, &setup);
    let mut command = sandbox.buildbot();
    command.args(["statuslog", "-e", "builds", "-m"]);
    command.arg(format!("127.0.0.1:{port}"));
    let process = Process::start("statuslog", &mut command);
    process.wait_for_line("builderChangedState full idle None");
    let other = setup.builder("other", "").toml(master.port());
    std::fs::write(master.dir().join("master.toml"), other).unwrap();
    run(master.program().arg("reconfig").arg(master.dir())).ok();
    process.wait_for_line("builderRemoved full");
    process.wait_for_line("builderAdded other");
    process.wait_for_line("builderChangedState other idle None");
}

#[test]
fn liv_04_a_client_that_asks_and_does_not_read_is_disconnected() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let line = "head -c 500000 /dev/zero | tr '\\0' x";
    let setup = Setup::new(&[shell("talk", line, "")])
        .local_slave("here")
        .tables(&listener(port));
    let master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    master.finished_build("full", 0);
    let (mut client, avatar) = connect(port);
    let full = object(&ask(
        &mut client,
        avatar,
        "getBuilder",
        &[Value::text("full")],
    ));
    let build = object(&ask(&mut client, full, "getBuild", &[Value::Int(0)]));
    let logs = ask(&mut client, build, "getLogs", &[]);
    let log = object(logs.get("talk.stdio").unwrap());
    // A long log is cut.
    assert!(text(&ask(&mut client, log, "getText", &[])).len() > 100_000);
    // The buffers of the system take some MiB, and the master keeps 4 MiB. It reads on meanwhile.
    let error = loop {
        if let Err(error) = client.ask_blindly(log, "getText") {
            break error.kind();
        }
    };
    let lost = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(lost.contains(&error), "{error:?}");
    let (mut other, avatar) = connect(port);
    assert_eq!(text(&ask(&mut other, avatar, "ping", &[])), "pong");
}

#[test]
fn liv_05_psh_07_a_person_is_told_of_problems_at_their_desktop() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let shown = sandbox.private_dir("shown").join("messages");
    let broken = sandbox.private_dir("work").join("broken");
    let step = format!("test ! -e {}", broken.display());
    let tables = format!(
        "[[status]]\ntype = \"PBListener\"\nport = \"127.0.0.1:{port}\"\nuser = \"alice\"\n\
         password = \"clientpw\"\n\
         [[status]]\ntype = \"MailNotifier\"\nfrom = \"ci@example.org\"\nmode = []\n\
         problems = true\nlookup = \"example.org\"\nvia = [\"true\"]\n\
         [problems]\ngather = \"0s\"\npause = \"0s\"\n[people.alice]\nnotify = \"live\"\n"
    );
    let setup = Setup::new(&[shell("test", &step, "")])
        .local_slave("here")
        .tables(&tables);
    let mut master = Master::prepare(&sandbox, &setup);
    master.run();
    let program = format!("printf '%s|%s\\n' \"$1\" \"$2\" >> {}", shown.display());
    let desktop = || {
        let mut command = sandbox.buildbot();
        command.args(["desktop", "-u", "alice", &format!("127.0.0.1:{port}"), "--"]);
        command.args(["sh", "-c", &program, "show"]);
        let process = Process::start("desktop", &mut command);
        process.wait_for_line("connected");
        process
    };
    let process = desktop();
    master.send_change("r1");
    assert_eq!(master.finished_build("full", 0).number, 0);
    std::fs::write(&broken, "").unwrap();
    master.send_change("r2");
    let text = || std::fs::read_to_string(&shown).unwrap_or_default();
    wait_until("the message", || text().contains("full: test fails now."));
    assert!(
        text().contains("|http://localhost/problems/1"),
        "{}",
        text()
    );
    // It was told once, by no mail, and after a restart of the master it is told the end.
    master.kill();
    process.wait_for_line("lost connection");
    master.run();
    let connections = || {
        process
            .printed()
            .lines()
            .filter(|l| *l == "connected")
            .count()
    };
    wait_until("another connection", || connections() == 2);
    std::fs::remove_file(&broken).unwrap();
    master.send_change("r3");
    wait_until("the end", || text().contains("is over: resolved"));
    assert_eq!(text().lines().count(), 2, "{}", text());
    let mut command = master.program();
    command.args(["outbox", "list", "--all", "--json", "--basedir"]);
    let letters = run(command.arg(master.dir())).ok();
    let letters: Vec<Json> = letters
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let targets: Vec<_> = letters.iter().map(|letter| &letter["target"]).collect();
    assert_eq!(targets, ["live", "live"], "{letters:?}");
}

#[test]
fn may_04_a_client_is_told_of_what_its_user_may_view() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let rules = "[[permissions]]\nwho = [\"anyone\"]\nmay = [\"view\"]\n\
                 [[permissions]]\nwho = [\"statusClient\"]\nmay_not = [\"view\"]\n\
                 on = { builders = [\"slow\"] }\n\
                 [[permissions]]\nwho = [\"statusClient\"]\nmay_not = [\"view\"]\n\
                 on = { slaves = [\"bot\"] }\n";
    let setup = three_builders(port, "true").tables(rules);
    let mut master = Master::start(&sandbox, &setup);
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    let mut command = sandbox.buildbot();
    command.args(["statuslog", "-e", "steps", "-m"]);
    let mut process = Process::start("statuslog", command.arg(format!("127.0.0.1:{port}")));
    process.wait_for_line("builderChangedState quick idle None");
    force(&master, "slow");
    master.finished_build("slow", 0);
    master.send_change("r1");
    process.wait_for_line("buildFinished 2");
    let (mut client, avatar) = connect(port);
    let client = &mut client;
    let names = ask(client, avatar, "getBuilderNames", &[]);
    let names: Vec<_> = names.as_items().unwrap().iter().map(text).collect();
    assert_eq!(names, ["away", "quick"]);
    for (method, name) in [("getBuilder", "slow"), ("getSlave", "bot")] {
        let refused = client.ask(avatar, method, &[Value::text(name)]);
        assert!(refused.is_err(), "{method} {name}: {refused:?}");
    }
    master.terminate();
    process.wait_for_line("lost connection");
    process.wait();
    assert!(!process.printed().contains("slow"), "{}", process.printed());
}

/// Builders `quick`, whose step fails, `slow`, whose step is the command `slow`, and `away` on a
/// slave that never comes.
fn three_builders(port: u16, slow: &str) -> Setup {
    let tables = format!(
        "[factories.quick]\nsteps = [{}]\n[factories.slow]\nsteps = [{}]\n{}\
         [[slaves]]\nname = \"bot\"\npassword = \"sekrit\"\n\
         [[builders]]\nname = \"quick\"\nslaves = [\"bot\"]\nfactory = \"quick\"\n\
         [[builders]]\nname = \"slow\"\nslaves = [\"bot\"]\nfactory = \"slow\"\n",
        shell(
            "code",
            "echo it is broken; exit 1",
            "halt_on_failure = true"
        ),
        shell("slow", slow, ""),
        listener(port),
    );
    let schedulers = "[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = [\"quick\"]\n\
                      [[schedulers]]\ntype = \"Triggerable\"\nname = \"hand\"\nbuilders = [\"slow\", \"away\"]\n";
    Setup::new(&[shell("nothing", "true", "")])
        .slave("gone")
        .builder("away", "")
        .tables(&tables)
        .schedulers(schedulers)
}

fn listener(port: u16) -> String {
    format!(
        "[[status]]\ntype = \"PBListener\"\nport = \"127.0.0.1:{port}\"\npassword = \"clientpw\"\n"
    )
}

fn force(master: &Master<'_>, builder: &str) {
    let mut command = master.program();
    command
        .args(["force", builder, "--basedir"])
        .arg(master.dir());
    run(&mut command).ok();
}

/// The directory with the clients of 0.7.12.
fn clients_0712() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client_0712.sh");
    let output = Command::new(script)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn connect(port: u16) -> (Client, Luid) {
    let mut client = Client::connect(port).unwrap();
    let avatar = client.login("statusClient", "clientpw", Value::None);
    (client, avatar.unwrap())
}

fn ask(client: &mut Client, object: Luid, method: &str, args: &[Value]) -> Value {
    let answer = client.ask(object, method, args);
    answer.unwrap_or_else(|failure| panic!("{method}: {failure}"))
}

fn object(value: &Value) -> Luid {
    value.as_theirs().unwrap_or_else(|| panic!("{value:?}"))
}

fn text(value: &Value) -> String {
    value.as_text().unwrap().into_owned()
}
