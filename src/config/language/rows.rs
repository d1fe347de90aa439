//! `for`, `let` and `if` (CFL-24 to CFL-28).

use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use super::super::class::Class;
use super::super::expression::{Expression, Given, Mistake, Mode, is_true};
use super::super::tree::{Data, Field, Fields, Node};
use super::Farm;
use super::filling::{Env, noun};

/// The words of rows.
pub(super) const ROW_WORDS: [&str; 3] = ["for", "let", "if"];

/// A row that is being put together: its names and values.
type Row = Vec<(Arc<str>, Given)>;

impl Farm<'_> {
    /// The rows of the entry `fields` that are to be made, and whether all could be worked out.
    pub(super) fn rows(&mut self, fields: &Fields, env: &Env) -> (Vec<Env>, bool) {
        let (over, names, condition) = (fields.field("for"), fields.get("let"), fields.get("if"));
        if over.is_none() && names.is_none() && condition.is_none() {
            return (vec![env.clone()], true);
        }
        let Some(rows) = self.products(over, env) else {
            return (Vec::new(), false);
        };
        let mut made = Vec::with_capacity(rows.len());
        let mut is_whole = true;
        for row in rows {
            let mut env = env.clone();
            if !row.is_empty() {
                let shown = row.iter();
                let shown = shown.map(|(name, value)| (Arc::clone(name), Arc::clone(value.json())));
                let shown = shown.collect();
                env.context = self.told.places.context(env.context, shown, None);
            }
            for (name, value) in row {
                env.scope.give(name, value);
            }
            let chosen = self
                .name_values(names, &mut env)
                .and_then(|()| self.holds(condition, &env));
            match chosen {
                Some(true) => made.push(env),
                Some(false) => {}
                None => is_whole = false,
            }
        }
        (made, is_whole)
    }

    /// Each combination of the lists of `for`, the first of which changes slowest.
    fn products(&mut self, over: Option<&Field>, env: &Env) -> Option<Vec<Row>> {
        let Some(over) = over else {
            return Some(vec![Vec::new()]);
        };
        let place = (&over.value.place, env.context);
        let Data::Table(lists) = &over.value.data else {
            let message = format!("`for` is a table, not {}", over.value.data.noun());
            let help = "write `for = { NAME = [\"…\"] }`";
            self.told.error_in(Class::WrongType, place, message, help);
            return None;
        };
        let mut rows: Vec<Row> = vec![Vec::new()];
        let mut is_whole = true;
        for list in lists.iter() {
            if !self.is_new_name(list, env) {
                is_whole = false;
            } else if is_whole {
                match self.extend(rows, list, lists, env) {
                    Some(extended) => rows = extended,
                    None => {
                        is_whole = false;
                        rows = Vec::new();
                    }
                }
            }
            if rows.len() > MOST_ROWS {
                let message = format!("one entry makes at most {MOST_ROWS} others");
                let place = (&over.value.place, env.context);
                self.told.error_in(Class::TooMuch, place, message, "");
                return None;
            }
        }
        is_whole.then_some(rows)
    }

    /// `rows`, each with each entry of `list`.
    fn extend(
        &mut self,
        rows: Vec<Row>,
        list: &Field,
        lists: &Fields,
        env: &Env,
    ) -> Option<Vec<Row>> {
        let mut used = Vec::new();
        self.names_in(&list.value, &mut used);
        let is_same = !used.iter().any(|used| lists.contains_key(&used.name));
        let mut same: Option<Vec<Given>> = None;
        let name: Arc<str> = Arc::from(&*list.key);
        let mut out: Vec<Row> = Vec::new();
        for row in rows {
            let values = match same.take() {
                Some(values) => values,
                None => {
                    let mut env = env.clone();
                    for (name, value) in &row {
                        env.scope.give(Arc::clone(name), value.clone());
                    }
                    self.list_of_rows(&list.value, &env)?
                }
            };
            for value in &values {
                if out.len() > MOST_ROWS {
                    return Some(out);
                }
                let mut row = row.clone();
                row.push((Arc::clone(&name), value.clone()));
                out.push(row);
            }
            same = is_same.then_some(values);
        }
        Some(out)
    }

    fn list_of_rows(&mut self, node: &Node, env: &Env) -> Option<Vec<Given>> {
        let value = self.json(node, env)?;
        let help = if value.is_object() {
            "write `| items` for its names and values"
        } else if value.is_number() {
            "write `{{ range(…) }}` for numbers"
        } else {
            "write a list: `[\"…\"]`"
        };
        let message = noun(&value);
        if let Json::Array(entries) = value {
            return Some(entries.into_iter().map(Given::new).collect());
        }
        let message = format!("`for` goes through lists, and this is {message}");
        let place = (&node.place, env.context);
        self.told.error_in(Class::WrongType, place, message, help);
        None
    }

    /// Whether the key of `field` is a name that means nothing yet (CFL-10, CFL-23).
    pub(super) fn is_new_name(&mut self, field: &Field, env: &Env) -> bool {
        if !self.can_name(field, env.context) {
            return false;
        }
        let name = &*field.key;
        let is_variable = self.variables.contains_key(name) || self.broken.contains(name);
        if !is_variable && env.scope.given(name).is_none() {
            return true;
        }
        let what = if is_variable {
            "the name of a variable"
        } else {
            "a name of this entry"
        };
        let message = format!("`{name}` is already {what}");
        let place = (&field.key_place, env.context);
        let help = "one name means one thing; choose another one";
        self.told.error_in(Class::Hides, place, message, help);
        false
    }

    /// Gives the names of `let` their values.
    fn name_values(&mut self, names: Option<&Node>, env: &mut Env) -> Option<()> {
        let Some(names) = names else {
            return Some(());
        };
        let Data::Table(fields) = &names.data else {
            let message = format!("`let` is a table, not {}", names.data.noun());
            let place = (&names.place, env.context);
            let help = "write `let = { NAME = \"{{ … }}\" }`";
            self.told.error_in(Class::WrongType, place, message, help);
            return None;
        };
        for field in fields.iter() {
            if !self.is_new_name(field, env) {
                return None;
            }
            let value = self.json(&field.value, env)?;
            env.scope.give(Arc::from(&*field.key), Given::new(value));
        }
        Some(())
    }

    /// Whether the row of `env` is to be made.
    fn holds(&mut self, condition: Option<&Node>, env: &Env) -> Option<bool> {
        let Some(node) = condition else {
            return Some(true);
        };
        let place = (&node.place, env.context);
        if let Data::Boolean(flag) = &node.data {
            return Some(*flag);
        }
        let Data::Text(text) = &node.data else {
            let what = node.data.noun();
            let message = format!("`if` is an expression in quotes, not {what}");
            self.told.error_in(Class::WrongType, place, message, "");
            return None;
        };
        let text = &text.value;
        if text.contains("{{") {
            let message = "`if` is an expression as it stands, without `{{`";
            self.told.error_in(Class::NotAllowed, place, message, "");
            return None;
        }
        let compiled = self.condition(text);
        let expression = match &*compiled {
            Ok(expression) => expression,
            Err(mistake) => {
                self.mistake(mistake, node, 0, env);
                return None;
            }
        };
        self.knows(expression, node, 0, env)?;
        match self.work_out(expression, (node, 0), env)? {
            Ok(value) => Some(value.is_some_and(|value| is_true(&value))),
            Err(mistake) => {
                let at = if mistake.at.is_empty() {
                    0..text.len()
                } else {
                    mistake.at.clone()
                };
                self.mistake(&Mistake { at, ..mistake }, node, 0, env);
                None
            }
        }
    }

    /// The condition `text`, compiled.
    pub(super) fn condition(&mut self, text: &Rc<str>) -> Rc<Result<Expression, Mistake>> {
        if let Some(known) = self.conditions.get(text) {
            return Rc::clone(known);
        }
        let compiled = Rc::new(Expression::compile(text, Mode::Reading, ""));
        if let Ok(expression) = &*compiled {
            self.note_names(expression);
        }
        self.conditions
            .insert(Rc::clone(text), Rc::clone(&compiled));
        compiled
    }
}

/// So many entries can one entry make (CFL-70).
pub(super) const MOST_ROWS: usize = 20_000;
