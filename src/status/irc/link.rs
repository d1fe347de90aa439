//! The connection to a server: made, kept and made again (IRC-01).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Spot;
use crate::backoff::Backoff;
use crate::config::{IrcConfig, Secret};
use crate::control::{Control, read_password};
use crate::model::Unseen;
use crate::protocol::irc::{
    Heard, Hints, LONGEST_LINE, Message, Pacer, Sasl, Session, Wishes, line,
};

/// Lines that wait to be said.
pub(super) const LINES: usize = 1024;

/// What was heard and waits for the desk.
pub(super) const HEARD: usize = 64;

/// The longest pause between two connections (IRC-01).
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How long a connection may take to be made, and a line to be sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something to do on the connection.
#[derive(Debug)]
pub(super) enum ToLink {
    /// Say something.
    Say {
        to: String,
        command: &'static str,
        text: String,
    },
    /// Have the server say when it has come so far.
    Mark(String),
    Join(String),
    Leave(String),
    /// Say where somebody is, and whether that is proved; nothing if they are not here.
    Find {
        hints: Hints,
        /// What is not said to those of whom it is not proved.
        unseen: Arc<Unseen>,
        answer: oneshot::Sender<Spot>,
    },
}

/// Something that was heard.
#[derive(Debug)]
pub(super) enum FromLink {
    /// What, and whether the bot would see the nick go that has said it.
    Heard(Heard, bool),
    /// Whether what is said now is heard in the channels.
    Settled(bool),
    /// The connection is lost, and what was to be said with it.
    Lost,
}

/// The connection of a target.
#[derive(Debug)]
pub(super) struct Link {
    config: Arc<IrcConfig>,
    control: Control,
    to_say: mpsc::Receiver<ToLink>,
    hears: mpsc::Sender<FromLink>,
}

/// A connection that is open.
struct Open<S> {
    stream: BufReader<S>,
    session: Session,
    pacer: Pacer,
    is_settled: bool,
}

impl Link {
    pub(super) fn new(
        config: Arc<IrcConfig>,
        control: Control,
        to_say: mpsc::Receiver<ToLink>,
        hears: mpsc::Sender<FromLink>,
    ) -> Self {
        Self {
            config,
            control,
            to_say,
            hears,
        }
    }

    /// Keeps a connection until `leaving` is cancelled.
    pub(super) async fn run(mut self, leaving: CancellationToken) {
        let mut failed = Backoff::new(self.config.failed_delay, LONGEST_PAUSE);
        let mut lost = Backoff::new(self.config.lost_delay, LONGEST_PAUSE);
        let mut rng = StdRng::from_rng(&mut rand::rng());
        loop {
            let (error, was_settled) = tokio::select! {
                biased;
                () = leaving.cancelled() => return,
                ended = self.connected(&leaving) => ended,
            };
            if leaving.is_cancelled() || self.hears.send(FromLink::Lost).await.is_err() {
                return;
            }
            let pauses = if was_settled {
                failed.reset();
                lost.reset();
                &mut lost
            } else {
                &mut failed
            };
            let pause = pauses.next_jittered(&mut rng);
            let server = format!("{}:{}", self.config.host, self.config.port);
            warn!(
                pause_ms = pause.as_millis(),
                "no connection to {server}: {error:#}"
            );
            let waiting = sleep(pause);
            tokio::pin!(waiting);
            loop {
                tokio::select! {
                    biased;
                    () = leaving.cancelled() => return,
                    () = &mut waiting => break,
                    // What is said while there is no connection is lost.
                    said = self.to_say.recv() => if said.is_none() { return },
                }
            }
        }
    }

    /// Makes a connection and serves it. Says why it has ended, and whether it was of use.
    async fn connected(&mut self, leaving: &CancellationToken) -> (anyhow::Error, bool) {
        let wishes = match self.wishes().await {
            Ok(wishes) => wishes,
            Err(error) => return (error, false),
        };
        let (host, port) = (self.config.host.clone(), self.config.port);
        let connecting = timeout(PATIENCE, TcpStream::connect((host.as_str(), port)));
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return (error.into(), false),
            Err(_) => return (anyhow::anyhow!("the server does not answer"), false),
        };
        if !self.config.tls {
            return self.serve(stream, wishes, leaving).await;
        }
        let shaking = async {
            let connector = connector(&self.config).await?;
            let name = ServerName::try_from(host).context("the name of the host")?;
            let shaken = timeout(PATIENCE, connector.connect(name, stream)).await;
            shaken
                .context("the TLS handshake takes too long")?
                .context("TLS")
        };
        match shaking.await {
            Ok(stream) => self.serve(stream, wishes, leaving).await,
            Err(error) => (error, false),
        }
    }

    async fn wishes(&self) -> anyhow::Result<Wishes> {
        let config = &self.config;
        let mut channels = Vec::new();
        for channel in &config.channels {
            channels.push((
                channel.name.clone(),
                self.secret(channel.key.as_ref()).await?,
            ));
        }
        let sasl = match (
            self.secret(config.sasl_password.as_ref()).await?,
            &config.certificate_file,
        ) {
            (Some(password), _) => Some(Sasl::Plain {
                account: config
                    .sasl_account
                    .clone()
                    .unwrap_or_else(|| config.nick.clone()),
                password,
            }),
            (None, Some(_)) => Some(Sasl::External),
            (None, None) => None,
        };
        Ok(Wishes {
            nick: config.nick.clone(),
            name: format!("buildmaster of {}", self.control.config().title),
            password: self.secret(config.server_password.as_ref()).await?,
            sasl,
            nickserv: self.secret(config.password.as_ref()).await?,
            channels,
            version: format!("buildmaster {}", env!("CARGO_PKG_VERSION")),
        })
    }

    async fn secret(&self, secret: Option<&Secret>) -> anyhow::Result<Option<String>> {
        let Some(secret) = secret.cloned() else {
            return Ok(None);
        };
        let reading = self.control.reader().read(move |state| {
            let password = read_password(&secret, state.basedir());
            Ok::<_, crate::store::StoreError>(password)
        });
        match reading.await? {
            Ok(password) => Ok(Some(String::from_utf8(password).context("a password")?)),
            Err(why) => bail!("{why}"),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: S,
        wishes: Wishes,
        leaving: &CancellationToken,
    ) -> (anyhow::Error, bool) {
        let mut open = Open {
            stream: BufReader::new(stream),
            session: Session::new(wishes, self.control.clock().now().mono),
            pacer: Pacer::default(),
            is_settled: false,
        };
        let mut was_settled = false;
        let mut bytes = Vec::new();
        loop {
            was_settled |= open.is_settled;
            match self.step(&mut open, &mut bytes, leaving).await {
                Ok(true) => {}
                Ok(false) => {
                    let quit = open.write("QUIT :the bot leaves");
                    drop(timeout(Duration::from_secs(1), quit).await);
                    return (anyhow::anyhow!("the bot leaves"), was_settled);
                }
                Err(error) => return (error, was_settled),
            }
        }
    }

    /// One thing that happens. False if the bot leaves.
    async fn step<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        open: &mut Open<S>,
        bytes: &mut Vec<u8>,
        leaving: &CancellationToken,
    ) -> anyhow::Result<bool> {
        let clock = *self.control.clock();
        while let Some(line) = open.session.next_line() {
            open.write(&line).await?;
        }
        while let Some(line) = open.pacer.next(clock.now().mono) {
            open.write(&line).await?;
        }
        self.hand_over(open).await?;
        let due = open
            .pacer
            .due()
            .map_or(open.session.due(), |due| due.min(open.session.due()));
        tokio::select! {
            biased;
            () = leaving.cancelled() => return Ok(false),
            // Cancel safe: what was read stays in `bytes`.
            read = read_line(&mut open.stream, bytes) => {
                read?;
                if let Some(message) = Message::parse(bytes) {
                    open.session.handle(&message, clock.now().mono);
                }
                bytes.clear();
            }
            wish = self.to_say.recv() => match wish {
                Some(wish) => open.take(wish, clock.now().mono),
                None => return Ok(false),
            },
            () = tokio::time::sleep_until(clock.instant(due)) => {
                open.session.tick(clock.now().mono);
            }
        }
        Ok(true)
    }

    /// Gives the desk what was heard.
    async fn hand_over<S>(&self, open: &mut Open<S>) -> anyhow::Result<()> {
        while let Some(heard) = open.session.next_heard() {
            if let Heard::Failed { why } = heard {
                bail!("{why}");
            }
            let is_seen = match &heard {
                Heard::Said { nick, .. } => open.session.network().sees(nick),
                Heard::Renamed { .. } | Heard::Gone { .. } | Heard::Reached { .. } => true,
                Heard::Failed { .. } => false,
            };
            self.hears.send(FromLink::Heard(heard, is_seen)).await?;
        }
        if open.session.is_settled() != open.is_settled {
            open.is_settled = !open.is_settled;
            if open.is_settled {
                info!(nick = ?open.session.nick(), "connected to {}", self.config.host);
            }
            self.hears.send(FromLink::Settled(open.is_settled)).await?;
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Open<S> {
    async fn write(&mut self, line: &str) -> anyhow::Result<()> {
        let text = format!("{line}\r\n");
        let writing = async {
            let stream = self.stream.get_mut();
            stream.write_all(text.as_bytes()).await?;
            stream.flush().await
        };
        timeout(PATIENCE, writing)
            .await
            .context("the server takes nothing")??;
        Ok(())
    }

    fn take(&mut self, wish: ToLink, now: crate::model::Mono) {
        match wish {
            ToLink::Say { to, command, text } => {
                if let Some(line) = line(command, &[&to, &text]) {
                    self.pacer.push(&to, line);
                }
            }
            ToLink::Mark(mark) => {
                if let Some(line) = Session::mark(&mark) {
                    self.pacer.push(self.session.nick(), line);
                }
            }
            ToLink::Join(channel) => {
                self.session.join(&channel, None, now);
            }
            ToLink::Leave(channel) => self.session.leave(&channel),
            ToLink::Find {
                hints,
                unseen,
                answer,
            } => {
                if let Some((nick, is_proved)) = self.session.network().here(&hints, now) {
                    let unseen = (!is_proved).then_some(unseen);
                    // The asker may have given up.
                    drop(answer.send(Spot { nick, unseen }));
                }
            }
        }
    }
}

/// Reads up to the end of a line into `bytes`, also when it was stopped before.
async fn read_line<S: AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
    bytes: &mut Vec<u8>,
) -> anyhow::Result<()> {
    loop {
        let read = stream.fill_buf().await?;
        if read.is_empty() {
            bail!("the server has closed the connection");
        }
        let end = memchr::memchr(b'\n', read);
        let taken = end.map_or(read.len(), |end| end + 1);
        if bytes.len() + taken > LONGEST_LINE {
            bail!("the server sends a line that is too long");
        }
        bytes.extend_from_slice(&read[..taken]);
        stream.consume(taken);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// What makes TLS connections: with the certificates of the system, and those of `ca_file`.
async fn connector(config: &IrcConfig) -> anyhow::Result<TlsConnector> {
    let (ca_file, own) = (config.ca_file.clone(), config.certificate_file.clone());
    let made = crate::blocking::run(move || client_config(ca_file, own)).await??;
    Ok(TlsConnector::from(Arc::new(made)))
}

fn client_config(ca_file: Option<PathBuf>, own: Option<PathBuf>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if let Some(file) = ca_file {
        let place = || format!("cannot read `ca_file` {}", file.display());
        for certificate in CertificateDer::pem_file_iter(&file).with_context(place)? {
            roots.add(certificate.with_context(place)?)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let Some(file) = own else {
        return Ok(builder.with_no_client_auth());
    };
    let place = || format!("cannot read `certificate_file` {}", file.display());
    let chain = CertificateDer::pem_file_iter(&file).with_context(place)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().with_context(place)?;
    let key = PrivateKeyDer::from_pem_file(&file).with_context(place)?;
    Ok(builder.with_client_auth_cert(chain, key)?)
}
