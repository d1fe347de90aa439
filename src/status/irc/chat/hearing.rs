//! Who hears of builds: `notify`, `watch`, `mute`, and what is said when builds start and end.

use super::sight::{Ended, Started};
use super::{Answer, Chat, Kind, MOST, Order, Reply, Sight};
use crate::model::{BuildId, Mono, NotifyEvent, Results};
use crate::protocol::irc::{Colour, coloured, safe};

pub(super) const NOTIFY: &str = "notify on|off|list [EVENT..] - events: started, finished, success, warnings, failure, \
     exception, or two results such as successToFailure";

/// The events of `notify on` without any.
const USUAL: [NotifyEvent; 2] = [NotifyEvent::Started, NotifyEvent::Finished];

pub(super) fn notify(chat: &mut Chat, order: &Order, _: &Sight) -> Answer {
    let words = match order.words() {
        Ok(words) => words,
        Err(answer) => return answer,
    };
    let Some((verb, names)) = words.split_first() else {
        return order.usage();
    };
    let events: Option<Vec<_>> = names.iter().map(|name| NotifyEvent::named(name)).collect();
    let Some(events) = events else {
        return order.usage();
    };
    let Some(place) = chat.place(order.to()) else {
        return order.answer(Kind::Failed, "too many nicks hear of builds");
    };
    match verb.as_str() {
        "on" if events.is_empty() => place.events.extend(USUAL),
        "on" => place.events.extend(events),
        "off" if events.is_empty() => place.events.clear(),
        "off" => place.events.retain(|event| !events.contains(event)),
        "list" => {}
        _ => return order.usage(),
    }
    let names: Vec<_> = place.events.iter().map(ToString::to_string).collect();
    let text = match names.is_empty() {
        true => "no events are told here".to_owned(),
        false => format!("these events are told here: {}", names.join(", ")),
    };
    order.answer(Kind::Events, &text)
}

pub(super) fn watch(chat: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let words = match order.words() {
        Ok(words) => words,
        Err(answer) => return answer,
    };
    let [name] = words.as_slice() else {
        return order.usage();
    };
    let Some(builder) = sight.builder(name) else {
        return order.no_builder(name, sight);
    };
    if builder.running.is_empty() {
        return order.answer(Kind::NothingRuns, &format!("{name} builds nothing now"));
    }
    let mut answer = Answer::default();
    for running in &builder.running {
        if !chat.watch(order.to(), running.build) {
            return order.answer(Kind::Failed, "too many nicks hear of builds");
        }
        let text = format!("watching build {} of {name} until it ends", running.number);
        answer.replies.push(order.reply(Kind::Watching, &text));
    }
    answer
}

pub(super) fn mute(chat: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    if !order.rest.is_empty() {
        return super::problems::mute(order, sight);
    }
    if let Some(place) = chat.place(order.to()) {
        place.is_muted = true;
    }
    order.answer(Kind::Muted, "quiet now; `unmute` makes me speak again")
}

pub(super) fn unmute(chat: &mut Chat, order: &Order, _: &Sight) -> Answer {
    let place = chat.place(order.to());
    let was_muted = place.is_some_and(|place| std::mem::take(&mut place.is_muted));
    let text = match was_muted {
        true => "speaking again",
        false => "I was not muted",
    };
    order.answer(Kind::Unmuted, text)
}

impl Chat {
    /// A place is told when a build ends; of too many builds, the oldest is watched no more. False
    /// if too many places hear of builds.
    pub(super) fn watch(&mut self, to: &str, build: BuildId) -> bool {
        let Some(place) = self.place(to) else {
            return false;
        };
        if place.watched.len() >= MOST {
            place.watched.pop_first();
        }
        place.watched.insert(build);
        true
    }

    /// Whether somebody wants to be told of ends by no letter.
    pub(in crate::status::irc) fn follows(&self, build: BuildId) -> bool {
        let mut places = self.places.values();
        let settings = &self.settings.events;
        let is_told_by_letters = |events: &std::collections::BTreeSet<NotifyEvent>| {
            events.iter().all(|event| settings.contains(event))
        };
        places.any(|place| {
            let streams = !place.gets_letters || !is_told_by_letters(&place.events);
            place.watched.contains(&build) || (streams && !place.events.is_empty())
        })
    }

    /// Whether somebody wants to be told of starts, or waits for one.
    pub(in crate::status::irc) fn follows_starts(&self) -> bool {
        let wants = |place: &super::Place| place.events.contains(&NotifyEvent::Started);
        !self.awaited.is_empty() || self.places.values().any(wants)
    }

    /// What is said of a build that has started.
    pub(in crate::status::irc) fn started(&mut self, started: &Started) -> Vec<Reply> {
        let (builder, number) = (&started.builder, started.number);
        let what = self.what(builder.as_str(), number.0, &started.revisions);
        let places = self
            .places
            .values()
            .filter(|place| started.is_told && place.events.contains(&NotifyEvent::Started));
        let mut replies: Vec<_> = places
            .map(|place| place.reply(Kind::BuildStarted, format!("{what} started")))
            .collect();
        let is_started = |awaited: &mut super::Awaited| started.requests.contains(&awaited.request);
        let begun: Vec<_> = self.awaited.extract_if(.., is_started).collect();
        for awaited in begun {
            let reply = |kind, text: String| Reply {
                to: awaited.to.clone(),
                kind,
                text,
            };
            let word = if awaited.until.is_some() {
                "forced"
            } else {
                "started"
            };
            replies.push(reply(
                Kind::Forced,
                safe(&format!("build {number} of {builder} {word}")),
            ));
            if self.watch(&awaited.to, started.build) {
                let text = "I will tell you when it ends".to_owned();
                replies.push(reply(Kind::WillTell, text));
            }
        }
        self.heard(replies)
    }

    /// Requests that take long to start are called queued.
    pub(in crate::status::irc) fn tick(&mut self, now: Mono) -> Vec<Reply> {
        let mut replies = Vec::new();
        for awaited in &mut self.awaited {
            if awaited.until.is_some_and(|until| until <= now) {
                awaited.until = None;
                let text = format!(
                    "request {} for {} is queued; I will tell you when it starts",
                    awaited.request, awaited.builder
                );
                replies.push(Reply {
                    to: awaited.to.clone(),
                    kind: Kind::Queued,
                    text: safe(&text),
                });
            }
        }
        self.heard(replies)
    }

    /// When a request is called queued.
    pub(in crate::status::irc) fn due(&self) -> Option<Mono> {
        self.awaited
            .iter()
            .filter_map(|awaited| awaited.until)
            .min()
    }

    /// What is said of a build that has ended, where no letter says it.
    pub(in crate::status::irc) fn ended(&mut self, ended: &Ended) -> Vec<Reply> {
        let text = self.end_of(ended);
        let by_letter = self
            .settings
            .events
            .iter()
            .any(|event| event.wants(&ended.ending));
        let mut replies = Vec::new();
        for place in self.places.values_mut() {
            let was_watched = place.watched.remove(&ended.build);
            let wants = ended.is_told && place.wants(ended);
            if wants && !(by_letter && place.gets_letters) {
                replies.push(place.reply(Kind::BuildEnded, text.clone()));
            } else if !wants && was_watched {
                replies.push(place.reply(Kind::WatchedEnded, text.clone()));
                let text = format!("details: {}", ended.url);
                replies.push(place.reply(Kind::Address, text));
            }
        }
        self.heard(replies)
    }

    /// What those hear who watched a build that has ended while the master was away.
    pub(in crate::status::irc) fn missed(&mut self, ended: &Ended) -> Vec<Reply> {
        let text = self.end_of(ended);
        let mut replies = Vec::new();
        for place in self.places.values_mut() {
            if place.watched.remove(&ended.build) {
                replies.push(place.reply(Kind::WatchedEnded, text.clone()));
            }
        }
        self.heard(replies)
    }

    /// What a letter says of a build that has ended.
    pub(in crate::status::irc) fn letter(&self, ended: &Ended) -> Vec<Reply> {
        let text = self.end_of(ended);
        let places = self.places.values();
        let places = places.filter(|place| place.gets_letters && place.wants(ended));
        let replies = places.map(|place| place.reply(Kind::BuildEnded, text.clone()));
        self.heard(replies.collect())
    }

    /// The build in words.
    fn what(&self, builder: &str, number: u64, revisions: &[String]) -> String {
        let text = match self.settings.use_revisions && !revisions.is_empty() {
            true => format!("build of {builder} with {}", revisions.join(", ")),
            false => format!("build {number} of {builder}"),
        };
        safe(&text)
    }

    fn end_of(&self, ended: &Ended) -> String {
        let what = self.what(ended.builder.as_str(), ended.number.0, &ended.revisions);
        let result = match self.settings.use_colors {
            true => match colour(ended.result()) {
                Some(colour) => coloured(ended.result().as_str(), colour),
                None => ended.result().as_str().to_owned(),
            },
            false => ended.result().as_str().to_owned(),
        };
        let mut text = format!("{what} ended: {result} [{}]", safe(&ended.text.join(" ")));
        let is_good = ended.result() == Results::Success;
        if self.settings.show_blame_list && !is_good && !ended.blamelist.is_empty() {
            let names = crate::text::and_more(&ended.blamelist, 5);
            text.push_str(&format!("  blamelist: {}", safe(&names)));
        }
        text
    }
}

impl super::Place {
    fn wants(&self, ended: &Ended) -> bool {
        self.events.iter().any(|event| event.wants(&ended.ending))
    }
}

fn colour(result: Results) -> Option<Colour> {
    match result {
        Results::Success => Some(Colour::Green),
        Results::Warnings => Some(Colour::Orange),
        Results::Failure => Some(Colour::Red),
        Results::Exception => Some(Colour::Purple),
        Results::Skipped | Results::Retry => None,
    }
}
