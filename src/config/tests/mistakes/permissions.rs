use super::*;

/// The mistakes of [`SMALL`] with `rules` at its end, whose lines are counted from 1.
fn check_rules(rules: &str, expected: &str) {
    let lines = SMALL.lines().count();
    let text = format!("{SMALL}{rules}");
    let found = mistakes_of(&text);
    let found: Vec<String> = found
        .lines()
        .map(|line| match line.split_once(':') {
            Some((number, rest)) => match number.parse::<usize>() {
                Ok(number) => format!("{}:{rest}", number - lines),
                Err(_) => line.to_owned(),
            },
            None => line.to_owned(),
        })
        .collect();
    assert_eq!(found.join("\n"), expected);
}

#[test]
fn may_01_a_permission_names_people_and_actions() {
    check_rules(
        "[[permissions]]\nmay = [\"view\"]\n",
        "1:1: permission needs `who` (add `who = [\"logged-in\"]`)",
    );
    check_rules(
        "[[permissions]]\nwho = [\"ann\"]\n",
        "1:1: permission needs `may` or `may_not` (add `may = [\"force\"]`)\n1:3: no permission \
         includes `view`, so nobody can see anything over the network (add `[[permissions]]` with \
         `who = [\"anyone\"]` and `may = [\"view\"]`)",
    );
    check_rules(
        "[[permissions]]\nwho = [\"everybody\"]\nmay = [\"view\"]\n",
        "2:8: `who` of permission names \"everybody\" (write \"anyone\", or the name of a person, or \
         `role:NAME`)",
    );
    check_rules(
        "[[permissions]]\nwho = [\"ann\"]\nmay = [\"vieuw\", \"forceBuilds\", \"view\"]\n",
        "3:8: `may` of permission has the unknown action \"vieuw\" (did you mean \"view\"?)\n3:17: \
         `may` of permission has the unknown action \"forceBuilds\" (did you mean \"forceBuild\"?)",
    );
}

#[test]
fn may_01_a_permission_is_limited_to_things_that_exist() {
    check_rules(
        "[[permissions]]\nwho = [\"ann\"]\nmay = [\"*\"]\non = { builders = [\"ful\", \"f*\"] }\n",
        "4:20: permission names the builder `ful`, which does not exist (did you mean `full`?)",
    );
    check_rules(
        "[[permissions]]\nwho = [\"ann\"]\nmay = [\"*\"]\non = { builders = [\"[\"] }\n",
        "4:19: `builders` of permission has a pattern with a mistake: unclosed character class; \
         missing ']' (`*` stands for any text, `?` for one character, `[ab]` and `{a,b}` for \
         choices)",
    );
}
