//! Which texts are read, and what is said of others.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::Value as Json;

use super::*;

#[test]
fn prp_08_wrong_syntax_is_refused() {
    let cases = include_str!("../../../tests/data/interpolation-cases.json");
    let cases: Json = serde_json::from_str(cases).unwrap();
    let mut refused = 0;
    for case in cases["interpolate"].as_array().unwrap() {
        let text = case[0].as_str().unwrap();
        // Without a selector it is a form of WithProperties here.
        if case[1]["config_error"] == true && text != "%(a)s" {
            assert!(Template::parse(text).is_err(), "{case}");
            refused += 1;
        }
    }
    assert_eq!(refused, 4);
}

#[test]
fn wrong_forms_say_what_and_where() {
    let deep = format!("{}x{}", "%(prop:a:-".repeat(17), ")s".repeat(17));
    for (text, at, message) in [
        ("a %(b", 2..5, "a form that does not end"),
        ("%(a)", 0..4, "a form must end in `)s`"),
        ("%(a)x", 0..5, "a form must end in `)s`"),
        ("%(a)s 5% off", 7..8, "a `%` that does not begin a form"),
        ("é %(foo:a)s", 3..12, "unknown selector `foo:`"),
        ("%(a b)s", 0..7, "`a b` is not a valid name of a property"),
        ("%()s", 0..4, "`` is not a valid name of a property"),
        ("%(src::whom)s", 0..13, "a source has no `whom`"),
        (
            "%(src:branch)s",
            0..14,
            "`%(src:branch)s` does not say what is wanted of the source",
        ),
        (
            "%(src:a b:branch)s",
            0..18,
            "`a b` is not the name of a codebase",
        ),
        (
            "%(kw:x y)s",
            0..10,
            "`x y` is not a valid name in `[values]`",
        ),
        (
            "%(slave:-x)s",
            0..12,
            "`-x` is nothing that a slave tells of itself",
        ),
        (
            "%(worker:host)s",
            0..15,
            "the selector is called `slave:` here",
        ),
        (
            "%(secret:depot)s",
            0..16,
            "a secret cannot be a part of a string",
        ),
        ("%(prop:a:!x)s", 0..13, "unknown operator"),
        (
            "%(prop:a:?)s",
            0..12,
            "a choice that does not have two strings",
        ),
        (
            "%(prop:a:?|b)s",
            0..14,
            "a choice that does not have two strings",
        ),
        ("%(prop:a:?(b(c)s", 0..16, "a form that does not end"),
        (
            "x %(*prop:a)s",
            2..13,
            "a list form can only be a whole word of a command, or a whole `env`",
        ),
        (
            deep.as_str(),
            0..deep.len(),
            "forms within forms more than 16 deep",
        ),
    ] {
        let wrong = Template::parse(text).unwrap_err();
        assert_eq!((wrong.at, wrong.message.as_str()), (at, message), "{text}");
    }
}

#[test]
fn a_list_form_is_a_whole_word_with_a_selector_and_no_operator() {
    for text in ["%(*prop:a)s", "%(*kw:a)s", "%(*src::files)s"] {
        let word = Template::parse_word(text).unwrap();
        assert!(
            matches!(word.0.as_slice(), [TemplatePart::List(_)]),
            "{text}"
        );
        assert_eq!(word.to_string(), text);
        assert!(Template::parse(text).is_err(), "{text}");
    }
    for (text, message) in [
        ("%(*a)s", "a list form needs a selector"),
        ("%(*prop:a:-x)s", "a list form has no operators"),
        ("%(*foo:a)s", "unknown selector `foo:`"),
        (
            "%(*prop:a)s %(b)s",
            "a list form can only be a whole word of a command, or a whole `env`",
        ),
    ] {
        let wrong = Template::parse_word(text).unwrap_err();
        assert_eq!(wrong.message, message, "{text}");
    }
}

#[test]
fn positional_names_are_as_many_as_their_places() {
    for (text, names, message) in [
        ("%s %s", ["a"].as_slice(), "more than 1 `%s` in the string"),
        ("%s", &["a", "b"], "fewer than 2 `%s` in the string"),
        ("%x", &["a"], "a `%` that is neither `%s` nor `%%`"),
        ("%s", &["a b"], "`a b` is not a valid name of a property"),
    ] {
        let wrong = Template::parse_positional(text, names).unwrap_err();
        assert_eq!(wrong.message, message, "{text}");
    }
}

#[test]
fn a_misspelt_attribute_of_a_source_is_answered_with_the_nearest() {
    let help = |text: &str| Template::parse(text).unwrap_err().help;
    assert_eq!(help("%(src::brnach)s"), "did you mean `branch`?");
    assert_eq!(help("%(src:lib:haspatch)s"), "did you mean `hasPatch`?");
    assert!(help("%(src::changes)s").starts_with("it has `branch`, `revision`"));
}

#[test]
fn a_percent_sign_is_not_lost_silently() {
    for (text, at) in [
        ("echo ${x%%.*}", Some(8..10)),
        ("echo ${x%%%%.*}", None),
        ("date +%%F", Some(6..8)),
        ("date +%F", None),
        ("for %%F in (*.c)", Some(4..6)),
        ("for %%%%F in (*.c)", None),
        ("%(a)s 100%%", None),
        ("%(a)s ${x%%.*}", Some(9..11)),
    ] {
        assert_eq!(lost_sign(text), at, "{text}");
    }
}

#[test]
fn a_template_shows_the_text_from_which_it_is_read() {
    for text in [
        "",
        "make all",
        "date +%s",
        "100%% of %(name)s",
        "%%(name)s",
        "%(a)s%(b:-x)s",
        "%(a:-100%%)s",
        "%(prop:a:~x)s and %(prop:a:+y)s, %(prop:a)s",
        "%(src::branch)s %(src:lib:revision:-HEAD)s",
        "%(kw:jobs:~%(prop:jobs:-1)s)s %(slave:host)s",
        "%(prop:a:?|%(prop:b)s|100%%)s%(prop:a:#?:yes:no)s",
    ] {
        let template = Template::parse(text).unwrap();
        let again = Template::parse(&template.to_string()).unwrap();
        assert_eq!(again, template, "{text} became {template}");
    }
    assert_eq!(Template::parse("date +%s").unwrap().to_string(), "date +%s");
}

#[test]
fn a_secret_shows_where_it_is_and_never_what_it_is() {
    let shown = |source: SecretSource| {
        let template = Template(vec![TemplatePart::Secret(source)]);
        let text = format!("{template}");
        assert!(!format!("{template:?}").contains("hush"));
        assert_eq!(serde_json::to_value(&template).unwrap(), text);
        text
    };
    assert_eq!(
        shown(SecretSource::File("secrets/a".into())),
        "secret in secrets/a"
    );
    assert_eq!(shown(SecretSource::Env("A".to_owned())), "secret in $A");
    let words = ["pass".to_owned(), "show".to_owned()];
    let command = SecretSource::Command(words.into());
    assert_eq!(shown(command), "secret of [\"pass\", \"show\"]");
    let inline = || SecretSource::Inline(Template::literal("hush"));
    assert!(shown(inline()).starts_with("secret ") && !shown(inline()).contains("hush"));
    assert_eq!(shown(inline()), shown(inline()));
}

#[test]
fn names_of_values_are_found_wherever_they_are() {
    let template = Template::parse("%(kw:a)s %(prop:x:?|%(kw:b)s|%(kw:c)s)s").unwrap();
    assert_eq!(template.named_values(), ["a", "b", "c"]);
}
