//! Status targets that mail.

use serde_json::Value;

use super::*;
use crate::config::{AttachedLogs, EndedBuild, MailTransport, SmtpTls};
use crate::model::{Properties, Results};

/// The small configuration with a MailNotifier that has these lines.
fn with_mail(lines: &str) -> String {
    let target = "[[status]]\ntype = \"MailNotifier\"\nfrom = \"ci@example.org\"\n";
    format!("{SMALL}\n{target}{lines}\n")
}

fn cases(area: &str) -> Vec<Value> {
    let cases: Value =
        serde_json::from_str(include_str!("../../../tests/data/letter-cases.json")).unwrap();
    let cases = cases["cases"].as_array().unwrap().iter();
    cases.filter(|case| case["area"] == area).cloned().collect()
}

/// A value of JSON as TOML.
fn toml(value: &Value) -> String {
    value.to_string()
}

#[test]
fn mal_01_all_cases_of_settings() {
    let cases = cases("mailconf");
    assert_eq!(cases.len(), 9);
    for case in cases {
        let mut lines = String::new();
        for (key, value) in case["given"]["settings"].as_object().unwrap() {
            let key = match key.as_str() {
                "extraRecipients" => "extra_recipients",
                "extraHeaders" => "extra_headers",
                key => key,
            };
            let value = match key {
                // The builder of the small configuration.
                "builders" => "[\"full\"]".to_owned(),
                _ => toml(value),
            };
            lines.push_str(&format!("{key} = {value}\n"));
        }
        let mistakes = mistakes_of(&with_mail(&lines));
        let is_refused = mistakes != "accepted";
        assert_eq!(
            case["expect"]["refused"], is_refused,
            "{}: {mistakes}",
            case["id"]
        );
    }
}

#[test]
fn mal_04_all_cases_of_builders_and_tags() {
    let cases = cases("mode").into_iter();
    let cases = cases.filter(|case| case["given"]["settings"].is_object());
    let mut count = 0;
    for case in cases {
        let (given, mut telling) = (&case["given"], Telling::default());
        let texts = |list: &Value| -> Option<Vec<String>> {
            let list = list.as_array()?.iter();
            Some(list.map(|text| text.as_str().unwrap().to_owned()).collect())
        };
        let names = texts(&given["settings"]["builders"]);
        telling.builders = names.map(|names| names.iter().map(|n| n.as_str().into()).collect());
        telling.tags = texts(&given["settings"]["tags"]);
        let mut builder = BuilderConfig::named(given["builder"].as_str().unwrap());
        builder.tags = texts(&given["tags"]).unwrap();
        let build = EndedBuild {
            builder: &builder,
            number: 1,
            result: Results::Failure,
            properties: &Properties::new(),
        };
        assert_eq!(
            case["expect"]["mail"],
            telling.is_about(&build),
            "{}",
            case["id"]
        );
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn mal_04_a_condition_names_builders_results_and_properties() {
    let told = |when: &str| {
        let config = accept(&with_mail(&format!("when = {when:?}")));
        let mut properties = Properties::new();
        properties.set("kind", "nightly", "test");
        let mut builder = BuilderConfig::named("full");
        builder.tags = vec!["release".to_owned()];
        let build = EndedBuild {
            builder: &builder,
            number: 7,
            result: Results::Failure,
            properties: &properties,
        };
        config.status[0].telling().unwrap().is_about(&build)
    };
    assert!(told("'release' in builder.tags"));
    assert!(told("prop.kind == 'nightly' and build.result == 'failure'"));
    assert!(!told("build.number > 7") && !told("prop.other == 'x'"));
    let mistakes = mistakes_of(&with_mail("when = \"branch == 'x'\""));
    assert!(
        mistakes.contains("uses `branch`, which is unknown here"),
        "{mistakes}"
    );
}

#[test]
fn mal_10_a_mail_server_on_another_host_is_encrypted_if_it_offers_that() {
    let transport = |lines: &str| {
        let config = accept(&with_mail(lines));
        match config.status[0].mail().unwrap().transport.clone() {
            MailTransport::Smtp(smtp) => smtp,
            MailTransport::Program(words) => panic!("{words:?}"),
        }
    };
    let here = transport("");
    assert_eq!(
        (here.host.as_str(), here.port, here.tls),
        ("localhost", 25, SmtpTls::None)
    );
    let there = transport("relayhost = \"mail.example.org\"");
    assert_eq!((there.port, there.tls), (25, SmtpTls::Offered));
    let implicit = transport("relayhost = \"mail.example.org\"\ntls = \"implicit\"");
    assert_eq!((implicit.port, implicit.tls), (465, SmtpTls::Implicit));
    let login = "relayhost = \"mail.example.org\"\ntls = \"none\"\nsmtp_user = \"ci\"\n\
                 smtp_password = \"x\"";
    let mistakes = mistakes_of(&with_mail(login));
    assert!(
        mistakes.contains("needs an encrypted connection"),
        "{mistakes}"
    );
    let via = accept(&with_mail(
        "via = [\"sh\", \"-c\", \"cat\"]\nadd_logs = [\"stdio\"]",
    ));
    let mail = via.status[0].mail().unwrap();
    assert!(matches!(mail.transport, MailTransport::Program(_)));
    assert_eq!(mail.add_logs, AttachedLogs::Named(vec!["stdio".to_owned()]));
    assert_eq!(via.mail.transport(), mail.transport);
    assert_eq!(via.mail.from, "ci@example.org");
}

#[test]
fn mal_01_buildbots_spellings_are_told_ours() {
    for (theirs, ours) in [
        ("fromaddr = \"x@y.org\"", "from"),
        ("relayHost = \"x\"", "relayhost"),
        ("sendToInterestedUsers = false", "send_to_interested_users"),
        ("extraRecipients = []", "extra_recipients"),
        ("useTls = true", "tls"),
        ("smtpPassword = \"x\"", "smtp_password"),
        ("messageFormatter = \"x\"", "template"),
        ("buildSetSummary = true", "build_set_summary"),
    ] {
        let mistakes = mistakes_of(&with_mail(theirs));
        let expected = format!("it is called `{ours}` here");
        assert!(mistakes.contains(&expected), "{theirs}: {mistakes}");
    }
}

#[test]
fn mal_01_two_targets_have_two_names_and_a_target_has_recipients() {
    let second = "[[status]]\ntype = \"MailNotifier\"\nfrom = \"a@b.org\"";
    let mistakes = mistakes_of(&with_mail(second));
    assert!(
        mistakes.contains("two status targets have the name `MailNotifier`"),
        "{mistakes}"
    );
    accept(&with_mail(&format!("{second}\nname = \"other\"")));
    let mistakes = mistakes_of(&with_mail("send_to_interested_users = false"));
    assert!(mistakes.contains("has no recipients"), "{mistakes}");
    let mistakes = mistakes_of(&with_mail("subject = \"%(what)s\""));
    assert!(
        mistakes.contains("has the unknown form `%(what)s`"),
        "{mistakes}"
    );
    let mistakes = mistakes_of(&with_mail("extra_headers = { Precedence = \"x\" }"));
    assert!(
        mistakes.contains("is a header that every mail has by itself"),
        "{mistakes}"
    );
    let mistakes = mistakes_of(&with_mail("builders = [\"ful\"]"));
    assert!(mistakes.contains("did you mean `full`?"), "{mistakes}");
}
