#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::Timestamp;

fn site(host: &str, url: &str) -> PullSite {
    PullSite::of(PullHost::named(host).unwrap(), None, url).unwrap()
}

fn read(host: &str, body: &str) -> PullRequest {
    let page = site(host, "https://h/ann/widget").parse_list(1, body.as_bytes());
    let [pull] = page.unwrap().pulls.try_into().unwrap();
    pull
}

/// What does not depend on the host.
fn expected(branch: &str) -> PullRequest {
    PullRequest {
        number: 7,
        head: "6dcb09b5b57875f334f61aebed695e2e4193db5e".to_owned(),
        branch: branch.to_owned(),
        author: "eve".to_owned(),
        title: "Speed it up".to_owned(),
        target: "main".to_owned(),
        link: "https://h/p/7".to_owned(),
        updated_at: Some(Timestamp::from_secs(1_234_567_890)),
        ..PullRequest::default()
    }
}

#[test]
fn pol_13_addresses_of_apis_follow_from_those_of_repositories() {
    let shown = |host: &str, url: &str| {
        let site = site(host, url);
        (site.list(site.first_page()), site.files(7))
    };
    let (list, files) = shown("github", "git@github.com:ann/widget.git");
    assert_eq!(
        list,
        "https://api.github.com/repos/ann/widget/pulls?state=open&sort=updated&direction=desc\
         &per_page=50&page=1"
    );
    assert_eq!(
        files,
        "https://api.github.com/repos/ann/widget/pulls/7/files?per_page=50"
    );
    for (host, url, begin) in [
        (
            "github",
            "https://git.example.org/ann/widget",
            "https://git.example.org/api/v3/repos/ann/widget/pulls?",
        ),
        (
            "gitlab",
            "https://gitlab.com/group/sub/widget.git",
            "https://gitlab.com/api/v4/projects/group%2Fsub%2Fwidget/merge_requests?state=opened&",
        ),
        (
            "forgejo",
            "ssh://git@codeberg.org:22/ann/widget.git",
            "https://codeberg.org/api/v1/repos/ann/widget/pulls?state=open&sort=recentupdate&",
        ),
        (
            "gitea",
            "http://bot@h:3000/ann/widget/",
            "https://h:3000/api/v1/repos/ann/widget/pulls?",
        ),
        (
            "bitbucketcloud",
            "git@bitbucket.org:ann/widget.git",
            "https://api.bitbucket.org/2.0/repositories/ann/widget/pullrequests?state=OPEN&",
        ),
        (
            "bitbucketserver",
            "https://h/scm/PRJ/widget.git",
            "https://h/rest/api/1.0/projects/PRJ/repos/widget/pull-requests?state=OPEN&",
        ),
    ] {
        let (list, _) = shown(host, url);
        assert!(list.starts_with(begin), "{list}");
    }
    let own = PullSite::of(PullHost::Gitea, Some("http://127.0.0.1:1/api/"), "g@h:a/b").unwrap();
    assert!(own.list(1).starts_with("http://127.0.0.1:1/api/repos/a/b/"));
    assert_eq!(PullSite::of(PullHost::Gitea, None, "/srv/widget"), None);
    assert_eq!(
        PullSite::of(PullHost::Gitea, None, "https://h/widget"),
        None
    );
}

#[test]
fn pol_13_pull_requests_of_github_and_gitea_are_read() {
    let body = r#"[{"number": 7, "title": "Speed it up", "html_url": "https://h/p/7",
        "user": {"login": "eve"}, "updated_at": "2009-02-13T23:31:30Z",
        "labels": [{"name": "ready"}, {"name": "fast"}],
        "head": {"sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
                 "repo": {"full_name": "eve/widget"}},
        "base": {"ref": "main", "repo": {"full_name": "ann/widget", "private": false}}}]"#;
    let pull = PullRequest {
        labels: vec!["ready".to_owned(), "fast".to_owned()],
        is_public: Some(true),
        ..expected("refs/pull/7/head")
    };
    for host in ["github", "gitea", "forgejo"] {
        assert_eq!(read(host, body), pull);
    }
    assert!(read("github", &body.replace("eve/widget", "ann/widget")).is_own);
    // The fork is gone.
    let gone = body.replace(r#"{"full_name": "eve/widget"}"#, "null");
    assert_eq!(read("github", &gone), pull);
    let private = read("github", &body.replace("false", "true"));
    assert_eq!(private.is_public, Some(false));
}

#[test]
fn pol_13_merge_requests_of_gitlab_are_read() {
    let body = r#"[{"iid": 7, "id": 4711, "title": "Speed it up", "web_url": "https://h/p/7",
        "sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e", "author": {"username": "eve"},
        "target_branch": "main", "source_project_id": 3, "target_project_id": 2,
        "updated_at": "2009-02-13T23:31:30.000Z", "labels": ["ready"]}]"#;
    let pull = PullRequest {
        labels: vec!["ready".to_owned()],
        ..expected("refs/merge-requests/7/head")
    };
    assert_eq!(read("gitlab", body), pull);
    assert!(
        read(
            "gitlab",
            &body.replace("\"source_project_id\": 3", "\"source_project_id\": 2")
        )
        .is_own
    );
}

#[test]
fn pol_13_pull_requests_of_bitbucket_are_read() {
    let cloud = r#"{"next": "https://h/?page=2", "values": [{"id": 7, "title": "Speed it up",
        "author": {"nickname": "eve"}, "links": {"html": {"href": "https://h/p/7"}},
        "updated_on": "2009-02-13T23:31:30.123456+00:00",
        "source": {"branch": {"name": "fast"}, "commit": {"hash": "6dcb09b5b578"},
            "repository": {"full_name": "eve/widget",
                "links": {"html": {"href": "https://bitbucket.org/eve/widget"}}}},
        "destination": {"branch": {"name": "main"},
            "repository": {"full_name": "ann/widget"}}}]}"#;
    let site = site("bitbucketcloud", "https://bitbucket.org/ann/widget");
    let page = site.parse_list(1, cloud.as_bytes()).unwrap();
    assert_eq!(page.next, Some(2));
    let [pull] = page.pulls.try_into().unwrap();
    let wanted = PullRequest {
        head: "6dcb09b5b578".to_owned(),
        source: Some("https://bitbucket.org/eve/widget".to_owned()),
        updated_at: Some(Timestamp(1_234_567_890_123_456)),
        ..expected("fast")
    };
    assert_eq!(pull, wanted);
    let commit = site.commit(&pull).unwrap();
    assert!(commit.ends_with("/repositories/ann/widget/commit/6dcb09b5b578"));
    assert_eq!(site.parse_commit(br#"{"hash": "6dcb"}"#).unwrap(), "6dcb");
    let server = r#"{"isLastPage": false, "nextPageStart": 50, "values": [{"id": 7,
        "title": "Speed it up", "updatedDate": 1234567890000,
        "author": {"user": {"name": "eve"}}, "links": {"self": [{"href": "https://h/p/7"}]},
        "fromRef": {"id": "refs/heads/fast", "repository": {"id": 2},
            "latestCommit": "6dcb09b5b57875f334f61aebed695e2e4193db5e"},
        "toRef": {"displayId": "main", "repository": {"id": 2, "public": false}}}]}"#;
    let wanted = PullRequest {
        is_own: true,
        is_public: Some(false),
        ..expected("refs/pull-requests/7/from")
    };
    assert_eq!(read("bitbucketserver", server), wanted);
}

#[test]
fn pol_13_files_of_pull_requests_are_read() {
    let files = |host: &str, body: &str| {
        let (files, more) = site(host, "https://h/a/b")
            .parse_files(body.as_bytes())
            .unwrap();
        (files.join(" "), more)
    };
    let github = r#"[{"filename": "a"}, {"filename": "c", "previous_filename": "b"}]"#;
    assert_eq!(files("github", github), ("a b c".to_owned(), false));
    let gitlab = r#"[{"old_path": "a", "new_path": "a"}, {"old_path": "b", "new_path": "c"}]"#;
    assert_eq!(files("gitlab", gitlab), ("a b c".to_owned(), false));
    let cloud = r#"{"values": [{"old": null, "new": {"path": "a"}}, {"old": {"path": "b"}}]}"#;
    assert_eq!(files("bitbucketcloud", cloud), ("a b".to_owned(), false));
    let server = r#"{"values": [{"path": {"toString": "d/a"}}]}"#;
    assert_eq!(files("bitbucketserver", server), ("d/a".to_owned(), false));
    let full = format!("[{}]", vec![r#"{"filename": "a"}"#; 50].join(","));
    assert_eq!(files("gitea", &full), ("a".to_owned(), true));
}

#[test]
fn pol_13_what_is_not_a_list_is_an_error() {
    let site = site("github", "https://github.com/a/b");
    for body in [
        "",
        "{}",
        r#"{"message": "Not Found"}"#,
        r#"[{"number": 1}]"#,
    ] {
        assert!(site.parse_list(1, body.as_bytes()).is_err(), "{body}");
    }
    let one = r#"{"number": 1, "head": {"sha": "a"}}"#;
    let full = format!("[{}]", vec![one; 50].join(","));
    assert_eq!(site.parse_list(3, full.as_bytes()).unwrap().next, Some(4));
    assert_eq!(site.parse_list(1, b"[]").unwrap(), PullPage::default());
}

#[test]
fn pol_13_a_polled_pull_request_is_the_change_of_its_hook() {
    let pull = expected("refs/pull/7/head");
    let change = site("github", "https://h/a/b").change(&pull);
    assert_eq!(change.comments, "GitHub Pull Request #7");
    assert_eq!(change.branch.as_deref(), Some("refs/pull/7/head"));
    assert_eq!(change.revision.as_deref(), Some(pull.head.as_str()));
    assert_eq!(change.category.as_deref(), Some("pull"));
    assert_eq!(
        change.properties.get("pull_request_target").unwrap(),
        "main"
    );
}
