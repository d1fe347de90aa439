//! The challenge-response login (PROTOCOL section 7).

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use super::{Broker, CallId, Event, Failure, Luid, Target, Value};

/// The response to `challenge`: MD5(MD5(password) ‖ challenge).
#[must_use]
pub fn response(password: &[u8], challenge: &[u8]) -> [u8; 16] {
    let inner = Md5::digest(password);
    Md5::new()
        .chain_update(inner)
        .chain_update(challenge)
        .finalize()
        .into()
}

/// The MD5 of `contents` in hexadecimal: the second half of the name of a job file (PROTOCOL
/// section 16). It distinguishes two jobs of one second and protects nothing.
#[must_use]
pub fn md5_hex(contents: &[u8]) -> String {
    let digest = Md5::digest(contents);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The server's side before a login. It answers `login` with a challenge and turns `respond` into
/// an [`Attempt`]. It answers all other calls with the exception of real masters.
///
/// A client can respond to a challenge several times until it releases the challenge, as with real
/// masters. Each challenge is an exported object, so [`super::Limits::exports`] limits their
/// number.
#[derive(Default)]
pub struct Portal {
    challenges: BTreeMap<i64, (Bytes, Bytes)>,
}

/// A login that waits for a decision.
pub struct Attempt {
    /// The name in the login.
    pub user: Bytes,
    /// The client's object for calls from the master: the bot of a slave, or [`Value::None`].
    pub mind: Value,
    /// The call to answer with the avatar, or to fail with [`super::Failure::unauthorized`].
    pub call: CallId,
    challenge: Bytes,
    response: Bytes,
}

impl Portal {
    /// A portal without challenges.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles `event` of a connection before the login. For a `login`, `challenge` makes the
    /// challenge for a user, at least 16 random bytes, and `luid` is a fresh object number that
    /// gets exported.
    pub fn handle(
        &mut self,
        broker: &mut Broker,
        event: Event,
        challenge: impl FnOnce(&[u8]) -> Bytes,
        luid: Luid,
    ) -> Option<Attempt> {
        let (call, target, method, args, kwargs) = match event {
            Event::Call {
                call,
                target,
                method,
                args,
                kwargs,
            } => (call, target, method, args, kwargs),
            Event::Released(Luid(number)) => {
                self.challenges.remove(&number);
                return None;
            }
            Event::Negotiated | Event::Answer { .. } => return None,
        };
        match (target, &*method) {
            (Target::Root, b"login") => {
                match arguments(args, kwargs, ["username"]) {
                    Some([user]) if call.wants_answer() => {
                        let user = kept_name(&user);
                        let challenge = challenge(&user);
                        self.challenges.insert(luid.0, (user, challenge.clone()));
                        broker.export(luid);
                        let challenge = Value::Bytes(challenge);
                        let answer = Value::Tuple(vec![challenge, Value::Mine(luid)]);
                        broker.answer(call, &answer);
                    }
                    Some(_) => {}
                    None => broker.fail(call, &wrong_arguments("remote_login")),
                }
                None
            }
            (Target::Root, b"loginAnonymous") => {
                let failure = Failure::new(
                    Failure::UNHANDLED_CREDENTIALS,
                    "No checker for twisted.cred.credentials.IAnonymous",
                );
                broker.fail(call, &failure);
                None
            }
            (Target::Object(Luid(number)), b"respond") if self.challenges.contains_key(&number) => {
                let (user, challenge) = self.challenges.get(&number)?.clone();
                let Some([response, mind]) = arguments(args, kwargs, ["response", "mind"]) else {
                    broker.fail(call, &wrong_arguments("remote_respond"));
                    return None;
                };
                // A response of another type is simply wrong.
                let response = response.as_raw().cloned().unwrap_or_default();
                Some(Attempt {
                    user,
                    mind,
                    call,
                    challenge,
                    response,
                })
            }
            (Target::Root | Target::Object(_), _) => {
                let method = String::from_utf8_lossy(&method);
                broker.fail(call, &Failure::no_such_method(&method));
                None
            }
        }
    }
}

impl Attempt {
    /// Whether the client knows `password`, in constant time.
    #[must_use]
    pub fn knows(&self, password: &[u8]) -> bool {
        response(password, &self.challenge)
            .ct_eq(&self.response)
            .into()
    }
}

impl fmt::Debug for Portal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portal")
            .field("challenges", &self.challenges.len())
            .finish()
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("user", &self.user)
            .field("mind", &self.mind)
            .finish_non_exhaustive()
    }
}

/// Arguments given by position or by keyword, as Python would bind them.
fn arguments<const N: usize>(
    args: Vec<Value>,
    kwargs: Vec<(Value, Value)>,
    names: [&str; N],
) -> Option<[Value; N]> {
    let mut bound = args;
    let count = bound.len() + kwargs.len();
    for name in names.into_iter().skip(bound.len()) {
        let is_it = |(key, _): &&(Value, Value)| key.as_raw().is_some_and(|key| key == name);
        let (_, value) = kwargs.iter().find(is_it)?;
        bound.push(value.clone());
    }
    if bound.len() != count {
        return None;
    }
    bound.try_into().ok()
}

/// A copy of a name, because a slice would keep the whole receive buffer. A name that is too long
/// for any user is cut, and is challenged and rejected like any other name.
fn kept_name(user: &Value) -> Bytes {
    let name = user
        .as_raw()
        .map(|name| name.get(..NAME_LIMIT).unwrap_or(name));
    Bytes::copy_from_slice(name.unwrap_or_default())
}

fn wrong_arguments(method: &str) -> Failure {
    Failure::new(
        Failure::TYPE_ERROR,
        format!("{method}() got wrong arguments"),
    )
}

/// Maximum number of bytes of a name to keep; longer than any valid name.
const NAME_LIMIT: usize = 256;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::pb::Limits;

    static CHALLENGE: [u8; 16] = *b"0123456789abcdef";

    /// A client and a server that have agreed on a dialect, and the portal.
    struct Session {
        client: Broker,
        server: Broker,
        portal: Portal,
        next_luid: i64,
    }

    impl Session {
        fn new() -> Self {
            let client = Broker::client(Limits::BEFORE_LOGIN);
            let server = Broker::server(Limits::BEFORE_LOGIN);
            let mut session = Self {
                client,
                server,
                portal: Portal::new(),
                next_luid: 1,
            };
            session.pump();
            session
        }

        /// Exchanges bytes between both sides. Returns the answers and the login attempts.
        fn pump(&mut self) -> (Vec<Result<Value, Failure>>, Vec<Attempt>) {
            let (mut answers, mut attempts) = (Vec::new(), Vec::new());
            while self.client.output_len() + self.server.output_len() > 0 {
                for bytes in self.client.take_output() {
                    self.server.receive(bytes).unwrap();
                }
                while let Some(event) = self.server.next_event().unwrap() {
                    let luid = Luid(self.next_luid);
                    let challenge = |_: &[u8]| Bytes::from_static(&CHALLENGE);
                    attempts.extend(self.portal.handle(&mut self.server, event, challenge, luid));
                    self.next_luid += 1;
                }
                for bytes in self.server.take_output() {
                    self.client.receive(bytes).unwrap();
                }
                while let Some(event) = self.client.next_event().unwrap() {
                    if let Event::Answer { result, .. } = event {
                        answers.push(result);
                    }
                }
            }
            (answers, attempts)
        }

        fn ask(&mut self, target: Target, method: &str, args: &[Value]) -> Result<Value, Failure> {
            self.client.call(target, method, args, &[]);
            self.pump().0.pop().unwrap()
        }

        fn challenger(&mut self, user: &str) -> Luid {
            let answer = self
                .ask(Target::Root, "login", &[Value::bytes(user)])
                .unwrap();
            let [challenge, challenger] = answer.as_items().unwrap() else {
                panic!("{answer:?}")
            };
            assert_eq!(challenge, &Value::bytes(CHALLENGE));
            challenger.as_theirs().unwrap()
        }

        fn respond(&mut self, challenger: Luid, response: Value) -> Attempt {
            let target = Target::Object(challenger);
            self.client
                .call(target, "respond", &[response, Value::None], &[]);
            self.pump().1.pop().unwrap()
        }
    }

    #[test]
    fn the_right_password_is_known_and_a_wrong_one_is_not() {
        let mut session = Session::new();
        let challenger = session.challenger("bot");
        let attempt = session.respond(challenger, Value::bytes(response(b"secret", &CHALLENGE)));
        assert_eq!(attempt.user, "bot");
        assert_eq!(attempt.mind, Value::None);
        assert!(attempt.knows(b"secret"));
        assert!(!attempt.knows(b"Secret"));
        assert!(!attempt.knows(b""));
    }

    #[test]
    fn a_challenger_takes_several_responses_until_it_is_let_go_of() {
        let mut session = Session::new();
        let challenger = session.challenger("bot");
        for _ in 0..3 {
            let attempt = session.respond(challenger, Value::bytes("wrong"));
            assert!(!attempt.knows(b"secret"));
            session.server.fail(attempt.call, &Failure::unauthorized());
            let (answers, _) = session.pump();
            assert!(matches!(&answers[..], [Err(f)] if f.kind == Failure::UNAUTHORIZED));
        }
        session.client.release(challenger);
        let gone = session
            .ask(Target::Object(challenger), "respond", &[])
            .unwrap_err();
        assert_eq!(gone.value, "Invalid Object ID");
        assert_eq!(session.server.export_count(), 0);
    }

    #[test]
    fn the_challenger_may_be_let_go_of_before_the_decision() {
        let mut session = Session::new();
        let challenger = session.challenger("bot");
        let target = Target::Object(challenger);
        let answer = Value::bytes(response(b"secret", &CHALLENGE));
        session
            .client
            .call(target, "respond", &[answer, Value::None], &[]);
        session.client.release(challenger);
        let attempt = session.pump().1.pop().unwrap();
        assert!(attempt.knows(b"secret"));
    }

    #[test]
    fn a_response_of_another_type_is_a_refusal_like_any_other() {
        for response in [
            Value::None,
            Value::Int(1),
            Value::bytes(""),
            Value::bytes([0; 17]),
        ] {
            let mut session = Session::new();
            let challenger = session.challenger("bot");
            let attempt = session.respond(challenger, response);
            assert!(!attempt.knows(b"secret"));
            assert!(!attempt.knows(b""));
        }
    }

    #[test]
    fn everything_else_is_answered_as_a_real_master_does() {
        let mut session = Session::new();
        let challenger = session.challenger("bot");
        let mut kind_of =
            |target, method, args: &[Value]| session.ask(target, method, args).unwrap_err().kind;
        let one = [Value::None];
        assert_eq!(
            kind_of(Target::Root, "loginAnonymous", &one),
            Failure::UNHANDLED_CREDENTIALS
        );
        assert_eq!(
            kind_of(Target::Root, "username", &one),
            Failure::NO_SUCH_METHOD
        );
        assert_eq!(kind_of(Target::Root, "login", &[]), Failure::TYPE_ERROR);
        assert_eq!(
            kind_of(Target::Object(challenger), "print", &[]),
            Failure::NO_SUCH_METHOD
        );
        assert_eq!(
            kind_of(Target::Object(challenger), "respond", &one),
            Failure::TYPE_ERROR
        );
        assert_eq!(
            kind_of(Target::Object(Luid(99)), "respond", &one),
            Failure::PB_ERROR
        );
    }

    #[test]
    fn a_name_may_come_as_keyword_and_as_text() {
        let mut session = Session::new();
        let name = (Value::text("username"), Value::text("bot"));
        session.client.call(Target::Root, "login", &[], &[name]);
        let (answers, _) = session.pump();
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(
            session
                .respond(Luid(session.next_luid - 1), Value::None)
                .user,
            "bot"
        );
    }

    #[test]
    fn a_name_is_limited_since_it_is_kept_for_the_response() {
        let mut session = Session::new();
        for len in [NAME_LIMIT, NAME_LIMIT + 1] {
            let challenger = session.challenger(&"x".repeat(len));
            let attempt = session.respond(challenger, Value::None);
            assert_eq!(attempt.user.len(), NAME_LIMIT);
        }
    }

    #[test]
    fn neither_portal_nor_attempt_prints_what_could_be_cracked() {
        let mut session = Session::new();
        let challenger = session.challenger("bot");
        let attempt = session.respond(challenger, Value::bytes("SECRET"));
        let printed = format!("{attempt:?} {:?}", session.portal);
        assert!(
            !printed.contains("SECRET") && !printed.contains("challenge: ["),
            "{printed}"
        );
    }
}
