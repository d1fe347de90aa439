//! Status targets on IRC (IRC-09).

use super::*;

const TARGET: &str = "[[status]]\ntype = \"IRC\"\n";

/// The small configuration with a bot that has these lines besides the required ones.
fn with_irc(lines: &str) -> String {
    let required = "host = \"irc.example.org\"\nnick = \"bb\"\nchannels = [\"#dev\"]\n";
    format!("{SMALL}\n{TARGET}{required}{lines}\n")
}

/// The first mistake of a bot with these lines, without its place.
fn mistake(lines: &str) -> String {
    let mistakes = mistakes_of(&with_irc(lines));
    let first = mistakes.lines().next().unwrap_or_default();
    first
        .split_once(": ")
        .map_or(first, |(_, text)| text)
        .to_owned()
}

#[test]
fn irc_09_a_bot_has_the_settings_of_buildbot_in_snake_case() {
    let config = accept(&with_irc(""));
    let bot = config.irc("IRC").unwrap();
    assert_eq!((bot.port, bot.tls, bot.use_colors), (6697, true, true));
    assert!(bot.show_blame_list && !bot.allow_force && bot.notify_events.is_empty());
    let lines = "tls = false\nnotify_events = [\"finished\", \"successToFailure\"]\n\
                 tags = [\"release\"]\npm_to_nicks = [\"ann_\"]\nlost_delay = \"10s\"\n\
                 notice_on_channel = true\nuse_revisions = true\nuse_colors = false";
    let config = accept(&with_irc(lines));
    let bot = config.irc("IRC").unwrap();
    assert_eq!((bot.port, bot.notify_events.len()), (6667, 2));
    let two = format!("name = \"one\"\n{TARGET}host = \"h\"\nnick = \"bb\"\nchannels = []");
    let config = accept(&with_irc(&two));
    assert!(config.irc("one").is_some() && config.irc("IRC").is_some());
}

#[test]
fn irc_09_mistakes_name_the_remedy() {
    let names = [
        ("noticeOnChannel = true", "`notice_on_channel`"),
        ("useSSL = true", "`tls`"),
        ("categories = [\"a\"]", "`tags`"),
        ("allowForce = true", "`allow_force`"),
        ("notify_events = [\"fineshed\"]", "did you mean `finished`?"),
        ("notify_events = [\"retryToSuccess\"]", "is not an event"),
        ("pm_to_nicks = [\"#dev\"]", "is not a nick"),
        ("certificate_file = \"a\"\ntls = false", "without TLS"),
        (
            "certificate_file = \"a\"\nsasl_password = \"b\"",
            "keep one of the two",
        ),
        ("lost_delay = \"0s\"", "lost_delay"),
        ("mode = \"all\"", "mode"),
    ];
    for (lines, remedy) in names {
        let mistake = mistake(lines);
        assert!(mistake.contains(remedy), "{lines}: {mistake}");
    }
    let channels = [
        "[\"dev\"]",
        "[\"#a b\"]",
        "[\"#dev\", \"#DEV\"]",
        "[{ key = \"x\" }]",
    ];
    for channels in channels {
        let text = with_irc("").replace("[\"#dev\"]", channels);
        assert_ne!(mistakes_of(&text), "accepted", "{channels}");
    }
    let warned = mistakes_of(&with_irc("allow_force = true"));
    assert!(warned.starts_with("accepted\n"), "{warned}");
    assert!(
        warned.contains("anyone may force and stop builds by IRC"),
        "{warned}"
    );
}
