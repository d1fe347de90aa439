//! Commands that only ask.

use super::sight::BuilderSight;
use super::{Answer, COMMANDS, Chat, Kind, Order, Reply, Said, Sight};
use crate::protocol::irc::safe;
use crate::text::duration;

/// Builders of which each is told by itself; more are counted (IRC-07).
const MOST_BUILDERS: usize = 20;

pub(super) fn hello(_: &mut Chat, order: &Order, _: &Sight) -> Answer {
    order.answer(
        Kind::Greeting,
        "hello! I know: commands, help COMMAND, status, list builders",
    )
}

pub(super) fn version(_: &mut Chat, order: &Order, _: &Sight) -> Answer {
    let text = format!("this is buildmaster {}", env!("CARGO_PKG_VERSION"));
    order.answer(Kind::Version, &text)
}

pub(super) fn source(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let text = format!(
        "this is buildmaster {}, run for {} ({})",
        env!("CARGO_PKG_VERSION"),
        safe(&sight.title),
        sight.url
    );
    order.answer(Kind::Source, &text)
}

pub(super) fn commands(_: &mut Chat, order: &Order, _: &Sight) -> Answer {
    let names = COMMANDS.iter().filter(|command| !command.usage.is_empty());
    let names: Vec<_> = names.map(|command| command.name).collect();
    order.answer(Kind::Commands, &format!("commands: {}", names.join(", ")))
}

pub(super) fn help(_: &mut Chat, order: &Order, _: &Sight) -> Answer {
    let words = match order.words() {
        Ok(words) => words,
        Err(answer) => return answer,
    };
    let Some(name) = words.first() else {
        return order.usage();
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == *name) else {
        let text = format!("there is no command {name}; see `commands`");
        return order.answer(Kind::NoSuchCommand, &text);
    };
    let topics: Vec<_> = command.usage.split(" | ").collect();
    let known = match words.get(1) {
        None => !command.usage.is_empty(),
        Some(topic) => topics.iter().any(|usage| {
            let mut words = usage
                .split(' ')
                .filter(|word| word.chars().all(char::is_lowercase));
            words.any(|word| word == topic)
        }),
    };
    match known {
        true => order.answer(Kind::Usage, &format!("usage: {}", command.usage)),
        false => order.answer(
            Kind::NoUsage,
            &safe(&format!("no help for {}", words.join(" "))),
        ),
    }
}

pub(super) fn list(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let words = match order.words() {
        Ok(words) => words,
        Err(answer) => return answer,
    };
    if words.first().map(String::as_str) != Some("builders") {
        return order.usage();
    }
    let told = sight.builders.iter().filter(|builder| builder.is_told);
    let told = told.map(|builder| match builder.state.as_str() {
        "offline" => format!("{} [offline]", builder.name),
        _ => builder.name.to_string(),
    });
    let told: Vec<_> = told.collect();
    let text = match told.is_empty() {
        true => "there are no builders".to_owned(),
        false => format!("builders: {}", told.join(" ")),
    };
    order.answer(Kind::Builders, &text)
}

/// The builders that a command is about: that of its only word, or all.
fn asked<'s>(order: &Order, sight: &'s Sight) -> Result<Vec<&'s BuilderSight>, Answer> {
    let words = order.words()?;
    match words.as_slice() {
        [] => Ok(sight.builders.iter().filter(|b| b.is_told).collect()),
        [all] if all == "all" => Ok(sight.builders.iter().filter(|b| b.is_told).collect()),
        [name] => match sight.builder(name) {
            Some(builder) => Ok(vec![builder]),
            None => Err(order.no_builder(name, sight)),
        },
        _ => Err(order.usage()),
    }
}

pub(super) fn status(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let builders = match asked(order, sight) {
        Ok(builders) => builders,
        Err(answer) => return answer,
    };
    if builders.len() > MOST_BUILDERS {
        return too_many(order, &builders, sight);
    }
    let replies = builders.into_iter().map(|builder| {
        let text = format!("{}: {}", builder.name, state(builder));
        order.reply(Kind::Status, &text)
    });
    Answer {
        replies: replies.collect(),
        act: None,
    }
}

fn state(builder: &BuilderSight) -> String {
    let mut parts: Vec<String> = Vec::new();
    for running in &builder.running {
        let mut text = format!("build {} runs", running.number);
        if let Some(step) = &running.step {
            text.push_str(&format!(" {step}"));
        }
        if let Some(left) = running.left {
            text.push_str(&format!(", {} left", duration(left)));
        }
        parts.push(text);
    }
    if parts.is_empty() {
        parts.push(builder.state.clone());
    }
    if builder.pending > 0 {
        parts.push(format!("{} pending", builder.pending));
    }
    parts.join("; ")
}

fn too_many(order: &Order, builders: &[&BuilderSight], sight: &Sight) -> Answer {
    let count = |state: &str| builders.iter().filter(|b| b.state == state).count();
    let text = format!(
        "{} builders: {} building, {} idle, {} offline; see {}",
        builders.len(),
        count("building"),
        count("idle"),
        count("offline"),
        sight.url
    );
    order.answer(Kind::TooMany, &text)
}

pub(super) fn last(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let builders = match asked(order, sight) {
        Ok(builders) => builders,
        Err(answer) => return answer,
    };
    if builders.len() > MOST_BUILDERS {
        return too_many(order, &builders, sight);
    }
    let replies = builders.into_iter().map(|builder| {
        let text = match &builder.last {
            None => format!("{}: no build has ended", builder.name),
            Some(last) => format!(
                "{}: last build {} ended {} ago: {}",
                builder.name,
                last.number,
                duration(sight.now.since(last.finished_at)),
                last.text.join(" ")
            ),
        };
        order.reply(Kind::Last, &text)
    });
    Answer {
        replies: replies.collect(),
        act: None,
    }
}

pub(super) fn dance(_: &mut Chat, order: &Order, _: &Sight) -> Answer {
    let steps = [r"<(^.^<)", r"<(^.^)>", r"(>^.^)>", r"(7^.^)7", r"(>^.^<)"];
    let replies = steps.map(|step| order.reply(Kind::Fun, step));
    Answer {
        replies: replies.to_vec(),
        act: None,
    }
}

pub(super) fn destroy(chat: &mut Chat, order: &Order, _: &Sight) -> Answer {
    if order.rest.is_empty() || order.rest.eq_ignore_ascii_case(&chat.settings.nick) {
        return Answer::default();
    }
    order.answer(
        Kind::Action,
        "looks for the big red button, and finds it disconnected",
    )
}

pub(super) fn what_happens(_: &mut Chat, order: &Order, _: &Sight) -> Answer {
    if !order
        .rest
        .trim_end_matches(['?', ' '])
        .eq_ignore_ascii_case("happen")
    {
        return Answer::default();
    }
    order.answer(Kind::Fun, "somebody set up us the build")
}

/// What is said to words that are not a command.
pub(super) fn unknown(said: &Said) -> Vec<Reply> {
    match said.text.trim() {
        "" => Vec::new(),
        text if text.ends_with('!') => vec![said.reply(Kind::Fun, "no need to shout")],
        _ if said.channel.is_some() => Vec::new(),
        _ => {
            let text = "I do not know that; `commands` lists what I know";
            vec![said.reply(Kind::NoSuchCommand, text)]
        }
    }
}

/// What is done when somebody does something to the bot: `kicks bb`, `hugs bb`.
pub(super) fn reaction(said: &Said, nick: &str) -> Vec<Reply> {
    let words: Vec<_> = said.text.split_whitespace().collect();
    match words.as_slice() {
        [.., verb, whom] if whom.eq_ignore_ascii_case(nick) && verb.ends_with('s') => {
            let text = match *verb {
                "kicks" => "kicks back".to_owned(),
                verb => format!("{verb} {} too", said.nick),
            };
            vec![said.reply(Kind::Action, &text)]
        }
        _ => Vec::new(),
    }
}
