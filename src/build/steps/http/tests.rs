//! Requests of the master to a small server on this machine.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::build::testing::{Stage, play, step_config};
use crate::config::{SecretSource, StepConfig, StepKind, TemplatePart};

/// What a server was asked: the first line, the headers in small letters, and what followed.
struct Asked {
    line: String,
    headers: Vec<String>,
    body: String,
}

/// Reads one request.
async fn read(stream: &mut BufReader<TcpStream>) -> Asked {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.remove(0);
    let headers: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
    let length = headers
        .iter()
        .find_map(|h| h.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    let body = String::from_utf8(body).unwrap();
    Asked {
        line,
        headers,
        body,
    }
}

/// Answers each request, on a connection of its own, with one of `answers`.
async fn serve(listener: TcpListener, answers: &[&str]) -> Vec<Asked> {
    let mut asked = Vec::new();
    for answer in answers {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        asked.push(read(&mut stream).await);
        stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
        stream.get_mut().shutdown().await.unwrap();
    }
    asked
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn step(config: HttpStepConfig) -> StepConfig {
    StepConfig {
        description: Some(vec![Template::literal("Requesting")]),
        description_done: Some(vec![Template::literal("Requested")]),
        kind: StepKind::Http(Box::new(config)),
        ..step_config("ask")
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, Template)> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Template::of(value)));
    pairs.collect()
}

#[tokio::test]
async fn a_request_has_what_the_step_says_and_the_response_is_in_the_logs() {
    let (listener, url) = listener().await;
    let mut config = HttpStepConfig::of("POST");
    config.url = Template::of(&format!("{url}/hook?x=1"));
    config.params = pairs(&[("build", "a b&c")]);
    config.data = Some(HttpData::Form(pairs(&[("name", "ü"), ("other", "1 2")])));
    config.headers = pairs(&[("X-One", "two"), ("X-Hidden", "what")]);
    config.hide_request_headers = vec!["x-hidden".to_owned()];
    config.hide_response_headers = vec!["set-cookie".to_owned()];
    let source = SecretSource::Inline(Template::of("s3cret-value"));
    let secret = Template(vec![TemplatePart::Secret(source.clone())]);
    config.auth = Some((Template::of("ann"), secret));
    let mut step = step(config);
    step.secrets = vec![source];
    let mut stage = Stage::new(vec![step]);
    let build = stage.build();
    let answer = "HTTP/1.1 201 Created\r\nSet-Cookie: monster\r\nX-Answer: yes\r\n\
                  Content-Length: 18\r\n\r\nhello s3cret-value";
    let (outcome, asked) = play(build, serve(listener, &[answer])).await;
    assert_eq!(outcome.result, Results::Success);
    assert_eq!(asked[0].line, "POST /hook?x=1&build=a+b%26c HTTP/1.1");
    assert_eq!(asked[0].body, "name=%C3%BC&other=1+2");
    for header in [
        "content-type: application/x-www-form-urlencoded",
        "x-one: two",
        "x-hidden: what",
        "authorization: basic yw5uonmzy3jldc12ywx1zq==",
    ] {
        assert!(
            asked[0].headers.iter().any(|h| h == header),
            "{:?}",
            asked[0].headers
        );
    }
    assert_eq!(stage.steps()[0].2, "Status code: 201");
    let log = stage.log("0-ask", "log").unwrap();
    for line in [
        &format!("POST {url}/hook?x=1\n"),
        "\tbuild: a b&c\n",
        "\tname: ü\n",
        "\tX-One: two\n",
        "\tX-Hidden: <HIDDEN>\n",
        "User: ann\n",
        "Status: 201 Created\n",
        "\tx-answer: yes\n",
        "\tset-cookie: <HIDDEN>\n",
    ] {
        assert!(log.contains(line), "{line:?} is not in {log}");
    }
    assert_eq!(stage.log("0-ask", "content").unwrap(), "hello XXXXXX");
}

#[tokio::test]
async fn the_status_is_the_result() {
    for (answer, result, text) in [
        (
            "HTTP/1.1 204 No Content\r\n\r\n",
            Results::Success,
            "Status code: 204",
        ),
        (
            "HTTP/1.1 399 Odd\r\nContent-Length: 0\r\n\r\n",
            Results::Success,
            "Status code: 399",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            Results::Failure,
            "Status code: 404",
        ),
    ] {
        let (listener, url) = listener().await;
        let mut config = HttpStepConfig::of("GET");
        config.url = Template::of(&url);
        let mut stage = Stage::new(vec![step(config)]);
        let build = stage.build();
        let (outcome, asked) = play(build, serve(listener, &[answer])).await;
        assert_eq!(
            (outcome.result, asked[0].line.as_str()),
            (result, "GET / HTTP/1.1")
        );
        assert_eq!(stage.steps()[0].2, text);
        assert_eq!(stage.log("0-ask", "content"), None);
    }
}

#[tokio::test]
async fn redirections_are_followed_unless_the_step_says_no() {
    let away = "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";
    let there = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for follows in [true, false] {
        let (listener, url) = listener().await;
        let mut config = HttpStepConfig::of("GET");
        config.url = Template::of(&url);
        config.allow_redirects = follows;
        let mut stage = Stage::new(vec![step(config)]);
        let build = stage.build();
        let answers = if follows {
            vec![away, there]
        } else {
            vec![away]
        };
        let (outcome, _) = play(build, serve(listener, &answers)).await;
        assert_eq!(outcome.result, Results::Success);
        let text = if follows {
            "Status code: 200"
        } else {
            "Status code: 302"
        };
        assert_eq!(stage.steps()[0].2, text);
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_fails_the_step() {
    let (listener, url) = listener().await;
    let mut config = HttpStepConfig::of("GET");
    config.url = Template::of(&url);
    config.timeout = Duration::from_millis(20);
    let mut stage = Stage::new(vec![step(config.clone())]);
    let outcome = stage.build().await;
    assert_eq!(outcome.result, Results::Failure);
    assert_eq!(stage.steps()[0].2, "Requested failed");
    let log = stage.log("0-ask", "log").unwrap();
    assert!(log.contains("the request failed: "), "{log}");
    drop(listener);
    config.timeout = Duration::from_secs(60);
    let mut stage = Stage::new(vec![step(config)]);
    assert_eq!(stage.build().await.result, Results::Failure);
}

#[tokio::test]
async fn a_stop_ends_the_wait_for_the_response() {
    let (listener, url) = listener().await;
    let mut config = HttpStepConfig::of("GET");
    config.url = Template::of(&url);
    let mut stage = Stage::new(vec![step(config)]);
    let build = stage.build();
    let (outcome, _) = play(build, async {
        let (stream, _) = listener.accept().await.unwrap();
        stage.stop("enough").await;
        stream
    })
    .await;
    assert_eq!(outcome.result, Results::Exception);
    assert_eq!(stage.steps()[0].2, "Requested interrupted");
}

#[tokio::test]
async fn what_is_no_address_of_a_web_server_is_an_exception() {
    for (url, message) in [
        (
            "ftp://localhost/",
            "does not begin with http:// or https://",
        ),
        ("localhost", "relative URL without a base"),
        ("%(nosuch)s", "property 'nosuch' is not set"),
    ] {
        let mut config = HttpStepConfig::of("GET");
        config.url = Template::of(url);
        let mut stage = Stage::new(vec![step(config)]);
        assert_eq!(stage.build().await.result, Results::Exception);
        let error = stage.log("0-ask", "err.text").unwrap();
        assert!(error.contains(message), "{error}");
    }
}
