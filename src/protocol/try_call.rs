//! The calls of try clients, both ends (PROTOCOL section 13.1).
//!
//! `try` came with four to nine arguments in the course of time; each form is known by its number
//! of arguments. Clients from 0.7.4 to 4.3 are understood; what we send is the form of 0.8.5 to
//! 4.3.
//!
//! # What this project's own client and master add
//!
//! A client that knows them calls [`EXTENSIONS`] first, which other masters answer with an
//! `AttributeError`.
//!
//! - `tryExtensions()` answers with a list of strings: `"errors"`, `"chunks"`, `"sets"`,
//!   `"codebases"`. After this call, a rejected job is answered with an exception whose text is the
//!   reason. (Other clients do not get an exception, because a client of 4.x hangs after one.)
//! - `tryPatchChunk(BYTES)` keeps a part of a patch that is too large for one string, of at most
//!   [`MAX_CHUNK_BYTES`]; answers `None`. The parts are put together, up to [`MAX_PATCH_BYTES`].
//!   The next `try` on the connection has them before what it brings itself, which is usually the
//!   patch `(LEVEL, None)`.
//! - `getBuildSet(ID)` answers with the buildset status of a job that the same user handed in
//!   before, or `None` (TUP-06); ID is what `getID()` of the buildset status said.
//! - `try` takes the codebase that the patch is for as a tenth argument (CBS-05).

use std::collections::BTreeMap;

use super::change::{MAX_COMMENTS_BYTES, MAX_NAME_BYTES, decode_properties, json_value};
use super::{Malformed, TextStyle};
use crate::model::{BuilderName, TryJob};
use crate::pb::Value;

/// Hands in a job.
pub const TRY: &str = "try";
/// Asks for the builders that may be tried (TUP-05).
pub const BUILDER_NAMES: &str = "getAvailableBuilderNames";
/// Asks for what only this project's masters can do.
pub const EXTENSIONS: &str = "tryExtensions";
/// Sends a part of a patch ahead of its job.
pub const PATCH_CHUNK: &str = "tryPatchChunk";
/// Asks for a set of an earlier connection (TUP-06).
pub const BUILD_SET: &str = "getBuildSet";

/// What [`EXTENSIONS`] is answered with.
pub const OFFERED: [&str; 4] = ["errors", "chunks", "sets", CODEBASES];

/// What a master offers that takes jobs for one of several codebases.
pub const CODEBASES: &str = "codebases";

/// Longest part of a patch; one string of the protocol holds a little more.
pub const MAX_CHUNK_BYTES: usize = 512 * 1024;
/// Longest patch, all its parts together.
pub const MAX_PATCH_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of the names of a job's builders together, each with [`BUILDER_COST`].
pub const MAX_BUILDERS_BYTES: usize = 4 * 1024 * 1024;
/// What the name of a builder costs besides its bytes.
pub const BUILDER_COST: usize = 16;

/// A job, and how its client spells text.
#[derive(Clone, Debug, PartialEq)]
pub struct TryCall {
    /// The job; its `id` is empty, since calls carry none.
    pub job: TryJob,
    /// Clients on Python 2 (to 0.8) want byte strings, those on Python 3 unicode.
    pub style: TextStyle,
}

/// Reads the arguments of `try`.
///
/// # Errors
/// They are not those of any client, or beyond a limit; the text names the argument.
pub fn decode_try(args: &[Value]) -> Result<TryCall, Malformed> {
    let none = &Value::None;
    let [branch, revision, patch, rest @ ..] = args else {
        return Err(wrong_count(args.len()));
    };
    let (rest, codebase) = match rest {
        [nine @ .., codebase] if args.len() == 10 => (nine, codebase),
        rest => (rest, none),
    };
    let (repository, project, builders, who, comment, properties) = match rest {
        [builders] => (none, none, builders, none, none, none),
        [builders, properties] => (none, none, builders, none, none, properties),
        [repository, project, builders, properties] => {
            (repository, project, builders, none, none, properties)
        }
        // 0.8.4, when it was told who.
        [repository, project, builders, who, properties] => {
            (repository, project, builders, who, none, properties)
        }
        [repository, project, builders, who, comment, properties] => {
            (repository, project, builders, who, comment, properties)
        }
        _ => return Err(wrong_count(args.len())),
    };
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let (patch_level, patch) = decode_patch(patch)?;
    let job = TryJob {
        id: String::new(),
        branch: some(text("branch", branch, MAX_NAME_BYTES)?),
        base_revision: some(text("revision", revision, MAX_NAME_BYTES)?),
        patch_level,
        patch,
        repository: or_empty(text("repository", repository, MAX_NAME_BYTES)?),
        codebase: or_empty(text("codebase", codebase, MAX_NAME_BYTES)?),
        project: or_empty(text("project", project, MAX_NAME_BYTES)?),
        who: or_empty(text("who", who, MAX_NAME_BYTES)?),
        comment: or_empty(text("comment", comment, MAX_COMMENTS_BYTES)?),
        builders: decode_builders(builders)?,
        properties: if properties.unshared() == &Value::None {
            BTreeMap::new()
        } else {
            decode_properties(properties.unshared())?
                .into_iter()
                .collect()
        },
    };
    Ok(TryCall {
        job,
        style: spelling(args),
    })
}

/// How the client that calls `try` with `args` spells text; also where they make no other sense.
/// The project is always a string, possibly empty, in the forms that have it (PROTOCOL section 6).
#[must_use]
pub fn spelling(args: &[Value]) -> TextStyle {
    match args.get(4).map(Value::unshared) {
        Some(Value::Text(_)) if args.len() >= 7 => TextStyle::Unicode,
        Some(_) | None => TextStyle::Bytes,
    }
}

/// The arguments of `try` as clients from 0.8.5 to 4.3 give them, and the codebase, if the job
/// names one, with texts spelled in `style`:
/// unicode for masters from 0.9 on, while earlier ones take both as long as there is only ASCII.
#[must_use]
pub fn encode_try(job: &TryJob, style: TextStyle) -> Vec<Value> {
    let maybe = |text: &str| match text {
        "" => Value::None,
        text => style.value(text),
    };
    let or_none = |text: &Option<String>| text.as_deref().map_or(Value::None, maybe);
    let diff = match job.patch.as_slice() {
        [] => Value::None,
        diff => Value::bytes(diff),
    };
    let builders = job.builders.iter().map(|b| style.value(b.as_str()));
    let builders: Vec<Value> = builders.collect();
    let properties = job.properties.iter();
    let properties = properties.map(|(name, value)| (style.value(name), json_value(value, style)));
    let codebase = (!job.codebase.is_empty()).then(|| style.value(&job.codebase));
    let all = [
        or_none(&job.branch),
        or_none(&job.base_revision),
        Value::Tuple(vec![Value::Int(job.patch_level.into()), diff]),
        style.value(&job.repository),
        style.value(&job.project),
        match builders.is_empty() {
            true => Value::None,
            false => Value::List(builders),
        },
        maybe(&job.who),
        maybe(&job.comment),
        Value::Dict(properties.collect()),
    ];
    all.into_iter().chain(codebase).collect()
}

fn wrong_count(count: usize) -> Malformed {
    Malformed(format!(
        "try: {count} arguments, which no client is known to send"
    ))
}

/// A text; absent for `None`. Clients of svn sent revisions as integers.
fn text(place: &str, value: &Value, limit: usize) -> Result<Option<String>, Malformed> {
    if matches!(value.unshared(), Value::None) {
        return Ok(None);
    }
    if let Value::Int(number) = value.unshared() {
        return Ok(Some(number.to_string()));
    }
    let text = value
        .as_text()
        .ok_or_else(|| Malformed::wrong(place, "a string or None"))?;
    if text.len() > limit {
        return Err(Malformed::too_many(place, limit, "bytes"));
    }
    Ok(Some(text.into_owned()))
}

/// Level and diff; no patch, or one without a diff, is an empty one.
fn decode_patch(patch: &Value) -> Result<(u32, Vec<u8>), Malformed> {
    let wrong = || Malformed::wrong("patch", "a level and a diff");
    if matches!(patch.unshared(), Value::None) {
        return Ok((0, Vec::new()));
    }
    let Some([level, diff]) = patch.as_items() else {
        return Err(wrong());
    };
    let level = level.as_int().and_then(|level| u32::try_from(level).ok());
    let diff = match (diff.unshared(), diff.as_raw()) {
        (Value::None, _) => Vec::new(),
        (_, Some(diff)) => diff.to_vec(),
        (_, None) => return Err(wrong()),
    };
    if diff.len() > MAX_PATCH_BYTES {
        return Err(Malformed::too_many("patch", MAX_PATCH_BYTES, "bytes"));
    }
    Ok((level.ok_or_else(wrong)?, diff))
}

fn decode_builders(builders: &Value) -> Result<Vec<BuilderName>, Malformed> {
    let wrong = || Malformed::wrong("builders", "a list of names, or None for all");
    if matches!(builders.unshared(), Value::None) {
        return Ok(Vec::new());
    }
    let names = builders.as_items().ok_or_else(wrong)?;
    let mut budget = MAX_BUILDERS_BYTES;
    let name = |name: &Value| {
        let name = text("builders", name, MAX_NAME_BYTES)?.ok_or_else(wrong)?;
        budget = budget
            .checked_sub(name.len() + BUILDER_COST)
            .ok_or_else(|| Malformed::too_many("builders", MAX_BUILDERS_BYTES, "bytes"))?;
        Ok(BuilderName::from(name.as_str()))
    };
    names.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn b(text: &str) -> Value {
        Value::bytes(text)
    }

    fn patch() -> Value {
        Value::Tuple(vec![Value::Int(1), Value::bytes(b"diff\xff")])
    }

    fn names() -> Value {
        Value::List(vec![b("tr"), Value::text("tr2")])
    }

    fn dict() -> Value {
        Value::Dict(vec![(b("p"), b("v"))])
    }

    /// What all forms have; the rest is empty.
    fn least() -> TryJob {
        TryJob {
            branch: Some("master".to_owned()),
            base_revision: Some("r1".to_owned()),
            patch_level: 1,
            patch: b"diff\xff".to_vec(),
            builders: vec!["tr".into(), "tr2".into()],
            ..TryJob::default()
        }
    }

    fn with_properties() -> TryJob {
        let properties = [("p".to_owned(), json!("v"))].into();
        TryJob {
            properties,
            ..least()
        }
    }

    fn with_repository() -> TryJob {
        TryJob {
            repository: "repo".to_owned(),
            project: "proj".to_owned(),
            ..with_properties()
        }
    }

    fn call(rest: Vec<Value>) -> Vec<Value> {
        [vec![b("master"), b("r1"), patch()], rest].concat()
    }

    fn check(rest: Vec<Value>, expected: &TryJob) {
        let decoded = decode_try(&call(rest)).unwrap();
        assert_eq!(&decoded.job, expected);
        assert_eq!(decoded.style, TextStyle::Bytes);
    }

    #[test]
    fn each_form_is_known_by_its_number_of_arguments() {
        check(vec![names()], &least());
        check(vec![names(), dict()], &with_properties());
        let from_080 = || vec![b("repo"), b("proj"), names()];
        check([from_080(), vec![dict()]].concat(), &with_repository());
        let who = TryJob {
            who: "zoe".to_owned(),
            ..with_repository()
        };
        check([from_080(), vec![b("zoe"), dict()]].concat(), &who);
        let comment = TryJob {
            comment: "please".to_owned(),
            ..who
        };
        let rest = vec![b("zoe"), b("please"), dict()];
        check([from_080(), rest].concat(), &comment);
    }

    #[test]
    fn another_number_of_arguments_is_refused() {
        for count in [0, 3, 6, 11] {
            let refused = decode_try(&vec![Value::None; count]).unwrap_err();
            let said = format!("try: {count} arguments, which no client is known to send");
            assert_eq!(refused.to_string(), said);
        }
    }

    #[test]
    fn try_04_what_is_empty_or_none_is_default_and_latest() {
        for nothing in [Value::None, b("")] {
            let args = [nothing.clone(), nothing, Value::None, Value::None];
            assert_eq!(decode_try(&args).unwrap().job, TryJob::default());
        }
        let number = [Value::None, Value::Int(17), Value::None, Value::None];
        let job = decode_try(&number).unwrap().job;
        assert_eq!(job.base_revision.as_deref(), Some("17"));
    }

    #[test]
    fn a_diff_may_be_missing() {
        let patch = Value::Tuple(vec![Value::Int(3), Value::None]);
        let args = [Value::None, Value::None, patch, Value::None];
        let job = decode_try(&args).unwrap().job;
        assert_eq!((job.patch_level, job.patch), (3, Vec::new()));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let odd = || Value::List(vec![Value::None]);
        let level = |level| Value::Tuple(vec![level, b("")]);
        for (at, value, said) in [
            (0, odd(), "branch: expected a string or None"),
            (2, b("diff"), "patch: expected a level and a diff"),
            (
                2,
                level(Value::Int(-1)),
                "patch: expected a level and a diff",
            ),
            (2, level(b("1")), "patch: expected a level and a diff"),
            (
                5,
                b("tr"),
                "builders: expected a list of names, or None for all",
            ),
            (
                5,
                odd(),
                "builders: expected a list of names, or None for all",
            ),
            (8, b(""), "properties: expected a dictionary"),
        ] {
            let mut args = vec![Value::None; 9];
            args[at] = value;
            assert_eq!(decode_try(&args).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn what_a_client_may_send_is_limited() {
        let fits = |at: usize, value: Value| {
            let mut args = vec![Value::None; 9];
            args[at] = value;
            decode_try(&args).is_ok()
        };
        let text = |len| b(&"x".repeat(len));
        let patch = |len| Value::Tuple(vec![Value::Int(0), Value::Bytes(vec![0; len].into())]);
        const NAME: &str = "a-name-of-16-b-x";
        let names = |count| Value::List(vec![b(NAME); count]);
        for at in [0, 1, 3, 4, 6] {
            assert!(fits(at, text(MAX_NAME_BYTES)));
            assert!(!fits(at, text(MAX_NAME_BYTES + 1)));
        }
        assert!(fits(7, text(MAX_COMMENTS_BYTES)));
        assert!(!fits(7, text(MAX_COMMENTS_BYTES + 1)));
        assert!(fits(2, patch(MAX_PATCH_BYTES)));
        assert!(!fits(2, patch(MAX_PATCH_BYTES + 1)));
        let most = MAX_BUILDERS_BYTES / (BUILDER_COST + NAME.len());
        assert!(fits(5, names(most)));
        assert!(!fits(5, names(most + 1)));
    }

    #[test]
    fn what_is_written_is_read_alike() {
        let all = TryJob {
            who: "Zoë".to_owned(),
            comment: "bitte".to_owned(),
            properties: [("n".to_owned(), json!({"a": [1, true, null]}))].into(),
            ..with_repository()
        };
        let of_codebase = TryJob {
            codebase: "lib".to_owned(),
            ..least()
        };
        for job in [TryJob::default(), least(), all, of_codebase] {
            for style in [TextStyle::Bytes, TextStyle::Unicode] {
                let call = decode_try(&encode_try(&job, style)).unwrap();
                assert_eq!(
                    call,
                    TryCall {
                        job: job.clone(),
                        style
                    }
                );
            }
        }
    }
}
