use super::*;

#[test]
fn what_is_not_toml_is_shown_beside_the_rest() {
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
        "4:8: the brackets of this table do not match (write `[[slaves]]` for an entry of a list, and `[slaves]` for a table)",
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
        "2:1: this is a Buildbot configuration in Python (master.toml is TOML, without code: `buildmaster import-config` translates the configuration of a running master)",
    );
    check(
        "slave_port = 9989",
        r#"xs = [1,
2"#,
        "2:6: `[` is never closed (add `]` where the list ends)",
    );
}

/// Lines of people who come from elsewhere, in place of the first setting.
const ELSEWHERE: &[&str] = &[
    "title = None",
    "title = null",
    "title = True",
    "title = yes",
    "title = u'x'",
    r#"title = r"C:\dir""#,
    r#"title = "C:\dir""#,
    "title: 'x'",
    "title => 'x'",
    "title := 'x'",
    "title == 'x'",
    "title = ('a', 'b')",
    "slave_port = 09989",
    "slave_port = 9989;",
    "title = 'x';",
    "title = 'x',",
    "title = 'a' + 'b'",
    "title = 'a%s' % 'b'",
    "title = os.path.join('a', 'b')",
    "title = lambda x: x",
    "title 'x'",
    "// a comment",
    "/* a comment */",
    "-- a comment",
    "; a comment",
    "% a comment",
    "REM a comment",
    "title = 'x' // a comment",
    "title = 'x' -- a comment",
    "title = 'x' ; a comment",
    "properties = {'a': 1}",
    "title = “x”",
    "title = ‘x’",
    "title = `x`",
    "build_horizon = 10L",
    "build_horizon = 1,000",
    "build_horizon = 5*60",
    "log_max_size = 1 MiB",
    "title = $HOME",
    "[builders]]",
    "[[builders]",
    "[[builders",
    "def f():",
    "for s in slaves:",
    "title = 'x' slave_port = 9989",
    "title = 'x",
];

#[test]
fn what_comes_from_other_languages_is_told_with_what_to_write() {
    let told = |line: &&str| format!("{line}\n{}\n", mistakes_of(&format!("{line}\n")));
    let told: String = ELSEWHERE.iter().map(told).collect();
    insta::assert_snapshot!(told, @r##"
    title = None
    1:9: there is no `None` here (leave the setting out)
    title = null
    1:9: there is no `null` here (leave the setting out)
    title = True
    1:9: `True` is written `true` (write `true`)
    title = yes
    1:9: `yes` is written `true` (write `true`)
    title = u'x'
    1:9: `u` before a string is Python (remove it: all text is Unicode)
    title = r"C:\dir"
    1:9: `r` before a string is Python (remove it: in single quotes a backslash stands for itself)
    title = "C:\dir"
    1:13: in double quotes a backslash begins a special character (write each backslash twice, or put the string in single quotes: 'C:\dir')
    title: 'x'
    1:6: `:` stands between a key and its value (write `key = value`)
    title => 'x'
    1:8: `=>` stands between a key and its value (write `key = value`)
    title := 'x'
    1:7: `:=` stands between a key and its value (write `key = value`)
    title == 'x'
    1:8: `==` stands between a key and its value (write `key = value`)
    title = ('a', 'b')
    1:9: there are no parentheses here (write a list in brackets: `[…]`)
    slave_port = 09989
    1:14: a number does not begin with 0 (write it without the zero, or `0o…` if it is octal)
    slave_port = 9989;
    1:14: `;` stands behind a setting (remove the `;`: a setting ends with its line)
    title = 'x';
    1:12: `;` stands behind a setting (remove the `;`: a setting ends with its line)
    title = 'x',
    1:12: `,` stands behind a setting (remove the `,`: a setting ends with its line)
    title = 'a' + 'b'
    1:13: there is no code in the configuration (write the value itself: texts in quotes, lists in `[…]`)
    title = 'a%s' % 'b'
    1:15: there is no code in the configuration (write the value itself: texts in quotes, lists in `[…]`)
    title = os.path.join('a', 'b')
    1:9: there is no code in the configuration (write the value itself: texts in quotes, lists in `[…]`)
    title = lambda x: x
    1:9: there is no code in the configuration (write the value itself: texts in quotes, lists in `[…]`)
    title 'x'
    1:7: key with no value, expected `=` (write a setting as `key = value`)
    // a comment
    1:1: `//` does not begin a comment (comments begin with `#`)
    /* a comment */
    1:1: `/*` does not begin a comment (comments begin with `#`)
    -- a comment
    1:4: `--` does not begin a comment (comments begin with `#`)
    ; a comment
    1:1: `;` does not begin a comment (comments begin with `#`)
    % a comment
    1:1: `%` does not begin a comment (comments begin with `#`)
    REM a comment
    1:5: `REM` does not begin a comment (comments begin with `#`)
    title = 'x' // a comment
    1:13: `//` does not begin a comment (comments begin with `#`)
    title = 'x' -- a comment
    1:13: `--` does not begin a comment (comments begin with `#`)
    title = 'x' ; a comment
    1:13: `;` does not begin a comment (comments begin with `#`)
    properties = {'a': 1}
    1:18: `:` stands between a key and its value (write `key = value`)
    title = “x”
    1:9: `“` is not a quotation mark in TOML (write straight quotes: `"…"` or `'…'`)
    title = ‘x’
    1:9: `‘` is not a quotation mark in TOML (write straight quotes: `"…"` or `'…'`)
    title = `x`
    1:9: a backquote is not a quotation mark in TOML (write straight quotes: `"…"` or `'…'`)
    build_horizon = 10L
    1:17: `L` behind a number is Python (write `10`)
    build_horizon = 1,000
    1:18: a number has no commas (write the digits alone, or `_` between them)
    build_horizon = 5*60
    1:17: `5*60` is not worked out (write the number, or a time such as "5m")
    log_max_size = 1 MiB
    1:16: `1 MiB` is not a number (put it in quotes: `"1 MiB"`)
    title = $HOME
    1:9: string values must be quoted, expected literal string (put strings in quotes: `title = "Example"`; end a string with the quote that began it)
    [builders]]
    1:11: the brackets of this table do not match (write `[[builders]]` for an entry of a list, and `[builders]` for a table)
    [[builders]
    1:12: the brackets of this table do not match (write `[[builders]]` for an entry of a list, and `[builders]` for a table)
    [[builders
    1:11: the brackets of this table do not match (write `[[builders]]` for an entry of a list, and `[builders]` for a table)
    def f():
    1:5: there is no code in the configuration (write the value itself: texts in quotes, lists in `[…]`)
    for s in slaves:
    1:5: there is no code in the configuration (write the value itself: texts in quotes, lists in `[…]`)
    title = 'x' slave_port = 9989
    1:13: two settings are on one line (write each on a line of its own)
    title = 'x
    1:11: invalid literal string, expected `'` (put strings in quotes: `title = "Example"`; end a string with the quote that began it)
    "##);
}

#[test]
fn a_bracket_that_is_never_closed_is_one_mistake_at_the_bracket() {
    check(
        r#"slaves = ["bot"]"#,
        r#"slaves = ["bot""#,
        "13:10: `[` is never closed (add `]` where the list ends)",
    );
    check(
        r#"steps = [{ type = "ShellCommand", command = "make" }]"#,
        r#"steps = [
  { type = "ShellCommand", command = "make" },
  { type = "ShellCommand", command = ["make", "a]b", '#'] },
"#,
        "9:9: `[` is never closed (add `]` where the list ends)",
    );
    check(
        r#"{ type = "ShellCommand", command = "make" }"#,
        r#"{ type = "ShellCommand", command = ["make" }"#,
        "9:45: `[` is never closed (add `]` where the list ends)",
    );
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full""#,
        "19:12: `[` is never closed (add `]` where the list ends)",
    );
}

#[test]
fn a_setting_of_the_master_below_a_table_is_told_where_it_belongs() {
    check(
        r#"builders = ["full"]"#,
        r#"builders = ["full"]
title = "x"
buildbotURL = "http://localhost/""#,
        "20:1: unknown key `title` of scheduler `quick` (it is a setting of the master: move it above the first table of the file)
21:1: unknown key `buildbotURL` of scheduler `quick` (it is a setting of the master: move it above the first table of the file)",
    );
}

#[test]
fn an_unknown_type_does_not_hide_misspelt_keys() {
    check(
        r#"{ type = "ShellCommand", command = "make" }"#,
        r#"{ type = "ShellComand", command = "make", haltOnFailure = true, wrkdir = "x" }"#,
        r#"9:19: unknown `type = "ShellComand"` of step 1 of factory `check` (did you mean `"ShellCommand"`?)
9:52: unknown key `haltOnFailure` of step 1 of factory `check` (it is called `halt_on_failure` here)
9:74: unknown key `wrkdir` of step 1 of factory `check` (did you mean `workdir`?)"#,
    );
}
