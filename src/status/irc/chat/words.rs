//! The words of a command, quoted as in a shell (IRC-03).

/// A quotation that does not end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct BadQuoting;

/// The words of `text`: parts in quotes are taken as they are, and a backslash takes the character
/// after it as it is.
pub(super) fn words(text: &str) -> Result<Vec<String>, BadQuoting> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(BadQuoting)? {
                        end if end == c => break,
                        '\\' if c == '"' => word.push(chars.next().ok_or(BadQuoting)?),
                        inner => word.push(inner),
                    }
                }
            }
            '\\' => {
                let escaped = chars.next().ok_or(BadQuoting)?;
                word.get_or_insert_default().push(escaped);
            }
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn irc_03_words_are_quoted_as_in_a_shell() {
        let split = |text| words(text).map(|words| words.join("|"));
        assert_eq!(
            split("  a  'b c'd \"e \\\" f\" g\\ h ''").as_deref(),
            Ok("a|b cd|e \" f|g h|")
        );
        assert_eq!(split("").as_deref(), Ok(""));
        for open in ["\"qu", "it's", "a\\", "\"a\\"] {
            assert_eq!(words(open), Err(BadQuoting), "{open}");
        }
    }
}
