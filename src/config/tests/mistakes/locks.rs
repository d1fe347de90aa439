use super::*;
use crate::config::{LockConfig, LockKind, LockMode, LockScope};

/// A configuration with two locks; these lines go to the slave, the step and the builders `full`
/// and `other`, whose factory has no locks but these of its step.
fn with(slave: &str, step: &str, full: &str, other: (&str, &str)) -> String {
    let (other_builder, other_step) = other;
    format!(
        r#"slave_port = 9989
[locks]
disk = {{ type = "slave", max_count_for_slave = {{ bot = 2 }} }}
license = {{ type = "master", max_count = 3 }}
[[slaves]]
name = "bot"
password = "sekrit"
{slave}
[factories]
check.steps = [{{ type = "ShellCommand", name = "make", command = "make", {step} }}]
other.steps = [{{ type = "ShellCommand", name = "test", command = "test", {other_step} }}]
[[builders]]
name = "full"
slaves = ["bot"]
factory = "check"
{full}
[[builders]]
name = "other"
slaves = ["bot"]
factory = "other"
{other_builder}
[[schedulers]]
type = "Scheduler"
name = "quick"
builders = ["full", "other"]
"#
    )
}

fn bad(text: &str, expected: &str) {
    assert_eq!(mistakes_of(text), expected);
}

const NONE: (&str, &str) = ("", "");

#[test]
fn lck_01_and_lck_02_locks_are_read_with_their_counts_and_uses() {
    let config = accept(&with(
        r#"locks = ["license"]"#,
        r#"locks = [{ name = "disk" }]"#,
        "",
        (r#"locks = [{ name = "disk", mode = "exclusive" }]"#, ""),
    ));
    let disk = LockConfig {
        name: "disk".into(),
        kind: LockKind::Slave {
            max_count_for_slave: [("bot".into(), 2)].into(),
        },
        max_count: 1,
    };
    let license = LockConfig {
        name: "license".into(),
        kind: LockKind::Master,
        max_count: 3,
    };
    assert_eq!(config.locks, [disk.clone(), license]);
    assert_eq!(disk.max_count_on(&"bot".into()), 2);
    assert_eq!(disk.max_count_on(&"another".into()), 1);
    assert_eq!(config.slaves[0].locks[0].lock, "license".into());
    let step = &config.builders[0].factory.steps[0].locks[0];
    assert_eq!(
        (step.lock.as_str(), step.mode),
        ("disk", LockMode::Counting)
    );
    let builder = &config.builders[1].locks[0];
    assert_eq!(builder.mode, LockMode::Exclusive);
}

#[test]
fn lck_01_wrong_definitions_are_refused() {
    let define =
        |line: &str| with("", "", "", NONE).replace("[locks]\n", &format!("[locks]\n{line}\n"));
    for (line, expected) in [
        (
            "x = {}",
            "3:5: lock `x` needs `type` (add `type = \"master\"`)",
        ),
        (
            "x = { type = \"MasterLock\" }",
            "3:14: unknown `type = \"MasterLock\"` of lock `x` (it is called `\"master\"` here)",
        ),
        (
            "x = { type = \"master\", max_count = 0 }",
            "3:36: `max_count` of lock `x` is out of range (a number from 1 to 4294967295)",
        ),
        (
            "x = { type = \"master\", max_count_for_slave = { bot = 1 } }",
            "3:24: `max_count_for_slave` is not a setting of a `master` lock (only locks of `type = \
             \"slave\"` are counted for each slave by itself)",
        ),
        (
            "x = { type = \"slave\", max_count_for_slave = { bott = 1, bot = 0 } }",
            "3:47: `max_count_for_slave` of lock `x` names the slave `bott`, which does not exist \
             (did you mean `bot`?)\n3:63: `bot` of `max_count_for_slave` of lock `x` is out of \
             range (a number from 1 to 4294967295)",
        ),
        (
            "x = { type = \"master\", maxCount = 2 }",
            "3:24: unknown key `maxCount` of lock `x` (it is called `max_count` here)",
        ),
        (
            "\"\" = { type = \"master\" }",
            "3:1: a lock cannot be called `` (use printable characters)",
        ),
    ] {
        bad(&define(line), expected);
    }
    let twice = mistakes_of(&define("disk = { type = \"master\" }"));
    assert!(twice.contains("duplicate key"), "{twice}");
}

/// The small configuration with six slaves of which four have a site, and this lock.
fn on_sites(lock: &str) -> String {
    let mut text = SMALL.to_owned();
    for (slave, properties) in [
        ("n1", "site = \"north\", level = 1"),
        ("n2", "site = \"north\", level = 1.0"),
        ("s1", "site = \"south\", level = \"1\""),
        ("s2", "site = \"south\", level = true"),
        ("x1", ""),
        ("x2", ""),
    ] {
        text.push_str(&format!(
            "[[slaves]]\nname = \"{slave}\"\npassword = \"x\"\nproperties = {{ {properties} }}\n"
        ));
    }
    format!("{text}[locks]\nline = {{ {lock} }}\n")
}

#[test]
fn cfl_135_slaves_for_which_an_expression_gives_the_same_share_a_lock() {
    let scopes = |lock: &str| {
        let config = accept(&on_sites(lock));
        let slaves = config.slaves.iter().skip(1);
        let scopes = slaves.map(|slave| match config.locks[0].scope_on(&slave.name) {
            LockScope::Master => "all".to_owned(),
            LockScope::Slave(slave) => format!("of {slave}"),
            LockScope::Group(group) => group.to_string(),
        });
        scopes.collect::<Vec<_>>()
    };
    let alone = ["of n1", "of n2", "of s1", "of s2", "of x1", "of x2"];
    assert_eq!(
        scopes("per = \"slave.properties.site\", max_count = 2"),
        ["north", "north", "south", "south", "of x1", "of x2"]
    );
    assert_eq!(scopes("per = \"slave.name\""), alone);
    assert_eq!(scopes("per = \"none\""), alone);
    assert_eq!(
        scopes("per = \"'a' if slave.name in ['n1', 'x1']\""),
        ["a", "of n2", "of s1", "of s2", "a", "of x2"]
    );
    // 1, 1.0 and true are equal, and "1" is not equal to them.
    let config = accept(&on_sites("per = \"slave.properties.level\""));
    let scope = |slave: &str| config.locks[0].scope_on(&slave.into());
    assert_eq!(scope("n1"), scope("n2"));
    assert_eq!(scope("n1"), scope("s2"));
    assert_ne!(scope("n1"), scope("s1"));
}

#[test]
fn cfl_135_mistakes_in_per_are_told() {
    for (lock, expected) in [
        (
            "type = \"master\", per = \"slave.name\"",
            "`type` and `per` of lock `line` exclude each other (remove one of the two; `per = \
             \"slave.name\"` is `type = \"slave\"`)",
        ),
        (
            "per = \"slave.properties.site\", max_count_for_slave = { n1 = 2 }",
            "`max_count_for_slave` and `per` of lock `line` exclude each other",
        ),
        (
            "per = \"prop.site\"",
            "`prop` is not known here (here are known `slave`)",
        ),
        ("per = \"kw.site\"", "there is no value `site`"),
        (
            "per = \"slave.version\"",
            "`slave.version` is not known here",
        ),
        (
            "per = \"slave.properties.level + 1\"",
            "`per` of lock `line` fails for slave `bot`",
        ),
        ("per = \"slave.tgas\"", "`slave` has no `tgas`"),
        (
            "per = 1",
            "`per` of lock `line` must be a string, not a number",
        ),
    ] {
        let found = mistakes_of(&on_sites(lock));
        assert!(found.contains(expected), "{lock}: {found}");
    }
    let values = format!(
        "{}[values]\nv = \"slave.name\"\n",
        on_sites("per = \"kw.v\"")
    );
    assert!(mistakes_of(&values).contains("`kw` is not known here"));
}

#[test]
fn unknown_and_repeated_uses_of_locks_are_refused() {
    for (line, expected) in [
        (
            r#"locks = ["disc"]"#,
            "8:10: slave `bot` names the lock `disc`, which does not exist (did you \
             mean `disk`?)",
        ),
        (
            r#"locks = ["disk", { name = "disk" }]"#,
            "8:18: `locks` of slave `bot` names `disk` twice (remove one of the two)",
        ),
        (
            r#"locks = [{ name = "disk", mode = "shared" }]"#,
            "8:34: unknown `mode = \"shared\"` of `locks` of slave `bot` (it may be `counting`, \
             `exclusive`)",
        ),
        (
            r#"locks = [{ mode = "exclusive" }]"#,
            "8:10: `locks` of slave `bot` needs `name` (add `name = \"NAME\"`)",
        ),
        (
            "locks = [1]",
            "8:10: `locks` of slave `bot` must be names of locks, not a number (for example \
             [\"disk\", { name = \"license\", mode = \"exclusive\" }])",
        ),
        (
            r#"locks = "disk""#,
            "8:9: `locks` of slave `bot` must be a list, not a string (for example `locks = [\"…\"]`)",
        ),
    ] {
        bad(&with(line, "", "", NONE), expected);
    }
}

#[test]
fn lck_05_a_lock_on_a_build_and_its_step_is_refused() {
    bad(
        &with("", r#"locks = ["disk"]"#, r#"locks = ["disk"]"#, NONE),
        "16:10: builder `full` and its step `make` both use lock `disk` (the build holds it during \
         all its steps; remove it from one of the two)",
    );
}

#[test]
fn lck_04_circles_of_locks_in_which_builds_could_wait_for_ever_are_refused() {
    let help = "(let all take them in the same order, or together: locks of one list are given at \
                once)";
    let crossed = (r#"locks = ["license"]"#, r#"locks = ["disk"]"#);
    let text = with("", r#"locks = ["license"]"#, r#"locks = ["disk"]"#, crossed);
    bad(
        &text,
        &format!(
            "10:83: builds could wait for each other's locks for ever: builds of `full` hold \
             `disk` while their step `make` waits for `license`, and builds of `other` hold \
             `license` while their step `test` waits for `disk` {help}"
        ),
    );
    // On different slaves these are different locks.
    let mut apart = text.replace(r#"type = "master""#, r#"type = "slave""#);
    let second = apart.rfind("bot").unwrap();
    apart.replace_range(second..second + 3, "tob");
    let tob = "[[slaves]]\nname = \"tob\"\npassword = \"x\"\n[factories]";
    accept(&apart.replacen("[factories]", tob, 1));
    bad(
        &with(r#"locks = ["disk"]"#, "", r#"locks = ["disk"]"#, NONE),
        &format!(
            "16:10: builds could wait for each other's locks for ever: builds of `full` on slave \
             `bot` hold `disk` while they wait for `disk` {help}"
        ),
    );
    // Locks that are taken together form no circle, whoever else holds one of them.
    let together = (r#"locks = ["license", "disk"]"#, "");
    accept(&with(
        "",
        r#"locks = ["license"]"#,
        r#"locks = ["disk"]"#,
        together,
    ));
}
