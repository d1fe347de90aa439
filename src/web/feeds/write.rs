//! Writing feeds as Atom 1.0 and RSS 2.0.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

use super::entries::Entry;
use crate::model::Timestamp;
use crate::web::xml::{HEAD, element, escaped};

/// A feed.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) title: String,
    /// The address of the master, without a slash at its end.
    pub(super) base: String,
    /// The path of the feed.
    pub(super) path: &'static str,
    /// What it tells.
    pub(super) what: &'static str,
    /// The name in identifiers.
    pub(super) host: String,
    pub(super) updated: Timestamp,
    pub(super) entries: Vec<Entry>,
}

impl Feed {
    /// As Atom.
    pub(super) fn atom(&self) -> String {
        let mut xml = HEAD.to_owned();
        xml += "<feed xmlns=\"http://www.w3.org/2005/Atom\">\n";
        element(&mut xml, "title", &self.title);
        element(&mut xml, "id", &self.id(&format!("/{}", self.what)));
        element(&mut xml, "updated", &rfc_3339(self.updated));
        let (base, path) = (escaped(&self.base), self.path);
        write(
            &mut xml,
            format_args!("<link rel=\"self\" href=\"{base}{path}\"/>\n"),
        );
        write(&mut xml, format_args!("<link href=\"{base}/\"/>\n"));
        element(&mut xml, "generator", "buildmaster");
        for entry in &self.entries {
            xml += "<entry>\n";
            element(&mut xml, "title", &entry.title);
            element(&mut xml, "id", &self.id(&entry.path));
            let link = escaped(&format!("{}{}", self.base, entry.path));
            write(&mut xml, format_args!("<link href=\"{link}\"/>\n"));
            element(&mut xml, "updated", &rfc_3339(entry.at));
            element(&mut xml, "published", &rfc_3339(entry.at));
            match entry.authors.as_slice() {
                [] => write(
                    &mut xml,
                    format_args!("<author><name>nobody</name></author>\n"),
                ),
                authors => {
                    for name in authors {
                        let name = escaped(name);
                        write(
                            &mut xml,
                            format_args!("<author><name>{name}</name></author>\n"),
                        );
                    }
                }
            }
            let html = escaped(&entry.html);
            write(
                &mut xml,
                format_args!("<content type=\"html\">{html}</content>\n"),
            );
            xml += "</entry>\n";
        }
        xml += "</feed>\n";
        xml
    }

    /// As RSS.
    pub(super) fn rss(&self) -> String {
        let mut xml = HEAD.to_owned();
        xml += "<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\" \
                xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n<channel>\n";
        element(&mut xml, "title", &self.title);
        element(&mut xml, "link", &format!("{}/", self.base));
        element(
            &mut xml,
            "description",
            &format!("The newest {}", self.what),
        );
        element(&mut xml, "language", "en");
        element(&mut xml, "lastBuildDate", &rfc_2822(self.updated));
        element(&mut xml, "generator", "buildmaster");
        let (base, path) = (escaped(&self.base), self.path);
        write(
            &mut xml,
            format_args!(
                "<atom:link rel=\"self\" type=\"application/rss+xml\" href=\"{base}{path}\"/>\n"
            ),
        );
        for entry in &self.entries {
            xml += "<item>\n";
            element(&mut xml, "title", &entry.title);
            element(&mut xml, "link", &format!("{}{}", self.base, entry.path));
            let id = escaped(&self.id(&entry.path));
            write(
                &mut xml,
                format_args!("<guid isPermaLink=\"false\">{id}</guid>\n"),
            );
            element(&mut xml, "pubDate", &rfc_2822(entry.at));
            for name in &entry.authors {
                element(&mut xml, "dc:creator", name);
            }
            element(&mut xml, "description", &entry.html);
            xml += "</item>\n";
        }
        xml += "</channel>\n</rss>\n";
        xml
    }

    /// The identifier of what is at `path`.
    fn id(&self, path: &str) -> String {
        let path = path.trim_start_matches('/');
        format!("tag:{},2026:{path}", self.host)
    }
}

fn rfc_3339(at: Timestamp) -> String {
    utc(at).to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn rfc_2822(at: Timestamp) -> String {
    utc(at).to_rfc2822()
}

fn utc(at: Timestamp) -> DateTime<Utc> {
    DateTime::<Utc>::from_timestamp_micros(at.0).unwrap_or_default()
}

fn write(xml: &mut String, piece: std::fmt::Arguments<'_>) {
    xml.write_fmt(piece)
        .expect("writing to a string cannot fail");
}
