//! Logins at a provider that the test makes, with each attack.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::model::Outcome;
use crate::people::oidc::testing::{Signer, encode, message};
use crate::web::testing::{Answer, Farm, NOW, Visitor};

/// A provider on loopback, which does what the test says.
struct Provider {
    issuer: String,
    state: Arc<Mutex<State>>,
}

/// Makes a token of claims.
type Forge = fn(&State, &Value) -> String;

struct State {
    issuer: String,
    signer: Signer,
    key: String,
    /// The keys that are published, if others than that of the signer.
    published: Option<Value>,
    /// Claims that replace the usual ones.
    claims: BTreeMap<String, Value>,
    /// What a code was given for: the nonce and the challenge.
    codes: BTreeMap<String, (String, String)>,
    /// How a token is made, if not by the signer.
    forge: Option<Forge>,
    is_down: bool,
    /// The paths that were asked for.
    asked: Vec<String>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            issuer: issuer.clone(),
            signer: Signer::rsa(),
            key: "one".to_owned(),
            published: None,
            claims: BTreeMap::new(),
            codes: BTreeMap::new(),
            forge: None,
            is_down: false,
            asked: Vec::new(),
        }));
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &served);
            }
        });
        Self { issuer, state }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn claim(&self, name: &str, value: Value) {
        self.set(|state| drop(state.claims.insert(name.to_owned(), value)));
    }

    /// The configuration of a master that uses the provider.
    fn config(&self, more: &str) -> String {
        let issuer = &self.issuer;
        format!(
            "[people.ann]\nemail = \"ann@corp.example\"\n{more}\n[login]\noidc = {{ issuer = \
             \"{issuer}\", client_id = \"ci\", client_secret_env = \"PATH\", roles = {{ groups = {{ \
             dev = \"developers\" }} }} }}\n"
        )
    }

    /// Lets somebody visit a master that uses the provider.
    fn visit<T>(&self, visit: impl AsyncFnOnce(&mut Visitor) -> T) -> T {
        let url = "buildbot_url = \"http://127.0.0.1/\"\n";
        let text = crate::web::testing::config_text();
        Farm::of(&format!("{url}{text}{}", self.config(""))).visit(async |visitor| {
            // The provider is on a real network.
            tokio::time::resume();
            visit(visitor).await
        })
    }

    /// What the provider does when the browser comes with `address`: it logs the person in, and
    /// answers with the query of the callback.
    fn log_in(&self, address: &str) -> (String, String) {
        let (endpoint, query) = address.split_once('?').unwrap();
        assert_eq!(endpoint, format!("{}/auth", self.issuer));
        let all: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let usual = [
            ("response_type", "code"),
            ("client_id", "ci"),
            ("redirect_uri", "http://127.0.0.1/login/oidc/callback"),
            ("scope", "openid email profile"),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in usual {
            assert_eq!(all[name], value);
        }
        let mut state = self.state.lock().unwrap();
        let code = format!("code-{}", all["nonce"]);
        let kept = (all["nonce"].clone(), all["code_challenge"].clone());
        state.codes.insert(code.clone(), kept);
        (code, all["state"].clone())
    }
}

impl State {
    fn answer(&mut self, path: &str, head: &str, body: &str) -> (u16, Value) {
        let issuer = &self.issuer;
        match path {
            "/.well-known/openid-configuration" => (
                200,
                json!({
                    "issuer": issuer,
                    "authorization_endpoint": format!("{issuer}/auth"),
                    "token_endpoint": format!("{issuer}/token"),
                    "jwks_uri": format!("{issuer}/keys"),
                }),
            ),
            "/keys" => {
                let own = || json!({ "keys": [self.signer.jwk(&self.key)] });
                (200, self.published.clone().unwrap_or_else(own))
            }
            "/token" => self.token(head, body),
            _ => (404, json!({})),
        }
    }

    fn token(&mut self, head: &str, body: &str) -> (u16, Value) {
        assert!(
            head.to_lowercase().contains("authorization: basic "),
            "{head}"
        );
        let form: BTreeMap<_, _> = form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
        assert_eq!(form["grant_type"], "authorization_code");
        assert_eq!(form["redirect_uri"], "http://127.0.0.1/login/oidc/callback");
        let Some((nonce, challenge)) = self.codes.remove(&form["code"]) else {
            return (
                400,
                json!({ "error": "invalid_grant", "error_description": "secret" }),
            );
        };
        let hash = Sha256::digest(form["code_verifier"].as_bytes());
        assert_eq!(challenge, URL_SAFE_NO_PAD.encode(hash));
        let now = NOW.0 / 1_000_000;
        let mut claims = json!({
            "iss": self.issuer, "aud": "ci", "sub": "77", "nonce": nonce,
            "iat": now, "exp": now + 300,
        });
        for (name, value) in &self.claims {
            claims[name] = value.clone();
        }
        let token = match self.forge {
            Some(forge) => forge(self, &claims),
            None => self.signer.token(&self.key, &claims),
        };
        (
            200,
            json!({ "access_token": "at-sekrit", "token_type": "Bearer", "id_token": token }),
        )
    }
}

/// Answers one request of a connection.
fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let lower = head.to_lowercase();
    let length = lower.split("content-length: ").nth(1);
    let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let (status, answer) = {
        let mut state = state.lock().unwrap();
        state.asked.push(path.clone());
        match state.is_down {
            true => (503, json!({ "error": "down" })),
            false => state.answer(&path, &head, std::str::from_utf8(&body).unwrap()),
        }
    };
    let answer = answer.to_string();
    let length = answer.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    reader
        .get_mut()
        .write_all(format!("{head}{answer}").as_bytes())
        .unwrap();
}

/// Begins a login; returns the address of the provider. The browser keeps the cookie.
async fn begin(visitor: &mut Visitor) -> String {
    let answer = visitor.get("/login/oidc?next=%2Fabout").await;
    assert_eq!(answer.status, StatusCode::FOUND, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let cookie = answer.header("set-cookie");
    assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"));
    let cookie = cookie.split(';').next().unwrap().to_owned();
    visitor.headers = vec![("cookie".to_owned(), cookie)];
    answer.header("location").to_owned()
}

async fn come_back(visitor: &mut Visitor, code: &str, state: &str) -> Answer {
    let address = format!("/login/oidc/callback?code={code}&state={state}");
    visitor.get(&address).await
}

/// A whole login.
async fn log_in(visitor: &mut Visitor, provider: &Provider) -> Answer {
    visitor.session = None;
    let (code, state) = provider.log_in(&begin(visitor).await);
    let answer = come_back(visitor, &code, &state).await;
    visitor.headers.clear();
    answer
}

/// Whom the page says that the visitor is.
async fn who(visitor: &mut Visitor) -> String {
    let page = visitor.get("/about").await;
    let (_, rest) = page.text.split_once("class=\"who\"").unwrap();
    let name = rest.split_once('>').unwrap().1;
    name.split('<').next().unwrap().to_owned()
}

/// The login must fail with this status and these words, and leave no session.
async fn refused(visitor: &mut Visitor, provider: &Provider, status: u16, words: &str) {
    let answer = log_in(visitor, provider).await;
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert!(answer.text.contains(words), "{words}: {}", answer.text);
    assert_eq!(visitor.session, None);
    let log = visitor.audit().await;
    let last = log.last().unwrap();
    assert_eq!((last.who.as_str(), &last.outcome), ("", &Outcome::Refused));
}

#[test]
fn lgn_04_a_login_at_the_provider_begins_a_session() {
    let provider = Provider::start();
    provider.visit(async |visitor| {
        let page = visitor.get("/login?next=%2Fabout").await;
        let link = "href=\"http://127.0.0.1/login/oidc?next=%2Fabout\"";
        assert!(page.text.contains(link), "{}", page.text);
        provider.claim("email", json!("ann@corp.example"));
        provider.claim("email_verified", json!(true));
        let answer = log_in(visitor, &provider).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        assert_eq!(answer.header("location"), "/about");
        let cookies = answer.headers.get_all("set-cookie").iter();
        let cookies: Vec<_> = cookies.map(|cookie| cookie.to_str().unwrap()).collect();
        assert!(cookies[0].starts_with("session=") && cookies[0].contains("HttpOnly"));
        assert!(cookies[1].starts_with("login=;") && cookies[1].contains("Max-Age=0"));
        assert_eq!(who(visitor).await, "ann");
        let page = visitor.get("/users/ann").await;
        let login = format!("{}#77", provider.issuer);
        assert!(page.text.contains(&login), "{}", page.text);
        // From now on the identity counts, whatever the address is.
        provider.claim("email", json!("other@corp.example"));
        log_in(visitor, &provider).await;
        assert_eq!(who(visitor).await, "ann");
        let log = visitor.audit().await;
        let log: Vec<_> = log
            .iter()
            .map(|r| (r.what.as_str(), r.ground.as_str()))
            .collect();
        assert_eq!(log, [("logged in", "the login provider"); 2]);
    });
}

#[test]
fn lgn_04_an_address_that_is_not_verified_is_nobodys() {
    let provider = Provider::start();
    provider.visit(async |visitor| {
        provider.claim("email", json!("ann@corp.example"));
        provider.claim("email_verified", json!(false));
        log_in(visitor, &provider).await;
        assert_eq!(
            who(visitor).await,
            "127.0.0.1&#x2F;77".replace("&#x2F;", "/")
        );
    });
}

#[test]
fn lgn_04_roles_come_with_the_session() {
    let provider = Provider::start();
    let rule = "[[permissions]]\nwho = [\"role:developers\"]\nmay = [\"view\"]\n";
    let text = crate::web::testing::config_text();
    let text = format!(
        "buildbot_url = \"http://127.0.0.1/\"\n{text}{}",
        provider.config(rule)
    );
    Farm::of(&text).visit(async |visitor| {
        tokio::time::resume();
        log_in(visitor, &provider).await;
        assert_ne!(visitor.get("/about").await.status, StatusCode::OK);
        provider.claim("groups", json!(["dev"]));
        log_in(visitor, &provider).await;
        assert_eq!(visitor.get("/about").await.status, StatusCode::OK);
    });
}

#[test]
fn lgn_04_the_state_must_be_that_of_the_browser() {
    let provider = Provider::start();
    provider.visit(async |visitor| {
        let (code, state) = provider.log_in(&begin(visitor).await);
        // Another browser, which an attacker sends to the callback with a login of the attacker.
        let mine = std::mem::take(&mut visitor.headers);
        let (other_code, other_state) = provider.log_in(&begin(visitor).await);
        for (code, state) in [
            (&code, &state),
            (&other_code, &state),
            (&other_code, &String::new()),
        ] {
            let answer = come_back(visitor, code, state).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(answer.text.contains("was not begun in this browser"));
            assert_eq!(visitor.session, None);
        }
        // Without a cookie, and with one that was changed.
        for cookie in [None, Some(mine[0].1.replace("login=", "login=A"))] {
            let cookie = cookie.map(|cookie| ("cookie".to_owned(), cookie));
            visitor.headers = cookie.into_iter().collect();
            let answer = come_back(visitor, &other_code, &other_state).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        }
        visitor.headers = mine;
        let answer = come_back(visitor, &code, &state).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert!(!provider.state.lock().unwrap().asked.is_empty());
    });
}

#[test]
fn lgn_04_a_login_is_finished_once() {
    let provider = Provider::start();
    provider.visit(async |visitor| {
        let (code, state) = provider.log_in(&begin(visitor).await);
        let answer = come_back(visitor, &code, &state).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        visitor.session = None;
        let answer = come_back(visitor, &code, &state).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.text.contains("was finished already"));
        // A code of another login, which the provider takes once.
        let (_, state) = provider.log_in(&begin(visitor).await);
        let answer = come_back(visitor, &code, &state).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text.contains("the provider answered invalid_grant"));
        assert!(
            !answer.text.contains("secret"),
            "the description is not shown"
        );
        assert_eq!(visitor.session, None);
    });
}

#[test]
fn lgn_04_a_token_of_another_login_client_or_issuer_is_not_accepted() {
    let provider = Provider::start();
    provider.visit(async |visitor| {
        for (claim, value, words) in [
            ("nonce", json!("another"), "the nonce of the ID token"),
            ("aud", json!("another"), "is for another client"),
            ("iss", json!("https://evil.example"), "has another issuer"),
            ("exp", json!(NOW.0 / 1_000_000 - 100), "has expired"),
        ] {
            provider.claim(claim, value);
            refused(visitor, &provider, 403, words).await;
            provider.set(|state| state.claims.clear());
        }
        assert_eq!(
            log_in(visitor, &provider).await.status,
            StatusCode::SEE_OTHER
        );
    });
}

#[test]
fn lgn_04_a_token_that_the_provider_did_not_sign_is_not_accepted() {
    let provider = Provider::start();
    provider.visit(async |visitor| {
        let none =
            |_: &State, claims: &Value| format!("{}.", message(&json!({ "alg": "none" }), claims));
        let shared = |state: &State, claims: &Value| {
            let message = message(&json!({ "alg": "HS256", "kid": state.key }), claims);
            let key = state.signer.jwk("one")["n"].to_string();
            let mac = Sha256::digest(format!("{key}{message}"));
            format!("{message}.{}", encode(&mac))
        };
        let stolen = |state: &State, claims: &Value| Signer::p256().token(&state.key, claims);
        let forgeries: [(Forge, &str); 3] = [
            (none, "has the algorithm"),
            (shared, "has the algorithm"),
            (stolen, "with a key that the provider does not publish"),
        ];
        for (forge, words) in forgeries {
            provider.set(|state| state.forge = Some(forge));
            refused(visitor, &provider, 403, words).await;
        }
    });
}

#[test]
fn lgn_04_keys_are_fetched_again_when_the_provider_has_others() {
    let provider = Provider::start();
    provider.visit(async |visitor| {
        log_in(visitor, &provider).await;
        log_in(visitor, &provider).await;
        let fetched = |provider: &Provider| {
            let state = provider.state.lock().unwrap();
            state.asked.iter().filter(|path| *path == "/keys").count()
        };
        assert_eq!(fetched(&provider), 1, "they are kept");
        provider.set(|state| {
            state.signer = Signer::p256();
            state.key = "two".to_owned();
        });
        let answer = log_in(visitor, &provider).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        assert_eq!(fetched(&provider), 2);
        // A key that was withdrawn is of no use.
        provider.set(|state| {
            state.signer = Signer::p256();
            state.key = "three".to_owned();
            state.published = Some(json!({ "keys": [] }));
        });
        refused(visitor, &provider, 403, "does not publish").await;
    });
}

#[test]
fn lgn_04_a_provider_that_is_down_is_said_to_be_so() {
    let provider = Provider::start();
    provider.visit(async |visitor| {
        provider.set(|state| state.is_down = true);
        for _ in 0..3 {
            let answer = visitor.get("/login/oidc").await;
            assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
            assert!(
                answer.text.contains("cannot be used now"),
                "{}",
                answer.text
            );
        }
        let asked = provider.state.lock().unwrap().asked.len();
        assert_eq!(asked, 1, "it is left alone for a while");
        let page = visitor.get("/login").await;
        assert!(page.text.contains(r#"action="/login""#), "passwords work");
    });
    let provider = Provider::start();
    provider.visit(async |visitor| {
        let (code, state) = provider.log_in(&begin(visitor).await);
        provider.set(|state| state.is_down = true);
        let answer = come_back(visitor, &code, &state).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert_eq!(visitor.session, None);
    });
}

#[test]
fn lgn_04_what_the_provider_refuses_is_said_without_its_words() {
    let provider = Provider::start();
    provider.visit(async |visitor| {
        let (_, state) = provider.log_in(&begin(visitor).await);
        let error = "error=access_denied%3Cb%3E&error_description=x";
        let address = format!("/login/oidc/callback?{error}&state={state}");
        let answer = visitor.get(&address).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text.contains("the provider answered access_denied."));
        let (code, state) = provider.log_in(&begin(visitor).await);
        let iss = "iss=https%3A%2F%2Fevil.example";
        let address = format!("/login/oidc/callback?{iss}&code={code}&state={state}");
        let answer = visitor.get(&address).await;
        assert!(
            answer.text.contains("that of another issuer"),
            "{}",
            answer.text
        );
    });
}

#[test]
fn lgn_04_nobody_is_sent_elsewhere_after_the_login() {
    let provider = Provider::start();
    provider.visit(async |visitor| {
        for next in ["//evil.example", "https://evil.example"] {
            let answer = visitor.get(&format!("/login/oidc?next={next}")).await;
            let cookie = answer.header("set-cookie").split(';').next().unwrap();
            visitor.headers = vec![("cookie".to_owned(), cookie.to_owned())];
            let (code, state) = provider.log_in(answer.header("location"));
            let answer = come_back(visitor, &code, &state).await;
            assert_eq!(answer.header("location"), "/");
            visitor.headers.clear();
        }
    });
}

#[test]
fn lgn_04_there_is_no_login_at_a_provider_without_one() {
    Farm::new().visit(async |visitor| {
        for address in ["/login/oidc", "/login/oidc/callback?code=a&state=b"] {
            assert_eq!(visitor.get(address).await.status, StatusCode::NOT_FOUND);
        }
        let page = visitor.get("/login").await;
        assert!(!page.text.contains("/login/oidc"));
    });
}
