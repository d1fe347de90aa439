//! Polls of a small server on this machine, whose answers have the documented shape.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::{ChangeSourceKind, parse};
use crate::model::Zone;

/// What the server has, and what it was asked.
#[derive(Debug, Default)]
struct Host {
    /// Number, commit and author of each pull request, the last changed first.
    pulls: Vec<(u64, String, &'static str)>,
    /// A further header of all answers.
    header: &'static str,
    /// Whether it refuses because of its limit.
    refuses: bool,
    /// Addresses without their arguments, each with its status.
    asked: Vec<String>,
}

struct World {
    host: Arc<Mutex<Host>>,
    config: PullPollerConfig,
    poller: PullPoller,
    cursor: Option<String>,
}

fn sha(digit: &str) -> String {
    digit.repeat(40)
}

impl Host {
    /// The list in the form of Gitea, which is that of GitHub.
    fn list(&self) -> String {
        let pulls = self.pulls.iter().map(|(number, head, author)| {
            let from = if *author == "ann" { "ann" } else { "eve" };
            format!(
                r#"{{"number": {number}, "title": "Change {number}", "html_url": "http://h/{number}",
                "user": {{"login": "{author}"}}, "updated_at": "2009-02-13T23:31:30Z",
                "head": {{"sha": "{head}", "repo": {{"full_name": "{from}/widget"}}}},
                "base": {{"ref": "main", "repo": {{"full_name": "ann/widget", "private": false}}}}}}"#
            )
        });
        format!("[{}]", pulls.collect::<Vec<_>>().join(","))
    }

    fn answer(&mut self, path: &str, lines: &[String]) -> String {
        let list = self.list();
        let etag = format!("\"{}\"", list.len() + list.matches('b').count() * 1000);
        let has = |name: &str, value: &str| {
            let line = format!("{name}: {value}");
            lines.iter().any(|l| l.eq_ignore_ascii_case(&line))
        };
        let (status, body) = match path.split('?').next().unwrap_or_default() {
            _ if !has("authorization", "token sesame") => ("401 Unauthorized", String::new()),
            _ if self.refuses => ("429 Too Many Requests", String::new()),
            "/repos/ann/widget/pulls" if has("if-none-match", &etag) => {
                ("304 Not Modified", String::new())
            }
            "/repos/ann/widget/pulls" => ("200 OK", list),
            path if path.ends_with("/files") => (
                "200 OK",
                r#"[{"filename": "a"}, {"filename": "d/b"}]"#.to_owned(),
            ),
            _ => ("404 Not Found", r#"{"message": "Not Found"}"#.to_owned()),
        };
        let short = path.split('?').next().unwrap_or_default();
        let short = short.trim_start_matches("/repos/ann/widget/");
        self.asked
            .push(format!("{short} {}", status.split(' ').next().unwrap()));
        let (length, header) = (body.len(), self.header);
        format!(
            "HTTP/1.1 {status}\r\nETag: {etag}\r\n{header}Content-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
    }
}

async fn serve(mut stream: TcpStream, host: Arc<Mutex<Host>>) {
    let (read, mut write) = stream.split();
    let mut reader = BufReader::new(read);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let path = lines[0].split(' ').nth(1).unwrap().to_owned();
    let answer = host.lock().unwrap().answer(&path, &lines);
    write.write_all(answer.as_bytes()).await.unwrap();
}

impl World {
    async fn new(lines: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host: Arc<Mutex<Host>> = Arc::default();
        let state = Arc::clone(&host);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&state)));
            }
        });
        let text = format!(
            "[[repositories]]\nname = \"widget\"\nurls = \"https://h/ann/widget.git\"\n\
             host = {{ type = \"gitea\", api = \"http://127.0.0.1:{port}\", token_env = \"T\" }}\n\
             [[change_sources]]\ntype = \"PullRequestPoller\"\nrepository = \"widget\"\n{lines}\n"
        );
        let (mut config, _) = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
        let source = config.change_sources.remove(0);
        let ChangeSourceKind::Pulls(config) = source.kind else {
            panic!("{source:?}");
        };
        let config = *config;
        let poller = Self::poller(&config);
        Self {
            host,
            config,
            poller,
            cursor: None,
        }
    }

    fn poller(config: &PullPollerConfig) -> PullPoller {
        let mut config = config.clone();
        let host = config.host.as_mut().unwrap();
        host.token = None;
        let mut poller =
            PullPoller::new(config, Clock::system(), CancellationToken::new()).unwrap();
        poller.http.authorization = Some(poller.site.host.authorization("sesame"));
        poller
    }

    fn set(&self, pulls: &[(u64, &str, &'static str)]) {
        let pulls = pulls
            .iter()
            .map(|(n, digit, author)| (*n, sha(digit), *author));
        self.host.lock().unwrap().pulls = pulls.collect();
    }

    async fn try_poll(&mut self) -> Result<Vec<NewChange>, PollError> {
        let mut changes = Vec::new();
        while let Some(batch) = self.poller.next(self.cursor.as_deref()).await? {
            changes.extend(batch.changes);
            self.cursor = Some(batch.cursor);
        }
        Ok(changes)
    }

    /// The branches and the first digits of the commits that are changes.
    async fn poll(&mut self) -> Vec<String> {
        let changes = self.try_poll().await.unwrap();
        let shown = changes.iter().map(|change| {
            let branch = change.branch.as_deref().unwrap();
            format!(
                "{branch} {}",
                change.revision.as_deref().unwrap().get(..1).unwrap()
            )
        });
        shown.collect()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.host.lock().unwrap().asked)
    }
}

#[tokio::test]
async fn pol_13_an_unchanged_list_costs_one_request_also_after_a_restart() {
    let mut world = World::new("").await;
    world.set(&[(1, "a", "ann")]);
    assert_eq!(world.poll().await, [""; 0]);
    world.set(&[(2, "a", "ann"), (1, "a", "ann")]);
    assert_eq!(world.poll().await, ["refs/pull/2/head a"]);
    assert_eq!(
        world.asked(),
        ["pulls 200", "pulls 200", "pulls/2/files 200"]
    );
    world.poller = World::poller(&world.config);
    assert_eq!(world.poll().await, [""; 0]);
    assert_eq!(world.asked(), ["pulls 304"]);
    world.set(&[(1, "b", "ann"), (2, "a", "ann")]);
    assert_eq!(world.poll().await, ["refs/pull/1/head b"]);
    // Other settings may select what the same list has.
    world.config.branches = crate::config::BranchRules::from_globs(&["other"]).unwrap();
    world.poller = World::poller(&world.config);
    world.asked();
    assert_eq!(world.poll().await, [""; 0]);
    assert_eq!(world.asked(), ["pulls 200"]);
}

#[tokio::test]
async fn pol_13_a_pull_request_is_a_change_with_its_files_and_properties() {
    let mut world = World::new("start = \"open\"\nproject = \"w\"").await;
    world.set(&[(7, "a", "ann")]);
    let [change] = world.try_poll().await.unwrap().try_into().unwrap();
    assert_eq!(change.who, "ann");
    assert_eq!(change.files, ["a", "d/b"]);
    assert_eq!(change.comments, "Pull Request #7\n\nChange 7");
    assert_eq!(change.repository, "widget");
    assert_eq!(
        (change.project.as_str(), change.category.as_deref()),
        ("w", Some("pull"))
    );
    assert_eq!(change.properties.get("pull_request").unwrap(), &7);
}

#[tokio::test]
async fn pol_13_untrusted_pull_requests_wait_over_restarts_until_they_are_approved() {
    let mut world = World::new("start = \"open\"").await;
    world.set(&[(7, "a", "eve"), (8, "a", "ann")]);
    assert_eq!(world.poll().await, ["refs/pull/8/head a"]);
    let waits = "pull request 7 of eve waits for an approval of aaaaaaaaaaaa";
    assert_eq!(world.poller.standing(), [waits]);
    world.poller = World::poller(&world.config);
    assert_eq!(world.poll().await, [""; 0]);
    assert_eq!(world.poller.standing(), [waits]);
    world.poller.approve(vec![(7, "bbbbbbb".to_owned())]);
    assert_eq!(world.poll().await, [""; 0]);
    assert!(!world.poller.has_approved(7));
    world.poller.approve(vec![(7, "aaaaaaa".to_owned())]);
    assert_eq!(world.poll().await, ["refs/pull/7/head a"]);
    assert!(world.poller.has_approved(7) && world.poller.standing().is_empty());
    assert_eq!(world.poll().await, [""; 0]);
}

#[tokio::test]
async fn pol_13_a_host_is_left_alone_as_long_as_it_says() {
    let mut world = World::new("start = \"open\"").await;
    world.set(&[(1, "a", "ann"), (2, "a", "ann")]);
    world.host.lock().unwrap().header = "Retry-After: 90\r\n";
    world.host.lock().unwrap().refuses = true;
    assert_eq!(world.poll().await, [""; 0]);
    assert_eq!(
        world.poller.standing(),
        ["the code host takes no more requests for 90 s"]
    );
    assert_eq!(world.poll().await, [""; 0]);
    assert_eq!(world.asked(), ["pulls 429"]);
    // The limit is reached by the list.
    world.poller.quiet_until = None;
    world.host.lock().unwrap().refuses = false;
    world.host.lock().unwrap().header = "X-RateLimit-Remaining: 0\r\n";
    assert_eq!(world.poll().await, [""; 0]);
    assert_eq!(world.asked(), ["pulls 200"]);
    world.poller.quiet_until = None;
    world.host.lock().unwrap().header = "";
    assert_eq!(
        world.poll().await,
        ["refs/pull/2/head a", "refs/pull/1/head a"]
    );
}

#[tokio::test]
async fn pol_13_an_error_of_the_host_is_an_error_of_the_poll() {
    let mut world = World::new("").await;
    world.poller.http.authorization = None;
    let error = world.try_poll().await.unwrap_err().to_string();
    assert!(
        error.ends_with("/repos/ann/widget/pulls answered 401"),
        "{error}"
    );
    world.poller = World::poller(&world.config);
    world.poller.site.path = "no/such".to_owned();
    let error = world.try_poll().await.unwrap_err().to_string();
    assert!(error.ends_with("answered 404: Not Found"), "{error}");
}
