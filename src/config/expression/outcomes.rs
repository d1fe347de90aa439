//! What an expression may come to, and what it compares results with, as far as that is written in
//! it: constants on its tokens, in branches that are not taken too.

use std::ops::Range;

use super::tokens::{Token, What};
use super::{Expression, tokens};

/// A value that an expression may come to, whatever the names in it stand for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// This string.
    Text(String),
    /// A number.
    Number,
    /// True or false.
    Truth,
}

impl Expression {
    /// The constants that it may come to, each with its bytes of the expression. Those that another
    /// value of `[values]` gives, and those that a filter makes, are not among them.
    #[must_use]
    pub fn outcomes(&self) -> Vec<(Outcome, Range<usize>)> {
        let tokens = tokens::read(self.text()).unwrap_or_default();
        let mut found = Vec::new();
        collect(&tokens, &mut found);
        found
    }

    /// The strings that it compares with a name of which `wanted` holds for the path, each with its
    /// bytes of the expression: those beside `==` and `!=`, and the entries of a list after `in`.
    #[must_use]
    pub fn compared(&self, wanted: impl Fn(&[String]) -> bool) -> Vec<(String, Range<usize>)> {
        let uses = self.uses().iter();
        let mut uses = uses
            .filter(|used| !used.is_computed && wanted(&used.path))
            .peekable();
        let mut found = Vec::new();
        if uses.peek().is_none() {
            return found;
        }
        let tokens = tokens::read(self.text()).unwrap_or_default();
        for used in uses {
            let first = tokens.partition_point(|token| token.at.start < used.at.start);
            let (before, from) = tokens.split_at(first);
            let after = from.partition_point(|token| token.at.start < used.at.end);
            let after = from.get(after..).unwrap_or_default();
            match before {
                [.., text, sign] if sign.is("==") || sign.is("!=") => found.extend(constant(text)),
                _ => {}
            }
            match after {
                [sign, text, ..] if sign.is("==") || sign.is("!=") => found.extend(constant(text)),
                [word, list @ ..] if word.word() == Some("in") => entries(list, &mut found),
                [not, word, list @ ..]
                    if not.word() == Some("not") && word.word() == Some("in") =>
                {
                    entries(list, &mut found);
                }
                _ => {}
            }
        }
        found
    }
}

fn constant(token: &Token) -> Option<(String, Range<usize>)> {
    match &token.what {
        What::Text(text) => Some((text.clone(), token.at.clone())),
        What::Word(_) | What::Number | What::Sign(_) => None,
    }
}

/// The strings of the list with which `tokens` begin.
fn entries(tokens: &[Token], found: &mut Vec<(String, Range<usize>)>) {
    let [open, entries @ ..] = tokens else { return };
    if open.is("[") {
        let entries = entries.iter().take_while(|token| !token.is("]"));
        found.extend(entries.filter_map(constant));
    }
}

/// Collects what `tokens`, an expression, may come to.
fn collect(tokens: &[Token], found: &mut Vec<(Outcome, Range<usize>)>) {
    let is_word = |at: usize, wanted: &str| tokens.get(at).and_then(Token::word) == Some(wanted);
    let top: Vec<usize> = at_top(tokens).collect();
    let place = |wanted: &str| top.iter().copied().find(|at| is_word(*at, wanted));
    let part = |range: Range<usize>| tokens.get(range).unwrap_or_default();
    if let Some(condition) = place("if") {
        collect(part(0..condition), found);
        if let Some(other) = place("else") {
            collect(part(other + 1..tokens.len()), found);
        }
        return;
    }
    for word in ["or", "and"] {
        if let Some(at) = place(word) {
            // What stands before `and` comes out only if it is false, 0 or empty.
            let mut before = Vec::new();
            collect(part(0..at), &mut before);
            before.retain(|(outcome, _)| word == "or" || *outcome == Outcome::Truth);
            found.append(&mut before);
            collect(part(at + 1..tokens.len()), found);
            return;
        }
    }
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return;
    };
    let all = first.at.start..last.at.end;
    let compares = top.iter().any(|at| {
        let signs = ["==", "!=", "<", "<=", ">", ">="];
        let is_sign = tokens
            .get(*at)
            .is_some_and(|t| signs.iter().any(|s| t.is(s)));
        is_sign || is_word(*at, "in") || is_word(*at, "is")
    });
    if compares || is_word(0, "not") {
        found.push((Outcome::Truth, all));
        return;
    }
    match tokens {
        [one] => match &one.what {
            What::Text(text) => found.push((Outcome::Text(text.clone()), all)),
            What::Number => found.push((Outcome::Number, all)),
            What::Word(word) if ["true", "false", "True", "False"].contains(&word.as_str()) => {
                found.push((Outcome::Truth, all));
            }
            What::Word(_) | What::Sign(_) => {}
        },
        // Brackets around all of it, or around the value of `| default(…)` at the end.
        [.., close] if close.is(")") => {
            let Some(open) = top
                .iter()
                .rev()
                .copied()
                .find(|at| is_sign(tokens, *at, "("))
            else {
                return;
            };
            let is_default =
                open >= 2 && is_word(open - 1, "default") && is_sign(tokens, open - 2, "|");
            if open == 0 || is_default {
                collect(part(open + 1..tokens.len() - 1), found);
            }
        }
        _ => {}
    }
}

fn is_sign(tokens: &[Token], at: usize, sign: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.is(sign))
}

/// The places of the tokens that are in no brackets, and of the brackets that open there.
fn at_top(tokens: &[Token]) -> impl Iterator<Item = usize> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        if [")", "]", "}"].iter().any(|sign| token.is(sign)) {
            depth = depth.saturating_sub(1);
            return None;
        }
        let is_top = depth == 0;
        if ["(", "[", "{"].iter().any(|sign| token.is(sign)) {
            depth += 1;
        }
        is_top.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::Mode;
    use super::*;

    fn compiled(text: &str) -> Expression {
        Expression::compile(text, Mode::Running, "here").unwrap()
    }

    /// What `text` may come to: the pieces of it.
    fn outcomes(text: &str) -> Vec<&str> {
        let found = compiled(text).outcomes();
        let pieces = found.into_iter().map(|(_, at)| text.get(at).unwrap());
        pieces.collect()
    }

    #[test]
    fn the_constants_of_all_branches_are_found() {
        for (text, expected) in [
            ("'a'", &["'a'"][..]),
            ("('a')", &["'a'"]),
            (
                "'a' if x else 'b' if y else ('c' or 'd')",
                &["'a'", "'b'", "'c'", "'d'"],
            ),
            ("'a' if x", &["'a'"]),
            ("x and 'a'", &["'a'"]),
            ("x == 'b' and 'a'", &["x == 'b'", "'a'"]),
            ("prop.x | default('a')", &["'a'"]),
            ("prop.x | default('a' if y else 'b')", &["'a'", "'b'"]),
            ("('a' if x) or 'b'", &["'a'", "'b'"]),
            ("1 if x else none", &["1"]),
            ("not x", &["not x"]),
            ("true", &["true"]),
            ("prop.x", &[]),
            ("prop['a']", &[]),
            ("'a' ~ prop.x", &[]),
            ("'A' | lower", &[]),
            ("('a', 'b')[prop.n]", &[]),
            ("prop.x | replace('a', 'b')", &[]),
            ("{'a': 'b'}[result]", &[]),
        ] {
            assert_eq!(outcomes(text), expected, "{text}");
        }
    }

    #[test]
    fn strings_that_are_compared_with_a_name_are_found() {
        let compared = |text: &str| {
            let is_result = |path: &[String]| path.first().is_some_and(|name| name == "result");
            let found = compiled(text).compared(is_result);
            found.into_iter().map(|(text, _)| text).collect::<Vec<_>>()
        };
        assert_eq!(compared("result == 'a' or 'b' != result"), ["a", "b"]);
        assert_eq!(compared("result in ['a', 'b'] and x == 'c'"), ["a", "b"]);
        assert_eq!(compared("result not in ['a']"), ["a"]);
        assert_eq!(compared("result ~ 'a' == 'b'"), [""; 0]);
    }
}
