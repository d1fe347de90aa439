//! Answers commands and tells of builds: the chat, with the master around it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::chat::{Act, Chat, Done, Kind, Order, Reply, Said};
use super::link::{FromLink, ToLink};
use super::looking;
use super::saying::{settings, spoken};
use super::{Announcement, Question, Says};
use crate::botmaster::{Ask, BuildEvent, Event};
use crate::config::IrcConfig;
use crate::control::{
    Caller, Control, Interruption, Need, News, NotDone, QuarantineAct, QuarantineBegin, RemarkAct,
    Request, Service, Subscription, Target, Topic,
};
use crate::model::{
    Action, BuildId, ChannelOp, ChannelWishes, Letter, LetterOp, Mono, Op, RequestId,
};
use crate::people::Ground;
use crate::protocol::irc::{Heard, Hints};
use crate::store::State;

/// How long an act may take before the asker hears that it takes long.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long the end of a build is news (OUT-09), and of how many builds ends are kept so long.
const STALE: Duration = Duration::from_mins(10);
const MOST_MISSED: usize = 100;

/// Letters of a code (IRC-06), and those that it may have: none that look alike.
const CODE_LETTERS: usize = 6;
const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The desk of a target.
pub(super) struct Desk {
    config: Arc<IrcConfig>,
    control: Control,
    says: mpsc::Sender<ToLink>,
    chat: Chat,
    is_settled: bool,
    /// The letter that is on its way, with its mark.
    sending: Option<(String, oneshot::Sender<()>)>,
    marks: u64,
    /// Builds to tell of once the bot is in its channels: those that ended meanwhile, with the time
    /// at which that was heard; and those that channels watched before the master was started.
    missed: BTreeMap<BuildId, Option<Mono>>,
}

impl Desk {
    pub(super) fn new(
        config: Arc<IrcConfig>,
        control: Control,
        says: mpsc::Sender<ToLink>,
    ) -> Self {
        let chat = Chat::new(settings(&config));
        Self {
            config,
            control,
            says,
            chat,
            is_settled: false,
            sending: None,
            marks: 0,
            missed: BTreeMap::new(),
        }
    }

    /// Serves until `leaving` is cancelled.
    pub(super) async fn run(
        mut self,
        mut heard: mpsc::Receiver<FromLink>,
        (mut letters, mut questions): (mpsc::Receiver<Announcement>, mpsc::Receiver<Question>),
        leaving: CancellationToken,
    ) {
        let mut news = self.control.newsroom().subscribe_to(Topic::Letters);
        self.remember().await;
        loop {
            let can_send = self.is_settled && self.sending.is_none();
            let due = self.chat.due().unwrap_or(Mono(Duration::MAX));
            let due = self.control.clock().instant(due.min(self.now() + PATIENCE));
            tokio::select! {
                biased;
                () = leaving.cancelled() => return,
                heard = heard.recv() => match heard {
                    Some(heard) => self.on_link(heard).await,
                    None => return,
                },
                event = next_event(&mut news) => match event {
                    Some(event) => self.on_build(&event).await,
                    None => return,
                },
                Some(letter) = letters.recv(), if can_send => self.send(letter).await,
                Some(question) = questions.recv() => self.on_question(question).await,
                () = sleep_until(due) => {
                    let replies = self.chat.tick(self.now());
                    self.announce(replies);
                }
            }
        }
    }

    /// Takes up what the channels asked for before the master was started.
    async fn remember(&mut self) {
        let bot = self.config.telling.name.clone();
        let read = move |state: &State| state.irc_channels(&bot);
        match self.control.reader().read(read).await {
            Ok(known) => {
                let watched = self.chat.restore(known).into_iter();
                self.missed = watched.map(|build| (build, None)).collect();
            }
            Err(error) => warn!("cannot read what channels asked for: {error}"),
        }
    }

    /// Tells of builds that have ended while the bot was not in its channels; those who watched
    /// them, if the master was away.
    async fn tell_missed(&mut self) {
        // Builds that ended with the master are on their way to the disk when it starts.
        self.control.settled().await;
        let now = self.now();
        for (build, heard) in std::mem::take(&mut self.missed) {
            if heard.is_some_and(|heard| now.0.saturating_sub(heard.0) > STALE) {
                continue;
            }
            if let Some(ended) = looking::over(&self.control, &self.config, build).await {
                let watchers = self.chat.watchers(build);
                let replies = match heard {
                    Some(_) => self.chat.ended(&ended),
                    None => self.chat.missed(&ended),
                };
                self.announce(replies);
                self.keep_all(watchers).await;
            }
        }
    }

    /// Writes down what a channel asks for, if that is not what it asked for `before`.
    async fn keep(&self, channel: &str, before: Option<ChannelWishes>) {
        let wishes = self.chat.wishes(channel);
        if wishes == before {
            return;
        }
        let op = ChannelOp {
            bot: self.config.telling.name.clone(),
            channel: self.chat.folded(channel),
            wishes: wishes.unwrap_or_default(),
        };
        let op = Op::Channel(Box::new(op));
        self.control.writer().write_and_wait(vec![op]).await;
    }

    async fn keep_all(&self, before: Vec<(String, ChannelWishes)>) {
        for (channel, before) in before {
            self.keep(&channel, Some(before)).await;
        }
    }

    async fn on_question(&self, question: Question) {
        match question {
            Question::Code {
                person,
                nick,
                answer,
            } => {
                let code = self.chat.code_for(&person, &nick, self.now());
                answer.send(code.map(str::to_owned)).unwrap_or_default();
            }
            Question::Spot { person, answer } => {
                let (accounts, unseen) = looking::whereabouts(&self.control, &person).await;
                let (proved, said) = self.chat.nicks_of(&person);
                let hints = Hints {
                    proved,
                    accounts,
                    said,
                };
                self.pass(ToLink::Find {
                    hints,
                    unseen,
                    answer,
                });
            }
        }
    }

    fn now(&self) -> Mono {
        self.control.clock().now().mono
    }

    /// Says replies. What the connection does not take is lost, as on a connection that breaks.
    fn say(&self, replies: &[Reply]) {
        let url = &self.control.config().buildbot_url;
        for (command, to, text) in spoken(&self.config, url, replies) {
            self.pass(ToLink::Say { to, command, text });
        }
    }

    /// Says what is said by itself: each to its own place.
    fn announce(&self, replies: Vec<Reply>) {
        for reply in replies {
            self.say(&[reply]);
        }
    }

    fn pass(&self, wish: ToLink) {
        if let Err(error) = self.says.try_send(wish) {
            debug!("not said: {error}");
        }
    }

    async fn on_link(&mut self, heard: FromLink) {
        match heard {
            FromLink::Settled(is_settled) => {
                self.is_settled = is_settled;
                if is_settled {
                    self.tell_missed().await;
                }
            }
            FromLink::Lost => {
                self.is_settled = false;
                self.sending = None;
                self.chat.gone(None);
            }
            FromLink::Heard(Heard::Reached { mark }, _) => {
                if let Some((_, taken)) = self.sending.take_if(|(sent, _)| *sent == mark) {
                    // The outbox may have given it up.
                    taken.send(()).unwrap_or_default();
                }
            }
            FromLink::Heard(Heard::Renamed { nick, new }, _) => self.chat.renamed(&nick, &new),
            FromLink::Heard(Heard::Gone { nick }, _) => self.chat.gone(Some(&nick)),
            FromLink::Heard(
                Heard::Said {
                    nick,
                    address,
                    account,
                    channel,
                    text,
                    is_action,
                },
                is_seen,
            ) => {
                let said = Said {
                    nick,
                    address,
                    channel,
                    text,
                    is_action,
                    is_seen,
                };
                self.on_said(said, account).await;
            }
            FromLink::Heard(Heard::Failed { .. }, _) => {}
        }
    }

    async fn on_said(&mut self, said: Said, account: Option<String>) {
        let order = match self.chat.hear(said) {
            Ok(order) => order,
            Err(replies) => return self.say(&replies),
        };
        let caller = self.caller(&order.said, account.as_deref()).await;
        let sight = looking::sight(&self.control, &self.config, &order, &caller).await;
        let sight = match sight {
            Ok(sight) => sight,
            Err(why) => {
                let why = format!("the state cannot be read now: {why}");
                return self.say(&[failed(&order.said, &why)]);
            }
        };
        let channel = order.said.channel.as_deref();
        let before = channel.and_then(|channel| self.chat.wishes(channel));
        let answer = self.chat.answer(&order, &sight);
        if let Some(channel) = channel {
            self.keep(channel, before).await;
        }
        self.say(&answer.replies);
        if let Some(act) = answer.act {
            let doing = timeout(PATIENCE, self.act(&caller, &order, &act)).await;
            let done = doing.unwrap_or_else(|_| Done::Failed("that takes long".to_owned()));
            let now = self.now();
            let replies = self.chat.done(&order, &act, done, now);
            self.say(&replies);
        }
    }

    /// Who asks (IRC-05): the person whose account at the services it is, or who has confirmed the
    /// nick. What is said in a channel is said to everybody there.
    async fn caller(&self, said: &Said, account: Option<&str>) -> Caller {
        let confirmed = self.chat.confirmed(&said.nick, &said.address);
        let person = looking::person(&self.control, confirmed, account).await;
        let address = format!("{}!{}", said.nick, said.address);
        let caller = match person {
            Some((name, roles)) => Caller::person(&name, roles, crate::model::Door::Irc, &address),
            None => Caller::stranger(crate::model::Door::Irc, &address),
        };
        let mut granted = Vec::new();
        if self.config.allow_force {
            let ground = Ground::Setting("allow_force");
            granted.extend([(Action::Force, ground.clone()), (Action::Stop, ground)]);
        }
        if self.config.allow_shutdown {
            granted.push((Action::Shutdown, Ground::Setting("allow_shutdown")));
        }
        caller.granted(granted)
    }

    async fn act(&mut self, caller: &Caller, order: &Order, act: &Act) -> Done {
        let done = match act {
            Act::Force(forced) => {
                let ask = Request::Core(Ask::Force(forced.clone()));
                let done = self.control.act(caller, ask).await;
                return match done {
                    Ok(answer) => match answer["request"].as_u64() {
                        Some(request) => Done::Queued(RequestId(request)),
                        None => Done::Yes,
                    },
                    Err(why) => not_done(why),
                };
            }
            Act::Stop {
                builder,
                numbers,
                reason,
            } => {
                let mut done = Ok(());
                for &number in numbers {
                    let ask = Ask::StopBuild {
                        builder: builder.clone(),
                        number,
                        reason: reason.clone(),
                    };
                    let stopped = self.control.act(caller, Request::Core(ask)).await;
                    done = done.and(stopped.map(|_| ()));
                }
                done
            }
            Act::Remark { .. } | Act::Search(_) | Act::Quarantine { .. } => match self.service(act)
            {
                Some(ask) => self.control.act(caller, ask).await.map(|_| ()),
                None => Ok(()),
            },
            Act::Shutdown => self.control.begin_clean_stop(caller).await,
            Act::CancelShutdown => {
                let ask = Request::Core(Ask::CancelShutdown);
                self.control.act(caller, ask).await.map(|_| ())
            }
            Act::ShutdownNow => match self.control.begin_clean_stop(caller).await {
                Ok(()) => stop_now(),
                Err(why) => Err(why),
            },
            Act::Join { channel } => {
                let wish = ToLink::Join(channel.clone());
                self.go(caller, &format!("join {channel}"), wish).await
            }
            Act::Leave { channel } => {
                let wish = ToLink::Leave(channel.clone());
                self.go(caller, &format!("leave {channel}"), wish).await
            }
            Act::SendCode { person } => {
                self.send_code(&order.said, person).await;
                Ok(())
            }
        };
        match done {
            Ok(()) => Done::Yes,
            Err(why) => not_done(why),
        }
    }

    /// What an act asks of the services of the master, if it does.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "others do not ask for a service"
    )]
    fn service(&self, act: &Act) -> Option<Request> {
        let service = match act {
            Act::Remark {
                problem,
                kind,
                lasts,
            } => {
                let now = self.control.clock().wall();
                let act = Box::new(RemarkAct {
                    problem: *problem,
                    kind: *kind,
                    person: None,
                    until: lasts.map(|lasts| now + lasts),
                    text: String::new(),
                });
                Service::Problem { act }
            }
            Act::Search(act) => Service::Search { act: act.clone() },
            Act::Quarantine {
                test,
                reason,
                owner,
            } => {
                let act = Box::new(QuarantineAct {
                    test: test.clone(),
                    builder: None,
                    begin: Some(QuarantineBegin {
                        owner: owner.clone(),
                        reason: reason.clone(),
                        until: None,
                    }),
                });
                Service::Quarantine { act }
            }
            _ => return None,
        };
        Some(Request::Service(service))
    }

    /// Goes to a channel or away from one. Where the bot is belongs to the configuration, so this
    /// takes the permission to reconfigure (IRC-05).
    async fn go(&self, caller: &Caller, what: &str, wish: ToLink) -> Result<(), NotDone> {
        let need = Need {
            action: Action::Reconfigure,
            target: Target::Master,
            what: format!("had the bot {what}"),
            reason: String::new(),
        };
        self.control.allow(caller, &need).await?;
        self.pass(wish);
        Ok(())
    }

    /// Has a code sent to the person whom somebody says to be.
    async fn send_code(&mut self, said: &Said, person: &str) {
        let code = new_code();
        let now = self.now();
        if self.chat.has_code(said, person, code, now) {
            let (bot, at) = (&self.config.telling.name, self.control.clock().wall());
            let letter = Letter::of_irc_code(bot, person, &said.nick, at);
            let op = Op::Letter(Box::new(LetterOp::Written(letter)));
            self.control.writer().write_and_wait(vec![op]).await;
            self.control.letters_changed().notify_one();
        }
    }

    async fn on_build(&mut self, event: &BuildEvent) {
        match event {
            BuildEvent::Started(start) if self.chat.follows_starts() => {
                let started = looking::started(&self.control, &self.config, start).await;
                let replies = self.chat.started(&started);
                self.announce(replies);
            }
            BuildEvent::Finished { build, .. } if !self.chat.follows(*build) => {}
            BuildEvent::Finished { build, .. } if !self.is_settled => {
                if self.missed.len() < MOST_MISSED {
                    self.missed.insert(*build, Some(self.now()));
                }
            }
            BuildEvent::Finished { build, .. } => {
                self.control.settled().await;
                if let Some(ended) = self.ended(*build).await {
                    let watchers = self.chat.watchers(*build);
                    let replies = self.chat.ended(&ended);
                    self.announce(replies);
                    self.keep_all(watchers).await;
                }
            }
            BuildEvent::Started(_)
            | BuildEvent::StartFailed { .. }
            | BuildEvent::LocksAwaited(_)
            | BuildEvent::LocksGranted { .. }
            | BuildEvent::Interrupted { .. } => {}
        }
    }

    async fn ended(&self, build: BuildId) -> Option<super::chat::Ended> {
        looking::ended(&self.control, &self.config, build, None).await
    }

    /// Says what a letter has to say, and waits for the server to have taken it.
    async fn send(&mut self, letter: Announcement) {
        if letter.taken.is_closed() {
            // It was given up: it is too old.
            return;
        }
        let is_said = match letter.says {
            Says::Build(facts, text) => {
                let (build, ending) = (facts.build, Some(facts.ending));
                let ended = looking::ended(&self.control, &self.config, build, ending).await;
                let replies = ended.map_or_else(Vec::new, |ended| self.chat.letter(&ended));
                let is_said = !replies.is_empty();
                for reply in replies {
                    self.say(&reply.worded(text.as_deref()));
                }
                is_said
            }
            Says::Channels(text) => {
                let places = self.chat.told(&text);
                let is_said = !places.is_empty();
                for replies in places {
                    self.say(&replies);
                }
                is_said
            }
            Says::Nick(nick, text) => {
                self.say(&super::chat::lines_to(&nick, &text));
                true
            }
        };
        if !is_said {
            // Nobody wants it any more, or the build was pruned.
            letter.taken.send(()).unwrap_or_default();
            return;
        }
        self.marks += 1;
        let mark = format!("letter-{}", self.marks);
        self.pass(ToLink::Mark(mark.clone()));
        self.sending = Some((mark, letter.taken));
    }
}

/// A code that nobody guesses.
fn new_code() -> String {
    let mut rng = rand::rng();
    let letters = (0..CODE_LETTERS).map(|_| ALPHABET[rng.random_range(0..ALPHABET.len())]);
    letters.map(char::from).collect()
}

fn not_done(why: NotDone) -> Done {
    let text = crate::protocol::irc::safe(&why.to_string());
    match matches!(why, NotDone::NotAllowed { .. }) {
        true => Done::Denied(text),
        false => Done::Failed(text),
    }
}

fn failed(said: &Said, why: &str) -> Reply {
    Reply {
        to: said.to().to_owned(),
        kind: Kind::Failed,
        text: crate::protocol::irc::safe(why),
    }
}

/// Stops this process as the system does.
fn stop_now() -> Result<(), NotDone> {
    let own = rustix::process::getpid();
    let stopped = rustix::process::kill_process(own, rustix::process::Signal::TERM);
    stopped.map_err(|error| NotDone::Rejected(error.to_string()))
}

/// The next event of a build; absent if the master ends.
async fn next_event(news: &mut Subscription) -> Option<BuildEvent> {
    loop {
        match news.next().await.as_deref().map(|told| &told.news) {
            Ok(News::Event(Event::Build(event))) => return Some(event.clone()),
            Ok(News::Event(_) | News::Build(_)) | Err(Interruption::Missed(_)) => {}
            Err(Interruption::Ended) => return None,
        }
    }
}
