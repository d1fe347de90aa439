//! What is collected while a farm is translated: questions, secrets, and what people are told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::bundle::Bundle;
use super::dump::Place;
use super::item::{Item, Table};
use super::questions::{Ask, Questions};
use super::spot::{Gap, Spot};

/// A value, nothing where the setting is left out, or why there is none.
pub(super) type Got = Result<Option<Item>, Gap>;

/// Something to be told, how often it was met, and where first.
pub(super) type Told = BTreeMap<String, (usize, String)>;

/// All that is collected.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// The questions.
    pub(super) questions: Questions,
    /// Files with secrets: names below `secrets/`, and what is in them.
    pub(super) secrets: BTreeMap<String, String>,
    /// `[values]`.
    pub(super) values: BTreeMap<String, String>,
    /// What the answers to step classes say, by the names of their questions.
    pub(super) bundles: BTreeMap<String, Bundle>,
    /// `[locks]`.
    pub(super) locks: BTreeMap<String, Table>,
    /// What this program does not have.
    pub(super) missing: Told,
    /// What a person should look at.
    pub(super) look: Told,
    /// What has no meaning here.
    pub(super) left_out: Told,
    /// Builders that wait for something, by their index.
    pub(super) waiting: BTreeMap<usize, BTreeSet<String>>,
    /// Where it is.
    pub(super) spot: Spot,
    /// Passwords that have to be made up: names below `secrets/`.
    pub(super) made_up: BTreeSet<String>,
    /// Where each slave was made.
    pub(super) slave_places: BTreeMap<String, String>,
    /// The function that chooses slaves for all builders that say nothing.
    pub(super) choice: Option<Json>,
}

impl Desk {
    /// Notes that this program does not have `what`.
    pub(super) fn misses(&mut self, what: impl Into<String>) -> Gap {
        let place = self.place();
        count(&mut self.missing, what.into(), place);
        Gap::Missing
    }

    /// Notes what a person should look at.
    pub(super) fn look_at(&mut self, what: impl Into<String>) {
        let place = self.place();
        count(&mut self.look, what.into(), place);
    }

    /// Notes what is left out without loss.
    pub(super) fn leave_out(&mut self, what: impl Into<String>) {
        let place = self.place();
        count(&mut self.left_out, what.into(), place);
    }

    /// Where it is, for people.
    fn place(&self) -> String {
        match &self.spot.at {
            Some(at) => format!("{}, {}", Place::show(Some(at)), self.spot.what),
            None => self.spot.what.clone(),
        }
    }

    /// Asks what a function decides; its answer, or none if it is to be left out.
    pub(super) fn ask(&mut self, ask: Ask, function: &Json) -> Result<Option<Json>, Gap> {
        self.questions.function(ask, function, &self.spot)
    }

    /// Asks what an own class does.
    pub(super) fn ask_class(
        &mut self,
        ask: Ask,
        class: &str,
        place: String,
    ) -> Result<Option<Json>, Gap> {
        self.questions.class(ask, class, place, &self.spot)
    }

    /// The file of a password that nobody has: it is made up when the files are written.
    pub(super) fn new_password(&mut self, wanted: &str) -> String {
        let name = self.file_name(wanted);
        self.made_up.insert(name.clone());
        format!("secrets/{name}")
    }

    /// A free name below `secrets/`.
    fn file_name(&self, wanted: &str) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let replaced = wanted.chars().map(|c| if is_plain(c) { c } else { '_' });
        let is_taken = |name: &str| self.secrets.contains_key(name) || self.made_up.contains(name);
        unused(&replaced.collect::<String>(), is_taken)
    }

    /// The file of a secret, whose name begins as `wanted` if it is new.
    pub(super) fn secret(&mut self, wanted: &str, secret: &str) -> String {
        let known = self.secrets.iter().find(|(_, text)| *text == secret);
        if let Some((name, _)) = known {
            return format!("secrets/{name}");
        }
        let name = self.file_name(wanted);
        self.secrets.insert(name.clone(), secret.to_owned());
        format!("secrets/{name}")
    }

    /// A text with all secrets masked.
    pub(super) fn masked(&self, text: &str) -> String {
        let mut secrets: Vec<&String> = self.secrets.values().filter(|s| s.len() > 3).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let mask = |text: String, secret: &&String| masked_in(&text, secret);
        secrets.iter().fold(text.to_owned(), mask)
    }
}

/// A text without a secret. A short one, such as `pass`, is also a part of common words, and there
/// it stays.
fn masked_in(text: &str, secret: &str) -> String {
    const SHORT: usize = 8;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(secret) {
        out.push_str(before);
        let is_part = out.ends_with(is_word) || after.starts_with(is_word);
        let stays = is_part && secret.len() < SHORT;
        out.push_str(if stays { secret } else { "***" });
        rest = after;
    }
    out + rest
}

/// `wanted`, with a number behind it if it is taken.
pub(super) fn unused(wanted: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|n| format!("{wanted}-{n}"));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    names.find(|name| !is_taken(name)).unwrap_or_default()
}

fn count(told: &mut Told, what: String, place: String) {
    let entry = told.entry(what).or_insert((0, place));
    entry.0 += 1;
}
