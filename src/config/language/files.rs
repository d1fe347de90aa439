//! The files of a configuration, put together (CFL-04 to CFL-07).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use super::super::class::Class;
use super::super::pattern::FilePatterns;
use super::super::syntax;
use super::super::tree::{Data, Fields, Node};
use super::told::Told;

/// Where texts come from (CFL-162). Paths are those of the configuration: below the base directory,
/// with `/`.
pub trait Files {
    /// The bytes of the file at `path`, or nothing if there is none. Of a file that is longer than
    /// `limit` bytes, more than `limit` bytes.
    ///
    /// # Errors
    /// There is one, which cannot be read.
    fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, String>;

    /// The paths of the files in the directory `dir` (empty: the base directory) and in those below
    /// it, down to `depth` directories.
    ///
    /// # Errors
    /// They cannot be listed.
    fn list(&self, dir: &str, depth: usize) -> Result<Vec<String>, String>;
}

/// No files: for a text that stands alone.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str, _: usize) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    fn list(&self, _: &str, _: usize) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

/// Texts in memory, by path.
impl Files for BTreeMap<String, String> {
    fn read(&self, path: &str, _: usize) -> Result<Option<Vec<u8>>, String> {
        Ok(self.get(path).map(|text| text.clone().into_bytes()))
    }

    fn list(&self, dir: &str, depth: usize) -> Result<Vec<String>, String> {
        let dir = match dir {
            "" => String::new(),
            _ => format!("{dir}/"),
        };
        let inside = self.keys().filter_map(|path| path.strip_prefix(&dir));
        let near = inside.filter(|path| path.matches('/').count() <= depth);
        Ok(near.map(|path| format!("{dir}{path}")).collect())
    }
}

/// What the files say, in their own words.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) root: Fields,
    pub(super) is_lost: bool,
}

/// Reads the first file, whose text is `text`, and what it includes.
pub(super) fn read(text: &str, name: &str, files: &dyn Files, told: &mut Told) -> Read {
    let base = told.places.add(name, text);
    let Some(own) = parse(text, base, told) else {
        return Read {
            root: Fields::default(),
            is_lost: true,
        };
    };
    let mut included = Including {
        files,
        told,
        seen: BTreeSet::new(),
        bytes: text.len(),
        all: Vec::new(),
    };
    if let Some(list) = own.get("include") {
        included.list(list);
    }
    let all = included.all;
    let mut root = Fields::default();
    for fields in all {
        unite(&mut root, fields, told);
    }
    unite(&mut root, own, told);
    Read {
        root,
        is_lost: false,
    }
}

/// The tree of a text whose file begins at `base`; nothing if it says nothing.
fn parse(text: &str, base: usize, told: &mut Told) -> Option<Fields> {
    let parsed = syntax::parse(text);
    let mut lines = BTreeSet::new();
    for mistake in parsed.mistakes {
        let place = mistake.span.start + base..mistake.span.end + base;
        // What is wrong in the rest of a line follows from that.
        if lines.insert(told.places.line(place.start)) {
            told.error(Class::Syntax, place, mistake.message, mistake.help);
        }
    }
    (!parsed.is_lost).then(|| Fields::from_toml(parsed.tree.get_ref(), base))
}

/// `include`, as far as it was read.
struct Including<'f> {
    files: &'f dyn Files,
    told: &'f mut Told,
    seen: BTreeSet<String>,
    /// How much text was read.
    bytes: usize,
    all: Vec<Fields>,
}

impl Including<'_> {
    fn list(&mut self, list: &Node) {
        let Data::Array(entries) = &list.data else {
            let message = format!("`include` must be a list, not {}", list.data.noun());
            let help = "write `include = [\"FILE\"]`";
            self.told
                .error(Class::WrongType, list.place.clone(), message, help);
            return;
        };
        for entry in entries {
            let place = entry.place.clone();
            let Some(path) = entry.data.as_str() else {
                let message = format!("a path must be a string, not {}", entry.data.noun());
                self.told.error(Class::WrongType, place, message, "");
                continue;
            };
            if path.contains("{{") {
                let message = "`include` takes no `{{`: it is read before anything is computed";
                self.told.error(Class::NotAllowed, place, message, "");
            } else if let Err((class, message, help)) = path_below(path) {
                self.told.error(class, place, message, help);
            } else if path.contains(['*', '?', '[', '{']) {
                self.pattern(path, &place);
            } else {
                self.file(path, &place, true);
            }
        }
    }

    /// Reads the files that match `pattern`.
    fn pattern(&mut self, pattern: &str, place: &Range<usize>) {
        let matching = match FilePatterns::from_globs(&[pattern], &[]) {
            Ok(matching) => matching,
            Err(error) => {
                let message = error.to_string();
                self.told.error(Class::Pattern, place.clone(), message, "");
                return;
            }
        };
        let parts: Vec<&str> = pattern.split('/').collect();
        let is_plain = |part: &&str| !part.contains(['*', '?', '[', '{']);
        let plain = parts.iter().take_while(|part| is_plain(part)).count();
        let dir = parts.get(..plain).unwrap_or_default().join("/");
        let depth = match pattern.contains("**") || pattern.contains('{') {
            true => DEEPEST,
            false => parts.len() - plain - 1,
        };
        let mut paths = match self.files.list(&dir, depth) {
            Ok(paths) => paths,
            Err(why) => {
                let message = format!("cannot list `{pattern}`: {why}");
                self.told.error(Class::Data, place.clone(), message, "");
                return;
            }
        };
        paths.retain(|path| {
            let mut names = path.split('/');
            names.all(|name| !name.starts_with('.') && !name.ends_with('~'))
                && matching.is_match(path)
        });
        paths.sort_unstable();
        for path in paths {
            self.file(&path, place, false);
        }
    }

    fn file(&mut self, path: &str, place: &Range<usize>, must_be: bool) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        let place = place.clone();
        if self.seen.len() >= MOST_FILES {
            if self.seen.len() == MOST_FILES {
                let message = format!("a configuration has at most {MOST_FILES} files");
                self.told.error(Class::TooMuch, place, message, "");
            }
            return;
        }
        let room = MOST_TEXT.saturating_sub(self.bytes);
        let bytes = match self.files.read(path, room) {
            Ok(Some(bytes)) => bytes,
            Ok(None) if !must_be => return,
            Ok(None) => {
                let message = format!("there is no file `{path}`");
                let help = "paths begin in the base directory";
                self.told.error(Class::MissingFile, place, message, help);
                return;
            }
            Err(why) => {
                let message = format!("cannot read `{path}`: {why}");
                self.told.error(Class::MissingFile, place, message, "");
                return;
            }
        };
        self.bytes = self.bytes.saturating_add(bytes.len());
        if bytes.len() > room {
            let message = format!("the files have more than {} MiB together", MOST_TEXT >> 20);
            self.told.error(Class::TooMuch, place, message, "");
            return;
        }
        let Ok(text) = String::from_utf8(bytes) else {
            let message = format!("`{path}` is not UTF-8");
            self.told.error(Class::Data, place, message, "");
            return;
        };
        let base = self.told.places.add(path, &text);
        let Some(mut fields) = parse(&text, base, self.told) else {
            return;
        };
        if let Some(field) = fields.field("include") {
            let place = field.key_place.clone();
            let message = "only master.toml can include files";
            let help = "name the file in `include` of master.toml";
            self.told.error(Class::NotAllowed, place, message, help);
        }
        fields.0.retain(|field| &*field.key != "include");
        self.all.push(fields);
    }
}

/// Whether `path` lies below the base directory, as it is written (CFL-05); else what is wrong.
pub(super) fn path_below(path: &str) -> Result<(), (Class, String, &'static str)> {
    if path.contains("{{") {
        let message = "the path of a data file takes no `{{`".to_owned();
        return Err((Class::NotAllowed, message, ""));
    }
    let is_below = !path.is_empty()
        && !path.starts_with('/')
        && !path.contains(['\\', '\0'])
        && path.split('/').all(|name| !name.is_empty() && name != "..");
    if is_below {
        return Ok(());
    }
    let message = format!("`{path}` must be a path below the base directory");
    Err((
        Class::BadPath,
        message,
        "write `DIRECTORY/FILE`, without `..`",
    ))
}

/// Puts `more` into `all`: lists of tables and tables of names are united, and anything else is
/// there once (CFL-07).
fn unite(all: &mut Fields, more: Fields, told: &mut Told) {
    for field in more.0 {
        let Some(known) = all.0.iter_mut().find(|known| known.key == field.key) else {
            all.0.push(field);
            continue;
        };
        let is_united = UNITED.contains(&&*field.key);
        match (&mut known.value.data, field.value.data) {
            (Data::Array(known), Data::Array(entries))
                if known
                    .iter()
                    .chain(&entries)
                    .all(|entry| entry.data.is_table()) =>
            {
                known.extend(entries);
            }
            (Data::Table(known), Data::Table(fields)) if is_united => {
                for inner in fields.0 {
                    match known.field(&inner.key) {
                        Some(first) => {
                            let name = format!("{}.{}", field.key, inner.key);
                            tell_twice(&name, &inner.key_place, &first.key_place, told);
                        }
                        None => known.0.push(inner),
                    }
                }
            }
            _ => {
                let name = Rc::clone(&field.key);
                tell_twice(&name, &field.key_place, &known.key_place, told);
            }
        }
    }
}

fn tell_twice(name: &str, place: &Range<usize>, first: &Range<usize>, told: &mut Told) {
    let there = told.places.in_words(first, place);
    let message = format!("`{name}` is there twice, here and {there}");
    told.error(
        Class::Duplicate,
        place.clone(),
        message,
        "keep one of the two",
    );
}

/// Tables of names, which several files may have.
const UNITED: [&str; 6] = [
    "vars",
    "values",
    "defaults",
    "locks",
    "factories",
    "properties",
];

/// The most files of a configuration (CFL-70).
const MOST_FILES: usize = 1_000;

/// The most text of all files together, in bytes (CFL-70).
const MOST_TEXT: usize = 16 << 20;

/// The longest data file, in bytes (CFL-70).
pub(super) const MOST_DATA: usize = 4 << 20;

/// So many directories below each other are looked through.
const DEEPEST: usize = 32;
