//! Texts of messages: what people wrote, and what is safe to say (IRC-07, MSG-04).

/// Bytes of a text that is said in one line (IRC-07).
const MOST_BYTES: usize = 400;

/// A colour of the usual palette.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Colour {
    /// For success.
    Green,
    /// For warnings.
    Orange,
    /// For failures.
    Red,
    /// For exceptions.
    Purple,
}

/// A text in a colour.
#[must_use]
pub fn coloured(text: &str, colour: Colour) -> String {
    let number = match colour {
        Colour::Green => 3,
        Colour::Red => 4,
        Colour::Purple => 6,
        Colour::Orange => 7,
    };
    format!("\u{3}{number:02}{text}\u{3}")
}

/// A text in lines of at most 400 bytes, cut at characters: at a space if one is near.
#[must_use]
pub fn cut(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.len() > MOST_BYTES {
        let mut end = MOST_BYTES;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (line, _) = rest.split_at(end);
        let end = match line.rfind(' ') {
            Some(space) if space > MOST_BYTES / 2 => space,
            Some(_) | None => end,
        };
        let (line, after) = rest.split_at(end);
        lines.push(line);
        rest = after.trim_start_matches(' ');
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest);
    }
    lines
}

/// A text from outside without anything that steers a client: no colours, no CTCP, no line ends
/// (MSG-04).
#[must_use]
pub fn safe(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if steers(c) { ' ' } else { c })
        .collect()
}

/// What somebody wrote, without colours and other marks.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{3}' => {
                let is_digit = |c: &char| c.is_ascii_digit();
                let mut digits = 0;
                while digits < 2 && chars.next_if(is_digit).is_some() {
                    digits += 1;
                }
                let mut after = chars.clone();
                let has_second = after.next() == Some(',') && after.next_if(is_digit).is_some();
                if digits > 0 && has_second {
                    after.next_if(is_digit);
                    chars = after;
                }
            }
            c if c.is_control() && c != '\u{1}' => {}
            c => plain.push(c),
        }
    }
    plain
}

/// The command and the rest of a CTCP message; absent if the text is none.
#[must_use]
pub fn ctcp(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('\u{1}')?;
    let inner = inner.strip_suffix('\u{1}').unwrap_or(inner);
    Some(inner.split_once(' ').unwrap_or((inner, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn irc_07_lines_have_at_most_400_bytes_and_whole_characters() {
        assert_eq!(cut(""), [""]);
        let exact = "a".repeat(400);
        assert_eq!(cut(&exact), [&*exact]);
        let more = "a".repeat(401);
        assert_eq!(cut(&more), [&*exact, "a"]);
        let wide = "\u{20ac}".repeat(300);
        let lines = cut(&wide);
        assert!(lines.iter().all(|line| line.len() <= MOST_BYTES));
        assert_eq!(lines.concat(), wide);
        let words = "seven w ".repeat(60);
        let lines = cut(words.trim_end());
        assert_eq!(lines.join(" "), words.trim_end());
    }

    #[test]
    fn msg_04_what_comes_from_outside_does_not_steer_a_client() {
        assert_eq!(safe("a\u{3}04b\u{1}\r\nQUIT\u{202e}"), "a 04b   QUIT ");
        assert_eq!(plain("\u{3}04,12st\u{2}atus\u{f} \u{3}1,x"), "status ,x");
        assert_eq!(plain("\u{3}"), "");
        assert_eq!(plain("\u{1}ACTION hugs\u{1}"), "\u{1}ACTION hugs\u{1}");
        assert_eq!(coloured("ok", Colour::Green), "\u{3}03ok\u{3}");
    }

    #[test]
    fn irc_01_a_ctcp_message_has_a_command() {
        assert_eq!(ctcp("\u{1}PING 1 2\u{1}"), Some(("PING", "1 2")));
        assert_eq!(ctcp("\u{1}VERSION"), Some(("VERSION", "")));
        assert_eq!(ctcp("\u{1}"), Some(("", "")));
        assert_eq!(ctcp("hello"), None);
    }
}
