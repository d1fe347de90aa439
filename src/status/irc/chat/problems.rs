//! Problems, who is on duty, and why something waits (IRC-04).

use super::sight::ProblemSight;
use super::{Act, Answer, Chat, Kind, Order, Sight};
use crate::model::{ProblemNumber, RemarkKind};
use crate::text::parse_duration;

pub(super) fn problems(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let is_mine = match order.rest.as_str() {
        "" => false,
        "mine" if sight.person.is_none() => {
            return order.answer(Kind::WhoAreYou, "I do not know you; say `i am NAME`");
        }
        "mine" => true,
        _ => return order.usage(),
    };
    let wanted = sight.problems.iter().filter(|problem| {
        let is_open = !problem.is_over;
        let who = sight.person.as_deref();
        is_open && (!is_mine || problem.suspects.iter().any(|s| Some(s.as_str()) == who))
    });
    let replies: Vec<_> = wanted
        .map(|problem| order.reply(Kind::Problem, &brief(problem)))
        .collect();
    if replies.is_empty() {
        return order.answer(Kind::Problem, "no problem is open");
    }
    Answer { replies, act: None }
}

pub(super) fn problem(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let Ok(number) = order.rest.parse::<u64>() else {
        return order.usage();
    };
    let found = sight
        .problems
        .iter()
        .find(|problem| problem.number.0 == number);
    let text = match found {
        None => format!("there is no problem {number}"),
        Some(problem) => {
            let url = sight.url.trim_end_matches('/');
            format!(
                "{}; {}; {url}/problems/{number}",
                brief(problem),
                suspects(problem)
            )
        }
    };
    order.answer(Kind::Problem, &text)
}

pub(super) fn blame(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let name = order.first_word();
    if name.is_empty() {
        return order.usage();
    }
    let open = sight.problems.iter();
    let open = open.filter(|p| !p.is_over && p.builder.as_str() == name);
    let replies: Vec<_> = open
        .map(|problem| {
            let text = format!("{}: {}", brief(problem), suspects(problem));
            order.reply(Kind::Problem, &text)
        })
        .collect();
    if replies.is_empty() {
        let text = format!("no problem of {name} is open");
        return order.answer(Kind::Problem, &text);
    }
    Answer { replies, act: None }
}

pub(super) fn claim(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    remark(order, sight, RemarkKind::Claim)
}

pub(super) fn release(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    remark(order, sight, RemarkKind::Release)
}

pub(super) fn mute(order: &Order, sight: &Sight) -> Answer {
    remark(order, sight, RemarkKind::Mute)
}

/// Puts a test in quarantine (FLK-07). Whoever asks for it sees to the test.
pub(super) fn quarantine(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    let (test, reason) = order
        .rest
        .split_once(char::is_whitespace)
        .unwrap_or_default();
    let reason = reason.trim();
    if test.is_empty() || reason.is_empty() {
        return order.usage();
    }
    let Some(owner) = sight.person.clone() else {
        return order.answer(Kind::WhoAreYou, "I do not know you; say `i am NAME`");
    };
    Answer {
        replies: Vec::new(),
        act: Some(Act::Quarantine {
            test: test.to_owned(),
            reason: reason.to_owned(),
            owner,
        }),
    }
}

/// What somebody says of a problem for themselves (PRB-20, PRB-22).
fn remark(order: &Order, sight: &Sight, kind: RemarkKind) -> Answer {
    let mut words = order.rest.split_whitespace();
    let number = words.next().and_then(|word| word.parse().ok());
    let (Some(number), time, None) = (number, words.next(), words.next()) else {
        return order.usage();
    };
    let lasts = time.and_then(parse_duration);
    if time.is_some() && (lasts.is_none() || kind == RemarkKind::Release) {
        return order.usage();
    }
    if sight.person.is_none() {
        return order.answer(Kind::WhoAreYou, "I do not know you; say `i am NAME`");
    }
    Answer {
        replies: Vec::new(),
        act: Some(Act::Remark {
            problem: ProblemNumber(number),
            kind,
            lasts,
        }),
    }
}

fn brief(problem: &ProblemSight) -> String {
    let state = if problem.is_over { " (over)" } else { "" };
    let since = problem.first.map(|first| format!(" since change {first}"));
    let since = since.unwrap_or_default();
    let text = format!("problem {}{state}: {}{since}", problem.number, problem.what);
    text
}

fn suspects(problem: &ProblemSight) -> String {
    let who = &problem.suspects;
    match (&problem.sole_suspect, who.is_empty()) {
        (Some(who), _) => format!("only {who} can have caused it"),
        (None, true) => "nobody is suspected".to_owned(),
        (None, false) => format!("caused by one of: {}", crate::text::and_more(who, 5)),
    }
}

pub(super) fn on_duty(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    if order.rest != "duty" {
        return Answer::default();
    }
    let duties = sight.duties.iter();
    let replies: Vec<_> = duties
        .map(|duty| {
            let text = format!("on duty ({}): {}", duty.rota, duty.person);
            order.reply(Kind::Duty, &text)
        })
        .collect();
    if replies.is_empty() {
        return order.answer(Kind::Duty, "there is no [[duty]]");
    }
    Answer { replies, act: None }
}

pub(super) fn why(_: &mut Chat, order: &Order, sight: &Sight) -> Answer {
    if order.rest.is_empty() {
        return order.usage();
    }
    let reasons = sight.reasons.iter();
    let replies = reasons.map(|reason| order.reply(Kind::Reason, reason));
    Answer {
        replies: replies.collect(),
        act: None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::{Said, Settings};
    use super::*;

    #[test]
    fn irc_04_whoever_puts_a_test_in_quarantine_says_why_and_sees_to_it() {
        let mut chat = Chat::new(Settings::default());
        let mut sight = Sight::default();
        let mut answer = |text: &str, sight: &Sight| {
            let said = Said {
                nick: "ann".to_owned(),
                address: "ann@home".to_owned(),
                channel: None,
                text: text.to_owned(),
                is_action: false,
                is_seen: true,
            };
            let order = chat.hear(said).unwrap();
            chat.answer(&order, sight)
        };
        let text = "quarantine net.test_x fails when it is late";
        let kind = |answer: Answer| answer.replies[0].kind;
        assert_eq!(kind(answer("quarantine net.test_x", &sight)), Kind::Usage);
        assert_eq!(kind(answer(text, &sight)), Kind::WhoAreYou);
        sight.person = Some("ann".to_owned());
        let wanted = Act::Quarantine {
            test: "net.test_x".to_owned(),
            reason: "fails when it is late".to_owned(),
            owner: "ann".to_owned(),
        };
        assert_eq!(answer(text, &sight).act, Some(wanted));
    }
}
