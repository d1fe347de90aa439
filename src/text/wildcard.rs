//! Patterns on names.

/// Whether `pattern` matches all of `name`. A `*` stands for any characters, a `?` for one.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` is, and how much of the name it stands for so far ends where.
    let mut last: Option<(usize, usize)> = None;
    while let Some(&c) = name.get(n) {
        match pattern.get(p) {
            Some('*') => {
                last = Some((p, n));
                p += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == c => {
                p += 1;
                n += 1;
            }
            Some(_) | None => {
                let Some((star, end)) = last else {
                    return false;
                };
                last = Some((star, end + 1));
                p = star + 1;
                n = end + 1;
            }
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|&c| c == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_others() {
        for (pattern, name, expected) in [
            ("linux-*", "linux-x86", true),
            ("linux-*", "linux-", true),
            ("linux-*", "alinux-x", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("*/x?", "a/b/x1", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "aab", false),
            ("a?c", "ac", false),
            ("zo?", "zoë", true),
            ("a.c", "abc", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
