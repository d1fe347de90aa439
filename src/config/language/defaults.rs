//! `[defaults.NAME]` and `extends` (CFL-35 to CFL-38).

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use super::super::class::Class;
use super::super::places::{AS_WRITTEN, ContextId};
use super::super::spelling;
use super::super::tree::{Data, Field, Fields, Node};
use super::Farm;

/// A bundle of settings.
#[derive(Debug)]
pub(super) struct Bundle<'t> {
    field: &'t Field,
    /// With what it extends, as soon as that was put together.
    merged: Option<Rc<Merged<'t>>>,
    is_used: bool,
}

/// Settings that were put over each other.
pub(super) type Merged<'t> = Vec<Setting<'t>>;

/// A setting and where it is from.
#[derive(Clone, Debug)]
pub(super) struct Setting<'t> {
    pub(super) key: &'t Rc<str>,
    pub(super) key_place: &'t Range<usize>,
    pub(super) is_own: bool,
    pub(super) value: Part<'t>,
}

/// What a setting says.
#[derive(Clone, Debug)]
pub(super) enum Part<'t> {
    /// All of it is written in one place.
    Whole(&'t Node),
    /// A table of several places.
    Table(Range<usize>, Merged<'t>),
}

/// Keys that are of no use in a bundle.
const REFUSED: [&str; 5] = ["for", "let", "if", "use", "steps"];

/// The names of kinds, under all entries of which a bundle of the name lies.
pub(in super::super) const KINDS: [&str; 5] = [
    "slaves",
    "builders",
    "steps",
    "schedulers",
    "change_sources",
];

/// The bundles of a configuration.
pub(super) fn bundles(root: &Fields) -> BTreeMap<&str, Bundle<'_>> {
    let fields = root.get("defaults").and_then(|node| node.data.as_table());
    let bundles = fields.into_iter().flat_map(Fields::iter).map(|field| {
        let bundle = Bundle {
            field,
            merged: None,
            is_used: false,
        };
        (&*field.key, bundle)
    });
    bundles.collect()
}

/// Where the keys begin that bundles have.
pub(super) fn places(root: &Fields) -> BTreeSet<usize> {
    let bundles = root.get("defaults").and_then(|node| node.data.as_table());
    let bundles = bundles.into_iter().flat_map(Fields::iter);
    let settings = bundles.filter_map(|bundle| bundle.value.data.as_table());
    let settings = settings.flat_map(Fields::iter);
    settings.map(|field| field.key_place.start).collect()
}

impl<'t> Farm<'t> {
    /// What the entry `fields` of the kind `kind` says, with all defaults under it. Nothing if it
    /// extends what it cannot. `kind_of` is its `type`, if that had to be worked out.
    pub(super) fn merge(
        &mut self,
        kind: &str,
        fields: &'t Fields,
        context: ContextId,
        kind_of: Option<&str>,
    ) -> Option<Merged<'t>> {
        let mut layers = Vec::new();
        if KINDS.contains(&kind) {
            layers.extend(self.bundle(kind));
        }
        let extended = self.extended(fields, context, &mut Vec::new())?;
        let own = type_of(fields);
        let of_bundles = || {
            let layers = extended.iter().rev().chain(layers.iter());
            let mut found = layers.filter_map(|layer| type_in(layer));
            found.next().map(str::to_owned)
        };
        let name = kind_of.map(str::to_owned).or(own).or_else(of_bundles);
        if let Some(name) = name.filter(|name| !KINDS.contains(&name.as_str())) {
            layers.extend(self.bundle(&name));
        }
        layers.extend(extended);
        let mut merged = Merged::new();
        for layer in layers {
            for setting in layer.iter() {
                put(&mut merged, setting.clone());
            }
        }
        for field in fields.iter().filter(|field| &*field.key != "extends") {
            put(&mut merged, Setting::of(field, true));
        }
        Some(merged)
    }

    /// The bundle `name`, if there is one.
    fn bundle(&mut self, name: &str) -> Option<Rc<Merged<'t>>> {
        self.bundles.contains_key(name).then_some(())?;
        self.bundle_in(name, &mut Vec::new())
    }

    /// The bundle `name`, which is there; `chain` are those that led to it.
    fn bundle_in(&mut self, name: &str, chain: &mut Vec<&'t str>) -> Option<Rc<Merged<'t>>> {
        let bundle = self.bundles.get_mut(name)?;
        bundle.is_used = true;
        let field = bundle.field;
        if let Some(merged) = &bundle.merged {
            return Some(Rc::clone(merged));
        }
        let place = field.key_place.clone();
        if let Some(first) = chain.iter().position(|other| *other == name) {
            let circle = chain.get(first..).unwrap_or_default();
            let shown: Vec<&str> = circle.iter().copied().chain([name]).collect();
            let message = format!(
                "the defaults `{name}` extend themselves: {}",
                shown.join(" → ")
            );
            let help = "take one of them apart";
            self.told.error(Class::Circle, place, message, help);
            return None;
        }
        if chain.len() >= LONGEST_CHAIN {
            let message = format!("defaults extend each other over at most {LONGEST_CHAIN} steps");
            self.told
                .error(Class::TooMuch, place, message, "put some of them together");
            return None;
        }
        let Data::Table(fields) = &field.value.data else {
            let message = format!("`{name}` is a table of settings");
            self.told
                .error(Class::WrongType, field.value.place.clone(), message, "");
            return self.keep(name, Merged::new());
        };
        chain.push(&field.key);
        let layers = self.extended(fields, AS_WRITTEN, chain).unwrap_or_default();
        chain.pop();
        let mut merged = Merged::new();
        for layer in layers {
            for setting in layer.iter() {
                put(&mut merged, setting.clone());
            }
        }
        for field in fields.iter().filter(|field| &*field.key != "extends") {
            if REFUSED.contains(&&*field.key) {
                let message = format!("`{}` cannot stand in defaults", field.key);
                let place = field.key_place.clone();
                self.told
                    .error(Class::NotAllowed, place, message, "write it in the entries");
            } else {
                put(&mut merged, Setting::of(field, false));
            }
        }
        self.keep(name, merged)
    }

    fn keep(&mut self, name: &str, merged: Merged<'t>) -> Option<Rc<Merged<'t>>> {
        let merged = Rc::new(merged);
        if let Some(bundle) = self.bundles.get_mut(name) {
            bundle.merged = Some(Rc::clone(&merged));
        }
        Some(merged)
    }

    /// The bundles that `fields` extends, in their order; nothing if one of them is not there.
    fn extended(
        &mut self,
        fields: &'t Fields,
        context: ContextId,
        chain: &mut Vec<&'t str>,
    ) -> Option<Vec<Rc<Merged<'t>>>> {
        let Some(value) = fields.get("extends") else {
            return Some(Vec::new());
        };
        let names = Data::one_or_list(value);
        let mut found = Vec::new();
        let mut is_whole = true;
        for node in names {
            let place = (&node.place, context);
            let Some(name) = node.data.as_str() else {
                let message = format!("`extends` names defaults, and this is {}", node.data.noun());
                self.told.error_in(Class::WrongType, place, message, "");
                is_whole = false;
                continue;
            };
            if name.contains("{{") {
                let message = "`extends` takes no `{{`";
                self.told.error_in(Class::NotAllowed, place, message, "");
                is_whole = false;
            } else if self.bundles.contains_key(name) {
                match self.bundle_in(name, chain) {
                    Some(bundle) => found.push(bundle),
                    None => is_whole = false,
                }
            } else {
                let known: Vec<&str> = self.bundles.keys().copied().collect();
                let help = match spelling::nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "there are no [defaults]".to_owned(),
                    None => format!("there are {}", spelling::listing(&known)),
                };
                let message = format!("there are no defaults `{name}`");
                self.told
                    .error_in(Class::UnknownReference, place, message, help);
                is_whole = false;
            }
        }
        is_whole.then_some(found)
    }

    /// Warns of bundles that nothing takes, and looks at them all the same.
    pub(super) fn tell_unused_bundles(&mut self) {
        let unused: Vec<(&'t str, &'t Field)> = self
            .bundles
            .iter()
            .filter(|(_, bundle)| !bundle.is_used)
            .map(|(name, bundle)| (*name, bundle.field))
            .collect();
        for (name, field) in unused {
            let message = format!("nothing extends the defaults `{name}`");
            let place = field.key_place.clone();
            self.told
                .warning(Class::Unused, place, message, "remove them");
            self.bundle(name);
        }
    }
}

impl<'t> Setting<'t> {
    pub(super) fn of(field: &'t Field, is_own: bool) -> Self {
        Self {
            key: &field.key,
            key_place: &field.key_place,
            is_own,
            value: Part::Whole(&field.value),
        }
    }

    /// Its value as a table, if it is one.
    fn table(&self) -> Option<(Range<usize>, Merged<'t>)> {
        match &self.value {
            Part::Table(place, settings) => Some((place.clone(), settings.clone())),
            Part::Whole(node) => {
                let fields = node.data.as_table()?.iter();
                let settings = fields.map(|field| Setting::of(field, self.is_own));
                Some((node.place.clone(), settings.collect()))
            }
        }
    }
}

/// Puts `setting` over what there is: tables are merged, all else is replaced (CFL-36).
fn put<'t>(merged: &mut Merged<'t>, setting: Setting<'t>) {
    let Some(old) = merged.iter_mut().find(|old| old.key == setting.key) else {
        merged.push(setting);
        return;
    };
    let tables = old.table().zip(setting.table());
    *old = setting;
    if let Some(((_, mut below), (place, above))) = tables {
        for setting in above {
            match below.iter_mut().find(|old| old.key == setting.key) {
                Some(old) => *old = setting,
                None => below.push(setting),
            }
        }
        old.value = Part::Table(place, below);
    }
}

/// The `type` of an entry, as it is written.
fn type_of(fields: &Fields) -> Option<String> {
    let name = fields.get("type")?.data.as_str()?;
    Some(name.to_owned())
}

/// The `type` that a bundle gives.
fn type_in<'m>(merged: &'m Merged<'_>) -> Option<&'m str> {
    let setting = merged.iter().find(|setting| &**setting.key == "type")?;
    match &setting.value {
        Part::Whole(node) => node.data.as_str(),
        Part::Table(..) => None,
    }
}

/// So many bundles may extend each other in a row (CFL-70).
const LONGEST_CHAIN: usize = 16;
