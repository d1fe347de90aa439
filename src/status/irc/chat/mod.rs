//! What people say to the bot, and what it answers (IRC-02 to IRC-07). Pure: what a command sees
//! of the master comes in as a [`Sight`], and what it changes there goes out as an [`Act`].
//!
//! Invariants: unknown words in a channel are not answered, and neither is anything that is not
//! addressed to the bot. A build is told once per place. Only channels, the nicks of the
//! configuration and people who have asked hear of builds (IRC-03).
//!
//! A command is a row of [`COMMANDS`] and a function.

mod acting;
mod asking;
mod hearing;
mod keeping;
mod kind;
mod persons;
mod problems;
mod searching;
mod sight;
mod telling;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::botmaster::Forced;
use crate::control::SearchAct;
use crate::model::{
    BuildId, BuildNumber, BuilderName, Mono, NotifyEvent, ProblemNumber, RemarkKind, RequestId,
};
use crate::protocol::irc::{CaseMapping, safe};

pub(super) use self::kind::Kind;
pub(super) use self::sight::{
    BuilderSight, Ended, LastSight, ProblemSight, RunningSight, Sight, Started,
};
pub(super) use self::telling::{lines, lines_to};
use self::words::words;

/// What the configuration says of the chat.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// The nick of the configuration, for texts.
    pub(super) nick: String,
    pub(super) channels: Vec<String>,
    pub(super) pm_to_nicks: Vec<String>,
    pub(super) events: Vec<NotifyEvent>,
    pub(super) use_revisions: bool,
    pub(super) show_blame_list: bool,
    pub(super) use_colors: bool,
}

/// What somebody has said to the bot.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) nick: String,
    /// `user@host`.
    pub(super) address: String,
    /// The channel; absent for what was said in private.
    pub(super) channel: Option<String>,
    pub(super) text: String,
    pub(super) is_action: bool,
    /// Whether the bot would see the nick go.
    pub(super) is_seen: bool,
}

/// Something to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Reply {
    /// A channel or a nick.
    pub(super) to: String,
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// What a command wants done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// Force a build.
    Force(Box<Forced>),
    /// Stop the builds that run.
    Stop {
        builder: BuilderName,
        numbers: Vec<BuildNumber>,
        reason: String,
    },
    /// Stop the master when its builds have ended.
    Shutdown,
    /// Go on.
    CancelShutdown,
    /// Stop the master at once.
    ShutdownNow,
    /// Join a channel.
    Join { channel: String },
    /// Leave a channel.
    Leave { channel: String },
    /// Say something of a problem: until when, if that is said.
    Remark {
        problem: ProblemNumber,
        kind: RemarkKind,
        lasts: Option<Duration>,
    },
    /// Begin or stop a culprit search.
    Search(Box<SearchAct>),
    /// Put a test in quarantine.
    Quarantine {
        test: String,
        reason: String,
        owner: String,
    },
    /// Send the code for a nick to a person.
    SendCode { person: String },
}

/// What came of an act.
#[derive(Clone, Debug)]
pub(super) enum Done {
    /// It is done.
    Yes,
    /// The request is queued.
    Queued(RequestId),
    /// The asker may not.
    Denied(String),
    /// It could not be done.
    Failed(String),
}

/// A command as it was said.
#[derive(Clone, Debug)]
pub(super) struct Order {
    command: &'static Command,
    pub(super) said: Said,
    rest: String,
}

/// The answer to a command.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) replies: Vec<Reply>,
    pub(super) act: Option<Act>,
}

/// What a command has to see.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Needs {
    Nothing,
    Builders,
    People,
    Problems,
    Reasons,
    Duties,
}

/// A row of the table of commands.
#[derive(Debug)]
struct Command {
    name: &'static str,
    /// What is told of it: `list builders - list the builders`; empty: nothing.
    usage: &'static str,
    needs: Needs,
    run: fn(&mut Chat, &Order, &Sight) -> Answer,
}

/// All commands.
static COMMANDS: [Command; 32] = [
    row("bisect", searching::USAGE, Needs::People, searching::bisect),
    row(
        "blame",
        "blame BUILDER - who may have broken it",
        Needs::Problems,
        problems::blame,
    ),
    row(
        "claim",
        "claim PROBLEM [TIME] - you see to a problem, for a day if you do not say how long",
        Needs::People,
        problems::claim,
    ),
    row(
        "commands",
        "commands - list the commands",
        Needs::Nothing,
        asking::commands,
    ),
    row("dance", "", Needs::Nothing, asking::dance),
    row("destroy", "", Needs::Nothing, asking::destroy),
    row("force", acting::FORCE, Needs::Builders, acting::force),
    row("hello", "", Needs::Nothing, asking::hello),
    row(
        "help",
        "help COMMAND - explain a command",
        Needs::Nothing,
        asking::help,
    ),
    row("i", persons::USAGE, Needs::People, persons::i_am),
    row(
        "join",
        "join #CHANNEL - come to a channel",
        Needs::People,
        acting::join,
    ),
    row(
        "last",
        "last [BUILDER] - the last build of each builder or of one",
        Needs::Builders,
        asking::last,
    ),
    row(
        "leave",
        "leave [#CHANNEL] - leave a channel",
        Needs::People,
        acting::leave,
    ),
    row(
        "list",
        "list builders - list the builders",
        Needs::Builders,
        asking::list,
    ),
    row(
        "mute",
        "mute [PROBLEM [TIME]] - say nothing here until somebody says unmute, or tell you nothing \
         of a problem",
        Needs::People,
        hearing::mute,
    ),
    row("notify", hearing::NOTIFY, Needs::Nothing, hearing::notify),
    row(
        "on",
        "on duty - who is on duty",
        Needs::Duties,
        problems::on_duty,
    ),
    row(
        "problem",
        "problem NUMBER - what is known of a problem",
        Needs::Problems,
        problems::problem,
    ),
    row(
        "problems",
        "problems [mine] - the open problems, or those that may be yours",
        Needs::Problems,
        problems::problems,
    ),
    row(
        "quarantine",
        "quarantine TEST REASON - let a test fail for a while without failing its step",
        Needs::People,
        problems::quarantine,
    ),
    row(
        "release",
        "release PROBLEM - you do not see to a problem any more",
        Needs::People,
        problems::release,
    ),
    row(
        "shutdown",
        acting::SHUTDOWN,
        Needs::Nothing,
        acting::shutdown,
    ),
    row(
        "source",
        "source - where the program comes from",
        Needs::Nothing,
        asking::source,
    ),
    row(
        "status",
        "status [BUILDER | all] - what each builder or one of them does",
        Needs::Builders,
        asking::status,
    ),
    row(
        "stop",
        "stop build BUILDER REASON - stop the builds that run",
        Needs::Builders,
        acting::stop,
    ),
    row(
        "unmute",
        "unmute - speak here again",
        Needs::Nothing,
        hearing::unmute,
    ),
    row(
        "version",
        "version - the version of this program",
        Needs::Nothing,
        asking::version,
    ),
    row(
        "watch",
        "watch BUILDER - tell here when the running build ends",
        Needs::Builders,
        hearing::watch,
    ),
    row(
        "why",
        "why BUILDER | REQUEST - why a request waits",
        Needs::Reasons,
        problems::why,
    ),
    row("what", "", Needs::Nothing, asking::what_happens),
    row("hi", "", Needs::Nothing, asking::hello),
    row("yo", "", Needs::Nothing, asking::hello),
];

const fn row(
    name: &'static str,
    usage: &'static str,
    needs: Needs,
    run: fn(&mut Chat, &Order, &Sight) -> Answer,
) -> Command {
    Command {
        name,
        usage,
        needs,
        run,
    }
}

/// How long a forced build may take to start before it is called queued.
const STARTING: Duration = Duration::from_secs(5);

/// Places that hear of builds, requests that are waited for, and builds that a place watches.
const MOST: usize = 200;

/// What the bot knows of its talks.
#[derive(Debug)]
pub(super) struct Chat {
    settings: Settings,
    case: CaseMapping,
    places: BTreeMap<String, Place>,
    awaited: Vec<Awaited>,
    persons: persons::Persons,
}

/// A channel, or a nick that has asked for something.
#[derive(Debug)]
struct Place {
    name: String,
    events: BTreeSet<NotifyEvent>,
    /// Whether letters about builds are for this place.
    gets_letters: bool,
    is_muted: bool,
    watched: BTreeSet<BuildId>,
}

/// A request that somebody has made and that has not started.
#[derive(Debug)]
struct Awaited {
    request: RequestId,
    builder: BuilderName,
    to: String,
    /// When it is called queued; absent: it was.
    until: Option<Mono>,
}

impl Chat {
    pub(super) fn new(settings: Settings) -> Self {
        let mut chat = Self {
            settings: Settings::default(),
            case: CaseMapping::default(),
            places: BTreeMap::new(),
            awaited: Vec::new(),
            persons: persons::Persons::default(),
        };
        let names = settings.channels.iter().chain(&settings.pm_to_nicks);
        for name in names {
            let place = Place {
                events: settings.events.iter().copied().collect(),
                gets_letters: true,
                ..Place::of(name)
            };
            chat.places.insert(chat.case.folded(name), place);
        }
        chat.settings = settings;
        chat
    }

    /// The command in what was said; absent if it is none that is answered, except by the replies.
    pub(super) fn hear(&mut self, said: Said) -> Result<Order, Vec<Reply>> {
        if said.is_action {
            return Err(self.heard(asking::reaction(&said, &self.settings.nick)));
        }
        let text = said.text.trim();
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let name = name.to_lowercase();
        let command = COMMANDS.iter().find(|command| command.name == name);
        let Some(command) = command else {
            return Err(self.heard(asking::unknown(&said)));
        };
        let rest = rest.trim().to_owned();
        Ok(Order {
            command,
            said,
            rest,
        })
    }

    /// The answer to a command, without what is said to places that are muted.
    pub(super) fn answer(&mut self, order: &Order, sight: &Sight) -> Answer {
        let mut answer = (order.command.run)(self, order, sight);
        answer.replies = self.heard(answer.replies);
        answer
    }

    /// What is said of an act.
    pub(super) fn done(&mut self, order: &Order, act: &Act, done: Done, now: Mono) -> Vec<Reply> {
        let replies = match done {
            Done::Denied(why) => vec![order.reply(Kind::Denied, &why)],
            Done::Failed(why) => vec![order.reply(Kind::Failed, &why)],
            Done::Queued(request) => {
                if let Act::Force(forced) = act {
                    // The oldest may be of a request that was cancelled.
                    if self.awaited.len() >= MOST {
                        self.awaited.remove(0);
                    }
                    self.awaited.push(Awaited {
                        request,
                        builder: forced.builder.clone(),
                        to: order.to().to_owned(),
                        until: Some(now + STARTING),
                    });
                }
                Vec::new()
            }
            Done::Yes => acting::done(order, act),
        };
        if let (Act::Join { channel }, true) = (act, replies.iter().any(|r| r.kind == Kind::Joined))
        {
            let events = self.settings.events.iter().copied().collect();
            let place = self.place(channel);
            if let Some(place) = place {
                place.gets_letters = true;
                place.events = events;
            }
        }
        self.heard(replies)
    }

    /// Somebody has another nick.
    pub(super) fn renamed(&mut self, nick: &str, new: &str) {
        let (nick, new) = (self.case.folded(nick), self.case.folded(new));
        self.persons.renamed(&nick, &new);
    }

    /// The bot does not see somebody any more, or nobody if there is no nick.
    pub(super) fn gone(&mut self, nick: Option<&str>) {
        let nick = nick.map(|nick| self.case.folded(nick));
        self.persons.gone(nick.as_deref());
    }

    /// The person who has confirmed to be this nick at this address.
    pub(super) fn confirmed(&self, nick: &str, address: &str) -> Option<&str> {
        self.persons.confirmed(&self.case.folded(nick), address)
    }

    /// The code for a nick of a person, to be sent to the person.
    pub(super) fn code_for(&self, person: &str, nick: &str, now: Mono) -> Option<&str> {
        self.persons.code_for(person, &self.case.folded(nick), now)
    }

    /// Keeps a code that was made for a nick; false if there is one that is good, or the person has
    /// too many.
    pub(super) fn has_code(&mut self, said: &Said, person: &str, code: String, now: Mono) -> bool {
        let nick = self.case.folded(&said.nick);
        self.persons
            .has_code(nick, &said.address, person, code, now)
    }

    /// The form of a channel that is the same for all spellings.
    pub(super) fn folded(&self, channel: &str) -> String {
        self.case.folded(channel)
    }

    /// The nicks that a person has proved to be theirs, and those that somebody said to be.
    pub(super) fn nicks_of(&self, person: &str) -> (Vec<String>, Vec<String>) {
        self.persons.nicks_of(person)
    }

    /// What is said to places that are not muted.
    fn heard(&self, replies: Vec<Reply>) -> Vec<Reply> {
        let is_heard = |reply: &Reply| {
            let place = self.places.get(&self.case.folded(&reply.to));
            reply.kind == Kind::Muted || !place.is_some_and(|place| place.is_muted)
        };
        replies.into_iter().filter(is_heard).collect()
    }

    /// A place, maybe a new one; absent if there are too many.
    fn place(&mut self, name: &str) -> Option<&mut Place> {
        let key = self.case.folded(name);
        if self.places.len() >= MOST && !self.places.contains_key(&key) {
            return None;
        }
        Some(self.places.entry(key).or_insert_with(|| Place::of(name)))
    }
}

impl Place {
    fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            events: BTreeSet::new(),
            gets_letters: false,
            is_muted: false,
            watched: BTreeSet::new(),
        }
    }

    fn is_channel(&self) -> bool {
        self.name.starts_with(['#', '&', '+', '!'])
    }

    fn reply(&self, kind: Kind, text: String) -> Reply {
        Reply {
            to: self.name.clone(),
            kind,
            text,
        }
    }
}

impl Said {
    /// Where the answer goes: where it was said.
    pub(super) fn to(&self) -> &str {
        self.channel.as_deref().unwrap_or(&self.nick)
    }

    /// A reply, in which nothing from outside steers a client (MSG-04).
    fn reply(&self, kind: Kind, text: &str) -> Reply {
        Reply {
            to: self.to().to_owned(),
            kind,
            text: safe(text),
        }
    }
}

impl Order {
    fn to(&self) -> &str {
        self.said.to()
    }

    /// What the command has to see.
    pub(super) fn needs(&self) -> Needs {
        self.command.needs
    }

    /// The first word after the command.
    pub(super) fn first_word(&self) -> &str {
        self.rest.split_whitespace().next().unwrap_or_default()
    }

    fn words(&self) -> Result<Vec<String>, Answer> {
        let quoted = "the quotation marks do not match; close each, or put \\ before it";
        words(&self.rest).map_err(|_| self.answer(Kind::BadQuoting, quoted))
    }

    fn reply(&self, kind: Kind, text: &str) -> Reply {
        self.said.reply(kind, text)
    }

    fn answer(&self, kind: Kind, text: &str) -> Answer {
        Answer {
            replies: vec![self.reply(kind, text)],
            act: None,
        }
    }

    fn usage(&self) -> Answer {
        self.answer(Kind::Usage, &format!("usage: {}", self.command.usage))
    }

    fn no_builder(&self, name: &str, sight: &Sight) -> Answer {
        let names = sight.builders.iter().map(|builder| builder.name.as_str());
        let near = crate::config::nearest(name, names);
        let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        let text = format!("there is no builder {name}{near}");
        self.answer(Kind::NoSuchBuilder, &text)
    }
}

#[cfg(test)]
mod tests;
