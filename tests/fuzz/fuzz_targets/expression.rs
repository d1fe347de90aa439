#![no_main]

use buildmaster::config::expression::{Expression, Mode, Scope};

libfuzzer_sys::fuzz_target!(|data: &str| {
    let names = "{'a': [1, 'b', none, 2.5], 't': 'x=1\\ny', 'n': {'m': true}}";
    let names = Expression::compile(names, Mode::Running, "").expect("it is one");
    let names = names.evaluate(&Scope::new()).expect("it is right").expect("it is there");
    let scope = Scope::new().with("prop", names.clone()).with("x", names);
    for mode in [Mode::Reading, Mode::Running, Mode::Core] {
        if let Ok(expression) = Expression::compile(data, mode, "") {
            drop(expression.evaluate(&scope));
            drop(expression.values(&scope));
        }
    }
});
