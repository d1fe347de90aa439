//! `checkconfig --expand` and `--json` of a configuration in several files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Finished, Sandbox, run};

const MASTER: &str = r#"include = ["machines.toml", "builders/*.toml"]
title = "Two files and data"

[factories.check]
steps = [{ type = "ShellCommand", command = ["make", "{{ target }}"] }]
"#;

const MACHINES: &str = r#"[vars]
targets = { lines = "targets.txt" }

[[slaves]]
for = { n = [1, 2] }
name = "machine-{{ n }}"
type = "local"
tags = ["fast"]
"#;

const BUILDERS: &str = r#"[[builders]]
for = { target = "{{ targets }}" }
name = "check {{ target }}"
slaves = { tags = "fast" }
factory = "check"
with = { target = "{{ target }}" }

[[schedulers]]
type = "Scheduler"
name = "all"
builders = {}
"#;

/// The files, in a directory of their own.
fn farm(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.private_dir("master");
    fs::create_dir(dir.join("builders")).unwrap();
    for (name, text) in [
        ("master.toml", MASTER),
        ("machines.toml", MACHINES),
        ("builders/all.toml", BUILDERS),
        ("targets.txt", "# targets\narm\n\nmips\n"),
    ] {
        fs::write(dir.join(name), text).unwrap();
    }
    dir
}

/// Its standard output.
fn out(finished: &Finished) -> String {
    String::from_utf8(finished.stdout.clone()).unwrap()
}

/// Runs `checkconfig` in a directory where nothing is.
fn checkconfig(sandbox: &Sandbox, options: &[&str], file: &Path) -> Finished {
    let empty = sandbox.path("empty");
    fs::create_dir_all(&empty).unwrap();
    let mut command = sandbox.buildmaster();
    command.current_dir(empty);
    run(command.arg("checkconfig").args(options).arg(file))
}

#[test]
fn cfl_55_an_expansion_is_its_own_expansion_byte_for_byte() {
    let sandbox = Sandbox::new();
    let dir = farm(&sandbox);
    let first = checkconfig(&sandbox, &["--expand"], &dir);
    assert_eq!(
        (first.code, first.stderr.as_str()),
        (Some(0), ""),
        "{first}"
    );
    for piece in [
        "name = \"check mips\"",
        "[factories.check-2]",
        "\"machine-1\", \"machine-2\"",
    ] {
        assert!(out(&first).contains(piece), "{piece} is not in {first}");
    }
    assert!(!out(&first).contains("include"), "{first}");
    let print = sandbox.file("print.toml", &first.stdout);
    let again = checkconfig(&sandbox, &["--expand"], &print);
    assert_eq!(
        (again.code, &again.stdout),
        (Some(0), &first.stdout),
        "{again}"
    );
}

#[test]
fn cfl_55_a_mistake_in_the_language_prints_no_expansion_and_one_of_the_plain_checks_does() {
    let sandbox = Sandbox::new();
    let dir = farm(&sandbox);
    let builders = dir.join("builders/all.toml");

    fs::write(
        &builders,
        BUILDERS.replace("{{ targets }}", "{{ tragets }}"),
    )
    .unwrap();
    let wrong = checkconfig(&sandbox, &["--expand"], &dir);
    assert_eq!((wrong.code, out(&wrong).as_str()), (Some(2), ""), "{wrong}");
    assert!(wrong.stderr.contains("builders/all.toml:2:22"), "{wrong}");

    fs::write(&builders, BUILDERS.replace("\"Scheduler\"", "\"Sheduler\"")).unwrap();
    let wrong = checkconfig(&sandbox, &["--expand"], &dir);
    assert_eq!(wrong.code, Some(2), "{wrong}");
    assert!(out(&wrong).contains("name = \"check mips\""), "{wrong}");
    assert!(wrong.stderr.contains("builders/all.toml:9:8"), "{wrong}");
}

#[test]
fn cfl_65_mistakes_in_included_files_are_lines_of_json() {
    let sandbox = Sandbox::new();
    let dir = farm(&sandbox);
    let factory = MASTER.replace("{{ target }}", "{{ taget }}");
    fs::write(dir.join("master.toml"), factory).unwrap();
    let machines = MACHINES.replace("[vars]\n", "[vars]\nunused = 1\n");
    fs::write(dir.join("machines.toml"), machines).unwrap();
    let told = checkconfig(&sandbox, &["--json"], &dir);
    assert_eq!((told.code, told.stderr.as_str()), (Some(2), ""), "{told}");
    let stdout = out(&told);
    let lines = stdout.lines().map(serde_json::from_str::<Value>);
    let lines: Vec<Value> = lines.map(Result::unwrap).collect();
    let of_factory = lines.iter().find(|line| line["class"] == "unknown-name");
    let of_factory = of_factory.unwrap_or_else(|| panic!("{told}"));
    assert_eq!(of_factory["level"], "error");
    assert_eq!(
        of_factory["file"],
        dir.join("master.toml").to_str().unwrap()
    );
    assert_eq!(
        (&of_factory["line"], &of_factory["column"]),
        (&5.into(), &58.into())
    );
    assert_eq!(of_factory["row"]["target"], "\"arm\"");
    assert_eq!(of_factory["via"][0], "builders/all.toml:1");

    fs::write(dir.join("master.toml"), MASTER).unwrap();
    let told = checkconfig(&sandbox, &["--json"], &dir);
    assert_eq!(told.code, Some(0), "{told}");
    let line: Value = serde_json::from_str(out(&told).trim()).unwrap();
    assert_eq!(
        (&line["level"], &line["class"]),
        (&"warning".into(), &"unused".into())
    );
    assert_eq!(
        (&line["file"], &line["line"]),
        (&"machines.toml".into(), &2.into())
    );
}
