//! Steps that transfer files, on slaves of every generation, and under a real master.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::harness::printed::assert_same;
use crate::harness::real_master::{RealMaster, Version};
use crate::harness::{Build, Kind, Master, Sandbox, Setup, Slave, is_slow, run, shell, wait_until};

/// The slaves, each of which has a builder of its name.
const SLAVES: [(&str, Kind); 3] = [
    ("native", Kind::Native),
    ("old", Kind::Slave0814),
    ("new", Kind::Worker430),
];

/// Tables with a builder for each slave.
fn builders() -> (String, String) {
    let builder = |(name, _): &(&str, Kind)| {
        format!("[[builders]]\nname = {name:?}\nslaves = [{name:?}]\nfactory = \"steps\"\n")
    };
    let names: Vec<_> = SLAVES.iter().map(|(name, _)| *name).collect();
    let scheduler =
        format!("[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = {names:?}\n");
    (SLAVES.iter().map(builder).collect(), scheduler)
}

fn setup(steps: &[String]) -> Setup {
    let (builders, scheduler) = builders();
    let setup = SLAVES
        .iter()
        .fold(Setup::new(steps), |setup, (name, _)| setup.slave(name));
    setup.tables(&builders).schedulers(&scheduler)
}

/// Makes the tree that is uploaded: odd names, a link, an empty directory, a file that grows.
const TREE: &str = "mkdir -p 'd/sub dir' d/empty && echo 1 >'d/a b' && echo 2 >d/é && \
    echo 3 >\"d/sub dir/$(printf 'x\\377')\" && ln -s '../a b' 'd/sub dir/link' && \
    echo run >d/tool && chmod 755 d/tool && mkdir evil && ln -s /etc evil/out && \
    touch -d @1000000000 'd/a b' && \
    (setsid sh -c 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done' \
     >growing </dev/null 2>/dev/null &) && \
    head -c 700000 /dev/zero >zeros";

fn lenient(step: &str) -> String {
    format!("{{ {step}, halt_on_failure = false, flunk_on_failure = false }}")
}

fn steps() -> Vec<String> {
    let mut steps = vec![shell("tree", TREE, "")];
    for compress in ["", ", compress = \"gz\"", ", compress = \"bz2\""] {
        let name = compress.split('"').nth(1).unwrap_or("plain");
        steps.push(format!(
            "{{ type = \"DirectoryUpload\", name = \"{name}\", slavesrc = \"d\", \
             masterdest = \"public/%(buildername)s/{name}\"{compress} }}"
        ));
    }
    steps.extend(
        [
            "type = \"FileUpload\", slavesrc = \"growing\", masterdest = \"public/%(buildername)s/growing\"",
            "type = \"FileUpload\", slavesrc = \"d/a b\", masterdest = \"public/%(buildername)s/one\", \
             mode = 0o644, keepstamp = true",
            "type = \"MultipleFileUpload\", slavesrcs = [\"z*\", \"d\"], glob = true, \
             masterdest = \"public/%(buildername)s/several\", blocksize = \"16KiB\"",
            "type = \"FileUpload\", name = \"fits\", slavesrc = \"zeros\", masterdest = \"public/%(buildername)s/fits\", \
             maxsize = 700001",
        ]
        .map(|step| format!("{{ {step} }}")),
    );
    steps.extend([
        lenient("type = \"DirectoryUpload\", name = \"evil\", slavesrc = \"evil\", masterdest = \"public/evil\""),
        lenient("type = \"FileUpload\", name = \"gone\", slavesrc = \"gone\", masterdest = \"public/gone\""),
        lenient("type = \"FileUpload\", name = \"large\", slavesrc = \"zeros\", masterdest = \"public/large\", maxsize = \"500KiB\""),
        lenient("type = \"FileUpload\", name = \"away\", slavesrc = \"zeros\", masterdest = \"public/%(revision)s\""),
        "{ type = \"FileDownload\", mastersrc = \"files/in.bin\", slavedest = \"in/in.bin\", mode = 0o640 }".to_owned(),
        lenient("type = \"FileDownload\", name = \"cut\", mastersrc = \"files/in.bin\", slavedest = \"in/cut\", maxsize = 300000"),
        "{ type = \"StringDownload\", s = \"é %(revision)s\\n\", slavedest = \"in/text\" }".to_owned(),
        "{ type = \"JSONPropertiesDownload\", slavedest = \"in/json\" }".to_owned(),
        "{ type = \"MakeDirectory\", dir = \"build/made/deep\" }".to_owned(),
        "{ type = \"CopyDirectory\", src = \"build/d\", dest = \"build/copy\" }".to_owned(),
        "{ type = \"FileExists\", file = \"build/copy/é\" }".to_owned(),
        "{ type = \"RemoveFile\", file = \"build/copy/é\" }".to_owned(),
        lenient("type = \"FileExists\", name = \"removed\", file = \"build/copy/é\""),
        "{ type = \"RemoveDirectory\", dir = \"build/d\" }".to_owned(),
        shell(
            "look",
            "cat in/text && cksum <in/in.bin && stat -c %a in/in.bin && \
             cmp -n 300000 in/cut in/in.bin && stat -c %s in/cut && grep -c sourcestamp in/json && \
             ls -d made/deep copy/tool && test ! -e d && \
             until grep -q 'line 2999' growing; do sleep 0.1; done; cp growing grown",
            "",
        ),
        "{ type = \"FileUpload\", name = \"grown\", slavesrc = \"grown\", masterdest = \"public/%(buildername)s/grown\" }".to_owned(),
    ]);
    steps
}

#[test]
fn files_and_trees_travel_between_the_master_and_every_slave() {
    let sandbox = Sandbox::new();
    let master = Master::prepare(&sandbox, &setup(&steps()));
    let content: Vec<u8> = (0..300_000_u32).flat_map(|n| n.to_le_bytes()).collect();
    fs::create_dir(master.dir().join("files")).unwrap();
    fs::write(master.dir().join("files/in.bin"), &content).unwrap();
    let mut master = master;
    master.run();
    let slaves: Vec<_> = SLAVES
        .iter()
        .filter_map(|(name, kind)| {
            Some((*name, Slave::start(*kind, &sandbox, name, master.port())?))
        })
        .collect();
    for (name, _) in &slaves {
        master.wait_until_attached(name);
    }
    master.send_change("../../away");
    let mut sum = sandbox.command("cksum");
    let sum = run(sum.arg(master.dir().join("files/in.bin"))).ok();
    let sum: Vec<_> = sum.split(' ').take(2).collect();
    let sum = sum.join(" ");
    for (name, _) in &slaves {
        let build = master.finished_build(name, 0);
        check_build(name, &build);
        check_tree(&master.dir().join("public").join(name));
        let look = String::from_utf8(master.log(name, 0, "look")).unwrap();
        let expect = format!("é ../../away\n{sum}\n640\n300000\n1\ncopy/tool\nmade/deep\n");
        assert_eq!(look, expect, "{name}");
    }
    let public = master.dir().join("public");
    for gone in ["evil", "gone", "large", "../away", "../../away"] {
        assert!(!public.join(gone).exists(), "{gone}");
    }
    assert_eq!(fs::read_dir(&public).unwrap().count(), slaves.len());
}

fn check_build(name: &str, build: &Build) {
    let failed = ["evil", "gone", "large", "away", "cut", "removed"];
    for (step, result) in build.ran() {
        let expect = if failed.contains(&step) {
            "failure"
        } else {
            "success"
        };
        let number = build.steps.iter().position(|s| s.name == step).unwrap();
        assert_eq!(
            result, expect,
            "{name} {step}: {:?}",
            build.steps[number].text
        );
    }
    assert_eq!(build.result.as_deref(), Some("success"), "{name}");
}

/// What has arrived on the master.
fn check_tree(public: &Path) {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    for tree in ["plain", "gz", "bz2", "several/d"] {
        let tree = public.join(tree);
        assert_eq!(read(&tree.join("a b")), "1\n");
        assert_eq!(read(&tree.join("é")), "2\n");
        let odd = OsStr::from_bytes(b"x\xff");
        assert_eq!(read(&tree.join("sub dir").join(odd)), "3\n");
        assert_eq!(read(&tree.join("sub dir/link")), "1\n");
        assert!(tree.join("empty").is_dir());
        let tool = tree.join("tool").metadata().unwrap();
        assert_eq!(tool.permissions().mode() & 0o777, 0o755);
        assert_eq!(tree.join("a b").metadata().unwrap().mtime(), 1_000_000_000);
    }
    for zeros in ["several/zeros", "fits"] {
        assert_eq!(fs::read(public.join(zeros)).unwrap(), [0; 700_000]);
    }
    let one = public.join("one").metadata().unwrap();
    assert_eq!(one.permissions().mode() & 0o777, 0o644);
    assert_eq!(one.mtime(), 1_000_000_000);
    // The file that grew arrived as it was read.
    let (growing, grown) = (read(&public.join("growing")), read(&public.join("grown")));
    assert!(grown.starts_with(&growing));
    assert!(grown.ends_with("line 2999\n"));
}

#[test]
fn a_master_killed_in_the_middle_of_an_upload_leaves_no_half_file() {
    let sandbox = Sandbox::new();
    let pipe = sandbox.path("pipe");
    let step = format!(
        "{{ type = \"FileUpload\", slavesrc = {pipe:?}, masterdest = \"public/out\", blocksize = 1024 }}"
    );
    let setup = Setup::new(&[step]).slave("bot");
    let mut master = Master::start(&sandbox, &setup);
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let public = master.dir().join("public");
    fs::create_dir(&public).unwrap();
    fs::write(public.join("out"), "old").unwrap();
    master.send_change("r1");
    let mut half = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    // More than the master gathers before it writes.
    half.write_all(&[b'h'; 300 * 1024]).unwrap();
    let arriving = || {
        let names = fs::read_dir(&public).unwrap();
        let mut sizes = names.map(|entry| entry.unwrap().metadata().unwrap().len());
        sizes.any(|size| size >= 150 * 1024)
    };
    wait_until("half of the file", arriving);

    master.kill();

    assert_eq!(fs::read_to_string(public.join("out")).unwrap(), "old");
    // The next attempt reads a whole file; the pipe's old reader keeps the pipe.
    fs::remove_file(&pipe).unwrap();
    fs::write(&pipe, "whole").unwrap();
    drop(half);
    master.run();
    let build = master.finished_build("full", 1);
    assert_eq!(build.result.as_deref(), Some("success"));
    assert_eq!(fs::read_to_string(public.join("out")).unwrap(), "whole");
    assert_eq!(fs::read_dir(&public).unwrap().count(), 1, "nothing is left");
}

/// Steps as a master of Buildbot 0.8.14 and ours spell them.
const STEPS: [(&str, &str); 17] = [
    (
        "FileUpload('out.txt', 'public/out.txt', url='http://u/')",
        "type = \"FileUpload\", slavesrc = \"out.txt\", masterdest = \"public/out.txt\", url = \"http://u/\"",
    ),
    (
        "FileUpload('gone.txt', 'public/gone.txt', LENIENT)",
        "type = \"FileUpload\", slavesrc = \"gone.txt\", masterdest = \"public/gone.txt\", LENIENT",
    ),
    (
        "DirectoryUpload('d', 'public/d', compress='gz')",
        "type = \"DirectoryUpload\", slavesrc = \"d\", masterdest = \"public/d\", compress = \"gz\"",
    ),
    (
        "MultipleFileUpload(['out.txt', 'd'], 'public/several')",
        "type = \"MultipleFileUpload\", slavesrcs = [\"out.txt\", \"d\"], masterdest = \"public/several\"",
    ),
    (
        "FileDownload('files/in.txt', 'in.txt', mode=0640)",
        "type = \"FileDownload\", mastersrc = \"files/in.txt\", slavedest = \"in.txt\", mode = 0o640",
    ),
    (
        "FileDownload('files/gone', 'in.txt', LENIENT)",
        "type = \"FileDownload\", mastersrc = \"files/gone\", slavedest = \"in.txt\", LENIENT",
    ),
    (
        "StringDownload('text\\n', 'sub/s.txt')",
        "type = \"StringDownload\", s = \"text\\n\", slavedest = \"sub/s.txt\"",
    ),
    (
        "JSONStringDownload({'a': [1, u'\\xe9', True]}, 'o.json')",
        "type = \"JSONStringDownload\", o = { a = [1, \"é\", true] }, slavedest = \"o.json\"",
    ),
    (
        "JSONPropertiesDownload('p.json')",
        "type = \"JSONPropertiesDownload\", slavedest = \"p.json\"",
    ),
    (
        "FileExists('build/in.txt')",
        "type = \"FileExists\", file = \"build/in.txt\"",
    ),
    (
        "FileExists('build/d', LENIENT)",
        "type = \"FileExists\", file = \"build/d\", LENIENT",
    ),
    (
        "FileExists('build/gone', LENIENT)",
        "type = \"FileExists\", file = \"build/gone\", LENIENT",
    ),
    (
        "CopyDirectory('build/d', 'copy')",
        "type = \"CopyDirectory\", src = \"build/d\", dest = \"copy\"",
    ),
    (
        "CopyDirectory('build/gone', 'copy2', LENIENT)",
        "type = \"CopyDirectory\", src = \"build/gone\", dest = \"copy2\", LENIENT",
    ),
    (
        "RemoveDirectory('copy')",
        "type = \"RemoveDirectory\", dir = \"copy\"",
    ),
    (
        "MakeDirectory('made/deep')",
        "type = \"MakeDirectory\", dir = \"made/deep\"",
    ),
    (
        "MakeDirectory('build/out.txt/x', LENIENT)",
        "type = \"MakeDirectory\", dir = \"build/out.txt/x\", LENIENT",
    ),
];

const PREPARE: &str = "mkdir -p d && echo 1 >d/a && echo out >out.txt";
const LOOK: &str = "cat in.txt sub/s.txt o.json; stat -c %a in.txt; ls ../made; \
    grep -o '\"hasPatch\": false' p.json";

#[test]
fn steps_end_as_under_a_master_0814() {
    let sandbox = Sandbox::new();
    let mut python =
        String::from("from buildbot.steps.transfer import *\nfrom buildbot.steps.slave import *\n");
    for (step, _) in STEPS {
        let step = step.replace("LENIENT", "haltOnFailure=False, flunkOnFailure=False");
        python += &format!("factory.addStep({step})\n");
    }
    let add = |name: &str, line: &str| {
        format!("factory.addStep(ShellCommand(name={name:?}, command=['sh', '-c', {line:?}]))\n")
    };
    python.insert_str(0, &add("prepare", PREPARE));
    python += &add("look", LOOK);
    let Some(real) = RealMaster::start_with(Version::V0814, &sandbox, &[], &python) else {
        return;
    };
    put_file(&real.dir().join("files"));
    let _theirs = Slave::native(&sandbox, "bot", real.port());
    real.wait_until_attached();
    let mut steps = vec![shell("prepare", PREPARE, "")];
    steps.extend(STEPS.iter().map(|(_, step)| {
        let lenient = "halt_on_failure = false, flunk_on_failure = false";
        format!("{{ {} }}", step.replace("LENIENT", lenient))
    }));
    steps.push(shell("look", LOOK, ""));
    let ours = Master::start(&sandbox, &Setup::new(&steps).slave("bot"));
    put_file(&ours.dir().join("files"));
    let _our_slave = Slave::native(&sandbox, "bot", ours.port());
    ours.wait_until_attached("bot");
    real.send_change_to(real.port(), &sandbox);
    ours.send_change("r1");

    real.finished_build(&sandbox);
    let build = ours.finished_build("full", 0);
    assert_eq!(build.told_steps(), real.told_steps(&sandbox));
    assert_same(ours.printed(&build), real.printed(&sandbox));
    for path in ["out.txt", "d/a", "several/out.txt", "several/d/a"] {
        let read = |dir: &Path| fs::read(dir.join("public").join(path)).unwrap();
        assert_eq!(read(ours.dir()), read(real.dir()), "{path}");
    }
}

fn put_file(dir: &Path) {
    fs::create_dir(dir).unwrap();
    fs::write(dir.join("in.txt"), "in\n").unwrap();
}

/// Large transfers, in full size with `SLOW_TESTS=1`; prints what they cost the master.
#[test]
fn large_files_and_many_small_ones_arrive_whole() {
    let (mib, files) = if is_slow() { (200, 10_000) } else { (5, 200) };
    let line = format!(
        "head -c {mib}M /dev/urandom >large && mkdir many && cd many && i=0 && \
         while [ $i -lt {files} ]; do echo $i >f$i; i=$((i+1)); done"
    );
    let mut steps = vec![shell("prepare", &line, "")];
    for (name, size) in [("small", ", blocksize = \"16KiB\""), ("usual", "")] {
        steps.push(format!(
            "{{ type = \"FileUpload\", name = \"{name}\", slavesrc = \"large\", \
             masterdest = \"public/{name}\"{size} }}"
        ));
    }
    steps.push(
        "{ type = \"FileDownload\", mastersrc = \"public/usual\", slavedest = \"back\" }"
            .to_owned(),
    );
    steps.push(
        "{ type = \"DirectoryUpload\", name = \"many\", slavesrc = \"many\", masterdest = \"public/many\" }"
            .to_owned(),
    );
    steps.push(
        "{ type = \"DirectoryUpload\", name = \"gz\", slavesrc = \"many\", masterdest = \"public/gz\", compress = \"gz\" }"
            .to_owned(),
    );
    steps.push(shell("compare", "cmp large back", ""));
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &Setup::new(&steps).slave("bot"));
    let slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    let before = cpu_ticks(&mut master);
    master.send_change("r1");
    let build = master.finished_build("full", 0);
    assert_eq!(build.result.as_deref(), Some("success"), "{build:?}");
    let ticks = cpu_ticks(&mut master) - before;
    eprintln!("3 x {mib} MiB and 2 x {files} files: {ticks} ticks of 10 ms of the master");
    let public = master.dir().join("public");
    let large = fs::read(slave.dir.join("full/build/large")).unwrap();
    for name in ["small", "usual"] {
        assert!(fs::read(public.join(name)).unwrap() == large, "{name}");
    }
    for tree in ["many", "gz"] {
        for file in 0..files {
            let path = public.join(tree).join(format!("f{file}"));
            assert_eq!(fs::read_to_string(path).unwrap(), format!("{file}\n"));
        }
    }
}

/// Processor time that a master has used, in ticks.
fn cpu_ticks(master: &mut Master<'_>) -> u64 {
    let pid = master.process().pid().as_raw_nonzero();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<_> = rest.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
