#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::parse;
use crate::model::Zone;

fn repositories(text: &str) -> Vec<RepositoryConfig> {
    let (config, _) = parse(text, "master.toml", &Ok(Zone::UTC)).unwrap();
    Vec::clone(&config.repositories)
}

fn mistakes(text: &str) -> String {
    let errors = parse(text, "master.toml", &Ok(Zone::UTC)).unwrap_err();
    let lines = errors.errors.iter().map(|error| {
        let help = error.help.as_deref().unwrap_or_default();
        format!("{}: {} ({help})", error.line, error.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn registered(text: &str, change: NewChange) -> NewChange {
    let mut change = change;
    register(&repositories(text), &mut change);
    change
}

fn of(repository: &str) -> NewChange {
    NewChange {
        repository: repository.to_owned(),
        ..NewChange::default()
    }
}

const LIB: &str = r#"
[[repositories]]
name = "lib"
urls = ["git://h/lib", "git@H:lib.git"]
codebase = "lib"
project = "p"
vc = "git"
revlink = "https://h/lib/commit/%(revision)s?on=%(branch)s"
"#;

#[test]
fn cbs_01_cases_009_to_013_of_trees() {
    let said = NewChange {
        codebase: "lib".to_owned(),
        ..of("git://x")
    };
    assert_eq!(registered("", said.clone()), said);
    let change = registered(LIB, of("git://h/lib.git"));
    assert_eq!(
        (change.codebase.as_str(), change.project.as_str()),
        ("lib", "p")
    );
    assert_eq!(change.repository, "lib");
    assert_eq!(change.notes, [""; 0]);
    let core = NewChange {
        codebase: "core".to_owned(),
        ..of("git://h/lib")
    };
    let change = registered(LIB, core);
    assert_eq!(
        (change.codebase.as_str(), change.repository.as_str()),
        ("lib", "lib")
    );
    assert_eq!(change.notes, ["the sender said codebase core"]);
    assert_eq!(registered(LIB, of("git://y")), of("git://y"));
    let team = r#"
        [[repositories]]
        name = "team"
        urls = [{ regex = "git://h/team/.*" }]
        codebase = "team"
    "#;
    let change = registered(team, of("git://h/team/a.git"));
    assert_eq!(
        (change.codebase.as_str(), change.repository.as_str()),
        ("team", "git://h/team/a")
    );
    assert_eq!(
        registered(team, of("xgit://h/team/a")),
        of("xgit://h/team/a")
    );
}

#[test]
fn cbs_01_an_address_is_known_in_all_its_spellings() {
    for spelling in [
        "git://h/lib",
        "git://h/lib/",
        "GIT://H/lib.git/",
        "git@h:lib",
        "git@h:lib.git",
        "lib",
    ] {
        assert_eq!(
            registered(LIB, of(spelling)).repository,
            "lib",
            "{spelling}"
        );
    }
    for other in [
        "git://h/LIB",
        "https://h/lib",
        "Git@h:lib",
        "git://h/lib.hg",
        "",
    ] {
        assert_eq!(registered(LIB, of(other)), of(other));
    }
}

#[test]
fn grd_05_the_register_completes_kind_and_link() {
    let change = NewChange {
        revision: Some("a b/1".to_owned()),
        branch: Some("rel/2".to_owned()),
        ..of("lib")
    };
    let done = registered(LIB, change.clone());
    assert_eq!(done.src.as_deref(), Some("git"));
    assert_eq!(done.revlink, "https://h/lib/commit/a%20b/1?on=rel/2");
    let own = NewChange {
        src: Some("hg".to_owned()),
        revlink: "https://other/1".to_owned(),
        ..change
    };
    let done = registered(LIB, own);
    assert_eq!(done.src.as_deref(), Some("hg"));
    assert_eq!(done.revlink, "https://other/1");
}

#[test]
fn cbs_01_mistakes_in_the_register_are_named() {
    let text = r#"
[[repositories]]
name = "one"
urls = "git://h/one"
vc = "gti"
hots = { type = "gitea" }
[[repositories]]
name = "one"
urls = ["git://H/one.git/", { regex = "(" }]
revlink = "https://h/one"
host = { type = "gittea", token_file = "t", token_env = "T" }
credentials = { user = "bot", ssh_host_key = "k", ssh_known_hosts_file = "f" }
"#;
    insta::assert_snapshot!(mistakes(text), @r#"
    5: unknown `vc = "gti"` of repository `one` (did you mean `"git"`?)
    6: unknown key `hots` of repository `one` (did you mean `host`?)
    8: the name `one` is used by two repositories, here and on line 3 (give each repository a name of its own)
    9: `urls` of repository `one` is an address of the repository `one` too (give each repository addresses of its own)
    9: `regex` of this address is not a valid pattern (unclosed group)
    10: `revlink` of repository `one` does not contain `%(revision)s` (for example `https://example.org/widget/commit/%(revision)s`)
    11: unknown `type = "gittea"` of host (did you mean `"gitea"`?)
    11: host has two tokens (keep one of the two)
    12: credentials needs a password (add `password = "…"`, `password_file = "FILE"` or `password_env = "VARIABLE"`)
    "#);
}

#[test]
fn grd_05_credentials_and_host_are_read() {
    let text = r#"
[[repositories]]
name = "one"
urls = ["git@h:one", "https://h/one"]
default_branch = "main"
owners = ["ann", "docs/CODEOWNERS", "bob"]
host = { type = "gitea", api = "https://h/api/v1", token_file = "secrets/gitea" }
credentials = { ssh_key_file = "key", accept_new_host_keys = true, user = "bot", password_env = "PW" }
"#;
    let [one] = repositories(text).try_into().unwrap();
    assert_eq!(one.url(), Some("git@h:one"));
    let secrets: Vec<_> = one.secrets().cloned().collect();
    let expected = [
        Secret::Env("PW".to_owned()),
        Secret::File("secrets/gitea".into()),
    ];
    assert_eq!(secrets, expected);
    assert_eq!(one.owners, ["ann", "bob"]);
    assert_eq!(one.owners_file.as_deref(), Some("docs/CODEOWNERS"));
    assert!(one.credentials.accept_new_host_keys);
}
