//! What is defined and never used is a warning, of class *unused* (CFL-13).

use super::*;

/// The warnings of a small farm with these settings of its step, and this at its end.
fn unused(step: &str, end: &str) -> Vec<String> {
    let text = format!(
        "slave_port = 9989\n[[slaves]]\nname = \"bot\"\npassword = \"p\"\ntags = [\"fast\"]\n\
         [factories.check]\nsteps = [{{ type = \"ShellCommand\", command = \"make\", {step} }}]\n\
         [[builders]]\nname = \"full\"\nslaves = {{ tags = \"fast\" }}\nfactory = \"check\"\n\
         [[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = {{}}\n{end}"
    );
    let (_, warnings) = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
    assert!(
        warnings.iter().all(|w| w.class == Class::Unused),
        "{}",
        lines(&warnings)
    );
    warnings
        .into_iter()
        .map(|warning| warning.message)
        .collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn cfl_13_a_lock_that_nothing_holds() {
    let locks = "[locks]\ndisk = { type = \"slave\" }\n";
    let message = "no slave, builder or step holds the lock `disk`";
    assert_eq!(unused("", locks), [message]);
    assert_eq!(unused("locks = [\"disk\"]", locks), NOTHING);
    let of_slave = "[[slaves]]\nname = \"two\"\npassword = \"p\"\ntags = [\"fast\"]\n\
                    locks = [\"disk\"]\n[locks]\ndisk = { type = \"slave\" }\n";
    assert_eq!(unused("", of_slave), NOTHING);
}

#[test]
fn cfl_13_a_value_that_nothing_names() {
    let values = "[values]\njobs = \"2\"\ntwice = \"kw.jobs * 2\"\n";
    assert_eq!(unused("", values), ["nothing uses the value `twice`"]);
    for step in [
        "env = { JOBS = \"%(kw:twice)s\" }",
        "do_step_if = \"kw.twice > 3\"",
        "set = { jobs = \"kw.twice\" }",
    ] {
        assert_eq!(unused(step, values), NOTHING, "{step}");
    }
    let elsewhere = "[values]\nhost = \"slave.name\"\n[[builders]]\nname = \"b\"\n\
                     slaves = [\"bot\"]\nfactory = \"check\"\nslave_if = \"kw.host == 'bot'\"\n\
                     [[schedulers]]\ntype = \"Periodic\"\nname = \"p\"\nperiod = \"1h\"\n\
                     builders = [\"b\"]\n";
    assert_eq!(unused("", elsewhere), NOTHING);
}

#[test]
fn cfl_13_a_slave_that_no_builder_takes() {
    let slave =
        |tags: &str| format!("[[slaves]]\nname = \"two\"\npassword = \"p\"\ntags = [{tags}]\n");
    assert_eq!(unused("", &slave("")), ["no builder takes the slave `two`"]);
    assert_eq!(unused("", &slave("\"fast\"")), NOTHING);
}

#[test]
fn cfl_13_a_triggerable_scheduler_that_no_step_triggers() {
    let scheduler = "[[schedulers]]\ntype = \"Triggerable\"\nname = \"later\"\n\
                     builders = [\"full\"]\n";
    let message = "no step triggers the scheduler `later`";
    assert_eq!(unused("", scheduler), [message]);
    for step in [
        "type = \"Trigger\", schedulers = [\"later\"]",
        "type = \"Trigger\", schedulers = [\"%(prop:which)s\"]",
        "type = \"StepsFrom\", command = [\"./steps\"]",
    ] {
        let factory = format!(
            "{scheduler}[factories.more]\nsteps = [{{ {step} }}]\n[[builders]]\nname = \"m\"\n\
             slaves = [\"bot\"]\nfactory = \"more\"\n[[schedulers]]\ntype = \"Periodic\"\n\
             name = \"p\"\nperiod = \"1h\"\nbuilders = [\"m\"]\n"
        );
        assert_eq!(unused("", &factory), NOTHING, "{step}");
    }
    let nightly = scheduler.replace("\"Triggerable\"", "\"NightlyTriggerable\"\nhour = 3");
    assert_eq!(unused("", &nightly), NOTHING);
}

#[test]
fn cfl_62_rows_that_nothing_uses_are_one_warning() {
    let slaves = "[[slaves]]\nfor = { n = \"{{ range(20) }}\" }\nname = \"spare-{{ n }}\"\n\
                  type = \"local\"\n";
    let text = format!("{SMALL}{slaves}");
    let (_, warnings) = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap();
    let found: Vec<_> = warnings.iter().map(|w| (w.class, w.rows)).collect();
    assert_eq!(found, [(Class::Unused, 20)]);
}

#[test]
fn cfl_13_beside_a_mistake_nothing_is_called_unused() {
    let text = format!("{SMALL}[locks]\ndisk = {{ type = \"slave\" }}\n").replace("make", "");
    let text = text.replace("factory = \"check\"", "factroy = \"check\"");
    let errors = parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap_err();
    assert!(errors.warnings.is_empty(), "{errors}");
}
