//! What expressions cost (CFL-150): `cargo bench --bench expressions`.

#![expect(clippy::unwrap_used, reason = "the input is our own")]

use buildmaster::config::expression::{Expression, Mode, Scope};
use divan::Bencher;
use serde_json::json;

fn main() {
    divan::main();
}

/// A condition of three terms, which may take 5 µs.
#[divan::bench]
fn condition_of_three_terms(bencher: Bencher<'_, '_>) {
    let text = "prop.level >= 2 and not prop.quick or step.test == 'failure'";
    let expression = Expression::compile(text, Mode::Running, "").unwrap();
    let properties: serde_json::Value = (0..100)
        .map(|n| (format!("p{n}"), json!("a value")))
        .collect();
    let scope = Scope::new()
        .with("prop", properties)
        .with("step", json!({ "test": "success" }));
    bencher.bench(|| expression.holds(&scope).unwrap());
}

/// Reading it.
#[divan::bench]
fn compiling_a_condition(bencher: Bencher<'_, '_>) {
    let text = "prop.level >= 2 and not prop.quick or step.test is match('fail')";
    bencher.bench(|| Expression::compile(text, Mode::Running, "").unwrap());
}
