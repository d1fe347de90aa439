//! Which names texts use, and which can be names (CFL-10, CFL-41).

use std::ops::Range;
use std::rc::Rc;

use super::super::class::Class;
use super::super::expression::{self, Expression};
use super::super::places::ContextId;
use super::super::tree::{Data, Field, Node};
use super::super::visible;
use super::Farm;
use super::braces::Parsed;

/// A name in a text.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    /// Its place in the files.
    pub(super) place: Range<usize>,
}

/// Whether `name` is known when a build runs.
pub(super) fn is_of_run_time(name: &str) -> bool {
    visible::names().any(|known| known == name)
}

impl Farm<'_> {
    /// The text `text` with its braces found; nothing if it has none.
    pub(super) fn parse(&mut self, text: &Rc<str>) -> Option<Rc<Parsed>> {
        if !text.contains("{{") {
            return None;
        }
        if let Some(known) = self.texts.get(text) {
            return Some(Rc::clone(known));
        }
        let parsed = Rc::new(Parsed::of(text));
        for braces in parsed.all() {
            if let Ok(expression) = &braces.expression {
                self.note_names(expression);
            }
        }
        self.texts.insert(Rc::clone(text), Rc::clone(&parsed));
        Some(parsed)
    }

    /// Notes that `expression` uses its names.
    pub(super) fn note_names(&mut self, expression: &Expression) {
        for used in expression.uses() {
            if let Some(name) = used.path.first()
                && !self.named.contains(name)
            {
                self.named.insert(name.clone());
            }
        }
    }

    /// The names that the texts of `node` use, in their order.
    pub(super) fn names_in(&mut self, node: &Node, found: &mut Vec<Named>) {
        match &node.data {
            Data::Text(text) => {
                let Some(parsed) = self.parse(&text.value) else {
                    return;
                };
                for braces in parsed.all() {
                    if let Ok(expression) = &braces.expression {
                        self.names_of(expression, node, braces.trimmed.start, found);
                    }
                }
            }
            Data::Array(entries) => {
                for entry in entries {
                    self.names_in(entry, found);
                }
            }
            Data::Table(fields) => {
                for field in fields.iter() {
                    self.names_in(&field.value, found);
                }
            }
            Data::Integer(_) | Data::Float(_) | Data::Boolean(_) | Data::Datetime(_) => {}
        }
    }

    /// The names that `expression` uses, which stands at the byte `from` of the text `node`.
    pub(super) fn names_of(
        &self,
        expression: &Expression,
        node: &Node,
        from: usize,
        found: &mut Vec<Named>,
    ) {
        for used in expression.uses() {
            if let Some(name) = used.path.first() {
                found.push(Named {
                    name: name.clone(),
                    place: self.part(node, used.at.start + from..used.at.end + from),
                });
            }
        }
    }

    /// The place of the bytes `part` of the text `node`, as exactly as the way it is written allows
    /// (CFL-60).
    pub(super) fn part(&self, node: &Node, part: Range<usize>) -> Range<usize> {
        let written = self.told.places.written(&node.place);
        let found = node.data.as_str().and_then(|text| written.find(text));
        match found {
            Some(at) => {
                let start = node.place.start + at;
                start + part.start..start + part.end
            }
            None => node.place.clone(),
        }
    }

    /// Whether the key of `field` can be the name of a variable, a row or an argument; tells if
    /// not.
    pub(super) fn can_name(&mut self, field: &Field, context: ContextId) -> bool {
        let name = &*field.key;
        let is_taken = expression::is_word(name) || is_of_run_time(name);
        if expression::can_be_name(name) && !is_taken {
            return true;
        }
        let help = if is_taken {
            "it already means something in expressions; choose another one"
        } else {
            "letters, digits and `_`, not first a digit"
        };
        let message = format!("`{name}` cannot be a name here");
        let place = (&field.key_place, context);
        self.told.error_in(Class::BadName, place, message, help);
        false
    }
}
