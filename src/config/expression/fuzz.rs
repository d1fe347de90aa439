//! Entry point of the fuzz target `expression` in `tests/fuzz`. An ordinary test runs it on the
//! committed corpus.

use super::{Expression, Mode, Scope};

/// Compiles `data` as an expression of every mode and works it out. Panics only if a promise is
/// broken: nothing else panics, and the same expression has the same value each time.
pub fn expression(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let names = Expression::compile(NAMES, Mode::Running, "").expect("it is an expression");
    let names = names.evaluate(&Scope::new()).ok().flatten();
    let names = names.expect("it names nothing");
    let scope = Scope::new().with("prop", names.clone()).with("x", names);
    for mode in [Mode::Reading, Mode::Running, Mode::Core] {
        let Ok(expression) = Expression::compile(text, mode, "") else {
            continue;
        };
        let [one, other] = [0; 2].map(|_| expression.evaluate(&scope));
        assert_eq!(one, other, "{text:?} has two values");
        drop(expression.values(&scope));
        drop(expression.holds(&scope));
    }
}

/// Values of every kind.
const NAMES: &str = "{'a': [1, 'b', none, 2.5], 't': 'x=1\ny', 'n': {'m': true}}";
