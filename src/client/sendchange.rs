//! `buildbot sendchange`: sends a change to a master (FEATURES CLI-08). The counterpart is
//! `changes`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::encoding::Encoding;
use super::{Failed, OptionsFile, password};
use crate::model::{Delivery, NewChange, Properties, Timestamp};
use crate::net::client::{LoginError, connect_tcp, login};
use crate::net::{CallError, Peer, Tasks};
use crate::pb::{Luid, Target, Value};
use crate::protocol::change::{AGAIN, DELIVERY, MADE_AT, MAX_COMMENTS_BYTES, encode_change};
use crate::vc::Vc;

/// The command line. Its strings are undecoded, since `--encoding` names their encoding.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// HOST:PORT.
    pub master: Option<OsString>,
    /// USER:PASSWORD, or USER alone to be asked for the password.
    pub auth: Option<OsString>,
    /// Author.
    pub who: Option<OsString>,
    /// Repository.
    pub repository: Option<OsString>,
    /// Version control system.
    pub vc: Option<OsString>,
    /// Project.
    pub project: Option<OsString>,
    /// Branch.
    pub branch: Option<OsString>,
    /// Category.
    pub category: Option<OsString>,
    /// Codebase.
    pub codebase: Option<OsString>,
    /// Revision.
    pub revision: Option<OsString>,
    /// File with the revision in it; takes precedence over `revision`.
    pub revision_file: Option<OsString>,
    /// NAME:VALUE.
    pub properties: Vec<OsString>,
    /// Commit message.
    pub comments: Option<OsString>,
    /// File with the commit message in it, `-` for standard input, if there are no `comments`.
    pub logfile: Option<OsString>,
    /// The time of the change, in seconds since the epoch.
    pub when: Option<OsString>,
    /// The time of the commit, in seconds since the epoch.
    pub made_at: Option<OsString>,
    /// Whether the change counts as new even if the master knows its revision (INT-06).
    pub again: bool,
    /// Link to the revision.
    pub revlink: Option<OsString>,
    /// Encoding of all these strings.
    pub encoding: Option<String>,
    /// File with the names of more files, one a line or separated by NUL characters, `-` for
    /// standard input.
    pub files_from: Option<OsString>,
    /// Files of the change.
    pub files: Vec<OsString>,
}

/// A change ready to be sent.
#[derive(Clone, PartialEq)]
pub struct Prepared {
    /// Host of the master.
    pub host: String,
    /// Port of the master.
    pub port: u16,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Whether user and password are Buildbot's defaults because none were given.
    pub default_auth: bool,
    /// The change.
    pub change: NewChange,
    /// Whether the change counts as new even if the master knows its revision (INT-06).
    pub again: bool,
    /// What the master knows the change by if it comes twice (INT-03).
    pub delivery: Option<Delivery>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("change", &self.change)
            .field("again", &self.again)
            .finish_non_exhaustive()
    }
}

impl Given {
    /// Completes the command line with the options file and Buildbot's defaults. Reads the named
    /// files, and asks for the password if only a user was given.
    ///
    /// # Errors
    /// An option is missing or malformed, or a file cannot be read.
    pub fn prepare(self, options: &OptionsFile) -> Result<Prepared, Failed> {
        let words = Words::new(self.encoding.as_deref(), options)?;
        let who = match words.or_option(self.who, "who")? {
            Some(who) => Some(who),
            // The name of the option in Buildbot 0.7.
            None => words.or_option(None, "username")?,
        };
        let is_stdin = |file: &Option<OsString>| file.as_deref() == Some(OsStr::new("-"));
        if is_stdin(&self.logfile) && is_stdin(&self.files_from) {
            return Err(usage(
                "--logfile and --files-from cannot both be read from standard input",
            ));
        }
        let master = words.or_option(self.master, "master")?;
        let properties = self.properties.iter().map(|p| words.text(p));
        let change = NewChange {
            src: words.src(self.vc)?,
            revision: words.revision(self.revision, self.revision_file)?,
            comments: cut_comments(words.comments(self.comments, self.logfile)?),
            files: words.files(&self.files, self.files_from)?,
            files_left_out: 0,
            who: required(who, "who")?,
            branch: words.or_option(self.branch, "branch")?,
            when: time("--when", self.when)?,
            made_at: time("--made-at", self.made_at)?,
            project: words.maybe(self.project).unwrap_or_default(),
            repository: words.maybe(self.repository).unwrap_or_default(),
            codebase: words.maybe(self.codebase).unwrap_or_default(),
            category: words.or_option(self.category, "category")?,
            revlink: words.maybe(self.revlink).unwrap_or_default(),
            properties: parse_properties(properties)?,
            notes: Vec::new(),
            is_skipped: false,
        };
        let (host, port) = parse_address(&required(master, "master")?)?;
        let default_auth = self.auth.is_none();
        let auth = words.maybe(self.auth);
        let (user, password) = parse_auth(auth.as_deref().unwrap_or(DEFAULT_AUTH))?;
        Ok(Prepared {
            host,
            port,
            user,
            password,
            default_auth,
            change,
            again: self.again,
            delivery: None,
        })
    }
}

/// Reads what was given, in its encoding, with the options file behind it.
struct Words<'a> {
    encoding: Encoding,
    options: &'a OptionsFile,
}

impl<'a> Words<'a> {
    fn new(encoding: Option<&str>, options: &'a OptionsFile) -> Result<Self, Failed> {
        let encoding = match encoding {
            None => Encoding::default(),
            Some(name) => Encoding::from_name(name).ok_or_else(|| {
                usage(format!(
                    "--encoding: unknown encoding '{name}'; use utf8, latin-1 or ascii"
                ))
            })?,
        };
        Ok(Self { encoding, options })
    }

    fn text(&self, given: &OsStr) -> String {
        self.encoding.decode(given.as_encoded_bytes())
    }

    fn maybe(&self, given: Option<OsString>) -> Option<String> {
        given.map(|given| self.text(&given))
    }

    /// What was given, or the option of this name.
    fn or_option(&self, given: Option<OsString>, name: &str) -> Result<Option<String>, Failed> {
        match given {
            Some(given) => Ok(Some(self.text(&given))),
            None => self.options.text(name).map_err(|e| usage(e.to_string())),
        }
    }

    fn src(&self, vc: Option<OsString>) -> Result<Option<String>, Failed> {
        let src = self.or_option(vc, "vc")?.filter(|vc| !vc.is_empty());
        if let Some(vc) = &src {
            vc.parse::<Vc>()
                .map_err(|unknown| usage(format!("--vc: {unknown}")))?;
        }
        Ok(src)
    }

    fn revision(
        &self,
        given: Option<OsString>,
        file: Option<OsString>,
    ) -> Result<Option<String>, Failed> {
        let Some(file) = file.filter(|file| !file.is_empty()) else {
            return Ok(self.maybe(given));
        };
        let mut revision = self.encoding.decode(&read("--revision_file", &file)?);
        if revision.ends_with('\n') {
            revision.pop();
        }
        Ok(Some(revision))
    }

    fn comments(&self, given: Option<OsString>, file: Option<OsString>) -> Result<String, Failed> {
        match (self.maybe(given), file) {
            (Some(comments), _) if !comments.is_empty() => Ok(comments),
            (_, Some(file)) if !file.is_empty() => {
                Ok(self.encoding.decode(&read("--logfile", &file)?))
            }
            _ => Ok(String::new()),
        }
    }

    fn files(&self, given: &[OsString], list: Option<OsString>) -> Result<Vec<String>, Failed> {
        let mut files: Vec<String> = given.iter().map(|file| self.text(file)).collect();
        if let Some(list) = list.filter(|file| !file.is_empty()) {
            let list = read("--files-from", &list)?;
            files.extend(file_names(&list).map(|name| self.encoding.decode(name)));
        }
        Ok(files)
    }
}

fn required(value: Option<String>, name: &str) -> Result<String, Failed> {
    value.ok_or_else(|| {
        usage(format!(
            "--{name} is missing, and no options file says {name} = \"…\""
        ))
    })
}

/// The default user and password of Buildbot's client.
const DEFAULT_AUTH: &str = "change:changepw";

fn usage(text: impl Into<String>) -> Failed {
    Failed::Usage(text.into())
}

fn read(option: &str, file: &OsStr) -> Result<Vec<u8>, Failed> {
    let read = if option != "--revision_file" && file == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(Path::new(file))
    };
    read.map_err(|e| usage(format!("{option}: cannot read {}: {e}", file.display())))
}

/// The message, or the beginning of a message that is too long for the protocol, with a note on the
/// omitted bytes.
fn cut_comments(mut comments: String) -> String {
    if comments.len() > MAX_COMMENTS_BYTES {
        let mark =
            |left_out: usize| format!("\n[{left_out} bytes omitted: the message is too long]");
        let kept = comments.floor_char_boundary(MAX_COMMENTS_BYTES - mark(comments.len()).len());
        let left_out = comments.len() - kept;
        comments.truncate(kept);
        comments.push_str(&mark(left_out));
    }
    comments
}

/// The names in a list of files.
fn file_names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let separator = if list.contains(&0) { 0 } else { b'\n' };
    list.split(move |byte| *byte == separator)
        .map(move |name| match separator {
            0 => name,
            _ => name.strip_suffix(b"\r").unwrap_or(name),
        })
        .filter(|name| !name.is_empty())
}

/// Seconds since the epoch; an empty string is none.
fn time(option: &str, seconds: Option<OsString>) -> Result<Option<Timestamp>, Failed> {
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    let text = seconds.to_string_lossy();
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(secs) if secs.is_finite() => Ok(Some(Timestamp::from_secs_f64(secs))),
        Ok(_) | Err(_) => Err(usage(format!(
            "{option}: '{text}' is not a number of seconds since 1970"
        ))),
    }
}

fn parse_properties(given: impl Iterator<Item = String>) -> Result<Properties, Failed> {
    let mut properties = Properties::new();
    for property in given {
        let Some((name, value)) = property.split_once(':') else {
            return Err(usage(format!(
                "--property: '{property}' must have the form name:value"
            )));
        };
        properties.set(name, value, "Change");
    }
    Ok(properties)
}

/// HOST:PORT, with an IPv6 address in brackets.
pub(super) fn parse_address(master: &str) -> Result<(String, u16), Failed> {
    let form = || usage(format!("--master: '{master}' must have the form HOST:PORT"));
    let (host, port) = master.rsplit_once(':').ok_or_else(form)?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if host.is_empty() || (bare.is_none() && host.contains(':')) {
        return Err(form());
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((bare.unwrap_or(host).to_owned(), port)),
        Ok(_) | Err(_) => Err(form()),
    }
}

fn parse_auth(auth: &str) -> Result<(String, String), Failed> {
    if let Some((user, password)) = auth.split_once(':') {
        return Ok((user.to_owned(), password.to_owned()));
    }
    let asked = password::ask(&format!("Enter password for '{auth}': "));
    match asked {
        Ok(Some(password)) => Ok((auth.to_owned(), password)),
        Ok(None) => Err(usage(
            "--auth has no password, and there is no terminal to ask for it; give USER:PASSWORD",
        )),
        Err(e) => Err(usage(format!("--auth: cannot ask for the password: {e}"))),
    }
}

/// Sends the change; returns when the master has accepted it.
///
/// # Errors
/// The master cannot be reached, rejects the login or the change, or does not answer.
pub async fn sendchange(prepared: &Prepared, tasks: &Tasks) -> Result<(), Failed> {
    let Prepared { host, port, .. } = prepared;
    let connecting = timeout(PATIENCE, connect_tcp(host, *port, tasks));
    let peer = match connecting.await {
        Ok(Ok(peer)) => peer,
        Ok(Err(e)) => return Err(not_sent(format!("cannot connect to {host}:{port}: {e}"))),
        Err(_) => return Err(not_sent(format!("no connection to {host}:{port}"))),
    };
    let sent = timeout(PATIENCE, send_over(&peer, prepared)).await;
    peer.close("done");
    sent.unwrap_or_else(|_| {
        let secs = PATIENCE.as_secs();
        Err(not_sent(format!(
            "no answer from {host}:{port} in {secs} seconds; the master may have the change"
        )))
    })
}

/// Logs in and sends the change over a connection.
async fn send_over(peer: &Peer, prepared: &Prepared) -> Result<(), Failed> {
    let password = prepared.password.as_bytes();
    let avatar = login(peer, &prepared.user, password, Value::None)
        .await
        .map_err(|e| refused_login(prepared, &e))?;
    let again = prepared.again.then_some((AGAIN, Value::Bool(true)));
    let delivery = prepared.delivery.as_ref();
    let delivery = delivery.map(|delivery| (DELIVERY, Value::text(&delivery.0.to_string())));
    let more: Vec<_> = again.into_iter().chain(delivery).collect();
    let sent = add_change(peer, avatar, &prepared.change, &more).await;
    match sent {
        Ok(()) => Ok(()),
        Err(CallError::Remote(failure)) => {
            let why = failure.reason();
            Err(not_sent(format!("the master rejected the change: {why}")))
        }
        Err(CallError::Lost) => Err(not_sent(
            "the connection was lost before the master answered; the master may have the change",
        )),
    }
}

/// Sends a change, with keys that only our masters know. Buildbot's masters reject a change with
/// unknown keys, and get it without them.
pub(super) async fn add_change(
    peer: &Peer,
    avatar: Luid,
    change: &NewChange,
    more: &[(&str, Value)],
) -> Result<(), CallError> {
    let send = async |change: &NewChange, more: &[(&str, Value)]| {
        let mut dict = encode_change(change);
        if let Value::Dict(pairs) = &mut dict {
            let more = more.iter();
            pairs.extend(more.map(|(key, value)| (Value::text(key), value.clone())));
        }
        let avatar = Target::Object(avatar);
        let sent = peer.call(avatar, "addChange", vec![dict], Vec::new()).await;
        sent.map(|_| ())
    };
    let sent = send(change, more).await;
    let keys = more.iter().map(|(key, _)| *key).chain([MADE_AT]);
    let names_key = |text: &str| keys.clone().any(|key| text.contains(&format!("'{key}'")));
    match &sent {
        Err(CallError::Remote(failure)) if names_key(&failure.to_string()) => {
            let change = NewChange {
                made_at: None,
                ..change.clone()
            };
            send(&change, &[]).await
        }
        _ => sent,
    }
}

fn not_sent(why: impl std::fmt::Display) -> Failed {
    Failed::NotDone(format!("change not sent: {why}"))
}

fn refused_login(prepared: &Prepared, error: &LoginError) -> Failed {
    let user = &prepared.user;
    match error {
        LoginError::Unauthorized if prepared.default_auth => not_sent(format!(
            "the master does not know user '{user}' with Buildbot's default password; give --auth USER:PASSWORD"
        )),
        LoginError::Unauthorized => not_sent(format!(
            "the master does not know user '{user}' with this password"
        )),
        LoginError::Refused(_) | LoginError::Lost => not_sent(error),
    }
}

/// Time limit for connecting and for each answer. A master answers when the change is on disk.
const PATIENCE: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests;
