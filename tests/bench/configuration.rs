//! What reading a configuration costs (CFL-71): `cargo bench --bench configuration`.

#![expect(clippy::unwrap_used, reason = "the input is our own")]

use std::collections::BTreeMap;

use buildmaster::config::{Config, read};
use buildmaster::model::Zone;
use divan::Bencher;

fn main() {
    divan::main();
}

/// The farm of the examples: 300 builders in three files.
#[divan::bench]
fn example_farm(bencher: Bencher<'_, '_>) {
    let files = [
        (
            "machines.toml",
            include_str!("../../examples/farm/machines.toml"),
        ),
        (
            "builders/boards.toml",
            include_str!("../../examples/farm/builders/boards.toml"),
        ),
        ("boards.txt", include_str!("../../examples/farm/boards.txt")),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let files = BTreeMap::from(files);
    let text = include_str!("../../examples/farm/master.toml");
    assert_eq!(config(text, &files).builders.len(), 300);
    bencher.bench(|| config(text, &files));
}

/// 1 000 builders with 500 factories of 7 steps, which may take 200 ms.
#[divan::bench(max_time = 10)]
fn thousand_builders(bencher: Bencher<'_, '_>) {
    let files = BTreeMap::new();
    assert_eq!(config(FARM, &files).builders.len(), 1000);
    bencher.bench(|| config(FARM, &files));
}

fn config(text: &str, files: &BTreeMap<String, String>) -> Config {
    let reading = read(text, "master.toml", files, &Ok(Zone::UTC));
    reading.into_result().unwrap().0
}

const FARM: &str = r#"
title = "A thousand builders"
slave_port = 9989

[vars]
branches = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "main", "next"]
machines = "{{ range(50) | list }}"
options = { debug = ["--with-pydebug"], release = ["--enable-optimizations", "--with-lto"] }

[defaults.Test]
timeout = "20m"
halt_on_failure = false
flunk_on_failure = true

[defaults.patient]
timeout = "1h"
env = { LC_ALL = "C", TERM = "dumb" }

[[slaves]]
for = { n = "{{ machines }}" }
name = "machine-{{ n }}"
type = "local"
tags = ["group-{{ n // 10 }}", "{{ 'even' if n in [0, 2, 4, 6, 8] else none }}"]
properties = { jobs = "{{ n + 1 }}", arch = "{{ 'arm' if n > 30 else 'amd64' }}" }

[factories.checkout]
steps = [
  { type = "Git", repourl = "https://git.example/{{ branch }}.git", branch = "{{ branch }}", mode = "incremental" },
]

[factories.unix]
with = { env = {} }
steps = [
  { use = "checkout", with = { branch = "{{ branch }}" } },
  { type = "Configure", command = ["./configure", "--prefix=/opt/{{ branch }}", "{{* flags }}"], env = "{{ env }}" },
  { type = "Compile", command = ["make", "-j{{ jobs }}", "all"], env = "{{ env }}", warning_pattern = ".*{{ branch | regex_replace('\\.', '_') }} warning.*" },
  { extends = "patient", type = "ShellCommand", name = "describe", command = ["make", "describe"] },
  { type = "Test", command = ["make", "check", "LIMIT={{ jobs * 600 }}"], do_step_if = "prop.branch != 'skip' and not prop.quick" },
  { type = "ShellCommand", name = "report", command = ["make", "report"], hide_step_if = "result == 'success'", always_run = true },
  { extends = "patient", type = "ShellCommand", name = "clean", command = ["make", "clean"], always_run = true, do_step_if = "not prop.keep" },
]

[[builders]]
for = { b = "{{ branches }}", n = "{{ machines }}", kind = ["debug", "release"] }
let = { speed = "{{ n // 2 + 1 }}" }
name = "{{ b }} on {{ n }} {{ kind }}"
slaves = ["machine-{{ n }}"]
tags = ["{{ b }}", "{{ kind }}"]
factory = "unix"
with = { branch = "{{ b }}", flags = "{{ options[kind] }}", jobs = "{{ speed }}", env = { BRANCH = "{{ b }}" } }

[[schedulers]]
for = { b = "{{ branches }}" }
type = "Scheduler"
name = "{{ b }}"
branch = "{{ b }}"
tree_stable_timer = "1m"
builders = { tags = "{{ b }}" }
"#;
