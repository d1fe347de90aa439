//! Splits a command into words as a POSIX shell does, with quotes and backslashes but without
//! expansions.

/// The words of `command`; absent if there are none or a quote is not closed.
pub(super) fn split(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = command.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '"' => break,
                        '\\' => match rest.next()? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(rest.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words).filter(|words| !words.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_protect_blanks() {
        for (command, words) in [
            ("ssh", vec!["ssh"]),
            (" ssh  -v\t-o A=b ", vec!["ssh", "-v", "-o", "A=b"]),
            (
                "'/my ssh' \"a b\\\"c\\d\" e\\ f",
                vec!["/my ssh", "a b\"c\\d", "e f"],
            ),
            ("ssh ''", vec!["ssh", ""]),
            ("a'b c'd", vec!["ab cd"]),
        ] {
            let words = words.into_iter().map(str::to_owned).collect();
            assert_eq!(split(command), Some(words), "{command}");
        }
        for wrong in ["", "  ", "ssh 'a", "ssh \"a", "ssh \\"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }
}
