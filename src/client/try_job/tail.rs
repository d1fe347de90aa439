//! Gets the end of the log of a failed step from the master (PROTOCOL section 14). Masters since
//! 0.9 do not offer logs.

use std::collections::VecDeque;

use super::board::Tail;
use super::remote::{call, name};
use crate::model::Results;
use crate::net::Peer;
use crate::pb::{Luid, Value};

/// The end of the log of the first failed step of `build`, if the master offers it.
pub(super) async fn tail_of(peer: &Peer, build: Luid) -> Option<Tail> {
    let steps = call(peer, build, "getSteps", Vec::new()).await.ok()?;
    let steps: Vec<Luid> = objects(&steps);
    let mut tail = None;
    for step in &steps {
        if has_failed(peer, *step).await {
            tail = tail_of_step(peer, *step).await;
            break;
        }
    }
    for step in steps {
        peer.release(step);
    }
    tail
}

async fn has_failed(peer: &Peer, step: Luid) -> bool {
    let Ok(results) = call(peer, step, "getResults", Vec::new()).await else {
        return false;
    };
    let result = match results.as_items() {
        Some([result, ..]) => result.as_int(),
        Some([]) => None,
        None => results.as_int(),
    };
    let failed = [Results::Failure, Results::Exception].map(|result| i64::from(result.number()));
    result.is_some_and(|result| failed.contains(&result))
}

async fn tail_of_step(peer: &Peer, step: Luid) -> Option<Tail> {
    let step_name = call(peer, step, "getName", Vec::new()).await.ok()?;
    let logs = call(peer, step, "getLogs", Vec::new()).await.ok()?;
    let pairs = logs.as_dict()?;
    let all: Vec<Luid> = pairs
        .iter()
        .filter_map(|(_, log)| log.as_theirs())
        .collect();
    let standard = pairs
        .iter()
        .find(|(log, _)| name(log).as_deref() == Some("stdio"));
    let (log_name, log) = standard.or(pairs.first())?;
    let what = format!("log {} of step {}", name(log_name)?, name(&step_name)?);
    let text = match log.as_theirs() {
        Some(log) => call(peer, log, "getText", Vec::new()).await.ok(),
        None => None,
    };
    for log in all {
        peer.release(log);
    }
    let lines = match text.as_ref().and_then(Value::as_text) {
        Some(text) => last_lines(&text),
        // The log is too large for a string of the protocol.
        None => vec!["(too large to be sent; see the pages of the master)".to_owned()],
    };
    Some(Tail { what, lines }).filter(|tail| !tail.lines.is_empty())
}

fn objects(list: &Value) -> Vec<Luid> {
    let items = list.as_items().unwrap_or_default();
    items.iter().filter_map(Value::as_theirs).collect()
}

/// The last lines of a log, safe for a terminal.
fn last_lines(text: &str) -> Vec<String> {
    let mut last = VecDeque::with_capacity(TAIL_LINES);
    for line in text.lines() {
        if last.len() == TAIL_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    let shown = last.into_iter().map(|line| {
        let line: String = line.chars().take(LINE_CHARS).collect();
        super::clean(&line)
    });
    shown.collect()
}

/// Maximum number of lines that are shown.
const TAIL_LINES: usize = 20;
/// Maximum number of characters of a line that are shown.
const LINE_CHARS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_bounded_and_harmless() {
        let text: String = (0..=TAIL_LINES).map(|n| format!("line {n}\n")).collect();
        let tail = last_lines(&text);
        assert_eq!(tail.len(), TAIL_LINES);
        assert_eq!(tail[0], "line 1");
        assert_eq!(last_lines("a\x1b[2J\tb\r\n"), ["a\u{fffd}[2J\tb"]);
        let long = |n: usize| last_lines(&"x".repeat(n))[0].len();
        assert_eq!(
            (long(LINE_CHARS), long(LINE_CHARS + 1)),
            (LINE_CHARS, LINE_CHARS)
        );
        assert!(last_lines("").is_empty());
    }
}
