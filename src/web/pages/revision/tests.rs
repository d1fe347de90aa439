use crate::model::{Results, SourceStamp, SourceStamps};
use crate::web::testing::{Farm, ago};

#[test]
fn a_revision_says_what_it_broke_and_what_was_not_built() {
    let page = Farm::broken().page("/revisions/r8");
    for text in [
        r#"<span class="p fail new big">broke 1 builder</span>"#,
        "<h2>Newly broken <small>1</small></h2>",
        r#"/builds/1">linux 1<b> new failure</b></a>"#,
        r#"<a class="p off" href="/builders/a%2Fb%20c">a/b c<b> not built</b></a>"#,
        "python: type stubs",
        "block: decode without a check",
        r#"<a class="m" href="/revisions/r6">r6</a>"#,
        "<title>✕ broke 1 builder · Revision r8 · Brindle</title>",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[test]
fn a_revision_that_runs_and_waits_says_so() {
    let page = Farm::broken().page("/revisions/r9");
    assert!(page.contains("1 builder running"), "{page}");
    let waits = r#"<a class="p wait" href="/queue/5">a/b c<b> waiting</b></a>"#;
    assert!(page.contains(waits), "{page}");
    let later = Farm::broken().page("/revisions/r7");
    let with = r#"built with change <a href="/changes/8">8</a>"#;
    assert!(later.contains(with), "{later}");
}

#[test]
fn the_beginning_of_a_revision_is_enough_if_no_other_has_it() {
    let mut farm = Farm::broken();
    for (number, revision) in [(1_u64, "abcdef01"), (2, "abcd9999")] {
        let mut change = (*farm.bare_change(20 + number)).clone();
        change.content.revision = Some(revision.to_owned());
        farm.add([crate::model::Op::ChangeAdded(change.into())]);
    }
    let one = farm.get("/revisions/abcde");
    assert_eq!(
        (one.status.as_u16(), one.header("location")),
        (302, "/revisions/abcdef01")
    );
    let many = farm.get("/revisions/abcd");
    assert_eq!(many.status, 404);
    assert!(
        many.text.contains(r#"<a href="/revisions/abcd9999">"#),
        "{}",
        many.text
    );
    assert_eq!(farm.get("/revisions/abc").status, 404);
    assert_eq!(farm.get("/revisions/none").status, 404);
    assert!(farm.page("/revisions/abcdef01").contains("not built"));
}

#[test]
fn a_revision_page_is_of_one_codebase_of_one_repository() {
    let mut farm = Farm::broken();
    for (number, place) in [(21_u64, ["git://h/a", "core"]), (22, ["git://h/a", "lib"])] {
        let mut change = (*farm.bare_change(number)).clone();
        let content = &mut change.content;
        content.revision = Some("17".to_owned());
        let [repository, codebase] = place.map(str::to_owned);
        (content.repository, content.codebase) = (repository, codebase);
        farm.add([crate::model::Op::ChangeAdded(change.into())]);
    }
    let stamp = |codebase: &str| SourceStamp {
        revision: Some("17".to_owned()),
        codebase: codebase.to_owned(),
        ..SourceStamp::default()
    };
    for (number, builder, codebase) in [(0, "a/b c", "core"), (1, "a/b c", "other")] {
        let build = farm.start_of(builder, number, stamp(codebase), ago(900));
        farm.finish(build, Results::Success, ago(800));
    }
    let both = farm.get("/revisions/17");
    assert_eq!(both.status, 404);
    let link = "codebase lib of git://h/a";
    assert!(both.text.contains(link), "{}", both.text);
    let core = farm.page("/revisions/17?codebase=core");
    assert!(core.contains("a/b c 0<b> success"), "{core}");
    let lib = farm.page("/revisions/17?codebase=lib&repository=git%3A%2F%2Fh%2Fa");
    assert!(!lib.contains("success</b>"), "{lib}");
    let core = farm.get("/api/v1/revisions/17?codebase=core").text;
    assert!(core.contains("\"codebase\":\"core\""), "{core}");
    assert!(!core.contains("\"codebase\":\"lib\""), "{core}");
}

#[test]
fn cbs_08_a_build_of_several_codebases_is_on_the_pages_of_all_its_revisions() {
    let mut farm = Farm::broken();
    let stamps: SourceStamps = [("core", "c0ffee01"), ("lib", "facade01")]
        .into_iter()
        .map(|(codebase, revision)| SourceStamp {
            revision: Some(revision.to_owned()),
            codebase: codebase.to_owned(),
            ..SourceStamp::default()
        })
        .collect();
    let build = farm.start_of("a/b c", 0, stamps, ago(900));
    farm.finish(build, Results::Success, ago(800));
    for revision in ["c0ffee01", "facade01"] {
        let page = farm.page(&format!("/revisions/{revision}"));
        assert!(page.contains("a/b c 0<b> success"), "{page}");
    }
    assert_eq!(farm.get("/revisions/c0ffee02").status, 404);
}

#[test]
fn a_revision_of_no_change_is_found_by_its_builds() {
    let mut farm = Farm::broken();
    let stamp = SourceStamp {
        revision: Some("feedbeef".to_owned()),
        ..SourceStamp::default()
    };
    let build = farm.start_of("a/b c", 0, stamp, ago(900));
    farm.finish(build, Results::Success, ago(800));
    let page = farm.page("/revisions/feedbeef");
    assert!(page.contains("a/b c 0<b> success"), "{page}");
    assert_eq!(farm.get("/revisions/feed").status, 302);
}
