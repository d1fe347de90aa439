#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;
use crate::config::{SchedulerKind, parse};
use crate::model::Zone;

/// A ForceScheduler with these settings.
fn scheduler(settings: &str) -> SchedulerConfig {
    let text = format!(
        "[[slaves]]\nname = \"here\"\ntype = \"local\"\n[factories.f]\nsteps = []\n[[builders]]\nname = \
         \"full\"\nslaves = [\"here\"]\nfactory = \"f\"\n[[schedulers]]\ntype = \
         \"ForceScheduler\"\nname = \"force\"\nbuilders = [\"full\"]\n{settings}\n"
    );
    let config = match parse(&text, "master.toml", &Ok(Zone::UTC)) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{settings}: {}", errors.render(false)),
    };
    config.schedulers[0].as_ref().clone()
}

fn fill(
    scheduler: &SchedulerConfig,
    sent: Json,
    user: Option<&str>,
) -> Result<FilledIn, Vec<WrongField>> {
    let SchedulerKind::ForceScheduler(form) = &scheduler.kind else {
        panic!("it is a ForceScheduler");
    };
    let asker = Asker {
        user,
        slaves: &["here".into()],
        validation: &Validation::default(),
    };
    fill_in(
        scheduler,
        form,
        &serde_json::from_value(sent).unwrap(),
        asker,
    )
}

fn property(filled: &FilledIn, name: &str) -> Json {
    filled.properties.get(name).cloned().unwrap_or(Json::Null)
}

/// The settings of a parameter, as a TOML table.
fn toml(kind: &str, settings: &Json) -> String {
    let settings = settings.as_object().unwrap().iter();
    let mut keys: Vec<_> = settings
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    keys.push(format!("type = \"{kind}\""));
    format!("{{ {} }}", keys.join(", "))
}

#[test]
fn frc_03_all_cases_of_parameters() {
    let cases: Json =
        serde_json::from_str(include_str!("../../../tests/data/people-cases.json")).unwrap();
    let cases = cases["cases"].as_array().unwrap().iter();
    let cases: Vec<_> = cases.filter(|case| case["area"] == "force").collect();
    assert_eq!(cases.len(), 35);
    for case in cases {
        let id = &case["id"];
        let given = &case["given"];
        let kind = given["parameter"].as_str().unwrap();
        let parameter = toml(kind, &given["settings"]);
        let is_user = kind == "UserNameParameter";
        let key = if is_user {
            "username = "
        } else {
            "parameters = ["
        };
        let end = if is_user { "" } else { "]" };
        let scheduler = scheduler(&format!("{key}{parameter}{end}"));
        let sent = given["sent"].clone();
        // Somebody who fills in the name has not logged in (FRC-04).
        let user = match sent.get("username") {
            Some(_) => None,
            None => Some("the user who is logged in"),
        };
        let filled = fill(&scheduler, sent, user);
        let expected = &case["expect"];
        if expected["refused"] == true {
            let name = given["settings"]["name"].as_str().unwrap_or("username");
            let fields: Vec<_> = filled.unwrap_err().into_iter().map(|w| w.field).collect();
            assert_eq!(fields, [name], "{id}");
            continue;
        }
        let filled = filled.unwrap_or_else(|wrong| panic!("{id}: {wrong:?}"));
        let name = given["settings"]["name"].as_str().unwrap_or("owner");
        if let Some(pair) = expected["property"].as_array() {
            assert_eq!(
                property(&filled, pair[0].as_str().unwrap()),
                pair[1],
                "{id}"
            );
            assert_eq!(property(&filled, name), Json::Null, "{id}");
        } else {
            assert_eq!(property(&filled, name), expected["value"], "{id}");
        }
    }
}

#[test]
fn frc_03_all_refusals_of_a_form_come_at_once_each_with_its_field() {
    let scheduler = scheduler(
        "parameters = [\n{ type = \"IntParameter\", name = \"jobs\" },\n{ name = \"target\", regex = \
         \"^[a-z]+$\" },\n{ type = \"NestedParameter\", name = \"opts\", fields = [{ name = \"level\", \
         required = true }] }]\nreason_parameter = { required = true }",
    );
    let sent = json!({"jobs": ["many"], "target": ["X"], "branch": ["a b"], "stray": ["1"]});
    let wrong = fill(&scheduler, sent, Some("ann")).unwrap_err();
    let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
    assert_eq!(
        wrong,
        [
            "reason: must be filled in",
            "branch: \"a b\" is not a branch",
            "jobs: \"many\" is not an integer",
            "target: \"X\" does not match the pattern of the field",
            "opts_level: must be filled in",
        ]
    );
}

#[test]
fn frc_01_a_form_becomes_reason_source_and_properties() {
    let scheduler = scheduler(
        "reason = \"%(owner)s wants it: %(reason)s\"\ncodebase = \"core\"\nproject = \
         \"brindle\"\nrepository = false\nproperties = { level = 3 }\nparameters = [{ type = \
         \"NestedParameter\", name = \"opts\", fields = [{ type = \"BooleanParameter\", name = \
         \"fast\" }] }]",
    );
    let sent = json!({
        "reason": ["to see %(owner)s"], "branch": ["rel-1"], "revision": [""],
        "opts_fast": ["on"], "stray": ["1"], "project": ["other"], "repository": ["x"],
    });
    let filled = fill(&scheduler, sent, Some("ann")).unwrap();
    assert_eq!(filled.reason, "ann wants it: to see %(owner)s");
    assert_eq!(filled.owner, "ann");
    let expected = SourceStamp {
        branch: Some("rel-1".to_owned()),
        project: "brindle".to_owned(),
        codebase: "core".to_owned(),
        ..SourceStamp::default()
    };
    assert_eq!(filled.stamps, expected.into());
    assert_eq!(property(&filled, "opts"), json!({"fast": true}));
    assert_eq!(property(&filled, "owner"), "ann");
    assert_eq!(property(&filled, "level"), 3);
    assert_eq!(filled.unused, ["repository", "stray"]);
}

#[test]
fn frc_05_names_and_values_of_any_property_are_checked() {
    let scheduler = scheduler("");
    let sent =
        |name: &str, value: &str| json!({"property1name": [name], "property1value": [value]});
    let filled = fill(&scheduler, sent("os", "linux"), Some("ann")).unwrap();
    assert_eq!(property(&filled, "os"), "linux");
    for (name, value, field) in [
        ("o s", "linux", "property1name"),
        ("os", "a b", "property1value"),
    ] {
        let wrong = fill(&scheduler, sent(name, value), Some("ann")).unwrap_err();
        let fields: Vec<_> = wrong.into_iter().map(|wrong| wrong.field).collect();
        assert_eq!(fields, [field]);
    }
}

#[test]
fn frc_02_slaves_and_builds_are_chosen_by_name() {
    let scheduler = scheduler(
        "parameters = [{ type = \"BuildslaveChoiceParameter\", name = \"slavename\" }, { type = \
         \"InheritBuildParameter\", name = \"inherit\" }]",
    );
    let ask = |sent| fill(&scheduler, sent, Some("ann"));
    let filled = ask(json!({"slavename": ["here"], "inherit": ["a/b/12 (success)"]})).unwrap();
    assert_eq!(property(&filled, "slavename"), "here");
    assert_eq!(filled.inherit, Some(("a/b".into(), BuildNumber(12))));
    let filled = ask(json!({"slavename": [ANY_SLAVE]})).unwrap();
    assert_eq!(property(&filled, "slavename"), Json::Null);
    let wrong = ask(json!({"slavename": ["there"], "inherit": ["full"]})).unwrap_err();
    let fields: Vec<_> = wrong.into_iter().map(|wrong| wrong.field).collect();
    assert_eq!(fields, ["slavename", "inherit"]);
}

#[test]
fn frc_02_a_patch_is_part_of_what_is_built() {
    let scheduler = scheduler("parameters = [{ type = \"PatchParameter\", name = \"patch\" }]");
    let ask = |sent| fill(&scheduler, sent, Some("ann"));
    let sent = json!({"patch_body": ["--- a\r\n+++ b\r\n"], "patch_level": ["0"],
        "patch_subdir": ["src"], "patch_comment": ["try it"]});
    let filled = ask(sent).unwrap();
    let patch = filled.stamps.patch().cloned().unwrap();
    assert_eq!(patch.body, PatchBody::Given("--- a\n+++ b\n".into()));
    assert_eq!((patch.level, patch.subdir.as_deref()), (0, Some("src")));
    assert_eq!(patch.who.as_deref(), Some("ann"));
    assert_eq!(patch.comment.as_deref(), Some("try it"));
    assert_eq!(filled.unused, [""; 0]);
    assert_eq!(
        ask(json!({"patch_body": [" \n"]})).unwrap().stamps.patch(),
        None
    );
    for (field, value) in [
        ("patch_level", "-1"),
        ("patch_subdir", "../x"),
        ("patch_subdir", "/x"),
    ] {
        let sent = json!({"patch_body": ["x"], field: [value]});
        let fields: Vec<_> = ask(sent)
            .unwrap_err()
            .into_iter()
            .map(|w| w.field)
            .collect();
        assert_eq!(fields, [field]);
    }
}

#[test]
fn frc_02_a_file_is_a_text_of_limited_size() {
    let scheduler =
        scheduler("parameters = [{ type = \"FileParameter\", name = \"list\", max_size = 4 }]");
    let ask = |text: &str| fill(&scheduler, json!({"list": [text]}), Some("ann"));
    assert_eq!(property(&ask("a\nb\n").unwrap(), "list"), "a\nb\n");
    let wrong = ask("a\nb\nc").unwrap_err();
    assert_eq!(wrong[0].to_string(), "list: has more than 4 bytes");
}

#[test]
fn frc_02_a_codebase_has_its_name_before_its_fields() {
    let scheduler =
        scheduler("codebase = \"core\"\nbranch = { default = \"main\" }\nproject = false");
    let ask = |sent| fill(&scheduler, sent, Some("ann")).unwrap();
    for sent in [
        json!({"core_branch": ["rel"], "core_revision": ["5"]}),
        json!({"branch": ["rel"], "revision": ["5"]}),
    ] {
        let filled = ask(sent);
        let stamp = filled.stamps.first();
        assert_eq!(stamp.codebase, "core");
        assert_eq!(
            (stamp.branch.as_deref(), stamp.revision.as_deref()),
            (Some("rel"), Some("5"))
        );
        assert_eq!(filled.unused, [""; 0]);
    }
    assert_eq!(
        ask(json!({})).stamps.first().branch.as_deref(),
        Some("main")
    );
    assert_eq!(ask(json!({"project": ["x"]})).unused, ["project"]);
}

#[test]
fn frc_02_several_codebases_have_their_fields_each() {
    let scheduler = scheduler(
        "codebases = { core = { branch = { default = \"main\" }, project = false }, lib = { \
         repository = \"https://h/lib\", patch = true } }",
    );
    let ask = |sent| fill(&scheduler, sent, Some("ann"));
    let filled = ask(json!({})).unwrap();
    let of = |filled: &FilledIn, codebase: &str| {
        let stamp = filled.stamps.of(codebase).unwrap().clone();
        (stamp.branch, stamp.revision, stamp.repository)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(of(&filled, "core"), (some("main"), None, String::new()));
    let lib = "https://h/lib".to_owned();
    assert_eq!(of(&filled, "lib"), (None, None, lib.clone()));
    let sent = json!({
        "core_branch": ["rel"], "lib_revision": ["5"], "lib_patch_body": ["diff"],
        "revision": ["7"], "core_project": ["x"],
    });
    let filled = ask(sent).unwrap();
    assert_eq!(of(&filled, "core"), (some("rel"), None, String::new()));
    assert_eq!(of(&filled, "lib"), (None, some("5"), lib));
    assert_eq!(filled.stamps.patched().unwrap().codebase, "lib");
    assert_eq!(filled.unused, ["core_project", "revision"]);
    let wrong = ask(json!({"core_branch": ["a b"], "lib_revision": ["c;d"]})).unwrap_err();
    let fields: Vec<_> = wrong.into_iter().map(|wrong| wrong.field).collect();
    assert_eq!(fields, ["core_branch", "lib_revision"]);
}

#[test]
fn cbs_05_a_forced_build_patches_one_codebase() {
    let scheduler = scheduler("codebases = { core = { patch = true }, lib = { patch = true } }");
    let both = json!({"core_patch_body": ["a"], "lib_patch_body": ["b"]});
    let wrong = fill(&scheduler, both, Some("ann")).unwrap_err();
    assert_eq!(
        wrong[0].to_string(),
        "lib_patch_body: is a second patch; a build patches one codebase"
    );
}

#[test]
fn frc_03_choices_of_a_command_are_checked_like_others() {
    let mut scheduler = scheduler(
        "parameters = [{ type = \"ChoiceStringParameter\", name = \"tag\", choices_command = \
         [\"git\", \"tag\"], choices_every = \"1m\", default = \"v1\" }]",
    );
    let SchedulerKind::ForceScheduler(form) = &mut scheduler.kind else {
        panic!("it is a ForceScheduler");
    };
    assert!(form.has_commands());
    let ParameterKind::ChoiceStringParameter { choices, .. } = &mut form.parameters[0].kind else {
        panic!("it has choices");
    };
    *choices = vec!["v1".to_owned(), "v2".to_owned()];
    let ask = |sent| fill(&scheduler, sent, Some("ann"));
    assert_eq!(property(&ask(json!({"tag": ["v2"]})).unwrap(), "tag"), "v2");
    assert_eq!(property(&ask(json!({})).unwrap(), "tag"), "v1");
    assert_eq!(ask(json!({"tag": ["v3"]})).unwrap_err()[0].field, "tag");
}
