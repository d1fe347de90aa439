//! What a review says to Gerrit over ssh (PSH-05), without I/O.

/// A review of a patch set.
#[derive(Clone, Copy, Debug)]
pub struct Review<'r> {
    /// The project of the change.
    pub project: &'r str,
    /// The commit of the patch set.
    pub revision: &'r str,
    /// What it says, in lines.
    pub message: &'r str,
    /// The label, a word, and its value.
    pub label: (&'r str, i8),
    /// Whom Gerrit mails; absent: as the server has it.
    pub notify: Option<&'r str>,
}

/// Bytes of a message: Gerrit takes 16 KiB.
const LONGEST_MESSAGE: usize = 15 * 1024;

/// The command for Gerrit that makes a review.
#[must_use]
pub fn review(review: &Review<'_>) -> String {
    let (label, value) = review.label;
    let mut command = format!("gerrit review --project {}", quoted(review.project));
    if let Some(notify) = review.notify {
        command.push_str(&format!(" --notify {}", quoted(notify)));
    }
    let mut end = review.message.len().min(LONGEST_MESSAGE);
    while !review.message.is_char_boundary(end) {
        end -= 1;
    }
    let message = review.message.get(..end).unwrap_or_default();
    let (message, revision) = (quoted(message), quoted(review.revision));
    command.push_str(&format!(
        " --message {message} --label {label}={value} {revision}"
    ));
    command
}

/// A word in quotes. Gerrit has no way to write a quote within them, so it becomes another sign;
/// control characters but line ends are left out.
fn quoted(word: &str) -> String {
    let plain = word.chars().filter(|c| *c == '\n' || !c.is_control());
    let plain: String = plain.map(|c| if c == '\'' { '"' } else { c }).collect();
    format!("'{plain}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psh_05_hostile_texts_stay_within_their_quotes() {
        let command = review(&Review {
            project: "widget'; rm -rf /",
            revision: "c0ffee",
            message: "it's\u{1b}[0m bad\nhttp://ci/",
            label: ("Verified", -1),
            notify: Some("OWNER"),
        });
        assert_eq!(
            command,
            "gerrit review --project 'widget\"; rm -rf /' --notify 'OWNER' \
             --message 'it\"s[0m bad\nhttp://ci/' --label Verified=-1 'c0ffee'"
        );
        let long = "grün ".repeat(10_000);
        let command = review(&Review {
            project: "p",
            revision: "r",
            message: &long,
            label: ("Verified", 1),
            notify: None,
        });
        assert!(command.len() < 16 * 1024, "{}", command.len());
    }
}
