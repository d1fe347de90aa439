//! The recorded cases of Buildbot 0.8.14, and what differs in a file without code.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::model::{Change, ChangeNumber, NewChange, Patch, PatchBody, SetId, Timestamp};

#[derive(Debug)]
struct Named(Value);

impl Lookup for Named {
    fn value(&self, name: &str) -> Result<Option<Value>, String> {
        match name {
            "broken" => Err("1 / 0".to_owned()),
            _ => Ok(self.0.get(name).cloned()),
        }
    }
}

/// What the forms of a test refer to.
struct World {
    properties: Properties,
    stamps: SourceStamps,
    slave: BTreeMap<String, String>,
    kw: Named,
    secrets: Secrets,
}

impl World {
    fn of(properties: &Value) -> Self {
        let mut world = Self {
            properties: Properties::new(),
            stamps: SourceStamps::default(),
            slave: BTreeMap::new(),
            kw: Named(json!({})),
            secrets: Secrets::default(),
        };
        for (name, value) in properties.as_object().unwrap() {
            world.properties.set(name, value.clone(), "test");
        }
        world
    }

    fn values(&self) -> Values<'_> {
        Values {
            properties: &self.properties,
            stamps: &self.stamps,
            slave: &self.slave,
            repositories: &[],
            kw: &self.kw,
            secrets: &self.secrets,
            drop_empty: false,
        }
    }

    fn try_render(&self, text: &str) -> Result<String, Unrendered> {
        render(&Template::of(text), self.values())
    }

    fn render(&self, text: &str) -> String {
        self.try_render(text)
            .unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn words(&self, text: &str) -> Result<Vec<String>, Unrendered> {
        render_words(&Template::of(text), self.values())
    }
}

static CASES: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../tests/data/interpolation-cases.json");
    serde_json::from_str(text).unwrap()
});

#[test]
fn prp_07_with_properties_cases_hold() {
    let world = World::of(&CASES["meta"]["properties"]);
    let cases = CASES["with_properties"].as_array().unwrap();
    assert_eq!(cases.len(), 21);
    for case in cases {
        let got = world.try_render(case[0].as_str().unwrap());
        match case[1].as_str() {
            Some(expected) => assert_eq!(got.as_deref(), Ok(expected), "{case}"),
            None => assert!(got.is_err(), "{case}"),
        }
    }
}

#[test]
fn prp_08_interpolate_cases_hold() {
    let mut world = World::of(&CASES["meta"]["properties"]);
    world.kw = Named(CASES["meta"]["kwargs"].clone());
    let stamps = CASES["meta"]["sourcestamps"].as_object().unwrap();
    let mut held = 0;
    for case in CASES["interpolate"].as_array().unwrap() {
        let text = case[0].as_str().unwrap();
        // Wrong syntax is refused when the file is read; `a` alone is a form of WithProperties.
        let Some(expected) = case[1].as_str() else {
            continue;
        };
        let codebase = if text.contains("src:lib") { "lib" } else { "" };
        let stamp = &stamps[codebase];
        world.stamps = SourceStamps::from(SourceStamp {
            branch: stamp["branch"].as_str().map(str::to_owned),
            repository: stamp["repository"].as_str().unwrap_or_default().to_owned(),
            codebase: codebase.to_owned(),
            ..SourceStamp::default()
        });
        assert_eq!(world.render(text), expected, "{case}");
        held += 1;
    }
    assert_eq!(held, 27);
}

#[test]
fn prp_16_the_cases_of_property_hold_as_forms() {
    let world = World::of(&CASES["meta"]["properties"]);
    for case in CASES["property"].as_array().unwrap() {
        let name = case[0]["name"].as_str().unwrap();
        let text = match (case[0]["default"].as_str(), &case[0]["default_when_false"]) {
            (None, _) => format!("%(prop:{name})s"),
            (Some(default), Value::Bool(false)) => format!("%(prop:{name}:-{default})s"),
            (Some(default), _) => format!("%(prop:{name}:~{default})s"),
        };
        assert_eq!(
            world.render(&text),
            case[1].as_str().unwrap_or(""),
            "{case}"
        );
    }
}

#[test]
fn prp_09_a_percent_sign_is_written_twice_or_stands_alone() {
    let world = World::of(&json!({ "num": 7 }));
    for (text, expected) in [
        ("100%%", "100%"),
        ("date +%s", "date +%s"),
        ("100%", "100%"),
        ("%(num)s %%", "7 %"),
        ("%%(a)s", "%(a)s"),
        ("%(missing:-(none))s", "(none)"),
        ("%(prop:missing:-50%)s", "50%"),
        ("%(prop:missing:-%(prop:num)s%%)s", "7%"),
        ("", ""),
    ] {
        assert_eq!(world.render(text), expected, "{text}");
    }
}

#[test]
fn replacements_interpolate_and_choices_keep_to_their_parentheses() {
    let world = World::of(&json!({ "a": "x", "zero": 0, "empty": "" }));
    for (text, expected) in [
        ("%(prop:no:-%(prop:nor:-%(prop:a)s)s)s", "x"),
        ("%(no:-%(a)s)s", "x"),
        ("%(no:-%(prop:zero:~none)s)s", "none"),
        ("%(prop:zero:#?|yes|no)s", "no"),
        ("%(prop:zero:?|yes|no)s", "yes"),
        ("%(prop:a:?/%(prop:a:?/in/out)s/no)s", "in"),
        ("%(prop:no:?|yes|)s|", "|"),
        ("%(prop:empty:+set)s", "set"),
        ("%(prop:a:?|(1|2)|3)s", "(1|2)"),
    ] {
        assert_eq!(world.render(text), expected, "{text}");
    }
    let failed = world.try_render("%(prop:no:-%(nor)s)s");
    assert_eq!(failed, Err(Unrendered::Unset("nor".to_owned())));
    // What is not used is not looked at.
    assert_eq!(world.render("%(prop:a:-%(nor)s)s"), "x");
}

#[test]
fn names_stand_in_the_order_of_their_places() {
    let world = World::of(&json!({ "a": "x", "n": 7 }));
    let render_positional = |text: &str, names: &[&str]| {
        let template = Template::of_positional(text, names);
        render(&template, world.values()).unwrap()
    };
    assert_eq!(render_positional("%s-%d of 5%%", &["a", "n"]), "x-7 of 5%");
    assert_eq!(render_positional("<%s>", &["no:-none"]), "<none>");
    assert_eq!(render_positional("100%%", &[]), "100%");
}

#[test]
fn a_list_is_several_words() {
    let mut world = World::of(&json!({
        "list": ["a b", 1, null, ["c", ["d"]], true],
        "empty": [],
        "none": null,
        "text": "one word",
        "table": { "a": 1 },
        "odd": [{ "a": 1 }],
    }));
    world.kw = Named(json!({ "jobs": ["-j", 4] }));
    let words = |text: &str| world.words(text);
    let expect = |text: &str, expected: &[&str]| {
        assert_eq!(words(text).unwrap(), expected, "{text}");
    };
    expect("%(*prop:list)s", &["a b", "1", "c", "d", "True"]);
    expect("%(*prop:empty)s", &[]);
    expect("%(*prop:none)s", &[]);
    expect("%(*prop:missing)s", &[]);
    expect("%(*prop:text)s", &["one word"]);
    expect("%(*kw:jobs)s", &["-j", "4"]);
    expect("%(*kw:none)s", &[]);
    expect("%(prop:text)s", &["one word"]);
    for text in ["%(*prop:table)s", "%(*prop:odd)s"] {
        assert!(
            matches!(words(text), Err(Unrendered::NotAList(_))),
            "{text}"
        );
    }
    assert_eq!(
        words("%(*kw:broken)s"),
        Err(Unrendered::Value("1 / 0".to_owned()))
    );
}

#[test]
fn values_show_as_python_shows_them() {
    let rendered = |value: Value| World::of(&json!({ "p": value })).render("%(p)s");
    assert_eq!(rendered(json!(true)), "True");
    assert_eq!(rendered(json!(false)), "False");
    assert_eq!(rendered(json!(null)), "");
    assert_eq!(rendered(json!(-7)), "-7");
    assert_eq!(rendered(json!(1.0)), "1.0");
    assert_eq!(rendered(json!(0.1)), "0.1");
    assert_eq!(rendered(json!(1e16)), "1e+16");
    assert_eq!(rendered(json!(1.5e300)), "1.5e+300");
    assert_eq!(rendered(json!(0.00001)), "1e-05");
    assert_eq!(rendered(json!(0.0001)), "0.0001");
    assert_eq!(rendered(json!(u64::MAX)), "18446744073709551615");
    assert_eq!(
        rendered(json!(["a", 1, null, true, {"k": [2.5]}])),
        "['a', 1, None, True, {'k': [2.5]}]"
    );
    assert_eq!(
        rendered(json!(["it's", "a\"'b", "\n\u{1}é"])),
        r#"["it's", 'a"\'b', '\n\x01é']"#
    );
}

#[test]
fn false_means_what_python_calls_false() {
    for value in [
        json!(null),
        json!(false),
        json!(0),
        json!(0.0),
        json!(""),
        json!([]),
        json!({}),
    ] {
        assert!(!is_true(&value), "{value}");
    }
    for value in [
        json!(true),
        json!(-1),
        json!("0"),
        json!([0]),
        json!({"": 0}),
    ] {
        assert!(is_true(&value), "{value}");
    }
}

#[test]
fn the_source_is_asked_and_not_the_property_of_the_same_name() {
    let names = ["branch", "revision", "repository", "project", "codebase"];
    let wrong = names
        .map(|n| (n.to_owned(), json!("wrong")))
        .into_iter()
        .collect();
    let mut world = World::of(&Value::Object(wrong));
    world.stamps = SourceStamps::from(SourceStamp {
        branch: Some("trunk".to_owned()),
        repository: "http://r/".to_owned(),
        codebase: "lib".to_owned(),
        ..SourceStamp::default()
    });
    for (text, expected) in [
        ("%(src:lib:branch)s", "trunk"),
        ("%(src:lib:revision:-none)s", ""),
        ("%(src:lib:revision:~HEAD)s", "HEAD"),
        ("%(src:lib:revision:+yes)s", "yes"),
        ("%(src:lib:repository)s", "http://r/"),
        ("%(src:lib:project)s", ""),
        ("%(src:lib:codebase)s", "lib"),
        ("%(src:lib:hasPatch)s", "False"),
        ("%(src:lib:patch_level:-none)s", "none"),
        ("%(src::branch:-none)s", "none"),
        ("%(src::branch:+yes)s", ""),
        ("%(src::branch:?|yes|no)s", "no"),
    ] {
        assert_eq!(world.render(text), expected, "{text}");
    }
    world.stamps = world.stamps.with_patch(Patch {
        level: 2,
        body: PatchBody::Kept(SetId(1)),
        subdir: Some("sub".to_owned()),
        who: Some("ann".to_owned()),
        comment: None,
    });
    let text = "%(src:lib:hasPatch)s %(src:lib:patch_level)s %(src:lib:patch_subdir)s \
                %(src:lib:patch_author)s %(src:lib:patch_comment:-none)s";
    assert_eq!(world.render(text), "True 2 sub ann none");
}

#[test]
fn changed_files_are_words_each_once_and_sorted() {
    let change = |number, files: &[&str]| {
        let content = NewChange {
            who: format!("dev{number}"),
            files: files.iter().map(|f| (*f).to_owned()).collect(),
            ..NewChange::default()
        };
        std::sync::Arc::new(Change {
            number: ChangeNumber(number),
            arrived_at: Timestamp(0),
            when: Timestamp(0),
            content,
        })
    };
    let mut world = World::of(&json!({}));
    assert_eq!(world.words("%(*src::files)s").unwrap(), [""; 0]);
    let of_changes = |changes| SourceStamps::from(SourceStamp::from_changes(changes));
    world.stamps = of_changes(vec![
        change(2, &["b.c", "a b.c"]),
        change(3, &["b.c", "a.c"]),
    ]);
    assert_eq!(
        world.words("%(*src::files)s").unwrap(),
        ["a b.c", "a.c", "b.c"]
    );
    assert_eq!(world.words("%(*src::who)s").unwrap(), ["dev2", "dev3"]);
    assert_eq!(world.render("%(src::files:#?|some|none)s"), "some");
    assert_eq!(world.words("%(*src:other:files)s").unwrap(), [""; 0]);
    let many: Vec<String> = (0..SourceStamp::MOST_FILES + 1)
        .map(|n| n.to_string())
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    world.stamps = of_changes(vec![change(1, &many)]);
    assert_eq!(world.stamps.files().len(), SourceStamp::MOST_FILES);
}

#[test]
fn what_a_slave_tells_of_itself_is_asked_by_name() {
    let mut world = World::of(&json!({ "host": "wrong" }));
    let info = [("host", "a box\n"), ("version", "0.8.14")];
    world.slave = info.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    assert_eq!(
        world.render("%(slave:version)s %(slave:admin:-nobody)s"),
        "0.8.14 nobody"
    );
    assert_eq!(world.render("%(slave:host)s%(slave:admin)s"), "a box\n");
}

#[test]
fn a_secret_is_put_in_where_it_is_known() {
    let mut world = World::of(&json!({}));
    let source = SecretSource::File("secrets/depot".into());
    let template = Template(vec![TemplatePart::Secret(source.clone())]);
    let failed = render(&template, world.values()).unwrap_err();
    assert_eq!(
        failed.to_string(),
        "the secret in secrets/depot is not known"
    );
    world.secrets.learn(&source, "s3cret".to_owned());
    assert_eq!(render(&template, world.values()).unwrap(), "s3cret");
    assert!(!format!("{:?}", world.values()).contains("s3cret"));
}

#[test]
fn cfl_102_a_list_form_stands_for_a_table_of_variables() {
    let mut world =
        World::of(&json!({ "table": { "CC": "clang", "V": 1, "OLD": null, "X": false } }));
    world.kw = Named(json!({
        "none": null, "list": ["a"], "yes": { "A": true }, "deep": { "A": { "B": 1 } },
        "paths": { "PATH": ["/bin", "${PATH}"] }, "name": { "A=": "1" }, "nul": { "A": "a\0b" },
    }));
    let variables = |text: &str| {
        let found = render_variables(&Template::of(text), world.values());
        found.map_err(|e| e.to_string())
    };
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        ("CC", some("clang")),
        ("OLD", None),
        ("V", some("1")),
        ("X", None),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(variables("%(*prop:table)s"), Ok(expected.into()));
    let path = [("PATH".to_owned(), some("/bin\0${PATH}"))];
    assert_eq!(variables("%(*kw:paths)s"), Ok(path.into()));
    for nothing in ["%(*kw:none)s", "%(*kw:nosuch)s", "%(*prop:nosuch)s"] {
        assert_eq!(variables(nothing), Ok(BTreeMap::new()), "{nothing}");
    }
    let bad = "the variable 'A' must be a string, a number, a list of them, or false";
    for (text, error) in [
        ("%(*kw:list)s", "'kw:list' is not a table of variables"),
        ("%(*kw:yes)s", bad),
        ("%(*kw:deep)s", bad),
        ("%(*kw:nul)s", bad),
        (
            "%(*kw:name)s",
            "'A=' is not a valid name of an environment variable",
        ),
        ("%(*kw:broken)s", "1 / 0"),
    ] {
        assert_eq!(variables(text), Err(error.to_owned()), "{text}");
    }
}

#[test]
fn an_unset_property_is_named() {
    let failed = World::of(&json!({}))
        .try_render("a %(nosuch)s b")
        .unwrap_err();
    assert_eq!(failed.to_string(), "property 'nosuch' is not set");
}
