#![expect(clippy::unwrap_used, reason = "tests")]

use super::super::message::{Attached, Content, Mail};
use super::*;
use crate::config::SlaveConfig;
use crate::model::{LetterId, LetterState, Timestamp};

fn letter(why: Option<&str>) -> LetterRow {
    LetterRow {
        id: LetterId(7),
        target: "mail".to_owned(),
        order: "slave bot".to_owned(),
        facts: LetterFacts::SlaveMissing {
            slave: "bot".into(),
            since: Timestamp::from_secs(1_000_000),
            why: why.map(str::to_owned),
            admin: "zoe\nBcc: all@example.org".to_owned(),
        },
        made_at: Timestamp::from_secs(1_003_600),
        next_at: Timestamp::from_secs(1_003_600),
        tries: 0,
        error: None,
        state: LetterState::Waiting,
        ended_at: None,
        recipient: None,
    }
}

fn config() -> Config {
    let slave = SlaveConfig {
        name: "bot".into(),
        notify_on_missing: vec!["a@example.org".to_owned(), "b@example.org".to_owned()],
        ..SlaveConfig::default()
    };
    let mut config = Config {
        title: "Widget".to_owned(),
        slaves: vec![Arc::new(slave)],
        ..Config::default()
    };
    config.mail.from = "ci@example.org".to_owned();
    config
}

fn text(mail: &Mail) -> String {
    String::from_utf8(mail.bytes.clone())
        .unwrap()
        .replace("\r\n", "\n")
}

#[test]
fn slv_07_the_mail_has_what_is_known_and_no_headers_of_others() {
    let mut config = config();
    let mail = missing(&letter(None), &config, "cafe")
        .unwrap()
        .mail()
        .unwrap();
    insta::assert_snapshot!(text(&mail), @r"
    From: ci@example.org
    Subject: Widget: build slave bot is missing
    Date: Mon, 12 Jan 1970 14:46:40 +0000
    Message-ID: <buildmaster.cafe.7@example.org>
    To: a@example.org, b@example.org
    List-Id: buildmaster <buildmaster.example.org>
    Auto-Submitted: auto-generated
    Precedence: bulk
    MIME-Version: 1.0
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: 7bit

    The build slave bot of Widget has been away since 1970-01-12T13:46:40.000Z.
    Its administrator, as it said itself: zoe Bcc: all@example.org.
    ");
    let failed = letter(Some("its instance did not connect in time"));
    let text = missing(&failed, &config, "cafe").unwrap().text;
    let what = "could not be had for a build: its instance did not connect in time.";
    assert!(text.contains(what), "{text}");
    config.slaves.clear();
    let why = "nobody is to be told: slave bot has no `notify_on_missing`".to_owned();
    let refused = missing(&letter(None), &config, "").unwrap_err();
    assert_eq!(refused, Failure::Never(why));
}

#[tokio::test]
async fn out_06_the_exit_code_says_whether_a_mail_is_tried_again() {
    let mail = missing(&letter(None), &config(), "cafe")
        .unwrap()
        .mail()
        .unwrap();
    let sent = async |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        program::give(&words, &mail).await
    };
    assert_eq!(sent(&["sh", "-c", "cat >/dev/null"]).await, Ok(()));
    let later = sent(&["sh", "-c", "echo try later >&2; exit 75"]).await;
    let why = "sh ended with exit code 75: try later".to_owned();
    assert_eq!(later, Err(Failure::Later(why)));
    let never = sent(&["sh", "-c", "exit 67"]).await;
    let why = "sh ended with exit code 67".to_owned();
    assert_eq!(never, Err(Failure::Never(why)));
    let missing = sent(&["/no/such/program"]).await.unwrap_err();
    assert!(matches!(missing, Failure::Later(_)), "{missing:?}");
}

#[test]
fn mal_12_msg_04_hostile_texts_stay_where_they_are_and_another_program_reads_them() {
    let long = format!("{} größer\r\n.\r\n\u{0}end", "x".repeat(2000));
    let parts = Parts {
        from: "The CI <ci@example.org>".to_owned(),
        recipients: Recipients {
            to: vec!["Ann Lee <ann@corp.example>".to_owned()],
            cc: vec!["list@example.org".to_owned()],
        },
        subject: "gr\u{fc}n\nBcc: evil@example.org".to_owned(),
        id: message_id("cafe", LetterId(7), "The CI <ci@example.org>"),
        thread: Some("<t@example.org>".to_owned()),
        headers: vec![("X-Team".to_owned(), "a\nX-Evil: b".to_owned())],
        text: long,
        html: Some("<p>hi</p>".to_owned()),
        attachments: vec![
            Attached {
                name: "full.te\"st.stdio".to_owned(),
                content: Content::Text("--buildmaster-x\n".to_owned()),
            },
            Attached {
                name: "source.patch".to_owned(),
                content: Content::Bytes(vec![0, 255, 10]),
            },
        ],
        ..Parts::default()
    };
    let mail = parts.mail().unwrap();
    assert_eq!(mail.to.len(), 2);
    assert!(
        mail.bytes
            .split(|b| *b == b'\n')
            .all(|line| line.len() <= 998)
    );
    let read = mail_parser::MessageParser::default()
        .parse(&mail.bytes)
        .unwrap();
    assert_eq!(read.subject(), Some("gr\u{fc}n Bcc: evil@example.org"));
    assert_eq!(read.message_id(), Some("buildmaster.cafe.7@example.org"));
    assert!(read.header("Bcc").is_none() && read.header("X-Evil").is_none());
    assert_eq!(
        read.header("X-Team").unwrap().as_text(),
        Some("a X-Evil: b")
    );
    assert_eq!(read.to().unwrap().first().unwrap().name(), Some("Ann Lee"));
    let text = read.body_text(0).unwrap();
    assert!(text.contains("größer\r\n.\r\nend"), "{text:?}");
    assert_eq!(read.body_html(0).unwrap().trim_end(), "<p>hi</p>");
    let attached: Vec<_> = read.attachments().collect();
    assert_eq!(attached[1].contents(), [0, 255, 10]);
    for name in ["Date", "List-Id", "References", "Precedence"] {
        assert!(read.header(name).is_some(), "{name}");
    }
    assert_eq!(
        read.header("Auto-Submitted").unwrap().as_text(),
        Some("auto-generated")
    );
}
