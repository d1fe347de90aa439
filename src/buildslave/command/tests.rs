//! Commands with real processes and files, and nobody at the other end but a test.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::{Command, Context, Outlet, Stop, StopSignal};
use crate::buildslave::Settings;
use crate::buildslave::host::scripted::{Script, ScriptedHost};
use crate::buildslave::host::{Host, LocalHost};
use crate::pb::{Failure, Value};
use crate::process::Environment;
use crate::protocol::{TextStyle, Update};

/// A command that runs.
struct Running {
    ended: JoinHandle<Result<(), Failure>>,
    queue: mpsc::Receiver<Update>,
    stop: watch::Sender<Option<Stop>>,
    seen: Vec<Update>,
}

/// Everything a command said, by channel.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) header: String,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) rc: Option<i64>,
    elapsed: bool,
    reason: Option<String>,
    logs: Vec<(String, String)>,
    pub(super) other: Vec<(String, Value)>,
}

impl Running {
    fn start(dir: &Path, name: &str, args: &[(&str, Value)]) -> Self {
        Self::start_on(Arc::new(LocalHost), dir, name, args)
    }

    fn start_on(host: Arc<dyn Host>, dir: &Path, name: &str, args: &[(&str, Value)]) -> Self {
        let args = args.iter().map(|(k, v)| (Value::bytes(k), v.clone()));
        let args = Value::Dict(args.collect());
        let command = Command::parse(name, &args).unwrap();
        let mut settings = Settings::new("s", "p", dir);
        settings.host = host;
        let mut environment = Environment::clone(&settings.environment.borrow());
        environment.insert("BASE".into(), "base".into());
        settings.environment = watch::channel(Arc::new(environment)).1;
        let (outlet, queue) = Outlet::new();
        let (stop, signal) = StopSignal::new();
        let context = Context {
            settings: Arc::new(settings),
            dir: dir.to_owned(),
            peer: None,
            style: TextStyle::Bytes,
            outlet,
            stop: signal,
        };
        Self {
            ended: tokio::spawn(command.run(context)),
            queue,
            stop,
            seen: Vec::new(),
        }
    }

    /// Waits until the standard output holds `text`.
    async fn wait_for(&mut self, text: &str) {
        let mut stdout = Vec::new();
        while !String::from_utf8_lossy(&stdout).contains(text) {
            let update = self.queue.recv().await.unwrap();
            if let Update::Stdout(data) = &update {
                stdout.extend_from_slice(data);
            }
            self.seen.push(update);
        }
    }

    async fn end(mut self) -> (Said, Result<(), Failure>) {
        let mut said = Said::default();
        while let Some(update) = self.queue.recv().await {
            self.seen.push(update);
        }
        for update in self.seen {
            match update {
                Update::Header(data) => said.header += &String::from_utf8_lossy(&data),
                Update::Stdout(data) => said.stdout.extend(data),
                Update::Stderr(data) => said.stderr.extend(data),
                Update::Rc(rc) => said.rc = Some(rc),
                Update::Elapsed(_) => said.elapsed = true,
                Update::FailureReason(reason) => said.reason = Some(reason),
                Update::Log { name, data } => said
                    .logs
                    .push((name, String::from_utf8_lossy(&data).into_owned())),
                Update::Other { key, value } => said.other.push((key, value)),
            }
        }
        (said, self.ended.await.unwrap())
    }
}

pub(super) async fn run(dir: &Path, name: &str, args: &[(&str, Value)]) -> Said {
    let (said, result) = Running::start(dir, name, args).end().await;
    result.unwrap();
    said
}

fn line(command: &str) -> (&'static str, Value) {
    ("command", Value::bytes(command))
}

fn words(words: &[&str]) -> (&'static str, Value) {
    let words = words.iter().map(Value::bytes).collect();
    ("command", Value::List(words))
}

fn in_build() -> (&'static str, Value) {
    ("workdir", Value::bytes("build"))
}

/// Runs a shell command line in a new directory with more arguments.
async fn shell(command: &str, more: &[(&str, Value)]) -> Said {
    let dir = tempfile::tempdir().unwrap();
    let args = [&[line(command), in_build()], more].concat();
    run(dir.path(), "shell", &args).await
}

#[tokio::test]
async fn a_command_tells_its_output_by_channel_and_its_status() {
    let said = shell("echo out; echo err >&2; exit 3", &[]).await;
    assert_eq!(said.stdout, b"out\n");
    assert_eq!(said.stderr, b"err\n");
    assert_eq!(said.rc, Some(3));
    assert!(said.elapsed && said.header.contains("elapsedTime="));
    assert_eq!(said.reason, None);
}

#[tokio::test]
async fn the_header_shows_command_place_and_environment() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        words(&["echo", "a b"]),
        in_build(),
        ("timeout", Value::Int(1200)),
    ];
    let said = run(dir.path(), "shell", &args).await;
    let dir = dir.path().display();
    let begin = format!(
        "echo 'a b'\n in dir {dir}/build (timeout 1200 secs)\n watching logfiles {{}}\n \
         argv: ['echo', 'a b']\n environment:\n"
    );
    assert!(said.header.starts_with(&begin), "{}", said.header);
    assert!(said.header.contains(&format!("  PWD={dir}/build\n")));
    assert!(said.header.contains("  BASE=base\n"));
    assert!(said.header.contains(" using PTY: False\n"));
}

#[tokio::test]
async fn the_environment_is_not_shown_when_it_is_not_wanted() {
    let said = shell("true", &[("logEnviron", Value::Bool(false))]).await;
    assert!(!said.header.contains("environment"), "{}", said.header);
}

#[tokio::test]
async fn binary_output_and_words_pass_byte_for_byte() {
    let all: Vec<u8> = (1..=255).collect();
    let dir = tempfile::tempdir().unwrap();
    let command = Value::List(vec![
        Value::bytes("printf"),
        Value::bytes("%s"),
        Value::bytes(&all),
    ]);
    let args = [("command", command), in_build()];
    let said = run(dir.path(), "shell", &args).await;
    assert_eq!(said.stdout, all);
    let said = shell("printf 'a\\0b\\r\\n\\377'", &[]).await;
    assert_eq!(said.stdout, b"a\0b\r\n\xff");
}

#[tokio::test]
async fn much_output_arrives_whole_through_a_bounded_queue() {
    let said = shell("head -c 3000000 /dev/zero", &[]).await;
    assert_eq!(said.stdout.len(), 3_000_000);
}

#[tokio::test]
async fn output_that_is_not_wanted_is_not_sent() {
    let no = |key| (key, Value::Int(0));
    let said = shell(
        "echo a; echo b >&2",
        &[no("want_stdout"), no("want_stderr")],
    )
    .await;
    assert!(said.stdout.is_empty() && said.stderr.is_empty());
    assert_eq!(said.rc, Some(0));
}

#[tokio::test]
async fn a_secret_word_is_run_but_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let secret = ["obfuscated", "geheim", "XXX"].map(Value::bytes).to_vec();
    let command = Value::List(vec![Value::bytes("echo"), Value::Tuple(secret)]);
    let said = run(dir.path(), "shell", &[("command", command), in_build()]).await;
    assert_eq!(said.stdout, b"geheim\n");
    assert!(said.header.contains("echo XXX") && !said.header.contains("geheim"));
}

#[tokio::test]
async fn the_environment_is_changed_as_wanted() {
    let env = Value::Dict(vec![
        (Value::bytes("HOME"), Value::None),
        (Value::bytes("A"), Value::bytes("${BASE}-x")),
    ]);
    let said = shell("echo ${HOME-none} $A", &[("env", env)]).await;
    assert_eq!(said.stdout, b"none base-x\n");
}

#[tokio::test]
async fn a_wrong_environment_fails_the_command_after_its_start() {
    let dir = tempfile::tempdir().unwrap();
    let env = Value::Dict(vec![(Value::bytes("A"), Value::Int(1))]);
    let args = [line("true"), in_build(), ("env", env)];
    let (said, result) = Running::start(dir.path(), "shell", &args).end().await;
    assert_eq!(result.unwrap_err().kind, "builtins.RuntimeError");
    assert_eq!(said.rc, None);
}

#[tokio::test]
async fn input_is_written_and_closed() {
    let said = shell("cat", &[("initial_stdin", Value::bytes(b"a\xffb"))]).await;
    assert_eq!(said.stdout, b"a\xffb");
    assert!(said.header.contains(" writing 3 bytes to stdin\n"));
    // Without input there is nothing to read, and no waiting for it.
    assert_eq!(shell("cat; echo end", &[]).await.stdout, b"end\n");
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_status_1_with_a_word_on_stderr() {
    let dir = tempfile::tempdir().unwrap();
    let args = [words(&["/nonexistent/program"]), in_build()];
    let said = run(dir.path(), "shell", &args).await;
    assert_eq!(said.rc, Some(1));
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(text.contains("No such file or directory"), "{text}");
}

#[tokio::test]
async fn death_by_signal_is_minus_1_with_the_signal_in_the_header() {
    let said = shell("kill -9 $$", &[]).await;
    assert_eq!(said.rc, Some(-1));
    assert!(said.header.contains("process killed by signal 9\n"));
}

#[tokio::test]
async fn silence_for_too_long_kills() {
    let said = shell("echo x; sleep 600", &[("timeout", Value::Float(0.2))]).await;
    assert_eq!(said.rc, Some(-1));
    assert_eq!(said.reason.as_deref(), Some("timeout_without_output"));
    let text = "\ncommand timed out: 0.2 seconds without output running echo x; sleep 600, \
                attempting to kill\n";
    assert!(said.header.contains(text), "{}", said.header);
}

#[tokio::test]
async fn running_for_too_long_kills_although_there_is_output() {
    let said = shell(
        "while :; do echo x; done",
        &[("maxTime", Value::Float(0.2))],
    )
    .await;
    assert_eq!(said.rc, Some(-1));
    assert_eq!(said.reason.as_deref(), Some("timeout"));
    let text = "command timed out: 0.2 seconds elapsed running";
    assert!(said.header.contains(text), "{}", said.header);
}

#[tokio::test]
async fn too_many_lines_kill_and_as_many_as_allowed_do_not() {
    let lines = |n: u32, then: &str| format!("seq {n}; {then}");
    let max = ("max_lines", Value::Int(10));
    let said = shell(&lines(10, "true"), std::slice::from_ref(&max)).await;
    assert_eq!((said.rc, said.reason), (Some(0), None));
    let said = shell(&lines(11, "sleep 600"), &[max]).await;
    assert_eq!(said.rc, Some(-1));
    assert_eq!(said.reason.as_deref(), Some("max_lines_failure"));
}

#[tokio::test]
async fn an_interrupt_kills_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let args = [line(WITH_GRANDCHILD), in_build()];
    let mut running = Running::start(dir.path(), "shell", &args);
    running.wait_for("begun\n").await;
    running.stop.send(Some(Stop::Interrupted)).unwrap();
    let (said, result) = running.end().await;
    result.unwrap();
    assert_eq!(said.rc, Some(-1));
    assert!(
        !said.elapsed,
        "slaves do not tell it of interrupted commands"
    );
    assert!(
        said.header
            .contains("\ncommand interrupted, attempting to kill\n")
    );
    all_are_gone(dir.path()).await;
}

#[tokio::test]
async fn a_command_that_nobody_listens_to_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let args = [line(WITH_GRANDCHILD), in_build()];
    let mut running = Running::start(dir.path(), "shell", &args);
    running.wait_for("begun\n").await;
    drop(running.queue);
    running.stop.send(Some(Stop::Abandoned)).unwrap();
    running.ended.await.unwrap().unwrap();
    all_are_gone(dir.path()).await;
}

#[tokio::test]
async fn sigterm_comes_first_where_a_time_for_it_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let command = "trap 'echo trapped; exit 0' TERM; echo begun; while :; do sleep 0.01; done";
    let args = [line(command), in_build(), ("sigtermTime", Value::Int(600))];
    let mut running = Running::start(dir.path(), "shell", &args);
    running.wait_for("begun\n").await;
    running.stop.send(Some(Stop::Interrupted)).unwrap();
    let (said, _) = running.end().await;
    assert!(said.stdout.ends_with(b"trapped\n"));
    // An interrupted command has not succeeded.
    assert_eq!(said.rc, Some(-1));
}

#[tokio::test]
async fn who_ignores_sigterm_gets_the_harder_signal() {
    let dir = tempfile::tempdir().unwrap();
    let command = "trap '' TERM; echo begun; while :; do sleep 0.01; done";
    let args = [
        line(command),
        in_build(),
        ("sigtermTime", Value::Float(0.1)),
    ];
    let mut running = Running::start(dir.path(), "shell", &args);
    running.wait_for("begun\n").await;
    running.stop.send(Some(Stop::Interrupted)).unwrap();
    let (said, _) = running.end().await;
    assert!(said.header.contains("process killed by signal 9\n"));
}

#[tokio::test]
async fn followed_files_are_sent_from_their_change_on() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("build")).unwrap();
    for file in ["old.log", "same.log", "from-end.log"] {
        fs::write(dir.path().join("build").join(file), "before\n").unwrap();
    }
    let from_end = Value::Dict(vec![
        (Value::bytes("filename"), Value::bytes("from-end.log")),
        (Value::bytes("follow"), Value::Bool(true)),
    ]);
    let logfiles = Value::Dict(vec![
        (Value::bytes("new"), Value::bytes("new.log")),
        (Value::bytes("old"), Value::bytes("old.log")),
        (Value::bytes("same"), Value::bytes("same.log")),
        (Value::bytes("end"), from_end),
    ]);
    let command = "echo n > new.log; echo o >> old.log; echo e >> from-end.log";
    let args = [line(command), in_build(), ("logfiles", logfiles)];
    let mut said = run(dir.path(), "shell", &args).await;
    said.logs.sort();
    let expect = [("end", "e\n"), ("new", "n\n"), ("old", "before\no\n")];
    let expect = expect.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(said.logs, expect);
}

#[tokio::test]
async fn directories_are_made_copied_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let text = |key, value: &str| (key, Value::bytes(value));
    let said = run(dir.path(), "mkdir", &[text("dir", "a/b")]).await;
    assert!(at("a/b").is_dir() && said.rc == Some(0));
    fs::write(at("a/b/f"), "x").unwrap();
    let args = [text("fromdir", "a"), text("todir", "c/d")];
    let said = run(dir.path(), "cpdir", &args).await;
    assert_eq!(said.rc, Some(0));
    assert_eq!(fs::read_to_string(at("c/d/b/f")).unwrap(), "x");
    let dirs = Value::List(vec![Value::bytes("a"), Value::bytes("c")]);
    let said = run(dir.path(), "rmdir", &[("dir", dirs)]).await;
    assert_eq!(said.rc, Some(0));
    assert!(!at("a").exists() && !at("c").exists());
    fs::write(at("g"), "").unwrap();
    assert_eq!(
        run(dir.path(), "rmfile", &[text("path", "g")]).await.rc,
        Some(0)
    );
    assert!(!at("g").exists());
}

#[tokio::test]
async fn files_are_told_of_and_what_is_missing_is_an_errno() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f.txt"), "12345").unwrap();
    let text = |key, value: &str| (key, Value::bytes(value));
    let said = run(dir.path(), "stat", &[text("file", "f.txt")]).await;
    let (key, stat) = &said.other[0];
    assert_eq!((key.as_str(), stat.as_items().unwrap().len()), ("stat", 10));
    assert_eq!(stat.as_items().unwrap()[6], Value::Int(5));
    let said = run(dir.path(), "stat", &[text("file", "nope")]).await;
    assert_eq!(said.rc, Some(2));
    let path = dir.path().join("nope");
    let path = path.display();
    assert_eq!(
        said.header,
        format!("stat: No such file or directory: {path}\n")
    );
    let said = run(dir.path(), "listdir", &[text("dir", ".")]).await;
    let names = Value::List(vec![Value::bytes("f.txt")]);
    assert_eq!(said.other, [("files".to_owned(), names)]);
    let said = run(dir.path(), "glob", &[text("path", "*.txt")]).await;
    let path = dir.path().join("f.txt");
    let found = Value::List(vec![Value::bytes(path.to_str().unwrap())]);
    assert_eq!(said.other, [("files".to_owned(), found)]);
}

/// Runs a command in `/b` of a scripted machine.
async fn run_on(host: &ScriptedHost, name: &str, args: &[(&str, Value)]) -> Said {
    let running = Running::start_on(Arc::new(host.clone()), Path::new("/b"), name, args);
    let (said, result) = running.end().await;
    result.unwrap();
    said
}

fn script(code: Option<i32>, dies: bool) -> Script {
    Script {
        stdout: "",
        code,
        dies,
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_removed_is_made_writable_and_tried_again() {
    let host = ScriptedHost::default()
        .with_program("rm", script(Some(1), true))
        .with_program("chmod", script(Some(0), true));
    let said = run_on(&host, "rmdir", &[("dir", Value::bytes("d"))]).await;
    assert_eq!(said.rc, Some(1));
    let expected = ["rm -rf /b/d", "chmod -Rf u+rwx /b/d", "rm -rf /b/d"];
    assert_eq!(host.log(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_outlives_its_last_signal_is_given_up() {
    let host = ScriptedHost::default().with_program("stuck", script(None, false));
    let args = [words(&["stuck"]), in_build(), ("timeout", Value::Int(60))];
    let running = Running::start_on(Arc::new(host.clone()), Path::new("/b"), "shell", &args);
    let (said, result) = running.end().await;
    assert_eq!(result.unwrap_err().value, "SIGKILL failed to kill process");
    assert_eq!(said.rc, Some(-1));
    assert_eq!(said.reason.as_deref(), Some("timeout_without_output"));
    assert_eq!(host.log(), ["stuck", "kill -9", "kill -9"]);
}

#[tokio::test(start_paused = true)]
async fn a_program_has_the_time_after_sigterm_that_it_is_given() {
    let host = ScriptedHost::default().with_program("slow", script(None, true));
    let args = [
        words(&["slow"]),
        in_build(),
        ("maxTime", Value::Int(5)),
        ("sigtermTime", Value::Int(600)),
    ];
    let said = run_on(&host, "shell", &args).await;
    assert_eq!(
        (said.rc, said.reason.as_deref()),
        (Some(-1), Some("timeout"))
    );
    assert_eq!(host.log(), ["slow", "kill -15"]);
}

#[tokio::test]
async fn files_of_a_machine_are_made_listed_and_removed() {
    let host = ScriptedHost::default().with_file("/b/x/f.txt", "12345");
    let text = |key, value: &str| (key, Value::bytes(value));
    assert_eq!(
        run_on(&host, "mkdir", &[text("dir", "x/y")]).await.rc,
        Some(0)
    );
    let said = run_on(&host, "listdir", &[text("dir", "x")]).await;
    let names = Value::List(vec![Value::bytes("f.txt"), Value::bytes("y")]);
    assert_eq!(said.other, [("files".to_owned(), names)]);
    assert_eq!(
        run_on(&host, "rmfile", &[text("path", "x/f.txt")]).await.rc,
        Some(0)
    );
    assert_eq!(
        run_on(&host, "rmfile", &[text("path", "x/f.txt")]).await.rc,
        Some(2)
    );
    assert_eq!(host.file("/b/x/f.txt"), None);
}

#[test]
fn unknown_commands_and_missing_arguments_are_refused_at_the_start() {
    let (key, dir) = in_build();
    let args = Value::Dict(vec![(Value::bytes(key), dir)]);
    let failure = Command::parse("nonsense", &args).unwrap_err();
    assert_eq!(failure.kind, "buildslave.bot.UnknownCommand");
    assert_eq!(failure.value, "unrecognized SlaveCommand 'nonsense'");
    let failure = Command::parse("shell", &args).unwrap_err();
    assert_eq!(failure.kind, "builtins.ValueError");
    assert_eq!(failure.value, "shell is missing args: command");
}

/// Locks a file by a descriptor that every process of the command has, and starts a grandchild.
const WITH_GRANDCHILD: &str = "exec 9>lock; flock 9; sleep 600 & echo begun; wait";

/// Waits until no process of [`WITH_GRANDCHILD`] is left, which is when its lock is free.
async fn all_are_gone(dir: &Path) {
    let lock = fs::File::open(dir.join("build/lock")).unwrap();
    let locked = move || rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive);
    crate::blocking::run(locked).await.unwrap().unwrap();
}
