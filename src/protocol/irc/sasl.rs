//! SASL: how a bot logs in to the services of a network (IRC-01).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Characters of one answer; a longer one is sent in pieces.
const PIECE: usize = 400;

/// How to log in.
#[derive(Clone, Eq, PartialEq)]
pub enum Sasl {
    /// With a name and a password.
    Plain {
        /// The account.
        account: String,
        /// Its password.
        password: String,
    },
    /// With the certificate of the connection.
    External,
}

impl std::fmt::Debug for Sasl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.mechanism())
    }
}

impl Sasl {
    /// The name of the mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::External => "EXTERNAL",
        }
    }

    /// What is sent when the server asks, in pieces.
    #[must_use]
    pub fn answer(&self) -> Vec<String> {
        let Self::Plain { account, password } = self else {
            return vec!["+".to_owned()];
        };
        let text = BASE64_STANDARD.encode(format!("{account}\0{account}\0{password}"));
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while rest.len() >= PIECE {
            let (piece, after) = rest.split_at(PIECE);
            pieces.push(piece.to_owned());
            rest = after;
        }
        // A whole last piece is followed by an empty one.
        pieces.push(if rest.is_empty() { "+" } else { rest }.to_owned());
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(password: &str) -> Sasl {
        Sasl::Plain {
            account: "bb".to_owned(),
            password: password.to_owned(),
        }
    }

    #[test]
    fn irc_01_sasl_answers_are_sent_in_pieces_of_400() {
        assert_eq!(plain("hunter2").answer(), ["YmIAYmIAaHVudGVyMg=="]);
        assert_eq!(Sasl::External.answer(), ["+"]);
        // 300 bytes are 400 characters.
        let pieces = plain(&"x".repeat(294)).answer();
        assert_eq!(pieces.len(), 2);
        assert_eq!((pieces[0].len(), &*pieces[1]), (400, "+"));
        let pieces = plain(&"x".repeat(295)).answer();
        assert_eq!((pieces[0].len(), pieces[1].len()), (400, 4));
        assert_eq!(format!("{:?}", plain("hunter2")), "PLAIN");
    }
}
