//! A broker's behaviour, seen from both ends.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use super::*;

mod limits;

/// Two brokers that hear each other.
struct Pair {
    client: Broker,
    server: Broker,
}

impl Pair {
    fn new(limits: Limits) -> Self {
        let mut pair = Self {
            client: Broker::client(limits),
            server: Broker::server(limits),
        };
        let (client, server) = pair.pump();
        assert!(matches!(client[..], [Event::Negotiated]));
        assert!(matches!(server[..], [Event::Negotiated]));
        pair
    }

    /// Carries bytes until there are none; the events of the client and of the server.
    fn pump(&mut self) -> (Vec<Event>, Vec<Event>) {
        let (mut client, mut server) = (Vec::new(), Vec::new());
        while self.client.output_len() + self.server.output_len() > 0 {
            server.extend(hear(&mut self.server, self.client.take_output()).unwrap());
            client.extend(hear(&mut self.client, self.server.take_output()).unwrap());
        }
        (client, server)
    }
}

fn hear(broker: &mut Broker, parts: Vec<Bytes>) -> Result<Vec<Event>, ProtocolError> {
    let mut events = Vec::new();
    for part in parts {
        broker.receive(part)?;
        while let Some(event) = broker.next_event()? {
            events.push(event);
        }
    }
    Ok(events)
}

/// A server that has negotiated, to be fed by hand without vocabulary.
fn server(limits: Limits) -> Broker {
    let mut broker = Broker::server(limits);
    hear(&mut broker, vec![Bytes::from_static(b"\x04\x82none")]).unwrap();
    broker.take_output();
    broker
}

/// Bytes of a message from a readable form: words, numbers and lists.
fn banana(text: &str) -> Vec<Bytes> {
    let mut out = Encoder::default();
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    for (at, word) in words.iter().enumerate() {
        match *word {
            "(" => out.list(elements(&words[at + 1..])),
            ")" => {}
            word => match word.parse() {
                Ok(int) => out.int(int),
                Err(_) => out.literal(word.as_bytes()),
            },
        }
    }
    out.take()
}

fn elements(words: &[&str]) -> usize {
    let (mut depth, mut elements) = (0_i32, 0);
    for word in words {
        elements += usize::from(depth == 0 && *word != ")");
        depth += i32::from(*word == "(") - i32::from(*word == ")");
        if depth < 0 {
            break;
        }
    }
    elements
}

/// What the server sent, decoded by a client that has the matching requests.
fn output(broker: &mut Broker) -> String {
    let sent = broker.take_output().concat();
    String::from_utf8_lossy(&sent).into_owned()
}

fn fault(broker: &mut Broker, message: &str) -> Option<ProtocolError> {
    hear(broker, banana(message)).err()
}

#[test]
fn calls_and_answers_cross_in_both_directions() {
    let mut pair = Pair::new(Limits::LOGGED_IN);
    let first = pair.client.call(Target::Root, "add", &[Value::Int(2)], &[]);
    let second = pair.client.call(
        Target::Root,
        "sub",
        &[],
        &[(Value::text("by"), Value::None)],
    );
    let (_, mut events) = pair.pump();
    let Some(Event::Call {
        call: sub,
        method,
        args,
        kwargs,
        ..
    }) = events.pop()
    else {
        panic!()
    };
    assert_eq!((&*method, &args[..]), (&b"sub"[..], &[][..]));
    assert_eq!(kwargs, [(Value::text("by"), Value::None)]);
    let Some(Event::Call {
        call: add,
        target,
        args,
        ..
    }) = events.pop()
    else {
        panic!()
    };
    assert_eq!((target, args), (Target::Root, vec![Value::Int(2)]));
    // Out of order, and with an exception.
    pair.server
        .fail(sub, &Failure::new("builtins.ValueError", "no"));
    pair.server.answer(add, &Value::Int(4));
    let (events, _) = pair.pump();
    let [
        Event::Answer {
            request,
            result: Err(failure),
        },
        Event::Answer {
            request: other,
            result,
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((*request, *other), (second, first));
    assert!(failure.is("exceptions.ValueError") && failure.is("builtins.Exception"));
    assert_eq!(result.as_ref().unwrap(), &Value::Int(4));
}

#[test]
fn what_is_called_before_the_negotiation_is_sent_after_it() {
    let mut client = Broker::client(Limits::LOGGED_IN);
    client.call(Target::Root, "early", &[], &[]);
    assert_eq!(client.output_len(), 0);
    let mut pair = Pair {
        client,
        server: Broker::server(Limits::LOGGED_IN),
    };
    let (_, events) = pair.pump();
    assert!(
        matches!(&events[..], [Event::Negotiated, Event::Call { method, .. }] if *method == "early")
    );
}

#[test]
fn a_client_takes_the_dialect_it_is_offered_and_no_other() {
    let choose = |offer: &str| {
        let mut client = Broker::client(Limits::LOGGED_IN);
        hear(&mut client, banana(offer)).map(|_| output(&mut client))
    };
    assert!(choose("(none pb)").unwrap().starts_with("\u{2}\u{fffd}pb"));
    assert!(
        choose("(none zork)")
            .unwrap()
            .starts_with("\u{4}\u{fffd}none")
    );
    assert_eq!(choose("(zork)"), Err(ProtocolError::Dialect));
    assert_eq!(choose("pb"), Err(ProtocolError::Dialect));
}

#[test]
fn an_object_lives_as_long_as_the_peer_has_references() {
    let mut pair = Pair::new(Limits::LOGGED_IN);
    let object = Luid(1);
    pair.server.export(object);
    for _ in 0..2 {
        pair.client.call(Target::Root, "get", &[], &[]);
        let (_, mut events) = pair.pump();
        let Some(Event::Call { call, .. }) = events.pop() else {
            panic!()
        };
        pair.server
            .answer(call, &Value::List(vec![Value::Mine(object)]));
        let (events, _) = pair.pump();
        let [
            Event::Answer {
                result: Ok(value), ..
            },
        ] = &events[..]
        else {
            panic!()
        };
        assert_eq!(value, &Value::List(vec![Value::Theirs(object)]));
    }
    pair.client.release(object);
    assert!(pair.pump().1.is_empty());
    pair.client.call(Target::Object(object), "ping", &[], &[]);
    assert!(matches!(pair.pump().1[..], [Event::Call { .. }]));
    pair.client.release(object);
    assert!(matches!(pair.pump().1[..], [Event::Released(Luid(1))]));
    pair.client.call(Target::Object(object), "ping", &[], &[]);
    let (events, _) = pair.pump();
    let [
        Event::Answer {
            result: Err(failure),
            ..
        },
    ] = &events[..]
    else {
        panic!()
    };
    assert_eq!(
        (&*failure.kind, &*failure.value),
        (Failure::PB_ERROR, "Invalid Object ID")
    );
    pair.client.release(object);
    let bytes = pair.client.take_output();
    assert_eq!(
        hear(&mut pair.server, bytes).unwrap_err(),
        ProtocolError::SurplusDecref(1)
    );
}

#[test]
fn an_object_used_twice_in_one_value_counts_twice_and_a_shared_one_once() {
    let mut pair = Pair::new(Limits::LOGGED_IN);
    pair.server.export(Luid(1));
    pair.server.export(Luid(2));
    let shared = Value::Shared(Arc::new(Value::Mine(Luid(2))));
    let args = [
        Value::Mine(Luid(1)),
        Value::Mine(Luid(1)),
        shared.clone(),
        shared,
    ];
    pair.client.export(Luid(7));
    pair.client
        .call(Target::Root, "x", &[Value::Mine(Luid(7))], &[]);
    pair.pump();
    pair.server
        .call(Target::Object(Luid(7)), "take", &args, &[]);
    pair.pump();
    for (luid, last) in [(1, false), (1, true), (2, true)] {
        pair.client.release(Luid(luid));
        let (_, events) = pair.pump();
        assert_eq!(matches!(events[..], [Event::Released(_)]), last, "{luid}");
    }
}

#[test]
fn an_object_that_comes_home_is_ours_again() {
    let mut pair = Pair::new(Limits::LOGGED_IN);
    pair.client.export(Luid(1));
    pair.client
        .call(Target::Root, "take", &[Value::Mine(Luid(1))], &[]);
    let (_, mut events) = pair.pump();
    let Some(Event::Call { call, args, .. }) = events.pop() else {
        panic!()
    };
    assert_eq!(args, [Value::Theirs(Luid(1))]);
    pair.server.answer(call, &args[0]);
    let (events, _) = pair.pump();
    let [
        Event::Answer {
            result: Ok(value), ..
        },
    ] = &events[..]
    else {
        panic!()
    };
    assert_eq!(value, &Value::Mine(Luid(1)));
}

#[test]
fn a_decref_of_an_object_that_was_never_sent_is_a_fault() {
    let mut broker = server(Limits::LOGGED_IN);
    broker.export(Luid(1));
    assert_eq!(
        fault(&mut broker, "(decref 1)"),
        Some(ProtocolError::SurplusDecref(1))
    );
    // Nothing is taken after a fault.
    assert!(broker.receive(Bytes::from_static(b"x")).is_err());
    assert!(broker.next_event().is_err());
}

#[test]
fn events_before_a_fault_still_come_out() {
    let mut broker = server(Limits::LOGGED_IN);
    let bytes = [
        banana("(message 1 root a 1 (tuple) (dictionary))"),
        banana("(decref 9)"),
    ];
    broker.receive(bytes.concat().concat().into()).unwrap();
    assert!(matches!(broker.next_event(), Ok(Some(Event::Call { .. }))));
    assert_eq!(
        broker.next_event().unwrap_err(),
        ProtocolError::SurplusDecref(9)
    );
    assert_eq!(
        broker.next_event().unwrap_err(),
        ProtocolError::SurplusDecref(9)
    );
}

#[test]
fn faults_are_those_of_twisted() {
    for (message, expected) in [
        ("hello", ProtocolError::NotAMessage),
        ("()", ProtocolError::NotAMessage),
        ("(5)", ProtocolError::NotAMessage),
        ("(version 5)", ProtocolError::Version),
        ("(version)", ProtocolError::Version),
        ("(answer 1 x)", ProtocolError::UnknownRequest),
        ("(error 1 x)", ProtocolError::UnknownRequest),
        ("(answer (x) x)", ProtocolError::UnknownRequest),
        ("(answer 1)", ProtocolError::Malformed("answer")),
        ("(error 1)", ProtocolError::Malformed("error")),
        ("(decref x)", ProtocolError::Malformed("decref")),
        ("(decref)", ProtocolError::Malformed("decref")),
        ("(decache 1)", ProtocolError::UnknownCached),
        ("(uncache 1)", ProtocolError::UnknownCached),
        ("(message 1 root a)", ProtocolError::Malformed("message")),
    ] {
        assert_eq!(
            fault(&mut server(Limits::LOGGED_IN), message),
            Some(expected),
            "{message}"
        );
    }
}

#[test]
fn tolerances_are_those_of_twisted() {
    for (message, reply) in [
        ("(version 6)", ""),
        ("(didNotUnderstand x)", ""),
        ("(frobnicate 1)", "didNotUnderstand"),
        (
            "(cachemessage 1 4 a 1 (tuple) (dictionary))",
            "Invalid Object ID",
        ),
        (
            "(message 1 9 a 1 (tuple) (dictionary))",
            "Invalid Object ID",
        ),
        (
            "(message 1 (9) a 1 (tuple) (dictionary))",
            "Invalid Object ID",
        ),
        (
            "(message 1 other a 1 (tuple) (dictionary))",
            "Invalid Object ID",
        ),
        ("(message 1 9 a 0 (tuple) (dictionary))", ""),
        (
            "(message 1 root (unicode a) 1 (tuple) (dictionary))",
            "builtins.TypeError",
        ),
        ("(message 1 root a 1 x (dictionary))", "builtins.TypeError"),
        ("(message 1 root a 1 (tuple) (tuple))", "builtins.TypeError"),
        (
            "(message 1 root a 1 (tuple (zork)) (dictionary))",
            Failure::INSECURE_JELLY,
        ),
        (
            "(message 1 root a 1 (tuple (os.path.Foo (dictionary))) (dictionary))",
            Failure::INSECURE_JELLY,
        ),
        (
            "(message 1 root a 1 (tuple (instance x y)) (dictionary))",
            Failure::INSECURE_JELLY,
        ),
        (
            "(message 1 root a 1 (tuple ()) (dictionary))",
            Failure::INSECURE_JELLY,
        ),
        (
            "(message 1 root a 1 (tuple (reference 1 (list (dereference 1)))) (dictionary))",
            "itself",
        ),
        (
            "(message 1 root a 1 (tuple (dereference 1)) (dictionary))",
            "no reference",
        ),
        ("(message 1 root a 0 (tuple (zork)) (dictionary))", ""),
    ] {
        let mut broker = server(Limits::LOGGED_IN);
        assert_eq!(fault(&mut broker, message), None, "{message}");
        let output = output(&mut broker);
        assert!(
            output.contains(reply) && output.is_empty() == reply.is_empty(),
            "{message}: {output}"
        );
    }
}

#[test]
fn references_in_a_refused_call_are_given_back() {
    let mut broker = server(Limits::LOGGED_IN);
    let message = "(message 1 root a 1 (tuple (remote 5) (zork) (remote 6)) (dictionary))";
    assert_eq!(fault(&mut broker, message), None);
    let output = output(&mut broker);
    assert_eq!(output.matches("decref").count(), 1, "{output}");
}

#[test]
fn any_request_number_comes_back_as_it_was() {
    for number in ["7", "r1", "(a (b) 2)", "()"] {
        let mut broker = server(Limits::LOGGED_IN);
        let message = format!("(message {number} root a 1 (list) (dictionary))");
        let mut events = hear(&mut broker, banana(&message)).unwrap();
        let Some(Event::Call { call, .. }) = events.pop() else {
            panic!()
        };
        broker.answer(call, &Value::Int(5));
        let expected = banana(&format!("(answer {number} 5)")).concat();
        assert_eq!(broker.take_output().concat(), expected, "{number}");
    }
}

#[test]
fn a_call_that_wants_no_answer_gets_none() {
    let mut broker = server(Limits::LOGGED_IN);
    for flag in ["0", "()"] {
        let message = format!("(message 1 root a {flag} (tuple) (dictionary))");
        for event in hear(&mut broker, banana(&message)).unwrap() {
            let Event::Call { call, .. } = event else {
                panic!()
            };
            assert!(!call.wants_answer());
            broker.answer(call, &Value::None);
        }
        let mut events = hear(&mut broker, banana(&message)).unwrap();
        let Some(Event::Call { call, .. }) = events.pop() else {
            panic!()
        };
        broker.fail(call, &Failure::unauthorized());
        assert_eq!(broker.output_len(), 0);
    }
}

#[test]
fn an_answer_that_cannot_be_understood_is_a_failure_of_that_request_alone() {
    let mut broker = server(Limits::LOGGED_IN);
    broker.call(Target::Object(Luid(1)), "a", &[], &[]);
    broker.call(Target::Object(Luid(1)), "b", &[], &[]);
    broker.call(Target::Object(Luid(1)), "c", &[], &[]);
    broker.take_output();
    for message in [
        "(answer 2 (tuple (remote 3) (zork)))",
        "(error 1 (None))",
        "(error 3 (zork))",
    ] {
        let events = hear(&mut broker, banana(message)).unwrap();
        assert!(
            matches!(events[..], [Event::Answer { result: Err(_), .. }]),
            "{message}"
        );
    }
    assert!(output(&mut broker).contains("decref"));
    assert_eq!(
        fault(&mut broker, "(answer 2 x)"),
        Some(ProtocolError::UnknownRequest)
    );
}

#[test]
fn what_cannot_be_sent_fails_here_and_leaves_no_trace() {
    let mut pair = Pair::new(Limits::LOGGED_IN);
    let fits = Value::Bytes(vec![b'x'; 640 * 1024].into());
    let too_long = Value::Bytes(vec![b'x'; 640 * 1024 + 1].into());
    pair.client
        .call(Target::Root, "one", std::slice::from_ref(&fits), &[]);
    let args = [fits, Value::Mine(Luid(1)), too_long.clone()];
    let request = pair.client.call(Target::Root, "two", &args, &[]);
    pair.client.call(Target::Root, "three", &[], &[]);
    assert_eq!(pair.client.export_count(), 0);
    let event = pair.client.next_event().unwrap();
    let Some(Event::Answer {
        request: failed,
        result: Err(failure),
    }) = event
    else {
        panic!()
    };
    assert_eq!((failed, &*failure.kind), (request, Failure::BANANA_ERROR));
    let (_, events) = pair.pump();
    let mut calls = Vec::new();
    for event in events {
        let Event::Call { call, method, .. } = event else {
            panic!()
        };
        calls.push((method, call));
    }
    assert_eq!(calls[0].0, "one");
    assert_eq!(calls[1].0, "three");
    let (_, call) = calls.pop().unwrap();
    pair.server
        .answer(call, &Value::List(vec![Value::Int(1), too_long]));
    let (_, call) = calls.pop().unwrap();
    let mut failure = Failure::new("builtins.ValueError", "é".repeat(400 * 1024));
    failure.parents = vec!["x".to_owned(); 1000];
    pair.server.fail(call, &failure);
    let (events, _) = pair.pump();
    let [
        Event::Answer {
            result: Err(first), ..
        },
        Event::Answer {
            result: Err(second),
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(first.kind, Failure::BANANA_ERROR);
    assert_eq!(second.value.len(), 640 * 1024);
}

#[test]
fn bulk_goes_out_and_comes_in_without_a_copy() {
    let mut pair = Pair::new(Limits::LOGGED_IN);
    let bulk = Bytes::from(vec![b'x'; 100_000]);
    pair.client
        .call(Target::Root, "log", &[Value::Bytes(bulk.clone())], &[]);
    let parts = pair.client.take_output();
    assert!(parts.iter().any(|part| part.as_ptr() == bulk.as_ptr()));
    let whole = Bytes::from(parts.concat());
    let within = whole.as_ptr_range();
    let events = hear(&mut pair.server, vec![whole]).unwrap();
    let [Event::Call { args, .. }] = &events[..] else {
        panic!()
    };
    let received = args[0].as_raw().unwrap();
    assert!(*received == bulk && within.contains(&received.as_ptr()));
}
