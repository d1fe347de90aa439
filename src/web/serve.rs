//! Connections of readers: HTTP/1.1 with limits.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, info_span};

use super::answer;
use super::log::Peer;
use super::patient::Patient;
use super::site::Site;
use crate::net::listen::{Gate, Stream};

/// Time limit for the head of a request; also how long a connection may be silent.
const HEAD: Duration = Duration::from_secs(10);

/// Maximum number of bytes of the head of a request.
const HEAD_BYTES: usize = 16 * 1024;

/// Maximum number of bytes of the body of a request.
const BODY_BYTES: u64 = 64 * 1024;

impl Gate for Site {
    fn admit(&self, stream: Stream) {
        match stream {
            Stream::Tcp(stream, ip, peer) => self.open(stream, Some(ip), &peer),
            Stream::Unix(stream) => self.open(stream, None, "unix"),
        }
    }

    /// Silent connections end by themselves after some seconds.
    fn make_room(&self) {}
}

impl Site {
    fn open<S>(&self, stream: S, ip: Option<IpAddr>, peer: &str)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // Who has too many connections sees this one closed.
        let Some(place) = self.inner.connections.take(ip) else {
            debug!(peer, "connection of a reader closed: too many are open");
            return;
        };
        let site = self.clone();
        self.inner.tasks.spawn(info_span!("web", peer), async move {
            site.serve(stream, ip).await;
            drop(place);
        });
    }

    /// Serves a connection until it ends, or until the master stops.
    async fn serve<S>(&self, stream: S, ip: Option<IpAddr>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service = service_fn(|request| self.answer(request, ip));
        serve(stream, service, self.inner.tasks.stopping()).await;
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        ip: Option<IpAddr>,
    ) -> Result<Response<Body>, Infallible> {
        let Some(_place) = self.inner.requests.take(ip) else {
            let sentence = "too many requests at once; try again in a moment\n";
            return Ok(answer::text(StatusCode::TOO_MANY_REQUESTS, sentence));
        };
        let most = self.inner.largest_body(request.uri().path());
        let most = most.unwrap_or(BODY_BYTES);
        let length = request.headers().get("content-length");
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > most) {
            let sentence = "the request is too large\n";
            return Ok(answer::text(StatusCode::PAYLOAD_TOO_LARGE, sentence));
        }
        request.extensions_mut().insert(Peer(ip));
        let router = TowerToHyperService::new(self.router());
        router.call(request).await
    }
}

/// Serves a connection until it ends, its reader takes nothing any more, or the master stops.
async fn serve<S, V>(stream: S, service: V, stopping: impl Future<Output = ()>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    V: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stopping => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // A reader who goes away in the middle is nobody's mistake.
    if let Err(error) = ended {
        debug!("connection of a reader ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::model::Results;
    use crate::web::patient::PATIENCE;
    use crate::web::testing::{Farm, Visitor, ago};

    /// Less than the events of a farm take.
    const BUFFER: usize = 1024;

    fn farm() -> Farm {
        let mut farm = Farm::new();
        let change = farm.change(7, "Ines", "faster");
        farm.build("linux", 0, vec![change], (Results::Failure, ago(900)));
        farm
    }

    /// Asks for the events; gives the reader's end, and what serves the connection.
    async fn follow(visitor: &Visitor) -> (DuplexStream, impl Future<Output = ()>) {
        let (mut reader, stream) = duplex(BUFFER);
        let request = b"GET /api/v1/events?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        reader.write_all(request).await.unwrap();
        let service = TowerToHyperService::new(visitor.routes());
        (reader, serve(stream, service, std::future::pending()))
    }

    #[test]
    fn liv_04_a_reader_of_events_who_takes_nothing_is_disconnected() {
        farm().visit(async |visitor| {
            let (mut reader, served) = follow(visitor).await;
            let begun = Instant::now();
            served.await;
            assert!(begun.elapsed() >= PATIENCE);
            let mut taken = Vec::new();
            reader.read_to_end(&mut taken).await.unwrap();
            assert_eq!(taken.len(), BUFFER, "no more was written");
        });
    }

    #[test]
    fn liv_04_a_reader_who_takes_something_from_time_to_time_gets_all() {
        farm().visit(async |visitor| {
            let (mut reader, served) = follow(visitor).await;
            let read = async {
                let (mut taken, mut buffer) = (Vec::new(), [0; 256]);
                while !String::from_utf8_lossy(&taken).contains("event: build_finished") {
                    sleep(PATIENCE - Duration::from_secs(1)).await;
                    let count = reader.read(&mut buffer).await.unwrap();
                    assert!(count > 0, "disconnected");
                    taken.extend_from_slice(&buffer[..count]);
                }
                drop(reader);
            };
            tokio::join!(served, read);
        });
    }
}
