//! Steps that run a program, on slaves of every generation: for the same output, the same text,
//! result, logs, statistics and properties, which are those of a master of Buildbot 0.8.14.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Kind, Master, Sandbox, Setup, Slave, run, wait_until};

/// The slaves, each of which has a builder of its name.
const SLAVES: [(&str, Kind); 3] = [
    ("native", Kind::Native),
    ("old", Kind::Slave0814),
    ("new", Kind::Worker430),
];

/// Stands for every program: does what the case says.
const FAKE: &str = "#!/bin/sh\n\
    cat \"$CASES/$CASE/stdio\"\n\
    cp -r \"$CASES/$CASE/logs/.\" .\n\
    case \"$0\" in */sudo) exit 0;; esac\n\
    read rc <\"$CASES/$CASE/rc\"\n\
    exit \"$rc\"\n";

/// Cases of the recordings that need something which these slaves do not have.
fn is_left_out(case: &Value) -> bool {
    let expected = &case["expected"];
    let is_of_windows = expected["command"]
        .as_str()
        .is_some_and(|line| line.contains("%VCENV_BAT%"));
    is_of_windows
        // Changed files, a base image, the environment of a slave, another PATH.
        || case.get("files").is_some()
        || case.get("image").is_some()
        || case.get("environ").is_some()
        || case["toml"].as_str().unwrap().contains("env = { PATH")
}

fn cases() -> Vec<Value> {
    let text = include_str!("../data/steps-0814.jsonl");
    let cases = text.lines().map(|line| serde_json::from_str(line).unwrap());
    cases.filter(|case| !is_left_out(case)).collect()
}

/// Where a program of the case writes a log that the slave follows, below its work directory.
fn path_of_log(case: &Value, log: &str) -> String {
    let toml = case["toml"].as_str().unwrap();
    if toml.contains("resultdir") {
        return format!("res/{log}");
    }
    if !toml.contains("type = \"Trial\"") {
        return log.to_owned();
    }
    match log.split('.').collect::<Vec<_>>()[..] {
        [kind, job, "log"] => format!("_trial_temp/{job}/{kind}.log"),
        _ => format!("_trial_temp/{log}"),
    }
}

/// Writes what the programs of the cases do, and the programs.
fn write_cases(sandbox: &Sandbox, cases: &[Value]) {
    let bin = sandbox.private_dir("bin");
    let fake = sandbox.file("bin/fake", FAKE);
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let all = sandbox.private_dir("cases");
    for (at, case) in cases.iter().enumerate() {
        let dir = all.join(at.to_string());
        fs::create_dir_all(dir.join("logs")).unwrap();
        fs::write(dir.join("rc"), format!("{}\n", case["rc"])).unwrap();
        for (log, text) in case["logs"].as_object().unwrap() {
            let text = text.as_str().unwrap();
            let path = match log.as_str() {
                "stdio" => dir.join("stdio"),
                log => dir.join("logs").join(path_of_log(case, log)),
            };
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let expected = &case["expected"];
        let prepared = expected["prepared"].as_array().into_iter().flatten();
        for command in prepared.chain([&expected["command"]]) {
            let line = command.as_str().unwrap_or_default();
            let first = command[0].as_str().unwrap_or(line);
            let name = first.split(' ').next().unwrap();
            let is_ours = !name.is_empty() && !name.contains('/') && name != "find";
            if is_ours && !bin.join(name).exists() {
                symlink(&fake, bin.join(name)).unwrap();
            }
        }
    }
}

/// The steps of a case: what it needs first, itself, and one that tells of properties.
fn steps_of(at: usize, case: &Value) -> String {
    let mut steps = String::new();
    let mut add = |lines: &str| steps += &format!("[[factories.steps.steps]]\n{lines}\n");
    let mut set = |name: &str, value: &Value| {
        add(&format!(
            "type = \"SetProperty\"\nproperty = {name:?}\nvalue = {value}"
        ));
    };
    set("case", &json!(at.to_string()));
    for name in ["warnings-count", "got_revision"] {
        set(name, &json!(0));
    }
    for (name, value) in case["properties"].as_object().into_iter().flatten() {
        set(name, value);
    }
    let mut write = |path: &str, text: &str, mode: &str| {
        add(&format!(
            "type = \"StringDownload\"\ns = {text:?}\nslavedest = {path:?}\n{mode}"
        ));
    };
    for (path, text) in case["on_slave"].as_object().into_iter().flatten() {
        write(path, text.as_str().unwrap(), "");
    }
    if case["expected"]["command"] == json!(["./configure"]) {
        write("configure", FAKE, "mode = 0o755");
    }
    let toml = case["toml"].as_str().unwrap();
    add(&format!(
        "name = \"case {at}\"\nhalt_on_failure = false\n{toml}"
    ));
    let names = told_properties(case);
    let texts = names.iter().map(|name| format!("<%(prop:{name}:-none)s>"));
    let text = json!(texts.collect::<String>());
    add(&format!(
        "type = \"LogRenderable\"\nname = \"after {at}\"\ncontent = {text}"
    ));
    steps
}

/// The properties that are compared: there is no database of test runs.
fn told_properties(case: &Value) -> Vec<&str> {
    let names = case["expected"]["properties"].as_object().unwrap().keys();
    let names = names.map(String::as_str);
    // A name with a star cannot be named in a text.
    names
        .filter(|name| !name.starts_with("mtr_") && !name.contains('*'))
        .collect()
}

fn setup(sandbox: &Sandbox, cases: &[Value]) -> Setup {
    let steps: String = cases
        .iter()
        .enumerate()
        .map(|(at, case)| steps_of(at, case))
        .collect();
    let env = json!({
        "PATH": format!("{}:${{PATH}}", sandbox.path("bin").display()),
        "CASES": sandbox.path("cases"),
        "CASE": "%(prop:case:-none)s",
    });
    let env: Vec<_> = env
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    let env = env.join(", ");
    let builders = SLAVES.iter().map(|(name, _)| {
        format!(
            "[[builders]]\nname = {name:?}\nslaves = [{name:?}]\nfactory = \"steps\"\n\
             ignore_patch = true\nenv = {{ {env} }}\n"
        )
    });
    let names: Vec<_> = SLAVES.iter().map(|(name, _)| *name).collect();
    let scheduler =
        format!("[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = {names:?}\n");
    let tables = builders.collect::<String>() + &steps;
    let setup = Setup::new(&[]).tables(&tables).schedulers(&scheduler);
    SLAVES
        .iter()
        .fold(setup, |setup, (name, _)| setup.slave(name))
}

#[test]
fn programs_mean_the_same_on_every_slave_as_under_a_master_0814() {
    let sandbox = Sandbox::new();
    let cases = cases();
    assert!(cases.len() > 70, "{}", cases.len());
    write_cases(&sandbox, &cases);
    let mut master = Master::prepare(&sandbox, &setup(&sandbox, &cases));
    let file = master.dir().join("master.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replacen("[factories.steps]\nsteps = [\n  \n]\n", "", 1),
    )
    .unwrap();
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
    master.send_change("r1");
    let mut wrong = Vec::new();
    for (name, _) in &slaves {
        wait_until(&format!("a build of {name}"), || {
            let builds: Vec<Value> = master.show(&["builds", name]);
            builds.iter().any(|build| !build["result"].is_null())
        });
        let build: Value = master.show(&["build", name, "0"]).remove(0);
        for (at, case) in cases.iter().enumerate() {
            let look = Look {
                master: &master,
                builder: name,
            };
            for problem in look.check(at, case, &build) {
                wrong.push(format!("{name}, {}: {problem}", case["name"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Looks at a build.
struct Look<'m> {
    master: &'m Master<'m>,
    builder: &'m str,
}

impl Look<'_> {
    /// What is wrong with the step of a case.
    fn check(&self, at: usize, case: &Value, build: &Value) -> Vec<String> {
        let name = format!("case {at}");
        let mut steps = build["steps"].as_array().unwrap().iter();
        let Some(step) = steps.find(|step| step["name"] == name.as_str()) else {
            return vec!["did not run".to_owned()];
        };
        let expected = &case["expected"];
        let words = step["text"].as_array().unwrap().iter();
        let words: Vec<_> = words.map(|word| word.as_str().unwrap()).collect();
        let logs = step["logs"].as_array().unwrap().iter();
        let mut logs: Vec<_> = logs.map(|log| log["name"].as_str().unwrap()).collect();
        logs.retain(|log| *log != "suppressions");
        logs.sort_unstable();
        let mut wrong = Vec::new();
        let mut compare = |what: &str, here: Value, expected: Value| {
            if here != expected {
                wrong.push(format!("{what} is {here}, not {expected}"));
            }
        };
        compare("result", step["result"].clone(), expected["result"].clone());
        // Sphinx begins with the name of the step.
        let text = words.join(" ").replace(&name, "sphinx");
        compare("text", text.into(), expected["text"].clone());
        compare("logs", json!(logs), expected["logs"].clone());
        compare(
            "statistics",
            step["statistics"].clone(),
            expected["statistics"].clone(),
        );
        let names = told_properties(case);
        let values = names.iter().map(|name| {
            let value = &expected["properties"][name];
            let text = value.as_str().map(str::to_owned);
            format!("<{}>", text.unwrap_or_else(|| value.to_string()))
        });
        let told = self.log(&format!("after {at}"), "Output");
        compare(
            "properties",
            told.trim_end_matches('\n').into(),
            values.collect::<String>().into(),
        );
        let fed = case["logs"].as_object().unwrap();
        let fed = fed
            .iter()
            .filter(|(log, _)| expected["logs"].as_array().unwrap().contains(&json!(log)));
        let made = expected["texts"].as_object().unwrap();
        // Other words on purpose: those of the comparison with the recordings.
        let made = made
            .iter()
            .filter(|(log, _)| !["Output", "property changes"].contains(&log.as_str()));
        for (log, text) in fed.chain(made) {
            let text = text.as_str().unwrap();
            // Newer workers send other ends of lines.
            let plain = |text: &str| Value::from(text.replace("\r\n", "\n").trim_end());
            compare(log, plain(&self.log(&name, log)), plain(text));
        }
        wrong
    }

    /// What a log holds, without headers.
    fn log(&self, step: &str, log: &str) -> String {
        let mut command = self.master.program();
        command.args(["show", "log", self.builder, "0", step, log]);
        command.arg("--basedir").arg(self.master.dir() as &Path);
        String::from_utf8(run(&mut command).ok_bytes()).unwrap()
    }
}
