//! `buildbot desktop`: hands what the master tells its user to a program that shows it on the
//! desktop (PSH-07). The counterpart is `status::live`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::statuslog::{Login, log_in};
use super::{Failed, OptionsFile};
use crate::backoff::Backoff;
use crate::net::{IncomingCall, Peer, Tasks};
use crate::pb::{Failure, Target, Value};
use crate::process::{self, Limits, Output, Program};
use crate::text::{printable, printable_lines};

/// The command line.
#[derive(Clone, Debug, clap::Args)]
pub struct Given {
    /// How to log in.
    #[command(flatten)]
    pub login: Login,
    /// Program that shows a message, with its arguments; the title and the text are appended
    /// [default: notify-send].
    #[arg(last = true, value_name = "PROGRAM")]
    pub notifier: Vec<OsString>,
}

/// The usual program, of the desktops that have one.
const USUAL: Option<&str> = if cfg!(any(windows, target_os = "macos")) {
    None
} else {
    Some("notify-send")
};

/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pauses between two connections.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));

/// The connection is not read while this many messages wait.
const WAITING_MESSAGES: usize = 16;

/// Longest title, in characters.
const LONGEST_TITLE: usize = 200;

/// Longest text, in characters.
const LONGEST_TEXT: usize = 4000;

/// Hands messages on for as long as it runs, and connects again when the connection is lost. Says
/// in `out` when it is connected.
///
/// # Errors
/// The address is missing or malformed, there is no program, the master rejects the login, or
/// cannot be reached at first.
pub async fn desktop(
    given: &Given,
    options: &OptionsFile,
    tasks: &Tasks,
    out: &mut dyn Write,
) -> Result<(), Failed> {
    let notifier = notifier(&given.notifier)?;
    let (host, port) = given.login.host(options)?;
    let mut rng = StdRng::from_rng(&mut rand::rng());
    let mut pauses = PAUSES;
    let mut was_connected = false;
    loop {
        match log_in(&given.login, &host, port, tasks).await {
            Ok((peer, avatar)) => {
                was_connected = true;
                pauses.reset();
                follow(&peer, avatar, &notifier, out).await?;
                say(out, "lost connection")?;
            }
            Err(Failed::NotDone(why)) if was_connected => say(out, &why)?,
            Err(failed) => return Err(failed),
        }
        sleep(pauses.next_jittered(&mut rng)).await;
    }
}

/// Hands messages on until the connection is lost.
async fn follow(
    peer: &Peer,
    avatar: crate::pb::Luid,
    notifier: &[OsString],
    out: &mut dyn Write,
) -> Result<(), Failed> {
    let (observer, mut calls) = peer.export(WAITING_MESSAGES);
    // The least that there is: messages come however little is asked for.
    let args = vec![Value::bytes("builders"), Value::None, Value::Mine(observer)];
    let subscribing = peer.call(Target::Object(avatar), "subscribe", args, Vec::new());
    if subscribing.await.is_err() {
        peer.close("the master tells nothing");
        return Ok(());
    }
    say(out, "connected")?;
    loop {
        let call = tokio::select! {
            biased;
            call = calls.recv() => call,
            _lost = peer.lost() => None,
        };
        let Some(call) = call else {
            return Ok(());
        };
        let IncomingCall {
            method,
            args,
            reply,
            ..
        } = *call;
        if &method[..] == b"message" {
            match show(notifier, &args).await {
                Ok(()) => reply.value(Value::None),
                Err(why) => {
                    say(out, &why)?;
                    reply.fail(Failure::new("exceptions.EnvironmentError", why));
                }
            }
        } else {
            reply.value(Value::None);
        }
        for object in args.iter().filter_map(Value::as_theirs) {
            peer.release(object);
        }
    }
}

/// Has the program show a message: its first line is the title.
async fn show(notifier: &[OsString], args: &[Value]) -> Result<(), String> {
    let (title, text) = message(args);
    let words = notifier.iter().cloned();
    let words = words.chain([title.into(), text.into()]);
    let limits = Limits {
        time: Some(PATIENCE),
        ..Limits::default()
    };
    let program = Program::new(words);
    let shown = process::run(&program, None, Output::Discarded, Output::Discarded, limits);
    let name = notifier.first().map(|name| name.to_string_lossy());
    let name = name.unwrap_or_default();
    match shown.await {
        Ok(ended) if ended.how.is_success() => Ok(()),
        Ok(ended) => Err(format!("{name} {}", ended.how)),
        Err(error) => Err(format!("cannot run {name}: {error}")),
    }
}

/// The title and the text of a message: the program cannot take them for options.
fn message(args: &[Value]) -> (String, String) {
    let text = |at: usize| args.get(at).and_then(Value::as_text).unwrap_or_default();
    let (whole, link) = (text(0), text(1));
    let (first, rest) = whole.split_once('\n').unwrap_or((&whole, ""));
    let title: String = printable(first).chars().take(LONGEST_TITLE).collect();
    let mut text = printable_lines(rest);
    if !link.is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&printable(&link));
    }
    let text: String = text.chars().take(LONGEST_TEXT).collect();
    (no_option(&title), no_option(&text))
}

/// A word that the program cannot take for an option.
fn no_option(text: &str) -> String {
    match text.starts_with('-') {
        true => format!(" {text}"),
        false => text.to_owned(),
    }
}

/// The program that shows messages.
fn notifier(given: &[OsString]) -> Result<Vec<OsString>, Failed> {
    match (given.is_empty(), USUAL) {
        (false, _) => Ok(given.to_vec()),
        (true, Some(usual)) => Ok(vec![usual.into()]),
        (true, None) => {
            let why = "desktop: say after -- which program shows a message";
            Err(Failed::Usage(why.to_owned()))
        }
    }
}

fn say(out: &mut dyn Write, line: &str) -> Result<(), Failed> {
    let line = printable(line);
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    said.map_err(|e: io::Error| Failed::NotDone(format!("cannot print: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psh_07_a_message_has_a_title_and_a_text_that_are_no_options() {
        let of = |text: &str, link: &str| message(&[Value::bytes(text), Value::bytes(link)]);
        let said = |title: &str, text: &str| (title.to_owned(), text.to_owned());
        assert_eq!(of("it fails", ""), said("it fails", ""));
        assert_eq!(
            of("--icon=x\x1b[2J\nmore", "http://ci/1"),
            said(" --icon=x\u{fffd}[2J", "more\nhttp://ci/1")
        );
        assert_eq!(of("x", "-y").1, " -y");
        assert_eq!(message(&[]), said("", ""));
    }

    #[test]
    fn psh_07_there_is_a_usual_program_where_desktops_have_one() {
        let words = notifier(&["zenity".into(), "--info".into()]);
        assert!(words.is_ok_and(|words| words.len() == 2));
        assert_eq!(notifier(&[]).is_ok(), USUAL.is_some());
    }
}
