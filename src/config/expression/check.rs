//! What an expression may use (CFL-82, CFL-83), checked on its tokens, and which names it uses.

use std::ops::Range;

use super::patterns::{Kind, Patterns};
use super::tokens::{Token, What};
use super::{Class, Mistake, Mode, Use};
use crate::config::spelling;

/// What was found in an expression.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) uses: Vec<Use>,
    pub(super) patterns: Patterns,
}

/// The filters, and no others.
pub(super) const FILTERS: [&str; 42] = [
    "lower",
    "upper",
    "trim",
    "replace",
    "split",
    "lines",
    "join",
    "format",
    "int",
    "float",
    "abs",
    "round",
    "sum",
    "min",
    "max",
    "length",
    "first",
    "last",
    "sort",
    "unique",
    "reverse",
    "list",
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "items",
    "without",
    "default",
    "string",
    "to_json",
    "from_json",
    "basename",
    "dirname",
    "inside",
    "outside",
    "regex_search",
    "regex_findall",
    "regex_replace",
    "key_values",
    "version",
];

/// The tests, and no others.
pub(super) const TESTS: [&str; 10] = [
    "defined",
    "undefined",
    "none",
    "string",
    "number",
    "match",
    "search",
    "eq",
    "ne",
    "in",
];

/// Words of the language, which are not names.
const WORDS: [&str; 14] = [
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None",
    "range",
];

/// Whether `word` belongs to the language and cannot be a name.
pub(super) fn is_word_of_language(word: &str) -> bool {
    WORDS.contains(&word)
}

/// Checks what the engine would only notice when its stack is full: nested brackets, and signs or
/// words in a row.
pub(super) fn depth(tokens: &[Token]) -> Result<(), Mistake> {
    let (mut open, mut in_a_row, mut chained) = (0_usize, 0_usize, 0_usize);
    for token in tokens {
        if ["(", "[", "{"].iter().any(|sign| token.is(sign)) {
            open += 1;
        } else if [")", "]", "}"].iter().any(|sign| token.is(sign)) {
            open = open.saturating_sub(1);
        }
        let is_prefix = token.is("-") || token.word() == Some("not");
        in_a_row = if is_prefix { in_a_row + 1 } else { 0 };
        let is_link = matches!(&token.what, What::Sign(sign) if !matches!(*sign, "," | ":" | "=" | "(" | ")" | "[" | "]" | "{" | "}"))
            || matches!(token.word(), Some("and" | "or" | "if" | "in" | "is"));
        chained += usize::from(is_link || token.is("[") || token.is("("));
        let (message, help) = if open > DEEPEST {
            (
                "brackets are nested too deep",
                "put parts of it into [values]",
            )
        } else if in_a_row > DEEPEST {
            ("too many signs in a row", "")
        } else if chained > MOST_OPERATORS {
            ("too many operators", "put parts of it into [values]")
        } else {
            continue;
        };
        return Err(Mistake::new(Class::ExpressionSyntax, message, help).at(token.at.clone()));
    }
    Ok(())
}

/// So deep may brackets be nested; 50 are promised (CFL-70).
const DEEPEST: usize = 60;

/// So many operators, filters and parts of names may an expression have.
const MOST_OPERATORS: usize = 1000;

/// Checks the filters, tests, functions and patterns of an expression that the engine has accepted,
/// and collects the names that it uses.
pub(super) fn words(tokens: &[Token], mode: Mode) -> Result<Found, Mistake> {
    let mut walk = Walk {
        tokens,
        mode,
        found: Found::default(),
    };
    for at in 0..tokens.len() {
        walk.token(at)?;
    }
    Ok(walk.found)
}

struct Walk<'t> {
    tokens: &'t [Token],
    mode: Mode,
    found: Found,
}

impl Walk<'_> {
    fn get(&self, at: usize) -> Option<&Token> {
        self.tokens.get(at)
    }

    fn before(&self, at: usize) -> Option<&Token> {
        at.checked_sub(1).and_then(|at| self.get(at))
    }

    fn is(&self, at: usize, sign: &str) -> bool {
        self.get(at).is_some_and(|token| token.is(sign))
    }

    fn token(&mut self, at: usize) -> Result<(), Mistake> {
        let Some(token) = self.get(at).cloned() else {
            return Ok(());
        };
        match &token.what {
            What::Sign("**") => Err(Mistake::new(
                Class::NotAllowed,
                "there are no powers, and no arguments from tables",
                "write `x * x`",
            )
            .at(token.at)),
            What::Sign("*") if self.before(at).is_some_and(|t| t.is("(") || t.is(",")) => {
                let message = "arguments cannot be taken from a list";
                Err(Mistake::new(Class::NotAllowed, message, "").at(token.at))
            }
            What::Sign("(") => self.bracket(at),
            What::Word(word) => self.word(at, word),
            What::Sign(_) | What::Text(_) | What::Number => Ok(()),
        }
    }

    /// What stands before an opening bracket must be a filter, a test or a function, or nothing.
    fn bracket(&self, at: usize) -> Result<(), Mistake> {
        let Some(before) = self.before(at) else {
            return Ok(());
        };
        let is_call = match &before.what {
            What::Sign(sign) => matches!(*sign, ")" | "]" | "}"),
            What::Text(_) | What::Number => true,
            // Names are looked at as words.
            What::Word(word) => {
                matches!(
                    word.as_str(),
                    "true" | "false" | "none" | "True" | "False" | "None"
                ) && !self.is_test(at.saturating_sub(1))
            }
        };
        if is_call {
            let message = "this is not a function";
            return Err(Mistake::new(Class::NotAllowed, message, "").at(before.at.clone()));
        }
        Ok(())
    }

    /// Whether the word at `at` is the name of a test.
    fn is_test(&self, at: usize) -> bool {
        let word_at = |at: Option<usize>| at.and_then(|at| self.get(at)).and_then(Token::word);
        match word_at(at.checked_sub(1)) {
            Some("is") => word_at(Some(at)) != Some("not"),
            Some("not") => word_at(at.checked_sub(2)) == Some("is"),
            Some(_) | None => false,
        }
    }

    fn word(&mut self, at: usize, word: &str) -> Result<(), Mistake> {
        let place = self.get(at).map(|t| t.at.clone()).unwrap_or_default();
        if self.before(at).is_some_and(|t| t.is("|")) {
            known(&FILTERS, word, Class::UnknownFilter, "filter").map_err(|m| m.at(place))?;
            return self.arguments(at, word, false);
        }
        if self.is_test(at) {
            known(&TESTS, word, Class::UnknownTest, "test").map_err(|m| m.at(place))?;
            return self.arguments(at, word, true);
        }
        if self.before(at).is_some_and(|t| t.is(".")) {
            if self.is(at + 1, "(") {
                let message = format!("there are no methods such as `.{word}(…)`");
                let help = if FILTERS.contains(&word) {
                    format!("write `| {word}`")
                } else {
                    "write a filter: `x | lower`".to_owned()
                };
                return Err(Mistake::new(Class::NotAllowed, message, help).at(place));
            }
            return Ok(());
        }
        if self.is(at + 1, "(") && (word == "range" || !is_word_of_language(word)) {
            if ["getProperty", "Property", "Interpolate", "WithProperties"].contains(&word) {
                let message = format!("there is no function `{word}`");
                let help = "a property is written `prop.NAME`";
                return Err(Mistake::new(Class::UnknownFunction, message, help).at(place));
            }
            let checked = known(&["range"], word, Class::UnknownFunction, "function");
            return checked.map_err(|m| m.at(place));
        }
        let is_argument = self.is(at + 1, "=");
        if (is_word_of_language(word) && word != "range") || is_argument {
            return Ok(());
        }
        self.name(at);
        Ok(())
    }

    /// Notes the name at `at` with its parts.
    fn name(&mut self, at: usize) {
        let mut path = Vec::new();
        path.extend(self.get(at).and_then(Token::word).map(str::to_owned));
        let start = self.get(at).map_or(0, |t| t.at.start);
        let mut end = self.get(at).map_or(0, |t| t.at.end);
        let mut next = at + 1;
        let is_computed = loop {
            let (part, taken) = match self.get(next) {
                Some(token) if token.is(".") => match self.get(next + 1) {
                    Some(part) => (part.word().map(str::to_owned), 2),
                    None => break false,
                },
                Some(token) if token.is("[") => match self.get(next + 1).map(|t| &t.what) {
                    Some(What::Text(text)) if self.is(next + 2, "]") => (Some(text.clone()), 3),
                    Some(_) | None => break true,
                },
                Some(_) | None => break false,
            };
            let Some(part) = part else { break true };
            path.push(part);
            next += taken;
            end = self.get(next - 1).map_or(end, |t| t.at.end);
        };
        self.found.uses.push(Use {
            path,
            is_computed,
            at: start..end,
        });
    }

    /// Looks at the arguments of the filter or test `word` at `at`: those that take the name of
    /// another one, and those that take patterns.
    fn arguments(&mut self, at: usize, word: &str, is_test: bool) -> Result<(), Mistake> {
        if !is_test {
            match word {
                "map" => return self.indirect(at, word, 0, false),
                "select" | "reject" => return self.indirect(at, word, 0, true),
                "selectattr" | "rejectattr" => return self.indirect(at, word, 1, true),
                _ => {}
            }
        }
        match Kind::of(word, is_test) {
            Some(kind) => self.patterns(at, word, kind, 0),
            None => Ok(()),
        }
    }

    /// `map('filter', …)`, `select('test', …)` and so on: the argument `number` is a name.
    fn indirect(
        &mut self,
        at: usize,
        word: &str,
        number: usize,
        is_test: bool,
    ) -> Result<(), Mistake> {
        let arguments = self.split(at + 1);
        let Some(range) = arguments.get(number).cloned() else {
            return Ok(());
        };
        let is_by_name = self.is(range.start + 1, "=");
        let Some(first) = self.get(range.start).cloned() else {
            return Ok(());
        };
        let (What::Text(name), 1) = (&first.what, range.len()) else {
            if is_by_name && matches!(first.word(), Some("attribute" | "default")) {
                return Ok(());
            }
            let message = format!("`{word}` needs the name of a {} in quotes", noun(is_test));
            return Err(Mistake::new(Class::NotAllowed, message, "").at(first.at));
        };
        let checked = if is_test {
            known(&TESTS, name, Class::UnknownTest, "test")
        } else {
            known(&FILTERS, name, Class::UnknownFilter, "filter")
        };
        checked.map_err(|mistake| mistake.at(first.at.clone()))?;
        let takes_names = ["map", "select", "reject", "selectattr", "rejectattr"];
        if !is_test && takes_names.contains(&name.as_str()) {
            let message = format!("`{name}` cannot be given by name");
            return Err(Mistake::new(Class::NotAllowed, message, "").at(first.at));
        }
        match Kind::of(name, is_test) {
            Some(kind) => self.patterns(at, name, kind, number + 1),
            None => Ok(()),
        }
    }

    /// Compiles the patterns that `word` at `at` takes as its arguments from `first` on.
    fn patterns(&mut self, at: usize, word: &str, kind: Kind, first: usize) -> Result<(), Mistake> {
        let arguments = self.split(at + 1);
        let place = self.get(at).map(|t| t.at.clone()).unwrap_or_default();
        let last = if kind.takes_many() {
            arguments.len()
        } else {
            first + 1
        };
        let wanted = arguments
            .get(first..last.max(first))
            .unwrap_or_default()
            .to_vec();
        if wanted.is_empty() {
            let message = format!("`{word}` needs a pattern");
            let help = format!("write `{word}('…')`");
            return Err(Mistake::new(Class::Pattern, message, help).at(place));
        }
        for range in wanted {
            let tokens = self.tokens.get(range).unwrap_or_default();
            let at = match (tokens.first(), tokens.last()) {
                (Some(first), Some(last)) => first.at.start..last.at.end,
                _ => place.clone(),
            };
            let texts: Option<String> = tokens
                .iter()
                .map(|token| match &token.what {
                    What::Text(text) => Some(text.as_str()),
                    What::Word(_) | What::Number | What::Sign(_) => None,
                })
                .collect();
            match texts {
                Some(text) => self.found.patterns.add(kind, &text).map_err(|m| m.at(at))?,
                None if self.mode == Mode::Reading => {}
                None => {
                    let message = format!("the pattern of `{word}` must be a string in quotes");
                    let help = "patterns are compiled when the file is read";
                    return Err(Mistake::new(Class::Pattern, message, help).at(place));
                }
            }
        }
        Ok(())
    }

    /// The tokens of each argument, if a bracket opens at `at`; else of the one that follows a test
    /// without brackets.
    fn split(&self, at: usize) -> Vec<Range<usize>> {
        if !self.is(at, "(") {
            return match self.get(at).map(|t| &t.what) {
                Some(What::Text(_)) => std::iter::once(at..at + 1).collect(),
                Some(_) | None => Vec::new(),
            };
        }
        let mut arguments = Vec::new();
        let (mut depth, mut start) = (0_usize, at + 1);
        for (here, token) in self.tokens.iter().enumerate().skip(at) {
            let What::Sign(sign) = token.what else {
                continue;
            };
            match sign {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            let ends = depth == 0;
            if ends || (sign == "," && depth == 1) {
                if here > start {
                    arguments.push(start..here);
                }
                start = here + 1;
            }
            if ends {
                break;
            }
        }
        arguments
    }
}

const fn noun(is_test: bool) -> &'static str {
    if is_test { "test" } else { "filter" }
}

/// Checks that `name` is one of `all`.
fn known(all: &[&'static str], name: &str, class: Class, noun: &str) -> Result<(), Mistake> {
    if all.contains(&name) {
        return Ok(());
    }
    let help = match spelling::nearest(name, all.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the {noun}s are {}", spelling::listing(all)),
    };
    Err(Mistake::new(
        class,
        format!("there is no {noun} `{name}`"),
        help,
    ))
}
