//! Accepting connections.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, info_span, warn};

use super::Tasks;
use super::door::Door;
use super::keepalive::prepare;
use crate::backoff::Backoff;
use crate::config::Listen;

/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1024;
/// How long to wait when the system has no descriptor for a new connection; doubles up to
/// [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// That the system has no descriptor is logged at most once in this time.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// Where we listen: with the port that the system chose if none was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Bound {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    /// Which.
    pub address: String,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Listens on all of `addresses` or on none, and lets in who comes through `door`, until the tasks
/// stop.
///
/// # Errors
/// One of them cannot be listened on.
pub fn listen(
    addresses: &[Listen],
    door: &Arc<Door>,
    tasks: &Tasks,
) -> Result<Vec<Bound>, ListenError> {
    let opened: Vec<Opened> = addresses.iter().map(open).collect::<Result<_, _>>()?;
    let (keep_open, door) = watch::channel(Arc::clone(door));
    let stopping = tasks.stopping();
    tasks.spawn(info_span!("door"), async move {
        stopping.await;
        drop(keep_open);
    });
    let serve = |opened: Opened| opened.serve(door.clone(), tasks);
    Ok(opened.into_iter().map(serve).collect())
}

/// An address that is bound, but does not accept connections yet.
#[derive(Debug)]
pub struct Opened {
    listener: Listener,
    bound: Bound,
}

/// Begins to listen; closed again when the result is dropped.
///
/// # Errors
/// The address cannot be listened on.
pub fn open(address: &Listen) -> Result<Opened, ListenError> {
    let (listener, bound) = Listener::bind(address).map_err(|source| ListenError {
        address: for_people(address),
        source,
    })?;
    Ok(Opened { listener, bound })
}

/// Finds out whether an address could be listened on now, without anybody being able to connect.
///
/// # Errors
/// It could not.
pub fn probe(address: &Listen) -> Result<(), ListenError> {
    let probed = match address {
        Listen::Tcp(address) => match socket_at(*address) {
            Err(error) if is_any_v6(*address) && lacks_v6(&error) => {
                socket_at(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()))).map(drop)
            }
            other => other.map(drop),
        },
        Listen::Unix(path) => probe_unix(path),
    };
    probed.map_err(|source| ListenError {
        address: for_people(address),
        source,
    })
}

fn for_people(address: &Listen) -> String {
    match address {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => path.display().to_string(),
    }
}

impl Opened {
    /// Lets in who comes, through whatever door is there at the time, until the tasks stop or the
    /// other end of `door` is dropped.
    #[must_use]
    pub fn serve<G: Gate>(self, door: watch::Receiver<G>, tasks: &Tasks) -> Bound {
        let Self { listener, bound } = self;
        info!("listening on {bound}");
        let span = info_span!("listener", address = %bound);
        tasks.spawn(span, accept_all(listener, door, tasks.clone()));
        bound
    }
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        _file: SocketFile,
    },
}

/// A connection that was accepted.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP, with the address of the peer.
    Tcp(TcpStream, IpAddr, String),
    /// Over a Unix socket.
    Unix(UnixStream),
}

/// Who takes the connections of a listener.
pub trait Gate: Clone + Send + Sync + 'static {
    /// Takes a connection; returns at once.
    fn admit(&self, stream: Stream);

    /// The system has no descriptor for a new connection: closes one that can be spared.
    fn make_room(&self);
}

impl Gate for Arc<Door> {
    fn admit(&self, stream: Stream) {
        match stream {
            Stream::Tcp(stream, ip, address) => self.accept(stream, &address, Some(ip)),
            Stream::Unix(stream) => self.accept(stream, "unix", None),
        }
    }

    fn make_room(&self) {
        Door::make_room(self);
    }
}

/// A socket's file, removed with the listener.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Listener {
    fn bind(address: &Listen) -> io::Result<(Self, Bound)> {
        match address {
            Listen::Tcp(address) => {
                let listener = match bind_tcp(*address) {
                    // All addresses were asked for, on a machine without IPv6.
                    Err(error) if is_any_v6(*address) && lacks_v6(&error) => {
                        bind_tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))?
                    }
                    other => other?,
                };
                let bound = Bound::Tcp(listener.local_addr()?);
                Ok((Self::Tcp(listener), bound))
            }
            Listen::Unix(path) => {
                let listener = bind_unix(path)?;
                let listener = Self::Unix {
                    listener,
                    _file: SocketFile(path.clone()),
                };
                Ok((listener, Bound::Unix(path.clone())))
            }
        }
    }

    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                prepare(&stream)?;
                let ip: IpAddr = address.ip().to_canonical();
                let address = SocketAddr::new(ip, address.port()).to_string();
                Ok(Stream::Tcp(stream, ip, address))
            }
            Self::Unix { listener, .. } => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

async fn accept_all<G: Gate>(listener: Listener, mut door: watch::Receiver<G>, tasks: Tasks) {
    let mut stopping = std::pin::pin!(tasks.stopping());
    let mut pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut warned: Option<Instant> = None;
    loop {
        // Accepting is cancel-safe: a connection is either taken or still in the backlog.
        let accepted = tokio::select! {
            biased;
            () = &mut stopping => return,
            changed = door.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                pauses.reset();
                let door = door.borrow().clone();
                door.admit(stream);
            }
            Err(error) if is_out_of_resources(&error) => {
                if warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
                    warn!("cannot accept connections for now: {error}");
                    warned = Some(Instant::now());
                }
                door.borrow().make_room();
                tokio::select! {
                    biased;
                    () = &mut stopping => return,
                    () = sleep(pauses.next_delay()) => {}
                }
            }
            // The client went away before it was accepted.
            Err(error) => debug!("a connection was not accepted: {error}"),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    socket_at(address)?.listen(BACKLOG)
}

/// A socket that is bound to `address`, and does not listen yet.
fn socket_at(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv6() {
        let socket = TcpSocket::new_v6()?;
        let only_v6 = !is_any_v6(address);
        rustix::net::sockopt::set_ipv6_v6only(&socket, only_v6)?;
        socket
    } else {
        TcpSocket::new_v4()?
    };
    socket.set_reuseaddr(true)?;
    bind_patiently(&socket, address)?;
    Ok(socket)
}

/// A program that a killed master was about to start keeps the master's port until it runs: such a
/// port is free again a moment later.
fn bind_patiently(socket: &TcpSocket, address: SocketAddr) -> io::Result<()> {
    for _ in 0..BIND_ATTEMPTS {
        match socket.bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                std::thread::sleep(BIND_PAUSE)
            }
            other => return other,
        }
    }
    socket.bind(address)
}

/// How often, and how long apart, a port in use is tried again: for a fifth of a second.
const BIND_ATTEMPTS: u32 = 10;
const BIND_PAUSE: Duration = Duration::from_millis(20);

fn is_any_v6(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V6(ip) if ip.is_unspecified())
}

fn lacks_v6(error: &io::Error) -> bool {
    use rustix::io::Errno;

    matches!(
        Errno::from_io_error(error),
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
    )
}

/// A file that an earlier process left behind is removed; one that somebody listens on is not.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if !is_stale(path)? {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        other => other,
    }
}

/// Whether a socket could be made at `path`, in place of one that nobody listens on.
fn probe_unix(path: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};

    match is_stale(path) {
        Ok(true) => {}
        Ok(false) => return Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        Some(_) | None => Path::new("."),
    };
    Ok(access(dir, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Whether there is a socket at `path` that nobody listens on.
fn is_stale(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::FileTypeExt as _;

    let is_socket = std::fs::symlink_metadata(path)?.file_type().is_socket();
    Ok(is_socket
        && std::os::unix::net::UnixStream::connect(path)
            .is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused))
}

fn is_out_of_resources(error: &io::Error) -> bool {
    use rustix::io::Errno;

    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            debug!("{}: {error}", self.0.display());
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp {address}"),
            Self::Unix(path) => write!(f, "unix {}", path.display()),
        }
    }
}
