//! Each limit at its edge: what is allowed, and one more (CFL-70).

use super::*;
use crate::config::class::Class;
use crate::config::expression::{Expression, Mode};

/// The classes of the mistakes in `files`, each with its line.
fn found(files: &BTreeMap<String, String>) -> Vec<(usize, &'static str)> {
    let expanded = expand_case(files);
    let errors = expanded.errors.iter();
    errors.map(|e| (e.line, e.class.name())).collect()
}

fn in_one(text: &str) -> Vec<(usize, &'static str)> {
    found(&BTreeMap::from([(
        "master.toml".to_owned(),
        text.to_owned(),
    )]))
}

fn slaves(counts: &[usize]) -> String {
    let entry = |count: &usize| {
        format!(
            "[[slaves]]\nfor = {{ n = \"{{{{ range({count}) }}}}\" }}\nname = \"s{{{{ n }}}}\"\n"
        )
    };
    counts.iter().map(entry).collect()
}

#[test]
fn cfl_70_one_entry_makes_20_000_and_all_of_a_kind_are_20_000() {
    assert_eq!(in_one(&slaves(&[20_000])), []);
    assert_eq!(in_one(&slaves(&[20_001])), [(2, "too-much")]);
    assert_eq!(in_one(&slaves(&[10_000, 10_000])), []);
    assert_eq!(in_one(&slaves(&[10_000, 10_001])), [(4, "too-much")]);
}

#[test]
fn cfl_70_the_files_have_16_mib_together_and_a_data_file_4_mib() {
    let including = |length: usize| {
        let text = "include = [\"more.toml\"]\n";
        let more = format!("#{}", "x".repeat(length - text.len() - 1));
        found(&BTreeMap::from([
            ("master.toml".to_owned(), text.to_owned()),
            ("more.toml".to_owned(), more),
        ]))
    };
    assert_eq!(including(16 << 20), []);
    assert_eq!(including((16 << 20) + 1), [(1, "too-much")]);
    let naming = |length: usize| {
        let text = "[vars]\na = { lines = \"a.txt\" }\n";
        found(&BTreeMap::from([
            ("master.toml".to_owned(), text.to_owned()),
            ("a.txt".to_owned(), format!("#{}", "x".repeat(length - 1))),
        ]))
    };
    assert_eq!(naming(4 << 20), []);
    assert_eq!(naming((4 << 20) + 1), [(2, "too-much")]);
}

/// A builder for each factory, which all have `steps` steps.
fn factories(count: usize, steps: usize) -> String {
    format!(
        "[[builders]]\nfor = {{ n = \"{{{{ range({count}) }}}}\" }}\nname = \"b{{{{ n }}}}\"\n\
         factory = \"f\"\nwith = {{ n = \"{{{{ n }}}}\" }}\n[factories.f]\nwith = {{ n = 0 }}\n\
         steps = [{{ for = {{ s = \"{{{{ range({steps}) }}}}\" }}, type = \"A\", name = \"{{{{ n }}}}\" }}]\n"
    )
}

#[test]
fn cfl_70_there_are_20_000_factories() {
    assert_eq!(in_one(&factories(20_000, 1)), []);
    let one_more = factories(20_000, 1).replace(
        "[factories.f]",
        "[[builders]]\nname = \"last\"\nfactory = \"g\"\n[factories.g]\nsteps = []\n[factories.f]",
    );
    let errors = in_one(&one_more);
    assert!(errors.contains(&(9, "too-much")), "{errors:?}");
}

#[test]
fn cfl_70_a_factory_has_2_000_steps_and_all_have_200_000() {
    assert_eq!(in_one(&factories(1, 2_000)), []);
    assert_eq!(in_one(&factories(1, 2_001)), [(8, "too-much")]);
    assert_eq!(in_one(&factories(100, 2_000)), []);
    let errors = in_one(&factories(101, 2_000));
    assert_eq!(errors, [(6, "too-much")]);
}

#[test]
fn cfl_70_factories_use_each_other_over_16_steps() {
    let chain = |length: usize| {
        let mut text = "[[builders]]\nname = \"b\"\nfactory = \"f1\"\n".to_owned();
        for n in 1..length {
            text.push_str(&format!(
                "[factories.f{n}]\nsteps = [{{ use = \"f{}\" }}]\n",
                n + 1
            ));
        }
        text.push_str(&format!("[factories.f{length}]\nsteps = []\n"));
        let errors = in_one(&text);
        errors
            .into_iter()
            .map(|(_, class)| class)
            .collect::<Vec<_>>()
    };
    assert_eq!(chain(16), [""; 0]);
    assert_eq!(chain(17), ["too-much"]);
}

#[test]
fn cfl_70_values_are_nested_32_deep() {
    let nested = |depth: usize| {
        let list = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        in_one(&format!(
            "[vars]\na = {list}\n[properties]\nb = \"{{{{ a | length }}}}\"\n"
        ))
    };
    assert_eq!(nested(32), []);
    assert_eq!(nested(33), [(2, "too-much")]);
}

#[test]
fn cfl_70_an_expression_has_4_096_characters_and_50_brackets() {
    let long = |length: usize| {
        let text = format!("'{}'", "x".repeat(length - 2));
        in_one(&format!("[properties]\na = \"{{{{ {text} }}}}\"\n"))
    };
    assert_eq!(long(4_096), []);
    assert_eq!(long(4_097), [(2, "too-much")]);
    let deep = |depth: usize| {
        let text = format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        in_one(&format!("[properties]\na = \"{{{{ {text} }}}}\"\n"))
    };
    // 50 are promised.
    assert_eq!(deep(60), []);
    assert_eq!(deep(61), [(2, "expression-syntax")]);
}

#[test]
fn cfl_70_all_that_comes_out_has_64_mib() {
    // 63 strings of nearly 1 MiB, one of `length` bytes, and `more` values of no bytes.
    let texts = |length: usize, more: usize| {
        let full = (1 << 20) - 64;
        in_one(&format!(
            "[properties]\na = [{}\"{}\"{}]\n",
            format!("\"{{{{ 'x' * {full} }}}}\", ").repeat(63),
            "y".repeat(length),
            ", \"\"".repeat(more)
        ))
    };
    let (mut fits, mut fails) = (0_usize, 1_usize << 20);
    while fails - fits > 1 {
        let length = fits.midpoint(fails);
        match texts(length, 0).as_slice() {
            [] => fits = length,
            errors => {
                assert_eq!(errors, [(2, "too-much")]);
                fails = length;
            }
        }
    }
    // A value counts as 16 bytes beside its own.
    assert_eq!(texts(fits - 16, 1), []);
    assert_eq!(texts(fits - 15, 1), [(2, "too-much")]);
    let counted = 63 * ((1 << 20) - 64) + fits + 64 * 16;
    let limit = 64 << 20;
    assert!((limit - 8_192..=limit).contains(&counted), "{counted}");
}

/// How much work `text` is.
fn work_of(text: &str) -> u64 {
    let expression = Expression::compile(text, Mode::Reading, "").unwrap();
    let mut work = 0;
    expression
        .evaluate_counting(&Scope::new(), &mut work)
        .unwrap();
    work
}

#[test]
fn cfl_70_a_filter_costs_the_entries_that_it_goes_through_and_gives() {
    // So of the filters of case E063, the second one that goes through all entries is too much.
    let listed = work_of("range(90000) | list");
    assert!((90_000..100_000).contains(&listed), "{listed}");
    let sorted = Expression::compile("range(90000) | list | sort", Mode::Reading, "");
    let mistake = sorted.unwrap().evaluate(&Scope::new()).unwrap_err();
    assert_eq!(Class::from(mistake.class), Class::TooMuch);
}

#[test]
fn cfl_70_all_expressions_of_one_reading_are_100_000_000_steps_of_work() {
    let most = 100_000_000;
    let condition = "('x' * 12000000) is number";
    let row = work_of(condition);
    let of_rows = |count: u64| work_of(&format!("range({count})")) + count * row;
    let errors_of = |count: u64| {
        let text = format!(
            "[[slaves]]\nfor = {{ n = \"{{{{ range({count}) }}}}\" }}\n\
             if = \"{condition}\"\nname = \"s{{{{ n }}}}\"\n"
        );
        expand(&text, "master.toml", &NoFiles).errors
    };
    let last = (0..=most / row).rev().find(|count| of_rows(*count) <= most);
    let last = last.unwrap();
    assert!(
        last > 100 && of_rows(last + 1) > most,
        "{last} rows of {row}"
    );
    assert_eq!(errors_of(last), []);
    let errors = errors_of(last + 1);
    let [error] = errors.as_slice() else {
        panic!("one mistake, not {errors:?}");
    };
    assert_eq!(
        (error.class, error.line, error.column),
        (Class::TooMuch, 3, 7)
    );
    for part in [condition, "100000000 steps"] {
        assert!(error.message.contains(part), "{}", error.message);
    }
    let (name, value) = error.row.first().unwrap();
    assert_eq!(
        (name.as_str(), value.as_str()),
        ("n", last.to_string().as_str())
    );
}

#[test]
fn cfl_70_a_regular_expression_has_1_000_characters_and_1_mib() {
    let matching = |pattern: &str| {
        in_one(&format!(
            "[properties]\na = \"{{{{ 'x' is match('{pattern}') }}}}\"\n"
        ))
    };
    assert_eq!(matching(&"x".repeat(1_000)), []);
    assert_eq!(matching(&"x".repeat(1_001)), [(2, "too-much")]);
    assert_eq!(matching("(?:x{100}){10}"), []);
    assert_eq!(matching("(?:x{1000}){1000}"), [(2, "too-much")]);
}

#[test]
fn cfl_70_whole_numbers_have_64_bits_and_fractions_are_finite() {
    let computed = |text: &str| in_one(&format!("[properties]\na = \"{{{{ {text} }}}}\"\n"));
    assert_eq!(computed("9223372036854775807"), []);
    assert_eq!(computed("9223372036854775807 + 1"), [(2, "evaluation")]);
    assert_eq!(computed("1e308"), []);
    assert_eq!(computed("1e308 * 10"), [(2, "evaluation")]);
    let given = |text: &str| {
        in_one(&format!(
            "[vars]\nv = {text}\n[properties]\na = \"{{{{ v }}}}\"\n"
        ))
    };
    assert_eq!(given("9223372036854775807"), []);
    assert_eq!(given("9223372036854775808"), [(2, "too-much")]);
    assert_eq!(given("inf"), [(2, "too-much")]);
}
