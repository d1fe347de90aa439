use super::*;

/// The mistakes of a provider with these settings, in a file with the address of the master.
fn mistakes(settings: &str) -> Vec<String> {
    let text = format!(
        "buildbot_url = \"https://ci.example/\"\nweb = {{ port = 8010 }}\n[login]\noidc = {{ {settings} }}\n"
    );
    let result = parse(&text, "master.toml", &Ok(Zone::UTC));
    let errors = result.map_or_else(|errors| errors.errors, |(_, warnings)| warnings);
    errors
        .iter()
        .map(|error| {
            format!(
                "{} ({})",
                error.message,
                error.help.as_deref().unwrap_or("")
            )
        })
        .collect()
}

const RIGHT: &str = r#"issuer = "https://id.example", client_id = "ci""#;

#[test]
fn lgn_04_a_provider_needs_its_address_and_a_client_id() {
    assert_eq!(mistakes(RIGHT), [""; 0]);
    assert_eq!(
        mistakes(""),
        [
            "the login provider needs `issuer` (add `issuer = \"https://id.example.org\"`)",
            "the login provider needs `client_id` (add `client_id = \"ci\"`)",
        ]
    );
    let issuer = |text: &str| mistakes(&RIGHT.replace("https://id.example", text));
    for text in [
        "id.example",
        "ftp://id.example",
        "https://id.example/?a",
        "https://a@b",
    ] {
        let found = issuer(text);
        assert!(
            found[0].contains("`issuer` of the login provider is not the address"),
            "{found:?}"
        );
    }
    let found = issuer("http://id.example");
    assert!(
        found[0].contains("only a provider on this machine"),
        "{found:?}"
    );
    for text in [
        "http://127.0.0.1:9000",
        "http://localhost",
        "http://[::1]:1/x",
    ] {
        assert_eq!(issuer(text), [""; 0]);
    }
}

#[test]
fn lgn_04_the_client_secret_is_not_in_the_file() {
    let found = mistakes(&format!("{RIGHT}, client_secret = \"x\""));
    assert_eq!(
        found,
        [
            "unknown key `client_secret` of the login provider (secrets are not in this file: write `client_secret_file = \
          \"FILE\"` or `client_secret_env = \"VARIABLE\"`)"
        ]
    );
    let found = mistakes(&format!(
        "{RIGHT}, client_secret_file = \"x\", client_secret_env = \"X\""
    ));
    assert!(found[0].contains("has two client secrets"), "{found:?}");
    let found = mistakes(&format!("{RIGHT}, clientSecret_file = \"x\""));
    assert!(found[0].contains("client_secret_file"), "{found:?}");
}

#[test]
fn lgn_04_a_provider_needs_the_outside_name_of_the_master() {
    let text = format!("web = {{ port = 8010 }}\n[login]\noidc = {{ {RIGHT} }}\n");
    let warned = |text: &str| {
        let (_, warnings) = parse(text, "master.toml", &Ok(Zone::UTC)).unwrap();
        warnings[0].message.clone()
    };
    assert!(warned(&text).contains("which the file does not have"));
    assert!(warned(&format!("buildbot_url = \"http://ci.example/\"\n{text}")).contains("no TLS"));
}

#[test]
fn lgn_04_roles_are_a_table_of_tables() {
    let found = mistakes(&format!("{RIGHT}, roles = {{ groups = \"release\" }}"));
    assert!(found[0].contains("must be a table"), "{found:?}");
    let found = mistakes(&format!("{RIGHT}, roles = {{ groups = {{ a = 1 }} }}"));
    assert!(found[0].contains("must be a string"), "{found:?}");
}
