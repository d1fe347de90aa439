//! Checks the structure of the sources: imports point down the floors and form no circles,
//! decisions stay free of I/O, files stay small, texts are plain English, and nothing is left
//! unfinished.
//!
//! The checks read the sources as tokens (`source`), which separates comments and literals from
//! code. Items under `#[cfg(test)]` are left out, and nothing else.

#![allow(clippy::unwrap_used, reason = "tests")]

mod circles;
mod paths;
mod source;
mod texts;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// The modules by floor. A module imports only from floors below its own. (Two on the same floor
/// never know each other, except where [`SAME_FLOOR`] says so.)
const FLOORS: [&[&str]; 9] = [
    &[
        "model",
        "pb",
        "process_lock",
        "directory",
        "text",
        "backoff",
        "blocking",
        "inbox",
        "measure",
        "platform",
    ],
    &[
        "clock", "config", "protocol", "process", "transfer", "vc", "verdict",
    ],
    &[
        "people",
        "schedulers",
        "net",
        "store",
        "logs",
        "daemonize",
        "import",
    ],
    &["botmaster"],
    &["view"],
    &["control", "build"],
    &["changes", "status", "client", "buildslave", "web"],
    &["daemon"],
    &["cli"],
];

/// Arrows between neighbours: who imports whom.
const SAME_FLOOR: [(&str, &str); 1] = [("process_lock", "platform")];

/// Modules whose files still form circles.
const CIRCULAR: &[&str] = &[];

/// Modules that decide, and therefore do nothing else.
const PURE: [&str; 11] = [
    "backoff",
    "vc",
    "model",
    "pb",
    "protocol",
    "config",
    "people",
    "verdict",
    "schedulers",
    "botmaster",
    "import",
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
const SPAWNING: [&str; 11] = [
    "blocking",
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

/// What is named in one file alone.
const SEAMS: [(&str, &[&str]); 2] = [
    ("spawn_blocking", &["src/blocking.rs"]),
    // The second is for `show log -f`, which is another program.
    (
        "recommended_watcher",
        &["src/changes/arrivals.rs", "src/logs/watch.rs"],
    ),
];

/// The rooms that call Unix directly: those of the master, as `src/lib.rs` lists them.
const UNIX_ROOMS: [&str; 11] = [
    "build",
    "changes",
    "control",
    "daemon",
    "directory",
    "logs",
    "status",
    "store",
    "transfer",
    "view",
    "web",
];

/// The verbs of the master, which are compiled for Unix only.
const UNIX_VERBS: &str = "src/cli/buildmaster";

/// Other files that are compiled for Unix only.
const UNIX_FILES: [&str; 5] = [
    "src/client/password.rs",
    "src/client/tryserver.rs",
    "src/daemonize/stderr.rs",
    "src/net/listen.rs",
    "src/process/pty.rs",
];

/// Names that only Unix has.
const OF_UNIX: [&str; 7] = [
    "os::unix",
    "os::fd",
    "rustix::",
    "signal::unix",
    "net::unix",
    "uzers::",
    "sd_notify::",
];

/// The only places of MD5: it is part of the login and protects nothing there, Google Code signs
/// its requests with it, and it is in files of passwords of Apache.
const MD5_HOMES: [&str; 3] = [
    "src/pb/cred.rs",
    "src/people/htpasswd.rs",
    "src/protocol/hook/signature.rs",
];

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
        for named in paths::named(&source.tokens) {
            let [first, used, ..] = named.parts.as_slice() else {
                continue;
            };
            // A macro or a type at the root is not a module.
            if first != "crate" || !used.starts_with(|c: char| c.is_ascii_lowercase()) {
                continue;
            }
            let below = floor(used).is_some_and(|floor| floor < own);
            let neighbour = SAME_FLOOR.contains(&(module.as_str(), used.as_str()));
            if used != module && !below && !neighbour {
                let message = format!("`{module}` must not import from `{used}`");
                complain(named.line, &message);
            }
        }
    });
}

#[test]
fn files_form_no_circles() {
    let all = sources(Path::new(env!("CARGO_MANIFEST_DIR")));
    let tests: Vec<PathBuf> = all.iter().flat_map(test_modules).collect();
    let is_for_tests = |source: &Source| tests.iter().any(|dir| source.path.starts_with(dir));
    let (_, sources): (Vec<_>, Vec<_>) = all.into_iter().partition(is_for_tests);
    let mut circles = circles::circles(&sources);
    for &module in CIRCULAR {
        let known = circles.remove(module);
        assert!(
            known.is_some(),
            "there are no circles in `{module}` any more"
        );
    }
    let circles: Vec<_> = circles.into_values().flatten().collect();
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

/// The files and directories of the modules that a file declares for tests only.
fn test_modules(source: &Source) -> impl Iterator<Item = PathBuf> {
    let stem = source.path.file_stem().unwrap();
    let dir = match stem.to_str() {
        Some("mod" | "lib" | "main") => source.path.with_file_name(""),
        _ => source.path.with_extension(""),
    };
    let names = source.test_modules.iter();
    names.flat_map(move |name| [dir.join(name), dir.join(format!("{name}.rs"))])
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
        for (number, line) in source.code().into_iter().filter(|_| !may) {
            if line.contains("tokio::spawn") || line.contains("task::spawn") {
                complain(number, "this module may not start tasks");
            }
        }
    });
}

/// What a simulation replaces is taken from the system in one file each.
#[test]
fn the_seams_of_a_simulation_are_kept() {
    check(|source, complain| {
        for (name, homes) in SEAMS {
            let is_home = homes.iter().any(|home| source.path == Path::new(home));
            if source.module.is_none() || is_home {
                continue;
            }
            for (number, _) in source.code().iter().filter(|(_, line)| line.contains(name)) {
                complain(*number, &format!("`{name}` outside {homes:?}"));
            }
        }
    });
}

/// The slave and the client also run on Windows.
#[test]
fn unix_is_called_by_the_master_and_the_platform_floor() {
    let all = sources(Path::new(env!("CARGO_MANIFEST_DIR")));
    let tests: Vec<PathBuf> = all.iter().flat_map(test_modules).collect();
    check(|source, complain| {
        let Some(module) = source.module.as_deref() else {
            return;
        };
        if tests.iter().any(|dir| source.path.starts_with(dir)) {
            return;
        }
        let path = source.path.to_str().unwrap();
        let is_of_unix = UNIX_ROOMS.contains(&module)
            || UNIX_FILES.contains(&path)
            || path.starts_with(UNIX_VERBS);
        if module == "platform" || is_of_unix {
            return;
        }
        for (number, line) in source.code() {
            let names = OF_UNIX.iter().filter(|name| line.contains(**name));
            for name in names {
                complain(
                    number,
                    &format!("call Unix through `crate::platform`, not `{name}`"),
                );
            }
        }
    });
}

#[test]
fn the_wall_clock_is_read_in_one_place() {
    check(|source, complain| {
        let clock = source.path == Path::new("src/clock.rs");
        if source.module.is_none() || clock || source.module.as_deref() == Some("client") {
            return;
        }
        for (number, line) in source.code() {
            if line.contains("SystemTime::now") || line.contains("Utc::now") {
                complain(number, "ask a `Clock` for the time");
            }
        }
    });
}

/// The branch of a `select!` that is chosen at random cannot be repeated from a seed, and whether
/// one starves another is luck.
#[test]
fn selects_are_in_order() {
    check(|source, complain| {
        if source.module.is_none() {
            return;
        }
        for tokens in source.tokens.windows(4) {
            let words = tokens.iter().map(|token| token.text.as_str());
            if let ["select", "!", "{", first] = words.collect::<Vec<_>>()[..]
                && first != "biased"
            {
                complain(
                    tokens[0].line,
                    "begin it with `biased;`, and argue the order",
                );
            }
        }
    });
}

#[test]
fn the_database_stays_in_the_store() {
    check(|source, complain| {
        if source.module.as_deref().is_none_or(|m| m == "store") {
            return;
        }
        let is_word = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        for (number, line) in source.code() {
            for word in ["rusqlite", ".conn"] {
                if line.split(word).skip(1).any(is_word) {
                    let message = format!("`{word}` outside `store`: give `State` a method");
                    complain(number, &message);
                }
            }
        }
    });
}

#[test]
fn cfl_160_the_engine_of_expressions_is_named_in_their_module_alone() {
    check(|source, complain| {
        let path = &source.path;
        let is_home = path.starts_with("src/config/expression")
            || path.starts_with("tests/it/tidy")
            || path.starts_with("tests/bench");
        for (number, line) in source.code().into_iter().filter(|_| !is_home) {
            if line.contains("minijinja") {
                complain(
                    number,
                    "use `config::expression`: another engine may take its place",
                );
            }
        }
    });
}

#[test]
fn md5_is_used_where_peers_ask_for_it_alone() {
    check(|source, complain| {
        for (number, line) in source.code() {
            let used = line.contains("md5::") || line.contains("use md5") || line.contains("Md5");
            if used
                && source.module.is_some()
                && !MD5_HOMES.iter().any(|home| source.path == Path::new(home))
            {
                complain(number, &format!("MD5 outside {}", MD5_HOMES.join(", ")));
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

/// Runs a check over all sources of the library, the programs and the tests, and fails with all
/// complaints at once.
fn check(rule: impl Fn(&Source, &mut dyn FnMut(usize, &str))) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut complaints = Vec::new();
    for source in &sources(root) {
        rule(source, &mut |line, what| {
            complaints.push(format!("{}:{line}: {what}", source.path.display()));
        });
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// All sources of the library, the programs and the tests.
fn sources(root: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root.join("src"), &["rs"], &mut files);
    collect(&root.join("tests"), &["rs"], &mut files);
    files.sort();
    assert!(files.len() > 10, "the sources are not where they should be");
    files.iter().map(|file| Source::read(root, file)).collect()
}

/// Adds the files below `dir` with one of `extensions` to `files`.
fn collect(dir: &Path, extensions: &[&str], files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // The fuzz targets are a package of their own, and may have been built.
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, extensions, files);
        } else if path
            .extension()
            .is_some_and(|e| extensions.iter().any(|known| e == *known))
        {
            files.push(path);
        }
    }
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}
