#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;

use super::telling::MOST_LINES;
use super::*;
use crate::model::{ChangeNumber, Duty, Ending, ProblemNumber, Results, Timestamp};

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Greeting => "greeting",
        Kind::Version => "version",
        Kind::Source => "source",
        Kind::Commands => "commands",
        Kind::Usage => "usage",
        Kind::NoUsage => "no usage",
        Kind::NoSuchCommand => "no such command",
        Kind::Builders => "builders",
        Kind::Status => "status",
        Kind::TooMany => "too many",
        Kind::Last => "last",
        Kind::NoSuchBuilder => "no such builder",
        Kind::Events => "events",
        Kind::Watching => "watching",
        Kind::NothingRuns => "nothing runs",
        Kind::Forced => "forced",
        Kind::WillTell => "will tell the end",
        Kind::Queued => "queued",
        Kind::BadBranch => "bad branch",
        Kind::BadRevision => "bad revision",
        Kind::BadProperty => "bad property",
        Kind::BadQuoting => "bad quoting",
        Kind::BuildStarted => "build started",
        Kind::BuildEnded => "build ended",
        Kind::WatchedEnded => "watched build ended",
        Kind::Address => "address",
        Kind::Stopped => "stopped",
        Kind::Denied => "denied",
        Kind::Failed => "failed",
        Kind::Muted => "muted",
        Kind::Unmuted => "unmuted",
        Kind::ShutdownStatus => "shutdown status",
        Kind::Joined => "joined",
        Kind::Left => "left",
        Kind::Fun => "fun",
        Kind::Action => "action",
        Kind::Claimed => "claimed",
        Kind::Released => "released",
        Kind::MutedForYou => "muted for you",
        Kind::Unclaimed => "unclaimed",
        Kind::Confirmed => "confirmed",
        Kind::NoSuchUser => "no such user",
        Kind::WhoAreYou => "who are you",
        Kind::Problem => "problem",
        Kind::Search => "search",
        Kind::Quarantined => "quarantined",
        Kind::Reason => "reason",
        Kind::Duty => "duty",
    }
}

/// A master with the builders `quick`, `slow` and `away`, whose slave is not there.
struct World {
    chat: Chat,
    sight: Sight,
    now: Mono,
    /// Who has the permission to force; absent: anyone.
    may_force: Option<Vec<String>>,
    next: u64,
    /// Whether builds of `quick` end.
    ends: bool,
}

impl World {
    fn new() -> Self {
        let chat = Chat::new(Settings {
            nick: "bb".to_owned(),
            channels: vec!["#dev".to_owned(), "#keyed".to_owned()],
            pm_to_nicks: vec!["ops".to_owned()],
            show_blame_list: true,
            ..Settings::default()
        });
        let builder = |name: &str, state: &str| BuilderSight {
            name: name.into(),
            state: state.to_owned(),
            is_told: true,
            pending: 0,
            running: Vec::new(),
            last: None,
        };
        let sight = Sight {
            url: "https://ci.example.org/".to_owned(),
            builders: vec![
                builder("quick", "idle"),
                builder("away", "offline"),
                builder("slow", "idle"),
            ],
            people: vec!["ann".to_owned()],
            is_open: true,
            duties: vec![Duty {
                rota: "sheriff".to_owned(),
                person: "ann".to_owned(),
                until: Timestamp(0),
            }],
            reasons: vec!["slave bot is offline".to_owned()],
            ..Sight::default()
        };
        Self {
            chat,
            sight,
            now: Mono(Duration::from_secs(1000)),
            may_force: None,
            next: 1,
            ends: true,
        }
    }

    /// What is said to a line, with all that follows from it.
    fn says(&mut self, said: Said) -> Vec<Reply> {
        let order = match self.chat.hear(said) {
            Ok(order) => order,
            Err(replies) => return replies,
        };
        let answer = self.chat.answer(&order, &self.sight);
        let mut replies = answer.replies;
        if let Some(act) = answer.act {
            replies.extend(self.does(&order, &act));
        }
        replies
    }

    fn does(&mut self, order: &Order, act: &Act) -> Vec<Reply> {
        let may = match (&self.may_force, &self.sight.person) {
            (None, _) => true,
            (Some(who), Some(person)) => who.contains(person),
            (Some(_), None) => false,
        };
        let now = self.now;
        match act {
            Act::Force(_) | Act::Stop { .. } if !may => {
                self.chat
                    .done(order, act, Done::Denied("no".to_owned()), now)
            }
            Act::Force(forced) => {
                let request = RequestId(self.next);
                let mut replies = self.chat.done(order, act, Done::Queued(request), now);
                let code = forced.properties.get("code").and_then(|code| code.as_str());
                let result = match code {
                    Some("1") => Results::Warnings,
                    Some("2") => Results::Failure,
                    Some("4") => Results::Exception,
                    _ => Results::Success,
                };
                replies.extend(self.builds(&forced.builder.clone(), request, result));
                replies
            }
            Act::Stop { builder, .. } => {
                let mut replies = self.chat.done(order, act, Done::Yes, now);
                let place = self.place(builder);
                let running = std::mem::take(&mut self.sight.builders[place].running);
                for build in running {
                    replies.extend(self.ends(builder, build.build, Results::Exception));
                }
                replies
            }
            Act::Shutdown
            | Act::CancelShutdown
            | Act::ShutdownNow
            | Act::Join { .. }
            | Act::Leave { .. }
            | Act::Remark { .. }
            | Act::Search(_)
            | Act::Quarantine { .. }
            | Act::SendCode { .. } => self.chat.done(order, act, Done::Yes, now),
        }
    }

    fn place(&self, builder: &BuilderName) -> usize {
        let mut builders = self.sight.builders.iter();
        builders.position(|known| known.name == *builder).unwrap()
    }

    /// A build that starts and, of `quick`, ends; of `away` nothing starts in time.
    fn builds(&mut self, builder: &BuilderName, request: RequestId, result: Results) -> Vec<Reply> {
        if builder.as_str() == "away" {
            self.now = self.chat.due().unwrap();
            return self.chat.tick(self.now);
        }
        let build = BuildId(self.next);
        self.next += 1;
        let mut replies = self.chat.started(&Started {
            build,
            builder: builder.clone(),
            number: BuildNumber(build.0),
            requests: vec![request],
            revisions: Vec::new(),
            is_told: true,
        });
        if builder.as_str() == "slow" || !self.ends {
            let place = self.place(builder);
            self.sight.builders[place].running.push(RunningSight {
                build,
                number: BuildNumber(build.0),
                step: None,
                left: None,
            });
            return replies;
        }
        replies.extend(self.ends(builder, build, result));
        replies
    }

    fn ends(&mut self, builder: &BuilderName, build: BuildId, result: Results) -> Vec<Reply> {
        let place = self.place(builder);
        let before = self.sight.builders[place].last.take();
        let previous = before.and_then(|last| Results::from_name(&last.text.join(" ")));
        self.sight.builders[place].last = Some(LastSight {
            number: BuildNumber(build.0),
            text: vec![result.as_str().to_owned()],
            finished_at: Timestamp(0),
        });
        self.chat.ended(&ended(builder, build, result, previous))
    }
}

fn ended(
    builder: &BuilderName,
    build: BuildId,
    result: Results,
    previous: Option<Results>,
) -> Ended {
    Ended {
        build,
        builder: builder.clone(),
        number: BuildNumber(build.0),
        ending: Ending {
            result,
            previous,
            judgement: None,
        },
        text: vec!["build".to_owned(), "over".to_owned()],
        revisions: Vec::new(),
        blamelist: vec!["ann".to_owned()],
        url: "https://ci.example.org/builders/quick/builds/1".to_owned(),
        is_told: true,
    }
}

fn problem(number: u64) -> ProblemSight {
    ProblemSight {
        number: ProblemNumber(number),
        is_over: false,
        builder: "quick".into(),
        what: "test fails on quick".to_owned(),
        first: Some(ChangeNumber(3)),
        suspects: vec!["ann".to_owned()],
        sole_suspect: None,
    }
}

fn private(text: &str) -> Said {
    Said {
        nick: "ann".to_owned(),
        address: "a@h".to_owned(),
        channel: None,
        text: text.to_owned(),
        is_action: false,
        is_seen: true,
    }
}

/// What was said in a case, if it was said to the bot.
fn said(given: &Value) -> Option<Said> {
    use crate::protocol::irc::{Heard, Message, Session, Wishes};
    let wishes = Wishes {
        nick: "bb".to_owned(),
        channels: ["#dev", "#keyed"]
            .map(|name| (name.to_owned(), None))
            .to_vec(),
        ..Wishes::default()
    };
    let mut session = Session::new(wishes, Mono::default());
    let command = match given["kind"].as_str().unwrap() {
        "notice" => "NOTICE",
        _ => "PRIVMSG",
    };
    let text = |name: &str| given[name].as_str().unwrap();
    let (by, to, line) = (text("by"), text("to"), text("line"));
    let account = given["account"].as_str().unwrap_or_default();
    let lines = [
        ":irc CAP bb ACK :account-tag".to_owned(),
        format!("@account={account} :{by}!a@h {command} {to} :{line}"),
    ];
    for line in lines {
        session.handle(&Message::parse(line.as_bytes()).unwrap(), Mono::default());
    }
    while let Some(heard) = session.next_heard() {
        if let Heard::Said {
            nick,
            address,
            channel,
            text,
            is_action,
            ..
        } = heard
        {
            return Some(Said {
                nick,
                address,
                channel,
                text,
                is_action,
                is_seen: true,
            });
        }
    }
    None
}

/// The world of a case that was decided.
fn world_of(given: &Value) -> World {
    let mut world = World::new();
    world.ends = false;
    if let Some(rules) = given["permissions"].as_array() {
        let who = rules
            .iter()
            .flat_map(|rule| rule["who"].as_array().unwrap());
        world.may_force = Some(who.map(|who| who.as_str().unwrap().to_owned()).collect());
        world.sight.is_open = false;
    }
    world.sight.person = given["account"].as_str().map(str::to_owned);
    let line = given["line"].as_str().unwrap();
    match given["state"].as_str() {
        Some("two problems are open") => world.sight.problems = vec![problem(2), problem(1)],
        Some(state) => {
            assert!(state.starts_with("400 builders"), "{state}");
            let first = world.sight.builders[0].clone();
            let name = |number: u32| {
                format!("builder-with-thirty-letter-{number:03}")
                    .as_str()
                    .into()
            };
            let builders = (0..400).map(|number| BuilderSight {
                name: name(number),
                ..first.clone()
            });
            world.sight.builders = builders.collect();
        }
        None if line.contains("problem") => world.sight.problems = vec![problem(12)],
        None => {}
    }
    if let Some(code) = line.strip_prefix("i am user ann ") {
        let said = private("");
        assert!(
            world
                .chat
                .has_code(&said, "ann", code.to_owned(), world.now)
        );
    }
    world
}

#[test]
fn irc_02_all_cases_of_commands() {
    let cases: Value =
        serde_json::from_str(include_str!("../../../../tests/data/irc-cases.json")).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 129);
    let mut talk = World::new();
    for case in cases {
        let given = &case["given"];
        let mut alone = None;
        let world = match case["by"].as_str().unwrap() {
            "decided" => alone.insert(world_of(given)),
            _ => &mut talk,
        };
        let replies = said(given).map_or_else(Vec::new, |said| world.says(said));
        let replies: Vec<_> = replies
            .iter()
            .map(|reply| (reply.to.as_str(), kind_name(reply.kind)))
            .collect();
        let expected: Vec<_> = case["expect"]["replies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reply| {
                (
                    reply["to"].as_str().unwrap(),
                    reply["kind"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(replies, expected, "{}: {}", case["id"], given["line"]);
    }
}

#[test]
fn irc_04_a_search_is_begun_and_stopped() {
    let world = || world_of(&serde_json::json!({ "line": "bisect" }));
    for (line, said) in [
        ("bisect quick 1 2", "the search on quick has begun"),
        ("bisect quick #1 #2 test", "the search on quick has begun"),
        ("bisect stop 7", "search 7 is stopped"),
    ] {
        let replies = world().says(private(line));
        assert_eq!(replies.len(), 1, "{line}");
        assert_eq!(
            (replies[0].kind, replies[0].text.as_str()),
            (Kind::Search, said)
        );
    }
    for line in [
        "bisect",
        "bisect stop x",
        "bisect quick 1",
        "bisect a 1 2 s t",
    ] {
        assert_eq!(world().says(private(line))[0].kind, Kind::Usage, "{line}");
    }
}

#[test]
fn irc_07_an_answer_has_five_lines_and_a_count() {
    let mut world = world_of(&serde_json::json!({
        "line": "list builders", "state": "400 builders of 30 letters"
    }));
    let replies = world.says(private("list builders"));
    let lines = lines(&replies, "https://ci.example.org/");
    assert_eq!(lines.len(), MOST_LINES + 1);
    assert!(
        lines
            .iter()
            .all(|(to, _, line)| to == "ann" && line.len() <= 400)
    );
    let last = &lines[MOST_LINES].2;
    assert!(
        last.ends_with(" more lines: https://ci.example.org/)"),
        "{last}"
    );
}

#[test]
fn irc_03_a_build_is_told_once_per_place_by_a_letter_or_by_a_stream() {
    let events = ["failure"].map(|name| NotifyEvent::named(name).unwrap());
    let mut chat = Chat::new(Settings {
        channels: vec!["#dev".to_owned()],
        pm_to_nicks: vec!["ops".to_owned()],
        events: events.to_vec(),
        show_blame_list: true,
        ..Settings::default()
    });
    let quick = BuilderName::from("quick");
    let bad = ended(&quick, BuildId(1), Results::Failure, None);
    let good = ended(&quick, BuildId(2), Results::Success, None);
    let to = |replies: Vec<Reply>| {
        replies
            .into_iter()
            .map(|reply| reply.to)
            .collect::<Vec<_>>()
    };
    assert_eq!(to(chat.ended(&bad)), Vec::<String>::new());
    assert_eq!(to(chat.letter(&bad)), ["#dev", "ops"]);
    // Somebody asks in private for all ends, and the channel for none.
    let sight = Sight::default();
    for (channel, text) in [(None, "notify on finished"), (Some("#dev"), "notify off")] {
        let said = Said {
            channel: channel.map(str::to_owned),
            ..private(text)
        };
        let order = chat.hear(said).unwrap();
        chat.answer(&order, &sight);
    }
    assert!(chat.follows(BuildId(1)));
    assert_eq!(to(chat.ended(&bad)), ["ann"]);
    assert_eq!(to(chat.letter(&bad)), ["ops"]);
    assert_eq!(to(chat.ended(&good)), ["ann"]);
    // Others are told by the text of the end.
    let said = &chat.letter(&bad)[0].text;
    assert_eq!(
        said,
        "build 1 of quick ended: failure [build over]  blamelist: ann"
    );
}

#[test]
fn irc_06_a_code_confirms_a_nick_as_long_as_it_is_seen() {
    let mut world = World::new();
    let one = |replies: Vec<Reply>| replies.first().map(|reply| reply.kind);
    assert_eq!(
        one(world.says(private("i am ann ABCDEF"))),
        Some(Kind::WhoAreYou)
    );
    assert_eq!(world.chat.confirmed("ann", "a@h"), None);
    let now = world.now;
    let asks = private("i am ann");
    assert!(world.chat.has_code(&asks, "ann", "ABCDEF".to_owned(), now));
    assert!(!world.chat.has_code(&asks, "ann", "GHIJKL".to_owned(), now));
    assert_eq!(world.chat.code_for("ann", "Ann", now), Some("ABCDEF"));
    let later = now + Duration::from_mins(10);
    assert_eq!(world.chat.code_for("ann", "ann", later), None);
    let unseen = Said {
        is_seen: false,
        ..private("i am ann ABCDEF")
    };
    assert_eq!(one(world.says(unseen)), Some(Kind::WhoAreYou));
    let elsewhere = Said {
        address: "eve@h".to_owned(),
        ..private("i am ann ABCDEF")
    };
    assert_eq!(one(world.says(elsewhere)), Some(Kind::WhoAreYou));
    assert_eq!(
        one(world.says(private("i am ann abcdef"))),
        Some(Kind::Confirmed)
    );
    assert_eq!(world.chat.confirmed("ANN", "a@h"), Some("ann"));
    assert_eq!(world.chat.confirmed("ann", "eve@h"), None);
    world.chat.renamed("ann", "ann_");
    assert_eq!(world.chat.confirmed("ann_", "a@h"), Some("ann"));
    world.chat.gone(Some("ann_"));
    assert_eq!(world.chat.confirmed("ann_", "a@h"), None);
}

#[test]
fn grd_08_only_so_many_builds_are_watched() {
    let mut chat = World::new().chat;
    let most = u64::try_from(MOST).unwrap();
    for number in 0..=most {
        assert!(chat.watch("#dev", BuildId(number)));
    }
    assert!(!chat.follows(BuildId(0)));
    assert!(chat.follows(BuildId(1)) && chat.follows(BuildId(most)));
}

#[test]
fn irc_06_five_wrong_codes_need_another() {
    let mut world = World::new();
    let now = world.now;
    assert!(
        world
            .chat
            .has_code(&private(""), "ann", "ABCDEF".to_owned(), now)
    );
    for _ in 0..5 {
        world.says(private("i am ann XXXXXX"));
    }
    let replies = world.says(private("i am ann ABCDEF"));
    assert_eq!(replies[0].kind, Kind::WhoAreYou);
}

#[test]
fn irc_04_problems_and_duty_are_told() {
    let mut world = World::new();
    world.sight.problems = vec![problem(12)];
    let replies = world.says(private("problem 12"));
    let text = &replies[0].text;
    assert!(
        text.contains("problem 12: test fails on quick since change 3")
            && text.contains("/problems/12"),
        "{text}"
    );
    assert_eq!(
        world.says(private("problems mine"))[0].kind,
        Kind::WhoAreYou
    );
    world.sight.person = Some("ann".to_owned());
    assert!(
        world.says(private("problems mine"))[0]
            .text
            .contains("problem 12")
    );
    assert!(world.says(private("blame quick"))[0].text.contains("ann"));
    assert_eq!(
        world.says(private("on duty"))[0].text,
        "on duty (sheriff): ann"
    );
}

#[test]
fn msg_04_hostile_texts_do_not_steer_a_client() {
    let mut world = World::new();
    for text in [
        "status \u{3}04x\u{1}",
        "help \u{2}a\r\nQUIT",
        "i am \u{3}04",
        "watch \u{1}x\u{1}",
    ] {
        for reply in world.says(private(text)) {
            assert!(!reply.text.contains(char::is_control), "{reply:?}");
        }
    }
}
