//! Entries of lists: each makes one entry of the plain configuration a row.

use std::ops::Range;
use std::rc::Rc;

use super::super::class::Class;
use super::super::places::{AS_WRITTEN, ContextId};
use super::super::tree::{Data, Field, Fields, Node};
use super::Farm;
use super::defaults::{Merged, Part, Setting};
use super::filling::{Env, Filled};
use super::rows::{MOST_ROWS, ROW_WORDS};
use super::rules::Rule;

/// An entry that is being worked out: where it stands, what is in it, and defaults under it.
#[derive(Clone, Debug)]
pub(super) struct Entry<'t> {
    pub(super) kind: &'t str,
    pub(super) place: &'t Range<usize>,
    pub(super) fields: &'t Fields,
    /// What it says, if that is the same in all rows.
    merged: Option<Rc<Merged<'t>>>,
    /// Whether its defaults cannot be put together, which was told.
    is_broken: bool,
}

impl<'t> Farm<'t> {
    /// The entries of the list `kind`.
    pub(super) fn entries(&mut self, kind: &'t str, list: &'t [Node]) -> Vec<Node> {
        let env = self.plain_env();
        let mut made = Vec::new();
        for node in list {
            let Data::Table(fields) = &node.data else {
                made.extend(self.fill(node, &env, Rule::Plain).value());
                continue;
            };
            let entry = self.entry(kind, &node.place, fields, AS_WRITTEN);
            for row in self.rows_of(&entry, &env) {
                match self.make(&entry, &row, &[]) {
                    Some(node) => made.push(node),
                    None => self.is_incomplete(kind),
                }
            }
            if !self.is_within_limits(kind, made.len(), &node.place) {
                break;
            }
        }
        made
    }

    /// Notes that an entry of the list `kind` is left out.
    pub(super) fn is_incomplete(&mut self, kind: &str) {
        let noun = match kind {
            "slaves" => "slave",
            "builders" => "builder",
            "schedulers" => "scheduler",
            "repositories" => "repository",
            "people" => "person",
            _ => return,
        };
        self.incomplete.insert(noun);
    }

    /// Whether there is room for more than `count` entries.
    pub(super) fn is_within_limits(
        &mut self,
        kind: &str,
        count: usize,
        place: &Range<usize>,
    ) -> bool {
        if count > MOST_ROWS {
            let message = format!("there are at most {MOST_ROWS} {kind}");
            self.told.error(Class::TooMuch, place.clone(), message, "");
            return false;
        }
        !self.is_full_at(place)
    }

    /// Tells, once, that too much came out of the entry at `place`.
    pub(super) fn is_full_at(&mut self, place: &Range<usize>) -> bool {
        let is_full = self.is_full();
        if is_full {
            self.overflow = None;
            let message = "the expanded configuration has more than 64 MiB";
            self.told.error(Class::TooMuch, place.clone(), message, "");
        }
        is_full
    }

    /// `fields` as an entry of `kind`.
    pub(super) fn entry(
        &mut self,
        kind: &'t str,
        place: &'t Range<usize>,
        fields: &'t Fields,
        context: ContextId,
    ) -> Entry<'t> {
        let is_computed = computed_type(fields).is_some();
        let merged = match is_computed {
            true => None,
            false => self.merge(kind, fields, context, None).map(Rc::new),
        };
        Entry {
            kind,
            place,
            fields,
            is_broken: !is_computed && merged.is_none(),
            merged,
        }
    }

    /// The rows of an entry of a list of the top level.
    pub(super) fn rows_of(&mut self, entry: &Entry<'t>, env: &Env) -> Vec<Env> {
        let (rows, is_whole) = self.rows(entry.fields, env);
        if !is_whole || entry.is_broken {
            self.is_incomplete(entry.kind);
        } else if rows.is_empty() && entry.fields.contains_key("for") {
            let message = "this entry makes nothing: its `for` leaves no row";
            let place = entry.place.clone();
            self.told.warning(Class::MakesNothing, place, message, "");
        }
        if entry.is_broken { Vec::new() } else { rows }
    }

    /// What `entry` says in `env`.
    pub(super) fn settings(&mut self, entry: &Entry<'t>, env: &Env) -> Option<Rc<Merged<'t>>> {
        if let Some(merged) = &entry.merged {
            return Some(Rc::clone(merged));
        }
        let written = computed_type(entry.fields)?;
        let name = self.fill(written, env, Rule::Plain).value()?;
        let merged = self.merge(entry.kind, entry.fields, env.context, name.data.as_str())?;
        Some(Rc::new(merged))
    }

    /// The plain entry that `entry` makes in `env`, without the keys `left_out`; nothing if
    /// something of it cannot be worked out.
    pub(super) fn make(&mut self, entry: &Entry<'t>, env: &Env, left_out: &[&str]) -> Option<Node> {
        let settings = self.settings(entry, env)?;
        let below = self.below(&settings, entry.place, env);
        let rule = Rule::of_kind(entry.kind);
        let mut fields = Vec::with_capacity(settings.len());
        let mut is_whole = true;
        for setting in settings.iter() {
            let key = &**setting.key;
            if ROW_WORDS.contains(&key) || left_out.contains(&key) {
                continue;
            }
            match self.setting(setting, (env, &below), rule) {
                Some(field) => fields.extend(field),
                None => is_whole = false,
            }
        }
        is_whole.then(|| Node {
            place: self.told.places.within(entry.place, env.context),
            data: Data::Table(Fields(fields)),
        })
    }

    /// What the settings of bundles see: the same names, in a place that tells of the entry.
    pub(super) fn below(&mut self, settings: &Merged<'t>, place: &Range<usize>, env: &Env) -> Env {
        let mut below = env.clone();
        let is_own = |setting: &Setting<'_>| match &setting.value {
            Part::Table(_, parts) => setting.is_own && parts.iter().all(|part| part.is_own),
            Part::Whole(_) => setting.is_own,
        };
        if !settings.iter().all(is_own) {
            let via = self.told.places.within(place, env.context).start;
            below.context = self.told.places.context(env.context, Vec::new(), Some(via));
        }
        below
    }

    /// A setting as it is in the one or the other environment; nothing inside if it is none.
    pub(super) fn setting(
        &mut self,
        setting: &Setting<'t>,
        (env, below): (&Env, &Env),
        rule: Rule,
    ) -> Option<Option<Field>> {
        let own = if setting.is_own { env } else { below };
        let rule = rule.below(setting.key);
        let value = match &setting.value {
            Part::Whole(node) => match self.fill(node, own, rule) {
                Filled::Value(node) => node,
                Filled::Nothing => return Some(None),
                Filled::Broken => return None,
            },
            Part::Table(place, settings) => {
                let mut fields = Vec::with_capacity(settings.len());
                for part in settings {
                    fields.extend(self.setting(part, (env, below), rule)?);
                }
                Node {
                    place: self.told.places.within(place, own.context),
                    data: Data::Table(Fields(fields)),
                }
            }
        };
        Some(Some(Field {
            key: Rc::clone(setting.key),
            key_place: self.told.places.within(setting.key_place, own.context),
            value,
        }))
    }
}

/// The `type` of an entry, if it has to be worked out.
fn computed_type(fields: &Fields) -> Option<&Node> {
    let node = fields.get("type")?;
    node.data.as_str().filter(|text| text.contains("{{"))?;
    Some(node)
}
