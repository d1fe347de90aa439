//! Keeps the house in the order of its plan: imports point down the floors, decisions stay free of I/O, files stay
//! small, and nothing unfinished is left lying about.
//!
//! The checks read the sources as text, a line at a time, without comments and without what follows `#[cfg(test)]`:
//! coarse, but understandable, and there is nothing to keep in step with the compiler.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules by floor. A module imports only from floors below its own. (Two on the same floor never know each
/// other, except where [`SAME_FLOOR`] says so.)
const FLOORS: [&[&str]; 8] = [
    &["model", "pb", "process_lock", "directory", "text"],
    &["config", "protocol"],
    &["schedulers", "net", "store", "logs", "daemonize"],
    &["botmaster"],
    &["control", "build"],
    &["changes", "status", "client", "buildslave"],
    &["daemon"],
    &["cli"],
];

/// Arrows between neighbours: who imports whom.
const SAME_FLOOR: [(&str, &str); 0] = [];

/// Modules that decide, and therefore do nothing else.
const PURE: [&str; 6] = [
    "model",
    "pb",
    "protocol",
    "config",
    "schedulers",
    "botmaster",
];

/// What a pure module must not name.
const IMPURE: [&str; 10] = [
    "tokio::",
    "std::fs",
    // Addresses from `std::net` are mere values.
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "rusqlite",
];

/// Modules that may start tasks: they keep track of their ends.
const SPAWNING: [&str; 10] = [
    "net",
    "store",
    "logs",
    "build",
    "control",
    "changes",
    "status",
    "client",
    "buildslave",
    "daemon",
];

/// The only place of MD5, which is no protection but part of the login.
const MD5_HOME: &str = "src/pb/cred.rs";

/// Most lines of a file.
const LONGEST_FILE: usize = 600;

#[test]
fn imports_point_down_the_floors() {
    check(|source, complain| {
        let Some(module) = &source.module else { return };
        let Some(own) = floor(module) else {
            complain(1, &format!("module `{module}` has no floor in this test"));
            return;
        };
        for (number, line) in source.code() {
            for used in crate_paths(line) {
                let below = floor(used).is_some_and(|floor| floor < own);
                let neighbour = SAME_FLOOR.contains(&(module.as_str(), used));
                if used != module && !below && !neighbour {
                    complain(number, &format!("`{module}` must not import from `{used}`"));
                }
            }
        }
    });
}

#[test]
fn deciding_modules_do_no_io() {
    check(|source, complain| {
        if !source
            .module
            .as_ref()
            .is_some_and(|m| PURE.contains(&m.as_str()))
        {
            return;
        }
        for (number, line) in source.code() {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                complain(number, &format!("`{word}` in a module that only decides"));
            }
        }
    });
}

#[test]
fn tasks_are_started_only_by_those_who_watch_them() {
    check(|source, complain| {
        let may = source
            .module
            .as_ref()
            .is_none_or(|m| SPAWNING.contains(&m.as_str()));
        for (number, line) in source.code().filter(|_| !may) {
            if line.contains("tokio::spawn") || line.contains("task::spawn") {
                complain(number, "this module may not start tasks");
            }
        }
    });
}

#[test]
fn md5_is_used_for_the_login_alone() {
    check(|source, complain| {
        for (number, line) in source.code() {
            let used = line.contains("md5::") || line.contains("use md5") || line.contains("Md5");
            if used && source.module.is_some() && source.path != Path::new(MD5_HOME) {
                complain(number, &format!("MD5 outside {MD5_HOME}"));
            }
        }
    });
}

#[test]
fn files_are_short() {
    check(|source, complain| {
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            complain(LONGEST_FILE, &format!("{lines} lines: look for the seam"));
        }
    });
}

#[test]
fn nothing_is_unfinished() {
    // Put together, so that this file does not find itself.
    let words = ["todo", "unimplemented"].map(|word| format!("{word}!("));
    let ignored = format!("#[{}", "ignore");
    check(|source, complain| {
        for (number, line) in source.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                complain(number + 1, "unfinished");
            }
            if line.contains(&ignored) {
                complain(number + 1, "a test that is not run");
            }
        }
    });
}

#[test]
fn directories_explain_themselves() {
    check(|source, complain| {
        let explains = ["mod.rs", "lib.rs", "main.rs"]
            .iter()
            .any(|name| source.path.ends_with(name));
        if explains && !source.text.starts_with("//! ") {
            complain(1, "does not begin with what it is for");
        }
    });
}

/// A source file.
struct Source {
    /// Its path in the project.
    path: PathBuf,
    text: String,
    /// The top-level module of the library that it belongs to; absent for `lib.rs`, programs and tests.
    module: Option<String>,
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let path = path.strip_prefix(root).unwrap().to_owned();
        let mut parts = path.iter().map(|part| part.to_str().unwrap());
        let module = match (parts.next(), parts.next()) {
            (Some("src"), Some(part)) if part != "bin" && part != "lib.rs" => {
                Some(part.trim_end_matches(".rs").to_owned())
            }
            _ => None,
        };
        Self {
            text: fs::read_to_string(root.join(&path)).unwrap(),
            path,
            module,
        }
    }

    /// Its lines with their numbers, up to the unit tests, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .take_while(|line| !line.trim_start().starts_with("#[cfg(test)]"))
            .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

/// Runs a check over all sources of the library, the programs and the tests, and fails with all complaints at once.
fn check(rule: impl Fn(&Source, &mut dyn FnMut(usize, &str))) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    collect(&root.join("tests"), &mut files);
    files.sort();
    assert!(files.len() > 10, "the sources are not where they should be");
    let mut complaints = Vec::new();
    for file in &files {
        let source = Source::read(root, file);
        rule(&source, &mut |line, what| {
            complaints.push(format!("{}:{line}: {what}", source.path.display()));
        });
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // The fuzz targets are a package of their own, and may have been built.
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The top-level modules that a line names after `crate::`, also in braces.
fn crate_paths(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list.split(',').map(str::trim_start).collect(),
            None => vec![rest],
        })
        .map(|path| {
            path.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap()
        })
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn paths_are_found_in_a_line() {
    let found = |line| crate_paths(line).collect::<Vec<_>>();
    assert_eq!(found("use crate::pb::{Value, Luid};"), ["pb"]);
    assert_eq!(
        found("    let x: crate::model::Change = crate::net::y();"),
        ["model", "net"]
    );
    assert_eq!(
        found("use crate::{model::Change, store};"),
        ["model", "store"]
    );
    assert_eq!(found("use super::Value;"), Vec::<&str>::new());
}
