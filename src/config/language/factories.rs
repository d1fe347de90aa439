//! Factories: `use`, `with`, and which builders share one (CFL-40 to CFL-46).

mod arguments;
mod study;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use self::arguments::{Argument, Unknown, key_of};
use super::super::class::Class;
use super::super::expression::{Given, Scope};
use super::super::places::{AS_WRITTEN, ContextId};
use super::super::tree::{Data, Field, Fields, Node, Text};
use super::Farm;
use super::defaults::Setting;
use super::entries::Entry;
use super::filling::{Env, Filled, unknown};
use super::rows::MOST_ROWS;
use super::rules::Rule;

/// The factories of a configuration.
#[derive(Debug)]
pub(super) struct Factories<'t> {
    all: BTreeMap<&'t str, Factory<'t>>,
    /// What builders have asked for, by factory and arguments.
    made: HashMap<(&'t str, String), Made>,
    /// The plain ones, in the order of the builders.
    plain: Vec<Field>,
    /// The last number of each.
    numbers: BTreeMap<&'t str, usize>,
    steps: usize,
}

/// A factory as it is written.
#[derive(Debug)]
struct Factory<'t> {
    field: &'t Field,
    studied: Option<Rc<Studied<'t>>>,
    /// Where it was studied, if it cannot be used; that was told there.
    broken: Option<ContextId>,
    is_used: bool,
}

/// What is known of a factory for all that use it.
#[derive(Debug)]
struct Studied<'t> {
    /// Its list of steps.
    steps: Option<(&'t Node, Vec<Step<'t>>)>,
    /// Everything else that it says.
    settings: Vec<&'t Field>,
    /// What its texts name and no variable has, and where first.
    arguments: BTreeMap<String, Range<usize>>,
    /// The arguments that may be left out.
    defaults: BTreeMap<String, Given>,
}

/// A step as it is written.
#[derive(Debug)]
enum Step<'t> {
    /// Something else than a table; the reader refuses it.
    Other(&'t Node),
    Own(Entry<'t>),
    /// The steps of another factory.
    Use {
        name: &'t str,
        node: &'t Node,
        fields: &'t Fields,
    },
}

/// A plain factory, or why there is none.
#[derive(Clone, Debug)]
struct Made {
    name: Option<Rc<str>>,
    context: ContextId,
}

/// A builder of the plain configuration.
#[derive(Debug)]
pub(super) struct PlainBuilder {
    pub(super) node: Node,
    /// Its factory as the entry names it.
    pub(super) factory: Option<Rc<str>>,
}

impl<'t> Factories<'t> {
    pub(super) fn new(root: &'t Fields) -> Self {
        let fields = root.get("factories").and_then(|node| node.data.as_table());
        let all = fields.into_iter().flat_map(Fields::iter).map(|field| {
            let factory = Factory {
                field,
                studied: None,
                broken: None,
                is_used: false,
            };
            (&*field.key, factory)
        });
        Self {
            all: all.collect(),
            made: HashMap::new(),
            plain: Vec::new(),
            numbers: BTreeMap::new(),
            steps: 0,
        }
    }

    /// The known factory of this name, with the name as it is written.
    fn find(&self, name: &str) -> Option<&'t str> {
        self.all.get_key_value(name).map(|(name, _)| *name)
    }

    /// The names of all.
    pub(super) fn names(&self) -> Vec<&'t str> {
        self.all.keys().copied().collect()
    }

    /// A name for the next plain factory made of `name`: with a number if it has arguments.
    fn next_name(&mut self, name: &'t str, has_arguments: bool) -> Rc<str> {
        if !has_arguments {
            return name.into();
        }
        let number = self.numbers.entry(name).or_default();
        loop {
            *number += 1;
            let numbered = format!("{name}-{number}");
            if !self.all.contains_key(numbered.as_str()) {
                return numbered.into();
            }
        }
    }
}

impl Studied<'_> {
    /// Whether it knows the argument `name`.
    fn knows(&self, name: &str) -> bool {
        self.arguments.contains_key(name) || self.defaults.contains_key(name)
    }

    fn has_arguments(&self) -> bool {
        !self.arguments.is_empty() || !self.defaults.is_empty()
    }

    /// The names of all its arguments.
    fn names(&self) -> Vec<&str> {
        let all = self.arguments.keys().chain(self.defaults.keys());
        let mut all: Vec<&str> = all.map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl<'t> Farm<'t> {
    /// The builders, and their factories.
    pub(super) fn builders(&mut self, list: &'t [Node]) -> Vec<PlainBuilder> {
        let env = self.plain_env();
        let mut made = Vec::new();
        for node in list {
            let Data::Table(fields) = &node.data else {
                let node = self.fill(node, &env, Rule::Plain).value();
                made.extend(node.map(|node| PlainBuilder {
                    node,
                    factory: None,
                }));
                continue;
            };
            let entry = self.entry("builders", &node.place, fields, AS_WRITTEN);
            let mut unknown = Unknown::default();
            for row in self.rows_of(&entry, &env) {
                match self.builder(&entry, &row, &mut unknown) {
                    Some(builder) => made.push(builder),
                    None => self.is_incomplete("builders"),
                }
            }
            self.tell_unknown_arguments(unknown);
            if !self.is_within_limits("builders", made.len(), &node.place) {
                break;
            }
        }
        made
    }

    fn builder(
        &mut self,
        entry: &Entry<'t>,
        env: &Env,
        unknown: &mut Unknown,
    ) -> Option<PlainBuilder> {
        let node = self.make(entry, env, &["with"]);
        let settings = self.settings(entry, env)?;
        let given = settings.iter().find(|setting| &**setting.key == "with");
        let arguments = match given {
            Some(given) => {
                let below = self.below(&settings, entry.place, env);
                self.arguments_of(given, (env, &below))
            }
            None => Some(Vec::new()),
        };
        let mut node = node?;
        let arguments = arguments?;
        let Data::Table(fields) = &mut node.data else {
            return None;
        };
        let mut own = fields.0.iter_mut();
        let value = own.find(|field| &*field.key == "factory");
        let written = value.as_ref().and_then(|field| field.value.data.as_str());
        let (Some(written), Some(field)) = (written.map(Rc::<str>::from), value) else {
            return Some(PlainBuilder {
                node,
                factory: None,
            });
        };
        let factory = Some(Rc::clone(&written));
        let Some(name) = self.factories.find(&written) else {
            // The reader refuses it.
            unknown.is_unsure = true;
            return Some(PlainBuilder { node, factory });
        };
        let place = self.told.places.within(entry.place, env.context).start;
        let plain = self.factory_for(name, arguments, (env.context, place), unknown)?;
        if *plain != *written {
            field.value.data = Data::Text(Text::new(&plain));
        }
        Some(PlainBuilder { node, factory })
    }

    /// The name of the plain factory that `name` is with `arguments`, for a builder in the context
    /// `within` whose entry is at `via`.
    fn factory_for(
        &mut self,
        name: &'t str,
        arguments: Vec<Argument>,
        (within, via): (ContextId, usize),
        unknown: &mut Unknown,
    ) -> Option<Rc<str>> {
        if let Some(broken) = self.factories.all.get(name).and_then(|f| f.broken) {
            self.told.places.shares(broken);
            unknown.is_unsure = true;
            return None;
        }
        let mut context = None;
        if self.studied(name).is_none() {
            let new = self.told.places.context(within, Vec::new(), Some(via));
            self.study(name, new, &mut Vec::new());
            context = Some(new);
        }
        let Some(studied) = self.studied(name) else {
            unknown.is_unsure = true;
            return None;
        };
        let mut values = studied.defaults.clone();
        for argument in arguments {
            let is_known = studied.knows(&argument.name);
            unknown.note(&argument, is_known, name);
            if is_known {
                values.insert(argument.name.to_string(), argument.value);
            }
        }
        let key = (name, key_of(&values));
        if let Some(made) = self.factories.made.get(&key) {
            let made = made.clone();
            self.told.places.shares(made.context);
            return made.name;
        }
        let context = match context {
            Some(context) => context,
            None => self.told.places.context(within, Vec::new(), Some(via)),
        };
        let made = self.make_factory(name, &studied, &values, context);
        let made = made.map(|value| {
            let plain = self.factories.next_name(name, studied.has_arguments());
            self.add_factory(name, &plain, value, context);
            plain
        });
        let made = Made {
            name: made,
            context,
        };
        let name = made.name.clone();
        self.factories.made.insert(key, made);
        name
    }

    fn add_factory(&mut self, name: &'t str, plain: &Rc<str>, value: Node, context: ContextId) {
        if let Some(factory) = self.factories.all.get(name) {
            self.factories.plain.push(Field {
                key: Rc::clone(plain),
                key_place: self.told.places.within(&factory.field.key_place, context),
                value,
            });
        }
    }

    fn studied(&self, name: &str) -> Option<Rc<Studied<'t>>> {
        self.factories.all.get(name)?.studied.clone()
    }

    /// The plain factory that `name` is with the arguments `values`.
    fn make_factory(
        &mut self,
        name: &'t str,
        studied: &Studied<'t>,
        values: &BTreeMap<String, Given>,
        context: ContextId,
    ) -> Option<Node> {
        let place = self.factories.all.get(name)?.field.value.place.clone();
        if self.factories.plain.len() >= MOST_ROWS {
            let message = format!("there are at most {MOST_ROWS} factories");
            self.told.error(Class::TooMuch, place, message, "");
            return None;
        }
        let env = self.bind(studied, values, context)?;
        let steps = match &studied.steps {
            Some(_) => Some(self.steps(studied, &env)?),
            None => None,
        };
        let mut fields = Vec::new();
        let mut is_whole = true;
        for field in &studied.settings {
            match self.fill(&field.value, &env, Rule::Factory.below(&field.key)) {
                Filled::Value(value) => fields.push(Field {
                    key: Rc::clone(&field.key),
                    key_place: self.told.places.within(&field.key_place, context),
                    value,
                }),
                Filled::Nothing => {}
                Filled::Broken => is_whole = false,
            }
        }
        if let (Some(steps), Some((node, _))) = (steps, &studied.steps) {
            self.factories.steps += steps.len();
            fields.push(Field {
                key: "steps".into(),
                key_place: self.told.places.within(&node.place, context),
                value: Node {
                    place: self.told.places.within(&node.place, context),
                    data: Data::Array(steps),
                },
            });
        }
        if self.factories.steps > MOST_STEPS_OF_ALL {
            let message = format!("the factories have at most {MOST_STEPS_OF_ALL} steps together");
            self.told.error(Class::TooMuch, place, message, "");
            return None;
        }
        is_whole.then(|| Node {
            place: self.told.places.within(&place, context),
            data: Data::Table(Fields(fields)),
        })
    }

    /// What a factory sees: variables and its arguments (CFL-45).
    fn bind(
        &mut self,
        studied: &Studied<'t>,
        values: &BTreeMap<String, Given>,
        context: ContextId,
    ) -> Option<Env> {
        let mut is_whole = true;
        for (name, place) in &studied.arguments {
            if values.contains_key(name) {
                continue;
            }
            is_whole = false;
            let known = self.variables.keys().map(|name| &**name);
            let known: Vec<&str> = known.chain(studied.names()).filter(|n| n != name).collect();
            let (class, message, mut help) = unknown(name, known.into_iter());
            if !help.starts_with("did") {
                help = format!("if it is an argument, give it: `with = {{ {name} = \"…\" }}`");
            }
            self.told.error_in(class, (place, context), message, help);
        }
        let mut scope = Scope::sharing(Arc::clone(&self.variables));
        for (name, value) in values {
            scope.give(Arc::from(name.as_str()), value.clone());
        }
        is_whole.then_some(Env { scope, context })
    }

    /// The steps of a factory as they are in `env`.
    fn steps(&mut self, studied: &Studied<'t>, env: &Env) -> Option<Vec<Node>> {
        let (list, steps) = studied.steps.as_ref()?;
        let mut out = Vec::with_capacity(steps.len());
        let mut is_whole = true;
        for step in steps {
            match step {
                Step::Other(node) => out.extend(self.fill(node, env, Rule::Plain).value()),
                Step::Own(entry) => {
                    let (rows, all) = self.rows(entry.fields, env);
                    is_whole &= all;
                    for row in rows {
                        match self.make(entry, &row, &[]) {
                            Some(node) => out.push(node),
                            None => is_whole = false,
                        }
                    }
                }
                Step::Use { name, node, fields } => {
                    let (rows, all) = self.rows(fields, env);
                    is_whole &= all;
                    for row in rows {
                        match self.used_steps(name, node, fields, &row) {
                            Some(steps) => out.extend(steps),
                            None => is_whole = false,
                        }
                    }
                }
            }
            if out.len() > MOST_STEPS {
                let message = format!("a factory has at most {MOST_STEPS} steps");
                self.told
                    .error(Class::TooMuch, list.place.clone(), message, "");
                return None;
            }
            if self.is_full() {
                return None;
            }
        }
        is_whole.then_some(out)
    }

    /// The steps of the factory `name`, which a step uses.
    fn used_steps(
        &mut self,
        name: &'t str,
        node: &'t Node,
        fields: &'t Fields,
        env: &Env,
    ) -> Option<Vec<Node>> {
        let studied = self.studied(name)?;
        let mut values = studied.defaults.clone();
        if let Some(given) = fields.field("with") {
            for argument in self.arguments_of(&Setting::of(given, true), (env, env))? {
                if studied.knows(&argument.name) {
                    values.insert(argument.name.to_string(), argument.value);
                } else {
                    self.refuse_argument(&argument, name);
                    return None;
                }
            }
        }
        let via = self.told.places.within(&node.place, env.context).start;
        let context = self.told.places.context(env.context, Vec::new(), Some(via));
        let env = self.bind(&studied, &values, context)?;
        self.steps(&studied, &env)
    }

    /// The factories of the plain configuration, and those that no builder uses.
    pub(super) fn finish_factories(&mut self, written: &'t Field) -> Field {
        let names = written.value.data.as_table();
        let names: Vec<&'t str> = names.into_iter().flat_map(|fields| fields.keys()).collect();
        for name in names {
            let is_used = self.factories.all.get(name).is_none_or(|f| f.is_used);
            if is_used || !self.study(name, AS_WRITTEN, &mut Vec::new()) {
                continue;
            }
            if let Some(factory) = self.factories.all.get_mut(name) {
                factory.is_used = false;
            }
            if let Some(studied) = self.studied(name)
                && !studied.has_arguments()
                && let Some(node) = self.make_factory(name, &studied, &BTreeMap::new(), AS_WRITTEN)
            {
                let name_of: Rc<str> = name.into();
                self.add_factory(name, &name_of, node, AS_WRITTEN);
                self.spare.insert(name_of);
            }
        }
        Field {
            key: Rc::clone(&written.key),
            key_place: written.key_place.clone(),
            value: Node {
                place: written.value.place.clone(),
                data: Data::Table(Fields(std::mem::take(&mut self.factories.plain))),
            },
        }
    }

    /// Warns of factories that no builder uses, and of arguments that no step names (CFL-13).
    pub(super) fn tell_unused_factories(&mut self) {
        for (name, factory) in &self.factories.all {
            if !factory.is_used {
                let message = format!("no builder uses the factory `{name}`");
                let place = factory.field.key_place.clone();
                self.told
                    .warning(Class::Unused, place, message, "remove it");
            }
            let Some(studied) = &factory.studied else {
                continue;
            };
            let fields = factory.field.value.data.as_table();
            let with = fields.and_then(|fields| fields.get("with")?.data.as_table());
            for argument in with.into_iter().flat_map(Fields::iter) {
                if !studied.arguments.contains_key(&*argument.key) {
                    let message = format!(
                        "no step of the factory `{name}` names the argument `{}`",
                        argument.key
                    );
                    let place = argument.key_place.clone();
                    self.told
                        .warning(Class::Unused, place, message, "remove it");
                }
            }
        }
    }
}

/// The most steps of a factory (CFL-70).
const MOST_STEPS: usize = 2_000;

/// The most steps of all factories together (CFL-70).
const MOST_STEPS_OF_ALL: usize = 200_000;

/// So many factories may use each other in a row (CFL-70).
const LONGEST_CHAIN: usize = 16;
