//! The pages of a master, as a program reads them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A response: its status, and what comes after its head.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: BufReader<TcpStream>,
}

/// Asks with HTTP/1.0, so that the body ends with the connection and is not in chunks.
pub(crate) fn get(port: u16, address: &str, header: &str) -> Response {
    try_get(port, address, header).unwrap()
}

/// The same; nothing if nobody answers.
pub(crate) fn try_get(port: u16, address: &str, header: &str) -> Option<Response> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {address} HTTP/1.0\r\n{header}\r\n");
    socket.write_all(request.as_bytes()).ok()?;
    let mut body = BufReader::new(socket);
    let status = line(&mut body)?;
    let status = status.split(' ').nth(1).unwrap().parse().unwrap();
    while line(&mut body)? != "\r\n" {}
    Some(Response { status, body })
}

/// All of a body.
pub(crate) fn whole(port: u16, address: &str) -> String {
    let mut response = get(port, address, "");
    assert_eq!(response.status, 200);
    let mut all = String::new();
    response.body.read_to_string(&mut all).unwrap();
    all
}

/// The next whole line with its end; nothing at the end of the connection.
pub(crate) fn line(body: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    // A server that was killed resets its connections.
    body.read_line(&mut line).ok()?;
    line.ends_with('\n').then_some(line)
}
