//! Mail to a server by SMTP (MAL-10).
//!
//! A connection serves several mails, one after the other. Whether a refusal is for now or for good
//! is what the server's code says (OUT-06).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::time::{Instant, timeout};

use super::message::Mail;
use super::turns::{Failure, Refused};
use crate::config::{SmtpConfig, SmtpTls};
use crate::net::error_chain;

/// How long a command may take (OUT-06).
const PATIENCE: Duration = Duration::from_secs(30);

/// Mails that a connection serves (MAL-10).
const MOST_MAILS: u32 = 20;

/// How long a connection waits for the next mail.
const IDLE: Duration = Duration::from_secs(10);

/// After as many tries, a recipient who is refused for now does not hold up the others.
const MOST_TRIES: u32 = 4;

/// Connections that wait for the next mail. The lock is held for a look.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<Vec<Kept>>);

struct Kept {
    server: SmtpConfig,
    connection: AsyncSmtpConnection,
    mails: u32,
    used_at: Instant,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("server", &self.server)
            .finish()
    }
}

/// Why a mail was not taken.
enum Trouble {
    /// The connection does not work any more; the server has seen nothing of this mail.
    Stale(String),
    Failed(Failure),
}

impl Connections {
    /// Sends a mail that was tried `tries` times before.
    pub(super) async fn send(
        &self,
        server: &SmtpConfig,
        password: Option<String>,
        mail: &Mail,
        tries: u32,
    ) -> Result<Refused, Failure> {
        if let Some(mut kept) = self.take(server) {
            match transmit(&mut kept.connection, mail, tries).await {
                Ok(refused) => {
                    self.keep(kept).await;
                    return Ok(refused);
                }
                Err(Trouble::Failed(failure)) => return Err(failure),
                Err(Trouble::Stale(_)) => {}
            }
        }
        let connection = connect(server, password).await?;
        let mut kept = Kept {
            server: server.clone(),
            connection,
            mails: 0,
            used_at: Instant::now(),
        };
        match transmit(&mut kept.connection, mail, tries).await {
            Ok(refused) => {
                self.keep(kept).await;
                Ok(refused)
            }
            Err(Trouble::Failed(failure)) => Err(failure),
            Err(Trouble::Stale(why)) => Err(Failure::Later(why)),
        }
    }

    /// A connection to the server that waits for a mail. Those that have waited for too long are
    /// closed.
    fn take(&self, server: &SmtpConfig) -> Option<Kept> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|kept| kept.used_at.elapsed() < IDLE);
        let at = all.iter().position(|kept| kept.server == *server)?;
        Some(all.swap_remove(at))
    }

    async fn keep(&self, mut kept: Kept) {
        kept.mails += 1;
        kept.used_at = Instant::now();
        if kept.mails >= MOST_MAILS {
            // The mail is taken; how the server says goodbye does not matter.
            drop(timeout(PATIENCE, kept.connection.quit()).await);
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(kept);
    }
}

/// Connects, encrypts and logs in. What fails here is tried again: it is not about the mail.
async fn connect(
    server: &SmtpConfig,
    password: Option<String>,
) -> Result<AsyncSmtpConnection, Failure> {
    let place = format!("{}:{}", server.host, server.port);
    let later = |what: &str, error: &Error| {
        let why = format!("{what} {place}: {}", error_chain(error));
        Failure::Later(crate::text::printable(&why))
    };
    let late = || Failure::Later(format!("{place} did not answer in time"));
    let authority = authority(server).await?;
    // Another part of the program may have chosen it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let parameters = || {
        let mut wanted = TlsParameters::builder(server.host.clone());
        if let Some(authority) = &authority {
            wanted = wanted.add_root_certificate(authority.clone());
        }
        let made = wanted.build_rustls();
        made.map_err(|error| later("cannot encrypt to", &error))
    };
    let hello = ClientId::default();
    let implicit = match server.tls {
        SmtpTls::Implicit => Some(parameters()?),
        SmtpTls::None | SmtpTls::Offered | SmtpTls::StartTls => None,
    };
    let address = (server.host.as_str(), server.port);
    let opening =
        AsyncSmtpConnection::connect_tokio1(address, Some(PATIENCE), &hello, implicit, None);
    let opened = timeout(PATIENCE, opening).await.map_err(|_| late())?;
    let mut connection = opened.map_err(|error| later("cannot reach", &error))?;
    let encrypts = match server.tls {
        SmtpTls::StartTls => true,
        SmtpTls::Offered => connection.can_starttls(),
        SmtpTls::None | SmtpTls::Implicit => false,
    };
    if encrypts {
        let encrypting = connection.starttls(parameters()?, &hello);
        let encrypted = timeout(PATIENCE, encrypting).await.map_err(|_| late())?;
        encrypted.map_err(|error| later("cannot encrypt to", &error))?;
    }
    if let (Some((user, _)), Some(password)) = (&server.login, password) {
        if !connection.is_encrypted() && !server.is_here() {
            let why = format!("no login at {place}: the connection is not encrypted");
            return Err(Failure::Later(why));
        }
        let credentials = Credentials::new(user.clone(), password);
        let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
        let login = timeout(PATIENCE, login).await.map_err(|_| late())?;
        login.map_err(|error| later("cannot log in at", &error))?;
    }
    Ok(connection)
}

/// The certificates that are trusted besides those of the system, as they are now.
async fn authority(server: &SmtpConfig) -> Result<Option<Certificate>, Failure> {
    let Some(file) = server.ca_file.clone() else {
        return Ok(None);
    };
    let why = format!("cannot read `ca_file` {}", file.display());
    let later = |error: &dyn std::error::Error| Failure::Later(format!("{why}: {error}"));
    let read = crate::blocking::run(move || std::fs::read(file)).await;
    let text = read.map_err(|error| later(&error))?;
    let text = text.map_err(|error| later(&error))?;
    let parsed = Certificate::from_pem(&text);
    parsed.map(Some).map_err(|error| later(&error))
}

/// What a command came to: the answer, or the refusal, or nothing that can be understood.
async fn answer(
    answering: impl Future<Output = Result<Response, Error>>,
) -> Result<Result<(), (bool, String)>, String> {
    match timeout(PATIENCE, answering).await {
        Err(_) => Err("the server did not answer in time".to_owned()),
        Ok(Ok(_)) => Ok(Ok(())),
        Ok(Err(error)) => {
            let why = crate::text::printable(&error_chain(&error));
            match (error.is_permanent(), error.is_transient()) {
                (true, _) => Ok(Err((true, why))),
                (false, true) => Ok(Err((false, why))),
                (false, false) => Err(why),
            }
        }
    }
}

/// Hands a mail over.
async fn transmit(
    connection: &mut AsyncSmtpConnection,
    mail: &Mail,
    tries: u32,
) -> Result<Refused, Trouble> {
    let later = |why| Trouble::Failed(Failure::Later(why));
    let fail = |(is_final, why): (bool, String)| match is_final {
        true => Trouble::Failed(Failure::Never(why)),
        false => Trouble::Failed(Failure::Later(why)),
    };
    let from = MailFrom::new(Some(mail.from.clone()), Vec::new());
    match answer(connection.command(from)).await {
        Err(why) => return Err(Trouble::Stale(why)),
        // A server that closes an idle connection says so in answer to the next command.
        Ok(Err((_, why))) if why.contains("421") => return Err(Trouble::Stale(why)),
        // A login is wanted: that is about the settings, not about the mail.
        Ok(Err((_, why))) if why.contains("530") => return Err(later(why)),
        Ok(Err(refusal)) => return Err(fail(refusal)),
        Ok(Ok(())) => {}
    }
    let mut refused = Vec::new();
    let mut waits = None;
    for to in &mail.to {
        let rcpt = Rcpt::new(to.clone(), Vec::new());
        match answer(connection.command(rcpt)).await.map_err(later)? {
            Ok(()) => {}
            Err((false, why)) if tries < MOST_TRIES => waits = Some(format!("{to}: {why}")),
            Err((_, why)) => refused.push(format!("{to}: {why}")),
        }
    }
    let failure = match waits {
        // Nobody gets it, so that nobody gets it twice.
        Some(why) => Some(Failure::Later(why)),
        None if refused.len() == mail.to.len() => Some(Failure::Never(refused.join("; "))),
        None => None,
    };
    if let Some(failure) = failure {
        // The connection is given up.
        drop(timeout(PATIENCE, connection.command(Rset)).await);
        drop(timeout(PATIENCE, connection.quit()).await);
        return Err(Trouble::Failed(failure));
    }
    let data = answer(connection.command(Data)).await.map_err(later)?;
    data.map_err(fail)?;
    let taken = answer(connection.message(&mail.bytes))
        .await
        .map_err(later)?;
    taken.map_err(fail)?;
    Ok((!refused.is_empty()).then(|| refused.join("; ")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::Value;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that replies with `code` at one point of its only conversation.
    async fn serve(listener: TcpListener, code: u64, place: &'static str) {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let reply = |at: &str, usual: &str| match at == place {
            true => format!("{code} so it is\r\n"),
            false => usual.to_owned(),
        };
        let greeting = reply("connect", "220 here\r\n");
        stream.write_all(greeting.as_bytes()).await.unwrap();
        let mut is_in_data = false;
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            let answer = match line.get(..4).unwrap_or_default() {
                _ if is_in_data && line != ".\r\n" => String::new(),
                _ if is_in_data => {
                    is_in_data = false;
                    reply("data", "250 taken\r\n")
                }
                "EHLO" => "250-here\r\n250 AUTH PLAIN\r\n".to_owned(),
                "AUTH" => reply("auth", "235 come in\r\n"),
                "MAIL" => reply("mail", "250 yes\r\n"),
                "RCPT" => reply("rcpt", "250 yes\r\n"),
                "DATA" => {
                    is_in_data = true;
                    "354 go on\r\n".to_owned()
                }
                _ => "250 yes\r\n".to_owned(),
            };
            // The client may have gone.
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            line.clear();
        }
    }

    #[tokio::test]
    async fn out_06_all_cases_of_smtp_replies() {
        let cases = include_str!("../../../tests/data/outbox-cases.json");
        let cases: Value = serde_json::from_str(cases).unwrap();
        let mut count = 0;
        for case in cases["cases"].as_array().unwrap() {
            let Some(code) = case["given"]["reply"].as_u64() else {
                continue;
            };
            let places = ["connect", "auth", "mail", "rcpt", "data"];
            let mut places = places.into_iter();
            let place = places.find(|place| case["given"]["at"] == **place).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = SmtpConfig {
                host: "127.0.0.1".to_owned(),
                port: listener.local_addr().unwrap().port(),
                tls: SmtpTls::None,
                ca_file: None,
                login: Some(("ci".to_owned(), crate::config::Secret::default())),
            };
            let serving = tokio::spawn(serve(listener, code, place));
            let mail = Mail {
                from: "ci@example.org".parse().unwrap(),
                to: vec!["ann@example.org".parse().unwrap()],
                bytes: b"Subject: x\r\n\r\nhi\r\n".to_vec(),
            };
            let connections = Connections::default();
            let sent = connections
                .send(&server, Some("pw".to_owned()), &mail, 0)
                .await;
            let class = match &sent {
                Ok(None) => "delivered",
                Err(Failure::Later(_)) => "later",
                Err(Failure::Never(_)) => "never",
                Ok(Some(_)) | Err(_) => panic!("{sent:?}"),
            };
            assert_eq!(case["expect"]["class"], class, "{}: {sent:?}", case["id"]);
            drop(connections);
            serving.await.unwrap();
            count += 1;
        }
        assert_eq!(count, 9);
    }
}
