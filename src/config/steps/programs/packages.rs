//! Making and checking packages of Debian and of rpm.

use super::words::{Words, join, join_list, text, texts};
use super::{COMMAND, Kind, Usual, WITHOUT_COMMAND, make, shell_of, warnings};
use crate::config::reader::{Table, Value};
use crate::config::shape::KindShape;
use crate::config::steps::StepConfig;
use crate::config::steps::output::OutputReader;
use crate::config::steps::shell::{BaseImage, Preparation};
use crate::config::template::Template;
use crate::config::{CommandWords, ReleaseCounter};

pub(super) static PROGRAMS: &[Kind] = &[
    Kind {
        shape: KindShape {
            name: "DebPbuilder",
            keys: &[WITHOUT_COMMAND, warnings::KEYS, PBUILDER],
        },
        usual: || pbuilder("pbuilder"),
        own: |table, step| build_debian(table, step, &PBUILDER_OF_DEBIAN),
    },
    Kind {
        shape: KindShape {
            name: "DebCowbuilder",
            keys: &[WITHOUT_COMMAND, warnings::KEYS, PBUILDER],
        },
        usual: || pbuilder("cowbuilder"),
        own: |table, step| build_debian(table, step, &COWBUILDER_OF_DEBIAN),
    },
    Kind {
        shape: KindShape {
            name: "UbuPbuilder",
            keys: &[WITHOUT_COMMAND, warnings::KEYS, PBUILDER],
        },
        usual: || pbuilder("pbuilder"),
        own: |table, step| build_debian(table, step, &PBUILDER_OF_UBUNTU),
    },
    Kind {
        shape: KindShape {
            name: "UbuCowbuilder",
            keys: &[WITHOUT_COMMAND, warnings::KEYS, PBUILDER],
        },
        usual: || pbuilder("cowbuilder"),
        own: |table, step| build_debian(table, step, &COWBUILDER_OF_UBUNTU),
    },
    Kind {
        shape: KindShape {
            name: "DebLintian",
            keys: &[WITHOUT_COMMAND, &["fileloc", "suppress_tags"]],
        },
        usual: || {
            let usual = Usual {
                name: "lintian",
                command: &["lintian"],
                doing: &["Lintian running"],
                done: &["Lintian"],
                reader: OutputReader::Lintian,
            };
            StepConfig {
                flunk_on_failure: false,
                warn_on_failure: true,
                ..usual.step()
            }
        },
        own: lintian,
    },
    Kind {
        shape: KindShape {
            name: "RpmBuild",
            keys: &[WITHOUT_COMMAND, RPMBUILD],
        },
        usual: || {
            let usual = Usual {
                name: "rpmbuilder",
                command: &["rpmbuild"],
                doing: &["RPMBUILD"],
                done: &["RPMBUILD"],
                reader: OutputReader::Rpmbuild,
            };
            usual.halting()
        },
        own: rpmbuild,
    },
    Kind {
        shape: KindShape {
            name: "RpmLint",
            keys: &[WITHOUT_COMMAND, &["fileloc", "config"]],
        },
        usual: || {
            let usual = Usual {
                name: "rpmlint",
                command: &["rpmlint"],
                doing: &["Checking for RPM/SPEC issues"],
                done: &["Finished checking RPM/SPEC issues"],
                reader: OutputReader::Rpmlint,
            };
            StepConfig {
                warn_on_failure: true,
                ..usual.step()
            }
        },
        own: |table, step| {
            let mut config = None;
            table.set_some("config", &mut config, Value::template);
            let mut fileloc = text(".");
            table.set("fileloc", &mut fileloc, Value::template);
            let mut words = Words::default();
            words.plain(&["rpmlint", "-i"]).option("-f", &config);
            words.setting(&fileloc);
            shell_of(step).command = words.command();
        },
    },
    Kind {
        shape: KindShape {
            name: "Mock",
            keys: &[COMMAND, WITHOUT_COMMAND, MOCK],
        },
        usual: || mock("mock", &[], &[], OutputReader::Nothing),
        own: |table, step| {
            let own = shell_of(step).command.clone();
            run_mock(table, step, &[]);
            // One that is given takes the place of ours.
            if own != CommandWords::of(&["mock"]) {
                shell_of(step).command = own;
            }
        },
    },
    Kind {
        shape: KindShape {
            name: "MockBuildSRPM",
            keys: &[WITHOUT_COMMAND, MOCK, &["spec", "sources"]],
        },
        usual: || {
            let text = ["mock buildsrpm"];
            mock("mockbuildsrpm", &text, &text, OutputReader::MockSrpm)
        },
        own: |table, step| {
            let spec = table.require("spec", "\"project.spec\"");
            let spec = spec.and_then(|value| value.template());
            let mut sources = text(".");
            table.set("sources", &mut sources, Value::template);
            let mut words = vec![text("--buildsrpm"), text("--spec")];
            words.extend(spec);
            words.extend([text("--sources"), sources]);
            run_mock(table, step, &words);
        },
    },
    Kind {
        shape: KindShape {
            name: "MockRebuild",
            keys: &[WITHOUT_COMMAND, MOCK, &["srpm"]],
        },
        usual: || {
            let doing = ["mock rebuilding srpm"];
            let done = ["mock rebuild srpm"];
            mock("mock", &doing, &done, OutputReader::Nothing)
        },
        own: |table, step| {
            let srpm = table.require("srpm", "\"project.src.rpm\"");
            let mut words = vec![text("--rebuild")];
            words.extend(srpm.and_then(|value| value.template()));
            run_mock(table, step, &words);
        },
    },
];

const PBUILDER: &[&str] = &[
    "architecture",
    "distribution",
    "basetgz",
    "mirror",
    "other_mirrors",
    "extra_packages",
    "keyring",
    "components",
];

/// What the kinds of `pbuilder` steps differ in.
struct Builder {
    program: &'static str,
    /// Its option for the base image.
    option: &'static str,
    /// How the file of the base image ends.
    suffix: &'static str,
    distribution: Option<&'static str>,
    mirror: &'static str,
    components: Option<&'static str>,
}

const PBUILDER_OF_DEBIAN: Builder = Builder {
    program: "/usr/sbin/pbuilder",
    option: "--basetgz",
    suffix: "-buildbot.tgz",
    distribution: Some("stable"),
    mirror: "http://cdn.debian.net/debian/",
    components: None,
};
const COWBUILDER_OF_DEBIAN: Builder = Builder {
    program: "/usr/sbin/cowbuilder",
    option: "--basepath",
    suffix: "-buildbot.cow/",
    ..PBUILDER_OF_DEBIAN
};
const PBUILDER_OF_UBUNTU: Builder = Builder {
    distribution: None,
    mirror: "http://archive.ubuntu.com/ubuntu/",
    components: Some("main universe"),
    ..PBUILDER_OF_DEBIAN
};
const COWBUILDER_OF_UBUNTU: Builder = Builder {
    program: COWBUILDER_OF_DEBIAN.program,
    option: COWBUILDER_OF_DEBIAN.option,
    suffix: COWBUILDER_OF_DEBIAN.suffix,
    ..PBUILDER_OF_UBUNTU
};

fn pbuilder(name: &str) -> StepConfig {
    let rules = make::rules(r".*(warning[: ]|\sW: ).*");
    let usual = Usual {
        name,
        command: &["pdebuild"],
        doing: &["pdebuilding"],
        done: &["pdebuild"],
        reader: OutputReader::Pbuilder(rules),
    };
    usual.halting()
}

fn build_debian(table: &mut Table<'_>, step: &mut StepConfig, builder: &Builder) {
    warnings::read(table, step);
    let mut architecture = None;
    table.set_some("architecture", &mut architecture, Value::template);
    let distribution = match builder.distribution {
        Some(usual) => table
            .take("distribution")
            .map_or_else(|| Some(text(usual)), |value| value.template()),
        None => table
            .require("distribution", "\"noble\"")
            .and_then(|value| value.template()),
    };
    let distribution = distribution.unwrap_or_else(|| text(""));
    let local = text("local");
    let mut image = join([
        &text("/var/cache/pbuilder/"),
        &distribution,
        &text("-"),
        architecture.as_ref().unwrap_or(&local),
        &text(builder.suffix),
    ]);
    table.set("basetgz", &mut image, Value::template);
    let mut mirror = text(builder.mirror);
    table.set("mirror", &mut mirror, Value::template);
    let mut others = Vec::new();
    table.set("other_mirrors", &mut others, texts);
    let others = (!others.is_empty()).then(|| join_list(&others, "|"));
    let mut packages = Vec::new();
    table.set("extra_packages", &mut packages, texts);
    let packages = (!packages.is_empty()).then(|| join_list(&packages, " "));
    let mut keyring = None;
    table.set_some("keyring", &mut keyring, Value::template);
    let mut components = builder.components.map(text);
    table.set_some("components", &mut components, Value::template);

    let mut words = Words::default();
    words.plain(&[
        "pdebuild",
        "--buildresult",
        ".",
        "--pbuilder",
        builder.program,
    ]);
    words.option("--architecture", &architecture);
    words.plain(&["--", "--buildresult", "."]);
    words.option(builder.option, &image);
    words.option("--extrapackages", &packages);

    let mut create = Words::default();
    create.plain(&["sudo", builder.program, "--create"]);
    create.option(builder.option, &image);
    create.option("--distribution", &distribution);
    create.option("--mirror", &mirror);
    create.option("--othermirror", &others);
    create.option("--architecture", &architecture);
    create.option("--extrapackages", &packages);
    if let Some(keyring) = &keyring {
        create.option("--debootstrapopts", &join([&text("--keyring="), keyring]));
    }
    create.option("--components", &components);

    let mut update = Words::default();
    update.plain(&["sudo", builder.program, "--update"]);
    update.option(builder.option, &image);

    let shell = shell_of(step);
    shell.command = words.command();
    shell.preparation = Some(Preparation::BaseImage(Box::new(BaseImage {
        path: image,
        create: create.command(),
        update: update.command(),
    })));
}

fn lintian(table: &mut Table<'_>, step: &mut StepConfig) {
    let file = table.require("fileloc", "\"project.changes\"");
    let file = file.and_then(|value| value.template());
    let mut tags = Vec::new();
    table.set("suppress_tags", &mut tags, texts);
    let mut words = Words::default();
    words.plain(&["lintian", "-v"]).setting(&file);
    for tag in &tags {
        words.option("--suppress-tags", tag);
    }
    shell_of(step).command = words.command();
}

const RPMBUILD: &[&str] = &[
    "specfile",
    "topdir",
    "builddir",
    "rpmdir",
    "sourcedir",
    "specdir",
    "srcrpmdir",
    "dist",
    "define",
    "auto_release",
    "vcs_revision",
];

/// The command is a line, since its usual directories are made by the shell.
fn rpmbuild(table: &mut Table<'_>, step: &mut StepConfig) {
    let mut parts = vec![text("rpmbuild")];
    for (key, variable) in [
        ("topdir", "_topdir"),
        ("builddir", "_builddir"),
        ("rpmdir", "_rpmdir"),
        ("sourcedir", "_sourcedir"),
        ("specdir", "_specdir"),
        ("srcrpmdir", "_srcrpmdir"),
        ("dist", "dist"),
    ] {
        let mut value = text(if key == "dist" { ".el5" } else { "`pwd`" });
        table.set(key, &mut value, Value::template);
        parts.extend(defined(variable, &value));
    }
    let mut defines = Vec::new();
    table.set("define", &mut defines, |value| {
        let entries = value.entries().into_iter();
        let entries =
            entries.filter_map(|(name, value)| Some((name.to_owned(), value.template()?)));
        Some(entries.collect())
    });
    for (name, value) in &defines {
        parts.extend(defined(name, value));
    }
    let mut with_revision = false;
    table.set("vcs_revision", &mut with_revision, Value::flag);
    let spec = table.require("specfile", "\"project.spec\"");
    let spec = spec.and_then(|value| value.template());
    let mut with_release = false;
    table.set("auto_release", &mut with_release, Value::flag);
    let mut rest = Vec::new();
    if with_revision {
        rest.push(Template::written(REVISION));
    }
    rest.push(text(" -ba "));
    rest.extend(spec.clone());
    let shell = shell_of(step);
    if with_release {
        let spec = spec.unwrap_or_else(|| text(""));
        let rest = join_list(&rest, "");
        shell.release = Some(Box::new(ReleaseCounter { spec, rest }));
    } else {
        parts.extend(rest);
    }
    shell.command = CommandWords::Line(join_list(&parts, ""));
}

/// The definition of the revision, if that is known.
const REVISION: &str = "%(prop:got_revision:+ --define \"_revision )s\
                        %(prop:got_revision:-)s%(prop:got_revision:+\")s";

fn defined(variable: &str, value: &Template) -> [Template; 3] {
    let begin = text(&format!(" --define \"{variable} "));
    [begin, value.clone(), text("\"")]
}

const MOCK: &[&str] = &["root", "resultdir"];

/// The logs that mock writes.
const MOCK_LOGS: [&str; 3] = ["build.log", "root.log", "state.log"];

fn mock(name: &str, doing: &[&str], done: &[&str], reader: OutputReader) -> StepConfig {
    let usual = Usual {
        name,
        command: &["mock"],
        doing,
        done,
        reader,
    };
    usual.halting()
}

/// Runs mock with these further words. What it has logged before is removed first.
fn run_mock(table: &mut Table<'_>, step: &mut StepConfig, further: &[Template]) {
    let root = table.require("root", "\"fedora-41-x86_64\"");
    let root = root.and_then(|value| value.template());
    let mut results = None;
    table.set_some("resultdir", &mut results, Value::template);
    let mut words = Words::default();
    words.plain(&["mock"]).option("--root", &root);
    words.option("--resultdir", &results).settings(further);
    let shell = shell_of(step);
    shell.command = words.command();
    let logs = MOCK_LOGS.map(|name| {
        let path = match &results {
            Some(results) => join([results, &text("/"), &text(name)]),
            None => text(name),
        };
        (name.to_owned(), path, false)
    });
    shell.logfiles.extend(logs.clone());
    let files = logs.map(|(_, path, _)| path);
    shell.preparation = Some(Preparation::Remove(files.to_vec()));
}
