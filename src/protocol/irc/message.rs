//! Lines of the protocol: RFC 1459 with the tags of IRCv3.

/// Bytes of a line that are read: 8191 of tags and 512 of the rest.
pub const LONGEST_LINE: usize = 8191 + 512;

/// Bytes of a line that is sent, without its end.
const MOST_SENT: usize = 510;

/// Parameters of a line; what follows belongs to the last.
const MOST_PARAMS: usize = 15;

/// A line from a server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Message {
    /// The account of the sender at the services of the network, if the server says it (tag
    /// `account`).
    pub account: Option<String>,
    /// The nick of the sender, or the name of the server; empty if the line does not say.
    pub nick: String,
    /// `user@host` of the sender; empty if the line does not say.
    pub address: String,
    /// The command in capital letters, or a number of three digits.
    pub command: String,
    /// The parameters.
    pub params: Vec<String>,
}

impl Message {
    /// Reads a line without its end. Bytes that are not UTF-8 are replaced. Absent if the line says
    /// nothing.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(line);
        let mut rest = text.trim_end_matches(['\r', '\n']);
        let mut message = Self::default();
        if let Some(tagged) = rest.strip_prefix('@') {
            let (tags, after) = tagged.split_once(' ')?;
            let mut tags = tags.split(';').filter_map(|tag| tag.split_once('='));
            let account = tags.find(|(name, value)| *name == "account" && !value.is_empty());
            message.account = account.map(|(_, value)| unescaped(value));
            rest = after.trim_start_matches(' ');
        }
        if let Some(sourced) = rest.strip_prefix(':') {
            let (source, after) = sourced.split_once(' ')?;
            let (nick, address) = source.split_once('!').unwrap_or((source, ""));
            nick.clone_into(&mut message.nick);
            address.clone_into(&mut message.address);
            rest = after.trim_start_matches(' ');
        }
        let (command, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if command.is_empty() || !command.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        message.command = command.to_ascii_uppercase();
        loop {
            rest = rest.trim_start_matches(' ');
            if rest.is_empty() {
                return Some(message);
            }
            if let Some(last) = rest.strip_prefix(':') {
                message.params.push(last.to_owned());
                return Some(message);
            }
            if message.params.len() + 1 == MOST_PARAMS {
                message.params.push(rest.to_owned());
                return Some(message);
            }
            let (param, after) = rest.split_once(' ').unwrap_or((rest, ""));
            message.params.push(param.to_owned());
            rest = after;
        }
    }

    /// A parameter; empty if there are fewer.
    #[must_use]
    pub fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }
}

/// The value of a tag as it was meant.
fn unescaped(value: &str) -> String {
    let mut text = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next().map(|escaped| match escaped {
                ':' => ';',
                's' => ' ',
                'r' => '\r',
                'n' => '\n',
                other => other,
            })),
            c => text.push(c),
        }
    }
    text
}

/// A line to send, without its end. The last parameter may have spaces; line ends in it are
/// replaced, and what is too long is cut. Absent if another parameter is empty, has a space or
/// begins with a colon: then it would be read as something else.
#[must_use]
pub fn line(command: &str, params: &[&str]) -> Option<String> {
    let mut line = command.to_owned();
    let breaks = |c: char| matches!(c, '\r' | '\n' | '\0');
    if let Some((last, others)) = params.split_last() {
        for param in others {
            if param.is_empty() || param.starts_with(':') || param.contains([' ', '\r', '\n', '\0'])
            {
                return None;
            }
            line.push(' ');
            line.push_str(param);
        }
        let is_plain = !last.is_empty() && !last.starts_with(':') && !last.contains(' ');
        line.push_str(if is_plain { " " } else { " :" });
        line.extend(last.chars().map(|c| if breaks(c) { ' ' } else { c }));
    }
    let end = (0..=line.len().min(MOST_SENT)).rev();
    let end = end.into_iter().find(|&end| line.is_char_boundary(end));
    line.truncate(end.unwrap_or(0));
    Some(line)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn parsed(line: &str) -> Message {
        Message::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn irc_01_a_line_has_tags_a_source_a_command_and_parameters() {
        let line = "@time=1;account=ann\\sl;x :ann_!a@h PRIVMSG  #dev  :bb: status quick \r\n";
        let message = parsed(line);
        assert_eq!(message.account.as_deref(), Some("ann l"));
        assert_eq!((&*message.nick, &*message.address), ("ann_", "a@h"));
        assert_eq!(message.command, "PRIVMSG");
        assert_eq!(message.params, ["#dev", "bb: status quick "]);
        assert_eq!(message.param(7), "");
        let plain = parsed("ping irc.example.org");
        assert_eq!(
            (&*plain.command, plain.param(0)),
            ("PING", "irc.example.org")
        );
        assert_eq!(parsed("001 bb :").params, ["bb", ""]);
        let many = "X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        assert_eq!(parsed(many).params.len(), MOST_PARAMS);
        assert_eq!(parsed(many).param(14), "15 16");
    }

    #[test]
    fn irc_01_hostile_lines_say_nothing() {
        for line in [
            "",
            " ",
            ":",
            ":a",
            "@",
            "@a",
            "@a :b",
            ":a  ",
            "\r\n",
            "PR\u{1}V x",
            ": :",
        ] {
            assert_eq!(Message::parse(line.as_bytes()), None, "{line:?}");
        }
        let odd = Message::parse(b":\xff!\xfe PRIVMSG #dev :\xc3").unwrap();
        assert_eq!(odd.nick, "\u{fffd}");
        assert_eq!(parsed("@account=;account= X").account, None);
    }

    #[test]
    fn irc_01_nothing_that_is_sent_is_two_lines_or_too_long() {
        let said = line("PRIVMSG", &["#dev", "a\r\nQUIT :b\0"]);
        assert_eq!(said.as_deref(), Some("PRIVMSG #dev :a  QUIT :b "));
        assert_eq!(line("JOIN", &["#dev"]).as_deref(), Some("JOIN #dev"));
        assert_eq!(line("QUIT", &[":)"]).as_deref(), Some("QUIT ::)"));
        for odd in ["", "a b", ":a", "a\nb"] {
            assert_eq!(line("PRIVMSG", &[odd, "x"]), None, "{odd:?}");
        }
        let long = line("PRIVMSG", &["#dev", &"\u{e4}".repeat(600)]).unwrap();
        assert!(long.len() <= MOST_SENT && long.ends_with('\u{e4}'));
    }
}
