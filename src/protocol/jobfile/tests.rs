#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::Value as Json;

use super::*;

/// The shared cases: bytes in, decision out.
struct Case {
    name: String,
    file: Vec<u8>,
    job: Option<Json>,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../../tests/data/jobfile-cases.json");
    let cases: Json = serde_json::from_str(text).unwrap();
    let all: Vec<Case> = cases["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| Case {
            name: case["name"].as_str().unwrap().to_owned(),
            file: match case["file_parts"].as_array() {
                Some(parts) => parts.iter().flat_map(bytes).collect(),
                None => BASE64
                    .decode(case["file_base64"].as_str().unwrap())
                    .unwrap(),
            },
            job: case["accept"]
                .as_bool()
                .unwrap()
                .then(|| case["job"].clone()),
        })
        .collect();
    assert_eq!(all.len(), 31);
    all
}

/// A string, bytes in Base64, or a string many times.
fn bytes(value: &Json) -> Vec<u8> {
    if let Some(text) = value.as_str() {
        return text.as_bytes().to_vec();
    }
    if let Some(base64) = value["base64"].as_str() {
        return BASE64.decode(base64).unwrap();
    }
    let count = value["repeat"][1].as_u64().unwrap();
    value["repeat"][0]
        .as_str()
        .unwrap()
        .repeat(count.try_into().unwrap())
        .into_bytes()
}

fn job(value: &Json) -> TryJob {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let names = value["builders"].as_array().unwrap();
    TryJob {
        id: text("jobid").unwrap(),
        branch: text("branch"),
        base_revision: text("baserev"),
        patch_level: value["patch_level"].as_u64().unwrap().try_into().unwrap(),
        patch: bytes(&value["patch"]),
        repository: text("repository").unwrap(),
        codebase: String::new(),
        project: text("project").unwrap(),
        who: text("who").unwrap(),
        comment: text("comment").unwrap(),
        builders: names.iter().map(|n| n.as_str().unwrap().into()).collect(),
        properties: serde_json::from_value(value["properties"].clone()).unwrap(),
    }
}

fn why(file: &[u8]) -> String {
    decode(file).unwrap_err().0
}

/// A file of `version` with `fields`.
fn file(version: &str, fields: &[&[u8]]) -> Vec<u8> {
    let mut file = Vec::new();
    netstring::push(&mut file, version.as_bytes());
    for field in fields {
        netstring::push(&mut file, field);
    }
    file
}

/// A version 5 file whose object is a good one with `key` set to `value`.
fn with(key: &str, value: Json) -> Vec<u8> {
    let mut object = json!({
        "jobid": "i", "branch": "", "baserev": "", "patch_level": 1, "patch_body": "d",
        "builderNames": [],
    });
    object[key] = value;
    file("5", &[object.to_string().as_bytes()])
}

#[test]
fn the_shared_cases_are_read_or_refused_as_they_say() {
    for case in cases() {
        let expected = case.job.as_ref().map(job);
        assert_eq!(decode(&case.file).ok(), expected, "{}", case.name);
    }
}

#[test]
fn sb_07_every_bad_file_is_refused_with_a_reason() {
    for case in cases().into_iter().filter(|case| case.job.is_none()) {
        let why = why(&case.file);
        assert!(
            !why.is_empty() && !why.contains('\n'),
            "{}: {why}",
            case.name
        );
    }
    assert_eq!(why(b""), "the file is empty");
    assert_eq!(why(b"1:1,"), "the file ends before the job id");
    assert_eq!(
        why(b"1:1,1:i,0:,1:r,1:x,1:d,1:a,"),
        "the patch level is \"x\""
    );
    assert_eq!(
        why(b"1:8,1:x,"),
        "version 8 is unknown; this master reads 1 to 7"
    );
    assert_eq!(
        why(b"hello"),
        "no netstring where the version should be: \"hello\""
    );
}

#[test]
fn sb_08_a_file_cut_anywhere_is_no_job_for_fewer_builders() {
    let whole = b"1:1,3:id1,0:,4:1234,1:1,12:--- a\n+++ b\n,1:a,12:long-builder,";
    let names = |job: TryJob| {
        job.builders
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(decode(whole).map(names).unwrap(), ["a", "long-builder"]);
    // Only between two netstrings can a cut not be seen.
    let borders = [whole.len() - 16, whole.len() - 20];
    for end in (0..whole.len()).filter(|end| !borders.contains(end)) {
        assert!(decode(&whole[..end]).is_err(), "cut after {end} bytes");
    }
    assert_eq!(
        why(&whole[..whole.len() - 1]),
        "the file ends within the builder"
    );
}

#[test]
fn what_real_clients_wrote_is_read_and_written_the_same() {
    let recorded = include_str!("../../../tests/data/pb/jobfiles.jsonl");
    let mut seen = Vec::new();
    for line in recorded.lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        let hex = line["hex"].as_str().unwrap().as_bytes();
        let file: Vec<u8> = hex
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect();
        let job = decode(&file).unwrap();
        let name = line["name"].as_str().unwrap();
        assert_eq!(job.patch_level, 1, "{name}");
        assert!(job.patch.windows(5).any(|w| w == b"+++ b"), "{name}");
        assert_eq!(decode(&encode(&job)), Ok(job.clone()), "{name}");
        if ["0814-v2", "0814-v3", "0814-v4"].contains(&name) {
            assert_eq!(encode(&job), file, "{name}");
        }
        seen.push(name.to_owned());
    }
    assert_eq!(seen.len(), 8);
}

#[test]
fn a_job_is_written_in_the_lowest_version_that_carries_it() {
    let mut job = TryJob {
        id: "1-2".to_owned(),
        patch: b"\xff\x00".to_vec(),
        builders: vec!["a".into()],
        ..TryJob::default()
    };
    let written = |job: &TryJob, version: u8| {
        let file = encode(job);
        assert_eq!(file.get(2), Some(&version), "{}", file.escape_ascii());
        assert_eq!(decode(&file).as_ref(), Ok(job));
    };
    written(&job, b'2');
    job.who = "zoe".to_owned();
    written(&job, b'3');
    job.comment = "a, b".to_owned();
    written(&job, b'4');
    job.who.clear();
    written(&job, b'4');
    job.properties.insert("p".to_owned(), json!({"x": [1]}));
    written(&job, b'6');
    job.patch = "--- a\n+++ ü\n".into();
    written(&job, b'5');
    // A master that knows no codebases must not take it.
    job.codebase = "lib".to_owned();
    written(&job, b'7');
    job.patch = b"\xff\x00".to_vec();
    written(&job, b'7');
}

#[test]
fn versions_and_levels_are_plain_numbers() {
    for version in [
        "",
        " 1",
        "+1",
        "-1",
        "0",
        "1x",
        "10",
        "99999999999999999999",
    ] {
        let file = file(version, &[b"i", b"", b"", b"1", b"d", b"a"]);
        assert!(decode(&file).is_err(), "{version:?}");
    }
    for (level, is_good) in [
        ("0", true),
        ("4294967295", true),
        ("4294967296", false),
        ("+1", false),
        ("1 ", false),
        ("", false),
        ("1.0", false),
    ] {
        let file = file("1", &[b"i", b"", b"", level.as_bytes(), b"d"]);
        assert_eq!(decode(&file).is_ok(), is_good, "{level:?}");
    }
    for (level, is_good) in [
        (json!(0), true),
        (json!(-1), false),
        (json!("1"), false),
        (json!(1.5), false),
        (json!(4_294_967_296_u64), false),
        (Json::Null, false),
    ] {
        assert_eq!(
            decode(&with("patch_level", level.clone())).is_ok(),
            is_good,
            "{level}"
        );
    }
}

#[test]
fn lengths_beyond_the_file_are_unfinished_netstrings() {
    for length in ["2", "18446744073709551615", "99999999999999999999999"] {
        let file = format!("{length}:1,");
        assert_eq!(why(file.as_bytes()), "the file ends within the version");
    }
    assert_eq!(why(b"1"), "the file ends within the version");
    assert_eq!(why(b"1:"), "the file ends within the version");
    assert_eq!(why(b"1:1"), "the file ends within the version");
    assert_eq!(
        why(b"00:,"),
        "the length \"00\" of the version begins with 0"
    );
}

#[test]
fn texts_are_bounded_and_utf8() {
    let named = |length: usize| file("1", &[b"i", &b"b".repeat(length), b"", b"1", b"d"]);
    assert!(decode(&named(MAX_NAME_BYTES)).is_ok());
    assert_eq!(
        why(&named(MAX_NAME_BYTES + 1)),
        "the branch is longer than 16384 bytes"
    );
    let commented = |length: usize| with("comment", "c".repeat(length).into());
    assert!(decode(&commented(MAX_COMMENTS_BYTES)).is_ok());
    assert!(decode(&commented(MAX_COMMENTS_BYTES + 1)).is_err());
    let latin = file("1", &[b"i", b"\xe4", b"", b"1", b"d"]);
    assert_eq!(why(&latin), "the branch is not UTF-8 text");
    let fields: [&[u8]; 9] = [b"i", b"", b"", b"1", b"d", b"", b"", b"J\xfcrgen", b"\xe4"];
    let job = decode(&file("4", &fields)).unwrap();
    assert_eq!(
        (job.who.as_str(), job.comment.as_str()),
        ("J\u{fffd}rgen", "\u{fffd}")
    );
}

#[test]
fn a_job_may_name_many_builders() {
    let fields = |count: usize| {
        let mut fields: Vec<&[u8]> = vec![b"i", b"", b"", b"1", b"d"];
        fields.extend(std::iter::repeat_n(&b"a"[..], count));
        file("1", &fields)
    };
    let object = |count: usize| with("builderNames", vec!["a"; count].into());
    for job in [fields(20_000), object(20_000)] {
        assert_eq!(decode(&job).unwrap().builders.len(), 20_000);
    }
}

#[test]
fn properties_are_bounded_and_named_like_properties() {
    let named = |name: &str| decode(&with("properties", json!({name: "v"})));
    assert!(named("a.b-c/d~e:f_0").is_ok());
    assert!(named("a b").is_err() && named("").is_err());
    let many = |count: usize| {
        let object: Map<String, Json> = (0..count).map(|n| (format!("p{n}"), json!(1))).collect();
        decode(&with("properties", object.into())).is_ok()
    };
    assert!(many(20_000));
    let long = |bytes: usize| {
        // A name of one byte, a value with two quotes.
        decode(&with("properties", json!({"p": "v".repeat(bytes - 3)}))).is_ok()
    };
    assert!(long(MAX_PROPERTIES_BYTES) && !long(MAX_PROPERTIES_BYTES + 1));
    let deep = |levels: usize| {
        let value = (0..levels).fold(json!(1), |value, _| json!([value]));
        decode(&with("properties", json!({"p": value}))).is_ok()
    };
    assert!(deep(MAX_DEPTH) && !deep(MAX_DEPTH + 1));
    let depth = 100_000;
    let bomb = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(decode(&file("5", &[bomb.as_bytes()])).is_err());
}

#[test]
fn json_of_wrong_types_is_refused_by_key() {
    for (key, value, expected) in [
        ("jobid", json!(1), "jobid is not a string"),
        ("branch", json!([]), "branch is not a string"),
        ("patch_body", json!(null), "patch_body is not a string"),
        ("who", json!({}), "who is not a string"),
        (
            "builderNames",
            json!("ab"),
            "builderNames is not a list of strings",
        ),
        (
            "builderNames",
            json!([1]),
            "builderNames is not a list of strings",
        ),
        ("properties", json!([1]), "properties is not an object"),
    ] {
        assert_eq!(why(&with(key, value)), expected);
    }
    for key in [
        "branch",
        "baserev",
        "who",
        "comment",
        "builderNames",
        "properties",
    ] {
        assert!(decode(&with(key, Json::Null)).is_ok(), "{key}");
    }
    let v6 = |body: &str| {
        let object = json!({
            "jobid": "i", "branch": "", "baserev": "", "patch_level": 1,
            "patch_body_base64": body, "builderNames": null,
        });
        decode(&file("6", &[object.to_string().as_bytes()]))
    };
    assert_eq!(v6("/wA=").unwrap().patch, b"\xff\x00");
    assert!(v6("/w").is_err() && v6("é").is_err());
    let two = file("5", &[b"{}", b"{}"]);
    assert_eq!(why(&two), "there is something behind the JSON object");
}
