//! The configuration language when the file is read (CFL-01 to CFL-79): files in, a plain tree out.
//!
//! Work is done once, in this order: files, variables, rows of each entry, defaults, values,
//! factories, selectors (CFL-02). What comes out is what a plain file would say, and the reader of
//! plain files walks it. Every value of it keeps its place, with the row and the entry by which it
//! came there ([`super::places`]). Nothing here reads a file: whoever calls gives texts by name
//! ([`Files`], CFL-162).
//!
//! Start reading at [`expand`]: `files` puts the files together, `filling` works out values, `rows`
//! and `defaults` make entries, `factories` lists of steps, `selectors` lists of names.

mod braces;
mod defaults;
mod depth;
mod entries;
mod factories;
mod files;
mod filling;
mod names;
mod print;
mod rows;
mod rules;
mod selectors;
mod told;
mod vars;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use self::braces::Parsed;
use self::defaults::Bundle;
use self::factories::Factories;
use self::filling::Env;
use self::rules::Rule;
use self::told::Told;
use super::expression::{Expression, Given, Mistake, Scope};
use super::places::{AS_WRITTEN, Places};
use super::report::ConfigError;
use super::tree::{Data, Field, Fields, Node};

pub(super) use self::defaults::KINDS;
pub use self::files::{Files, NoFiles};
pub(super) use self::print::print;

/// What the files say, in plain words.
pub(super) struct Expanded {
    /// The plain configuration.
    pub(super) root: Fields,
    /// Factories of it that no builder uses: they are checked, and do not belong to the expansion.
    pub(super) spare: BTreeSet<Rc<str>>,
    pub(super) places: Places,
    pub(super) errors: Vec<ConfigError>,
    pub(super) warnings: Vec<ConfigError>,
    /// Kinds of which entries are left out because of mistakes.
    pub(super) incomplete: BTreeSet<&'static str>,
    /// The names of the variables.
    pub(super) variables: BTreeSet<String>,
    /// Whether the first file is so far from TOML that its tree says nothing.
    pub(super) is_lost: bool,
    /// Where the keys begin that bundles of defaults have.
    pub(super) bundled: BTreeSet<usize>,
}

/// Puts the files together and works out what they say; `text` is that of the first one, `file` its
/// name.
pub(super) fn expand(text: &str, file: &str, files: &dyn Files) -> Expanded {
    let mut told = Told::default();
    let read = files::read(text, file, files, &mut told);
    let mut root = Fields::default();
    let (mut spare, mut incomplete) = (BTreeSet::new(), BTreeSet::new());
    let mut variables = BTreeSet::new();
    if !read.is_lost {
        let mut farm = Farm::new(told, &read.root);
        root = farm.expand(&read.root, files);
        (spare, incomplete) = (farm.spare, farm.incomplete);
        variables.extend(farm.variables.keys().map(|name| name.to_string()));
        told = farm.told;
    }
    let (places, errors, warnings) = told.finish();
    Expanded {
        root,
        spare,
        places,
        errors,
        warnings,
        incomplete,
        variables,
        is_lost: read.is_lost,
        bundled: defaults::places(&read.root),
    }
}

/// A configuration that is being worked out.
struct Farm<'t> {
    told: Told,
    /// Texts with braces, compiled once each.
    texts: HashMap<Rc<str>, Rc<Parsed>>,
    /// Conditions (`if`), compiled once each.
    conditions: HashMap<Rc<str>, Rc<Result<Expression, Mistake>>>,
    /// Names that expressions use, wherever they stand.
    named: BTreeSet<String>,
    variables: Arc<BTreeMap<Arc<str>, Given>>,
    /// Variables that could not be worked out.
    broken: BTreeSet<String>,
    bundles: BTreeMap<&'t str, Bundle<'t>>,
    factories: Factories<'t>,
    spare: BTreeSet<Rc<str>>,
    incomplete: BTreeSet<&'static str>,
    /// How much has come out: bytes of texts, and 16 for each value.
    size: usize,
    /// Where too much came out first, until it was told.
    overflow: Option<Range<usize>>,
    /// How much work the expressions were, in steps of the engine.
    work: u64,
}

/// The keys of the top level that the language takes for itself.
const OWN_KEYS: [&str; 4] = ["include", "vars", "defaults", "factories"];

impl<'t> Farm<'t> {
    fn new(told: Told, root: &'t Fields) -> Self {
        Self {
            told,
            texts: HashMap::new(),
            conditions: HashMap::new(),
            named: BTreeSet::new(),
            variables: Arc::default(),
            broken: BTreeSet::new(),
            bundles: defaults::bundles(root),
            factories: Factories::new(root),
            spare: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            size: 0,
            overflow: None,
            work: 0,
        }
    }

    fn expand(&mut self, root: &'t Fields, files: &dyn Files) -> Fields {
        self.work_out_variables(root, files);
        self.study_factories();
        let env = self.plain_env();
        let mut out = Fields::default();
        let mut builders = Vec::new();
        for field in root.iter().filter(|field| is_plain(field)) {
            let value = match (&*field.key, &field.value.data) {
                ("builders", Data::Array(entries)) => {
                    builders = self.builders(entries);
                    let nodes = builders.iter().map(|made| made.node.clone());
                    Some(self.list(&field.value, nodes.collect()))
                }
                (kind, Data::Array(entries)) if entries.iter().any(|e| e.data.is_table()) => {
                    let nodes = self.entries(kind, entries);
                    (!nodes.is_empty()).then(|| self.list(&field.value, nodes))
                }
                _ => self
                    .fill(&field.value, &env, Rule::Root.below(&field.key))
                    .value(),
            };
            if let Some(value) = value {
                out.0.push(Field {
                    key: Rc::clone(&field.key),
                    key_place: field.key_place.clone(),
                    value,
                });
            }
        }
        self.select(&mut out, &builders);
        if let Some(field) = root.field("factories").filter(|field| !is_plain(field)) {
            let mut factories = self.finish_factories(field);
            self.select_in_steps(&mut factories.value, &builders);
            out.0.push(factories);
        }
        if let Some(place) = self.overflow.take() {
            self.is_full_at(&place);
        }
        self.tell_unused(root);
        out
    }

    fn list(&self, written: &Node, entries: Vec<Node>) -> Node {
        Node {
            place: written.place.clone(),
            data: Data::Array(entries),
        }
    }

    /// What is seen outside of entries.
    fn plain_env(&self) -> Env {
        Env {
            scope: Scope::sharing(Arc::clone(&self.variables)),
            context: AS_WRITTEN,
        }
    }
}

/// Whether a key of the top level belongs to the plain configuration. Those of the language that
/// have another shape than they should are left for the reader to refuse.
fn is_plain(field: &Field) -> bool {
    !OWN_KEYS.contains(&&*field.key) || (&*field.key != "include" && !field.value.data.is_table())
}

#[cfg(test)]
mod tests;

/// The names that the braces of `text` use.
pub(super) fn names_in_braces(text: &str) -> Vec<String> {
    let parsed = Parsed::of(text);
    let expressions = parsed
        .all()
        .filter_map(|braces| braces.expression.as_ref().ok());
    let uses = expressions.flat_map(Expression::uses);
    uses.filter_map(|used| used.path.first().cloned()).collect()
}
