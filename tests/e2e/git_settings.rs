//! What settings of Git do with a real git: which tree there is, and how keys and passwords get to
//! a slave and away from it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use crate::harness::{Kind, Master, Repository, Sandbox, Setup, Slave, step};

/// A builder that checks out and looks at the tree.
struct Case {
    name: &'static str,
    /// The source step, with `DIR` for the sandbox and `PORT` for the port of the server.
    source: String,
    /// Further settings of the builder.
    builder: &'static str,
    /// A line of shell, and what it prints in the tree of a build that succeeds; none for a build
    /// that fails.
    look: &'static str,
    sees: Option<&'static str>,
}

fn case(name: &'static str, source: &str, look: &'static str, sees: &'static str) -> Case {
    Case {
        name,
        source: format!("type = \"Git\", repourl = \"DIR/repository\", {source}"),
        builder: "",
        look,
        sees: Some(sees),
    }
}

/// A master with a builder for each case.
fn master_of<'a>(sandbox: &'a Sandbox, cases: &[Case], port: u16) -> Master<'a> {
    let dir = sandbox
        .path("")
        .to_str()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    let mut tables = String::new();
    for case in cases {
        let source = case
            .source
            .replace("DIR", &dir)
            .replace("PORT", &port.to_string());
        let Case { name, builder, .. } = case;
        let words = ["sh", "-c", case.look, "%(prop:commit-description:-)s"];
        let look = step("look", &words, "");
        tables += &format!(
            "[factories.{name}]\nsteps = [{{ {source}, name = \"source\" }}, {look}]\n\
             [[builders]]\nname = {name:?}\nslaves = [\"bot\"]\nfactory = {name:?}\n{builder}\n"
        );
    }
    let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
    let scheduler =
        format!("[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = {names:?}\n");
    let setup = Setup::new(&[step("unused", &["true"], "")])
        .slave("bot")
        .tables(&tables)
        .builder("unused", "")
        .schedulers(&scheduler);
    let master = Master::prepare(sandbox, &setup);
    let secrets = master.dir().join("secrets");
    fs::create_dir_all(&secrets).unwrap();
    fs::write(secrets.join("key"), "first-of-key\nsecond-of-key\n").unwrap();
    fs::write(secrets.join("password"), "hush-hush\n").unwrap();
    master
}

fn check(master: &Master<'_>, case: &Case, number: u64) {
    let build = master.finished_build(case.name, number);
    let log = |step| String::from_utf8_lossy(&master.log(case.name, number, step)).into_owned();
    let source = log("source");
    let result = case.sees.map_or("failure", |_| "success");
    assert_eq!(
        build.result.as_deref(),
        Some(result),
        "{}: {source}",
        case.name
    );
    if let Some(sees) = case.sees {
        let look = log("look");
        let lines: Vec<&str> = look.lines().map(str::trim_end).collect();
        assert!(lines.contains(&sees), "{}: {look}{source}", case.name);
    }
}

#[test]
fn settings_of_git_change_the_tree() {
    let sandbox = Sandbox::new();
    let head = make_repositories(&sandbox);
    let programs = sandbox.private_dir("programs");
    program(&programs, "git-lfs", "echo \"lfs $*\" >lfs-was-here");
    let mut cases = on_files();
    cases.extend(on_commits());
    let mut master = master_of(&sandbox, &cases, 0);
    master.run();
    let slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    master.send_change(head.trim());
    for case in &cases {
        check(&master, case, 0);
    }
    drop(slave);
}

/// A repository with a submodule that has moved since, a tag, a change of Gerrit and a merge of
/// GitHub. Answers with its main commit.
fn make_repositories(sandbox: &Sandbox) -> String {
    let part = Repository::new(sandbox);
    part.commit("part", b"old\n");
    fs::rename(&part.dir, sandbox.path("part")).unwrap();
    let repository = Repository::new(sandbox);
    for dir in ["a", "b"] {
        fs::create_dir(repository.dir.join(dir)).unwrap();
        fs::write(repository.dir.join(dir).join("file"), "text\n").unwrap();
    }
    let submodule = ["-c", "protocol.file.allow=always", "submodule", "-q", "add"];
    repository.git(
        &[
            &submodule[..],
            &[sandbox.path("part").to_str().unwrap(), "part"],
        ]
        .concat(),
    );
    repository.commit("text", b"one\n");
    repository.git(&["tag", "-a", "-m", "v1", "v1"]);
    let main = repository.git(&["symbolic-ref", "--short", "HEAD"]);
    for (name, reference) in [
        ("change", "refs/changes/34/1234/5"),
        ("merge", "refs/pull/7/merge"),
    ] {
        repository.git(&["checkout", "-q", "-b", name]);
        repository.commit("text", format!("{name}\n").as_bytes());
        repository.git(&["update-ref", reference, "HEAD"]);
        repository.git(&["checkout", "-q", main.trim()]);
        repository.git(&["branch", "-q", "-D", name]);
    }
    let head = repository.git(&["rev-parse", "HEAD"]);
    let mut part = sandbox.command("sh");
    part.args([
        "-ec",
        "echo new >part; git -c user.name=me -c user.email=me@e commit -qam new",
    ]);
    crate::harness::run(part.current_dir(sandbox.path("part"))).ok();
    head
}

/// Settings for which files are in the tree.
fn on_files() -> Vec<Case> {
    vec![
        case("sparse", "sparse = [\"a\"]", "echo $(ls)", "a part text"),
        // Two steps: a tree that is sparse no more.
        case(
            "widened",
            "sparse = [\"a\"], name = \"part\" }, { type = \"Git\", repourl = \"DIR/repository\"",
            "echo $(ls)",
            "a b part text",
        ),
        case("whole", "sparse = []", "echo $(ls)", "a b part text"),
        case(
            "settings",
            "config = { \"core.autocrlf\" = \"true\" }",
            "od -An -c text | tr -d ' '",
            "one\\r\\n",
        ),
    ]
}

/// Settings for which commit is in the tree, and what is said of it.
fn on_commits() -> Vec<Case> {
    vec![
        case(
            "described",
            "get_description = { match = \"v*\", long = true, abbrev = 4 }",
            "echo ${0%-g*}",
            "v1-0",
        ),
        case("undescribed", "get_description = false", "echo [$0]", "[]"),
        case(
            "submodules",
            "submodules = true, config = { \"protocol.file.allow\" = \"always\" }",
            "cat part/part",
            "old",
        ),
        case(
            "remote",
            "submodules = true, remote_submodules = true, config = { \"protocol.file.allow\" = \"always\" }",
            "cat part/part",
            "new",
        ),
        case(
            "tags",
            "tags = true, shallow = true",
            "echo [$(git tag)]",
            "[v1]",
        ),
        case(
            "no-tags",
            "tags = false",
            "echo [$(git tag | grep -v ^v1$)]",
            "[]",
        ),
        case(
            "lfs",
            "lfs = true, env = { PATH = \"DIR/programs:${PATH}\" }",
            "cat lfs-was-here",
            "lfs pull",
        ),
        Case {
            builder: "properties = { gerrit_change = \"1234/5\" }",
            source: "type = \"Gerrit\", repourl = \"DIR/repository\", always_use_latest = true"
                .to_owned(),
            ..case("gerrit", "", "cat text", "change")
        },
        Case {
            source:
                "type = \"GitHub\", repourl = \"DIR/repository\", branch = \"refs/pull/7/merge\""
                    .to_owned(),
            ..case("github", "", "cat text", "merge")
        },
    ]
}

#[test]
fn native_slave_has_keys_and_passwords_only_during_the_step() {
    has_keys_and_passwords_only_during_the_step(Kind::Native);
}

#[test]
fn slave_0814_has_keys_and_passwords_only_during_the_step() {
    has_keys_and_passwords_only_during_the_step(Kind::Slave0814);
}

#[test]
fn worker_430_has_keys_and_passwords_only_during_the_step() {
    has_keys_and_passwords_only_during_the_step(Kind::Worker430);
}

/// Records its words, and the permissions and lines of its files, and serves a repository here.
pub(crate) const SSH: &str = "for word; do \
    case $before in -i) stat -c %a \"$word\"; cat \"$word\";; esac; \
    case $word in UserKnownHostsFile=*) eval cat ${word#*=};; esac; before=$word; \
    done >>\"$0.log\"; echo \"$*\" >>\"$0.log\"; eval last=\\${$#}; exec sh -c \"$last\"";

fn has_keys_and_passwords_only_during_the_step(kind: Kind) {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox);
    let revision = repository.commit("text", b"one\n");
    repository.git(&["update-server-info"]);
    let port = serve(repository.dir.join(".git"), "Basic bWU6aHVzaC1odXNo");
    let programs = sandbox.private_dir("programs");
    program(&programs, "ssh", SSH);
    let with_password = |url: &str, user: &str| {
        format!(
            "type = \"Git\", repourl = \"{url}\", \
             auth_credentials = [\"{user}\", {{ secret_file = \"secrets/password\" }}]"
        )
    };
    let cases = [
        Case {
            source: "type = \"Git\", repourl = \"git@host:DIR/repository\", port = 2222, \
                ssh_private_key = { secret_file = \"secrets/key\" }, ssh_host_key = \"ssh-rsa AAAA\", \
                env = { PATH = \"DIR/programs:${PATH}\" }"
                .to_owned(),
            ..case("ssh", "", "cat text", "one")
        },
        Case {
            source: with_password("http://127.0.0.1:PORT/", "me"),
            ..case("http", "", "cat text", "one")
        },
        Case {
            source: with_password("http://127.0.0.1:PORT/", "you"),
            sees: None,
            ..case("denied", "", "", "")
        },
    ];
    let mut master = master_of(&sandbox, &cases, port);
    master.run();
    let Some(slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");
    master.send_change(&revision);
    for case in &cases {
        check(&master, case, 0);
        let dir = slave.dir.join(case.name);
        assert!(dir.exists());
        assert!(!dir.join(".buildbot-git").exists(), "{}", case.name);
        let source = master.log(case.name, 0, "source");
        let source = String::from_utf8_lossy(&source);
        // They were in no command and in no output, where they would have been hidden.
        for secret in ["XXXX", "hush", "of-key"] {
            assert!(!source.contains(secret), "{}: {source}", case.name);
        }
    }
    let ssh = fs::read_to_string(programs.join("ssh.log")).unwrap();
    let told = ssh.lines().take(4).collect::<Vec<_>>();
    assert_eq!(
        told,
        ["600", "first-of-key", "second-of-key", "* ssh-rsa AAAA"]
    );
    assert!(ssh.contains("-p 2222 git@host git-upload-pack"), "{ssh}");
    assert!(master.terminate().success());
    for file in ["state.sqlite", "buildmaster.log"] {
        let bytes = fs::read(master.dir().join(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hush-hush") && !text.contains("of-key"));
    }
}

pub(crate) fn program(dir: &Path, name: &str, script: &str) {
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Serves the files below `dir` to those who have `authorization`, as long as the tests run.
pub(crate) fn serve(dir: PathBuf, authorization: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that has gone is of no interest.
            drop(answer(stream, &dir, authorization));
        }
    });
    port
}

fn answer(mut stream: TcpStream, dir: &Path, authorization: &str) -> std::io::Result<()> {
    let lines = BufReader::new(stream.try_clone()?).lines();
    let lines: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|l| !l.is_empty())
        .collect();
    let is_allowed = lines.iter().any(|line| line.ends_with(authorization));
    let path = lines.first().and_then(|line| line.split([' ', '?']).nth(1));
    let content = fs::read(dir.join(path.unwrap_or_default().trim_start_matches('/')));
    let (status, content) = match content {
        _ if !is_allowed => (
            "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"",
            Vec::new(),
        ),
        Ok(content) => ("200 OK", content),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = content.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(&content)
}
