//! Every page and every document, made from texts that do harm where they are not escaped.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::Value;

use super::answer;
use super::args::{Arg, Kind};
use super::table::{OUTLETS, PAGES};
use super::testing::{Answer, Farm, ago, config_text};
use crate::logs::Channel;
use crate::model::journal::{BuildFinish, BuildStart, LogOpening, StepFinish, StepStart};
use crate::model::{
    BuildId, BuildNumber, BuildSet, Change, ChangeNumber, Decision, FirstError, Forecast,
    NewChange, Op, Patch, PatchBody, Pause, Properties, Refusal, RequestId, Results, SetId,
    SourceStamp, StepCommand, StepOutcome,
};
use crate::text::steers;

/// Markup for every place where text may stand, control characters, and marks that turn text.
const MARKUP: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' onclick='x\
                      ]]>--></textarea>&lt;javascript:alert(1)\0\x1b[31m\x07\r\u{202e}\u{2066}\u{ffff}";

/// The name of the third builder, as a configuration may have it.
const BUILDER: &str = "\"><script>alert(1)</script>/ b";

/// Bytes of a page on the wire, without the style sheet, which is the rest of the 30 kB.
const PAGE_BYTES: usize = 25_000;

/// The same of pages that show much.
const LARGE_PAGE_BYTES: usize = 55_000;
const LARGE: &[&str] = &["/waterfall", "/console"];

/// A farm all of whose texts are `text`.
fn farm(text: &str) -> Farm {
    let quoted = serde_json::to_string(&text.replace(char::is_control, "")).unwrap();
    let builder = serde_json::to_string(BUILDER).unwrap();
    let config = config_text()
        .replace("title = \"Brindle\"", &format!("title = {quoted}"))
        .replace("\"all tests\"", &quoted)
        .replace("[\"required\"]", &format!("[{quoted}]"))
        .replace("name = \"a/b c\"", &format!("name = {builder}"))
        .replace("\"a/b c\"]", &format!("{builder}]"));
    let mut farm = Farm::of(&config);
    let change = Arc::new(Change {
        number: ChangeNumber(1),
        arrived_at: ago(900),
        when: ago(900),
        content: NewChange {
            who: text.to_owned(),
            comments: text.to_owned(),
            files: vec![text.to_owned()],
            revision: Some(text.to_owned()),
            branch: Some(text.to_owned()),
            project: text.to_owned(),
            repository: text.to_owned(),
            codebase: text.to_owned(),
            category: Some(text.to_owned()),
            revlink: format!("javascript:alert(1)//{text}"),
            properties: properties(text),
            ..NewChange::default()
        },
    });
    farm.add([
        Op::ChangeAdded(Arc::clone(&change)),
        Op::ChangeOffered {
            change: ChangeNumber(1),
            decisions: vec![(text.into(), Decision::BuiltAtOnce)],
        },
        Op::SlaveState {
            slave: "oak".into(),
            connected: true,
            info: Some(Arc::new(info(text))),
            at: ago(500),
        },
        Op::SlavePaused {
            slave: "elm".into(),
            pause: Some(Pause {
                since: ago(50),
                by: text.to_owned(),
                reason: text.to_owned(),
            }),
        },
    ]);
    add_builds(&mut farm, &change, text);
    farm.live.waits.insert(BUILDER.into(), text.to_owned());
    farm.live.refusals.push(Refusal {
        name: Some(text.to_owned()),
        address: text.to_owned(),
        why: text.to_owned(),
        first_at: ago(100),
        last_at: ago(10),
        times: 7,
    });
    let log = [
        (Channel::Stdout, text.as_bytes()),
        (Channel::Header, text.as_bytes()),
        (Channel::Stderr, &b"\xff\xfe\n"[..]),
        (Channel::Stderr, text.as_bytes()),
    ];
    farm.step_log("builders/b/1", &log, true);
    farm
}

/// Builds that ended, builds that run, a request that waits and one that was cancelled.
fn add_builds(farm: &mut Farm, change: &Arc<Change>, text: &str) {
    for (id, builder) in [(1, "linux"), (2, BUILDER)] {
        farm.add(set(id, builder, change, text));
        farm.add(build(id, builder, 0, text));
        farm.add(end(id, text));
    }
    for (id, builder) in [(3, "linux"), (4, BUILDER)] {
        farm.add(set(id, builder, change, text));
        farm.add(build(id, builder, 1, text));
    }
    farm.add(set(5, BUILDER, change, text));
    farm.add(set(6, "linux", change, text));
    farm.add([Op::RequestFinished {
        request: RequestId(6),
        result: Results::Failure,
        why: Some(text.to_owned()),
        at: ago(10),
    }]);
}

fn properties(text: &str) -> Properties {
    let mut properties = Properties::new();
    properties.set(text, text, text);
    properties
}

fn info(text: &str) -> BTreeMap<String, String> {
    let names = ["admin", "host", "version", "access_uri", "system"];
    names.map(|name| (name.to_owned(), text.to_owned())).into()
}

/// A set of one request of this number, with a patch.
fn set(id: u64, builder: &str, change: &Arc<Change>, text: &str) -> [Op; 2] {
    let has_patch = id == 5;
    let body = PatchBody::Given(format!("--- a\n+++ b\n+{text}\n").into_bytes().into());
    let patch = Patch {
        level: 1,
        body: body.clone(),
        subdir: Some(text.to_owned()),
        who: Some(text.to_owned()),
        comment: Some(text.to_owned()),
    };
    let stamp = SourceStamp {
        patch: has_patch.then_some(patch),
        ..SourceStamp::from_changes(vec![Arc::clone(change)])
    };
    let set = BuildSet {
        id: SetId(id),
        external_id: Some(text.to_owned()),
        scheduler: Some("quick".into()),
        stamps: Arc::new(stamp.into()),
        reason: text.to_owned(),
        properties: Arc::new(properties(text)),
        submitted_at: ago(300),
        priority: 0,
        requests: vec![(RequestId(id), builder.into())],
        parent: None,
    };
    let kept = Op::PatchKept {
        set: SetId(id),
        body,
    };
    [Op::SetSubmitted(Arc::new(set)), kept]
}

/// A build of the request of this number, with one step.
fn build(id: u64, builder: &str, number: u64, text: &str) -> Vec<Op> {
    vec![
        Op::BuildStarted(Arc::new(BuildStart {
            build: BuildId(id),
            builder: builder.into(),
            number: BuildNumber(number),
            builddir: "b".to_owned(),
            slave: "oak".into(),
            requests: vec![RequestId(id)],
            changes: vec![ChangeNumber(1)],
            blamelist: vec![text.to_owned()],
            reason: text.to_owned(),
            properties: properties(text),
            forecast: Forecast::default(),
            choice: text.to_owned(),
            planned: vec![STEP.to_owned(), text.to_owned()],
            at: ago(200),
        })),
        Op::StepStarted(StepStart {
            build: BuildId(id),
            index: 0,
            name: STEP.to_owned(),
            text: vec![text.to_owned()],
            waits: false,
            at: ago(190),
        }),
        Op::StepLink {
            build: BuildId(id),
            index: 0,
            name: text.to_owned(),
            url: format!("javascript:alert(1)//{text}"),
        },
        Op::LogOpened(LogOpening {
            build: BuildId(id),
            step: 0,
            position: 0,
            name: STEP.to_owned(),
            path: format!("builders/b/{id}"),
        }),
    ]
}

/// The name of a step and of its log.
const STEP: &str = "\"><script>alert(1)</script>";

fn end(id: u64, text: &str) -> Vec<Op> {
    let outcome = StepOutcome {
        statistics: [(text.to_owned(), 3.into())].into(),
        build_text: vec![text.to_owned()],
        commands: vec![StepCommand {
            command: text.to_owned(),
            workdir: text.to_owned(),
            timeout: Some(1200.0),
            ..StepCommand::default()
        }],
        first_error: Some(FirstError {
            log: STEP.to_owned(),
            line: 1,
            text: text.chars().take(300).collect(),
        }),
        ..StepOutcome::default()
    };
    let build = BuildId(id);
    vec![
        Op::LogClosed {
            build,
            step: 0,
            name: STEP.to_owned(),
            size_bytes: 7,
        },
        Op::StepFinished(StepFinish {
            build,
            index: 0,
            result: Results::Failure,
            text: vec![text.to_owned()],
            outcome: Box::new(outcome),
            at: ago(100),
        }),
        Op::BuildFinished(BuildFinish {
            build,
            result: Results::Failure,
            text: vec![text.to_owned()],
            stop_reason: Some(text.to_owned()),
            properties: properties(text),
            at: ago(90),
        }),
        Op::RequestFinished {
            request: RequestId(id),
            result: Results::Failure,
            why: None,
            at: ago(90),
        },
    ]
}

/// The addresses of a row of a table, which names something hostile for each of its parts.
fn addresses(path: &str, args: &[Arg]) -> Vec<String> {
    let mut all = Vec::new();
    for (builder, ids) in [("linux", "13"), (BUILDER, "45")] {
        for id in ids.chars() {
            let mut address = path.to_owned();
            for (part, value) in [
                ("builder", builder.to_owned()),
                ("build", "0".to_owned()),
                ("step", STEP.to_owned()),
                ("log", STEP.to_owned()),
                ("slave", "oak".to_owned()),
                ("scheduler", "quick".to_owned()),
                ("change", "1".to_owned()),
                ("request", id.to_string()),
                ("set", id.to_string()),
                ("badge", format!("{builder}.svg")),
            ] {
                let value = super::address::segment(&value);
                address = address.replace(&format!("{{{part}}}"), &value);
            }
            // What a page names beyond these need not exist.
            while let Some((before, rest)) = address.split_once('{') {
                let (_, after) = rest.split_once('}').unwrap();
                address = format!("{before}{}{after}", super::address::segment(STEP));
            }
            all.push(address);
        }
    }
    let texts = args.iter().filter(|arg| arg.kind == Kind::Text);
    let texts: Vec<_> = texts.map(|arg| (arg.name, MARKUP)).collect();
    if !texts.is_empty() {
        let with_args: Vec<_> = all
            .iter()
            .map(|address| super::address::with_args(address, &texts))
            .collect();
        all.extend(with_args);
    }
    all.sort();
    all.dedup();
    all
}

/// Checks that HTML has no tags and attributes but those that our templates write.
fn check_html(address: &str, html: &str) {
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let mut end = after.len();
        let mut is_quoted = false;
        for (at, c) in after.char_indices() {
            match c {
                '"' => is_quoted = !is_quoted,
                '>' if !is_quoted => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let (tag, after) = after.split_at(end);
        let name: String = tag
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        assert_ne!(name, "img", "{address}: <{tag}>");
        let mut outside = String::new();
        for (place, piece) in tag.split('"').enumerate() {
            match place % 2 {
                0 => outside += piece,
                _ => {
                    let target = outside.rsplit(' ').next().unwrap_or_default();
                    let is_link = ["href=", "src=", "action=", "formaction="].contains(&target);
                    let value = piece.trim().to_ascii_lowercase();
                    let is_harmful = is_link && value.starts_with("javascript:");
                    assert!(!is_harmful, "{address}: <{tag}>");
                }
            }
        }
        let attributes = outside.split_whitespace().skip(1);
        for attribute in attributes {
            let is_harmful = attribute.starts_with("on") || attribute.starts_with("style");
            assert!(!is_harmful, "{address}: <{tag}>");
        }
        rest = match name.as_str() {
            "script" => after.split_once("</script>").map_or("", |(_, after)| after),
            _ => after,
        };
    }
    assert_eq!(
        html.matches("<script>").count(),
        1,
        "{address}: our script is the only one"
    );
}

/// Checks what an answer of any kind must keep.
fn check(address: &str, answer: &Answer) {
    let kind = answer.header("content-type");
    let text = &answer.text;
    assert_ne!(answer.status.as_u16(), 500, "{address}: {text}");
    assert_eq!(
        answer.header("x-content-type-options"),
        "nosniff",
        "{address}"
    );
    match kind.split(';').next().unwrap() {
        "text/html" => check_html(address, text),
        "application/json" | "application/problem+json" => {
            serde_json::from_str::<Value>(text).unwrap();
        }
        "application/atom+xml" | "application/rss+xml" | "application/xml" | "image/svg+xml" => {
            assert!(
                !text.contains("<script") && !text.contains("<img"),
                "{address}: {text}"
            );
            assert!(!text.contains('\u{ffff}'), "{address}");
        }
        "text/plain" | "application/openmetrics-text" | "image/png" | "" => {}
        other => unreachable!("{address}: {other}"),
    }
    let is_raw = ["text/plain", "image/png"]
        .iter()
        .any(|raw| kind.starts_with(raw));
    let bad = text
        .chars()
        .find(|c| steers(*c) && !matches!(c, '\n' | '\t'));
    // JSON escapes control characters; marks that turn text are data in it, as in metrics.
    let is_data = kind.starts_with("application/json") || kind.starts_with("application/open");
    let bad = bad.filter(|c| !is_data || c.is_control());
    assert!(is_raw || bad.is_none(), "{address}: {bad:?}");
}

#[test]
fn web_hostile_texts_are_shown_and_never_become_markup() {
    let farm = farm(MARKUP);
    let (mut shown, mut bad) = (0, Vec::new());
    let mut report = String::new();
    for (path, args) in rows() {
        for address in addresses(path, args) {
            let answer = farm.get(&address);
            bad.extend(complaint(&address, &answer));
            shown += u32::from(answer.status == 200);
            writeln!(report, "{} {address}", answer.status.as_u16()).unwrap();
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
    // Most of what the addresses name is there.
    assert!(shown > 60, "{shown}: {report}");
}

#[test]
fn web_hostile_words_without_end_keep_pages_within_their_budget() {
    let mut text = String::new();
    while text.len() < 1 << 20 {
        write!(text, "{:x}", text.len()).unwrap();
    }
    let farm = farm(&text);
    let mut bad = Vec::new();
    for page in PAGES {
        // One address of each page is enough: each costs reading some megabytes.
        let address = addresses(page.path, &[]).remove(0);
        let answer = farm.get(&address);
        bad.extend(complaint(&address, &answer));
        let bytes = answer::gzip(answer.text.as_bytes()).len();
        let most = match LARGE.contains(&page.path) {
            true => LARGE_PAGE_BYTES,
            false => PAGE_BYTES,
        };
        if bytes > most {
            bad.push(format!("{address}: {bytes} bytes"));
        }
    }
    for address in ["/atom", "/rss", "/badge/linux.svg", "/cc.xml"] {
        let answer = farm.get(address);
        check(address, &answer);
        assert!(
            answer.text.len() < 1 << 20,
            "{address}: {} bytes",
            answer.text.len()
        );
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

/// What is wrong with an answer, so that one run finds all that is wrong.
fn complaint(address: &str, answer: &Answer) -> Option<String> {
    let checked = catch_unwind(AssertUnwindSafe(|| check(address, answer)));
    let why = checked.err()?;
    let why = why
        .downcast_ref::<String>()
        .map_or(address, |why| why.as_str());
    Some(why.chars().take(300).collect())
}

fn rows() -> impl Iterator<Item = (&'static str, &'static [Arg])> {
    let pages = PAGES.iter().map(|page| (page.path, page.args));
    pages.chain(OUTLETS.iter().map(|outlet| (outlet.path, outlet.args)))
}

#[test]
fn the_check_of_markup_finds_what_it_is_for() {
    let page = |inside: &str| format!("<p class=\"a b\">x &#60;</p><script>1<2</script>{inside}");
    check_html("good", &page("<a href=\"/x\" title=\"a>b\">y</a>"));
    for bad in [
        "<script>alert(1)</script>",
        "<img src=x>",
        "<a href=\"javascript:alert(1)\">",
        "<a onclick=\"x\">",
        "<p style=\"x\">",
        "<p title=\"x\" onmouseover=x>",
    ] {
        let found = catch_unwind(|| check_html("bad", &page(bad)));
        assert!(found.is_err(), "{bad}");
    }
}
