#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;
use crate::config::parse;
use crate::model::Zone;

const CONFIG: &str = r#"
buildbot_url = "https://ci.example/"
[people.ann]
email = "ann@corp.example"
[people.bob]
login = "https://id.example#1"
[web]
port = 8010
[login]
oidc = { issuer = "https://id.example", client_id = "ci", roles = { groups = { dev = "developers", release = "release-team" }, admin = { "yes" = "admins" } } }
"#;

fn parsed(text: &str) -> (Register, OidcConfig) {
    let (config, warnings) = parse(text, "master.toml", &Ok(Zone::UTC)).unwrap();
    assert_eq!(warnings.len(), 0);
    let people = config.people.iter().map(|known| &known.person);
    (Register::new(people, []), config.oidc().unwrap().clone())
}

fn claims(all: Value) -> Claims {
    let all = all.as_object().unwrap().clone();
    let email = all.get("email").and_then(Value::as_str);
    Claims {
        subject: all["sub"].as_str().unwrap().to_owned(),
        email: email.map(ToOwned::to_owned),
        all,
    }
}

fn name(config: &str, all: Value) -> Result<String, NotWho> {
    let (register, oidc) = parsed(config);
    resolve(&register, &oidc, &claims(all)).map(|who| who.name)
}

#[test]
fn lgn_04_a_person_is_known_by_issuer_and_subject() {
    assert_eq!(name(CONFIG, json!({ "sub": "1" })).unwrap(), "bob");
    let other = json!({ "sub": "1", "email": "ann@corp.example" });
    assert_eq!(
        name(CONFIG, other).unwrap(),
        "bob",
        "whatever the address is"
    );
}

#[test]
fn who_04_a_person_is_recognized_by_the_verified_address_once() {
    let (register, oidc) = parsed(CONFIG);
    let said = claims(json!({ "sub": "2", "email": "ann@CORP.example" }));
    let who = resolve(&register, &oidc, &said).unwrap();
    assert_eq!((who.name.as_str(), who.is_new), ("ann", false));
    let login: Vec<_> = who.new.iter().map(|a| a.value.as_str()).collect();
    assert_eq!(login, ["https://id.example#2"]);
    // The address was given to somebody else later.
    let text = CONFIG.replace("email =", "login = \"https://id.example#2\"\nemail =");
    let error = name(&text, json!({ "sub": "3", "email": "ann@corp.example" }));
    let ann = "ann".to_owned();
    assert_eq!(error.unwrap_err(), NotWho::OtherIdentity { name: ann });
}

#[test]
fn who_04_a_verified_address_that_is_nobodys_becomes_the_persons() {
    let (register, oidc) = parsed(CONFIG);
    let new = |all| {
        let who = resolve(&register, &oidc, &claims(all)).unwrap();
        let new = who.new.into_iter().map(|attribute| attribute.value);
        (who.name, new.collect::<Vec<_>>())
    };
    let bob = |new: &[&str]| {
        (
            "bob".to_owned(),
            new.iter().map(|&n| n.to_owned()).collect(),
        )
    };
    let said = json!({ "sub": "1", "email": "bob@corp.example" });
    assert_eq!(new(said), bob(&["bob@corp.example"]));
    assert_eq!(new(json!({ "sub": "1" })), bob(&[]));
    // The address of somebody else stays theirs.
    let said = json!({ "sub": "1", "email": "ann@corp.example" });
    assert_eq!(new(said), bob(&[]));
}

#[test]
fn lgn_04_what_a_person_can_choose_names_nobody() {
    let said = json!({ "sub": "77", "preferred_username": "ann", "name": "ann" });
    assert_eq!(name(CONFIG, said).unwrap(), "id.example/77");
    let said = json!({ "sub": "77", "preferred_username": "ann", "email": "eve@x" });
    assert_eq!(name(CONFIG, said).unwrap(), "eve@x");
}

#[test]
fn lgn_04_the_provider_names_people_if_the_configuration_says_so() {
    let text = CONFIG.replace("client_id", "name_claim = \"uid\", client_id");
    assert_eq!(
        name(&text, json!({ "sub": "9", "uid": "ann" })).unwrap(),
        "ann"
    );
    assert_eq!(
        name(&text, json!({ "sub": "9", "uid": "zoe" })).unwrap(),
        "zoe"
    );
    let bob = "bob".to_owned();
    let error = name(&text, json!({ "sub": "9", "uid": "bob" })).unwrap_err();
    assert_eq!(error, NotWho::OtherIdentity { name: bob });
    for uid in [
        json!(null),
        json!(7),
        json!(""),
        json!("anyone"),
        json!("role:x"),
    ] {
        let error = name(&text, json!({ "sub": "9", "uid": uid })).unwrap_err();
        assert!(matches!(error, NotWho::NoName { .. }), "{error}");
    }
}

#[test]
fn lgn_04_a_configuration_can_let_only_known_people_log_in() {
    let text = CONFIG.replace("client_id", "new_people = false, client_id");
    assert_eq!(
        name(&text, json!({ "sub": "9" })).unwrap_err(),
        NotWho::Unknown
    );
    assert_eq!(name(&text, json!({ "sub": "1" })).unwrap(), "bob");
}

#[test]
fn lgn_04_roles_come_from_claims_by_the_table() {
    let (_, oidc) = parsed(CONFIG);
    let roles = |all| roles(&oidc, &claims(all)).into_iter().collect::<Vec<_>>();
    let said = json!({ "sub": "1", "groups": ["dev", "admins", 7], "admin": "no" });
    assert_eq!(roles(said), ["developers"]);
    let said = json!({ "sub": "1", "groups": "release", "admin": "yes" });
    assert_eq!(roles(said), ["admins", "release-team"]);
    assert_eq!(roles(json!({ "sub": "1" })).len(), 0);
}
