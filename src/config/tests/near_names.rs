//! Names of properties that are probably misspelt (CFL-93).

use super::*;

/// The warnings of the small configuration with these settings of its step and this at its end.
fn warned(settings: &str, end: &str) -> String {
    let step = format!("command = \"make\", {settings}");
    let text = SMALL.replacen("command = \"make\"", &step, 1) + end;
    let found = mistakes_of(&text);
    let warnings = found.strip_prefix("accepted");
    let warnings = warnings.unwrap_or_else(|| panic!("{found}"));
    warnings.trim().to_owned()
}

#[test]
fn cfl_93_a_name_that_is_nearly_one_that_something_sets_is_a_warning() {
    let target = "[properties]\ntarget = \"x86\"\n";
    assert_eq!(
        warned("do_step_if = \"1 and prop.taget\"", target),
        "9:73: nothing in the configuration sets the property `taget` (did you mean `target`?)"
    );
    assert_eq!(
        warned("workdir = \"build-%(prop:Target:-x)s\"", target),
        "9:77: nothing in the configuration sets the property `Target` (did you mean `target`?)"
    );
    for (asks, near) in [
        ("env = { A = \"%(brnach)s\" }", "branch"),
        ("set = { a = \"prop['got-revision']\" }", "got_revision"),
        ("env = \"%(*prop:targets)s\"", "target"),
        (
            "initial_stdin = { format = \"%s\", names = [\"ownr\"] }",
            "owner",
        ),
        (
            "set = { levels = \"1\" }, do_step_if = \"prop.level\"",
            "levels",
        ),
        (
            "watch = [{ match = \"x\", property = \"found\" }], result = \"prop.fuond\"",
            "found",
        ),
    ] {
        let found = warned(asks, target);
        assert!(
            found.ends_with(&format!("(did you mean `{near}`?)")),
            "{asks}: {found}"
        );
    }
    let values = "[values]\nv = \"prop.slavname\"\n";
    assert!(
        warned("do_step_if = \"kw.v\"", values).starts_with("21:6: nothing"),
        "{values}"
    );
}

#[test]
fn cfl_93_what_every_kind_of_table_sets_is_known() {
    let text = r#"
slave_port = 9989
slaves = [{ name = "bot", password = "sekrit", properties = { of_slave = 1 } }]
properties = { of_file = 1 }
schedulers = [
    { type = "Scheduler", name = "quick", builders = ["full"], properties = { of_scheduler = 1 } },
    { type = "Triggerable", name = "inner", builders = ["full"] },
]
[[builders]]
name = "full"
slaves = ["bot"]
factory = "check"
properties = { of_builder = 1 }
[factories.check]
steps = [
    { type = "SetProperty", property = "by_step", value = "%(kw:all)s" },
    { type = "SetProperties", properties = { by_steps = "1" } },
    { type = "SetPropertyFromCommand", command = "c", property = "by_command" },
    { type = "SetPropertyFromCommand", command = "c", set = { by_output = "stdout" } },
    { type = "Trigger", schedulers = ["inner"], set_properties = { by_trigger = 1 } },
    { type = "Trigger", schedulers = ["inner"], for_each = { property = "for_each", values = ["a"] } },
]
[values]
all = """prop.of_slave ~ prop.of_file ~ prop.of_scheduler ~ prop.of_builder ~ prop.by_step ~ prop.by_steps
  ~ prop.by_command ~ prop.by_output ~ prop.by_trigger ~ prop.for_each ~ prop.from_a_hook"""
"#;
    assert_eq!(mistakes_of(text), "accepted");
    for name in [
        "of_slave",
        "of_file",
        "of_scheduler",
        "of_builder",
        "by_command",
        "by_output",
        "by_trigger",
        "for_each",
    ] {
        let wrong = text.replacen(&format!("prop.{name}"), &format!("prop.{name}x"), 1);
        let help = format!("(did you mean `{name}`?)");
        assert!(mistakes_of(&wrong).contains(&help), "{name}");
    }
}

#[test]
fn cfl_93_names_of_a_series_and_names_far_from_others_are_no_warning() {
    let set = "[properties]\njobs1 = 1\ntarget = \"x86\"\n";
    assert_eq!(
        warned("do_step_if = \"prop.jobs2 and prop.from_a_hook\"", set),
        ""
    );
    assert_eq!(
        warned("do_step_if = \"prop.jbos1\"", set).lines().count(),
        1
    );
    // Any two names of one letter are near each other.
    assert_eq!(
        warned("do_step_if = \"prop.a\", set = { b = \"1\" }", ""),
        ""
    );
}
