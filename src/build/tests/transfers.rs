//! Steps that transfer files, and steps on files of the slave. The texts are those of Buildbot
//! 0.8.14.

use std::collections::BTreeMap;
use std::path::Path;

use crate::build::testing::{Played, Stage};
use crate::config::{self, StepConfig};
use crate::model::{Op, Results, Zone};
use crate::net::CommandEnd;
use crate::pb::Value;
use crate::protocol::{CommandArgs, Update};
use crate::transfer::Request;

/// The steps of a factory in TOML.
pub(super) fn steps(toml: &str) -> Vec<StepConfig> {
    let text = format!(
        "slave_port = 9989\n\
         [[slaves]]\nname = \"s1\"\npassword = \"p\"\n\
         [factories.f]\nsteps = [{toml}]\n\
         [[builders]]\nname = \"quick\"\nslaves = [\"s1\"]\nfactory = \"f\"\n\
         [[schedulers]]\ntype = \"Scheduler\"\nname = \"q\"\nbuilders = [\"quick\"]\n"
    );
    let parsed = config::parse(&text, "master.toml", &Ok(Zone::UTC));
    let (config, _) = parsed.unwrap_or_else(|errors| panic!("{errors:?}"));
    config.builders[0].factory.steps.clone()
}

/// What a step said when it was played to its end.
struct Said {
    result: Results,
    /// While it ran, and at its end.
    texts: (String, String),
    logs: BTreeMap<String, String>,
    links: Vec<(String, String)>,
    stage: Stage,
}

/// Plays a build of one step; `slave` plays each of its commands.
async fn played(toml: &str, mut slave: impl AsyncFnMut(Played)) -> Said {
    played_in(Stage::new(steps(toml)), &mut slave).await
}

async fn played_in(mut stage: Stage, slave: &mut impl AsyncFnMut(Played)) -> Said {
    let build = stage.build();
    let mut build = std::pin::pin!(build);
    loop {
        let command = tokio::select! {
            biased;
            _ = &mut build => break,
            command = stage.command() => command,
        };
        slave(command).await;
    }
    let mut said = Said {
        result: Results::Exception,
        texts: Default::default(),
        logs: BTreeMap::new(),
        links: Vec::new(),
        stage,
    };
    let mut names = Vec::new();
    for op in said.stage.ops() {
        if let Op::StepStarted(start) = op {
            said.texts.0 = start.text.join(" ");
        } else if let Op::StepFinished(finish) = op {
            (said.result, said.texts.1) = (finish.result, finish.text.join(" "));
        } else if let Op::StepLink { name, url, .. } = op {
            said.links.push((name, url));
        } else if let Op::LogOpened(log) = op {
            names.push((log.name, log.path));
        }
    }
    for (name, path) in names {
        let path = said.stage.directory.path().join(format!("{path}.log"));
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        said.logs.insert(name, text);
    }
    said
}

fn in_stage(said: &Said, path: &str) -> Option<String> {
    std::fs::read_to_string(said.stage.directory.path().join(path)).ok()
}

/// Plays a slave that sends a file.
async fn send(mut command: Played, data: &'static [u8], rc: i64) {
    command.call(Request::Write(vec![data.into()]));
    command.call(Request::Close);
    command.exit(rc).await;
}

const UPLOAD: &str = r#"{ type = "FileUpload", slavesrc = "dist/a.tar",
    masterdest = "public/%(x:-)s/out.tar", mode = 0o644, maxsize = 10, url = "http://u/%(x:-)s" }"#;

#[tokio::test(start_paused = true)]
async fn a_file_is_uploaded() {
    let said = played(UPLOAD, async |command| {
        let CommandArgs::UploadFile(args) = &command.asked else {
            panic!("{:?}", command.asked);
        };
        assert_eq!(args.transfer.path, "dist/a.tar");
        assert_eq!(args.transfer.workdir, "build");
        assert_eq!(args.transfer.max_bytes, Some(10));
        send(command, b"content", 0).await;
    })
    .await;
    let text = "uploading a.tar".to_owned();
    assert_eq!(said.result, Results::Success);
    assert_eq!(said.texts, (text.clone(), text));
    assert!(said.logs.is_empty(), "{:?}", said.logs);
    assert_eq!(said.links, [("out.tar".to_owned(), "http://u/".to_owned())]);
    assert_eq!(in_stage(&said, "public/out.tar").unwrap(), "content");
}

/// What a slave does before its command ends.
type Act = fn(&mut Played);

#[tokio::test(start_paused = true)]
async fn an_upload_that_fails_leaves_nothing() {
    // The slave says so; or it says too much; or it does not send everything.
    let failing: [(Act, i64, &str); 3] = [
        (|command| command.call(Request::Close), 1, ""),
        (
            |command| {
                command.call(Request::Write(vec![b"01234567890".as_slice().into()]));
                command.call(Request::Close);
            },
            0,
            "the slave sent more than 10 bytes (maxsize)\n",
        ),
        (|_| {}, 0, "the slave did not send the whole file\n"),
    ];
    for (act, rc, problem) in failing {
        let said = played(UPLOAD, async |mut command| {
            act(&mut command);
            command.exit(rc).await;
        })
        .await;
        assert_eq!(said.result, Results::Failure);
        assert_eq!(said.texts.1, "uploading a.tar");
        let log = said.logs.get("stdio").map_or("", String::as_str);
        assert!(log.contains(problem), "{log}");
        let left = std::fs::read_dir(said.stage.directory.path().join("public")).unwrap();
        assert_eq!(left.count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_property_does_not_lead_out_of_the_directory() {
    for (setting, why) in [
        ("public/%(x)s", "must not contain \"..\" from a property"),
        ("%(x)s", "must not contain"),
    ] {
        let toml =
            format!("{{ type = \"FileUpload\", slavesrc = \"a\", masterdest = \"{setting}\" }}");
        let mut stage = Stage::new(steps(&toml));
        stage.plan.properties.set("x", "../../x", "Change");
        let said = played_in(stage, &mut async |_| panic!("the slave is not asked")).await;
        assert_eq!(said.result, Results::Failure);
        assert!(said.logs["stdio"].contains(why), "{:?}", said.logs);
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_upload_leaves_nothing() {
    let mut stage = Stage::new(steps(UPLOAD));
    let build = stage.build();
    let script = async {
        let mut command = stage.command().await;
        command.call(Request::Write(vec![b"half".as_slice().into()]));
        stage.stop("enough").await;
        assert_eq!(command.interrupts.recv().await.unwrap(), "enough");
        command.call(Request::Close);
        command.exit(1).await;
    };
    tokio::join!(build, script);
    let text = "upload interrupted".to_owned();
    let ended = ("upload".to_owned(), Results::Exception, text);
    assert_eq!(stage.steps(), [ended]);
    let left = std::fs::read_dir(stage.directory.path().join("public")).unwrap();
    assert_eq!(left.count(), 0);
}

fn archive(name: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, &b"x"[..]).unwrap();
    builder.into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_directory_is_uploaded() {
    let toml = r#"{ type = "DirectoryUpload", slavesrc = "docs/", masterdest = "public/docs/" }"#;
    for (is_whole, result) in [(true, Results::Success), (false, Results::Failure)] {
        let said = played(toml, async |mut command| {
            assert!(matches!(&command.asked, CommandArgs::UploadDirectory(_)));
            let data = archive("sub/file");
            let data = if is_whole { &data[..] } else { &data[..100] };
            command.call(Request::Write(vec![data.to_vec().into()]));
            command.call(Request::Unpack);
            command.exit(0).await;
        })
        .await;
        assert_eq!(said.result, result);
        assert_eq!(said.texts.1, "uploading ");
        let file = in_stage(&said, "public/docs/sub/file");
        assert_eq!(file.is_some(), is_whole);
        assert_eq!(said.logs.contains_key("stdio"), !is_whole);
    }
}

fn stat(mode: i64) -> Vec<Update> {
    let value = Value::Tuple(vec![Value::Int(mode), Value::Int(1)]);
    let key = "stat".to_owned();
    vec![Update::Other { key, value }]
}

#[tokio::test(start_paused = true)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the step has no other commands"
)]
async fn several_files_and_directories_are_uploaded() {
    let toml = r#"{ type = "MultipleFileUpload", slavesrcs = ["*.txt", "d"], glob = true,
        masterdest = "public", url = "http://u/", url_text = "all" }"#;
    let said = played(toml, async |mut command| match command.asked.clone() {
        CommandArgs::Glob(args) => {
            let found: &[&str] = match args.pattern.as_str() {
                "build/*.txt" => &["/s/build/b.txt", "/s/build/a.txt"],
                "build/d" => &["/s/build/d"],
                other => panic!("{other}"),
            };
            let value = Value::List(found.iter().map(Value::bytes).collect());
            let key = "files".to_owned();
            drop(command.say(vec![Update::Other { key, value }]).await);
            command.exit(0).await;
        }
        CommandArgs::Stat(args) => {
            let is_dir = args.file.ends_with("/d");
            let mode = if is_dir { 0o040_755 } else { 0o100_644 };
            drop(command.say(stat(mode)).await);
            command.exit(0).await;
        }
        CommandArgs::UploadFile(_) => send(command, b"text", 0).await,
        CommandArgs::UploadDirectory(_) => {
            command.call(Request::Write(vec![archive("file").into()]));
            command.call(Request::Unpack);
            command.exit(0).await;
        }
        other => panic!("{other:?}"),
    })
    .await;
    assert_eq!(said.result, Results::Success);
    assert_eq!(said.texts.1, "uploading 2 files");
    assert_eq!(said.links, [("all".to_owned(), "http://u/".to_owned())]);
    assert_eq!(in_stage(&said, "public/a.txt").unwrap(), "text");
    assert_eq!(in_stage(&said, "public/b.txt").unwrap(), "text");
    assert_eq!(in_stage(&said, "public/d/file").unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn several_uploads_end_with_the_first_that_fails() {
    let toml = r#"{ type = "MultipleFileUpload", slavesrcs = ["gone", "b"], masterdest = "p" }"#;
    let said = played(toml, async |command| command.exit(2).await).await;
    assert_eq!(said.result, Results::Failure);
    let log = &said.logs["stderr"];
    assert!(
        log.contains("File build/gone not available at slave"),
        "{log}"
    );

    let toml = r#"{ type = "MultipleFileUpload", slavesrcs = ["fifo"], masterdest = "p" }"#;
    let said = played(toml, async |command| {
        drop(command.say(stat(0o010_644)).await);
        command.exit(0).await;
    })
    .await;
    assert_eq!(said.result, Results::Failure);
    let log = &said.logs["stderr"];
    assert!(
        log.contains("neither a regular file, nor a directory"),
        "{log}"
    );
}

#[tokio::test(start_paused = true)]
async fn patterns_that_match_nothing_are_skipped() {
    let toml = r#"{ type = "MultipleFileUpload", slavesrcs = ["*.x"], masterdest = "p",
        glob = true }"#;
    let said = played(toml, async |command| {
        let (key, value) = ("files".to_owned(), Value::List(Vec::new()));
        drop(command.say(vec![Update::Other { key, value }]).await);
        command.exit(0).await;
    })
    .await;
    assert_eq!((said.result, &*said.texts.1), (Results::Skipped, "upload"));
}

#[tokio::test(start_paused = true)]
async fn files_and_texts_are_downloaded() {
    let cases = [
        (
            r#"type = "FileDownload", mastersrc = "files/%(x)s""#,
            "from the master",
        ),
        (
            r#"type = "StringDownload", s = "x = %(x)s\n""#,
            "x = in.txt\n",
        ),
        (
            r#"type = "JSONStringDownload", o = { a = [1, "%(x)s"], b = 1.5 }"#,
            r#"{"a": [1, "in.txt"], "b": 1.5}"#,
        ),
        (
            r#"type = "JSONPropertiesDownload""#,
            r#"{"properties": {"x": "in.txt"}, "sourcestamp": {"#,
        ),
    ];
    for (toml, content) in cases {
        let toml = format!("{{ {toml}, slavedest = \"sub/out\", mode = 0o600, blocksize = 1024 }}");
        let mut stage = Stage::new(steps(&toml));
        stage.plan.properties.set("x", "in.txt", "Change");
        let files = stage.directory.path().join("files");
        std::fs::create_dir(&files).unwrap();
        std::fs::write(files.join("in.txt"), "from the master").unwrap();
        let mut got = String::new();
        let said = played_in(stage, &mut async |mut command: Played| {
            let CommandArgs::DownloadFile(args) = &command.asked else {
                panic!("{:?}", command.asked);
            };
            assert_eq!((args.mode, args.transfer.block_bytes), (Some(0o600), 1024));
            got = String::from_utf8(command.read().to_vec()).unwrap();
            command.exit(0).await;
        })
        .await;
        assert_eq!(said.result, Results::Success);
        let text = "downloading to out".to_owned();
        assert_eq!(said.texts, (text.clone(), text));
        assert!(got.starts_with(content), "{got}");
        assert!(said.logs.is_empty(), "{:?}", said.logs);
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_the_master_does_not_have_fails_the_step() {
    let toml = r#"{ type = "FileDownload", mastersrc = "files/no", slavedest = "no" }"#;
    let said = played(toml, async |_| panic!("the slave is not asked")).await;
    assert_eq!(said.result, Results::Failure);
    let log = &said.logs["stderr"];
    assert!(
        log.contains("File 'files/no' not available at master"),
        "{log}"
    );

    let toml = r#"{ type = "FileDownload", mastersrc = "master.toml", slavedest = "no" }"#;
    let said = played(toml, async |_| panic!("the slave is not asked")).await;
    assert_eq!(said.result, Results::Failure);
    let log = &said.logs["stdio"];
    assert!(log.contains("belongs to the master itself"), "{log}");
    assert!(!Path::new("master.toml").exists());
}

/// A step, the mode that the slave tells of its file, the exit status, and how the step ends.
const ON_FILES: &str = r#"
"FileExists", file = "f"            | 100644 | 0  | success | Checking       | File found.
"FileExists", file = "f"            |        | 0  | success | Checking       | File found.
"FileExists", file = "f"            | 040755 | 0  | failure | Checking       | Not a file.
"FileExists", file = "f"            |        | 2  | failure | Checking       | File not found.
"CopyDirectory", src = "a", dest = "b" |     | 0  | success | Copying a to b | Copied a to b
"CopyDirectory", src = "a", dest = "b" |     | 1  | failure | Copying a to b | Copying a to b failed.
"RemoveDirectory", dir = "d"        |        | 0  | success | Deleting       | Deleted
"RemoveDirectory", dir = "d"        |        | 1  | failure | Deleting       | Delete failed.
"MakeDirectory", dir = "d"          |        | 0  | success | Creating       | Created
"MakeDirectory", dir = "d"          |        | 13 | failure | Creating       | Create failed.
"RemoveFile", file = "f"            |        | 0  | success | Deleting       | Deleted
"RemoveFile", file = "f"            |        | 2  | failure | Deleting       | Delete failed.
"#;

#[tokio::test(start_paused = true)]
async fn steps_on_files_of_the_slave_have_the_texts_of_buildbot() {
    for case in ON_FILES.lines().filter(|line| !line.is_empty()) {
        let [toml, mode, rc, result, doing, done] = case
            .split('|')
            .map(str::trim)
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let mode = i64::from_str_radix(mode, 8).ok();
        let said = played(&format!("{{ type = {toml} }}"), async |command| {
            let updates = mode.map(stat).unwrap_or_default();
            drop(command.say(updates).await);
            command.exit(rc.parse().unwrap()).await;
        })
        .await;
        assert_eq!(said.result.as_str(), result, "{toml}");
        assert_eq!(said.texts, (doing.to_owned(), done.to_owned()), "{toml}");
        assert!(said.logs.is_empty(), "{:?}", said.logs);
    }
}

#[tokio::test(start_paused = true)]
async fn descriptions_of_the_configuration_replace_the_words_of_a_step() {
    let toml = r#"{ type = "FileUpload", slavesrc = "a", masterdest = "out",
        description = "publishing", description_done = "published" }"#;
    let said = played(toml, async |command| send(command, b"", 0).await).await;
    let texts = ("publishing".to_owned(), "published".to_owned());
    assert_eq!(said.texts, texts);
}

#[tokio::test(start_paused = true)]
async fn a_slave_that_is_lost_in_the_middle_leaves_nothing() {
    let said = played(UPLOAD, async |mut command| {
        command.call(Request::Write(vec![b"half".as_slice().into()]));
        command.end(CommandEnd::Lost).await;
    })
    .await;
    assert_eq!(said.result, Results::Retry);
    let left = std::fs::read_dir(said.stage.directory.path().join("public")).unwrap();
    assert_eq!(left.count(), 0);
}
