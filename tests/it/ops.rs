//! The format of serialized ops: `tests/data/ops.jsonl` has a line of each.
//!
//! What a line says must stay readable for ever. An op of another form is a new line; where old
//! lines can no longer be read, [`OP_FORMAT`] grows.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use buildmaster::model::Op;
use buildmaster::model::journal::OP_FORMAT;
use serde_json::{Value, json};

const LINES: &str = include_str!("../data/ops.jsonl");

fn ops() -> impl Iterator<Item = &'static str> {
    LINES.lines().skip(1)
}

#[test]
fn the_file_is_of_the_format_that_is_written() {
    let head: Value = serde_json::from_str(LINES.lines().next().unwrap()).unwrap();
    assert_eq!(head, json!({ "format": OP_FORMAT }));
}

#[test]
fn every_line_is_read_and_written_as_it_is() {
    for line in ops() {
        let op: Op = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(serde_json::to_string(&op).unwrap(), line);
    }
}

#[test]
fn there_is_a_line_of_each_op() {
    let refused = serde_json::from_str::<Op>(r#"{"no such op":0}"#).unwrap_err();
    let refused = refused.to_string();
    let names: BTreeSet<_> = refused.split('`').skip(3).step_by(2).collect();
    let of_line = |line: &'static str| line.split('"').nth(1).unwrap();
    assert_eq!(ops().map(of_line).collect::<BTreeSet<_>>(), names);
    assert!(names.len() > 20);
}
