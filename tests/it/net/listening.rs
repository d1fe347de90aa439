//! Real sockets on the loopback interface.

use std::net::{Ipv6Addr, SocketAddr};

use buildmaster::config::Listen;
use buildmaster::net::client;
use buildmaster::net::listen::{Bound, listen};
use buildmaster::pb::Value;
use tokio::net::UnixStream;

use super::Server;

async fn come_in(server: &mut Server, peer: buildmaster::net::Peer) {
    let logging_in = client::login(&peer, "s1", b"pw", Value::None);
    tokio::select! {
        refused = logging_in => panic!("{refused:?}"),
        login = server.logins.recv() => drop(login.unwrap()),
    }
}

#[tokio::test]
async fn tcp_takes_connections_on_the_port_that_was_chosen() {
    let mut server = Server::new();
    let any = Listen::Tcp("127.0.0.1:0".parse().unwrap());
    let bound = listen(&[any], &server.door, &server.tasks).unwrap();
    let [Bound::Tcp(address)] = bound.as_slice() else {
        panic!("{bound:?}");
    };
    let peer = client::connect_tcp("127.0.0.1", address.port(), &server.tasks)
        .await
        .unwrap();
    come_in(&mut server, peer).await;
    // A second listener on the same port is an error that names it.
    let taken = listen(&[Listen::Tcp(*address)], &server.door, &server.tasks).unwrap_err();
    assert!(taken.to_string().contains(&address.to_string()));
}

#[tokio::test]
async fn all_addresses_are_ipv4_too() {
    let mut server = Server::new();
    let all = Listen::Tcp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)));
    let bound = listen(&[all], &server.door, &server.tasks).unwrap();
    let [Bound::Tcp(address)] = bound.as_slice() else {
        panic!("{bound:?}");
    };
    let peer = client::connect_tcp("127.0.0.1", address.port(), &server.tasks)
        .await
        .unwrap();
    come_in(&mut server, peer).await;
}

#[tokio::test]
async fn a_socket_file_is_replaced_when_it_is_stale_and_removed_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pb.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let mut server = Server::new();
    let address = Listen::Unix(path.clone());
    listen(std::slice::from_ref(&address), &server.door, &server.tasks).unwrap();
    let stream = UnixStream::connect(&path).await.unwrap();
    let peer = buildmaster::net::connection::connect(stream, "unix", &server.tasks);
    come_in(&mut server, peer).await;
    // Somebody listens on it now, so that it is not stale.
    assert!(listen(&[address], &server.door, &server.tasks).is_err());
    server.tasks.stop();
    server.tasks.finished().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pb.sock");
    std::fs::write(&path, "precious").unwrap();
    let server = Server::new();
    assert!(listen(&[Listen::Unix(path.clone())], &server.door, &server.tasks).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}
