//! Mistakes that people make, each told once, at its line, with what to write instead.

use super::*;

/// Configurations with mistakes, in blocks. A `#!` line is the expected error of the next line.
const CORPUS: &str = include_str!("../../../../tests/data/mistakes.txt");

/// What follows each block.
const REST: &str = r#"
[[slaves]]
name = "bot"
type = "local"

[[builders]]
name = "full"
slaves = ["bot"]
factory = "check"

[factories.check]
steps = [{ type = "ShellCommand", command = "make" }]

[[schedulers]]
type = "Scheduler"
name = "quick"
builders = ["full"]
"#;

/// The configuration of a block, and its expected errors: line numbers and texts.
fn read_block(block: &str) -> (Vec<&str>, Vec<(usize, String)>) {
    let (mut lines, mut told) = (Vec::new(), Vec::new());
    for line in block.trim_end().lines() {
        match line.strip_prefix("#! ") {
            Some(text) => told.push((lines.len() + 1, text.to_owned())),
            None => lines.push(line),
        }
    }
    (lines, told)
}

/// The errors of a configuration that begins with `lines`: line numbers and texts.
fn tell(lines: &[&str]) -> Vec<(usize, String)> {
    let has_port = lines
        .first()
        .is_some_and(|line| line.starts_with("slave_port"));
    let (first, before) = if has_port {
        ("", 0)
    } else {
        ("slave_port = 9989\n", 1)
    };
    let text = format!("{first}{}\n{REST}", lines.join("\n"));
    let errors = match parse(&text, "master.toml", &Ok(Zone::UTC)) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.errors,
    };
    let text_of = |e: &ConfigError| match &e.help {
        Some(help) => format!("{} ({help})", e.message),
        None => e.message.clone(),
    };
    errors
        .iter()
        .map(|e| (e.line - before, text_of(e)))
        .collect()
}

#[test]
fn mistakes_of_people_are_told_at_their_lines_with_what_to_write() {
    let blocks: Vec<&str> = CORPUS.split("\n----\n").collect();
    let mut wrong = String::new();
    for block in &blocks {
        let (lines, wanted) = read_block(block);
        let told = tell(&lines);
        if told != wanted {
            wrong += &format!("{}\ntold: {told:#?}\n\n", lines.join("\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(blocks.len() >= 250, "only {} mistakes", blocks.len());
    let all = blocks.iter().flat_map(|block| read_block(block).1);
    let (helped, bare): (Vec<_>, Vec<_>) = all.partition(|(_, text)| text.ends_with(')'));
    assert!(bare.len() * 19 <= helped.len(), "without help: {bare:#?}");
}
