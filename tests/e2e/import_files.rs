//! What `import-config` writes, and what it never replaces.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

use crate::harness::{Sandbox, run};

/// A dump of a small farm.
const FARM: &str = include_str!("../data/import-farm.json");

fn import(sandbox: &Sandbox, dump: &Path) -> Command {
    let mut command = sandbox.buildmaster();
    command.arg("import-config").arg(dump);
    command.arg("--out").arg(sandbox.path("ci"));
    command
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// IMP-10, IMP-40: the files, and who may read them.
#[test]
fn only_the_owner_reads_what_an_import_writes() {
    let sandbox = Sandbox::new();
    let dump = sandbox.file("farm.json", FARM);
    run(&mut import(&sandbox, &dump)).fails_with(1);
    for dir in ["ci", "ci/secrets"] {
        assert_eq!(mode(&sandbox.path(dir)), 0o700, "{dir}");
    }
    for file in [
        "master.toml",
        "slaves.toml",
        "answers.toml",
        "import-report.md",
        "secrets/slave-bot1",
    ] {
        let path = sandbox.path("ci").join(file);
        assert_eq!(mode(&path), 0o600, "{file}");
    }
    let printed = run(import(&sandbox, &dump).args(["--force", "--json"]));
    let json: Json = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(json.get("builders").and_then(Json::as_u64), Some(2));
}

/// IMP-11: a file that it did not write is not replaced, with --force neither.
#[test]
fn an_import_replaces_only_its_own_files() {
    let sandbox = Sandbox::new();
    let dump = sandbox.file("farm.json", FARM);
    fs::create_dir(sandbox.path("ci")).unwrap();
    for name in ["ci/master.toml", "ci/slaves.toml"] {
        let own = sandbox.file(name, "# mine\n");
        let refused = run(import(&sandbox, &dump).arg("--force")).fails_with(2);
        assert!(
            refused.contains("was not written by an import"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(&own).unwrap(), "# mine\n");
        fs::remove_file(&own).unwrap();
    }
    run(&mut import(&sandbox, &dump)).fails_with(1);
}

/// IMP-12: 2 if nothing was written, 3 if the farm has a mistake that checkconfig refuses.
#[test]
fn exit_codes_tell_what_became_of_a_farm() {
    let sandbox = Sandbox::new();
    let none = sandbox.file("none.json", "{}");
    run(&mut import(&sandbox, &none)).fails_with(2);
    assert!(!sandbox.path("ci").exists());
    let mut farm: Json = serde_json::from_str(FARM).unwrap();
    let slaves = farm.get_mut("slaves").and_then(Json::as_array_mut).unwrap();
    slaves.push(slaves[0].clone());
    let twice = sandbox.file("twice.json", farm.to_string());
    let told = run(&mut import(&sandbox, &twice)).fails_with(3);
    assert!(told.contains("the slave `bot1` is there twice"), "{told}");
    assert!(sandbox.path("ci/master.toml").exists());
}
