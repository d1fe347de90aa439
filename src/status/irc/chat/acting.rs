//! Commands that change something (IRC-05). Whether the asker may is decided where the act is done.

use super::{Act, Answer, Chat, Kind, Order, Reply, Sight, searching};
use crate::botmaster::{FORCED, Forced};
use crate::model::{Properties, RemarkKind, SourceStamp, SourceStamps};
use crate::protocol::irc::safe;

pub(super) const FORCE: &str = "force build [--branch=BRANCH] [--revision=REVISION] \
                                [--props=NAME=VALUE,..] BUILDER REASON - force a build";

pub(super) const SHUTDOWN: &str = "shutdown check | start | stop | now - say whether the master stops, stop it when its builds \
     have ended, go on, or stop it at once";

/// The options of `force build`.
#[derive(Default)]
struct Options {
    branch: Option<String>,
    revision: Option<String>,
    props: Vec<(String, String)>,
    builder: Option<String>,
    reason: Option<String>,
}

pub(super) fn force(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let words = match order.words() {
        Ok(words) => words,
        Err(answer) => return answer,
    };
    let Some((first, rest)) = words.split_first() else {
        return order.usage();
    };
    if first != "build" {
        return order.usage();
    }
    let (options, words) = match read_options(order, rest) {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let mut words = words.into_iter();
    let builder = options.builder.or_else(|| words.next());
    let Some(builder) = builder.filter(|builder| !builder.is_empty()) else {
        return order.usage();
    };
    let reason = options
        .reason
        .unwrap_or_else(|| words.collect::<Vec<_>>().join(" "));
    let Some(known) = sight.builder(&builder) else {
        return order.no_builder(&builder, sight);
    };
    let allowed = &sight.validation;
    let bad = |value: &Option<String>, pattern: &crate::config::LinePattern| {
        value.as_ref().is_some_and(|value| !pattern.is_match(value))
    };
    if bad(&options.branch, &allowed.branch) {
        return order.answer(
            Kind::BadBranch,
            "such a branch is not allowed; see [validation]",
        );
    }
    if bad(&options.revision, &allowed.revision) {
        let text = "such a revision is not allowed; see [validation]";
        return order.answer(Kind::BadRevision, text);
    }
    let mut properties = Properties::new();
    for (name, value) in options.props {
        if !(allowed.property_name.is_match(&name) && allowed.property_value.is_match(&value)) {
            let text = format!("property {name} is not allowed; see [validation]");
            return order.answer(Kind::BadProperty, &text);
        }
        properties.set(name, value, FORCED);
    }
    let reason = match &sight.person {
        Some(_) => safe(&reason),
        None => safe(&format!("forced on IRC by {}: {reason}", order.said.nick)),
    };
    let stamp = SourceStamp {
        branch: options.branch.filter(|branch| !branch.is_empty()),
        revision: options.revision.filter(|revision| !revision.is_empty()),
        ..SourceStamp::default()
    };
    Answer {
        replies: Vec::new(),
        act: Some(Act::Force(Box::new(Forced {
            builder: known.name.clone(),
            scheduler: None,
            soon: false,
            stamps: SourceStamps::from(stamp),
            reason,
            properties,
            priority: 0,
        }))),
    }
}

/// The options, and the words after them.
fn read_options(order: &Order, words: &[String]) -> Result<(Options, Vec<String>), Answer> {
    let mut options = Options::default();
    let mut left = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix("--").filter(|_| left.is_empty()) else {
            left.push(word.clone());
            continue;
        };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => match words.next() {
                Some(value) => (option, value.clone()),
                None => return Err(order.usage()),
            },
        };
        match name {
            "branch" => options.branch = Some(value),
            "revision" => options.revision = Some(value),
            "builder" => options.builder = Some(value),
            "reason" => options.reason = Some(value),
            "props" => {
                for prop in value.split(',') {
                    let Some((name, value)) = prop.split_once('=') else {
                        let text = format!("{prop} is not a property; write NAME=VALUE");
                        return Err(order.answer(Kind::BadProperty, &text));
                    };
                    options.props.push((name.to_owned(), value.to_owned()));
                }
            }
            _ => return Err(order.usage()),
        }
    }
    Ok((options, left))
}

pub(super) fn stop(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let words = match order.words() {
        Ok(words) => words,
        Err(answer) => return answer,
    };
    let [build, name, reason @ ..] = words.as_slice() else {
        return order.usage();
    };
    if build != "build" || reason.is_empty() {
        return order.usage();
    }
    let Some(builder) = sight.builder(name) else {
        return order.no_builder(name, sight);
    };
    if builder.running.is_empty() {
        return order.answer(Kind::NothingRuns, &format!("{name} builds nothing now"));
    }
    let reason = format!(
        "stopped on IRC by {}: {}",
        order.said.nick,
        reason.join(" ")
    );
    Answer {
        replies: Vec::new(),
        act: Some(Act::Stop {
            builder: builder.name.clone(),
            numbers: builder
                .running
                .iter()
                .map(|running| running.number)
                .collect(),
            reason: safe(&reason),
        }),
    }
}

pub(super) fn shutdown(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let act = match order.rest.as_str() {
        "check" => {
            let text = match sight.is_stopping {
                true => "the master stops when its builds have ended",
                false => "the master runs",
            };
            return order.answer(Kind::ShutdownStatus, text);
        }
        "start" => Act::Shutdown,
        "stop" => Act::CancelShutdown,
        "now" => Act::ShutdownNow,
        _ => return order.usage(),
    };
    Answer {
        replies: Vec::new(),
        act: Some(act),
    }
}

/// The channel that a command names.
fn channel(order: &Order) -> Option<String> {
    let word = order.first_word();
    let is_channel = word.starts_with(['#', '&', '+', '!']) && word.len() <= 64;
    let is_plain = !word.contains([',', ':']) && safe(word) == word;
    (is_channel && is_plain).then(|| word.to_owned())
}

pub(super) fn join(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    match channel(order) {
        Some(channel) => moving(order, sight, Act::Join { channel }),
        None => order.usage(),
    }
}

pub(super) fn leave(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let here = || order.said.channel.clone().filter(|_| order.rest.is_empty());
    match channel(order).or_else(here) {
        Some(channel) => moving(order, sight, Act::Leave { channel }),
        None => order.usage(),
    }
}

/// Who makes the bot come or go is known.
fn moving(order: &Order, sight: &Sight, act: Act) -> Answer {
    if sight.person.is_none() && !sight.is_open {
        let text = "I do this only for people whom I know; say `i am NAME`";
        return order.answer(Kind::WhoAreYou, text);
    }
    Answer {
        replies: Vec::new(),
        act: Some(act),
    }
}

/// What is said of an act that is done.
pub(super) fn done(order: &Order, act: &Act) -> Vec<Reply> {
    let reply = |kind, text: String| vec![order.reply(kind, &text)];
    match act {
        Act::Force(_) | Act::SendCode { .. } => Vec::new(),
        Act::Stop {
            builder, numbers, ..
        } => {
            let numbers = numbers.iter();
            let texts = numbers.map(|number| format!("build {number} of {builder} is stopped"));
            texts
                .map(|text| order.reply(Kind::Stopped, &text))
                .collect()
        }
        Act::Shutdown => reply(
            Kind::ShutdownStatus,
            "the master stops when its builds have ended".to_owned(),
        ),
        Act::CancelShutdown => reply(Kind::ShutdownStatus, "the master goes on".to_owned()),
        Act::ShutdownNow => reply(Kind::ShutdownStatus, "the master stops now".to_owned()),
        Act::Remark { problem, kind, .. } => {
            let (kind, text) = if *kind == RemarkKind::Claim {
                (Kind::Claimed, format!("problem {problem} is yours"))
            } else if *kind == RemarkKind::Release {
                (Kind::Released, format!("you released problem {problem}"))
            } else {
                let text = format!("you hear no more of problem {problem}");
                (Kind::MutedForYou, text)
            };
            reply(kind, text)
        }
        Act::Search(act) => reply(Kind::Search, searching::done(act)),
        Act::Quarantine { test, owner, .. } => {
            let text = format!("test {test} is in quarantine; {owner} sees to it");
            reply(Kind::Quarantined, text)
        }
        Act::Join { channel } => reply(Kind::Joined, format!("coming to {channel}")),
        Act::Leave { channel } => reply(Kind::Left, format!("leaving {channel}")),
    }
}
