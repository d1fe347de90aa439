//! What is known of a factory before anything uses it: its steps, and the arguments that they name
//! (CFL-41, CFL-43).

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::super::class::Class;
use super::super::super::expression::Given;
use super::super::super::places::{AS_WRITTEN, ContextId};
use super::super::super::spelling;
use super::super::super::tree::{Data, Field, Fields, Node};
use super::super::Farm;
use super::super::defaults::{Part, Setting};
use super::super::names::{Named, is_of_run_time};
use super::super::rows::ROW_WORDS;
use super::{LONGEST_CHAIN, Step, Studied};

impl<'t> Farm<'t> {
    /// Checks the names of arguments, which mean the same for all that use a factory.
    pub(in super::super) fn study_factories(&mut self) {
        let env = self.plain_env();
        let fields: Vec<&'t Field> = self.factories.all.values().map(|f| f.field).collect();
        for field in fields {
            let with = field.value.data.as_table().and_then(|f| f.field("with"));
            let Some(with) = with else { continue };
            let is_right = if let Data::Table(names) = &with.value.data {
                let mut names = names.iter();
                names.all(|name| self.is_new_name(name, &env))
            } else {
                let message = format!("`with` is a table, not {}", with.value.data.noun());
                let place = with.value.place.clone();
                self.told.error(Class::WrongType, place, message, "");
                false
            };
            if let (false, Some(factory)) = (is_right, self.factories.all.get_mut(&*field.key)) {
                factory.broken = Some(AS_WRITTEN);
            }
        }
    }

    /// Finds the arguments of the factory `name`, and what is wrong with its steps wherever they
    /// are used; `chain` are those that use it.
    pub(super) fn study(
        &mut self,
        name: &'t str,
        context: ContextId,
        chain: &mut Vec<&'t str>,
    ) -> bool {
        let Some(factory) = self.factories.all.get_mut(name) else {
            return false;
        };
        factory.is_used = true;
        let field = factory.field;
        let place = field.key_place.clone();
        if let Some(first) = chain.iter().position(|other| *other == name) {
            let circle = chain.get(first..).unwrap_or_default();
            let shown: Vec<&str> = circle.iter().copied().chain([name]).collect();
            let message = format!("factory `{name}` uses itself: {}", shown.join(" → "));
            let help = "take one of them apart";
            self.told.error(Class::Circle, place, message, help);
            return false;
        }
        if factory.studied.is_some() || factory.broken.is_some() {
            return factory.broken.is_none();
        }
        if chain.len() >= LONGEST_CHAIN {
            let message = format!("factories use each other over at most {LONGEST_CHAIN} steps");
            self.told
                .error(Class::TooMuch, place, message, "put some of them together");
            return false;
        }
        chain.push(name);
        let studied = self.study_fields(field, context, chain);
        chain.pop();
        let Some(factory) = self.factories.all.get_mut(name) else {
            return false;
        };
        match studied {
            Some(studied) => factory.studied = Some(Rc::new(studied)),
            None => factory.broken = Some(context),
        }
        factory.broken.is_none()
    }

    fn study_fields(
        &mut self,
        field: &'t Field,
        context: ContextId,
        chain: &mut Vec<&'t str>,
    ) -> Option<Studied<'t>> {
        let mut studied = Studied {
            steps: None,
            settings: Vec::new(),
            arguments: BTreeMap::new(),
            defaults: BTreeMap::new(),
        };
        let Data::Table(fields) = &field.value.data else {
            studied.settings = vec![field];
            return Some(studied);
        };
        let mut used = Vec::new();
        let mut is_whole = true;
        for field in fields.iter() {
            match (&*field.key, &field.value.data) {
                ("steps", Data::Array(entries)) => {
                    let mut steps = Vec::with_capacity(entries.len());
                    for node in entries {
                        match self.study_step(node, context, chain, &mut used) {
                            Some(step) => steps.push(step),
                            None => is_whole = false,
                        }
                    }
                    studied.steps = Some((&field.value, steps));
                }
                ("with", Data::Table(values)) => {
                    let env = self.plain_env();
                    for value in values.iter() {
                        match self.json(&value.value, &env) {
                            Some(json) => {
                                let name = value.key.to_string();
                                studied.defaults.insert(name, Given::new(json));
                            }
                            None => is_whole = false,
                        }
                    }
                }
                _ => {
                    self.names_in(&field.value, &mut used);
                    studied.settings.push(field);
                }
            }
        }
        for Named { name, place } in used {
            let is_variable =
                self.variables.contains_key(name.as_str()) || self.broken.contains(&name);
            if !is_variable && !is_of_run_time(&name) {
                studied.arguments.entry(name).or_insert(place);
            }
        }
        is_whole.then_some(studied)
    }

    /// Looks at a step, and notes the names in `used` that its texts use and its rows do not give.
    fn study_step(
        &mut self,
        node: &'t Node,
        context: ContextId,
        chain: &mut Vec<&'t str>,
        used: &mut Vec<Named>,
    ) -> Option<Step<'t>> {
        let Data::Table(fields) = &node.data else {
            return Some(Step::Other(node));
        };
        let mut names = Vec::new();
        for field in fields.iter() {
            match (&*field.key, &field.value.data) {
                ("if", Data::Text(text)) => {
                    if let Ok(expression) = &*self.condition(&text.value) {
                        self.names_of(expression, &field.value, 0, &mut names);
                    }
                }
                _ => self.names_in(&field.value, &mut names),
            }
        }
        let step = match fields.field("use") {
            Some(used) => self.study_use(used, node, fields, (context, chain)),
            None => self.study_own(node, fields, context, &mut names),
        };
        let tables = ["for", "let"].into_iter().filter_map(|key| fields.get(key));
        let tables: Vec<&Fields> = tables.filter_map(|node| node.data.as_table()).collect();
        let is_of_row = |name: &str| tables.iter().any(|fields| fields.contains_key(name));
        used.extend(names.into_iter().filter(|named| !is_of_row(&named.name)));
        step
    }

    /// A step of its own: the names in its defaults belong to it.
    fn study_own(
        &mut self,
        node: &'t Node,
        fields: &'t Fields,
        context: ContextId,
        names: &mut Vec<Named>,
    ) -> Option<Step<'t>> {
        if let Some(with) = fields.field("with") {
            let message = "`with` gives arguments to the factory that a step uses";
            let place = (&with.key_place, context);
            let help = "remove it, or add `use = \"NAME\"`";
            self.told.error_in(Class::NotAllowed, place, message, help);
            return None;
        }
        let merged = self.merge("steps", fields, context, None)?;
        for setting in &merged {
            self.names_below(setting, names);
        }
        Some(Step::Own(self.entry("steps", &node.place, fields, context)))
    }

    /// The names in a setting that comes from defaults.
    fn names_below(&mut self, setting: &Setting<'t>, names: &mut Vec<Named>) {
        match &setting.value {
            Part::Whole(_) if setting.is_own => {}
            Part::Whole(node) => self.names_in(node, names),
            Part::Table(_, parts) => {
                for part in parts {
                    self.names_below(part, names);
                }
            }
        }
    }

    fn study_use(
        &mut self,
        used: &'t Field,
        node: &'t Node,
        fields: &'t Fields,
        (context, chain): (ContextId, &mut Vec<&'t str>),
    ) -> Option<Step<'t>> {
        let mut is_whole = true;
        for field in fields.iter() {
            let key = &*field.key;
            if !ROW_WORDS.contains(&key) && !matches!(key, "use" | "with") {
                let message = format!("`{key}` cannot stand beside `use`");
                let help = "a step that uses a factory has `for`, `let`, `if` and `with` alone";
                let place = (&field.key_place, context);
                self.told.error_in(Class::NotAllowed, place, message, help);
                is_whole = false;
            }
        }
        let place = (&used.value.place, context);
        let Some(name) = used.value.data.as_str() else {
            let message = format!(
                "`use` names a factory, and this is {}",
                used.value.data.noun()
            );
            self.told.error_in(Class::WrongType, place, message, "");
            return None;
        };
        if name.contains("{{") {
            let message = "`use` takes no `{{`";
            let help = "write a step for each factory, with `if`";
            self.told.error_in(Class::NotAllowed, place, message, help);
            return None;
        }
        let Some(name) = self.factories.find(name) else {
            let known: Vec<&str> = self.factories.all.keys().copied().collect();
            let help = match spelling::nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the factories are {}", spelling::listing(&known)),
            };
            let message = format!("there is no factory `{name}`");
            self.told
                .error_in(Class::UnknownReference, place, message, help);
            return None;
        };
        let via = self.told.places.within(&node.place, context).start;
        let below = self.told.places.context(context, Vec::new(), Some(via));
        is_whole &= self.study(name, below, chain);
        is_whole.then_some(Step::Use { name, node, fields })
    }
}
