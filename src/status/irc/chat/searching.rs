//! `bisect`: culprit searches from a channel (IRC-04, SRH-16).

use super::{Act, Answer, Chat, Order, Sight};
use crate::control::{SearchAct, SearchWish};
use crate::model::{BuilderName, SearchNumber};

pub(super) const USAGE: &str = "bisect BUILDER GOOD BAD [STEP] | bisect stop SEARCH - search for \
                                the change that broke something, or stop that";

pub(super) fn bisect(_: &mut Chat, order: &Order, _: &Sight) -> Answer {
    let words: Vec<&str> = order.rest.split_whitespace().collect();
    let act = match words[..] {
        ["stop", number] => number.parse().ok().map(|number| SearchAct::Stop {
            search: SearchNumber(number),
            reason: String::new(),
        }),
        [builder, good, bad] => Some(begin(builder, good, bad, None)),
        [builder, good, bad, step] => Some(begin(builder, good, bad, Some(step))),
        _ => None,
    };
    let Some(act) = act else {
        return order.usage();
    };
    Answer {
        replies: Vec::new(),
        act: Some(Act::Search(Box::new(act))),
    }
}

fn begin(builder: &str, good: &str, bad: &str, step: Option<&str>) -> SearchAct {
    SearchAct::Begin(SearchWish {
        builder: BuilderName::from(builder),
        good: good.to_owned(),
        bad: bad.to_owned(),
        step: step.map(ToOwned::to_owned),
        test: None,
        width: Some(1),
        runs: 1,
        fixed: false,
    })
}

/// What is said of a search that is begun or stopped.
pub(super) fn done(act: &SearchAct) -> String {
    match act {
        SearchAct::Begin(wish) => format!("the search on {} has begun", wish.builder),
        SearchAct::Stop { search, .. } => format!("search {search} is stopped"),
    }
}
