//! What a connection may do before it is logged in (PROMISES: before login nothing costs, strangers
//! lock nobody out).

use std::net::IpAddr;
use std::time::Duration;

use buildmaster::net::client::{self, LoginError};
use buildmaster::net::login::{LOGIN_BYTES, LOGIN_TIME};
use buildmaster::net::{CallError, UserKind};
use buildmaster::pb::{Target, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::Server;

const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
/// `("didNotUnderstand" 0)`: a message that is taken at any time and only logged.
const CHATTER: &[u8] = b"\x02\x80\x10\x82didNotUnderstand\x00\x81";

/// One attempt on a connection of its own; the error as text, or who came in.
async fn attempt(server: &mut Server, user: &str, password: &[u8]) -> Result<UserKind, String> {
    let peer = server.connect(HERE);
    let logging_in = client::login(&peer, user, password, Value::None);
    tokio::select! {
        refused = logging_in => Err(refused.unwrap_err().to_string()),
        login = server.logins.recv() => Ok(login.unwrap().kind),
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_users_and_wrong_passwords_look_alike() {
    let mut server = Server::new();
    for (user, password) in [("s1", &b"wrong"[..]), ("nobody", b"pw"), ("", b"")] {
        let peer = server.connect(None);
        let refused = client::login(&peer, user, password, Value::None).await;
        assert!(matches!(refused, Err(LoginError::Unauthorized)));
    }
    let kind = attempt(&mut server, "change", b"pw").await;
    assert_eq!(
        kind,
        Ok(UserKind::Change {
            source: "change".into(),
            prefix: None
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_login_may_be_refused_or_dropped_later() {
    let mut server = Server::new();
    let peer = server.connect(None);
    let logging_in = client::login(&peer, "s1", b"pw", Value::None);
    let (refused, ()) = tokio::join!(logging_in, async {
        server.logins.recv().await.unwrap().answer.refuse();
    });
    assert!(matches!(refused, Err(LoginError::Unauthorized)));
    peer.lost().await;

    let peer = server.connect(None);
    let logging_in = client::login(&peer, "s1", b"pw", Value::None);
    let (dropped, ()) = tokio::join!(logging_in, async {
        drop(server.logins.recv().await.unwrap());
    });
    assert!(matches!(dropped, Err(LoginError::Lost)));
}

#[tokio::test(start_paused = true)]
async fn a_login_may_wait_for_its_answer_as_long_as_it_takes() {
    let mut server = Server::new();
    let peer = server.connect(None);
    let logging_in = client::login(&peer, "s1", b"pw", Value::None);
    let (avatar, ()) = tokio::join!(logging_in, async {
        let login = server.logins.recv().await.unwrap();
        tokio::time::sleep(LOGIN_TIME * 10).await;
        let (avatar, _calls) = login.peer.export(1);
        login.answer.accept(avatar);
        drop(login.peer);
    });
    avatar.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_has_thirty_seconds() {
    let server = Server::new();
    let begun = Instant::now();
    let peer = server.connect(None);
    peer.lost().await;
    assert_eq!(begun.elapsed().as_secs(), LOGIN_TIME.as_secs());
}

#[tokio::test(start_paused = true)]
async fn before_login_64_kib_are_taken_and_no_byte_more() {
    for (extra, is_open) in [(0, true), (1, false)] {
        let server = Server::new();
        let mut stream = server.raw(None);
        let mut bytes = b"\x02\x82pb".to_vec();
        while bytes.len() + CHATTER.len() <= LOGIN_BYTES + extra {
            bytes.extend_from_slice(CHATTER);
        }
        // The rest is the beginning of one more.
        bytes.extend_from_slice(&CHATTER[..LOGIN_BYTES + extra - bytes.len()]);
        let mut answers = Vec::new();
        let (mut reading, mut writing) = tokio::io::split(&mut stream);
        let (_, read) = tokio::join!(
            async { writing.write_all(&bytes).await },
            timeout(Duration::from_secs(5), reading.read_to_end(&mut answers)),
        );
        assert_eq!(read.is_err(), is_open, "{extra}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slave_gets_in_among_silent_connections() {
    let mut server = Server::new();
    let silent: Vec<_> = (0..1_100).map(|_| server.raw(HERE)).collect();
    let begun = Instant::now();
    let come_in = attempt(&mut server, "s1", b"pw").await;
    assert!(come_in.is_ok(), "{come_in:?}");
    assert!(begun.elapsed() < Duration::from_secs(1));
    drop(silent);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_silent_connection_makes_room() {
    let server = Server::new();
    let oldest = server.connect(HERE);
    let younger: Vec<_> = (0..300).map(|_| server.connect(HERE)).collect();
    let begun = Instant::now();
    oldest.lost().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(!younger.last().unwrap().is_lost());
}

#[tokio::test(start_paused = true)]
async fn after_five_failures_the_answers_to_wrong_passwords_are_late() {
    let mut server = Server::new();
    let mut waits = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        let refused = attempt(&mut server, "s1", b"wrong").await;
        assert_eq!(refused, Err("unknown user or wrong password".to_owned()));
        waits.push(begun.elapsed().as_secs());
    }
    assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8]);
}

#[tokio::test(start_paused = true)]
async fn a_right_password_is_good_at_once_whatever_others_have_tried() {
    let mut server = Server::new();
    let guessers: Vec<_> = (0..40)
        .map(|n| {
            let peer = server.connect(HERE);
            let user = ["s1", "s2", "change"][n % 3];
            tokio::spawn(async move {
                loop {
                    let guess = client::login(&peer, user, b"wrong", Value::None).await;
                    if matches!(guess, Err(LoginError::Lost)) {
                        return;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let begun = Instant::now();
    for user in ["s1", "s2", "change"] {
        assert!(attempt(&mut server, user, b"pw").await.is_ok());
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    for guesser in guessers {
        guesser.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_would_be_too_late_is_the_end_of_the_connection() {
    let mut server = Server::new();
    for _ in 0..10 {
        assert!(attempt(&mut server, "s1", b"wrong").await.is_err());
    }
    let begun = Instant::now();
    let lost = attempt(&mut server, "s1", b"wrong").await;
    assert_eq!(lost, Err("connection lost".to_owned()));
    assert_eq!(begun.elapsed(), LOGIN_TIME);
}

#[tokio::test(start_paused = true)]
async fn strangers_get_no_more_attempts_by_trying_several_ports() {
    let mut server = Server::new();
    for _ in 0..5 {
        assert!(attempt(&mut server, "s1", b"wrong").await.is_err());
    }
    let mut second_port = server.second_port();
    let begun = Instant::now();
    assert!(attempt(&mut second_port, "s1", b"wrong").await.is_err());
    assert_eq!(begun.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_login_from_an_address_is_to_be_put_on_record() {
    let mut server = Server::new();
    for expected in [Some("s1"), None] {
        let peer = server.connect(HERE);
        let logging_in = client::login(&peer, "s1", b"pw", Value::None);
        let login = tokio::select! {
            _ = logging_in => unreachable!("nobody answers"),
            login = server.logins.recv() => login.unwrap(),
        };
        let user = login.record.map(|record| record.login.user);
        assert_eq!(user.as_deref(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_directory_can_be_replaced() {
    let mut server = Server::new();
    let mut directory = buildmaster::net::Directory::new();
    directory.insert("new", b"pw", UserKind::Slave("new".into()));
    server.door.replace_directory(directory);
    assert!(attempt(&mut server, "new", b"pw").await.is_ok());
    assert!(attempt(&mut server, "s1", b"pw").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_root_has_nothing_for_those_who_are_in() {
    let session = Server::new().session(1).await;
    let again = session
        .client
        .call(Target::Root, "login", vec![Value::bytes("s1")], vec![]);
    assert!(matches!(again.await, Err(CallError::Remote(_))));
}
