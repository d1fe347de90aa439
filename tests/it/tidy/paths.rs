//! The paths that a file names, and the file in which what they name is declared.

use std::collections::BTreeMap;
use std::path::Path;

use super::source::{Source, Token};

/// A module's full path, without `crate`.
pub(super) type ModulePath = Vec<String>;

/// A path that begins with `crate`, `super` or `self`, or is imported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Named {
    pub(super) line: usize,
    /// All its parts, as they are written.
    pub(super) parts: Vec<String>,
    /// The name that an import gives it here.
    pub(super) alias: Option<String>,
}

/// All paths of a file.
pub(super) fn named(tokens: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let imports = token.text == "use";
        let begins = ["crate", "super", "self"].contains(&token.text.as_str());
        let inside = at > 0 && tokens[at - 1].text == ":";
        if imports {
            at = tree(tokens, at + 1, &[], true, &mut found);
        } else if begins && !inside && is_followed_by_path(tokens, at) {
            at = tree(tokens, at, &[], false, &mut found);
        } else {
            at += 1;
        }
    }
    found
}

fn is_followed_by_path(tokens: &[Token], at: usize) -> bool {
    let sign = |at: usize| tokens.get(at).is_some_and(|token| token.text == ":");
    sign(at + 1) && sign(at + 2)
}

/// Reads one path, or the tree of an import, and answers where it ends.
fn tree(
    tokens: &[Token],
    mut at: usize,
    before: &[String],
    imports: bool,
    found: &mut Vec<Named>,
) -> usize {
    let mut parts = before.to_vec();
    while let Some(token) = tokens.get(at) {
        if token.is_word() {
            parts.push(token.text.clone());
            at += 1;
            if is_followed_by_path(tokens, at.wrapping_sub(1)) {
                at += 2;
                continue;
            }
            let mut named = Named {
                line: token.line,
                alias: imports.then(|| token.text.clone()),
                parts,
            };
            if imports && tokens.get(at).is_some_and(|next| next.text == "as") {
                named.alias = tokens.get(at + 1).map(|alias| alias.text.clone());
                at += 2;
            }
            if named.parts.last().is_some_and(|last| last == "self") && named.parts.len() > 1 {
                named.parts.pop();
                named.alias = named.parts.last().cloned();
            }
            found.push(named);
            return at;
        }
        if imports && token.text == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| token.text != "}") {
                if tokens[at].text == "," {
                    at += 1;
                } else {
                    at = tree(tokens, at, &parts, imports, found).max(at + 1);
                }
            }
            return at + 1;
        }
        break;
    }
    // A glob, or a generic argument in a path.
    if parts.len() > before.len() {
        let line = tokens[at.min(tokens.len()) - 1].line;
        found.push(Named {
            line,
            parts,
            alias: None,
        });
    }
    at
}

/// The modules of the library.
#[derive(Default)]
pub(super) struct Modules {
    by_path: BTreeMap<ModulePath, Module>,
}

#[derive(Default)]
struct Module {
    /// What names stand for in it: whole paths.
    imports: BTreeMap<String, Vec<String>>,
}

impl Modules {
    /// Of all files of the library that are not for tests alone.
    pub(super) fn of(sources: &[Source]) -> Self {
        let mut modules = Self::default();
        for source in sources {
            if let Some(path) = module_path(&source.path) {
                modules.by_path.insert(path, Module::default());
            }
        }
        for source in sources {
            let Some(own) = module_path(&source.path) else {
                continue;
            };
            for named in named(&source.tokens) {
                if let Some(alias) = named.alias
                    && let Some(path) = modules.absolute(&own, &named.parts)
                {
                    let module = modules.by_path.entry(own.clone()).or_default();
                    module.imports.insert(alias, path);
                }
            }
        }
        modules
    }

    /// The module in whose file something is declared that `own` names.
    pub(super) fn declaring(&self, own: &ModulePath, parts: &[String]) -> Option<ModulePath> {
        let mut path = self.absolute(own, parts)?;
        // Through re-exports, which are few.
        for _ in 0..8 {
            let depth = (0..=path.len())
                .rev()
                .find(|&depth| self.by_path.contains_key(&path[..depth]))?;
            let module = path[..depth].to_vec();
            let stands_for = path
                .get(depth)
                .and_then(|name| self.by_path[&module].imports.get(name));
            match stands_for {
                Some(other) if other[..] != path[..=depth] => {
                    path = other.iter().chain(&path[depth + 1..]).cloned().collect();
                }
                _ => return Some(module),
            }
        }
        None
    }

    /// A path from the root of the library; none if it leads to another one.
    fn absolute(&self, own: &ModulePath, parts: &[String]) -> Option<Vec<String>> {
        let (first, mut rest) = parts.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => own.clone(),
            "super" => own[..own.len().checked_sub(1)?].to_vec(),
            child => {
                let mut path = own.clone();
                path.push(child.to_owned());
                if !self.by_path.contains_key(&path) {
                    return None;
                }
                path
            }
        };
        while let Some((next, others)) = rest.split_first()
            && next == "super"
        {
            base.pop();
            rest = others;
        }
        base.extend_from_slice(rest);
        Some(base)
    }
}

/// The module that a file of the library is.
pub(super) fn module_path(file: &Path) -> Option<ModulePath> {
    let inside = file.strip_prefix("src").ok()?;
    let mut parts: ModulePath = inside
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    if parts.first()? == "bin" {
        return None;
    }
    if ["mod", "lib"].contains(&parts.last()?.as_str()) {
        parts.pop();
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::parse(Path::new(path), text.to_owned())
    }

    #[test]
    fn paths_are_found_in_imports_and_in_code() {
        let text = "
            use crate::model::{self, Change as C, time::{Mono, Wall}};
            fn f() -> super::Value { crate::net::y(self.x, self::z::<u8>()) }
        ";
        let found: Vec<_> = named(&source("src/a/b.rs", text).tokens)
            .into_iter()
            .map(|n| (n.line, n.parts.join("::"), n.alias.unwrap_or_default()))
            .collect();
        let row = |line, path: &str, alias: &str| (line, path.to_owned(), alias.to_owned());
        assert_eq!(
            found,
            [
                row(2, "crate::model", "model"),
                row(2, "crate::model::Change", "C"),
                row(2, "crate::model::time::Mono", "Mono"),
                row(2, "crate::model::time::Wall", "Wall"),
                row(3, "super::Value", ""),
                row(3, "crate::net::y", ""),
                row(3, "self::z", ""),
            ]
        );
    }

    #[test]
    fn a_name_is_followed_to_the_file_that_declares_it() {
        let sources = [
            source("src/lib.rs", ""),
            source(
                "src/a/mod.rs",
                "mod b; mod c; pub use b::Thing; use self::c::Other;",
            ),
            source("src/a/b.rs", ""),
            source("src/a/c.rs", ""),
        ];
        let modules = Modules::of(&sources);
        let own = vec!["a".to_owned(), "c".to_owned()];
        let declaring = |path: &str| {
            let parts: Vec<_> = path.split("::").map(str::to_owned).collect();
            modules.declaring(&own, &parts).map(|path| path.join("::"))
        };
        assert_eq!(declaring("super::Thing").as_deref(), Some("a::b"));
        assert_eq!(declaring("crate::a::Thing::new").as_deref(), Some("a::b"));
        assert_eq!(declaring("super::Other").as_deref(), Some("a::c"));
        assert_eq!(declaring("super::Own").as_deref(), Some("a"));
        assert_eq!(declaring("std::fs"), None);
    }
}
