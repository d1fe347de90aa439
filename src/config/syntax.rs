//! What is wrong with a text that is not TOML, said to somebody who comes from another language.
//!
//! The parser says what it expected; the text around the place says what was meant: Python,
//! curly quotes, the comment signs of other languages, a bracket that is never closed.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, Error};

/// A mistake of syntax: where, what is wrong and what would be right.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct SyntaxMistake {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

/// The tree of a text, as far as it can be read.
#[derive(Debug)]
pub(super) struct Parsed<'a> {
    /// The tree.
    pub(super) tree: Spanned<DeTable<'a>>,
    /// What is not TOML, in the order of the text.
    pub(super) mistakes: Vec<SyntaxMistake>,
    /// Whether the tree says nothing of the text, so that looking at it would only find what
    /// follows from the mistakes.
    pub(super) is_lost: bool,
}

/// Reads `text` as TOML.
pub(super) fn parse(text: &str) -> Parsed<'_> {
    let (tree, mut errors) = DeTable::parse_recoverable(text);
    errors.retain(|error| !follows_from_single_brackets(text, error));
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let python = errors.first().and_then(|_| python_line(text));
    let lost = python.map(python_file).or_else(|| {
        // The header of a table that is not closed ends with its line.
        let lists = errors.iter().filter(|error| !is_of_header(error.message()));
        let first = lists
            .map(|error| place(text, error))
            .find_map(|at| unclosed(text, &at));
        first.map(never_closed)
    });
    if let Some(mistake) = lost {
        return Parsed {
            tree,
            mistakes: vec![mistake],
            is_lost: true,
        };
    }
    Parsed {
        tree,
        mistakes: errors.iter().map(|error| mistake(text, error)).collect(),
        is_lost: false,
    }
}

/// Whether the parser speaks of a header that is not closed.
fn is_of_header(message: &str) -> bool {
    message.starts_with("unclosed table") || message.starts_with("unclosed array table")
}

/// Whether `[[NAME]]` is a duplicate only of `[NAME]` or `[NAME.x]`, which is told as the mistake.
fn follows_from_single_brackets(text: &str, error: &Error) -> bool {
    let at = place(text, error);
    let line_of = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        text.get(start..).and_then(|rest| rest.lines().next())
    };
    let name = line_of(at.start).and_then(|line| line.trim().strip_prefix("[["));
    let name = name.and_then(|rest| rest.split_once("]]"));
    error.message() == "duplicate key"
        && name.is_some_and(|(name, _)| {
            let before = text.get(..at.start).unwrap_or_default();
            let mut headers = before.lines().filter_map(|l| l.trim().strip_prefix('['));
            headers.any(|h| {
                let rest = h.strip_prefix(name.trim());
                rest.is_some_and(|rest| rest.starts_with([']', '.']))
            })
        })
}

fn place(text: &str, error: &Error) -> Range<usize> {
    error.span().unwrap_or(text.len()..text.len())
}

fn python_file(span: Range<usize>) -> SyntaxMistake {
    SyntaxMistake {
        span,
        message: "this is a Buildbot configuration in Python".to_owned(),
        help: "master.toml is TOML, without code: `buildmaster import-config` translates the configuration of a \
               running master"
            .to_owned(),
    }
}

/// The first line of `text` that is Python as it stands in a `master.cfg`.
fn python_line(text: &str) -> Option<Range<usize>> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let code = line.trim_end();
        let is_python = code.contains("BuildmasterConfig")
            || code.starts_with("from buildbot")
            || code.starts_with("import ")
            || code.starts_with("c['")
            || code.starts_with("c[\"");
        if is_python && !code.starts_with('#') {
            return Some(start..start + code.len());
        }
        start += line.len();
    }
    None
}

fn never_closed((span, sign): (Range<usize>, char)) -> SyntaxMistake {
    let closing = if sign == '[' { ']' } else { '}' };
    SyntaxMistake {
        span,
        message: format!("`{sign}` is never closed"),
        help: format!(
            "add `{closing}` where the {} ends",
            if sign == '[' { "list" } else { "table" }
        ),
    }
}

/// The bracket that is open at `place`, if what stands there shows that it should not be: the next
/// setting or table of the file, or its end.
fn unclosed(text: &str, place: &Range<usize>) -> Option<(Range<usize>, char)> {
    let start = text.floor_char_boundary(place.start.min(text.len()));
    let (at, sign) = open_bracket(text.get(..start)?)?;
    let before = text.get(..start)?;
    let is_first = before.rsplit('\n').next()?.trim().is_empty();
    let is_later_line = text.get(at..start)?.contains('\n');
    let rest = text.get(start..)?;
    let line = rest.lines().next().unwrap_or_default().trim();
    let next = is_first
        && is_later_line
        && match sign {
            '[' => is_setting(line) || is_header(line),
            _ => is_header(line),
        };
    let other = if sign == '[' { '}' } else { ']' };
    let is_closed_wrong = rest.trim_start().starts_with(other);
    (next || is_closed_wrong || rest.trim().is_empty()).then_some((at..at + 1, sign))
}

fn is_setting(line: &str) -> bool {
    let is_key = |c: char| c.is_ascii_alphanumeric() || "_-.\"' \t".contains(c);
    line.split_once('=')
        .is_some_and(|(key, _)| !key.trim().is_empty() && key.chars().all(is_key))
}

fn is_header(line: &str) -> bool {
    let name = line.split('#').next().unwrap_or_default().trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.\"'[]".contains(c);
    name.starts_with('[')
        && name.ends_with(']')
        && name.chars().any(|c| c.is_ascii_alphabetic())
        && name.chars().all(is_name)
}

/// The innermost bracket that is open at the end of `text`, or where another one is closed, outside
/// of strings and comments.
fn open_bracket(text: &str) -> Option<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut rest = text.char_indices();
    while let Some((at, sign)) = rest.next() {
        match sign {
            '#' => skip_until(&mut rest, |c| c == '\n'),
            '"' | '\'' => skip_string(text, at, &mut rest),
            '[' | '{' => open.push((at, sign)),
            ']' | '}' => match open.pop() {
                Some((_, opened)) if (opened == '[') == (sign == ']') => {}
                mismatched => return mismatched,
            },
            _ => {}
        }
    }
    open.pop()
}

fn skip_until(rest: &mut std::str::CharIndices<'_>, end: impl Fn(char) -> bool) {
    let _ = rest.find(|(_, c)| end(*c));
}

/// Goes behind the string that begins at `at`; one that is not closed ends with its line.
fn skip_string(text: &str, at: usize, rest: &mut std::str::CharIndices<'_>) {
    let from = text.get(at..).unwrap_or_default();
    let quote = from.get(..1).unwrap_or_default();
    let triple = quote.repeat(3);
    let is_long = from.starts_with(&triple);
    let body = from.get(if is_long { 3 } else { 1 }..).unwrap_or_default();
    let end = if is_long { triple.as_str() } else { quote };
    let mut escaped = false;
    let mut length = body.len();
    for (i, c) in body.char_indices() {
        let here = body.get(i..).unwrap_or_default();
        if !escaped && here.starts_with(end) {
            length = i + end.len();
            break;
        }
        if c == '\n' && !is_long {
            length = i;
            break;
        }
        escaped = quote == "\"" && c == '\\' && !escaped;
    }
    let behind = at + (from.len() - body.len()) + length;
    while rest.offset() < behind && rest.next().is_some() {}
}

/// The mistake that `error` is.
fn mistake(text: &str, error: &Error) -> SyntaxMistake {
    let span = place(text, error);
    let spot = Spot::of(text, span.start, error.message());
    let (message, help) = RULES
        .iter()
        .find_map(|rule| rule(&spot))
        .unwrap_or_else(|| {
            (
                error.message().to_owned(),
                general_help(error.message()).to_owned(),
            )
        });
    SyntaxMistake {
        span,
        message,
        help,
    }
}

/// What stands around a mistake.
struct Spot<'a> {
    /// Its line.
    line: &'a str,
    /// The line up to the mistake.
    before: &'a str,
    /// The line from the mistake on.
    rest: &'a str,
    /// What the parser says.
    parser: &'a str,
}

impl<'a> Spot<'a> {
    fn of(text: &'a str, at: usize, parser: &'a str) -> Self {
        let at = text.floor_char_boundary(at.min(text.len()));
        let (head, tail) = text.split_at(at);
        let before = head.rsplit('\n').next().unwrap_or_default();
        let rest = tail.split('\n').next().unwrap_or_default().trim_end();
        let line = text.get(at - before.len()..at + rest.len());
        Self {
            line: line.unwrap_or_default(),
            before,
            rest,
            parser,
        }
    }

    /// The letters with which the rest begins.
    fn word(&self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        self.rest
            .get(..end.unwrap_or(self.rest.len()))
            .unwrap_or_default()
    }

    /// Whether a value stands, or should stand, where the mistake is.
    fn is_value(&self) -> bool {
        let before = self.before.trim_end();
        before.ends_with(['=', '[', ',']) || before.ends_with(": ")
    }
}

type Rule = fn(&Spot<'_>) -> Option<(String, String)>;

/// What people write who come from elsewhere; the first rule that knows it says it.
const RULES: &[Rule] = &[
    curly_quotes,
    comment_sign,
    word_of_python,
    prefix_of_string,
    code,
    tuple,
    assignment,
    separator,
    number,
    backslash,
    header,
    two_settings,
];

fn told(message: impl Into<String>, help: impl Into<String>) -> Option<(String, String)> {
    Some((message.into(), help.into()))
}

fn curly_quotes(spot: &Spot<'_>) -> Option<(String, String)> {
    let is_quote = |c: &char| "“”„‟«»‘’‚‛`´".contains(*c);
    let sign = spot
        .rest
        .chars()
        .find(|c| !c.is_whitespace())
        .filter(is_quote)?;
    let name = match sign {
        '`' => "a backquote".to_owned(),
        _ => format!("`{sign}`"),
    };
    told(
        format!("{name} is not a quotation mark in TOML"),
        "write straight quotes: `\"…\"` or `'…'`",
    )
}

fn comment_sign(spot: &Spot<'_>) -> Option<(String, String)> {
    const SIGNS: &[&str] = &[
        "//", "/*", "<!--", "--", ";;", ";", "%", "REM ", "rem ", "dnl ",
    ];
    let is_behind = spot.parser.starts_with("unexpected key or value");
    let at = if is_behind { spot.rest } else { spot.line }.trim_start();
    let sign = SIGNS.iter().find(|sign| at.starts_with(**sign))?;
    let behind = at.get(sign.len()..).unwrap_or_default();
    // `"x" % y` is Python, and a lone `;` only ends a statement.
    let is_comment =
        !behind.trim().is_empty() && (*sign != "%" || !is_behind) && !at.starts_with("---");
    if !is_comment {
        return None;
    }
    told(
        format!("`{}` does not begin a comment", sign.trim()),
        "comments begin with `#`",
    )
}

fn word_of_python(spot: &Spot<'_>) -> Option<(String, String)> {
    let word = spot.word();
    if !spot.is_value() {
        return None;
    }
    let whole = spot.rest.get(word.len()..).unwrap_or_default();
    if whole.trim_start().starts_with(['(', '.', '\'', '"']) {
        return None;
    }
    match word.to_lowercase().as_str() {
        "none" | "null" | "nil" | "undef" => told(
            format!("there is no `{word}` here"),
            "leave the setting out",
        ),
        "true" | "yes" | "on" => told(format!("`{word}` is written `true`"), "write `true`"),
        "false" | "no" | "off" => told(format!("`{word}` is written `false`"), "write `false`"),
        _ => None,
    }
}

fn prefix_of_string(spot: &Spot<'_>) -> Option<(String, String)> {
    let word = spot.word();
    let is_prefix = (1..=2).contains(&word.len()) && word.chars().all(|c| "urbfURBF".contains(c));
    let behind = spot.rest.get(word.len()..)?;
    if !is_prefix || !behind.starts_with(['"', '\'']) {
        return None;
    }
    let help = match word.to_lowercase().contains('r') {
        true => "remove it: in single quotes a backslash stands for itself",
        false => "remove it: all text is Unicode",
    };
    told(format!("`{word}` before a string is Python"), help)
}

fn code(spot: &Spot<'_>) -> Option<(String, String)> {
    const STATEMENTS: &[&str] = &[
        "from ", "import ", "def ", "class ", "for ", "if ", "else:", "try:", "with ", "return ",
        "print",
    ];
    let line = spot.line.trim_start();
    let is_statement = STATEMENTS.iter().any(|word| line.starts_with(word)) && !is_setting(line);
    let name_end = spot
        .rest
        .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
    let name_end = name_end.unwrap_or(spot.rest.len());
    let (name, behind) = spot.rest.split_at_checked(name_end)?;
    let is_call = spot.is_value()
        && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && behind.starts_with('(');
    let is_lambda = name == "lambda";
    let is_sum = spot.parser.starts_with("unexpected key or value")
        && spot.rest.trim_start().starts_with(['+', '%', '*']);
    if !(is_statement || is_call || is_lambda || is_sum) {
        return None;
    }
    told(
        "there is no code in the configuration",
        "write the value itself: texts in quotes, lists in `[…]`",
    )
}

fn tuple(spot: &Spot<'_>) -> Option<(String, String)> {
    if !(spot.is_value() && spot.rest.starts_with('(')) {
        return None;
    }
    told(
        "there are no parentheses here",
        "write a list in brackets: `[…]`",
    )
}

fn assignment(spot: &Spot<'_>) -> Option<(String, String)> {
    let rest = spot.rest.trim_start();
    let sign = ["=>", "==", ":=", ":", "=", ">"]
        .into_iter()
        .find(|sign| rest.starts_with(*sign))?;
    let whole = match (spot.before.ends_with('='), sign) {
        (true, "=") => "==",
        (true, ">") => "=>",
        _ => sign,
    };
    if whole == "=" || whole == ">" {
        return None;
    }
    told(
        format!("`{whole}` stands between a key and its value"),
        "write `key = value`",
    )
}

fn separator(spot: &Spot<'_>) -> Option<(String, String)> {
    let rest = spot.rest.trim_start();
    let sign = rest.chars().next()?;
    let is_behind = spot.parser.starts_with("unexpected key or value");
    if is_behind && sign == ',' && spot.before.ends_with(|c: char| c.is_ascii_digit()) {
        let digits = |c: char| c.is_ascii_digit() || c == ',';
        if rest.len() > 3 && rest.chars().all(digits) {
            return told(
                "a number has no commas",
                "write the digits alone, or `_` between them",
            );
        }
    }
    if is_behind && (sign == ',' || sign == ';') {
        return told(
            format!("`{sign}` stands behind a setting"),
            format!("remove the `{sign}`: a setting ends with its line"),
        );
    }
    let value = rest.trim_end_matches([';', ' ']);
    if spot.is_value() && rest.ends_with(';') && !value.is_empty() {
        return told(
            "`;` stands behind a setting",
            "remove the `;`: a setting ends with its line",
        );
    }
    None
}

fn number(spot: &Spot<'_>) -> Option<(String, String)> {
    if spot.parser.contains("leading zero") {
        return told(
            "a number does not begin with 0",
            "write it without the zero, or `0o…` if it is octal",
        );
    }
    let value = spot.rest.split([',', ']', '}', '#']).next()?.trim();
    let starts = value.starts_with(|c: char| c.is_ascii_digit());
    if !(spot.is_value() && starts && spot.parser.starts_with("string values")) {
        return None;
    }
    if let Some(digits) = value.strip_suffix(['L', 'l'])
        && digits.chars().all(|c| c.is_ascii_digit())
    {
        return told("`L` behind a number is Python", format!("write `{digits}`"));
    }
    if value.contains(['*', '+', '/']) {
        return told(
            format!("`{value}` is not worked out"),
            "write the number, or a time such as \"5m\"",
        );
    }
    told(
        format!("`{value}` is not a number"),
        format!("put it in quotes: `\"{value}\"`"),
    )
}

fn backslash(spot: &Spot<'_>) -> Option<(String, String)> {
    let is_escape = spot.parser.contains("escape") || spot.parser.contains("unicode");
    if !is_escape {
        return None;
    }
    told(
        "in double quotes a backslash begins a special character",
        "write each backslash twice, or put the string in single quotes: 'C:\\dir'",
    )
}

fn header(spot: &Spot<'_>) -> Option<(String, String)> {
    let line = spot.line.trim();
    let is_header = spot.parser.starts_with("unclosed") && line.starts_with('[');
    let is_surplus = line.starts_with('[') && line.ends_with("]]") && !line.starts_with("[[");
    if !(is_header || is_surplus) {
        return None;
    }
    let name = line.trim_matches(['[', ']', ' ']);
    told(
        "the brackets of this table do not match",
        format!("write `[[{name}]]` for an entry of a list, and `[{name}]` for a table"),
    )
}

fn two_settings(spot: &Spot<'_>) -> Option<(String, String)> {
    let is_behind = spot.parser.starts_with("unexpected key or value");
    if !(is_behind && is_setting(spot.rest)) {
        return None;
    }
    told(
        "two settings are on one line",
        "write each on a line of its own",
    )
}

/// What would be right, as far as the parser's message tells.
fn general_help(message: &str) -> &'static str {
    if message.contains("duplicate") {
        "keep one of the two; several slaves, builders and so on begin with `[[…]]` in two brackets"
    } else if message.contains("string") {
        "put strings in quotes: `title = \"Example\"`; end a string with the quote that began it"
    } else if message.contains("key with no value") || message.contains("expected `=`") {
        "write a setting as `key = value`"
    } else {
        "write settings as `key = value`, strings in quotes, and lists in brackets with commas between entries"
    }
}
