//! A resource of the API as a row of the table, and how its answer is made.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::problem::Problem;
use crate::config::nearest;
use crate::model::Action;
use crate::store::State;
use crate::web::address;
use crate::web::args::{Arg, Args};
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

/// A resource: its row in the table.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Resource {
    /// Its address, with `{name}` for each variable part.
    pub(in crate::web) path: &'static str,
    /// What it is, in a sentence.
    pub(in crate::web) about: &'static str,
    /// Its arguments, without those that all have.
    pub(in crate::web) args: &'static [Arg],
    /// The permission that it needs besides that to look; absent if it needs none.
    pub(in crate::web) action: Option<Action>,
    /// Members that are addresses unless `include` names them.
    pub(in crate::web) parts: &'static [Part],
    /// Whether the core is asked why a request waits.
    pub(in crate::web) asks_why: bool,
    /// Makes the answer.
    pub(in crate::web) answer: &'static dyn Answer,
}

/// A member of an item that is found elsewhere, unless it is asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Part {
    /// The member.
    pub(in crate::web) name: &'static str,
    /// Where it is, with members of the item as variable parts.
    pub(in crate::web) path: &'static str,
}

impl Resource {
    /// A resource without parts that are elsewhere.
    pub(in crate::web) const fn new(
        path: &'static str,
        about: &'static str,
        args: &'static [Arg],
        answer: &'static dyn Answer,
    ) -> Self {
        Self {
            path,
            about,
            args,
            action: None,
            parts: &[],
            asks_why: false,
            answer,
        }
    }

    /// This resource, of whose items some members are found elsewhere.
    pub(in crate::web) const fn with(self, parts: &'static [Part]) -> Self {
        Self { parts, ..self }
    }

    /// This resource, for those who have a permission.
    pub(in crate::web) const fn only_for(self, action: Action) -> Self {
        Self {
            action: Some(action),
            ..self
        }
    }

    /// All its arguments.
    pub(in crate::web) fn all_args(&self) -> Vec<Arg> {
        let mut all = vec![Arg::text("fields")];
        if !self.parts.is_empty() {
            all.push(Arg::text("include"));
        }
        all.extend_from_slice(self.answer.args());
        all.extend_from_slice(self.args);
        all
    }
}

/// What makes an answer.
pub(in crate::web) trait Answer: fmt::Debug + Sync {
    /// Makes it.
    fn make(&self, state: &State, scene: &Scene) -> Result<Made, Refusal>;

    /// The arguments that come with this kind of answer.
    fn args(&self) -> &'static [Arg];

    /// What an item is.
    fn schema(&self, schemas: &mut SchemaGenerator) -> Schema;

    /// Whether it is a list of items.
    fn is_list(&self) -> bool;
}

/// An answer before its members are chosen.
#[derive(Debug)]
pub(in crate::web) enum Made {
    /// One thing.
    One(Value),
    /// Some of a list.
    List {
        items: Vec<Value>,
        /// The arguments that give what comes next.
        next: Option<(&'static str, u64)>,
        /// How many there are, if that was asked for.
        total: Option<u64>,
    },
}

/// An answer that is one thing.
pub(in crate::web) struct One<T: 'static>(
    pub(in crate::web) fn(&State, &Scene) -> Result<T, Refusal>,
);

/// An answer that is a list by number, the greatest first.
pub(in crate::web) struct List<T: 'static>(
    pub(in crate::web) fn(&State, &Scene, Span) -> Result<Found<T>, Refusal>,
);

/// An answer that is a list as long as the configuration makes it.
pub(in crate::web) struct All<T: 'static>(
    pub(in crate::web) fn(&State, &Scene) -> Result<Vec<T>, Refusal>,
);

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::web) struct Span {
    /// How many, at most.
    pub(in crate::web) limit: u32,
    /// Only those below this number.
    pub(in crate::web) before: Option<u64>,
    /// Only those above this number.
    pub(in crate::web) after: Option<u64>,
    /// Whether they are to be counted.
    pub(in crate::web) counts: bool,
}

/// Some of a list, in its order.
#[derive(Debug)]
pub(in crate::web) struct Found<T> {
    /// The items.
    pub(in crate::web) items: Vec<T>,
    /// The argument that gives what comes next.
    pub(in crate::web) next: Option<(&'static str, u64)>,
    /// How many there are, if that was asked for and can be said at once.
    pub(in crate::web) total: Option<u64>,
}

/// Items of a list, unless `limit` says otherwise.
const LIMIT: u64 = 50;

/// Maximum number of items.
const MOST: u64 = 1000;

const LIST_ARGS: &[Arg] = &[
    Arg::number("limit", 1, MOST),
    Arg::number("before", 0, u64::MAX),
    Arg::number("after", 0, u64::MAX),
    Arg::flag("count"),
];

impl Span {
    /// How many rows are read: one more than are shown, to see whether others come next.
    pub(in crate::web) fn read(self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// The page of these rows, the newest first, which go on below the `number` of the last one.
    pub(in crate::web) fn page<R, T>(
        self,
        mut rows: Vec<R>,
        number: impl Fn(&R) -> u64,
        show: impl Fn(R) -> T,
    ) -> Found<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().map(number).filter(|_| has_more);
        Found {
            items: rows.into_iter().map(show).collect(),
            next: next.map(|next| ("before", next)),
            total: None,
        }
    }

    fn of(args: &Args) -> Self {
        let limit = args.number("limit").unwrap_or(LIMIT).min(MOST);
        Self {
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            before: args.number("before"),
            after: args.number("after"),
            counts: args.flag("count"),
        }
    }

    /// The numbers between which the items are, without these.
    pub(in crate::web) fn between(self) -> (Option<u64>, u64) {
        (self.after, self.before.unwrap_or(u64::MAX))
    }
}

impl<T: JsonSchema + Serialize> Answer for One<T> {
    fn make(&self, state: &State, scene: &Scene) -> Result<Made, Refusal> {
        let found = (self.0)(state, scene)?;
        Ok(Made::One(value(&found)?))
    }

    fn args(&self) -> &'static [Arg] {
        &[]
    }

    fn schema(&self, schemas: &mut SchemaGenerator) -> Schema {
        schemas.subschema_for::<T>()
    }

    fn is_list(&self) -> bool {
        false
    }
}

impl<T: JsonSchema + Serialize> Answer for List<T> {
    fn make(&self, state: &State, scene: &Scene) -> Result<Made, Refusal> {
        let found = (self.0)(state, scene, Span::of(&scene.args))?;
        let items = found.items.iter().map(value);
        Ok(Made::List {
            items: items.collect::<Result<_, _>>()?,
            next: found.next,
            total: found.total,
        })
    }

    fn args(&self) -> &'static [Arg] {
        LIST_ARGS
    }

    fn schema(&self, schemas: &mut SchemaGenerator) -> Schema {
        schemas.subschema_for::<T>()
    }

    fn is_list(&self) -> bool {
        true
    }
}

impl<T: JsonSchema + Serialize> Answer for All<T> {
    fn make(&self, state: &State, scene: &Scene) -> Result<Made, Refusal> {
        let found = (self.0)(state, scene)?;
        let items = found.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let total = scene.args.flag("count");
        let total = total.then(|| u64::try_from(items.len()).unwrap_or(u64::MAX));
        let next = None;
        Ok(Made::List { items, next, total })
    }

    fn args(&self) -> &'static [Arg] {
        const ARGS: &[Arg] = &[Arg::flag("count")];
        ARGS
    }

    fn schema(&self, schemas: &mut SchemaGenerator) -> Schema {
        schemas.subschema_for::<T>()
    }

    fn is_list(&self) -> bool {
        true
    }
}

macro_rules! named {
    ($($answer:ident)*) => {$(
        impl<T> fmt::Debug for $answer<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($answer))
            }
        }
    )*};
}
named!(One List All);

fn value<T: Serialize>(of: &T) -> Result<Value, Refusal> {
    serde_json::to_value(of).map_err(|error| Refusal::Internal {
        why: error.to_string(),
    })
}

/// An answer as it is sent.
#[derive(Debug)]
pub(in crate::web) struct Body {
    /// The JSON.
    pub(in crate::web) value: Value,
    /// The address of what comes next in a list.
    pub(in crate::web) next: Option<String>,
}

/// Chooses the members of an answer.
///
/// # Errors
/// A member that is asked for does not exist.
pub(in crate::web) fn choose(
    resource: &Resource,
    made: Made,
    path: &str,
    args: &Args,
) -> Result<Body, Problem> {
    let fields = words(args, "fields");
    let include = words(args, "include");
    let parts = resource.parts.iter().map(|part| part.name);
    check("include", &include, parts)?;
    let choose = |mut item: Value| {
        if let Value::Object(members) = &mut item {
            let own = members.clone();
            for part in resource.parts {
                if !include.iter().any(|name| name == part.name) {
                    members.insert(part.name.to_owned(), json!(filled(part.path, &own)));
                }
            }
            if !fields.is_empty() {
                check("fields", &fields, members.keys().map(String::as_str))?;
                members.retain(|name, _| fields.contains(name));
            }
        }
        Ok(item)
    };
    match made {
        Made::One(item) => Ok(Body {
            value: choose(item)?,
            next: None,
        }),
        Made::List { items, next, total } => {
            let items = items.into_iter().map(choose);
            let items = items.collect::<Result<Vec<_>, Problem>>()?;
            let next = next.map(|next| address_of_next(path, args, next));
            let mut list = json!({ "items": items, "next": next });
            if let Some(total) = total {
                list["total"] = json!(total);
            }
            Ok(Body { value: list, next })
        }
    }
}

/// The names in a list that is separated by commas, or repeated.
fn words(args: &Args, name: &str) -> Vec<String> {
    let all = args.all(name).iter();
    let all = all.flat_map(|text| text.split(','));
    let all = all.map(str::trim).filter(|word| !word.is_empty());
    all.map(ToOwned::to_owned).collect()
}

fn check<'a>(
    argument: &str,
    asked: &[String],
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Problem> {
    let is_known = |name: &&String| known.clone().any(|known| known == *name);
    let Some(wrong) = asked.iter().find(|name| !is_known(name)) else {
        return Ok(());
    };
    let near = nearest(wrong, known.clone()).map(ToOwned::to_owned);
    let detail = format!("The argument {argument} names an unknown member: {wrong}.");
    Err(Problem::value(argument, detail, near.as_deref()))
}

/// An address with members of an item in its variable parts.
fn filled(template: &str, item: &Map<String, Value>) -> String {
    let parts = template.split('/').map(|part| {
        let name = part.strip_prefix('{').and_then(|p| p.strip_suffix('}'));
        match name.and_then(|name| item.get(name)) {
            Some(Value::String(text)) => address::segment(text),
            Some(other) => address::segment(&other.to_string()),
            None => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The address of what comes next: the one of now with another beginning.
fn address_of_next(path: &str, args: &Args, (name, number): (&'static str, u64)) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (known, value) in args.values() {
        if known != name {
            query.append_pair(known, value);
        }
    }
    query.append_pair(name, &number.to_string());
    format!("{path}?{}", query.finish())
}
