//! The questions: one for each function of the farm's that decides something, and for each class of
//! its own with code (IMP-20 to IMP-24).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::spot::{Gap, Spot};
use crate::config::expression::{Expression, Mode, literal};

/// What a question is about, which says what its answer becomes (IMP-22).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Ask {
    /// Whether a builder may build now.
    Veto,
    /// Whether a step runs, or is hidden.
    Condition,
    /// A text, a list or a table that is worked out while a build runs.
    Value,
    /// Properties from the output of a command.
    Extract,
    /// The result of a step.
    Result,
    /// Which request goes first.
    Order,
    /// Which slave is taken.
    Choice,
    /// Which requests share a build.
    Merging,
    /// Which changes a scheduler looks at.
    Filter,
    /// Which changes are important.
    Importance,
    /// What a step of an own class does.
    StepClass,
    /// What a scheduler of an own class does.
    SchedulerClass,
    /// What an own change source does.
    ChangeSource,
    /// What an own status target does.
    StatusClass,
    /// What a slave of an own class does.
    Slave,
}

impl Ask {
    /// Its name in `answers.toml`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Veto => "veto",
            Self::Condition => "condition",
            Self::Value => "value",
            Self::Extract => "extract",
            Self::Result => "result",
            Self::Order => "order",
            Self::Choice => "choice",
            Self::Merging => "merging",
            Self::Filter => "filter",
            Self::Importance => "importance",
            Self::StepClass => "step class",
            Self::SchedulerClass => "scheduler class",
            Self::ChangeSource => "change source",
            Self::StatusClass => "status class",
            Self::Slave => "slave",
        }
    }

    /// What an answer may look like.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Veto => "\"'big' in slave.tags\"",
            Self::Condition => "\"prop.clean == 'yes'\"",
            Self::Value => "\"(prop.cpus | int) + 1\" or { text = \"%(prop:branch)s\" }",
            Self::Extract => "{ revision = \"stdout | trim\" }",
            Self::Result => "{ result = \"'warnings' if rc == 2\" }",
            Self::Order => "[\"prop.tag is defined\"]",
            Self::Choice => "[\"-slave.running\"] or \"first\"",
            Self::Merging => "{ merge_by = [\"prop.board\"] } or false",
            Self::Filter => "\"'[skip]' not in change.comments\"",
            Self::Importance => "\"change.files | outside('doc/**')\"",
            Self::StepClass => {
                "{ type = \"ShellCommand\", command = [\"make\", \"{{ target }}\"] }"
            }
            Self::SchedulerClass => "{ type = \"AnyBranch\" }",
            Self::ChangeSource => "{ type = \"PB\", password_file = \"secrets/change\" }",
            Self::StatusClass => "{ type = \"MailNotifier\", from = \"ci@example.org\" }",
            Self::Slave => "{ max_builds = 1 }",
        }
    }
}

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// Its name.
    pub(super) id: String,
    /// What it is about.
    pub(super) ask: Ask,
    /// `file:line`.
    pub(super) place: String,
    /// In how many places the function stands.
    pub(super) uses: usize,
    /// Where it stands first.
    pub(super) example: String,
    /// The builders that it concerns.
    pub(super) builders: BTreeSet<usize>,
    /// What it has caught, in the first place where it stands.
    pub(super) given: BTreeMap<String, Json>,
    /// Its source text.
    pub(super) source: Option<String>,
    /// Whether there is an answer.
    pub(super) is_answered: bool,
}

/// An answer of `answers.toml`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// It is left out for good.
    Skip,
    /// What stands for it.
    Given(Json),
}

/// All questions, and the answers that are there.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// The questions, in the order in which they were met.
    pub(super) all: Vec<Question>,
    /// By file, line and name; the index in `all`.
    known: BTreeMap<(String, String), usize>,
    /// Names that more than one function has.
    ambiguous: BTreeSet<String>,
    /// The answers by the names of their questions.
    answers: BTreeMap<String, Answer>,
    /// What is wrong with answers, by the names of their questions.
    pub(super) wrong: BTreeMap<String, String>,
}

impl Questions {
    /// For a farm with this dump, with the answers that are there.
    pub(super) fn new(dump: &Json, answers: BTreeMap<String, Answer>) -> Self {
        let mut places = BTreeMap::new();
        find_functions(dump, &mut places);
        let several = places.into_iter().filter(|(_, places)| places.len() > 1);
        Self {
            ambiguous: several.map(|(name, _)| name).collect(),
            answers,
            ..Self::default()
        }
    }

    /// Asks what a function decides.
    pub(super) fn function(
        &mut self,
        ask: Ask,
        function: &Json,
        spot: &Spot,
    ) -> Result<Option<Json>, Gap> {
        let (name, place, line) = identity(function);
        let mut id = words(&name);
        if self.ambiguous.contains(&id) {
            id = format!("{id}_{line}");
        }
        let given = function.get("given").and_then(Json::as_object);
        let given: BTreeMap<String, Json> = given
            .map(|given| given.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
            .unwrap_or_default();
        let at = self.met(ask, (place, name), id, spot);
        let question = self.all.get_mut(at).ok_or(Gap::Missing)?;
        if question.uses == 1 {
            question.given.clone_from(&given);
            let source = function.get("source").and_then(Json::as_str);
            question.source = source.map(str::to_owned);
        }
        self.answer(at, &given)
    }

    /// Asks what an own class does; `place` is where its code is.
    pub(super) fn class(
        &mut self,
        ask: Ask,
        class: &str,
        place: String,
        spot: &Spot,
    ) -> Result<Option<Json>, Gap> {
        let at = self.met(ask, (place, class.to_owned()), words(class), spot);
        self.answer(at, &BTreeMap::new())
    }

    /// The name of the question of an own class, which was asked.
    pub(super) fn id_of_class(&self, class: &str, place: String) -> String {
        let at = self.known.get(&(place, class.to_owned()));
        at.map_or_else(String::new, |at| self.id(*at).to_owned())
    }

    /// Counts a use of the question with this place and name; its index.
    fn met(&mut self, ask: Ask, key: (String, String), id: String, spot: &Spot) -> usize {
        let next = self.all.len();
        let at = *self.known.entry(key.clone()).or_insert(next);
        if at == next {
            let is_taken = |id: &String| self.all.iter().any(|q| q.id == *id);
            let line = key.0.rsplit(':').next().unwrap_or_default();
            let numbers = (2..).map(|n| format!("{id}_{line}_{n}"));
            let mut ids = [id.clone(), format!("{id}_{line}")]
                .into_iter()
                .chain(numbers);
            let id = ids.find(|id| !is_taken(id)).unwrap_or_default();
            self.all.push(Question {
                id,
                ask,
                place: key.0,
                uses: 0,
                example: spot.what.clone(),
                builders: BTreeSet::new(),
                given: BTreeMap::new(),
                source: None,
                is_answered: false,
            });
        }
        if let Some(question) = self.all.get_mut(at) {
            question.uses += 1;
            question.builders.extend(spot.builders.iter().copied());
        }
        at
    }

    fn answer(&mut self, at: usize, given: &BTreeMap<String, Json>) -> Result<Option<Json>, Gap> {
        let question = self.all.get_mut(at).ok_or(Gap::Missing)?;
        let answer = self.answers.get(&question.id).ok_or(Gap::Open(at))?;
        question.is_answered = true;
        Ok(match answer {
            Answer::Skip => None,
            Answer::Given(answer) => {
                let answer = with_literals(answer, given);
                if let Some(wrong) = mistake(question.ask, &answer) {
                    self.wrong.insert(question.id.clone(), wrong);
                }
                Some(answer)
            }
        })
    }

    /// The name of a question.
    pub(super) fn id(&self, at: usize) -> &str {
        self.all.get(at).map_or("", |question| question.id.as_str())
    }

    /// The questions without an answer.
    pub(super) fn open(&self) -> impl Iterator<Item = &Question> {
        self.all.iter().filter(|question| !question.is_answered)
    }
}

/// Name, place and line of a function.
fn identity(function: &Json) -> (String, String, String) {
    let text = |key: &str| function.get(key).and_then(Json::as_str).unwrap_or_default();
    let line = function.get("line").and_then(Json::as_u64);
    let line = line.map_or_else(String::new, |line| line.to_string());
    let place = format!("{}:{line}", text("file"));
    (text("name").to_owned(), place, line)
}

/// Letters, digits and `_` of a name, not first a digit.
pub(super) fn words(name: &str) -> String {
    let is_word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let id: String = name.chars().filter(is_word).collect();
    match id.chars().next() {
        Some(first) if first.is_ascii_digit() => format!("_{id}"),
        Some(_) => id,
        None => "function".to_owned(),
    }
}

/// Whether `value` is a function or a renderer.
pub(super) fn is_function(value: &Json) -> bool {
    let mark = value.get("!").and_then(Json::as_str);
    matches!(mark, Some("function" | "renderer"))
}

/// The function that an object such as a `Transform` calls; the other arguments are what it has
/// caught.
pub(super) fn inner_function(value: &Json) -> Option<Json> {
    if value.get("!").and_then(Json::as_str) != Some("object") || operands(value).is_some() {
        return None;
    }
    let args = value.get("args").and_then(Json::as_object)?;
    let (key, function) = args.iter().find(|(_, arg)| is_function(arg))?;
    let mut function = function.clone();
    let given = function.as_object_mut()?.entry("given");
    let given = given.or_insert_with(|| Json::Object(serde_json::Map::new()));
    let others = args.iter().filter(|(name, _)| *name != key && *name != "*");
    for (name, other) in others {
        given.as_object_mut()?.insert(name.clone(), other.clone());
    }
    Some(function)
}

/// Both sides of a comparison or calculation such as `Property("x") == "y"`, and its operator.
pub(super) fn operands(value: &Json) -> Option<(&Json, &str, &Json)> {
    if value.get("class").and_then(Json::as_str) != Some("_OperatorRenderer") {
        return None;
    }
    let args = value.get("args")?;
    Some((
        args.get("v1")?,
        args.get("cstr")?.as_str()?,
        args.get("v2")?,
    ))
}

/// The names of all functions in `value`, each with its places.
fn find_functions(value: &Json, found: &mut BTreeMap<String, BTreeSet<String>>) {
    if is_function(value) {
        let (name, place, _) = identity(value);
        found.entry(words(&name)).or_default().insert(place);
    }
    match value {
        Json::Array(entries) => entries.iter().for_each(|v| find_functions(v, found)),
        Json::Object(entries) => entries.values().for_each(|v| find_functions(v, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// What is wrong with the expressions of an answer.
fn mistake(ask: Ask, answer: &Json) -> Option<String> {
    let wrong = |text: &str| {
        let compiled = Expression::compile(text, Mode::Running, "answer");
        compiled.err().map(|mistake| mistake.message)
    };
    match (ask, answer) {
        (Ask::Condition | Ask::Value | Ask::Veto, Json::String(text))
        | (Ask::Filter | Ask::Importance, Json::String(text)) => wrong(text),
        (Ask::Condition, Json::Bool(_)) => None,
        (Ask::Order | Ask::Choice | Ask::Merging, Json::Array(list)) => {
            list.iter().filter_map(Json::as_str).find_map(wrong)
        }
        (Ask::Extract, Json::Object(table)) => {
            table.values().filter_map(Json::as_str).find_map(wrong)
        }
        (Ask::Condition | Ask::Extract, _) => Some(format!("write {}", ask.example())),
        (
            Ask::StepClass
            | Ask::SchedulerClass
            | Ask::ChangeSource
            | Ask::StatusClass
            | Ask::Slave,
            answer,
        ) if !answer.is_object() => Some(format!("write a table: {}", ask.example())),
        _ => None,
    }
}

/// `answer` with what a function has caught as literals in the place of `{{ name }}` (IMP-23).
fn with_literals(answer: &Json, given: &BTreeMap<String, Json>) -> Json {
    match answer {
        Json::String(text) => Json::String(filled(text, |name| given.get(name).map(literal))),
        Json::Array(entries) => entries.iter().map(|v| with_literals(v, given)).collect(),
        Json::Object(entries) => {
            let entries = entries.iter();
            entries
                .map(|(key, value)| (key.clone(), with_literals(value, given)))
                .collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => answer.clone(),
    }
}

/// `text` with the values of names in the place of `{{ name }}`; what has no value stays.
pub(super) fn filled(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        match after.split_once("}}") {
            Some((name, behind)) => {
                match value(name.trim()) {
                    Some(value) => out.push_str(&value),
                    None => out.extend(["{{", name, "}}"]),
                }
                rest = behind;
            }
            None => {
                out.push_str("{{");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
