use super::*;
use crate::config::{
    CommandWords, FactoryConfig, SourceMethod, SourceMode, StepConfig, StepKind, Template,
};

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
        kind.shell_mut().unwrap().env.variables.len()
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

#[test]
fn fac_09_cpan_makes_and_tests_a_perl_module() {
    let usual = steps(&format!("type = \"CPAN\"\n{SOURCE}perl = \"perl5\"\n"));
    assert_eq!(
        usual,
        [
            "git: ",
            "configure: [\"perl5\", \"Makefile.PL\"]",
            "compile: [\"make\"]",
            "test: [\"make\", \"test\"]",
        ]
    );
}

#[test]
fn fac_14_trial_has_the_settings_of_its_step() {
    let text = format!(
        "type = \"Trial\"\n{SOURCE}tests = [\"project.test\"]\nrandom = true\nenv = {{ A = \"1\" }}\n"
    );
    assert_eq!(
        steps(&text),
        [
            "git: ",
            "compile: [\"python\", \"./setup.py\", \"build\"]",
            "trial: [\"trial\", \"--reporter=bwverbose\", \"--random=0\", \"project.test\"]",
        ]
    );
    let factory = factory(&text);
    for step in &factory.steps[1..] {
        let mut kind = step.kind.clone();
        assert_eq!(kind.shell_mut().unwrap().env.variables.len(), 1);
    }
}

#[test]
fn fac_24_and_fac_31_factories_with_a_repository_check_it_out() {
    let svn = factory("type = \"BasicSVN\"\nrepourl = \"svn://example.org/p\"\n");
    let names = |factory: &FactoryConfig| {
        let names = factory.steps.iter().map(|step| step.name.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&svn), ["svn", "compile", "test", "test"]);
    let root = "cvsroot = \":ext:example.org:/cvs\"\ncvsmodule = \"p\"\n";
    let mode = |text: &str| {
        let factory = factory(text);
        let StepKind::Cvs(cvs) = &factory.steps[0].kind else {
            panic!("no CVS");
        };
        cvs.source.mode
    };
    let basic = format!("type = \"BasicBuildFactory\"\n{root}");
    assert_eq!(mode(&basic), SourceMode::Full(SourceMethod::Clobber));
    let copied = format!("{basic}cvs_copy = true\n");
    assert_eq!(mode(&copied), SourceMode::Full(SourceMethod::Copy));
    let quick = format!("type = \"QuickBuildFactory\"\n{root}configure = \"./configure\"\n");
    assert_eq!(mode(&quick), SourceMode::Incremental);
    let quick = factory(&quick);
    assert_eq!(
        names(&quick),
        ["cvs", "configure", "compile", "test", "test"]
    );
    assert!(quick.steps.iter().all(|step| !step.use_progress));
}

#[test]
fn fac_37_the_work_directory_of_a_factory_is_that_of_its_steps() {
    let workdirs = |text: &str| -> Vec<Option<Template>> {
        let steps = factory(text).steps;
        let workdir = |step: &StepConfig| {
            let mut kind = step.kind.clone();
            if let StepKind::Git(git) = kind {
                return Some(git.source.workdir);
            }
            if let StepKind::Svn(svn) = kind {
                return Some(svn.source.workdir);
            }
            kind.shell_mut().map(|shell| shell.workdir.clone())
        };
        steps.iter().map(workdir).collect()
    };
    let of_all = Some(Template::of("src-%(branch)s"));
    let plain = "workdir = \"src-%(branch)s\"\nsteps = [\n\
        { type = \"Git\", repourl = \"u\" },\n\
        { type = \"ShellCommand\", command = \"make\" },\n\
        { type = \"ShellCommand\", command = \"make\", workdir = \"doc\" },\n\
        { type = \"RemoveDirectory\", dir = \"x\" },\n]\n";
    let own = Some(Template::literal("doc"));
    let expected = [of_all.clone(), of_all.clone(), own, None];
    assert_eq!(workdirs(plain), expected);
    for kind in [
        format!("type = \"GNUAutoconf\"\n{SOURCE}"),
        format!("type = \"Distutils\"\n{SOURCE}test = [\"t\"]\n"),
        format!("type = \"CPAN\"\n{SOURCE}"),
        format!("type = \"Trial\"\n{SOURCE}tests = [\"t\"]\n"),
        "type = \"BasicSVN\"\nrepourl = \"svn://example.org/p\"\n".to_owned(),
    ] {
        let text = format!("{kind}workdir = \"src-%(branch)s\"\n");
        let found = workdirs(&text);
        assert!(found.len() > 2, "{kind}");
        assert!(found.iter().all(|workdir| *workdir == of_all), "{found:?}");
    }
    let wrong = plain.replace("\"src-%(branch)s\"", "true");
    let errors = mistakes_of(&configuration(&wrong));
    assert_eq!(errors.matches("`workdir`").count(), 1, "{errors}");
}
