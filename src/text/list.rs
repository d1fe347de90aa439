//! Lists in words.

use std::fmt::Display;

/// `a, b, c`.
#[must_use]
pub fn commas<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    texts(items).join(", ")
}

/// `a, b and c`.
#[must_use]
pub fn and<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    joined(&texts(items), "and")
}

/// `a, b or c`.
#[must_use]
pub fn or<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    joined(&texts(items), "or")
}

/// `a, b and c`; of more than `most` items, the first items and the number of the others.
#[must_use]
pub fn and_more<T: Display>(items: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut texts = texts(items);
    let more = texts.len().saturating_sub(most);
    if more > 0 {
        texts.truncate(most);
        texts.push(format!("{more} more"));
    }
    joined(&texts, "and")
}

fn texts<T: Display>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

fn joined(texts: &[String], word: &str) -> String {
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_of_a_list_are_joined_by_a_word() {
        let none: [&str; 0] = [];
        assert_eq!(and(none), "");
        assert_eq!(and(["a"]), "a");
        assert_eq!(and(["a", "b"]), "a and b");
        assert_eq!(or([1, 2, 3]), "1, 2 or 3");
        assert_eq!(commas(["a", "b", "c"]), "a, b, c");
    }

    #[test]
    fn of_a_long_list_the_first_items_are_shown() {
        assert_eq!(and_more(["a", "b"], 2), "a and b");
        assert_eq!(and_more(["a", "b", "c"], 2), "a, b and 1 more");
        assert_eq!(and_more(["a", "b", "c"], 1), "a and 2 more");
        assert_eq!(and_more(["a", "b"], 0), "2 more");
    }
}
