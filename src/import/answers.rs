//! `answers.toml`: the questions with what people have answered (IMP-21 to IMP-24).

use serde_json::Value as Json;
use std::collections::BTreeMap;

use super::desk::Desk;
use super::emit::HEAD;
use super::item::Item;
use super::questions::{Answer, Question};

/// What the file begins with.
const ABOUT: &str = "# One question for each function of the farm's that decides something. Answer with an\n\
                     # expression, or with a table as the example says; `skip = true` leaves it out for good.\n\
                     # Then run import-config again with --force.\n";

/// Reads the answers that are there.
///
/// # Errors
/// It is not TOML, or a question has no id.
pub(super) fn read(text: &str) -> Result<BTreeMap<String, Answer>, String> {
    let file: Json = toml::from_str(text).map_err(|error| format!("answers.toml: {error}"))?;
    let mut answers = BTreeMap::new();
    let questions = file.get("question").and_then(Json::as_array);
    for question in questions.into_iter().flatten() {
        let id = question.get("id").and_then(Json::as_str);
        let id = id.ok_or("answers.toml: a [[question]] has no `id`: give it one, or remove it")?;
        if question.get("skip").and_then(Json::as_bool) == Some(true) {
            answers.insert(id.to_owned(), Answer::Skip);
            continue;
        }
        match question.get("answer") {
            None => {}
            Some(Json::String(text)) if text.trim().is_empty() => {}
            Some(answer) => {
                answers.insert(id.to_owned(), Answer::Given(answer.clone()));
            }
        }
    }
    Ok(answers)
}

/// The line of the answer of a question, from 1.
pub(super) fn line_of(text: &str, id: &str) -> usize {
    let wanted = format!("id = \"{id}\"");
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.iter().position(|line| line.starts_with(&wanted));
    let start = start.unwrap_or(0);
    let rest = lines.iter().skip(start);
    let answer = rest.clone().position(|line| line.starts_with("answer"));
    start + answer.unwrap_or(0) + 1
}

/// The file with all questions: what is there stays, new ones are added, gone ones are marked.
pub(super) fn write(old: Option<&str>, desk: &Desk) -> String {
    let mut out = match old {
        Some(old) => with_gone(old, desk),
        None => format!("{HEAD}\n{ABOUT}"),
    };
    let mut questions: Vec<&Question> = desk.questions.all.iter().collect();
    questions.sort_by_key(|question| std::cmp::Reverse(question.uses));
    for question in questions {
        let is_there = old.is_some_and(|old| {
            let wanted = format!("id = \"{}\"", question.id);
            old.lines().any(|line| line.starts_with(&wanted))
        });
        if !is_there {
            push(&mut out, question, desk);
        }
    }
    out
}

/// The text of the file, with `gone = true` below the name of each question that the farm does not
/// have any more.
fn with_gone(old: &str, desk: &Desk) -> String {
    let mut out = String::new();
    let mut lines = old.lines().peekable();
    while let Some(line) = lines.next() {
        out.extend([line, "\n"]);
        let id = line
            .strip_prefix("id = \"")
            .and_then(|rest| rest.split('"').next());
        let Some(id) = id else { continue };
        let is_here = desk.questions.all.iter().any(|question| question.id == id);
        let is_marked = lines.peek().is_some_and(|next| next.starts_with("gone = "));
        if !is_here && !is_marked {
            out.push_str("gone = true\n");
        }
    }
    out
}

fn push(out: &mut String, question: &Question, desk: &Desk) {
    let mut pair = |key: &str, value: &Item| {
        out.extend([key, " = "]);
        value.write(out);
        out.push('\n');
    };
    pair("\n[[question]]\nid", &Item::text(&question.id));
    pair("kind", &Item::text(question.ask.name()));
    pair("where", &Item::text(&question.place));
    let uses = Item::Number(question.uses.into());
    pair("uses", &uses);
    pair("first", &Item::text(&question.example));
    let given = question.given.iter();
    let given: serde_json::Map<String, Json> =
        given.map(|(k, v)| (k.clone(), masked(v, desk))).collect();
    if let (false, Some(given)) = (given.is_empty(), Item::plain(&Json::Object(given))) {
        pair("given", &given);
    }
    if let Some(source) = &question.source {
        let reads = reads(source);
        if !reads.is_empty() {
            pair("reads", &Item::texts(reads));
        }
        let source = desk.masked(source);
        if source.contains("'''") {
            pair("source", &Item::Text(source));
        } else {
            out.push_str(&format!("source = '''\n{}'''\n", source.replace('\r', "")));
        }
    }
    out.extend([
        "answer = \"\"  # for example: ",
        question.ask.example(),
        "\n",
    ]);
}

fn masked(value: &Json, desk: &Desk) -> Json {
    match value {
        Json::String(text) => Json::String(desk.masked(text)),
        Json::Array(entries) => entries.iter().map(|v| masked(v, desk)).collect(),
        Json::Object(entries) => {
            let entries = entries.iter();
            entries.map(|(k, v)| (k.clone(), masked(v, desk))).collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}

/// The properties that a source text names.
fn reads(source: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for call in ["getProperty(", "hasProperty(", "props[", "properties["] {
        for (at, _) in source.match_indices(call) {
            let rest = source.get(at + call.len()..).unwrap_or_default();
            let Some(quote) = rest.chars().next().filter(|c| "'\"".contains(*c)) else {
                continue;
            };
            let name = rest.split(quote).nth(1).unwrap_or_default().to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
