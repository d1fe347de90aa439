//! Circles between files: within every module its children import from one another in one
//! direction only. A module and its own children are one thing, and not looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{ModulePath, Modules, module_path, named};
use super::source::Source;

/// Every import that is part of a circle, by the module in which the circle is: its file, its line,
/// and what is wrong.
pub(super) fn circles(sources: &[Source]) -> BTreeMap<String, Vec<String>> {
    let modules = Modules::of(sources);
    let mut graphs: BTreeMap<ModulePath, Graph> = BTreeMap::new();
    for source in sources {
        let Some(own) = module_path(&source.path) else {
            continue;
        };
        for path in named(&source.tokens) {
            let Some(other) = modules.declaring(&own, &path.parts) else {
                continue;
            };
            let common = own.iter().zip(&other).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (own.get(common), other.get(common)) {
                let graph = graphs.entry(own[..common].to_vec()).or_default();
                let place = format!("{}:{}", source.path.display(), path.line);
                graph.add(from, to, place);
            }
        }
    }
    let by_parent = graphs.into_iter().map(|(parent, graph)| {
        let parent = parent.join("::");
        let circles = graph.circles(&parent);
        (parent, circles)
    });
    by_parent
        .filter(|(_, circles)| !circles.is_empty())
        .collect()
}

#[derive(Default)]
struct Graph {
    arrows: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Graph {
    fn add(&mut self, from: &str, to: &str, place: String) {
        let arrows = self.arrows.entry(from.to_owned()).or_default();
        arrows.entry(to.to_owned()).or_default().push(place);
    }

    fn circles(&self, parent: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (from, arrows) in &self.arrows {
            for (to, places) in arrows {
                if self.reached_from(to).contains(from.as_str()) {
                    found.push(format!(
                        "{}: a circle in `{parent}`: `{from}` imports from `{to}`, and that leads back",
                        places[0]
                    ));
                }
            }
        }
        found
    }

    fn reached_from<'a>(&'a self, start: &'a str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::from([start]);
        let mut next = vec![start];
        while let Some(node) = next.pop() {
            for to in self.arrows.get(node).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(to) {
                    next.push(to);
                }
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files
            .iter()
            .map(|(path, text)| Source::parse(Path::new(path), (*text).to_owned()))
            .collect();
        circles(&sources).into_values().flatten().collect()
    }

    #[test]
    fn a_circle_is_found_through_three_files_and_a_re_export() {
        let files = [
            ("src/a/mod.rs", "mod b; mod c; mod d; pub use c::Thing;"),
            ("src/a/b.rs", "use super::Thing;"),
            ("src/a/c.rs", "fn f() { super::d::g() }"),
            ("src/a/d.rs", "use crate::a::b;"),
        ];
        let found = found(&files);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found[0].starts_with("src/a/b.rs:1: a circle in `a`"),
            "{found:?}"
        );
    }

    #[test]
    fn directories_beside_each_other_may_not_form_a_circle_either() {
        let files = [
            ("src/a/b/x.rs", "use crate::a::c::y::Y;"),
            ("src/a/b/z.rs", ""),
            ("src/a/c/y.rs", ""),
            ("src/a/c/w.rs", "use crate::a::b::z::Z;"),
        ];
        assert_eq!(found(&files).len(), 2);
    }

    #[test]
    fn a_module_and_its_children_know_each_other() {
        let files = [
            (
                "src/a/mod.rs",
                "mod b; use b::Part; pub struct Whole(Part);",
            ),
            (
                "src/a/b.rs",
                "use super::Whole; use super::c::C; pub struct Part;",
            ),
            ("src/a/c.rs", "use super::Whole;"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }
}
