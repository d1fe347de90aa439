//! Hooks of code hosts, sent by a program as the hosts document them (HKI-01 to HKI-08).

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use hmac::{KeyInit, Mac};
use serde_json::{Value, json};

use crate::harness::web::line;
use crate::harness::{Master, Repository, Sandbox, Setup, free_port, run, shell, wait_until};

const SECRET: &str = "s3cret";

#[test]
fn hki_08_strangers_take_no_places_of_senders() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let mut master = prepare(&sandbox, web);
    let config = master.dir().join("master.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[web]\n", "[web]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    std::fs::write(&config, text).unwrap();
    master.run();
    // As many as a proxy may hand on at once, with a wrong secret, each from another address.
    let (sender, answers) = std::sync::mpsc::channel();
    for n in 0..64 {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let from = format!("192.0.2.{n}");
            let headers = [
                ("X-Forwarded-For", from.as_str()),
                ("X-Gitlab-Token", "wrong"),
            ];
            let (status, _) = post(web, "/hooks/gitlab", &headers, "{}");
            // The test may be over.
            sender.send(status).ok();
        });
    }
    // Few of them wait for their answers; the others are told to come again.
    let told = answers.iter().take(32).filter(|status| *status == 429);
    assert!(told.count() >= 24);
    let body = push_of('a').to_string();
    let signature = format!("sha256={}", sign(&body));
    let headers = [
        ("X-GitHub-Event", "push"),
        ("X-Hub-Signature-256", signature.as_str()),
        ("X-Forwarded-For", "198.51.100.1"),
    ];
    assert_eq!(post(web, "/hooks/github", &headers, &body).0, 202);
}

/// A pull request, as GitHub tells of it.
fn pull(action: &str, digit: char, from: &str) -> String {
    json!({
        "action": action, "number": 7, "sender": { "login": "ann" },
        "repository": { "clone_url": "https://h/ann/widget.git", "private": false },
        "pull_request": {
            "title": "Speed it up", "user": { "login": "eve" },
            "head": { "sha": digit.to_string().repeat(40), "ref": "fast",
                "repo": { "full_name": from } },
            "base": { "ref": "main",
                "repo": { "full_name": "ann/widget", "private": false } },
        },
    })
    .to_string()
}

#[test]
fn pol_13_hki_06_a_pull_request_of_a_stranger_is_built_after_its_approval() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let mut master = prepare(&sandbox, web);
    master.run();
    let send = |body: String| {
        let signature = format!("sha256={}", sign(&body));
        let headers = [
            ("X-GitHub-Event", "pull_request"),
            ("X-Hub-Signature-256", signature.as_str()),
        ];
        post(web, "/hooks/github", &headers, &body)
    };
    let approve = |master: &Master<'_>, commit: &str| {
        let mut command = sandbox.buildmaster();
        run(command
            .args(["sources", "approve", "github", "7", commit])
            .current_dir(master.dir()))
    };
    let waits = |digit: &str| {
        let head = digit.repeat(12);
        let why = format!("pull request 7 of eve waits for an approval of {head}");
        (200, json!({ "changes": [], "known": 0, "why": why }))
    };
    let note = |master: &Master<'_>| {
        let sources: Vec<Value> = master.show(&["sources"]);
        let hook = sources.iter().find(|source| source["name"] == "github");
        hook.unwrap()["note"].to_string()
    };
    // Whoever reopens it is not its author.
    assert_eq!(send(pull("reopened", 'a', "eve/widget")), waits("a"));
    assert!(
        note(&master).contains("7 of eve waits"),
        "{}",
        note(&master)
    );
    // What is reviewed is one commit.
    assert_eq!(send(pull("synchronize", 'b', "eve/widget")), waits("b"));
    let refused = approve(&master, &"a".repeat(40)).fails_with(1);
    assert!(refused.contains("does not wait"), "{refused}");
    assert!(master.show::<Value>(&["changes"]).is_empty());
    master.kill();
    master.run();
    approve(&master, "bbbbbbbb").ok();
    let [change] = master.show::<Value>(&["changes"]).try_into().unwrap();
    assert_eq!(change["branch"], "refs/pull/7/head");
    assert_eq!(change["revision"], "b".repeat(40));
    let (status, answer) = send(pull("reopened", 'b', "eve/widget"));
    assert_eq!(status, 200, "{answer}");
    assert!(answer["why"].to_string().contains("approved"), "{answer}");
    // One that is closed waits no longer.
    assert_eq!(send(pull("synchronize", 'c', "eve/widget")), waits("c"));
    assert_eq!(send(pull("closed", 'c', "eve/widget")).0, 200);
    assert!(!note(&master).contains("waits"), "{}", note(&master));
    approve(&master, "cccccccc").fails_with(1);
    // Whoever can push to the repository needs no approval.
    let (status, answer) = send(pull("opened", 'd', "ann/widget"));
    assert_eq!((status, &answer["changes"]), (202, &json!([2])));
}

#[test]
fn hki_07_a_poller_brings_what_a_hook_leaves_out_in_order() {
    let sandbox = Sandbox::new();
    let (web, repository) = (free_port(), Repository::new(&sandbox));
    let url = repository.dir.to_str().unwrap();
    let first = repository.commit("text", b"zero");
    let branch = repository.git(&["symbolic-ref", "HEAD"]);
    let poller = format!(
        "[[change_sources]]\ntype = \"GitPoller\"\nname = \"mirror\"\nrepourl = {url:?}\n\
         poll_interval = \"1h\"\n"
    );
    let mut master = Master::prepare(&sandbox, &setup(web).tables(&poller));
    std::fs::write(master.dir().join("hook-secret"), format!("{SECRET}\n")).unwrap();
    master.run();
    wait_until("the first poll", || {
        let sources: Vec<Value> = master.show(&["sources"]);
        sources
            .iter()
            .any(|source| source["cursor"].to_string().contains(&first))
    });
    let all: Vec<_> = (0..5)
        .map(|n| repository.commit("text", n.to_string().as_bytes()))
        .collect();
    // The hook names the tip alone.
    let body = json!({
        "changes": [{ "ref": { "id": branch.trim() }, "toHash": all[4], "type": "UPDATE" }],
        "repository": { "links": { "clone": [{ "name": "http", "href": url }] } },
    });
    let body = body.to_string();
    let signature = format!("sha256={}", sign(&body));
    let headers = [
        ("X-Event-Key", "repo:refs_changed"),
        ("X-Hub-Signature", signature.as_str()),
    ];
    let (status, answer) = post(web, "/hooks/bitbucketserver", &headers, &body);
    let known = json!({ "changes": [], "known": 1, "why": "all changes are known" });
    assert_eq!((status, answer), (200, known));
    let mut changes: Vec<Value> = master.show(&["changes"]);
    changes.sort_by_key(|change| change["number"].as_u64());
    let revisions: Vec<_> = changes
        .iter()
        .map(|change| change["revision"].as_str().unwrap())
        .collect();
    assert_eq!(revisions, all);
}

/// Posts a body: the status, and the answer.
fn post(port: u16, address: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut request = format!(
        "POST {address} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = BufReader::new(socket);
    let status = line(&mut answer).unwrap();
    let status = status.split(' ').nth(1).unwrap().parse().unwrap();
    while line(&mut answer).unwrap() != "\r\n" {}
    let mut text = String::new();
    answer.read_to_string(&mut text).unwrap();
    (status, serde_json::from_str(&text).unwrap())
}

fn sign(body: &str) -> String {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A push of one commit as GitHub, Gitea, Gogs and Forgejo send it.
fn push_of(revision: char) -> Value {
    json!({
        "ref": "refs/heads/main",
        "before": "0".repeat(40),
        "after": revision.to_string().repeat(40),
        "repository": {
            "full_name": "ann/widget", "url": "https://git.example.org/ann/widget",
            "html_url": "https://git.example.org/ann/widget",
            "clone_url": "https://git.example.org/ann/widget.git",
        },
        "commits": [{
            "id": revision.to_string().repeat(40), "message": "Fix it\n\nBecause.",
            "timestamp": "2026-11-27T12:00:00+01:00", "url": "https://git.example.org/c",
            "author": { "name": "Ann", "email": "ann@example.org" },
            "added": ["new file.c"], "modified": ["src/a.c"], "removed": [],
        }],
    })
}

const HOSTS: [&str; 8] = [
    "github",
    "gitea",
    "gogs",
    "forgejo",
    "gitlab",
    "bitbucketcloud",
    "bitbucketserver",
    "base",
];

type Headers = Vec<(&'static str, String)>;

/// A hook of each host, with its headers but for the signature.
fn hooks() -> Vec<(&'static str, Headers, String)> {
    let json_type = ("Content-Type", "application/json".to_owned());
    let signed = |dialect: &'static str, event: (&'static str, &str), body: Value| {
        let body = body.to_string();
        let signature = match dialect {
            "github" => ("X-Hub-Signature-256", format!("sha256={}", sign(&body))),
            "gitea" => ("X-Gitea-Signature", sign(&body)),
            "gogs" => ("X-Gogs-Signature", sign(&body)),
            "forgejo" => ("X-Forgejo-Signature", sign(&body)),
            "gitlab" => ("X-Gitlab-Token", SECRET.to_owned()),
            _ => ("X-Hub-Signature", format!("sha256={}", sign(&body))),
        };
        let event = (event.0, event.1.to_owned());
        (dialect, vec![json_type.clone(), event, signature], body)
    };
    let gitlab = json!({
        "object_kind": "push", "ref": "refs/heads/main", "total_commits_count": 1,
        "after": "5".repeat(40), "project": { "path_with_namespace": "ann/widget",
            "git_http_url": "https://gitlab.example.org/ann/widget.git" },
        "commits": push_of('5')["commits"],
    });
    let cloud = json!({
        "push": { "changes": [{ "new": { "type": "branch", "name": "main",
            "target": { "hash": "6".repeat(40), "message": "Fix it" } },
            "commits": [{ "hash": "6".repeat(40), "message": "Fix it", "date": "2026-11-27T12:00:00+01:00",
                "author": { "raw": "Ann <ann@example.org>" } }] }] },
        "repository": { "full_name": "ann/widget",
            "links": { "html": { "href": "https://bitbucket.org/ann/widget" } } },
    });
    let server = json!({
        "actor": { "name": "ann", "emailAddress": "ann@example.org", "displayName": "Ann" },
        "repository": { "slug": "widget", "project": { "key": "ANN", "name": "ann" },
            "links": { "self": [{ "href": "https://bitbucket.example.org/widget" }] } },
        "changes": [{ "ref": { "id": "refs/heads/main", "displayId": "main", "type": "BRANCH" },
            "refId": "refs/heads/main", "fromHash": "0".repeat(40), "toHash": "7".repeat(40),
            "type": "UPDATE" }],
    });
    // s3cret as the password of anybody.
    let login = ("Authorization", "Basic Y2k6czNjcmV0".to_owned());
    let form = (
        "Content-Type",
        "application/x-www-form-urlencoded".to_owned(),
    );
    let base = "author=Ann&comments=Fix+it&branch=main&revision=9&files=%5B%22src/a.c%22%5D";
    vec![
        signed("github", ("X-GitHub-Event", "push"), push_of('1')),
        signed("gitea", ("X-Gitea-Event", "push"), push_of('2')),
        signed("gogs", ("X-Gogs-Event", "push"), push_of('3')),
        signed("forgejo", ("X-Forgejo-Event", "push"), push_of('4')),
        signed("gitlab", ("X-Gitlab-Event", "Push Hook"), gitlab),
        signed("bitbucketcloud", ("X-Event-Key", "repo:push"), cloud),
        signed(
            "bitbucketserver",
            ("X-Event-Key", "repo:refs_changed"),
            server,
        ),
        ("base", vec![form, login], base.to_owned()),
    ]
}

fn borrowed(headers: &Headers) -> Vec<(&'static str, &str)> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

fn setup(web: u16) -> Setup {
    let mut tables = format!("[web]\nport = \"tcp:{web}:interface=127.0.0.1\"\n");
    for dialect in HOSTS {
        tables.push_str(&format!(
            "\n[[change_sources]]\ntype = \"ChangeHook\"\ndialect = {dialect:?}\n\
             secret_file = \"hook-secret\"\nmax_per_minute = 10000\n"
        ));
    }
    Setup::new(&[shell("make", "true", "")])
        .slave("nobody")
        .tables(&tables)
}

fn prepare<'a>(sandbox: &'a Sandbox, web: u16) -> Master<'a> {
    let master = Master::prepare(sandbox, &setup(web));
    std::fs::write(master.dir().join("hook-secret"), format!("{SECRET}\n")).unwrap();
    master
}

#[test]
fn hki_06_a_push_of_each_host_becomes_a_change() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let mut master = prepare(&sandbox, web);
    master.run();
    for (number, (dialect, headers, body)) in (1..).zip(hooks()) {
        let headers = borrowed(&headers);
        let address = format!("/change_hook/{dialect}");
        let (status, answer) = post(web, &address, &headers, &body);
        assert_eq!(status, 202, "{dialect}: {answer}");
        let mut expected = json!({ "changes": [number], "known": 0 });
        if *dialect == *"bitbucketserver" {
            expected["tips_only"] = json!(true);
        }
        assert_eq!(answer, expected, "{dialect}");
        // Without the right signature, and without any.
        let event: Vec<_> = headers
            .iter()
            .copied()
            .filter(|(name, _)| name.contains("Event"))
            .collect();
        let (status, answer) = post(web, &address, &event, &body);
        assert_eq!(status, 401, "{dialect}: {answer}");
    }
    let changes: Vec<Value> = master.show(&["changes"]);
    assert_eq!(changes.len(), HOSTS.len());
    for change in &changes {
        assert_eq!(change["branch"], "main", "{change}");
        assert!(
            change["who"]
                .as_str()
                .unwrap()
                .to_lowercase()
                .contains("ann"),
            "{change}"
        );
    }
    let printed = master.process().printed();
    let refused = printed.lines().filter(|line| line.contains("hook refused"));
    assert_eq!(refused.count(), HOSTS.len(), "{printed}");
}

/// The cases hook-055 to hook-057, and what a crash leaves.
#[test]
fn hki_04_the_same_push_counts_once_even_after_a_crash() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let mut master = prepare(&sandbox, web);
    master.run();
    let send = |body: &str, delivery: &str| {
        let signature = format!("sha256={}", sign(body));
        let headers = [
            ("X-GitHub-Event", "push"),
            ("X-GitHub-Delivery", delivery),
            ("X-Hub-Signature-256", signature.as_str()),
        ];
        post(web, "/change_hook/github", &headers, body)
    };
    let body = push_of('a').to_string();
    assert_eq!(send(&body, "d1").0, 202);
    let known = |(status, answer): (u16, Value)| {
        assert_eq!(
            (status, &answer["changes"], &answer["known"]),
            (200, &json!([]), &json!(1))
        );
    };
    known(send(&body, "d1"));
    known(send(&body, "d2"));
    known(send(&format!("{body} "), "d3"));
    master.kill();
    master.run();
    known(send(&body, "d1"));
    known(send(&format!("{body}  "), "d4"));
    let (status, answer) = send(&push_of('b').to_string(), "d5");
    assert_eq!((status, &answer["changes"]), (202, &json!([2])));
    assert_eq!(master.show::<Value>(&["changes"]).len(), 2);
}

#[test]
fn hki_03_a_large_push_is_taken_as_a_whole() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let mut master = prepare(&sandbox, web);
    master.run();
    let commits: Vec<_> = (0..450)
        .map(|n| json!({ "id": format!("{n:040x}"), "message": "x".repeat(1_000) }))
        .collect();
    let body = json!({ "ref": "refs/heads/main", "commits": commits }).to_string();
    assert!(body.len() > 64 * 1024);
    let signature = format!("sha256={}", sign(&body));
    let headers = [
        ("X-GitHub-Event", "push"),
        ("X-Hub-Signature-256", signature.as_str()),
    ];
    let (status, answer) = post(web, "/hooks/github", &headers, &body);
    assert_eq!(status, 202);
    let expected: Vec<_> = (1..=450).collect();
    assert_eq!(answer["changes"], json!(expected));
    let (status, answer) = post(web, "/hooks/github", &headers, &body);
    assert_eq!((status, &answer["known"]), (200, &json!(450)));
    // Other addresses take no large bodies.
    let (status, _) = refused(web, "/api/v1/changes", &body);
    assert_eq!(status, 413);
}

/// Posts to an address whose answer is not JSON.
fn refused(port: u16, address: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "POST {address} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = BufReader::new(socket);
    let status = line(&mut answer).unwrap();
    let status = status.split(' ').nth(1).unwrap().parse().unwrap();
    (status, String::new())
}
