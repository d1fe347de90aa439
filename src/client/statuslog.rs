//! `buildbot statuslog`: prints what happens at a master, line by line (FEATURES CLI-10). The
//! counterpart is `status::live`.
//!
//! The lines are those of Buildbot's own program, so that scripts that read them go on working.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use clap::ValueEnum;
use tokio::time::timeout;

use super::sendchange::parse_address;
use super::{Failed, OptionsFile};
use crate::model::Channel;
use crate::net::client::{LoginError, connect_tcp, login};
use crate::net::{CallError, IncomingCall, Peer, Tasks};
use crate::pb::{Luid, Target, Value};
use crate::text::{printable, printable_lines};

/// The command line.
#[derive(Clone, Debug, clap::Args)]
pub struct Given {
    /// How to log in.
    #[command(flatten)]
    pub login: Login,
    /// How much to print; each word includes those before it.
    #[arg(short, long, value_name = "WHAT", default_value = "steps")]
    pub events: Events,
}

/// How a status client logs in.
#[derive(Clone, Debug, clap::Args)]
pub struct Login {
    /// Address of the build master's status port [default: masterstatus or master of the options
    /// file].
    #[arg(short, long, value_name = "HOST:PORT")]
    pub master: Option<String>,
    /// User name.
    #[arg(short, long, value_name = "USER", default_value = "statusClient")]
    pub username: String,
    /// Password.
    #[arg(short, long, value_name = "PASSWORD", default_value = "clientpw")]
    pub passwd: String,
    /// Another way to give the address.
    #[arg(value_name = "HOST:PORT", conflicts_with = "master")]
    pub address: Option<String>,
}

/// What a status client is told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Events {
    /// Builders that are added and removed.
    Builders,
    /// States of builders, and builds that start and end.
    Builds,
    /// Steps that start and end, and estimates of builds.
    #[default]
    Steps,
    /// Logs that are opened and closed, and estimates of steps.
    Logs,
    /// The text of logs.
    Full,
}

impl Events {
    /// Its name on the wire.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Builders => "builders",
            Self::Builds => "builds",
            Self::Steps => "steps",
            Self::Logs => "logs",
            Self::Full => "full",
        }
    }
}

/// Prints what happens to `out`, until the master ends the connection.
///
/// # Errors
/// The address is missing or malformed, the master cannot be reached or rejects the login, or
/// nobody reads `out`.
pub async fn statuslog(
    given: &Given,
    options: &OptionsFile,
    tasks: &Tasks,
    out: &mut dyn Write,
) -> Result<(), Failed> {
    let (host, port) = given.login.host(options)?;
    let (peer, avatar) = log_in(&given.login, &host, port, tasks).await?;
    print(out, "connected")?;
    let (observer, mut notifications) = peer.export(WAITING_NOTIFICATIONS);
    let args = vec![
        Value::bytes(given.events.as_str()),
        Value::Int(ETA_INTERVAL_SECS),
        Value::Mine(observer),
    ];
    let subscribed = peer.call(Target::Object(avatar), "subscribe", args, Vec::new());
    let mut subscribed = std::pin::pin!(subscribed);
    let mut is_subscribed = false;
    loop {
        tokio::select! {
            biased;
            call = notifications.recv() => match call {
                Some(call) => on_notification(&peer, *call, out)?,
                None => break,
            },
            answer = &mut subscribed, if !is_subscribed => match answer {
                Ok(_) => is_subscribed = true,
                Err(CallError::Remote(failure)) => {
                    let why = printable(failure.reason());
                    return Err(Failed::NotDone(format!("the master tells nothing: {why}")));
                }
                Err(CallError::Lost) => break,
            },
            _lost = peer.lost() => break,
        }
    }
    print(out, "lost connection")
}

/// The connection is not read while this many notifications wait.
const WAITING_NOTIFICATIONS: usize = 64;
/// The interval of estimates, in seconds; that of Buildbot's program.
const ETA_INTERVAL_SECS: i64 = 5;
/// Time limit for connecting and for the login.
const PATIENCE: Duration = Duration::from_secs(60);

impl Login {
    /// The host and the port of the master.
    pub(super) fn host(&self, options: &OptionsFile) -> Result<(String, u16), Failed> {
        if let Some(address) = self.master.as_ref().or(self.address.as_ref()) {
            return parse_address(address);
        }
        for name in ["masterstatus", "master"] {
            let found = options
                .text(name)
                .map_err(|e| Failed::Usage(e.to_string()))?;
            if let Some(address) = found {
                return parse_address(&address);
            }
        }
        let why = "--master is missing, and no options file says masterstatus = \"HOST:PORT\"";
        Err(Failed::Usage(why.to_owned()))
    }
}

/// Logs in at a master; gives the connection and the object that answers.
pub(super) async fn log_in(
    given: &Login,
    host: &str,
    port: u16,
    tasks: &Tasks,
) -> Result<(Peer, Luid), Failed> {
    let at = format!("{host}:{port}");
    let not_done = |why: String| Failed::NotDone(why);
    let peer = match timeout(PATIENCE, connect_tcp(host, port, tasks)).await {
        Ok(Ok(peer)) => peer,
        Ok(Err(e)) => return Err(not_done(format!("cannot connect to {at}: {e}"))),
        Err(_) => return Err(not_done(format!("no connection to {at}"))),
    };
    let password = given.passwd.as_bytes();
    let logging_in = login(&peer, &given.username, password, Value::None);
    match timeout(PATIENCE, logging_in).await {
        Ok(Ok(avatar)) => Ok((peer, avatar)),
        Ok(Err(LoginError::Unauthorized)) => Err(Failed::Refused(format!(
            "the master at {at} does not know user '{}' with this password; give --username and --passwd, and the \
             port of a PBListener, not the slave port",
            given.username
        ))),
        Ok(Err(e @ LoginError::Refused(_))) => Err(Failed::Refused(format!("{at}: {e}"))),
        Ok(Err(e @ LoginError::Lost)) => Err(not_done(format!("{e} while logging in at {at}"))),
        Err(_) => Err(not_done(format!("no answer from {at}"))),
    }
}

/// Prints a notification, answers it, and lets go of the objects that came with it.
fn on_notification(peer: &Peer, call: IncomingCall, out: &mut dyn Write) -> Result<(), Failed> {
    let IncomingCall {
        method,
        args,
        reply,
        ..
    } = call;
    if let Some(line) = line_of(&method, &args) {
        print(out, &line)?;
    }
    reply.value(Value::None);
    for object in args.iter().filter_map(Value::as_theirs) {
        peer.release(object);
    }
    Ok(())
}

/// The line that is printed for a notification; absent for one that is not printed.
fn line_of(method: &[u8], args: &[Value]) -> Option<String> {
    let shown = |at: usize| show(args.get(at).unwrap_or(&Value::None));
    Some(match method {
        b"builderAdded" => format!("builderAdded {}", shown(0)),
        b"builderRemoved" => format!("builderRemoved {}", shown(0)),
        b"builderChangedState" => {
            format!("builderChangedState {} {} {}", shown(0), shown(1), shown(2))
        }
        b"buildStarted" => format!("buildStarted {}", shown(0)),
        b"buildFinished" => format!("buildFinished {}", shown(2)),
        b"buildETAUpdate" => format!("ETA {} {}", shown(0), shown(2)),
        b"stepStarted" => format!("stepStarted {} {}", shown(0), shown(2)),
        b"stepFinished" => format!("stepFinished {} {} {}", shown(0), shown(2), shown(4)),
        b"stepETAUpdate" => format!("stepETA {} {} {}", shown(0), shown(2), shown(4)),
        b"logStarted" => format!("logStarted {} {}", shown(0), shown(2)),
        b"logFinished" => format!("logFinished {} {}", shown(0), shown(2)),
        b"logChunk" => {
            let channel = args.get(6).and_then(Value::as_int);
            let channel = match channel {
                Some(number) if number == Channel::Stderr as i64 => "STDERR",
                Some(number) if number == Channel::Header as i64 => "HEADER",
                _ => "STDOUT",
            };
            let text = args.get(7).and_then(Value::as_text).unwrap_or_default();
            format!("logChunk[{channel}]: {}", printable_lines(&text))
        }
        b"message" => format!("message {} {}", shown(0), shown(1)),
        _ => return None,
    })
}

/// A value as Python prints it: a text as it is.
fn show(value: &Value) -> String {
    match value.as_text() {
        Some(text) => printable(&text),
        None => represent(value),
    }
}

/// A value as Python represents it within another.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "masters send nothing else here"
)]
fn represent(value: &Value) -> String {
    let list = |items: &[Value]| {
        let items: Vec<String> = items.iter().map(represent).collect();
        items.join(", ")
    };
    match value.unshared() {
        Value::None => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Bytes(text) | Value::Text(text) => quote(&String::from_utf8_lossy(text)),
        Value::List(items) => format!("[{}]", list(items)),
        Value::Tuple(items) => match items.as_slice() {
            [item] => format!("({},)", represent(item)),
            items => format!("({})", list(items)),
        },
        _ => "?".to_owned(),
    }
}

/// A text in Python's quotes.
fn quote(text: &str) -> String {
    let mark = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut quoted = String::from(mark);
    for c in text.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            c if c == mark => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => {
                write!(quoted, "\\x{:02x}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c => quoted.push_str(&printable(c.encode_utf8(&mut [0; 4]))),
        }
    }
    quoted.push(mark);
    quoted
}

fn print(out: &mut dyn Write, line: &str) -> Result<(), Failed> {
    let printed = writeln!(out, "{line}").and_then(|()| out.flush());
    printed.map_err(|e: io::Error| Failed::NotDone(format!("cannot print: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(method: &str, args: &[Value]) -> String {
        line_of(method.as_bytes(), args).unwrap_or_default()
    }

    fn text(text: &str) -> Value {
        Value::bytes(text)
    }

    #[test]
    fn cli_10_lines_are_those_of_buildbot() {
        let object = || Value::Theirs(Luid(3));
        let results = Value::Tuple(vec![
            Value::Int(2),
            Value::List(vec![text("rc3"), text("it's")]),
        ]);
        let finished = [text("full"), object(), text("test"), object(), results];
        assert_eq!(
            line("stepFinished", &finished),
            "stepFinished full test (2, ['rc3', \"it's\"])"
        );
        let state = [text("full"), text("idle"), Value::None];
        assert_eq!(
            line("builderChangedState", &state),
            "builderChangedState full idle None"
        );
        let eta = [text("full"), object(), Value::Float(12.0)];
        assert_eq!(line("buildETAUpdate", &eta), "ETA full 12.0");
        let ended = [text("full"), object(), Value::Int(5)];
        assert_eq!(line("buildFinished", &ended), "buildFinished 5");
        let mut chunk = vec![text("full"), object(), text("test"), object()];
        chunk.extend([text("stdio"), object(), Value::Int(1), text("a\x1b[2J\nb")]);
        assert_eq!(
            line("logChunk", &chunk),
            "logChunk[STDERR]: a\u{fffd}[2J\nb"
        );
        let message = [text("it fails"), text("http://ci/1")];
        assert_eq!(line("message", &message), "message it fails http://ci/1");
        assert_eq!(line_of(b"newbuild", &[]), None);
    }

    #[test]
    fn what_a_master_sends_cannot_steer_a_terminal() {
        assert_eq!(line("builderRemoved", &[text("a\x1b]0;x\x07")]), {
            "builderRemoved a\u{fffd}]0;x\u{fffd}"
        });
        assert_eq!(quote("a\x1b\n\u{202e}"), "'a\\x1b\\n\u{fffd}'");
        assert_eq!(line("stepStarted", &[]), "stepStarted None None");
    }
}
