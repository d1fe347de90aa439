//! Steps that depend on the machine they run on: terminals and memory of the master, environments
//! of slaves.

use std::fs;

use crate::harness::{Kind, Master, Sandbox, Setup, Slave, is_slow, shell};

/// The log of a step of build `number`, as it is on the disk.
fn log(master: &Master<'_>, number: u64, file: &str) -> String {
    let path = format!("builders/full/{number}/{file}.log");
    fs::read_to_string(master.dir().join(path)).unwrap()
}

#[test]
fn stp_262_a_command_of_the_master_can_have_a_terminal() {
    let sandbox = Sandbox::new();
    let step = |name: &str, setting: &str| {
        format!(
            "{{ type = \"MasterShellCommand\", name = \"{name}\"{setting}, command = \
             \"for n in 0 1 2; do test -t $n && echo $n is a terminal; done; ps -o sid= -p $$; exit 0\" }}"
        )
    };
    let steps = [
        step("pipes", ""),
        step("terminal", ", use_pty = true"),
        "{ type = \"MasterShellCommand\", name = \"fails\", use_pty = true, \
         command = \"exit 3\", flunk_on_failure = false, halt_on_failure = false }"
            .to_owned(),
    ];
    let master = Master::start(&sandbox, &Setup::new(&steps).local_slave("here"));
    master.send_change("r1");
    let build = master.finished_build("full", 0);
    assert_eq!(build.result.as_deref(), Some("success"));
    let pipes = log(&master, 0, "0-pipes.stdio");
    assert!(!pipes.contains("is a terminal\n"), "{pipes}");
    let terminal = log(&master, 0, "1-terminal.stdio");
    for number in 0..3 {
        let told = format!("{number} is a terminal");
        assert!(terminal.contains(&told), "{terminal}");
    }
    let fails = log(&master, 0, "2-fails.stdio");
    assert!(fails.contains("exit status 3\n"), "{fails}");
}

#[test]
fn properties_come_from_the_environment_of_a_slave_of_every_generation() {
    let sandbox = Sandbox::new();
    let steps = [
        "{ type = \"SetPropertiesFromEnv\", variables = [\"PATH\", \"NO_SUCH_VARIABLE\"] }".to_owned(),
        shell("asked", "echo \"<$PATH>\"", ""),
        "{ type = \"LogRenderable\", name = \"told\", content = \"<%(PATH)s><%(NO_SUCH_VARIABLE:-none)s>\" }"
            .to_owned(),
    ];
    let master = Master::start(&sandbox, &Setup::new(&steps).slave("bot"));
    let mut number = 0;
    for kind in [Kind::Native, Kind::Slave0814, Kind::Worker430] {
        let Some(slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
            continue;
        };
        master.wait_until_attached("bot");
        master.send_change(&format!("r{number}"));
        let build = master.finished_build("full", number);
        assert_eq!(build.result.as_deref(), Some("success"), "{kind:?}");
        let asked = log(&master, number, "1-asked.stdio");
        let path = asked.lines().find(|line| line.starts_with('<')).unwrap();
        assert!(path.len() > 2, "{kind:?}: {asked}");
        let told = log(&master, number, "2-told.Output");
        assert!(told.contains(&format!("{path}<none>")), "{kind:?}: {told}");
        drop(slave);
        master.wait_until_detached("bot");
        number += 1;
    }
    assert!(number > 0, "no slave ran");
}

/// The most memory that the master has had so far, in KiB.
fn peak_kib(master: &mut Master<'_>) -> u64 {
    let pid = master.process().pid().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    peak.parse().unwrap()
}

#[test]
fn log_05_output_without_a_newline_takes_bounded_memory_of_the_master() {
    let large: u64 = if is_slow() { 1 << 30 } else { 1 << 25 };
    let sandbox = Sandbox::new();
    // The revision says how much is printed.
    let steps = [
        "{ type = \"ShellCommand\", name = \"print\", watch = [{ match = \"y\", count = \"n\" }], \
         command = \"head -c %(revision)s /dev/zero | tr '\\\\0' x\" }"
            .to_owned(),
    ];
    let mut master = Master::start(&sandbox, &Setup::new(&steps).slave("bot"));
    let slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    master.send_change("1000000");
    assert_eq!(
        master.finished_build("full", 0).result.as_deref(),
        Some("success")
    );
    let before = peak_kib(&mut master);
    master.send_change(&large.to_string());
    let build = master.finished_build("full", 1);
    assert_eq!(build.result.as_deref(), Some("success"));
    let shown: serde_json::Value = master.show(&["build", "full", "1"]).remove(0);
    let bytes = &shown["steps"][0]["logs"][0]["bytes"];
    assert!(bytes.as_u64().unwrap() >= large, "{bytes}");
    let grown = peak_kib(&mut master) - before;
    eprintln!("{large} bytes without a newline: {grown} KiB of memory of the master");
    assert!(grown < 16 * 1024, "the master grew by {grown} KiB");
    drop(slave);
}
