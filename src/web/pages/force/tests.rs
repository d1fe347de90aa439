#![expect(clippy::unwrap_used, reason = "tests")]

use axum::http::StatusCode;

use crate::botmaster::Ask;
use crate::web::testing::Farm;

/// Ann may force builds, Bob may not.
const PEOPLE: &str = r#"
[people.ann]
roles = ["dev"]
password = "a"
[people.bob]
password = "b"
[[permissions]]
who = ["anyone"]
may = ["view"]
[[permissions]]
who = ["role:dev"]
may = ["forceBuild"]
"#;

const FORM: &str = r#"
[[schedulers]]
type = "ForceScheduler"
name = "force it"
builders = ["linux"]
button = "Go"
[[schedulers.parameters]]
type = "IntParameter"
name = "jobs"
label = "Jobs:"
default = 4
[[schedulers.parameters]]
type = "ChoiceStringParameter"
name = "mode"
choices = ["fast", "slow"]
default = "slow"
[[schedulers.parameters]]
type = "NestedParameter"
name = "more"
label = "More"
[[schedulers.parameters.fields]]
type = "BooleanParameter"
name = "clean"
default = true
[[schedulers.parameters.fields]]
type = "StringParameter"
name = "target"
required = true
"#;

#[test]
fn a_form_is_shown_only_to_those_who_may() {
    Farm::with(PEOPLE).visit(async |visitor| {
        let page = visitor.get("/builders/linux").await;
        let instead = r#"<a href="/login">Log in</a> to force; dev may."#;
        assert!(page.text.contains(instead), "{}", page.text);
        assert!(!page.text.contains(r#"method="post""#), "{}", page.text);
        visitor.log_in("bob", "b").await;
        let page = visitor.get("/builders/linux").await;
        assert!(page.text.contains("You may not; dev may."), "{}", page.text);
        assert!(!page.text.contains(r#"method="post""#), "{}", page.text);
        visitor.log_in("ann", "a").await;
        let page = visitor.get("/builders/linux").await;
        let form = r#"<form class="card pad form" method="post" action="/builders/linux/force">"#;
        assert!(page.text.contains(form), "{}", page.text);
    });
}

#[test]
fn frc_01_a_builder_without_a_force_scheduler_has_a_plain_form() {
    Farm::with(PEOPLE).visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        visitor.get("/builders/a%2Fb%20c").await;
        let fields = [
            ("reason", "to see"),
            ("branch", "rel"),
            ("property1name", "os"),
            ("property1value", "9"),
        ];
        let answer = visitor.post("/builders/a%2Fb%20c/force", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        assert_eq!(answer.header("location"), "/queue/78");
        let asked = visitor.asked();
        let [Ask::Force(forced)] = asked.as_slice() else {
            panic!("{asked:?}");
        };
        assert_eq!(forced.builder.as_str(), "a/b c");
        assert_eq!(forced.stamps.first().branch.as_deref(), Some("rel"));
        assert_eq!(forced.reason, "to see");
        assert_eq!(forced.properties.get("os").unwrap(), "9");
        assert_eq!(forced.properties.get("owner").unwrap(), "ann");
    });
}

#[test]
fn frc_05_a_plain_form_is_checked_and_keeps_what_was_typed() {
    Farm::with(PEOPLE).visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        visitor.get("/builders/linux").await;
        let fields = [("reason", "<to see>"), ("branch", "a b;c")];
        let answer = visitor.post("/builders/linux/force", &fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(
            answer.text.contains(r#"value="&#60;to see&#62;""#),
            "{}",
            answer.text
        );
        assert!(
            answer.text.contains("is not allowed</span>"),
            "{}",
            answer.text
        );
        assert_eq!(visitor.asked(), []);
    });
}

#[test]
fn frc_02_the_form_of_a_force_scheduler_has_its_fields() {
    Farm::with(&format!("{FORM}{PEOPLE}")).visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        let page = visitor.get("/builders/linux").await.text;
        for part in [
            r#"name="forcescheduler" value="force it""#,
            r#"<label>Jobs:<input name="jobs" value="4" inputmode="numeric">"#,
            r#"<option>fast</option><option selected>slow</option>"#,
            r#"<fieldset class="form"><legend class="s">More</legend>"#,
            r#"<input type="checkbox" name="more_clean" value="true" checked> clean"#,
            r#"<input name="more_target" value="" required>"#,
            r#"<button class="prim">Go</button>"#,
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains(r#"name="username""#), "FRC-04: {page}");
    });
}

#[test]
fn frc_03_all_errors_are_shown_beside_their_fields() {
    Farm::with(&format!("{FORM}{PEOPLE}")).visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        visitor.get("/builders/linux").await;
        let fields = [
            ("forcescheduler", "force it"),
            ("reason", "mine"),
            ("jobs", "many"),
            ("mode", "fast"),
            ("more_target", ""),
        ];
        let answer = visitor.post("/builders/linux/force", &fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        for part in [
            r#"name="jobs" value="many" inputmode="numeric" aria-invalid="true">"#,
            "is not an integer</span>",
            "must be filled in</span>",
            r#"name="reason" value="mine""#,
            "<option selected>fast</option>",
            r#"name="more_clean" value="true"> clean"#,
        ] {
            assert!(answer.text.contains(part), "{part}: {}", answer.text);
        }
        assert_eq!(visitor.asked(), [], "nothing is built");
        visitor.get("/builders/linux").await;
        let fields = [("jobs", "8"), ("mode", "fast"), ("more_target", "all")];
        let answer = visitor.post("/builders/linux/force", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        let asked = visitor.asked();
        let [Ask::Force(forced)] = asked.as_slice() else {
            panic!("{asked:?}");
        };
        assert_eq!(forced.properties.get("jobs").unwrap(), 8);
        assert_eq!(forced.properties.get("more").unwrap()["target"], "all");
        assert_eq!(forced.properties.get("owner").unwrap(), "ann");
    });
}

#[test]
fn frc_02_a_form_has_the_fields_of_a_patch() {
    let form = r#"
[[schedulers]]
type = "ForceScheduler"
name = "force it"
builders = ["linux"]
[[schedulers.parameters]]
type = "ChoiceStringParameter"
name = "tag"
choices = ["v1", "v2"]
[[schedulers.parameters]]
type = "PatchParameter"
name = "diff"
"#;
    Farm::with(&format!("{PEOPLE}{form}")).visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        let page = visitor.get("/builders/linux").await.text;
        assert!(
            page.contains("<option>v1</option><option>v2</option>"),
            "{page}"
        );
        assert!(page.contains(r#"<textarea name="diff_body""#), "{page}");
        let fields = [("tag", "v3"), ("diff_body", "--- a\n")];
        let refused = visitor.post("/builders/linux/force", &fields).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(
            refused.text.contains("is not one of the choices"),
            "{}",
            refused.text
        );
        let fields = [("tag", "v2"), ("diff_body", "--- a\n"), ("diff_level", "1")];
        let answer = visitor.post("/builders/linux/force", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        let asked = visitor.asked();
        let [Ask::Force(forced)] = asked.as_slice() else {
            panic!("{asked:?}");
        };
        assert!(forced.stamps.first().patch.is_some());
    });
}

#[test]
fn frc_02_a_form_of_several_codebases_has_a_group_for_each() {
    const BOTH: &str = r#"
[[schedulers]]
type = "ForceScheduler"
name = "both"
builders = ["linux"]
parameters = []
codebases = { core = { branch = { default = "main" } }, lib = { label = "Library", patch = true } }
"#;
    Farm::with(&format!("{BOTH}{PEOPLE}")).visit(async |visitor| {
        visitor.log_in("ann", "a").await;
        let page = visitor.get("/builders/linux").await.text;
        for part in [
            r#"<fieldset class="form"><legend class="s">Codebase: core</legend>"#,
            r#"<input name="core_branch" value="main">"#,
            r#"<input name="core_revision" value="" placeholder="the newest">"#,
            r#"<fieldset class="form"><legend class="s">Library</legend>"#,
            r#"<textarea name="lib_patch_body""#,
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let fields = [("core_branch", "a b;c"), ("lib_revision", "r5")];
        let answer = visitor.post("/builders/linux/force", &fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let part = r#"name="core_branch" value="a b;c" aria-invalid="true">"#;
        assert!(answer.text.contains(part), "{}", answer.text);
        visitor.get("/builders/linux").await;
        let fields = [("core_branch", "rel"), ("lib_revision", "r5")];
        let answer = visitor.post("/builders/linux/force", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        let asked = visitor.asked();
        let [Ask::Force(forced)] = asked.as_slice() else {
            panic!("{asked:?}");
        };
        let of = |codebase: &str| {
            let stamp = forced.stamps.of(codebase).unwrap();
            [stamp.branch.as_deref(), stamp.revision.as_deref()]
        };
        assert_eq!(of("core"), [Some("rel"), None]);
        assert_eq!(of("lib"), [None, Some("r5")]);
    });
}
