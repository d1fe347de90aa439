//! `Trial`: the tests of a Python project, run by Twisted's `trial`.

use super::words::{Words, join, text, texts};
use super::{Kind, Usual, WITHOUT_COMMAND, shell_of};
use crate::config::reader::{Table, Value};
use crate::config::shape::KindShape;
use crate::config::steps::StepConfig;
use crate::config::steps::output::OutputReader;
use crate::config::steps::shell::{ChangedFiles, SearchPath};
use crate::config::template::Template;

pub(super) static PROGRAMS: &[Kind] = &[Kind {
    shape: KindShape {
        name: "Trial",
        keys: &[WITHOUT_COMMAND, KEYS],
    },
    usual: || {
        let usual = Usual {
            name: "trial",
            command: &["trial"],
            doing: &["testing"],
            done: &["tests"],
            reader: OutputReader::Trial { reactor: None },
        };
        usual.step()
    },
    own: read,
}];

/// The keys that only these steps have.
pub(in crate::config) const KEYS: &[&str] = &[
    "python",
    "trial",
    "trial_mode",
    "trial_args",
    "reactor",
    "test_path",
    "tests",
    "tests_changed_only",
    "recurse",
    "random",
    "jobs",
];

/// What trial is to do.
struct Settings {
    python: Vec<Template>,
    trial: Template,
    mode: Vec<Template>,
    args: Vec<Template>,
    reactor: Option<String>,
    tests: Vec<Template>,
    recurse: bool,
    random: bool,
    jobs: Option<u32>,
}

fn read(table: &mut Table<'_>, step: &mut StepConfig) {
    let mut settings = Settings {
        python: Vec::new(),
        trial: text("trial"),
        mode: vec![text("--reporter=bwverbose")],
        args: Vec::new(),
        reactor: None,
        tests: Vec::new(),
        recurse: false,
        random: false,
        jobs: None,
    };
    table.set("python", &mut settings.python, texts);
    table.set("trial", &mut settings.trial, Value::template);
    table.set("trial_mode", &mut settings.mode, texts);
    table.set("trial_args", &mut settings.args, texts);
    table.set_some("reactor", &mut settings.reactor, super::words::plain);
    table.set("recurse", &mut settings.recurse, Value::flag);
    table.set("random", &mut settings.random, Value::flag);
    table.set_some("jobs", &mut settings.jobs, |value| {
        value.integer(1..=MOST_JOBS)
    });
    let mut changed_only = false;
    table.set("tests_changed_only", &mut changed_only, Value::flag);
    if changed_only {
        if let Some(place) = table.place("tests") {
            let message = "`tests` has no effect with `tests_changed_only`".to_owned();
            let help = "remove one of them";
            table.sink.error(place, message, help);
        }
        drop(table.take("tests"));
    } else if let Some(tests) = table.require("tests", "[\"project.test\"]") {
        settings.tests = texts(&tests).unwrap_or_default();
    }
    let mut path = None;
    table.set_some("test_path", &mut path, Value::template);

    if let (Some(reactor), Some(texts)) = (&settings.reactor, &mut step.description)
        && *texts == [text("testing")]
    {
        texts.push(text(&format!("({reactor})")));
    }
    let shell = shell_of(step);
    shell.command = words(&settings).command();
    shell.logfiles.extend(logs(settings.jobs));
    shell.search_paths.extend(path.map(SearchPath::of_python));
    if changed_only {
        shell.changed_files = Some(ChangedFiles {
            suffix: ".py",
            not_below: "",
            option: "--testmodule=",
            needed: false,
        });
    }
    shell.reader = OutputReader::Trial {
        reactor: settings.reactor,
    };
}

/// The command without the modules of changed files.
fn words(settings: &Settings) -> Words {
    let mut words = Words::default();
    words.settings(&settings.python).setting(&settings.trial);
    words.settings(&settings.mode);
    words.flag(settings.recurse, "--recurse");
    if let Some(reactor) = &settings.reactor {
        words.setting(&join([&text("--reactor="), &text(reactor)]));
    }
    words.flag(settings.random, "--random=0");
    words.settings(&settings.args);
    if let Some(jobs) = settings.jobs {
        words.plain(&[&format!("--jobs={jobs}")]);
    }
    words.settings(&settings.tests);
    words
}

/// The logs that trial writes: with jobs, each has its own.
fn logs(jobs: Option<u32>) -> Vec<(String, Template, bool)> {
    let Some(jobs) = jobs else {
        let path = text("_trial_temp/test.log");
        return vec![("test.log".to_owned(), path, false)];
    };
    let of_job = |job| {
        let log = move |kind| {
            let path = text(&format!("_trial_temp/{job}/{kind}.log"));
            (format!("{kind}.{job}.log"), path, false)
        };
        ["test", "err", "out"].map(log)
    };
    (0..jobs).flat_map(of_job).collect()
}

const MOST_JOBS: u32 = 64;
