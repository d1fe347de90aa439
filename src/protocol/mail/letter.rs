//! A mail: its headers and its text, whatever its encoding.

use std::borrow::Cow;

use mail_parser::{HeaderName, HeaderValue, Message, MessageParser};
use sha2::{Digest as _, Sha256};

use crate::model::Timestamp;
use crate::text::Encoding;

/// A mail whose headers and parts are known.
#[derive(Debug)]
pub struct Letter<'m> {
    bytes: &'m [u8],
    /// Absent if there are no headers at all.
    message: Option<Message<'m>>,
    text: String,
}

/// Whose mails a source takes (MLD-06).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trust {
    /// The addresses that may send, without regard to case; `@example.org` is everybody there.
    /// Empty: everybody.
    pub from: Vec<String>,
    /// The receiving server that checks signatures, as its `Authentication-Results` name it. Mails
    /// without a good DKIM signature by its word are refused. Absent: nobody is asked.
    pub authserv_id: Option<String>,
}

/// Why a mail is not believed (MLD-06).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Mistrust {
    /// The sender is not in `from`.
    #[error("the sender {0:?} is not listed in `from`")]
    Sender(String),
    /// The receiving server does not say that a signature is good.
    #[error("{0} did not confirm a DKIM signature of the sender's domain")]
    Unsigned(String),
}

/// A mail that says nothing of its encoding, in UTF-8 if it is not (INT-08).
#[must_use]
pub fn in_utf8(mail: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    let is_said = mail
        .windows(CHARSET.len())
        .any(|word| word.eq_ignore_ascii_case(CHARSET));
    if encoding == Encoding::default() || is_said {
        return Cow::Borrowed(mail);
    }
    match encoding.decode(mail) {
        Cow::Borrowed(_) => Cow::Borrowed(mail),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// How a mail says its encoding.
const CHARSET: &[u8] = b"charset=";

impl<'m> Letter<'m> {
    /// Reads headers and parts. Nothing is too broken for this: what is not a header is text.
    #[must_use]
    pub fn open(bytes: &'m [u8]) -> Self {
        let message = MessageParser::default().parse(bytes);
        let text = message.as_ref().map_or_else(String::new, |message| {
            let bodies = 0..message.text_body_count();
            let bodies = bodies.filter_map(|n| message.body_text(n));
            bodies.map(|text| text.replace("\r\n", "\n")).collect()
        });
        Self {
            bytes,
            message,
            text,
        }
    }

    /// The hash by which this mail is known: of its `Message-ID`, or of all its bytes (MLD-05).
    #[must_use]
    pub fn delivery(&self) -> [u8; 32] {
        match self.message().and_then(Message::message_id) {
            Some(id) => Sha256::new_with_prefix("Message-ID:")
                .chain_update(id)
                .finalize()
                .into(),
            None => Sha256::digest(self.bytes).into(),
        }
    }

    /// Checks that the mail is of somebody whose mails are taken.
    ///
    /// # Errors
    /// The sender is not listed, or the receiving server did not confirm a signature.
    pub fn check(&self, trust: &Trust) -> Result<(), Mistrust> {
        let address = self.address().unwrap_or_default();
        let is_listed = |listed: &String| match listed.starts_with('@') {
            true => {
                let start = address.len().checked_sub(listed.len());
                let end = start.and_then(|start| address.get(start..));
                end.is_some_and(|end| end.eq_ignore_ascii_case(listed))
            }
            false => address.eq_ignore_ascii_case(listed),
        };
        if !trust.from.is_empty() && !trust.from.iter().any(is_listed) {
            return Err(Mistrust::Sender(address.to_owned()));
        }
        match &trust.authserv_id {
            Some(server) if !self.is_signed(server, address) => {
                Err(Mistrust::Unsigned(server.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Whether `server` says that a signature of the domain of `address` is good. Only the topmost
    /// of its results counts: those below came with the mail.
    fn is_signed(&self, server: &str, address: &str) -> bool {
        let domain = address.rsplit('@').next().unwrap_or_default();
        let name = HeaderName::Other("Authentication-Results".into());
        let headers = self.message().map_or(&[][..], Message::headers);
        let first = headers.iter().find(|header| header.name() == name.as_str());
        let Some(HeaderValue::Text(results)) = first.map(|header| &header.value) else {
            return false;
        };
        let mut parts = results.split(';').map(str::trim);
        let id = parts.next().and_then(|part| part.split_whitespace().next());
        if !id.is_some_and(|id| id.eq_ignore_ascii_case(server)) {
            return false;
        }
        parts.any(|part| {
            let mut words = part.split_whitespace();
            words.next() == Some("dkim=pass")
                && words.any(|word| {
                    let of = |name| {
                        word.strip_prefix(name)
                            .map(|d: &str| d.trim_start_matches('@'))
                    };
                    let signer = of("header.d=").or_else(|| of("header.i="));
                    signer.is_some_and(|signer| signer.eq_ignore_ascii_case(domain))
                })
        })
    }

    /// Whether a master like this one sent the mail (MAL-15).
    #[must_use]
    pub fn is_of_buildmaster(&self) -> bool {
        let Some(message) = self.message() else {
            return false;
        };
        let list = message.header_raw("List-Id").unwrap_or_default();
        let is_automatic = message.header_raw("Auto-Submitted").is_some();
        is_automatic && list.trim_start().starts_with("buildmaster <buildmaster.")
    }

    const fn message(&self) -> Option<&Message<'m>> {
        self.message.as_ref()
    }

    /// The address of the sender.
    pub(super) fn address(&self) -> Option<&str> {
        let from = self.message()?.from()?.first()?;
        from.address()
            .or(from.name())
            .filter(|address| !address.is_empty())
    }

    /// The name of the sender beside the address.
    pub(super) fn name(&self) -> Option<&str> {
        self.message()?.from()?.first()?.name()
    }

    /// The sender, as the server of the repository knows that user: the address up to its `@`.
    pub(super) fn user(&self) -> Option<&str> {
        let address = self.address()?;
        Some(address.split('@').next().unwrap_or(address))
    }

    pub(super) fn subject(&self) -> &str {
        let subject = self.message().and_then(Message::subject);
        subject.unwrap_or_default()
    }

    /// The time in the header, if it is one.
    pub(super) fn date(&self) -> Option<Timestamp> {
        let date = self.message()?.date().filter(|date| date.is_valid())?;
        Some(Timestamp::from_secs(date.to_timestamp()))
    }

    /// The text, line by line.
    pub(super) fn lines(&self) -> std::str::Lines<'_> {
        self.text.lines()
    }
}
