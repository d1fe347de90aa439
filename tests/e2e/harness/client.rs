//! A client that says exactly what a test wants said, over one connection: the library's broker on
//! a blocking socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use buildmaster::pb::cred::response;
use buildmaster::pb::{Broker, Event, Failure, Limits, Luid, RequestNumber, Target, Value};
use bytes::Bytes;

use super::process::PATIENCE;

/// A connection to a master.
#[derive(Debug)]
pub(crate) struct Client {
    socket: TcpStream,
    broker: Broker,
    /// The last build that it was told of.
    build: Option<Luid>,
}

/// Why a login did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The master says no.
    #[error("{0}")]
    Failure(Failure),
    /// The connection is gone.
    #[error("{0}")]
    Lost(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl Client {
    /// Connects and negotiates.
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(Duration::from_secs(30)))?;
        let mut client = Self {
            socket,
            broker: Broker::client(Limits::LOGGED_IN),
            build: None,
        };
        while !matches!(client.next_event()?, Event::Negotiated) {}
        Ok(client)
    }

    /// Logs in, and returns the avatar.
    pub(crate) fn login(
        &mut self,
        user: &str,
        password: &str,
        mind: Value,
    ) -> Result<Luid, Refused> {
        let request = self.call(Target::Root, "login", &[Value::text(user)])?;
        let answer = self.answer_to(request)?.map_err(Refused::Failure)?;
        let items = answer.as_items().unwrap();
        let challenge = items[0].as_raw().unwrap();
        let challenger = items[1].as_theirs().unwrap();
        let proof = response(password.as_bytes(), challenge);
        let args = [Value::bytes(proof), mind];
        let request = self.call(Target::Object(challenger), "respond", &args)?;
        let avatar = self.answer_to(request)?.map_err(Refused::Failure)?;
        self.broker.release(challenger);
        Ok(avatar.as_theirs().unwrap())
    }

    /// Calls an object of the master and waits for the answer.
    pub(crate) fn ask(
        &mut self,
        object: Luid,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Failure> {
        let request = self.call(Target::Object(object), method, args).unwrap();
        self.answer_to(request).unwrap()
    }

    /// Calls an object of the master, and does not wait for the answer.
    pub(crate) fn ask_blindly(&mut self, object: Luid, method: &str) -> io::Result<()> {
        self.call(Target::Object(object), method, &[]).map(drop)
    }

    /// Subscribes to a request, and waits for the build that it is told of.
    pub(crate) fn first_build(&mut self, request: Luid) -> Luid {
        let observer = Luid(1);
        self.broker.export(observer);
        let args = [Value::Mine(observer)];
        self.call(Target::Object(request), "subscribe", &args)
            .unwrap();
        self.build = None;
        while self.build.is_none() {
            // The answer comes behind it.
            let _answer = self.next_answer().unwrap();
        }
        self.build.unwrap()
    }

    /// Logs in as a slave without doing anything that a slave does.
    pub(crate) fn login_as_slave(&mut self, name: &str, password: &str) -> Result<Luid, Refused> {
        let bot = Luid(1);
        self.broker.export(bot);
        self.login(name, password, Value::Mine(bot))
    }

    /// Sends a change of the default branch without waiting for the answer.
    pub(crate) fn send_change(
        &mut self,
        avatar: Luid,
        who: &str,
        revision: &str,
    ) -> io::Result<RequestNumber> {
        self.send_change_on(avatar, who, revision, None)
    }

    /// Sends a change of a branch without waiting for the answer.
    pub(crate) fn send_change_on(
        &mut self,
        avatar: Luid,
        who: &str,
        revision: &str,
        branch: Option<&str>,
    ) -> io::Result<RequestNumber> {
        let pair = |key: &str, value: Value| (Value::text(key), value);
        let change = Value::Dict(vec![
            pair("who", Value::text(who)),
            pair("files", Value::List(vec![Value::text("src/main.c")])),
            pair("comments", Value::text("a change")),
            pair("revision", Value::text(revision)),
            pair("branch", branch.map_or(Value::None, Value::text)),
        ]);
        self.call(Target::Object(avatar), "addChange", &[change])
    }

    /// Waits for the next answer to any request.
    pub(crate) fn next_answer(&mut self) -> io::Result<(RequestNumber, Result<Value, Failure>)> {
        loop {
            if let Event::Answer { request, result } = self.next_event()? {
                return Ok((request, result));
            }
        }
    }

    fn call(&mut self, target: Target, method: &str, args: &[Value]) -> io::Result<RequestNumber> {
        let request = self.broker.call(target, method, args, &[]);
        self.flush()?;
        Ok(request)
    }

    fn answer_to(&mut self, request: RequestNumber) -> io::Result<Result<Value, Failure>> {
        loop {
            let (answered, result) = self.next_answer()?;
            if answered == request {
                return Ok(result);
            }
        }
    }

    /// The next thing the master does, other than to call us, which is answered with `None`.
    fn next_event(&mut self) -> io::Result<Event> {
        let mut buffer = [0; 65_536];
        loop {
            match self.broker.next_event().map_err(io::Error::other)? {
                Some(Event::Call {
                    call, method, args, ..
                }) => {
                    if &method[..] == b"newbuild" {
                        self.build = args[0].as_theirs();
                    }
                    self.broker.answer(call, &Value::None);
                }
                Some(event) => return Ok(event),
                None => {
                    self.flush()?;
                    let len = self.socket.read(&mut buffer)?;
                    if len == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    let bytes = Bytes::copy_from_slice(&buffer[..len]);
                    self.broker.receive(bytes).map_err(io::Error::other)?;
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        for bytes in self.broker.take_output() {
            self.socket.write_all(&bytes)?;
        }
        Ok(())
    }
}
