#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::protocol::TextStyle;

fn slave(style: TextStyle, version: &str) -> SlaveInfo {
    SlaveInfo {
        texts: Arc::default(),
        prompts: BTreeSet::new(),
        commands: Arc::new([("shell".to_owned(), version.to_owned())].into()),
        style,
        is_worker: style == TextStyle::Unicode,
    }
}

fn log_file(name: &str, path: &str, follow: bool) -> LogFile {
    LogFile {
        name: name.to_owned(),
        path: path.to_owned(),
        follow,
    }
}

fn args() -> ShellArgs {
    ShellArgs {
        command: ShellCommand::Words(vec![
            Word::Plain("login".into()),
            Word::Obfuscated {
                real: "sécret".into(),
                shown: "XX".into(),
            },
        ]),
        workdir: "build".into(),
        env: vec![("A".into(), Some("é".into())), ("B".into(), None)],
        default_env: Vec::new(),
        initial_stdin: Some(Bytes::from_static(b"in\n")),
        want_stdout: true,
        want_stderr: false,
        logfiles: vec![
            log_file("tail", "tail.log", false),
            log_file("more", "more.log", true),
        ],
        timeout: Some(1200.0),
        max_time: Some(1.5),
        sigterm_time: None,
        interrupt_signal: Some("TERM".into()),
        use_pty: None,
        log_environ: false,
        max_lines: Some(10),
    }
}

/// Arguments with texts that `text` makes. Values of the environment have no separator in them.
fn any_args(text: BoxedStrategy<Bytes>) -> impl Strategy<Value = ShellArgs<Bytes>> {
    let word = prop_oneof![
        text.clone().prop_map(Word::Plain),
        (text.clone(), text.clone()).prop_map(|(real, shown)| Word::Obfuscated { real, shown }),
    ];
    let words = prop::collection::vec(word, 1..4);
    let command = prop_oneof![
        text.clone().prop_map(ShellCommand::Line),
        words.prop_map(ShellCommand::Words),
    ];
    let value = prop::collection::vec(text.clone(), 1..4);
    let value = value.prop_map(|parts| {
        let parts: Vec<_> = parts.iter().map(|part| part.to_vec()).collect();
        Bytes::from(parts.join(&SEPARATOR))
    });
    let env = prop::collection::vec(("[A-Z_]{1,8}", prop::option::of(value)), 0..4);
    let env = env.prop_map(|env| env.into_iter().map(|(k, v)| (k.into(), v)).collect());
    let file = ("\\PC{0,8}", text.clone(), any::<bool>());
    let file = file.prop_map(|(name, path, follow)| LogFile { name, path, follow });
    let seconds = || prop::option::of((0_u32..4_000_000).prop_map(|half| f64::from(half) / 2.0));
    (
        (command, text.clone(), env, prop::option::of(text)),
        (any::<[bool; 3]>(), prop::option::of(any::<bool>())),
        prop::collection::vec(file, 0..3),
        (seconds(), seconds(), seconds()),
        (
            prop::option::of("[A-Z]{1,4}"),
            prop::option::of(0..=u64::MAX / 2),
        ),
    )
        .prop_map(
            |(what, (flags, use_pty), logfiles, times, (signal, max_lines))| ShellArgs {
                command: what.0,
                workdir: what.1,
                env: what.2,
                default_env: Vec::new(),
                initial_stdin: what.3,
                want_stdout: flags[0],
                want_stderr: flags[1],
                logfiles,
                timeout: times.0,
                max_time: times.1,
                sigterm_time: times.2,
                interrupt_signal: signal,
                use_pty,
                log_environ: flags[2],
                max_lines,
            },
        )
}

fn any_bytes() -> BoxedStrategy<Bytes> {
    let byte = any::<u8>().prop_filter("the separator", |byte| *byte != SEPARATOR);
    prop::collection::vec(byte, 0..12)
        .prop_map(Bytes::from)
        .boxed()
}

fn any_text() -> BoxedStrategy<Bytes> {
    "\\PC{0,12}".prop_map(Bytes::from).boxed()
}

proptest! {
    #[test]
    fn a_slave_reads_what_a_master_wrote_byte_for_byte(args in any_args(any_bytes())) {
        let value = args.to_value(&slave(TextStyle::Bytes, "2.16"));
        prop_assert_eq!(ShellArgs::from_value(&value), Ok(args));
    }

    #[test]
    fn a_worker_reads_what_a_master_wrote_as_text(args in any_args(any_text())) {
        let value = args.to_value(&slave(TextStyle::Unicode, "3.3"));
        // A worker must be told.
        let use_pty = args.use_pty.or(Some(false));
        prop_assert_eq!(ShellArgs::from_value(&value), Ok(ShellArgs { use_pty, ..args }));
    }
}

#[test]
fn pty_is_a_word_for_slaves_and_a_flag_for_workers() {
    let value = args().to_value(&slave(TextStyle::Bytes, "2.16"));
    assert_eq!(value.get("usePTY"), Some(&Value::bytes("slave-config")));
    let value = args().to_value(&slave(TextStyle::Unicode, "3.0"));
    assert_eq!(value.get("usePTY"), Some(&Value::Bool(false)));
    let mut native = slave(TextStyle::Unicode, "3.3");
    for (wanted, given) in [("0", false), ("1", true)] {
        native.texts = Arc::new([("usepty".to_owned(), wanted.to_owned())].into());
        let value = args().to_value(&native);
        assert_eq!(value.get("usePTY"), Some(&Value::Bool(given)));
    }
}

#[test]
fn old_slaves_get_plain_words_and_no_sigterm_time() {
    let value = args().to_value(&slave(TextStyle::Bytes, "2.9"));
    assert_eq!(
        value.get("command"),
        Some(&Value::List(vec![
            Value::bytes("login"),
            Value::bytes("sécret")
        ]))
    );
    assert_eq!(value.get("sigtermTime"), None);
    assert_eq!(value.get("dir"), None);
}

#[test]
fn seconds_are_whole_where_they_can_be() {
    let value = args().to_value(&slave(TextStyle::Bytes, "2.16"));
    assert_eq!(value.get("timeout"), Some(&Value::Int(1200)));
    assert_eq!(value.get("maxTime"), Some(&Value::Float(1.5)));
}

#[test]
fn binary_input_stays_bytes_for_workers() {
    let mut args = args();
    args.initial_stdin = Some(Bytes::from_static(b"\xff"));
    let value = args.to_value(&slave(TextStyle::Unicode, "3.3"));
    assert_eq!(value.get("initial_stdin"), Some(&Value::bytes(b"\xff")));
}

#[test]
fn env_lists_are_joined_and_other_values_refused() {
    let dict = |env: Value| {
        Value::Dict(vec![
            (Value::bytes("command"), Value::text("ls")),
            (Value::bytes("workdir"), Value::text(".")),
            (
                Value::bytes("env"),
                Value::Dict(vec![(Value::bytes("L"), env)]),
            ),
        ])
    };
    let list = Value::List(vec![Value::bytes("/a"), Value::text("/b")]);
    let args = ShellArgs::from_value(&dict(list)).unwrap();
    let joined = format!("/a{PATH_SEPARATOR}/b").into();
    assert_eq!(args.env, vec![("L".into(), Some(joined))]);
    let error = ShellArgs::from_value(&dict(Value::Int(1))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "'env' values must be strings or lists; key 'L' is incorrect"
    );
}

#[test]
fn env_lists_go_to_the_slave_as_lists() {
    let args = ShellArgs {
        env: vec![("PATH".into(), Some(format!("/a{PATH_SEPARATOR}${{PATH}}")))],
        ..args()
    };
    for style in [TextStyle::Bytes, TextStyle::Unicode] {
        let value = args.to_value(&slave(style, "3.3"));
        let list = Value::List(vec![style.value("/a"), style.value("${PATH}")]);
        assert_eq!(value.get("env").unwrap().get("PATH"), Some(&list));
    }
}

#[test]
fn a_default_variable_gives_way_to_every_other() {
    const ASK: PromptVariable = PromptVariable::GitSshCommand;
    const OTHER: PromptVariable = PromptVariable::GitSsh;
    let variable = DefaultVariable {
        name: ASK,
        value: "no",
        unless: &[OTHER],
    };
    let sent = |env: &[(PromptVariable, Option<&str>)], own: &[PromptVariable]| {
        let mut slave = slave(TextStyle::Bytes, "2.16");
        slave.prompts.extend(own);
        let env = env
            .iter()
            .map(|(n, v)| (n.name().to_owned(), v.map(str::to_owned)));
        let args = ShellArgs {
            env: env.collect(),
            default_env: vec![variable],
            ..args()
        };
        args.to_value(&slave)
            .get("env")
            .unwrap()
            .get("GIT_SSH_COMMAND")
            .cloned()
    };
    assert_eq!(sent(&[], &[]), Some(Value::bytes("no")));
    assert_eq!(sent(&[(ASK, Some("x"))], &[]), Some(Value::bytes("x")));
    assert_eq!(sent(&[(ASK, None)], &[]), Some(Value::None));
    assert_eq!(sent(&[(OTHER, Some("x"))], &[]), None);
    assert_eq!(sent(&[], &[ASK]), None);
    assert_eq!(sent(&[], &[OTHER]), None);
}

#[test]
fn missing_and_unreadable_arguments_are_named() {
    let error = ShellArgs::from_value(&Value::Dict(vec![])).unwrap_err();
    assert_eq!(error.to_string(), "command: missing");
    let dict = Value::Dict(vec![
        (Value::bytes("command"), Value::Int(1)),
        (Value::bytes("workdir"), Value::text(".")),
    ]);
    let error = ShellArgs::from_value(&dict).unwrap_err();
    assert_eq!(
        error.to_string(),
        "command: expected a string or a list of strings"
    );
}

#[test]
fn too_many_words_are_refused() {
    let dict = |n| {
        Value::Dict(vec![
            (
                Value::bytes("command"),
                Value::List(vec![Value::bytes("w"); n]),
            ),
            (Value::bytes("workdir"), Value::text(".")),
        ])
    };
    assert!(ShellArgs::from_value(&dict(MAX_ENTRIES)).is_ok());
    assert!(ShellArgs::from_value(&dict(MAX_ENTRIES + 1)).is_err());
}
