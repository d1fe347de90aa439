#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::model::Timestamp;
use crate::protocol::change::{MAX_COMMENTS_BYTES, MAX_NAME_BYTES, MOST_FILES};

const SECRET: &str = "s3cret";

/// What the cases do not say in bytes is made here.
fn request(given: &Value) -> Post {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut body = match &given["body"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string()
        }
    };
    if let Some(fields) = given["form"].as_object() {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            form.append_pair(name, &text(value).unwrap());
        }
        body = form.finish();
    }
    if body == "1 000 opening brackets" {
        body = "[".repeat(1_000);
    }
    let mut post = Post {
        body: body.into_bytes(),
        ..Post::default()
    };
    let query = given["query"].as_str().unwrap_or_default();
    let query = form_urlencoded::parse(query.trim_start_matches('?').as_bytes());
    post.query = query.into_owned().collect();
    for (name, value) in given["headers"].as_object().into_iter().flatten() {
        let value = match value.as_str().unwrap() {
            "hmac-sha256 of the body, hex" => sign(&post.body),
            "sha256=right" => format!("sha256={}", sign(&post.body)),
            "the secret" => SECRET.to_owned(),
            other => other.to_owned(),
        };
        post.headers.push((name.clone(), value));
    }
    post
}

fn sign(body: &[u8]) -> String {
    use hmac::{KeyInit, Mac};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The status that the door gives, and what was read.
fn answer(given: &Value, post: &Post) -> (u16, Option<Told>) {
    let name = given["dialect"].as_str().unwrap_or("base");
    let Some(dialect) = Dialect::named(name) else {
        return (404, None);
    };
    let is_open = given["door"] == "no secret asked for" || given["secret"].is_null();
    let has_proof = check(dialect, post, &[SECRET]);
    let asks = given["door"] == format!("secret {SECRET}") || given["secret"] == SECRET;
    let sends_one = given["door"].is_null() && has_proof != Err(Unsigned::Missing);
    if (asks || (sends_one && is_open)) && has_proof.is_err() {
        return (401, None);
    }
    let reading = Reading {
        tags: given["settings"]["tags"] == true,
        branch: (dialect == Dialect::Googlecode).then(|| "test".to_owned()),
        ..Reading::default()
    };
    match read(dialect, post, &reading) {
        Err(Misread::ContentType(..)) => (415, None),
        Err(Misread::Malformed(_)) => (400, None),
        Ok(Told::Nothing(why) | Told::Over { why, .. }) => (200, Some(Told::Nothing(why))),
        Ok(told) => (202, Some(told)),
    }
}

fn shown(change: &NewChange) -> Value {
    let seconds = |time: Option<Timestamp>| time.map(|time| json!(time.0 / 1_000_000));
    let properties = change.properties.iter();
    let properties: serde_json::Map<String, Value> = properties
        .map(|(name, property)| (name.to_owned(), property.value.clone()))
        .collect();
    let all = json!({
        "author": change.who,
        "comments": change.comments,
        "branch": change.branch,
        "revision": change.revision,
        "revlink": change.revlink,
        "category": change.category,
        "repository": change.repository,
        "project": change.project,
        "codebase": change.codebase,
        "files": change.files,
        "properties": properties,
        "when": seconds(change.when),
        "made_at": seconds(change.made_at),
    });
    let Value::Object(mut all) = all else {
        unreachable!()
    };
    let is_empty = |value: &Value| {
        value.is_null() || value == "" || *value == json!([]) || *value == json!({})
    };
    all.retain(|name, value| {
        let is_ours = name == "properties" && change.category.as_deref() == Some("pull");
        !is_empty(value) && !is_ours
    });
    Value::Object(all)
}

#[test]
fn hki_06_requests_are_read_as_in_the_cases() {
    let cases: Value =
        serde_json::from_str(include_str!("../../../tests/data/hook-cases.json")).unwrap();
    // These are of the door: what it knows of earlier requests, how long bodies are, the method.
    let of_the_door = [2, 35, 46, 52, 55, 56, 57, 58, 63, 65];
    let mut tried = 0;
    for case in cases["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        if of_the_door.iter().any(|n| id == format!("hook-{n:03}")) {
            continue;
        }
        let (given, expect) = (&case["given"], &case["expect"]);
        let (status, told) = answer(given, &request(given));
        assert_eq!(status, expect["status"], "{id} {}: {told:?}", case["name"]);
        let changes = match &told {
            Some(Told::Changes(pushed)) => pushed.changes.iter().map(shown).collect(),
            _ => Vec::new(),
        };
        if let Some(expected) = expect["changes"].as_array() {
            assert_eq!(&changes, expected, "{id} {}", case["name"]);
        } else {
            assert_eq!(changes.len(), expect["changes_count"], "{id}");
        }
        tried += 1;
    }
    assert_eq!(tried, 55);
}

fn github(body: &Value) -> Result<Told, Misread> {
    let post = Post {
        headers: vec![("X-GitHub-Event".to_owned(), "push".to_owned())],
        body: body.to_string().into_bytes(),
        ..Post::default()
    };
    read(Dialect::Github, &post, &Reading::default())
}

#[test]
fn hki_02_each_signature_must_be_right() {
    let body = b"{}".to_vec();
    let right = format!("sha256={}", sign(&body));
    let checked = |headers: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(owned).collect();
        let post = Post {
            headers,
            body: body.clone(),
            ..Post::default()
        };
        check(Dialect::Github, &post, &["old", SECRET])
    };
    // echo -n '{}' | openssl dgst -sha1 -hmac s3cret
    let weak = "sha1=e7e0225292f975eab7d48999ea520020ef91b18d";
    let strong = ("X-Hub-Signature-256", right.as_str());
    assert_eq!(checked(&[strong]), Ok(()));
    assert_eq!(checked(&[]), Err(Unsigned::Missing));
    let wrong = Err(Unsigned::Wrong);
    assert_eq!(checked(&[("X-Hub-Signature-256", "sha256=00")]), wrong);
    assert_eq!(checked(&[strong, ("X-Hub-Signature", "sha1=00")]), wrong);
    let both = [
        ("X-Hub-Signature-256", "sha256=00"),
        ("X-Hub-Signature", weak),
    ];
    assert_eq!(checked(&both), wrong);
}

#[test]
fn hki_02_scripts_log_in_with_the_secret() {
    let logs_in = |value: &str| {
        let post = Post {
            headers: vec![("Authorization".to_owned(), value.to_owned())],
            ..Post::default()
        };
        check(Dialect::Base, &post, &[SECRET]).is_ok()
    };
    // ci:s3cret
    assert!(logs_in("Basic Y2k6czNjcmV0"));
    assert!(logs_in("bearer s3cret"));
    for wrong in [
        "Basic Y2k6",
        "Basic s3cret",
        "s3cret",
        "Bearer s3cre",
        "Digest s3cret",
    ] {
        assert!(!logs_in(wrong), "{wrong}");
    }
}

#[test]
fn hki_03_pushes_and_changes_have_limits() {
    let push = |commits: Vec<Value>| {
        github(&json!({
            "ref": "refs/heads/main", "after": "aa", "commits": commits,
        }))
    };
    let commit = json!({"id": "aa"});
    assert!(push(vec![commit.clone(); MOST_COMMITS]).is_ok());
    let many = push(vec![commit; MOST_COMMITS + 1]).unwrap_err();
    assert_eq!(many.to_string(), "the push has more than 2000 commits");

    let names: Vec<_> = (0..MOST_FILES + 5).map(|n| format!("f{n}")).collect();
    let long = "\u{e4}".repeat(MAX_COMMENTS_BYTES);
    let told = push(vec![json!({"id": "aa", "added": names, "message": long})]);
    let Ok(Told::Changes(pushed)) = told else {
        panic!("{told:?}")
    };
    let [change] = pushed.changes.as_slice() else {
        panic!("one change")
    };
    assert_eq!((change.files.len(), change.files_left_out), (MOST_FILES, 5));
    assert!(change.comments.len() <= MAX_COMMENTS_BYTES);

    let long = push(vec![json!({"id": "a".repeat(MAX_NAME_BYTES + 1)})]);
    assert!(matches!(long, Err(Misread::Malformed(_))));
}

#[test]
fn hki_07_what_a_payload_leaves_out_is_counted() {
    let commits: Vec<_> = (0..20).map(|n| json!({"id": format!("{n:040}")})).collect();
    let payload = json!({
        "object_kind": "push", "ref": "refs/heads/main", "after": "23",
        "total_commits_count": 35, "commits": commits,
    });
    let post = Post {
        body: payload.to_string().into_bytes(),
        ..Post::default()
    };
    let told = read(Dialect::Gitlab, &post, &Reading::default());
    let Ok(Told::Changes(pushed)) = told else {
        panic!("{told:?}")
    };
    assert_eq!((pushed.changes.len(), pushed.missing), (20, 15));
}

#[test]
fn a_forced_push_says_so() {
    let payload = json!({
        "ref": "refs/heads/main", "after": "aa", "forced": true, "commits": [{"id": "aa"}],
    });
    let told = github(&payload);
    let Ok(Told::Changes(pushed)) = told else {
        panic!("{told:?}")
    };
    let property = pushed.changes[0].properties.get("forced");
    assert_eq!(property, Some(&Value::Bool(true)));
}

#[test]
fn names_are_those_of_the_addresses() {
    for dialect in Dialect::ALL {
        assert_eq!(Dialect::named(dialect.name()), Some(dialect));
    }
    assert_eq!(Dialect::named("nope"), None);
}

#[test]
fn pol_13_a_hook_says_where_a_pull_request_comes_from() {
    let origin = |dialect: Dialect, event: (&str, &str), payload: Value| {
        let post = Post {
            headers: vec![(event.0.to_owned(), event.1.to_owned())],
            body: payload.to_string().into_bytes(),
            ..Post::default()
        };
        match read(dialect, &post, &Reading::default()) {
            Ok(Told::Changes(pushed)) => pushed.pull.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let of = |author: &str, is_own, is_public| Origin {
        number: 7,
        author: author.to_owned(),
        is_own,
        is_public,
    };
    let like_github = |name: &str, from: &str| {
        json!({
            "action": "opened", "number": 7, "sender": { "login": "ann" },
            "pull_request": {
                "user": { "login": "eve" },
                "head": { "sha": "a", "ref": name, "repo": { "full_name": from } },
                "base": { "repo": { "full_name": "ann/widget", "private": true } },
            },
        })
    };
    let github = ("x-github-event", "pull_request");
    let gitea = ("x-gitea-event", "pull_request");
    for (dialect, event) in [(Dialect::Github, github), (Dialect::Gitea, gitea)] {
        let found = origin(dialect, event, like_github("x", "eve/widget"));
        assert_eq!(found, of("eve", false, Some(false)));
        let found = origin(dialect, event, like_github("x", "ann/widget"));
        assert_eq!(found, of("eve", true, Some(false)));
        // Everybody may open one without a branch.
        let found = origin(
            dialect,
            event,
            like_github("refs/pull/7/head", "ann/widget"),
        );
        assert_eq!(found, of("eve", false, Some(false)));
        let mut bare = like_github("x", "eve/widget");
        bare["pull_request"] = json!({});
        assert_eq!(origin(dialect, event, bare), of("", false, None));
    }
    let gitlab = |user: u64, from: u64| {
        json!({
            "object_kind": "merge_request",
            "user": { "id": user, "username": "ann" },
            "project": { "visibility_level": 0 },
            "object_attributes": { "iid": 7, "action": "open", "author_id": 3,
                "source_project_id": from, "target_project_id": 1 },
        })
    };
    let event = ("x-gitlab-event", "Merge Request Hook");
    let found = origin(Dialect::Gitlab, event, gitlab(3, 2));
    assert_eq!(found, of("ann", false, Some(false)));
    // Somebody else has opened it again.
    let found = origin(Dialect::Gitlab, event, gitlab(4, 1));
    assert_eq!(found, of("", true, Some(false)));
    let cloud = json!({ "pullrequest": {
        "id": 7, "author": { "nickname": "eve" },
        "source": { "repository": { "full_name": "eve/widget" } },
        "destination": { "repository": { "full_name": "ann/widget" } },
    } });
    let event = ("x-event-key", "pullrequest:created");
    let found = origin(Dialect::BitbucketCloud, event, cloud);
    assert_eq!(found, of("eve", false, None));
    let server = json!({ "pullRequest": {
        "id": 7, "author": { "user": { "name": "eve" } },
        "fromRef": { "repository": { "id": 2 } },
        "toRef": { "repository": { "id": 1, "public": true } },
    } });
    let event = ("x-event-key", "pr:opened");
    let found = origin(Dialect::BitbucketServer, event, server);
    assert_eq!(found, of("eve", false, Some(true)));
}

#[test]
fn int_08_hooks_in_any_encoding_are_read() {
    let said = |post: Post, encoding: &str| {
        let reading = Reading {
            encoding: Encoding::named(encoding).unwrap(),
            ..Reading::default()
        };
        let dialect = match post.headers.len() {
            1 => Dialect::Base,
            _ => Dialect::Github,
        };
        match read(dialect, &post, &reading) {
            Ok(Told::Changes(pushed)) => pushed.changes[0].comments.clone(),
            other => panic!("{other:?}"),
        }
    };
    let post = |headers: &[(&str, &str)], body: &[u8]| Post {
        headers: headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
        body: body.to_vec(),
        ..Post::default()
    };
    let form = ("content-type", "application/x-www-form-urlencoded");
    let json = [
        ("content-type", "application/json"),
        ("x-github-event", "push"),
    ];
    let push = b"{\"ref\":\"refs/heads/m\",\"commits\":[{\"message\":\"f\xfcr\"}]}";
    for (body, encoding, expected) in [
        (
            post(&[form], b"comments=f%FCr+a%2Bb&x"),
            "latin-1",
            "f\u{fc}r a+b",
        ),
        (post(&[form], b"comments=f%C3%BCr"), "latin-1", "f\u{fc}r"),
        (post(&[form], b"comments=f%FCr"), "utf-8", "f\u{fffd}r"),
        (post(&json, push), "latin-1", "f\u{fc}r"),
        (post(&json, push), "utf-8", "f\u{fffd}r"),
    ] {
        assert_eq!(said(body, encoding), expected);
    }
}
