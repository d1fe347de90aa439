//! Visual Studio: `VC6` to `VS2022`, and `MsBuild`.

use super::words::{Words, join, join_list, text, texts};
use super::{Kind, Usual, WITHOUT_COMMAND, shell_of};
use crate::config::CommandWords;
use crate::config::reader::{Table, Value};
use crate::config::shape::KindShape;
use crate::config::steps::StepConfig;
use crate::config::steps::output::OutputReader;
use crate::config::steps::shell::SearchPath;
use crate::config::template::Template;

const OLD: &[&[&str]] = &[WITHOUT_COMMAND, COMMON];
const WITH_ARCH: &[&[&str]] = &[WITHOUT_COMMAND, COMMON, &["arch"]];
const MSBUILD: &[&[&str]] = &[WITHOUT_COMMAND, COMMON, &["platform", "defines"]];

const COMMON: &[&str] = &[
    "installdir",
    "mode",
    "projectfile",
    "config",
    "useenv",
    "project",
    "include",
    "lib",
    "path",
];

/// A row for a version of Visual Studio: its name, keys, directories, program and place.
macro_rules! studio {
    ($name:literal, $keys:ident, $layout:ident, $program:literal, $dir:expr) => {
        Kind {
            shape: KindShape {
                name: $name,
                keys: $keys,
            },
            usual: || compile(true),
            own: |table, step| {
                let studio = Studio {
                    layout: Layout::$layout,
                    program: $program,
                    installdir: $dir,
                };
                build_with_studio(table, step, &studio);
            },
        }
    };
}

/// A row for a version of msbuild: its name and how it is found.
macro_rules! msbuild {
    ($name:literal, $found:expr) => {
        Kind {
            shape: KindShape {
                name: $name,
                keys: MSBUILD,
            },
            usual: || compile(false),
            own: |table, step| build_with_msbuild(table, step, &$found),
        }
    };
}

pub(super) static PROGRAMS: &[Kind] = &[
    studio!(
        "VC6",
        OLD,
        Vc6,
        "msdev",
        r"C:\Program Files\Microsoft Visual Studio"
    ),
    studio!("VC7", OLD, Vc7, "devenv.com", NET_2003),
    studio!("VS2003", OLD, Vc7, "devenv.com", NET_2003),
    studio!("VC8", WITH_ARCH, Vc8, "devenv.com", STUDIO_8),
    studio!("VS2005", WITH_ARCH, Vc8, "devenv.com", STUDIO_8),
    studio!("VCExpress9", WITH_ARCH, Vc8, "vcexpress", STUDIO_8),
    studio!("VC9", WITH_ARCH, Vc8, "devenv.com", STUDIO_9),
    studio!("VS2008", WITH_ARCH, Vc8, "devenv.com", STUDIO_9),
    studio!("VC10", WITH_ARCH, Vc8, "devenv.com", STUDIO_10),
    studio!("VS2010", WITH_ARCH, Vc8, "devenv.com", STUDIO_10),
    studio!("VC11", WITH_ARCH, Vc8, "devenv.com", STUDIO_11),
    studio!("VS2012", WITH_ARCH, Vc8, "devenv.com", STUDIO_11),
    studio!("VC12", WITH_ARCH, Vc8, "devenv.com", STUDIO_12),
    studio!("VS2013", WITH_ARCH, Vc8, "devenv.com", STUDIO_12),
    studio!("VC14", WITH_ARCH, Vc8, "devenv.com", STUDIO_14),
    studio!("VS2015", WITH_ARCH, Vc8, "devenv.com", STUDIO_14),
    studio!("VC141", WITH_ARCH, Vc8, "devenv.com", STUDIO_2017),
    studio!("VS2017", WITH_ARCH, Vc8, "devenv.com", STUDIO_2017),
    studio!("VS2019", WITH_ARCH, Vc8, "devenv.com", STUDIO_2019),
    studio!("VS2022", WITH_ARCH, Vc8, "devenv.com", STUDIO_2022),
    msbuild!("MsBuild", Found::Variable("VS110COMNTOOLS")),
    msbuild!("MsBuild4", Found::Variable("VS110COMNTOOLS")),
    msbuild!("MsBuild12", Found::Variable("VS120COMNTOOLS")),
    msbuild!("MsBuild14", Found::Variable("VS140COMNTOOLS")),
    msbuild!("MsBuild141", Found::Version("[15.0,16.0)")),
    msbuild!("MsBuild15", Found::Version("[15.0,16.0)")),
    msbuild!("MsBuild16", Found::Version("[16.0,17.0)")),
    msbuild!("MsBuild17", Found::Version("[17.0,18.0)")),
];

const NET_2003: &str = r"C:\Program Files\Microsoft Visual Studio .NET 2003";
const STUDIO_8: &str = r"C:\Program Files\Microsoft Visual Studio 8";
const STUDIO_9: &str = r"C:\Program Files\Microsoft Visual Studio 9.0";
const STUDIO_10: &str = r"C:\Program Files\Microsoft Visual Studio 10.0";
const STUDIO_11: &str = r"C:\Program Files\Microsoft Visual Studio 11.0";
const STUDIO_12: &str = r"C:\Program Files\Microsoft Visual Studio 12.0";
const STUDIO_14: &str = r"C:\Program Files (x86)\Microsoft Visual Studio 14.0";
const STUDIO_2017: &str = r"C:\Program Files (x86)\Microsoft Visual Studio\2017\Community";
const STUDIO_2019: &str = r"C:\Program Files (x86)\Microsoft Visual Studio\2019\Community";
const STUDIO_2022: &str = r"C:\Program Files (x86)\Microsoft Visual Studio\2022\Community";

/// A version of Visual Studio.
struct Studio {
    layout: Layout,
    program: &'static str,
    installdir: &'static str,
}

/// Where a version keeps its files.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Layout {
    Vc6,
    Vc7,
    Vc8,
}

/// How msbuild's environment is found.
enum Found {
    /// By a variable with the directory of its tools.
    Variable(&'static str),
    /// By `vswhere`, which looks for versions in this range.
    Version(&'static str),
}

/// What all of them have.
struct Settings {
    installdir: Template,
    mode: Option<&'static str>,
    projectfile: Template,
    config: Template,
    useenv: bool,
    project: Option<Template>,
}

/// A step that compiles; its text `tells` what was counted.
fn compile(tells: bool) -> StepConfig {
    let (doing, done): (&[&str], &[&str]) = if tells {
        (&["compiling"], &["compile"])
    } else {
        (&[], &[])
    };
    let usual = Usual {
        name: "compile",
        command: &["msbuild"],
        doing,
        done,
        reader: OutputReader::VisualStudio { tells },
    };
    usual.step()
}

/// Takes what all of them have. Directories that are given go first in the environment.
fn read(table: &mut Table<'_>, step: &mut StepConfig, installdir: &str) -> Settings {
    let mut settings = Settings {
        installdir: text(installdir),
        mode: None,
        projectfile: text(""),
        config: text("release"),
        useenv: false,
        project: None,
    };
    table.set("installdir", &mut settings.installdir, Value::template);
    table.set_some("mode", &mut settings.mode, |value| {
        value.one_of(&["rebuild", "build", "clean"])
    });
    let file = table.require("projectfile", "\"project.sln\"");
    if let Some(file) = file.and_then(|value| value.template()) {
        settings.projectfile = file;
    }
    table.set("config", &mut settings.config, Value::template);
    table.set("useenv", &mut settings.useenv, Value::flag);
    table.set_some("project", &mut settings.project, Value::template);
    let paths = &mut shell_of(step).search_paths;
    for (key, variable) in [("path", "PATH"), ("include", "INCLUDE"), ("lib", "LIB")] {
        let mut directories = Vec::new();
        table.set(key, &mut directories, texts);
        settings.useenv |= variable != "PATH" && !directories.is_empty();
        let directories = directories.into_iter();
        paths.extend(directories.map(|entry| SearchPath::of_windows(variable, entry)));
    }
    settings
}

fn build_with_studio(table: &mut Table<'_>, step: &mut StepConfig, studio: &Studio) {
    let settings = read(table, step, studio.installdir);
    let mut arch = "x86";
    if studio.layout == Layout::Vc8 {
        table.set("arch", &mut arch, |value| value.one_of(&["x86", "x64"]));
    }
    let shell = shell_of(step);
    let directories = directories(studio.layout, arch == "x64");
    let directories = directories.into_iter().map(|(variable, below)| {
        let entry = if below.starts_with('$') {
            text(&below)
        } else {
            join([&settings.installdir, &text(&below)])
        };
        SearchPath::of_windows(variable, entry)
    });
    shell.search_paths.extend(directories);
    shell.command = words(studio, &settings).command();
}

/// The command.
fn words(studio: &Studio, settings: &Settings) -> Words {
    let mut words = Words::default();
    words
        .plain(&[studio.program])
        .setting(&settings.projectfile);
    let mode = settings.mode.unwrap_or("rebuild");
    if studio.layout == Layout::Vc6 {
        let all = text("ALL");
        let project = settings.project.as_ref().unwrap_or(&all);
        words.plain(&["/MAKE"]);
        words.setting(&join([project, &text(" - "), &settings.config]));
        words.plain(&[&format!("/{}", mode.to_uppercase())]);
        words.flag(settings.useenv, "/USEENV");
        return words;
    }
    words.plain(&[match mode {
        "rebuild" => "/Rebuild",
        "clean" => "/Clean",
        _ => "/Build",
    }]);
    words.setting(&settings.config);
    words.flag(settings.useenv, "/UseEnv");
    words.option("/Project", &settings.project);
    words
}

/// Directories of the environment, below where the version is installed.
fn directories(layout: Layout, is_64_bit: bool) -> Vec<(&'static str, String)> {
    let (path, include, lib): (&[&str], &[&str], &[&str]) = match layout {
        Layout::Vc6 => (
            &[
                r"\Common\msdev98\BIN",
                r"\VC98\BIN",
                r"\Common\TOOLS\WINNT",
                r"\Common\TOOLS",
            ],
            &[r"\VC98\INCLUDE", r"\VC98\ATL\INCLUDE", r"\VC98\MFC\INCLUDE"],
            &[r"\VC98\LIB", r"\VC98\MFC\LIB"],
        ),
        Layout::Vc7 => (
            &[
                r"\Common7\IDE",
                r"\VC7\BIN",
                r"\Common7\Tools",
                r"\Common7\Tools\bin",
            ],
            &[
                r"\VC7\INCLUDE",
                r"\VC7\ATLMFC\INCLUDE",
                r"\VC7\PlatformSDK\include",
                r"\SDK\v1.1\include",
            ],
            &[
                r"\VC7\LIB",
                r"\VC7\ATLMFC\LIB",
                r"\VC7\PlatformSDK\lib",
                r"\SDK\v1.1\lib",
            ],
        ),
        Layout::Vc8 => (
            &[
                r"\Common7\IDE",
                r"\VC\BIN\x86_amd64",
                r"\VC\BIN",
                r"\Common7\Tools",
                r"\Common7\Tools\bin",
                r"\VC\PlatformSDK\bin",
                r"\SDK\v2.0\bin",
                r"\VC\VCPackages",
                "${PATH}",
            ],
            &[
                r"\VC\INCLUDE",
                r"\VC\ATLMFC\include",
                r"\VC\PlatformSDK\include",
            ],
            &[
                r"\VC\LIB",
                r"\VC\ATLMFC\LIB",
                r"\VC\PlatformSDK\lib",
                r"\SDK\v2.0\lib",
            ],
        ),
    };
    let suffix = if layout == Layout::Vc8 && is_64_bit {
        r"\amd64"
    } else {
        ""
    };
    let path = path
        .iter()
        .filter(|dir| is_64_bit || !dir.ends_with("x86_amd64"));
    let path = path.map(|dir| ("PATH", (*dir).to_owned()));
    let include = include.iter().map(|dir| ("INCLUDE", (*dir).to_owned()));
    let lib = lib.iter().map(|dir| ("LIB", format!("{dir}{suffix}")));
    path.chain(include).chain(lib).collect()
}

fn build_with_msbuild(table: &mut Table<'_>, step: &mut StepConfig, found: &Found) {
    let settings = read(table, step, "");
    let platform = table.require("platform", "\"Win32\"");
    let platform = platform.and_then(|value| value.template());
    let platform = platform.unwrap_or_else(|| text(""));
    let mut defines = Vec::new();
    table.set("defines", &mut defines, texts);

    let solution = text("solution");
    let project = settings.project.as_ref().unwrap_or(&solution);
    let what = [
        join([project, &text(" for")]),
        join([&settings.config, &text("|"), &platform]),
    ];
    for (texts, verb) in [
        (&mut step.description, "building"),
        (&mut step.description_done, "built"),
    ] {
        texts.get_or_insert_with(|| [&[text(verb)], &what[..]].concat());
    }
    let shell = shell_of(step);
    let (batch, begin, usual) = match found {
        Found::Variable(variable) => (
            format!(r"${{{variable}}}..\..\VC\vcvarsall.bat"),
            "\"%VCENV_BAT%\" x86 && msbuild \"".to_owned(),
            None,
        ),
        Found::Version(range) => {
            for entry in [
                r"C:\Program Files (x86)\Microsoft Visual Studio\Installer\",
                r"C:\Program Files\Microsoft Visual Studio\Installer\",
                "${PATH}",
            ] {
                let path = SearchPath::of_windows("PATH", text(entry));
                shell.search_paths.push(path);
            }
            let begin = format!(
                "FOR /F \"tokens=*\" %%I in ('vswhere.exe -version \"{range}\" -products * \
                 -property installationPath')  do \"%%I\\%VCENV_BAT%\" x86 && msbuild \""
            );
            let batch = r"\VC\Auxiliary\Build\vcvarsall.bat".to_owned();
            (batch, begin, Some("rebuild"))
        }
    };
    let batch = Some(text(&batch));
    shell.env.variables.insert("VCENV_BAT".to_owned(), batch);
    let mut parts = vec![
        text(&begin),
        settings.projectfile.clone(),
        text("\" /p:Configuration=\""),
        settings.config.clone(),
        text("\" /p:Platform=\""),
        platform,
        text("\""),
    ];
    if matches!(found, Found::Version(_)) {
        parts.push(text(" /maxcpucount"));
    }
    parts.extend(target(settings.project, settings.mode.or(usual)));
    if !defines.is_empty() {
        let defines = join_list(&defines, ";");
        parts.extend([text(" /p:DefineConstants=\""), defines, text("\"")]);
    }
    shell.command = CommandWords::Line(join_list(&parts, ""));
}

/// The option that says what msbuild is to make.
fn target(project: Option<Template>, mode: Option<&str>) -> Vec<Template> {
    let mode = match mode {
        Some("clean") => Some("Clean"),
        Some("build") => Some("Build"),
        Some(_) => Some("Rebuild"),
        None => None,
    };
    match (project, mode) {
        (Some(project), None | Some("Rebuild")) => vec![text(" /t:\""), project, text("\"")],
        (Some(project), Some(mode)) => {
            vec![text(" /t:\""), project, text(&format!(":{mode}\""))]
        }
        (None, Some(mode)) => vec![text(&format!(" /t:{mode}"))],
        (None, None) => Vec::new(),
    }
}
