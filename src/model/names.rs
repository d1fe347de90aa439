//! Names of steps within a build (BUI-04). Pure.

use std::collections::{HashMap, HashSet};

/// The names of the steps of a build, each once: equal names get `_1`, `_2` …, and a name that is
/// already taken is passed over.
#[must_use]
pub fn unique_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut counts = HashMap::new();
    let mut unique = Vec::new();
    for name in names {
        let mut candidate = name.to_owned();
        while !taken.insert(candidate.clone()) {
            let count = counts.entry(name).or_insert(0_u32);
            *count += 1;
            candidate = format!("{name}_{count}");
        }
        unique.push(candidate);
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_get_numbers() {
        assert_eq!(unique_names(["a", "a", "a"]), ["a", "a_1", "a_2"]);
        assert_eq!(unique_names(["a", "b", "a"]), ["a", "b", "a_1"]);
    }

    #[test]
    fn a_configured_name_that_looks_numbered_is_not_taken_twice() {
        assert_eq!(unique_names(["a", "a", "a_1"]), ["a", "a_1", "a_1_1"]);
        assert_eq!(unique_names(["a_1", "a", "a"]), ["a_1", "a", "a_2"]);
    }
}
