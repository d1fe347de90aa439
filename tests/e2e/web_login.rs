//! What people do with a browser: they log in, fill in forms, and are told by which rule they may
//! not do something (MAY-02, MAY-05, LGN-05).

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::harness::process::wait_for;
use crate::harness::web::line;
use crate::harness::{Master, Process, Sandbox, Setup, free_port, from_pypi, shell, wait_until};

/// A browser: it keeps cookies, and the marks of the page that was seen last.
#[derive(Debug)]
struct Browser {
    port: u16,
    cookies: BTreeMap<String, String>,
    marks: Vec<(String, String)>,
}

/// What a browser gets.
#[derive(Debug)]
struct Answer {
    status: u16,
    location: String,
    cookie: String,
    text: String,
}

impl Browser {
    fn new(port: u16) -> Self {
        Self {
            port,
            cookies: BTreeMap::new(),
            marks: Vec::new(),
        }
    }

    fn send(&mut self, method: &str, address: &str, headers: &str, body: &str) -> Answer {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let cookies = self.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = format!(
            "{method} {address} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nCookie: {}\r\n{headers}\
             Content-Length: {}\r\n\r\n{body}",
            self.port,
            cookies.join("; "),
            body.len()
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = BufReader::new(socket);
        let status = line(&mut answer).unwrap();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let (mut location, mut cookie) = (String::new(), String::new());
        loop {
            let head = line(&mut answer).unwrap();
            let Some((name, value)) = head.trim_end().split_once(": ") else {
                break;
            };
            match name.to_lowercase().as_str() {
                "location" => value.clone_into(&mut location),
                "set-cookie" => {
                    value.clone_into(&mut cookie);
                    self.keep(value);
                }
                _ => {}
            }
        }
        let mut text = String::new();
        answer.read_to_string(&mut text).unwrap();
        Answer {
            status,
            location,
            cookie,
            text,
        }
    }

    fn keep(&mut self, cookie: &str) {
        let (name, rest) = cookie.split_once('=').unwrap();
        match rest.split(';').next().unwrap() {
            "" => drop(self.cookies.remove(name)),
            value => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
        }
    }

    fn get(&mut self, address: &str) -> Answer {
        let answer = self.send("GET", address, "", "");
        let mark = |name: &str| {
            let (_, rest) = answer
                .text
                .split_once(&format!("name=\"{name}\" value=\""))?;
            Some((name.to_owned(), rest.split('"').next().unwrap().to_owned()))
        };
        let marks: Vec<_> = ["csrf", "once"].into_iter().filter_map(mark).collect();
        if !marks.is_empty() {
            self.marks = marks;
        }
        answer
    }

    /// Sends the form of the page that was seen last.
    fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Answer {
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n\
                       Sec-Fetch-Site: same-origin\r\n";
        let marks = self.marks.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let fields: Vec<_> = marks.chain(fields.iter().copied()).collect();
        let body = encoded(&fields);
        self.send("POST", address, headers, &body)
    }

    fn log_in(&mut self, name: &str, password: &str) -> Answer {
        self.get("/login");
        self.post(
            "/login",
            &[("username", name), ("passwd", password), ("next", "/about")],
        )
    }
}

/// Fields as a browser writes them; those of this test have few special characters.
fn encoded(fields: &[(&str, &str)]) -> String {
    let text = |text: &str| {
        let bytes = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        });
        bytes.collect::<String>()
    };
    let fields = fields.iter();
    let fields: Vec<_> = fields
        .map(|(n, v)| format!("{}={}", text(n), text(v)))
        .collect();
    fields.join("&")
}

const PEOPLE: &str = r#"
[people.ann]
roles = ["admins"]
password = "ann's password"
[people.bob]
roles = ["guests"]
password = "bob's password"
[[permissions]]
who = ["anyone"]
may = ["view"]
[[permissions]]
who = ["role:admins"]
may = ["*"]
[[permissions]]
who = ["role:guests"]
may_not = ["pause-builder"]
"#;

const FORM: &str = r#"
[[schedulers]]
type = "ForceScheduler"
name = "force"
builders = ["full"]
[[schedulers.parameters]]
type = "ChoiceStringParameter"
name = "tag"
choices_command = ["printf", "v1\nv2\n"]
"#;

fn setup(web: u16) -> Setup {
    Setup::new(&[shell("make", "true", "")])
        .local_slave("here")
        .tables(&format!(
            "[web]\nport = \"tcp:{web}:interface=127.0.0.1\"\n{PEOPLE}"
        ))
        .schedulers(FORM)
}

#[test]
fn lgn_05_a_login_lasts_until_logout_and_forms_need_their_marks() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let master = Master::start(&sandbox, &setup(web));
    master.wait_until_attached("here");
    let mut browser = Browser::new(web);
    let page = browser.get("/builders/full");
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("method=\"post\""), "{}", page.text);
    assert_eq!(browser.post("/builders/full/force", &[]).status, 401);
    let wrong = browser.log_in("ann", "wrong");
    assert_eq!(wrong.status, 401);
    assert!(wrong.text.contains("The name or the password is wrong"));
    let right = browser.log_in("ann", "ann's password");
    assert_eq!((right.status, right.location.as_str()), (303, "/about"));
    assert!(
        right.cookie.contains("; HttpOnly; SameSite=Lax"),
        "{}",
        right.cookie
    );

    // A build is forced, once.
    let page = browser.get("/builders/full").text;
    assert!(
        page.contains("<option>v1</option><option>v2</option>"),
        "{page}"
    );
    let fields = [("tag", "v2"), ("reason", "to see")];
    let forced = browser.post("/builders/full/force", &fields);
    assert_eq!(forced.status, 303, "{}", forced.text);
    assert!(
        forced.location.starts_with("/queue/"),
        "{}",
        forced.location
    );
    assert_eq!(browser.post("/builders/full/force", &fields).status, 409);
    let build = master.finished_build("full", 0);
    assert!(build.is_finished());

    // Not from elsewhere, and not without the mark.
    let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
    let mark = browser.marks.clone();
    let mark: Vec<_> = mark.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for (site, fields) in [("cross-site", &mark[..]), ("same-origin", &[])] {
        let headers = format!("{headers}Sec-Fetch-Site: {site}\r\n");
        let body = encoded(fields);
        let answer = browser.send("POST", "/builders/full/force", &headers, &body);
        assert_eq!(answer.status, 403, "{site}");
    }
    assert!(master.build("full", 1).is_none());

    // After the logout the cookie is worth nothing.
    let before = browser.cookies.clone();
    browser.get("/logout");
    assert_eq!(browser.post("/logout", &[]).status, 303);
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
    browser.cookies = before;
    let page = browser.get("/builders/full").text;
    assert!(
        page.contains("<a href=\"/login\">Log in</a> to force"),
        "{page}"
    );
}

#[test]
fn may_02_acts_of_a_browser_are_done_or_refused_by_rule() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let mut master = Master::start(&sandbox, &setup(web));
    master.wait_until_attached("here");
    let (mut ann, mut bob) = (Browser::new(web), Browser::new(web));
    assert_eq!(ann.log_in("ann", "ann's password").status, 303);
    assert_eq!(bob.log_in("bob", "bob's password").status, 303);

    // Bob is told who may, and the audit log says by which rule he may not.
    bob.get("/logout");
    let refused = bob.post("/builders/full/pause", &[("reason", "x")]);
    assert_eq!(refused.status, 403);
    let text = &refused.text;
    assert!(text.contains("You may not pause builders"), "{text}");
    assert!(text.contains("is given to admins."), "{text}");
    let refusal = wait_for("the refusal in the audit log", || {
        let audit = ann.get("/api/v1/audit").text;
        let audit: Value = serde_json::from_str(&audit).unwrap();
        let newest = audit["items"][0].clone();
        (newest["action"] == "pause-builder").then_some(newest)
    });
    let ground = refusal["ground"].as_str().unwrap();
    let by_rule = "forbidden by the permission on line ";
    assert!(ground.starts_with(by_rule), "{refusal}");
    assert_eq!(refusal["who"], "bob");

    // Ann pauses the builder: what waits for it stays in the queue and says why.
    ann.get("/builders/full");
    assert_eq!(
        ann.post("/builders/full/pause", &[("reason", "disk")])
            .status,
        303
    );
    let page = ann.get("/builders/full").text;
    assert!(page.contains("Nothing is started here since"), "{page}");
    assert!(page.contains("by ann: disk."), "{page}");
    let forced = ann.post("/builders/full/force", &[("tag", "v1")]);
    assert_eq!(forced.status, 303, "{}", forced.text);
    let request = ann.get(&forced.location).text;
    assert!(
        request.contains("builder full is paused by ann since"),
        "{request}"
    );
    assert!(request.contains(": disk"), "{request}");
    let cancelled = ann.post(
        &format!("{}/cancel", forced.location),
        &[("comments", "late")],
    );
    assert_eq!(cancelled.status, 303, "{}", cancelled.text);
    let audit = ann.get("/api/v1/audit").text;
    assert!(audit.contains("asked to cancel request 1: late"), "{audit}");

    // The pause outlives the master.
    assert!(master.terminate().success());
    master.run();
    master.wait_until_attached("here");
    ann.get("/builders/full");
    assert_eq!(
        ann.post("/builders/full/force", &[("tag", "v1")]).status,
        303
    );
    assert!(master.build("full", 0).is_none());
    ann.get("/builders/full");
    assert_eq!(ann.post("/builders/full/unpause", &[]).status, 303);
    assert!(master.finished_build("full", 0).is_finished());

    // An idle master answers before it stops.
    ann.get("/about");
    let stopped = ann.post("/shutdown", &[]);
    assert_eq!((stopped.status, stopped.location.as_str()), (303, "/about"));
    assert!(master.process().wait().success());
}

/// Starts the provider, which makes a new key.
fn start_provider(sandbox: &Sandbox, program: &Path, port: u16) -> Process {
    let user = r#"{"sub": "77", "email": "ann@corp.example", "email_verified": true,
        "groups": ["staff"]}"#;
    let mut command = sandbox.command(program);
    command.args(["--port", &port.to_string(), "--user-claims", user]);
    let provider = Process::start("provider", &mut command);
    wait_until("the provider answers", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    provider
}

/// Logs in at the provider as `sub`, or denies it, as a browser that was sent to `address` does;
/// returns the address of the master to which the provider sends the browser back.
fn at_provider(address: &str, port: u16, form: &str) -> String {
    let mut other = Browser::new(port);
    let path = address.strip_prefix(&format!("http://127.0.0.1:{port}"));
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = other.send("POST", path.unwrap(), kind, form);
    assert_eq!(answer.status, 302, "{}", answer.text);
    let (_, back) = answer.location.split_once("/login/oidc/").unwrap();
    format!("/login/oidc/{back}")
}

#[test]
fn lgn_04_people_log_in_at_a_real_provider() {
    let Some(program) = from_pypi("oidc", "oidc-provider-mock") else {
        return;
    };
    let sandbox = Sandbox::new();
    let (web, port) = (free_port(), free_port());
    let mut provider = start_provider(&sandbox, &program, port);
    let secret = sandbox.file("client-secret", "s3cret:%\n");
    let secret = secret.display();
    let tables = format!(
        "[web]\nport = \"tcp:{web}:interface=127.0.0.1\"\n{PEOPLE}\n[people.zoe]\n\
         email = \"ann@corp.example\"\n[login]\noidc = {{ issuer = \"http://127.0.0.1:{port}\", \
         client_id = \"ci\", client_secret_file = \"{secret}\", roles = {{ groups = {{ staff = \
         \"admins\" }} }} }}\n"
    );
    let setup = Setup::new(&[shell("make", "true", "")])
        .local_slave("here")
        .url(&format!("http://127.0.0.1:{web}/"))
        .tables(&tables);
    let mut master = Master::start(&sandbox, &setup);
    let mut browser = Browser::new(web);
    let mut codes = Vec::new();
    for round in 0..2 {
        let sent = browser.get("/login/oidc?next=%2Fabout");
        assert_eq!(sent.status, 302, "{}", sent.text);
        let back = at_provider(&sent.location, port, "sub=77");
        let answer = browser.get(&back);
        assert_eq!(answer.status, 303, "{}", answer.text);
        assert_eq!(answer.location, "/about");
        let page = browser.get("/users/zoe").text;
        assert!(page.contains(">zoe</a>"), "the verified address: {page}");
        assert!(
            page.contains(&format!("http://127.0.0.1:{port}#77")),
            "{page}"
        );
        // The role of the claim.
        assert_eq!(browser.get("/users").status, 200);
        // A code is of use once.
        assert_eq!(browser.get(&back).status, 400);
        let code = back.split_once("code=").unwrap().1;
        codes.push(code.split('&').next().unwrap().to_owned());
        if round == 0 {
            // The provider comes back with another key.
            provider.kill();
            provider = start_provider(&sandbox, &program, port);
            browser = Browser::new(web);
        }
    }

    // This provider leaves out the state when somebody says no, so nobody can know whose answer it
    // is.
    let mut other = Browser::new(web);
    let sent = other.get("/login/oidc");
    let back = at_provider(&sent.location, port, "action=deny");
    assert_eq!(other.get(&back).status, 400);
    assert!(other.cookies.keys().all(|name| name != "session"));

    // Neither the log nor the state has codes, secrets or tokens.
    let printed = master.process().printed();
    for secret in codes.iter().map(String::as_str).chain(["s3cret", "eyJ"]) {
        assert!(!printed.contains(secret), "{secret}: {printed}");
    }
    for entry in std::fs::read_dir(master.dir()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for secret in codes.iter().map(String::as_str).chain(["s3cret", "eyJ"]) {
            assert!(!text.contains(secret), "{secret} in {}", path.display());
        }
    }
}
