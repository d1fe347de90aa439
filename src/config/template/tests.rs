//! The recorded cases of Buildbot 0.8.14, and what differs in a file without code.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::Value as Json;

use super::*;

/// Renders as a step does; `None` is a failed rendering.
fn render(template: &Template, properties: &Json, sources: &Json) -> Option<String> {
    let show = |value: &Json| match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => value.to_string(),
    };
    let truthy = |value: &Json| !matches!(show(value).as_str(), "" | "false" | "0");
    let put = |value: Option<&Json>, otherwise: &Otherwise| match otherwise {
        Otherwise::Fail => value.map(show),
        Otherwise::IfUnset(text) => Some(value.map_or_else(|| text.clone(), show)),
        Otherwise::IfFalse(text) => Some(
            value
                .filter(|v| truthy(v))
                .map_or_else(|| text.clone(), show),
        ),
        Otherwise::IfSet(text) => Some(value.map_or_else(String::new, |_| text.clone())),
    };
    let name_of = |attribute: &SourceAttribute| {
        let mut all = SOURCE_ATTRIBUTES.iter();
        all.find(|(_, known)| known == attribute).unwrap().0
    };
    let part = |part: &TemplatePart| match part {
        TemplatePart::Text(text) => Some(text.clone()),
        TemplatePart::Property { name, otherwise } => put(properties.get(name), otherwise),
        TemplatePart::Source {
            codebase,
            attribute,
            otherwise,
        } => {
            let source = sources.get(codebase);
            put(source.and_then(|s| s.get(name_of(attribute))), otherwise)
        }
    };
    template.0.iter().map(part).collect()
}

fn cases() -> Json {
    let text = include_str!("../../../tests/data/interpolation-cases.json");
    serde_json::from_str(text).unwrap()
}

#[test]
fn prp_07_with_properties_cases_hold() {
    let cases = cases();
    for case in cases["with_properties"].as_array().unwrap() {
        let template = Template::parse(case[0].as_str().unwrap()).unwrap();
        let rendered = render(&template, &cases["meta"]["properties"], &Json::Null);
        assert_eq!(rendered.as_deref(), case[1].as_str(), "{case}");
    }
}

#[test]
fn prp_08_interpolate_cases_hold_or_are_refused_by_name() {
    let cases = cases();
    let properties = &cases["meta"]["properties"];
    let sources = &cases["meta"]["sourcestamps"];
    let mut held = 0;
    for case in cases["interpolate"].as_array().unwrap() {
        let text = case[0].as_str().unwrap();
        match Template::parse(text) {
            // Without a selector it is a form of WithProperties here.
            Ok(_) if text == "%(a)s" => {}
            Ok(template) => {
                assert_eq!(
                    render(&template, properties, sources).as_deref(),
                    case[1].as_str(),
                    "{case}"
                );
                held += 1;
            }
            Err(wrong) => {
                let refused = wrong.message.contains("not available yet");
                assert!(
                    refused || case[1]["config_error"] == true,
                    "{case}: {wrong:?}"
                );
            }
        }
    }
    assert_eq!(held, 18);
}

#[test]
fn prp_09_a_percent_sign_is_written_twice_or_stands_alone() {
    for (text, expected) in [
        ("100%%", "100%"),
        ("date +%s", "date +%s"),
        ("100%", "100%"),
        ("%(num)s %%", "7 %"),
        ("%%(a)s", "%(a)s"),
        ("%(missing:-(none))s", "(none)"),
        ("", ""),
    ] {
        let template = Template::parse(text).unwrap();
        let rendered = render(&template, &serde_json::json!({ "num": 7 }), &Json::Null);
        assert_eq!(rendered.as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn wrong_forms_say_what_and_where() {
    for (text, at, message) in [
        ("a %(b", 2..5, "a form that does not end"),
        ("%(a)", 0..4, "a form must end in `)s`"),
        ("%(a)x", 0..5, "a form must end in `)s`"),
        ("%(a)s 5% off", 7..8, "a `%` that does not begin a form"),
        ("é %(foo:a)s", 3..12, "unknown selector `foo:`"),
        ("%(a b)s", 0..7, "`a b` is not a valid name of a property"),
        ("%()s", 0..4, "`` is not a valid name of a property"),
        ("%(src::who)s", 0..12, "a source has no `who`"),
        (
            "%(src:branch)s",
            0..14,
            "`%(src:branch)s` does not say what is wanted of the source",
        ),
        (
            "%(src:a.b:branch)s",
            0..18,
            "`a.b` is not the name of a codebase",
        ),
        ("%(kw:x)s", 0..8, "`%(kw:…)s` is not available yet"),
        ("%(slave:x)s", 0..11, "`%(slave:…)s` is not available yet"),
    ] {
        let wrong = Template::parse(text).unwrap_err();
        assert_eq!((wrong.at, wrong.message.as_str()), (at, message), "{text}");
    }
}

#[test]
fn a_misspelt_attribute_of_a_source_is_answered_with_the_nearest() {
    let help = |text: &str| Template::parse(text).unwrap_err().help;
    assert_eq!(help("%(src::brnach)s"), "did you mean `branch`?");
    assert_eq!(help("%(src:lib:haspatch)s"), "did you mean `hasPatch`?");
    assert!(help("%(src::who)s").starts_with("it has `branch`, `revision`"));
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
        "%(prop:a:~x)s and %(prop:a:+y)s, %(prop:a)s",
        "%(src::branch)s %(src:lib:revision:-HEAD)s",
    ] {
        let template = Template::parse(text).unwrap();
        let again = Template::parse(&template.to_string()).unwrap();
        assert_eq!(again, template, "{text} became {template}");
    }
    assert_eq!(Template::parse("date +%s").unwrap().to_string(), "date +%s");
}
