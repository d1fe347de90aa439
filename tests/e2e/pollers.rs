//! Pollers of real repositories, with a master that is stopped and killed in between.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use serde::Deserialize;

use crate::git_settings::{SSH, program, serve};
use crate::harness::master::ShownChange;
use crate::harness::{Master, Repository, Sandbox, Setup, run, shell, wait_until};

/// A change source, as `show sources --json` prints it.
#[derive(Clone, Debug, Deserialize)]
struct ShownSource {
    name: String,
    #[serde(default)]
    last_error: Option<String>,
    #[serde(default)]
    last_success: Option<String>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    taken: u64,
}

fn setup(kind: &str, lines: &str) -> Setup {
    polled_every("200ms", kind, lines)
}

fn polled_every(interval: &str, kind: &str, lines: &str) -> Setup {
    let source = format!(
        "[[change_sources]]\nname = \"code\"\ntype = \"{kind}\"\npoll_interval = \"{interval}\"\n{lines}"
    );
    Setup::new(&[shell("nothing", "true", "")])
        .slave("bot")
        .tables(&source)
}

/// Branches and messages of all changes, oldest first.
fn changes(master: &Master<'_>) -> Vec<String> {
    let mut all: Vec<ShownChange> = master.show(&["changes", "--limit", "100000"]);
    all.sort_by_key(|change| change.number);
    let short = |change: ShownChange| {
        let comments = change.comments.unwrap_or_default();
        let branch = change.branch.unwrap_or_else(|| "-".to_owned());
        format!("{branch} {}", comments.lines().next().unwrap_or_default())
    };
    all.into_iter().map(short).collect()
}

fn wait_for_changes(master: &Master<'_>, expected: &[&str]) {
    wait_until("the poller has found the commits", || {
        changes(master).len() >= expected.len()
    });
    assert_eq!(changes(master), expected);
}

/// Waits for the first poll, which remembers the repository as it is.
fn wait_for_a_poll(master: &Master<'_>) {
    wait_until("the first poll is done", || {
        source(master).last_success.is_some()
    });
}

fn source(master: &Master<'_>) -> ShownSource {
    let all: Vec<ShownSource> = master.show(&["sources"]);
    all.into_iter()
        .find(|source| source.name == "code")
        .unwrap()
}

#[test]
fn int_05_commits_while_the_master_is_down_arrive_once_and_in_order() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox);
    let commit = |name: &str| repository.git(&["commit", "-q", "--allow-empty", "-m", name]);
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    commit("one");
    let url = repository.dir.display();
    let setup = setup("GitPoller", &format!("repourl = \"{url}\"\ntags = true\n"));
    let mut master = Master::start(&sandbox, &setup);
    wait_for_a_poll(&master);
    commit("two");
    let mut expected = vec!["main two"];
    wait_for_changes(&master, &expected);
    master.terminate();
    commit("three");
    repository.git(&["checkout", "-q", "-b", "side"]);
    commit("side 1");
    repository.git(&["checkout", "-q", "main"]);
    commit("four");
    repository.git(&["tag", "v1"]);
    master.run();
    expected.extend([
        "main three",
        "main four",
        "side side 1",
        "refs/tags/v1 four",
    ]);
    wait_for_changes(&master, &expected);
    // Forced, and renamed, and deleted.
    master.kill();
    repository.git(&["branch", "-m", "side", "topic"]);
    repository.git(&["reset", "-q", "--hard", "HEAD^"]);
    commit("four again");
    master.run();
    expected.push("main four again");
    wait_for_changes(&master, &expected);
    repository.git(&["branch", "-q", "-D", "topic"]);
    commit("five");
    expected.push("main five");
    wait_for_changes(&master, &expected);
    let source = source(&master);
    assert_eq!((source.taken, source.last_error), (7, None));
}

#[test]
fn int_02_a_master_that_is_killed_while_it_catches_up_takes_each_commit_once() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox);
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    repository.commit("one", b"1");
    let url = repository.dir.display();
    let setup = setup("GitPoller", &format!("repourl = \"{url}\"\n"));
    let mut master = Master::start(&sandbox, &setup);
    wait_for_a_poll(&master);
    repository.commit("two", b"2");
    wait_for_changes(&master, &["main two"]);
    master.terminate();
    let mut stream = String::new();
    for n in 0..1500 {
        let from = if n == 0 {
            "from refs/heads/main^0\n"
        } else {
            ""
        };
        let message = format!("n{n:04}");
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter me <me@e> {n} +0000\ndata 5\n{message}\n{from}"
        ));
    }
    let file = sandbox.file("stream", stream);
    let import = format!("git fast-import --quiet <{}", file.display());
    run(sandbox
        .command("sh")
        .args(["-c", &import])
        .current_dir(&repository.dir))
    .ok();
    for _ in 0..5 {
        master.run();
        let known = changes(&master).len();
        wait_until("some commits are taken", || {
            changes(&master).len() > known.min(1500)
        });
        master.kill();
    }
    master.run();
    wait_until("all commits are taken", || changes(&master).len() > 1500);
    let expected: Vec<String> = (0..1500).map(|n| format!("main n{n:04}")).collect();
    assert_eq!(changes(&master).get(1..), Some(expected.as_slice()));
}

#[test]
fn int_01_an_error_is_shown_and_the_source_goes_on() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox);
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    repository.commit("one", b"1");
    let lines = format!(
        "repourl = \"{}/none\"\nstart = \"tip\"\n",
        repository.dir.display()
    );
    let master = Master::start(&sandbox, &setup("GitPoller", &lines));
    wait_until("the error is shown", || {
        source(&master).last_error.is_some()
    });
    let error = source(&master).last_error.unwrap();
    assert!(
        error.starts_with("git ls-remote ended with exit code 128: fatal: "),
        "{error}"
    );
    repository.git(&["clone", "-q", "--bare", ".", "none"]);
    wait_for_changes(&master, &["main one"]);
}

#[test]
fn int_11_a_source_that_is_poked_polls_at_once() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox);
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    repository.commit("one", b"1");
    let url = repository.dir.display();
    let lines = format!("repourl = \"{url}\"\nstart = \"tip\"\n");
    let master = Master::start(&sandbox, &polled_every("1h", "GitPoller", &lines));
    wait_for_changes(&master, &["main one"]);
    repository.commit("two", b"2");
    let poke = |name: &str| {
        let mut command = sandbox.buildmaster();
        run(command
            .args(["sources", "poke", name])
            .current_dir(master.dir()))
    };
    poke("code").ok();
    wait_for_changes(&master, &["main one", "main two"]);
    let refused = poke("change").fails_with(1);
    assert!(refused.contains("does not poll"), "{refused}");
}

#[test]
fn pol_11_pol_12_repositories_of_other_systems_are_polled() {
    for (program, kind, lines, setup_script, commit) in [
        (
            "svn",
            "SVNPoller",
            "repourl = \"file://DIR/repo\"\nsplit_file = \"branches\"\n",
            "svnadmin create repo && U=file://$PWD/repo && svn -q mkdir -m 0 $U/trunk && svn -q checkout $U/trunk work",
            "cd work && echo $N >f$N && svn -q add f$N && svn -q commit -m $N",
        ),
        (
            "hg",
            "HgPoller",
            "repourl = \"DIR/repo\"\n",
            "hg init repo && cd repo && echo 0 >0 && hg commit -qA -u me -m 0",
            "cd repo && echo $N >$N && hg commit -qA -u me -m $N",
        ),
        (
            "bzr",
            "BzrPoller",
            "repourl = \"DIR/repo\"\n",
            "bzr init -q repo && cd repo && echo 0 >0 && bzr add -q && bzr commit -qm 0",
            "cd repo && echo $N >$N && bzr add -q && bzr commit -qm $N",
        ),
        (
            "cvs",
            "CVSPoller",
            "cvsroot = \"DIR/repo\"\ncvsmodule = \"project\"\n",
            "cvs -f -d $PWD/repo init && mkdir repo/project && cvs -f -Q -d $PWD/repo checkout -d work project",
            // Dated some seconds ago, so that the commit has ended.
            "cd work && echo $N >f$N && cvs -f -Q add f$N && cvs -f -Q commit -m $N && F=../repo/project/f$N,v && \
             chmod u+w $F && D=$(date -u -d \"-$((40-N)) seconds\" +%Y.%m.%d.%H.%M.%S) && \
             sed -i \"0,/^date/s/^date\\t[0-9.]*/date\\t$D/\" $F",
        ),
    ] {
        let sandbox = Sandbox::new();
        if std::process::Command::new(program)
            .arg("--version")
            .output()
            .is_err()
        {
            eprintln!("skipped: {program} is not installed");
            continue;
        }
        let dir = sandbox.private_dir("project");
        let script = |script: &str, n: &str| {
            let mut command = sandbox.command("sh");
            command.env("N", n).env("BZR_EMAIL", "me <me@e>");
            run(command.args(["-ec", script]).current_dir(&dir)).ok()
        };
        script(setup_script, "0");
        let lines = lines.replace("DIR", dir.to_str().unwrap());
        let mut master = Master::start(&sandbox, &setup(kind, &lines));
        wait_for_a_poll(&master);
        script(commit, "1");
        let name = |n: usize| format!("{} {n}", if program == "hg" { "default" } else { "-" });
        wait_for_changes(&master, &[&name(1)]);
        master.kill();
        for n in 2..=4 {
            script(commit, &n.to_string());
        }
        master.run();
        let all: Vec<String> = (1..=4).map(name).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        wait_for_changes(&master, &all);
    }
}

#[test]
fn grd_05_pol_09_a_poller_logs_in_with_the_credentials_of_its_repository() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox);
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    repository.commit("one", b"1");
    repository.git(&["branch", "other"]);
    repository.git(&["update-server-info"]);
    let port = serve(repository.dir.join(".git"), "Basic bWU6aHVzaC1odXNo");
    let programs = sandbox.private_dir("programs");
    program(&programs, "ssh", SSH);
    let path = format!("PATH={}:$PATH exec git \"$@\"", programs.display());
    program(&programs, "git-here", &path);
    let (git, dir) = (programs.join("git-here"), repository.dir.display());
    let secrets = sandbox.private_dir("secrets");
    sandbox.file("secrets/password", "hush-hush\n");
    sandbox.file("secrets/key", "first-of-key\nsecond-of-key\n");
    let register = format!(
        r#"
[[repositories]]
name = "by-ssh"
urls = "git@host:{dir}"
default_branch = "main"
codebase = "core"
credentials = {{ ssh_key_file = "{secrets}/key", ssh_host_key = "ssh-rsa AAAA" }}
[[repositories]]
name = "by-http"
urls = "http://127.0.0.1:{port}/"
default_branch = "main"
project = "widget"
credentials = {{ user = "me", password_file = "{secrets}/password" }}
[[change_sources]]
type = "GitPoller"
repository = "by-http"
start = "tip"
poll_interval = "200ms"
"#,
        secrets = secrets.display()
    );
    let lines = format!("repository = \"by-ssh\"\nstart = \"tip\"\ngit = {git:?}\n{register}");
    let master = Master::start(&sandbox, &setup("GitPoller", &lines));
    wait_until("both pollers have found the commit", || {
        changes(&master).len() >= 2
    });
    let all: Vec<ShownChange> = master.show(&["changes", "--limit", "9"]);
    let mut shown: Vec<_> = all
        .iter()
        .map(|change| {
            let place = [&change.repository, &change.codebase, &change.project];
            format!(
                "{} {}",
                change.branch.as_deref().unwrap_or("-"),
                place.map(String::as_str).join(" ")
            )
        })
        .collect();
    shown.sort();
    assert_eq!(shown, ["main by-http  widget", "main by-ssh core "]);
    let ssh = std::fs::read_to_string(programs.join("ssh.log")).unwrap();
    let told: Vec<_> = ssh.lines().skip(1).take(3).collect();
    assert_eq!(told, ["first-of-key", "second-of-key", "* ssh-rsa AAAA"]);
    assert!(ssh.contains("BatchMode=yes"), "{ssh}");
}

/// A code host in the form of Gitea with one pull request of a stranger.
fn serve_a_pull_request(head: String) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            let mut lines = reader.by_ref().lines().map_while(Result::ok);
            let asked = lines.next().unwrap_or_default();
            // The rest of the head; the server closes the connection after its answer.
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let body = match asked.contains("/files") {
                true => r#"[{"filename": "text"}]"#.to_owned(),
                false => format!(
                    r#"[{{"number": 7, "title": "Speed it up", "user": {{"login": "eve"}},
                    "head": {{"sha": "{head}", "repo": {{"full_name": "eve/widget"}}}},
                    "base": {{"ref": "main", "repo": {{"full_name": "ann/widget"}}}}}}]"#
                ),
            };
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
            // A client that has gone is of no interest.
            drop(write!(stream, "{head} {length}\r\n\r\n{body}"));
        }
    });
    port
}

#[test]
fn pol_13_a_pull_request_of_a_stranger_is_built_after_its_approval() {
    let sandbox = Sandbox::new();
    let head = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
    let port = serve_a_pull_request(head.to_owned());
    let register = format!(
        "[[repositories]]\nname = \"widget\"\nurls = \"https://h/ann/widget\"\n\
         host = {{ type = \"gitea\", api = \"http://127.0.0.1:{port}\" }}\n"
    );
    let lines = format!("repository = \"widget\"\nstart = \"open\"\n{register}");
    let mut master = Master::start(&sandbox, &polled_every("1h", "PullRequestPoller", &lines));
    wait_until("the pull request waits", || {
        source(&master)
            .note
            .is_some_and(|note| note.contains("pull request 7 of eve waits"))
    });
    let approve = |master: &Master<'_>, commit: &str| {
        let mut command = sandbox.buildmaster();
        run(command
            .args(["sources", "approve", "code", "7", commit])
            .current_dir(master.dir()))
    };
    let refused = approve(&master, "7dcb09b5b5").fails_with(1);
    assert!(
        refused.contains("does not wait for an approval"),
        "{refused}"
    );
    assert!(approve(&master, "6d").fails_with(1).contains("7 digits"));
    assert_eq!(changes(&master), [""; 0]);
    master.kill();
    master.run();
    approve(&master, head.get(..12).unwrap()).ok();
    let all: Vec<ShownChange> = master.show(&["changes"]);
    let [change] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(change.branch.as_deref(), Some("refs/pull/7/head"));
    assert_eq!(change.revision.as_deref(), Some(head));
    assert_eq!(
        (change.who.as_str(), change.repository.as_str()),
        ("eve", "widget")
    );
    assert_eq!(change.files, ["text"]);
}

/// A server that answers every request with `body`, and hands the first line of each to `asked`.
fn serve_text(body: String, asked: std::sync::mpsc::Sender<String>) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            let lines = reader.by_ref().lines().map_while(Result::ok);
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let length = body.len();
            let status = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
            // A client or a test that has gone is of no interest.
            drop(write!(stream, "{status} {length}\r\n\r\n{body}"));
            drop(asked.send(head.join("\n")));
        }
    });
    port
}

#[test]
fn pol_14_the_log_of_events_of_gerrit_has_updates_of_branches() {
    let sandbox = Sandbox::new();
    let programs = sandbox.private_dir("programs");
    program(&programs, "ssh", GERRIT);
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs();
    let (merged, pushed) = ("a".repeat(40), "b".repeat(40));
    let log = format!(
        "{{\"type\": \"ref-updated\", \"eventCreatedOn\": {now}, \"refUpdate\": {{\"oldRev\": \"0\", \
         \"newRev\": \"{merged}\", \"refName\": \"refs/heads/main\", \"project\": \"widget\"}}}}\n\
         {{\"type\": \"patchset-created\", \"eventCreatedOn\": {now}, \"change\": {{\"project\": \
         \"widget\", \"branch\": \"main\", \"number\": 7, \"subject\": \"s\"}}, \"patchSet\": \
         {{\"revision\": \"{pushed}\", \"ref\": \"r\"}}}}\n"
    );
    let (sender, asked) = std::sync::mpsc::channel();
    let port = serve_text(log, sender);
    sandbox.file("programs/stream", "");
    let set = format!("{{\"revision\": \"{pushed}\", \"files\": [{{\"file\": \"a.c\"}}]}}");
    sandbox.file(
        "programs/query",
        format!("{{\"currentPatchSet\": {set}}}\n"),
    );
    let source = format!(
        "[[change_sources]]\nname = \"code\"\ntype = \"GerritChangeSource\"\n\
         gerritserver = \"review\"\nusername = \"bot\"\nssh = \"{}/ssh\"\nget_files = true\n\
         events_log = \"http://127.0.0.1:{port}/\"\nhttp_password = \"pw\"\n",
        programs.display(),
    );
    let setup = Setup::new(&[shell("nothing", "true", "")])
        .slave("bot")
        .tables(&source);
    let master = Master::start(&sandbox, &setup);
    wait_for_changes(&master, &["main Gerrit: patchset(s) merged.", "main/7 s"]);
    let files: Vec<_> = master
        .show::<ShownChange>(&["changes"])
        .into_iter()
        .filter(|change| change.revision.as_deref() == Some(&pushed))
        .map(|change| change.files)
        .collect();
    assert_eq!(files, [["a.c"]]);
    let asked = asked.recv().unwrap().to_lowercase();
    assert!(
        asked.starts_with("get /a/plugins/events-log/events/?t1=20"),
        "{asked}"
    );
    assert!(asked.contains("authorization: basic "), "{asked}");
}

/// Prints what is in files instead of what a Gerrit server prints.
const GERRIT: &str = "echo \"$*\" >>\"$0.log\"; case \"$*\" in \
    *'bot@review gerrit stream-events') exec tail -n +1 -f \"${0%/*}/stream\";; \
    *'bot@review gerrit query '*) cat \"${0%/*}/query\";; esac";

#[test]
fn pol_14_events_of_gerrit_come_once_whatever_is_missed() {
    let sandbox = Sandbox::new();
    let programs = sandbox.private_dir("programs");
    program(&programs, "ssh", GERRIT);
    let set = |number: u64, digit: &str, at: i64| {
        let revision = digit.repeat(40);
        let change = format!(
            r#""project": "widget", "branch": "main", "number": {number}, "subject": "s{digit}","#
        );
        let set = format!(r#"{{"revision": "{revision}", "ref": "r", "createdOn": {at}}}"#);
        (change, set)
    };
    let event = |number: u64, digit: &str, at: i64| {
        let (change, set) = set(number, digit, at);
        format!(
            "{{\"type\": \"patchset-created\", \"eventCreatedOn\": {at}, \
             \"change\": {{{change} \"url\": \"u\"}}, \"patchSet\": {set}}}\n"
        )
    };
    let row = |number: u64, digit: &str, at: i64| {
        let (change, set) = set(number, digit, at);
        format!("{{{change} \"currentPatchSet\": {set}}}\n")
    };
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs();
    let now = i64::try_from(now).unwrap();
    sandbox.file("programs/stream", "");
    sandbox.file("programs/query", "{\"type\": \"stats\"}\n");
    let key = sandbox.file("key", "of-key");
    let source = format!(
        "[[change_sources]]\nname = \"code\"\ntype = \"GerritChangeSource\"\n\
         gerritserver = \"review\"\nusername = \"bot\"\nssh = \"{}/ssh\"\n\
         ssh_private_key_file = \"{}\"\nssh_server_alive_interval = \"20s\"\n",
        programs.display(),
        key.display()
    );
    let setup = Setup::new(&[shell("nothing", "true", "")])
        .slave("bot")
        .tables(&source);
    let mut master = Master::start(&sandbox, &setup);
    wait_for_a_poll(&master);
    let mut stream = event(1, "a", now);
    sandbox.file("programs/stream", &stream);
    wait_for_changes(&master, &["main/1 sa"]);
    master.kill();
    // One is missed, one is told again, and one of them both is of long ago.
    let query = [
        row(2, "b", now + 1),
        row(1, "a", now),
        row(3, "0", now - 9_999),
    ]
    .concat();
    sandbox.file("programs/query", query + "{\"type\": \"stats\"}\n");
    stream.push_str(&event(4, "c", now + 2));
    sandbox.file("programs/stream", &stream);
    master.run();
    wait_for_changes(&master, &["main/1 sa", "main/2 sb", "main/4 sc"]);
    // Nothing tells of updates of branches that were missed, and that is said.
    let note = self::source(&master).note.unwrap();
    assert!(
        note.contains("set `events_log`, or add a GitPoller"),
        "{note}"
    );
    let asked = std::fs::read_to_string(programs.join("ssh.log")).unwrap();
    let first = asked.lines().next().unwrap();
    assert!(first.contains("-o BatchMode=yes"), "{first}");
    assert!(first.contains(&format!("-i {}", key.display())), "{first}");
    let wanted = "-o ServerAliveInterval=20 -o ServerAliveCountMax=3 -p 29418 -- bot@review gerrit";
    assert!(first.contains(wanted), "{first}");
}
