//! Selectors of slaves and builders (CFL-50 to CFL-52).

use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::super::class::Class;
use super::super::pattern::{self, NamePatterns};
use super::super::spelling;
use super::super::tree::{Data, Fields, Node, Text};
use super::Farm;
use super::factories::PlainBuilder;

/// Something that can be selected.
#[derive(Debug)]
struct Candidate {
    name: Rc<str>,
    tags: Vec<Rc<str>>,
    properties: Map<String, Json>,
    /// Of a builder: its factory as the entry names it.
    factory: Option<Rc<str>>,
}

/// What can be selected, and what it is called.
#[derive(Debug)]
struct Candidates {
    noun: &'static str,
    all: Vec<Candidate>,
    /// Whether some could not be made; then nothing may be said about those that are not there.
    is_incomplete: bool,
}

/// A selector that was read.
struct Selector {
    tags: Vec<String>,
    not_tags: Vec<String>,
    name: Option<NamePatterns>,
    not_name: Option<NamePatterns>,
    properties: Map<String, Json>,
    factories: Option<Vec<String>>,
}

impl Farm<'_> {
    /// Puts names in the place of selectors.
    pub(super) fn select(&mut self, root: &mut Fields, builders: &[PlainBuilder]) {
        let is_incomplete = |farm: &Self, noun| farm.incomplete.contains(noun);
        let slaves = Candidates {
            noun: "slave",
            all: nodes(root, "slaves")
                .iter()
                .filter_map(|n| candidate(n, None))
                .collect(),
            is_incomplete: is_incomplete(self, "slave"),
        };
        for field in &mut root.0 {
            let Data::Array(entries) = &mut field.value.data else {
                continue;
            };
            if &*field.key == "builders" {
                let before = entries.len();
                entries.retain_mut(|node| self.select_slaves(node, &slaves));
                if entries.len() < before {
                    self.is_incomplete("builders");
                }
            }
        }
        let builders = self.candidates(builders);
        for field in &mut root.0 {
            let Data::Array(entries) = &mut field.value.data else {
                continue;
            };
            let kind = Rc::clone(&field.key);
            let before = entries.len();
            entries.retain_mut(|node| match &*kind {
                "schedulers" | "status" => self.select_in(node, &builders, false),
                "owners" => self.select_in(node, &builders, true),
                "permissions" => value_mut(node, "on").is_none_or(|on| {
                    self.select_in(on, &builders, true) & self.select_in(on, &slaves, true)
                }),
                _ => true,
            });
            if entries.len() < before {
                self.is_incomplete(&kind);
            }
        }
    }

    /// The builders that can be selected.
    fn candidates(&self, builders: &[PlainBuilder]) -> Candidates {
        let builders = builders.iter();
        let all = builders.filter_map(|made| candidate(&made.node, made.factory.clone()));
        Candidates {
            noun: "builder",
            all: all.collect(),
            is_incomplete: self.incomplete.contains("builder"),
        }
    }

    /// Puts names in the place of selectors in the steps of `factories` that end builds.
    pub(super) fn select_in_steps(&mut self, factories: &mut Node, builders: &[PlainBuilder]) {
        let builders = self.candidates(builders);
        let Data::Table(factories) = &mut factories.data else {
            return;
        };
        for factory in &mut factories.0 {
            let Some(Data::Array(steps)) =
                value_mut(&mut factory.value, "steps").map(|n| &mut n.data)
            else {
                continue;
            };
            for step in steps {
                let kind = value_mut(step, "type").and_then(|kind| kind.data.as_str());
                let ends_builds = kind.is_some_and(|kind| ENDING.contains(&kind));
                let has_selector = value_mut(step, "builders").is_some_and(|v| has_selector(v));
                if !ends_builds || !has_selector {
                    continue;
                }
                let is_whole = self.select_in(step, &builders, false);
                if let Some(value) = value_mut(step, "builders")
                    && (!is_whole || value.data.as_array().is_some_and(Vec::is_empty))
                {
                    // An empty list is all builders. No name is empty.
                    value.data = Data::Array(vec![Node {
                        place: value.place.clone(),
                        data: Data::Text(Text::new("")),
                    }]);
                }
            }
        }
    }

    /// Selects the slaves of a builder; gives whether it stays.
    fn select_slaves(&mut self, builder: &mut Node, slaves: &Candidates) -> bool {
        let name = name_of(builder);
        let Some(value) = value_mut(builder, "slaves") else {
            return true;
        };
        let Some(selected) = self.selected(value, slaves) else {
            return !has_selector(value);
        };
        if selected.is_empty() && has_selector(value) {
            if !slaves.is_incomplete {
                let message = format!("no slave is selected for builder `{name}`");
                let help = missing_tag(value, slaves);
                let place = value.place.clone();
                self.told.error(Class::NoMatch, place, message, help);
            }
            return false;
        }
        value.data = Data::Array(selected);
        true
    }

    /// Selects the builders or slaves of another entry, whose names there `are_patterns`; gives
    /// whether it stays.
    fn select_in(&mut self, node: &mut Node, from: &Candidates, are_patterns: bool) -> bool {
        let name = name_of(node);
        let noun = from.noun;
        let Some(value) = value_mut(node, &format!("{noun}s")) else {
            return true;
        };
        let Some(mut selected) = self.selected(value, from) else {
            return !has_selector(value);
        };
        if selected.is_empty() && !from.is_incomplete {
            let message = match name.as_str() {
                "" => format!("no {noun} is selected"),
                name => format!("no {noun} is selected for `{name}`"),
            };
            let help = missing_tag(value, from);
            let place = value.place.clone();
            self.told.warning(Class::NoMatch, place, message, help);
        }
        if are_patterns {
            let entries = Data::one_or_list(value).iter();
            let selectors: Vec<_> = entries.filter(|entry| entry.data.is_table()).collect();
            for node in &mut selected {
                if let Data::Text(name) = &node.data
                    && selectors
                        .iter()
                        .any(|selector| selector.place == node.place)
                {
                    node.data = Data::Text(Text::new(&pattern::escape(&name.value)));
                }
            }
        }
        value.data = Data::Array(selected);
        true
    }

    /// The names and those of the selectors in `value`, each once; nothing if it has no selectors,
    /// or wrong ones.
    fn selected(&mut self, value: &Node, from: &Candidates) -> Option<Vec<Node>> {
        has_selector(value).then_some(())?;
        let entries = Data::one_or_list(value);
        let mut out: Vec<Node> = Vec::new();
        let mut is_whole = true;
        let written: Vec<&str> = entries.iter().filter_map(|e| e.data.as_str()).collect();
        let mut seen = vec![false; from.all.len()];
        for (at, candidate) in from.all.iter().enumerate() {
            if let (Some(seen), true) = (seen.get_mut(at), written.contains(&&*candidate.name)) {
                *seen = true;
            }
        }
        for entry in entries {
            let Data::Table(fields) = &entry.data else {
                out.push(entry.clone());
                continue;
            };
            let Some(selector) = self.selector(entry, fields, from) else {
                is_whole = false;
                continue;
            };
            for (candidate, seen) in from.all.iter().zip(&mut seen) {
                if !*seen && selector.takes(candidate) {
                    *seen = true;
                    out.push(Node {
                        place: entry.place.clone(),
                        data: Data::Text(Text::new(&candidate.name)),
                    });
                }
            }
        }
        is_whole.then_some(out)
    }

    fn selector(&mut self, node: &Node, fields: &Fields, from: &Candidates) -> Option<Selector> {
        let mut selector = Selector {
            tags: Vec::new(),
            not_tags: Vec::new(),
            name: None,
            not_name: None,
            properties: Map::new(),
            factories: None,
        };
        let mut is_whole = true;
        for field in fields.iter() {
            let value = &field.value;
            match &*field.key {
                "tags" => selector.tags = self.texts(value)?,
                "not_tags" => selector.not_tags = self.texts(value)?,
                "name" => selector.name = Some(self.patterns(value)?),
                "not_name" => selector.not_name = Some(self.patterns(value)?),
                "properties" => {
                    if let Json::Object(map) = value.json() {
                        selector.properties = map;
                    } else {
                        let message = "`properties` of a selector is a table";
                        let place = value.place.clone();
                        self.told.error(Class::WrongType, place, message, "");
                        is_whole = false;
                    }
                }
                "factory" if from.noun == "builder" => {
                    let names = self.texts(value)?;
                    is_whole &= self.are_factories(&names, node);
                    selector.factories = Some(names);
                }
                key => {
                    let mut known = vec!["tags", "not_tags", "name", "not_name", "properties"];
                    if from.noun == "builder" {
                        known.push("factory");
                    }
                    let help = match spelling::nearest(key, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("it has {}", spelling::listing(&known)),
                    };
                    let message = format!("a selector of {}s has no `{key}`", from.noun);
                    let place = node.place.clone();
                    self.told.error(Class::UnknownKey, place, message, help);
                    is_whole = false;
                }
            }
        }
        is_whole.then_some(selector)
    }

    /// Whether there are factories of these names.
    fn are_factories(&mut self, names: &[String], node: &Node) -> bool {
        let known = self.factories.names();
        let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) else {
            return true;
        };
        let help = match spelling::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the factories are {}", spelling::listing(&known)),
        };
        let message = format!("there is no factory `{name}`");
        let place = node.place.clone();
        self.told
            .error(Class::UnknownReference, place, message, help);
        false
    }

    /// A string or a list of strings.
    fn texts(&mut self, node: &Node) -> Option<Vec<String>> {
        let entries = Data::one_or_list(node);
        let texts = entries.iter().map(|entry| entry.data.as_str());
        let texts: Option<Vec<String>> = texts.map(|text| text.map(str::to_owned)).collect();
        if texts.is_none() {
            let message = "a selector needs a string or a list of strings here";
            let place = node.place.clone();
            self.told.error(Class::WrongType, place, message, "");
        }
        texts
    }

    fn patterns(&mut self, node: &Node) -> Option<NamePatterns> {
        let texts = self.texts(node)?;
        match NamePatterns::new(&texts) {
            Ok(patterns) => Some(patterns),
            Err(error) => {
                let place = node.place.clone();
                self.told
                    .error(Class::Pattern, place, error.to_string(), "");
                None
            }
        }
    }
}

impl Selector {
    fn takes(&self, candidate: &Candidate) -> bool {
        let has = |tag: &String| candidate.tags.iter().any(|own| **own == **tag);
        let name = &*candidate.name;
        let mut properties = self.properties.iter();
        self.tags.iter().all(has)
            && !self.not_tags.iter().any(has)
            && self
                .name
                .as_ref()
                .is_none_or(|wanted| wanted.is_match(name))
            && !self.not_name.as_ref().is_some_and(|not| not.is_match(name))
            && properties.all(|(name, value)| candidate.properties.get(name) == Some(value))
            && self.factories.as_ref().is_none_or(|wanted| {
                let own = candidate.factory.as_deref();
                wanted.iter().any(|name| own == Some(name.as_str()))
            })
    }
}

/// The kinds of step that end builds of the builders that they list.
const ENDING: [&str; 2] = ["CancelRelatedBuilds", "StopRelatedBuilds"];

/// What says that a wanted tag is nobody's.
fn missing_tag(value: &Node, from: &Candidates) -> String {
    let entries = Data::one_or_list(value);
    let tables = entries.iter().filter_map(|entry| entry.data.as_table());
    let tags = tables.filter_map(|table| table.get("tags"));
    let tags = tags.flat_map(Data::one_or_list);
    let tags = tags.filter_map(|tag| tag.data.as_str());
    let has = |tag: &str| {
        from.all
            .iter()
            .any(|one| one.tags.iter().any(|own| &**own == tag))
    };
    let mut tags = tags;
    let Some(tag) = tags.find(|tag| !has(tag)) else {
        return String::new();
    };
    let all = from
        .all
        .iter()
        .flat_map(|one| one.tags.iter().map(|own| &**own));
    match spelling::nearest(tag, all) {
        Some(near) => format!(
            "no {} has the tag `{tag}`; did you mean `{near}`?",
            from.noun
        ),
        None => format!("no {} has the tag `{tag}`", from.noun),
    }
}

fn has_selector(value: &Node) -> bool {
    let mut entries = Data::one_or_list(value).iter();
    entries.any(|entry| entry.data.is_table())
}

fn nodes<'n>(root: &'n Fields, key: &str) -> &'n [Node] {
    let list = root.get(key).and_then(|node| node.data.as_array());
    list.map_or(&[], Vec::as_slice)
}

fn value_mut<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    let Data::Table(fields) = &mut node.data else {
        return None;
    };
    let mut fields = fields.0.iter_mut();
    fields
        .find(|field| &*field.key == key)
        .map(|field| &mut field.value)
}

fn name_of(node: &Node) -> String {
    let name = node.data.as_table().and_then(|table| table.get("name"));
    let name = name.and_then(|name| name.data.as_str());
    name.unwrap_or_default().to_owned()
}

fn candidate(node: &Node, factory: Option<Rc<str>>) -> Option<Candidate> {
    let table = node.data.as_table()?;
    let tags = table.get("tags").and_then(|tags| tags.data.as_array());
    let tags = tags
        .into_iter()
        .flatten()
        .filter_map(|tag| tag.data.as_str());
    let properties = match table.get("properties").map(Node::json) {
        Some(Json::Object(map)) => map,
        Some(_) | None => Map::new(),
    };
    Some(Candidate {
        name: table.get("name")?.data.as_str()?.into(),
        tags: tags.map(Rc::from).collect(),
        properties,
        factory,
    })
}
