//! A mail as it is sent (MAL-09, MAL-12, MAL-14).

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};

use super::recipients::{Recipients, bare};
use super::turns::Failure;
use crate::model::{LetterId, Timestamp};

/// What a mail is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    pub(super) from: String,
    pub(super) recipients: Recipients,
    pub(super) subject: String,
    /// The key, which is the same in every try (OUT-04).
    pub(super) id: String,
    /// The thread that it belongs to.
    pub(super) thread: Option<String>,
    pub(super) at: Timestamp,
    /// Further headers.
    pub(super) headers: Vec<(String, String)>,
    pub(super) text: String,
    pub(super) html: Option<String>,
    pub(super) attachments: Vec<Attached>,
}

/// Something that a mail has beside its text.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    pub(super) name: String,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(String),
    Bytes(Vec<u8>),
}

/// A mail, ready to be sent.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) from: lettre::Address,
    pub(super) to: Vec<lettre::Address>,
    /// With line ends of mails.
    pub(super) bytes: Vec<u8>,
}

/// The `Message-ID` of a letter: made of the identity of the state, the number and the host of the
/// sender.
pub(super) fn message_id(identity: &str, letter: LetterId, from: &str) -> String {
    format!("<buildmaster.{identity}.{letter}@{}>", host_of(from))
}

/// The part of an address after the `@`.
pub(super) fn host_of(from: &str) -> &str {
    bare(from)
        .rsplit_once('@')
        .map_or("localhost", |(_, host)| host)
}

/// What peers and people wrote must not bring headers or lines of its own (MSG-04).
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

impl Parts {
    /// Makes the mail.
    ///
    /// # Errors
    /// The sender or a recipient is not an address.
    pub(super) fn mail(self) -> Result<Mail, Failure> {
        let never = |what: &str| Failure::Never(format!("cannot write the mail: {what}"));
        let mailbox = |text: &str| {
            let parsed = text.parse::<Mailbox>();
            parsed.map_err(|error| never(&format!("{text:?}: {error}")))
        };
        let from = mailbox(&self.from)?;
        let mut all = Vec::new();
        let since = u64::try_from(self.at.0).unwrap_or(0);
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(since);
        let mut message = Message::builder()
            .from(from.clone())
            .subject(one_line(&self.subject))
            .date(at)
            .message_id(Some(self.id.clone()));
        for to in &self.recipients.to {
            let to = mailbox(to)?;
            all.push(to.email.clone());
            message = message.to(to);
        }
        for cc in &self.recipients.cc {
            let cc = mailbox(cc)?;
            all.push(cc.email.clone());
            message = message.cc(cc);
        }
        if let Some(thread) = &self.thread {
            message = message
                .in_reply_to(thread.clone())
                .references(thread.clone());
        }
        for (name, value) in self.headers() {
            if let Ok(name) = HeaderName::new_from_ascii(name) {
                message = message.raw_header(HeaderValue::new(name, one_line(&value)));
            }
        }
        let boundary = format!(
            "buildmaster-{}",
            self.id.trim_matches(['<', '>']).replace('@', "-")
        );
        let text = part(self.text, ContentType::TEXT_PLAIN);
        let made = match (self.html, self.attachments.is_empty()) {
            (None, true) => message.singlepart(text),
            (Some(html), true) => message.multipart(alternative(&boundary, text, html)),
            (html, false) => {
                let mixed = MultiPart::mixed().boundary(format!("{boundary}-m"));
                let mut mixed = match html {
                    None => mixed.singlepart(text),
                    Some(html) => mixed.multipart(alternative(&boundary, text, html)),
                };
                for attached in self.attachments {
                    mixed = mixed.singlepart(attached.part());
                }
                message.multipart(mixed)
            }
        };
        let made = made.map_err(|error| never(&error.to_string()))?;
        Ok(Mail {
            from: from.email,
            to: all,
            bytes: made.formatted(),
        })
    }

    /// The headers that say what sent the mail, and the further ones.
    fn headers(&self) -> Vec<(String, String)> {
        let list = format!("buildmaster <buildmaster.{}>", host_of(&self.from));
        let mut headers = vec![
            ("List-Id".to_owned(), list),
            ("Auto-Submitted".to_owned(), "auto-generated".to_owned()),
            ("Precedence".to_owned(), "bulk".to_owned()),
        ];
        headers.extend(self.headers.iter().cloned());
        headers
    }
}

impl Attached {
    fn part(self) -> SinglePart {
        let attachment = Attachment::new(one_line(&self.name));
        match self.content {
            Content::Text(text) => attachment.body(body(text), ContentType::TEXT_PLAIN),
            Content::Bytes(bytes) => {
                let kind = ContentType::parse("application/octet-stream");
                attachment.body(bytes, kind.unwrap_or(ContentType::TEXT_PLAIN))
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.len(),
            Content::Bytes(bytes) => bytes.len(),
        }
    }
}

fn alternative(boundary: &str, text: SinglePart, html: String) -> MultiPart {
    MultiPart::alternative()
        .boundary(format!("{boundary}-a"))
        .singlepart(text)
        .singlepart(part(html, ContentType::TEXT_HTML))
}

fn part(text: String, kind: ContentType) -> SinglePart {
    SinglePart::builder().content_type(kind).body(body(text))
}

/// The text, as it is or quoted-printable (MAL-12).
fn body(text: String) -> Body {
    let text: String = text.chars().filter(|&c| c != '\0').collect();
    let plain = ContentTransferEncoding::SevenBit;
    let encoded = Body::new_with_encoding(text, plain).or_else(|text| {
        let text = String::from_utf8_lossy(&text).into_owned();
        Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable)
    });
    encoded.unwrap_or_else(Body::new)
}
