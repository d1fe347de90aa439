#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::protocol::change::{MAX_NAME_BYTES, MOST_FILES};
use crate::text::Encoding;

const ARRIVAL: Timestamp = Timestamp::from_secs(1_300_000_000);

/// The formats by the names of Buildbot's classes.
fn format(parser: &str) -> Format {
    match parser {
        "CVSMaildirSource" => Format::Cvs,
        "SVNCommitEmailMaildirSource" => Format::Svn,
        "BzrLaunchpadEmailMaildirSource" => Format::Launchpad,
        "FCMaildirSource" => Format::Freshcvs,
        "SyncmailMaildirSource" => Format::Syncmail,
        "BonsaiMaildirSource" => Format::Bonsai,
        other => panic!("{other}"),
    }
}

fn reading(settings: &Value) -> Reading {
    let text = |name: &str| settings[name].as_str().map(str::to_owned);
    let map = settings["branchMap"].as_object().into_iter().flatten();
    Reading {
        prefix: text("prefix"),
        default_branch: text("defaultBranch"),
        branch_map: map
            .map(|(from, to)| (from.clone(), to.as_str().unwrap().to_owned()))
            .collect(),
        ..Reading::default()
    }
}

fn shown(change: &NewChange, made_at_arrival: bool) -> Value {
    let revision = match (made_at_arrival, change.revision.as_deref()) {
        (true, Some("2011-03-13 07:06:40")) => Some("from the arrival"),
        (_, revision) => revision,
    };
    json!({
        "author": change.who,
        "branch": change.branch,
        "category": change.category,
        "comments": change.comments,
        "files": change.files,
        "project": change.project,
        "repository": change.repository,
        "revision": revision,
        "src": change.src,
        "made_at": change.made_at.map(|time| time.0 / 1_000_000),
    })
}

/// Fields that a case does not name are empty.
fn expected(change: &Value) -> Value {
    let mut all = shown(&NewChange::default(), false);
    let fields = all.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        fields.insert(name.clone(), value.clone()).unwrap();
    }
    all
}

#[test]
fn mld_03_mails_are_read_as_in_the_cases() {
    let cases: Value =
        serde_json::from_str(include_str!("../../../tests/data/mail-cases.json")).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    for case in cases {
        let (given, expect) = (&case["given"], &case["expect"]);
        let place = format!("{} {}", case["id"], case["name"]);
        let letter = Letter::open(given["mail"].as_str().unwrap().as_bytes());
        let format = format(given["parser"].as_str().unwrap());
        let content = read(format, &letter, &reading(&given["settings"]), ARRIVAL);
        match content {
            Err(_) => assert_eq!(expect["refused"], true, "{place}"),
            Ok(Content::Nothing(why)) => assert!(expect["change"].is_null(), "{place}: {why}"),
            Ok(Content::Commit(change)) => {
                let by_arrival = expect["change"]["revision"] == "from the arrival";
                assert_eq!(
                    shown(&change, by_arrival),
                    expected(&expect["change"]),
                    "{place}"
                );
            }
        }
        assert!(expect["refused"] == true || expect.get("change").is_some());
    }
    assert_eq!(cases.len(), 43);
}

fn commit(format: Format, mail: &[u8], reading: &Reading) -> NewChange {
    match read(format, &Letter::open(mail), reading, ARRIVAL) {
        Ok(Content::Commit(change)) => *change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn mld_04_lines_come_in_any_order_or_not_at_all() {
    let mail =
        "From: bob@h.org\n\nPath: src\nFiles: a.c 1.1 1.2\nCategory: None\nLog Message:\nx\n";
    let change = commit(Format::Cvs, mail.as_bytes(), &Reading::default());
    assert_eq!(
        (change.files[0].as_str(), change.category),
        ("src/a.c", None)
    );
    let mail = "From: bob@h.org\n\nAdded:\n   a.c\n   b (props changed)\n\nLog:\nx\nAdded: more\n";
    let change = commit(Format::Svn, mail.as_bytes(), &Reading::default());
    assert_eq!(
        (change.revision, change.comments.as_str()),
        (None, "x\nAdded: more\n")
    );
    assert_eq!(change.files, ["a.c", "b"]);
}

#[test]
fn mld_04_the_old_marks_of_launchpad_are_an_option() {
    let mail = "Subject: [Branch ~joe/w] Rev 1\n\nrevno: 1\ncommitter: Joe\nadded:\n  a b\nrenamed:\n  \
                x => y\nmodified:\n  z\n\n=== modified file 'z'\n  context of the difference\n";
    let files = |launchpad_marks| {
        let reading = Reading {
            launchpad_marks,
            ..Reading::default()
        };
        commit(Format::Launchpad, mail.as_bytes(), &reading).files
    };
    assert_eq!(files(false), ["a b", "x", "y", "z"]);
    assert_eq!(files(true), ["a b ADDED", "x RENAMED y", "z MODIFIED"]);
}

#[test]
fn mld_01_a_mail_without_a_branch_is_about_the_default_branch() {
    let reading = Reading {
        prefix: Some("src/".to_owned()),
        default_branch: Some("HEAD".to_owned()),
        ..Reading::default()
    };
    let mail = b"From: bob@h.org\n\nCvsmode: 1.12\nPath: src\nFiles: a.c 1.1 1.2\n";
    let change = commit(Format::Cvs, mail, &reading);
    assert_eq!(
        (change.files[0].as_str(), change.branch.as_deref()),
        ("a.c", Some("HEAD"))
    );
    let tagged = b"From: bob@h.org\n\n  Tag: t\nPath: src\nFiles: a.c 1.1 1.2\n";
    let change = commit(Format::Cvs, tagged, &reading);
    assert_eq!(change.branch.as_deref(), Some("t"));
}

#[test]
fn int_08_a_mail_without_an_encoding_has_that_of_its_source() {
    let latin = Encoding::named("latin-1").unwrap();
    let bare = b"From: a@h\n\nf\xfcr\n";
    assert_eq!(&*in_utf8(bare, latin), "From: a@h\n\nf\u{fc}r\n".as_bytes());
    assert_eq!(&*in_utf8(bare, Encoding::default()), bare);
    // What is UTF-8, and what names its encoding, stays.
    let utf8 = "From: a@h\n\nf\u{fc}r\n".as_bytes();
    assert_eq!(&*in_utf8(utf8, latin), utf8);
    let named = b"Content-Type: text/plain; CHARSET=koi8-r\n\n\xc6\n";
    assert_eq!(&*in_utf8(named, latin), named);
}

#[test]
fn int_08_mails_in_any_encoding_are_read() {
    let quoted = b"From: =?iso-8859-1?q?J=F6rg?= CVS <j@h.org>\r\nMIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\
        \r\nModified files:\r\na.c 1.1 1.2\r\n\r\nLog message:\r\nf=FCr =\r\nJ=F6rg\r\n";
    let change = commit(Format::Freshcvs, quoted, &Reading::default());
    assert_eq!(
        (change.who.as_str(), change.comments.as_str()),
        ("J\u{f6}rg", "f\u{fc}r J\u{f6}rg\n")
    );
    let raw = b"From: w CVS <j@h.org>\n\nModified files:\na.c 1.1 1.2\n\nLog message:\nf\xfcr\n";
    let change = commit(Format::Freshcvs, raw, &Reading::default());
    assert_eq!(change.comments, "f\u{fffd}r\n");
    let parts =
        b"From: w CVS <j@h.org>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n\
        --x\nContent-Type: text/plain\n\nModified files:\na.c 1.1 1.2\n\nLog message:\nm\n--x--\n";
    let change = commit(Format::Freshcvs, parts, &Reading::default());
    assert_eq!(
        (change.files[0].as_str(), change.comments.as_str()),
        ("a.c", "m\n")
    );
}

#[test]
fn int_09_lists_of_files_and_names_are_bounded() {
    let list = |n: usize| (0..n).map(|n| format!("   f{n}\n")).collect::<String>();
    let mail = format!(
        "From: a@h\n\nModified:\n{}\nLog:\nx\n",
        list(MOST_FILES + 2)
    );
    let change = commit(Format::Svn, mail.as_bytes(), &Reading::default());
    assert_eq!((change.files.len(), change.files_left_out), (MOST_FILES, 2));
    let author = "a".repeat(MAX_NAME_BYTES + 1);
    let mail = format!("From: a@h\n\nAuthor: {author}\n\nModified:\n   a\n");
    let refused = read(
        Format::Svn,
        &Letter::open(mail.as_bytes()),
        &Reading::default(),
        ARRIVAL,
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "author: more than 16384 bytes"
    );
}

#[test]
fn mld_05_a_mail_is_known_by_its_number_or_its_bytes() {
    let delivery = |mail: &str| Letter::open(mail.as_bytes()).delivery();
    let numbered = delivery("Message-ID: <x@y>\nFrom: a@h\n\none\n");
    assert_eq!(
        numbered,
        delivery("Received: by b\nMessage-ID: <x@y>\nFrom: a@h\n\none\n")
    );
    assert_ne!(numbered, delivery("Message-ID: <z@y>\nFrom: a@h\n\none\n"));
    assert_eq!(
        delivery("From: a@h\n\none\n"),
        delivery("From: a@h\n\none\n")
    );
    assert_ne!(
        delivery("From: a@h\n\none\n"),
        delivery("From: a@h\n\ntwo\n")
    );
    assert_ne!(delivery(""), delivery("\n"));
}

#[test]
fn mld_06_senders_and_signatures_can_be_asked_for() {
    let check = |results: &str, from: &[&str], server: Option<&str>| {
        let mail = format!("{results}From: Ann <ann@cvs.example.org>\n\nx\n");
        let trust = Trust {
            from: from.iter().map(|from| (*from).to_owned()).collect(),
            authserv_id: server.map(str::to_owned),
        };
        Letter::open(mail.as_bytes()).check(&trust)
    };
    assert_eq!(check("", &[], None), Ok(()));
    assert_eq!(
        check("", &["bob@h.org", "Ann@cvs.example.org"], None),
        Ok(())
    );
    assert_eq!(check("", &["@CVS.example.org"], None), Ok(()));
    let stranger = Mistrust::Sender("ann@cvs.example.org".to_owned());
    assert_eq!(check("", &["@example.org"], None), Err(stranger));

    let mx = Some("mx.example.org");
    let unsigned = Err(Mistrust::Unsigned("mx.example.org".to_owned()));
    let results = |server: &str, result: &str, domain: &str| {
        format!("Authentication-Results: {server};\n spf=pass;\n dkim={result} header.d={domain}\n")
    };
    let good = results("mx.example.org", "pass", "cvs.example.org");
    assert_eq!(check(&good, &[], mx), Ok(()));
    assert_eq!(check("", &[], mx), unsigned);
    assert_eq!(
        check(
            &results("mx.example.org", "fail", "cvs.example.org"),
            &[],
            mx
        ),
        unsigned
    );
    assert_eq!(
        check(&results("mx.example.org", "pass", "evil.example"), &[], mx),
        unsigned
    );
    assert_eq!(
        check(&results("evil.example", "pass", "cvs.example.org"), &[], mx),
        unsigned
    );
    // The sender wrote the second one.
    let forged = results("mx.example.org", "fail", "cvs.example.org") + &good;
    assert_eq!(check(&forged, &[], mx), unsigned);
}

#[test]
fn names_of_formats_are_those_of_the_configuration() {
    for format in Format::ALL {
        assert_eq!(Format::named(format.name()), Some(format));
    }
    assert_eq!(Format::named("darcs"), None);
}

#[test]
fn mal_15_a_mail_of_the_master_itself_is_no_commit() {
    let read = |headers: &str| {
        let mail = format!(
            "From: bob@example.org\n{headers}Subject: commit r7 - trunk\n\nAuthor: bob\n\
             New Revision: 7\n\nLog:\nx\n\nModified:\n   trunk/a.c\n"
        );
        let letter = Letter::open(mail.as_bytes());
        letter.is_of_buildmaster()
    };
    let list = "List-Id: buildmaster <buildmaster.example.org>\n";
    let automatic = "Auto-Submitted: auto-generated\n";
    assert!(read(&format!("{list}{automatic}")));
    for other in [list, automatic, "List-Id: commits <commits.example.org>\n"] {
        assert!(!read(other), "{other}");
    }
    let mail = format!("From: b@example.org\n{list}{automatic}\nNew Revision: 7\n");
    let letter = Letter::open(mail.as_bytes());
    let found = super::read(Format::Svn, &letter, &Reading::default(), ARRIVAL);
    let why = "it is a mail of a buildmaster".to_owned();
    assert_eq!(found, Ok(Content::Nothing(why)));
}
