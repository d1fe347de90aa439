#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

/// A session of `bb` with a channel, and the time in seconds.
struct Scene {
    session: Session,
    now: Mono,
}

impl Scene {
    fn new(change: impl FnOnce(&mut Wishes)) -> Self {
        let mut wishes = Wishes {
            nick: "bb".to_owned(),
            name: "Widget".to_owned(),
            channels: vec![("#dev".to_owned(), None)],
            version: "buildmaster".to_owned(),
            ..Wishes::default()
        };
        change(&mut wishes);
        let now = Mono(Duration::from_secs(1000));
        let session = Session::new(wishes, now);
        Self { session, now }
    }

    /// A session that is in its channel, with what it has sent.
    fn settled() -> Self {
        let mut scene = Self::new(|_| ());
        scene.sent();
        scene.hears(":irc 001 bb :Welcome");
        scene.hears(":bb!b@h JOIN #dev");
        scene.hears(":irc 353 bb = #dev :@ann bb");
        assert_eq!(scene.sent(), ["JOIN #dev"]);
        assert!(scene.session.is_settled());
        scene
    }

    fn hears(&mut self, line: &str) {
        let message = Message::parse(line.as_bytes()).unwrap();
        self.session.handle(&message, self.now);
    }

    fn passes(&mut self, secs: u64) {
        self.now = self.now + Duration::from_secs(secs);
        self.session.tick(self.now);
    }

    fn sent(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.session.next_line()).collect()
    }

    fn heard(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.session.next_heard()).collect()
    }

    /// What was said to the bot, with the account.
    fn said(&mut self) -> Vec<(String, Option<String>)> {
        let heard = self.heard().into_iter();
        heard
            .filter_map(|heard| match heard {
                Heard::Said { text, account, .. } => Some((text, account)),
                Heard::Renamed { .. }
                | Heard::Gone { .. }
                | Heard::Reached { .. }
                | Heard::Failed { .. } => None,
            })
            .collect()
    }

    fn failure(&mut self) -> Option<String> {
        self.heard().into_iter().find_map(|heard| match heard {
            Heard::Failed { why } => Some(why),
            Heard::Said { .. }
            | Heard::Renamed { .. }
            | Heard::Gone { .. }
            | Heard::Reached { .. } => None,
        })
    }
}

#[test]
fn irc_01_it_registers_and_joins_channels_with_keys() {
    let mut scene = Scene::new(|wishes| {
        wishes.password = Some("open".to_owned());
        wishes.nickserv = Some("hunter2".to_owned());
        wishes
            .channels
            .push(("#keyed".to_owned(), Some("sesame".to_owned())));
    });
    let first = ["CAP LS 302", "PASS open", "NICK bb", "USER bb 0 * Widget"];
    assert_eq!(scene.sent(), first);
    scene.hears(":irc CAP * LS :multi-prefix account-tag sasl=PLAIN");
    scene.hears(":irc CAP bb ACK :account-tag");
    assert_eq!(scene.sent(), ["CAP REQ account-tag", "CAP END"]);
    scene.hears(":irc 001 bb :Welcome");
    let joins = [
        "PRIVMSG NickServ :IDENTIFY hunter2",
        "JOIN #dev",
        "JOIN #keyed sesame",
    ];
    assert_eq!(scene.sent(), joins);
    scene.hears(":bb!b@h JOIN :#dev");
    assert!(!scene.session.is_settled());
    scene.hears(":irc 475 bb #keyed :Cannot join channel (+k)");
    assert!(scene.session.is_settled() && scene.session.is_in("#DEV"));
    scene.passes(60);
    assert_eq!(scene.sent(), ["JOIN #keyed sesame"]);
}

#[test]
fn irc_01_sasl_is_finished_before_the_registration() {
    let sasl = |wishes: &mut Wishes| {
        wishes.sasl = Some(Sasl::Plain {
            account: "bb".to_owned(),
            password: "hunter2".to_owned(),
        });
    };
    let mut scene = Scene::new(sasl);
    scene.sent();
    scene.hears(":irc CAP * LS * :away-notify");
    scene.hears(":irc CAP * LS :sasl=PLAIN,EXTERNAL");
    scene.hears(":irc CAP bb ACK :away-notify");
    scene.hears(":irc CAP bb ACK :sasl");
    scene.hears("AUTHENTICATE +");
    scene.hears(":irc 903 bb :ok");
    let sent = [
        "CAP REQ away-notify",
        "CAP REQ sasl",
        "AUTHENTICATE PLAIN",
        "AUTHENTICATE YmIAYmIAaHVudGVyMg==",
        "CAP END",
    ];
    assert_eq!(scene.sent(), sent);
    let mut scene = Scene::new(sasl);
    scene.hears(":irc 904 bb :SASL authentication failed");
    let why = "the login by SASL was refused: SASL authentication failed";
    assert_eq!(scene.failure().as_deref(), Some(why));
    let mut scene = Scene::new(sasl);
    scene.hears(":irc CAP * LS :away-notify");
    assert!(scene.failure().unwrap().contains("has no SASL"));
}

#[test]
fn irc_01_a_taken_nick_gets_a_line_and_is_reclaimed() {
    let mut scene = Scene::new(|_| ());
    scene.sent();
    scene.hears(":irc 433 * bb :Nickname is already in use");
    assert_eq!(scene.sent(), ["NICK bb_"]);
    scene.hears(":irc 001 bb_ :Welcome");
    assert_eq!(scene.session.nick(), "bb_");
    scene.hears(":bb_!b@h JOIN #dev");
    scene.hears(":irc 353 bb_ = #dev :bb bb_");
    scene.sent();
    scene.passes(60);
    assert_eq!(scene.sent(), ["NICK bb"]);
    scene.hears(":irc 433 bb_ bb :Nickname is already in use");
    assert_eq!(scene.sent(), Vec::<String>::new());
    scene.hears(":bb!x@h QUIT :bye");
    assert_eq!(scene.sent(), ["NICK bb"]);
    scene.hears(":bb_!b@h NICK :bb");
    scene.passes(60);
    assert_eq!(scene.sent(), Vec::<String>::new());
    assert_eq!(scene.session.nick(), "bb");
    let mut scene = Scene::new(|_| ());
    for _ in 0..9 {
        scene.hears(":irc 433 * x :Nickname is already in use");
    }
    assert!(scene.failure().unwrap().contains("are taken"));
}

#[test]
fn irc_01_it_rejoins_a_minute_after_a_kick() {
    let mut scene = Scene::settled();
    scene.hears(":ann!a@h KICK #dev bb :out");
    assert!(!scene.session.is_settled());
    assert_eq!(
        scene.heard(),
        [Heard::Gone {
            nick: "ann".to_owned()
        }]
    );
    scene.passes(59);
    assert_eq!(scene.sent(), Vec::<String>::new());
    scene.passes(1);
    assert_eq!(scene.sent(), ["JOIN #dev"]);
    scene.hears(":bb!b@h JOIN #dev");
    scene.session.leave("#dev");
    scene.passes(100);
    assert_eq!(scene.sent(), ["PART #dev"]);
}

#[test]
fn irc_01_a_silent_server_is_pinged_and_given_up() {
    let mut scene = Scene::settled();
    scene.hears("PING :x y");
    assert_eq!(scene.sent(), ["PONG :x y"]);
    assert_eq!(scene.session.due(), scene.now + SILENT);
    scene.passes(120);
    assert_eq!(scene.sent(), ["PING buildmaster"]);
    scene.hears(":irc PONG irc :buildmaster");
    assert_eq!(scene.heard(), []);
    scene.passes(120);
    scene.passes(60);
    assert_eq!(
        scene.failure().as_deref(),
        Some("the server does not answer")
    );
    let mut scene = Scene::new(|_| ());
    scene.passes(60);
    assert_eq!(
        scene.failure().as_deref(),
        Some("the server does not greet")
    );
}

#[test]
fn irc_01_ctcp_version_and_ping_are_answered() {
    let mut scene = Scene::settled();
    scene.hears(":ann!a@h PRIVMSG bb :\u{1}VERSION\u{1}");
    scene.hears(":ann!a@h PRIVMSG #dev :\u{1}PING 12\u{1}");
    scene.hears(":ann!a@h PRIVMSG bb :\u{1}FINGER\u{1}");
    let answers = [
        "NOTICE ann :\u{1}VERSION buildmaster\u{1}",
        "NOTICE ann :\u{1}PING 12\u{1}",
    ];
    assert_eq!(scene.sent(), answers);
    for _ in 0..100 {
        scene.hears(":ann!a@h PRIVMSG bb :\u{1}VERSION\u{1}");
    }
    assert!(scene.sent().len() <= EXTENSIONS.len());
}

#[test]
fn irc_05_an_account_is_asked_for_by_whois_if_no_tag_tells_it() {
    let mut scene = Scene::settled();
    scene.hears(":ann!a@h PRIVMSG #dev :bb: one");
    scene.hears(":ann!a@h PRIVMSG #dev :BB, two");
    assert_eq!(scene.sent(), ["WHOIS ann"]);
    assert_eq!(scene.said(), []);
    scene.hears(":irc 330 bb ann ann_at_services :is logged in as");
    scene.hears(":irc 318 bb ann :End of WHOIS");
    let account = Some("ann_at_services".to_owned());
    let said = [
        (" one".to_owned(), account.clone()),
        (" two".to_owned(), account),
    ];
    assert_eq!(scene.said(), said);
    scene.hears(":ann!a@h PRIVMSG #dev :not to it");
    scene.hears(":ann!a@h NOTICE #dev :bb: three");
    assert_eq!(scene.said(), []);
    // One whom the bot does not see is asked for each time, and heard in any case.
    scene.hears(":eve!e@h PRIVMSG bb :four");
    assert_eq!(scene.sent(), ["WHOIS eve"]);
    scene.passes(5);
    assert_eq!(scene.said(), [("four".to_owned(), None)]);
}

#[test]
fn irc_05_with_tags_only_the_tag_counts() {
    let mut scene = Scene::settled();
    scene.hears(":irc CAP bb ACK :account-tag");
    scene.hears(":ann!a@h ACCOUNT ann");
    scene.hears("@account=ann :ann!a@h PRIVMSG bb :one");
    scene.hears(":ann!a@h PRIVMSG bb :two");
    let said = [
        ("one".to_owned(), Some("ann".to_owned())),
        ("two".to_owned(), None),
    ];
    assert_eq!(scene.said(), said);
}

#[test]
fn irc_08_nicks_are_followed() {
    let mut scene = Scene::settled();
    scene.hears(":ann!a@h NICK ann_");
    scene.hears(":ann_!a@h PART #dev :bye");
    let (nick, new) = ("ann".to_owned(), "ann_".to_owned());
    let gone = Heard::Gone { nick: new.clone() };
    assert_eq!(scene.heard(), [Heard::Renamed { nick, new }, gone]);
}

#[test]
fn irc_01_hostile_servers_do_no_harm() {
    let mut scene = Scene::settled();
    let mut commands: Vec<String> = (0..1000).map(|number| format!("{number:03}")).collect();
    let words = "JOIN PART KICK QUIT NICK AWAY ACCOUNT PRIVMSG CAP AUTHENTICATE PONG MODE";
    commands.extend(words.split(' ').map(str::to_owned));
    for command in commands {
        for params in [
            "",
            " ",
            " :",
            " a",
            " #dev",
            " a b c d",
            " * LS *",
            " bb :\u{1}",
            " :,",
        ] {
            for source in ["", ":x!y@z ", ":bb!b@h "] {
                scene.hears(&format!("{source}{command}{params}"));
            }
        }
        scene.passes(1);
        scene.sent();
        scene.heard();
    }
    for number in 0..200 {
        scene.hears(&format!(
            ":n{number}!e@h PRIVMSG {} :hello",
            scene.session.nick().to_owned()
        ));
    }
    assert!(scene.session.held.len() <= MOST_HELD);
}
