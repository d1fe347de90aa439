use super::*;

#[test]
fn what_is_no_toml_is_shown_beside_the_rest() {
    check(
        r#"name = "bot""#,
        "name = bot",
        r#"5:8: string values must be quoted, expected literal string (put strings in quotes: `title = "Example"`; end a string with the quote that began it)"#,
    );
    check(
        r#"name = "bot""#,
        "name =",
        r#"5:7: string values must be quoted, expected literal string (put strings in quotes: `title = "Example"`; end a string with the quote that began it)"#,
    );
    check(
        "[[slaves]]",
        "[slaves",
        "4:8: unclosed table, expected `]` (write settings as `key = value`, strings in quotes, and lists in brackets with commas between entries)",
    );
    check(
        r#"name = "bot""#,
        r#"name = "bot"
name = "bot""#,
        "6:1: duplicate key (keep one of the two; several slaves, builders and so on begin with `[[…]]` in two brackets)",
    );
    check(
        "slave_port = 9989",
        "c = BuildmasterConfig = {}",
        "2:1: this is a Buildbot configuration in Python (master.toml is TOML, without code: see master.toml.example for the same settings)",
    );
    check(
        "slave_port = 9989",
        r#"xs = [1,
2"#,
        r#"2:1: unknown key `xs` (remove it, or see master.toml.example)
5:1: missing comma between array elements, expected `,` (write settings as `key = value`, strings in quotes, and lists in brackets with commas between entries)"#,
    );
}
