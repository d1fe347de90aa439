use super::*;
use crate::config::{CommandWords, FactoryConfig};

/// What the factory `text`, the lines below its header, becomes: kind and command of each step.
fn steps(text: &str) -> Vec<String> {
    let factory = factory(text);
    let steps = factory.steps.iter();
    steps
        .map(|step| {
            let mut kind = step.kind.clone();
            let command = kind.shell_mut().map(|shell| match &shell.command {
                CommandWords::Line(line) => format!("\"{line}\""),
                CommandWords::Words(words) => {
                    let words: Vec<_> = words.iter().map(|(word, _)| word.to_string()).collect();
                    format!("{words:?}")
                }
            });
            format!("{}: {}", step.name, command.unwrap_or_default())
        })
        .collect()
}

fn factory(text: &str) -> FactoryConfig {
    let config = accept(&configuration(text));
    (*config.builders[0].factory).clone()
}

fn configuration(text: &str) -> String {
    format!(
        "slave_port = 9989\n\
         [[slaves]]\nname = \"bot\"\npassword = \"x\"\n\
         [[builders]]\nname = \"b\"\nslaves = [\"bot\"]\nfactory = \"f\"\n\
         [[schedulers]]\ntype = \"Periodic\"\nname = \"p\"\nbuilders = [\"b\"]\nperiod = \"1h\"\n\
         [factories.f]\n{text}"
    )
}

const SOURCE: &str = "source = { type = \"Git\", repourl = \"r\" }\n";

#[test]
fn fac_01_gnu_autoconf_has_buildbots_steps() {
    let usual = steps(&format!("type = \"GNUAutoconf\"\n{SOURCE}"));
    assert_eq!(
        usual,
        [
            "git: ",
            "configure: [\"./configure\"]",
            "compile: [\"make\", \"all\"]",
            "test: [\"make\", \"check\"]",
            "test: [\"make\", \"distcheck\"]",
        ]
    );
}

#[test]
fn fac_04_flags_reconf_and_commands_of_ones_own() {
    let all = steps(&format!(
        "type = \"GNUAutoconf\"\n{SOURCE}\
         reconf = true\nconfigure_flags = [\"--a\", \"--b\"]\n\
         compile = \"make -k\"\ntest = false\ndistcheck = false\n"
    ));
    assert_eq!(
        all,
        [
            "git: ",
            "autoreconf: [\"autoreconf\", \"-si\"]",
            "configure: [\"./configure\", \"--a\", \"--b\"]",
            "compile: \"make -k\"",
        ]
    );
}

#[test]
fn fac_03_the_environment_is_that_of_configure_alone() {
    let factory = factory(&format!(
        "type = \"GNUAutoconf\"\n{SOURCE}configure_env = {{ CC = \"clang\" }}\n"
    ));
    let envs = factory.steps.iter().skip(1).map(|step| {
        let mut kind = step.kind.clone();
        kind.shell_mut().unwrap().env.len()
    });
    assert_eq!(envs.collect::<Vec<_>>(), [1, 0, 0, 0]);
}

#[test]
fn fac_11_distutils_builds_and_tests_if_told_how() {
    let usual = steps(&format!("type = \"Distutils\"\n{SOURCE}"));
    assert_eq!(
        usual,
        ["git: ", "compile: [\"python\", \"./setup.py\", \"build\"]"]
    );
    let tested = steps(&format!(
        "type = \"Distutils\"\n{SOURCE}python = \"python3\"\ntest = [\"tox\"]\n"
    ));
    assert_eq!(
        tested,
        [
            "git: ",
            "compile: [\"python3\", \"./setup.py\", \"build\"]",
            "test: [\"tox\"]",
        ]
    );
}

#[test]
fn flags_need_a_configure_in_words() {
    let errors = mistakes_of(&configuration(&format!(
        "type = \"GNUAutoconf\"\n{SOURCE}configure = \"./configure --x\"\nconfigure_flags = [\"--a\"]\n"
    )));
    assert!(
        errors.contains("`configure_flags` of factory `f` needs a `configure` that is a list"),
        "{errors}"
    );
}

#[test]
fn a_factory_without_its_source_is_a_mistake() {
    let errors = mistakes_of(&configuration("type = \"GNUAutoconf\"\n"));
    assert!(errors.contains("factory `f` needs `source`"), "{errors}");
    let errors = mistakes_of(&configuration("type = \"Distutils\"\nsteps = []\n"));
    assert!(errors.contains("`steps`"), "{errors}");
}
