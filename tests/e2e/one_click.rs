//! The links of mails about problems (MAL-11).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::harness::{Sandbox, free_port, run};
use crate::letters::Scene;

#[test]
fn mal_11_a_link_of_a_mail_does_one_thing_when_its_button_is_pressed() {
    let sandbox = Sandbox::new();
    let web = free_port();
    let lines = format!(
        "mode = []\nproblems = true\n[problems]\ngather = \"0s\"\npause = \"0s\"\n\
         [web]\nport = \"tcp:{web}:interface=127.0.0.1\"\n\
         [[permissions]]\nwho = [\"logged-in\"]\nmay = [\"view\"]\n"
    );
    let Some(scene) = Scene::prepare(&sandbox, &lines) else {
        return;
    };
    let server = scene.serve();
    scene.build(0, false);
    scene.build(1, true);
    scene.wait_for_states(&["delivered"]);
    drop(server);
    let mails = scene.mails();
    let header = |name: &str| mails[0]["headers"][name].as_str().unwrap();
    let post = "List-Unsubscribe=One-Click";
    assert_eq!(header("List-Unsubscribe-Post"), post);
    let mute = header("List-Unsubscribe").trim_matches(['<', '>']);
    let text = mails[0]["text"].as_str().unwrap();
    let link = |word: &str| {
        let line = text.lines().find(|line| line.contains(word));
        let line = line.unwrap_or_else(|| panic!("{word}: {text}"));
        line.split_whitespace().last().unwrap().to_owned()
    };
    let (claim, not_mine) = (link("I see to it:"), link("It is not mine:"));
    let path = |link: &str| link.strip_prefix("http://localhost").unwrap().to_owned();
    let problem = || {
        let mut command = scene.master.program();
        command.args(["problems", "1", "--json", "--basedir"]);
        let shown = run(command.arg(scene.master.dir())).ok();
        serde_json::from_str::<Value>(&shown).unwrap()
    };

    // Programs that check mails follow all links.
    for link in [mute, &claim, &not_mine] {
        let (status, page) = ask(web, "GET", &path(link), "");
        assert_eq!(status, 200, "{page}");
        assert!(page.contains("<form") && page.contains("alice"), "{page}");
    }
    assert_eq!(problem()["mutes"].as_array().unwrap().len(), 0);

    let (status, page) = ask(web, "POST", &path(mute), post);
    assert_eq!(status, 200, "{page}");
    assert_eq!(problem()["mutes"][0]["person"], "alice");
    let (status, page) = ask(web, "POST", &path(&claim), "");
    assert_eq!(status, 200, "{page}");
    assert_eq!(problem()["claims"][0]["person"], "alice");
    let forged = path(&claim).replace("/one-click/", "/one-click/A");
    let (status, page) = ask(web, "POST", &forged, "");
    assert_eq!(status, 409, "{page}");
    let mut audit = scene.master.program();
    let audit = run(audit.args(["audit", "--basedir"]).arg(scene.master.dir())).ok();
    for act in ["muted problem 1", "claimed problem 1"] {
        let line = audit.lines().find(|line| line.contains(act));
        assert!(line.is_some_and(|line| line.contains("alice")), "{audit}");
    }
}

/// What a page answers to somebody without a login: the status and the text.
fn ask(port: u16, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}
