//! Arguments: what `with` gives, and what of it a factory does not know (CFL-42).

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::super::super::class::Class;
use super::super::super::expression::Given;
use super::super::super::spelling;
use super::super::super::tree::Node;
use super::super::Farm;
use super::super::defaults::{Part, Setting};
use super::super::filling::Env;

/// An argument as it is given.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) name: Rc<str>,
    pub(super) value: Given,
    /// The place of its name.
    place: Range<usize>,
}

/// Arguments that the rows of an entry give, and whether one of their factories knows them.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    seen: BTreeMap<Rc<str>, Seen>,
    /// Whether a factory of a row could not be looked at.
    pub(super) is_unsure: bool,
}

#[derive(Debug)]
struct Seen {
    argument: Argument,
    factory: String,
    is_known: bool,
}

impl Unknown {
    /// Notes that a row gives `argument` to `factory`.
    pub(super) fn note(&mut self, argument: &Argument, is_known: bool, factory: &str) {
        match self.seen.get_mut(&argument.name) {
            Some(seen) => seen.is_known |= is_known,
            None => {
                let seen = Seen {
                    argument: argument.clone(),
                    factory: factory.to_owned(),
                    is_known,
                };
                self.seen.insert(Rc::clone(&argument.name), seen);
            }
        }
    }
}

/// Equal for equal arguments.
pub(super) fn key_of(values: &BTreeMap<String, Given>) -> String {
    let values = values.iter();
    let values = values.map(|(name, value)| (name.clone(), Json::clone(value.json())));
    Json::Object(Map::from_iter(values)).to_string()
}

impl<'t> Farm<'t> {
    /// The arguments of `with`.
    pub(super) fn arguments_of(
        &mut self,
        given: &Setting<'t>,
        (env, below): (&Env, &Env),
    ) -> Option<Vec<Argument>> {
        let own = if given.is_own { env } else { below };
        let parts: Vec<(&'t Rc<str>, &'t Range<usize>, bool, &'t Node)> = match &given.value {
            Part::Table(_, settings) => {
                let parts = settings.iter().filter_map(|part| match part.value {
                    Part::Whole(node) => Some((part.key, part.key_place, part.is_own, node)),
                    Part::Table(..) => None,
                });
                parts.collect()
            }
            Part::Whole(node) => {
                let Some(fields) = node.data.as_table() else {
                    let message = format!("`with` is a table, not {}", node.data.noun());
                    let place = (&node.place, own.context);
                    self.told.error_in(Class::WrongType, place, message, "");
                    return None;
                };
                let parts = fields.iter();
                let parts = parts.map(|f| (&f.key, &f.key_place, given.is_own, &f.value));
                parts.collect()
            }
        };
        let mut arguments = Vec::with_capacity(parts.len());
        let mut is_whole = true;
        for (name, place, is_own, node) in parts {
            let own = if is_own { env } else { below };
            match self.json(node, own) {
                Some(value) => arguments.push(Argument {
                    name: Rc::clone(name),
                    value: Given::new(value),
                    place: self.told.places.within(place, own.context),
                }),
                None => is_whole = false,
            }
        }
        is_whole.then_some(arguments)
    }

    pub(super) fn refuse_argument(&mut self, argument: &Argument, factory: &str) {
        let names = self.studied(factory);
        let names = names
            .as_ref()
            .map_or_else(Vec::new, |studied| studied.names());
        let help = match spelling::nearest(&argument.name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "it has none".to_owned(),
            None => format!("it has {}", spelling::listing(&names)),
        };
        let message = format!("factory `{factory}` has no argument `{}`", argument.name);
        let place = argument.place.clone();
        self.told.error(Class::Argument, place, message, help);
    }

    /// Tells the arguments that no row of an entry could use (CFL-42).
    pub(super) fn tell_unknown_arguments(&mut self, unknown: Unknown) {
        if unknown.is_unsure {
            return;
        }
        for (_, seen) in unknown.seen {
            if !seen.is_known {
                let (place, _) = self.told.places.real(&seen.argument.place);
                let argument = Argument {
                    place: place..place + seen.argument.name.len(),
                    ..seen.argument
                };
                self.refuse_argument(&argument, &seen.factory);
            }
        }
    }
}
