//! Finds the real peers, installing them first where needed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The directory of the programs of a real peer (see `tests/peers.sh` for the names). Absent, with
/// a line that says why, when it cannot be had on this machine; with `REQUIRE_PEERS=1` that is a
/// failure, except for what only runs on a Python 2.7 which the machine does not have.
pub(crate) fn peer(name: &str) -> Option<PathBuf> {
    match &installed()[name] {
        Ok(bin) => Some(bin.clone()),
        Err(reason) => {
            eprintln!("skipped: {reason}");
            None
        }
    }
}

/// The path of `program` among what `tests/from_pypi.sh` installs under `name`; absent where there
/// is no usable Python.
pub(crate) fn from_pypi(name: &str, program: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/from_pypi.sh");
    let output = Command::new(script)
        .arg(name)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "REQUIRE_PEERS=1");
    let directory = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    if directory.is_empty() {
        eprintln!("skipped: there is no {name}");
        return None;
    }
    Some(Path::new(&directory).join(program))
}

/// Runs `tests/peers.sh`, once in the life of this process.
fn installed() -> &'static BTreeMap<String, Result<PathBuf, String>> {
    static INSTALLED: OnceLock<BTreeMap<String, Result<PathBuf, String>>> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = std::env::var_os("BUILDMASTER_PEERS")
            .map_or_else(|| project.join(".peers"), PathBuf::from);
        let output = Command::new(project.join("tests/peers.sh"))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let required = std::env::var("REQUIRE_PEERS").is_ok_and(|value| value == "1");
        assert!(
            output.status.success() || !required,
            "tests/peers.sh failed, and REQUIRE_PEERS=1"
        );
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| {
                let (name, state) = line.split_once(' ').unwrap();
                let found = match state {
                    "ok" => Ok(directory.join(name).join("bin")),
                    _ => Err(line.to_owned()),
                };
                (name.to_owned(), found)
            })
            .collect()
    })
}
