//! Each limit at its value and one beyond.

use super::*;

/// The limit `change` sets is kept at its value and broken by one more.
fn check_limit(change: impl Fn(&mut Limits), within: &str, beyond: &str, expected: &ProtocolError) {
    let mut limits = Limits::LOGGED_IN;
    change(&mut limits);
    assert_eq!(fault(&mut server(limits), within), None, "{within}");
    assert_eq!(
        fault(&mut server(limits), beyond).as_ref(),
        Some(expected),
        "{beyond}"
    );
}

#[test]
fn every_limit_holds_at_its_value_and_not_one_beyond() {
    check_limit(
        |limits| limits.string_bytes = 8,
        "(message 1 root abcdefgh 1 (tuple) (tuple))",
        "(message 1 root abcdefghi 1 (tuple) (tuple))",
        &BananaError::StringTooLong.into(),
    );
    check_limit(
        |limits| limits.list_items = 8,
        "(message 1 root a 1 (tuple 1 2 3 4 5 6 7) (dictionary))",
        "(message 1 root a 1 (tuple 1 2 3 4 5 6 7 8) (dictionary))",
        &BananaError::ListTooLong.into(),
    );
    check_limit(
        |limits| limits.depth = 4,
        "(message 1 root a 1 (tuple (list (list))) (dictionary))",
        "(message 1 root a 1 (tuple (list (list (list)))) (dictionary))",
        &BananaError::TooDeep.into(),
    );
    let cost = 9 * crate::pb::banana::TOKEN_COST + "didNotUnderstand".len() + 4 * 3;
    check_limit(
        |limits| limits.message_bytes = cost,
        "(didNotUnderstand abcd (abcd abcd 1) 1 1)",
        "(didNotUnderstand abcd (abcd abcde 1) 1 1)",
        &BananaError::MessageTooLarge.into(),
    );
    check_limit(
        |limits| limits.message_bytes = cost,
        "(didNotUnderstand abcd (abcd abcd 1) 1 1)",
        "(didNotUnderstand abcd (abcd abcd 1) 1 1 1)",
        &BananaError::MessageTooLarge.into(),
    );
}

#[test]
fn shared_parts_may_not_multiply_or_deepen_a_value_beyond_the_limits() {
    // The tuple, the reference with its list of two, the dereference with the same: 7 values.
    check_limit(
        |limits| limits.expanded_values = 8,
        "(message 1 root a 1 (tuple (reference 1 (list 1)) (dereference 1)) (dictionary))",
        "(message 1 root a 1 (tuple (reference 1 (list 1 2)) (dereference 1)) (dictionary))",
        &ProtocolError::ExpandsTooMuch,
    );
    let deepening = |levels: usize| {
        let mut message = String::from("(message 1 root a 1 (tuple (reference 0 (list))");
        for level in 1..levels {
            message += &format!("(reference {level} (list (dereference {})))", level - 1);
        }
        message + ") (dictionary))"
    };
    let limits = Limits {
        depth: 20,
        ..Limits::LOGGED_IN
    };
    assert_eq!(fault(&mut server(limits), &deepening(8)), None);
    let deep = fault(&mut server(limits), &deepening(30));
    assert_eq!(deep, Some(ProtocolError::ExpandsTooMuch));
    // A billion laughs.
    let mut message = String::from("(message 1 root a 1 (tuple (reference 0 (list ha ha))");
    for level in 1..40 {
        let last = level - 1;
        message += &format!("(reference {level} (list (dereference {last}) (dereference {last})))");
    }
    message += ") (dictionary))";
    let laughs = fault(&mut server(Limits::LOGGED_IN), &message);
    assert_eq!(laughs, Some(ProtocolError::ExpandsTooMuch));
}

#[test]
fn calls_without_an_answer_are_limited() {
    let limits = Limits {
        unanswered_calls: 2,
        ..Limits::LOGGED_IN
    };
    let mut broker = server(limits);
    let message = "(message 1 root a 1 (tuple) (dictionary))";
    let mut calls = Vec::new();
    for _ in 0..2 {
        calls.extend(hear(&mut broker, banana(message)).unwrap());
    }
    let Some(Event::Call { call, .. }) = calls.pop() else {
        panic!()
    };
    broker.answer(call, &Value::None);
    // One was answered, and a call that wants no answer does not count.
    assert_eq!(
        fault(&mut broker, "(message 1 root a 0 (tuple) (dictionary))"),
        None
    );
    assert_eq!(fault(&mut broker, message), None);
    assert_eq!(
        fault(&mut broker, message),
        Some(ProtocolError::UnansweredCalls)
    );
}

#[test]
fn a_request_number_is_limited_since_it_is_kept_for_the_answer() {
    // Two bytes of length and one of type come with the string.
    let message = |len: usize| format!("(message {} root a 1 (tuple) (tuple))", "x".repeat(len));
    check_limit(
        |_| (),
        &message(253),
        &message(254),
        &ProtocolError::Malformed("request number"),
    );
}

#[test]
fn exported_objects_are_limited() {
    let limits = Limits {
        exports: 2,
        ..Limits::LOGGED_IN
    };
    let mut broker = server(limits);
    broker.export(Luid(1));
    broker.export(Luid(2));
    broker.export(Luid(2));
    assert!(matches!(broker.next_event(), Ok(None)));
    broker.export(Luid(3));
    assert_eq!(broker.next_event().unwrap_err(), ProtocolError::Exports);
}

#[test]
fn refusals_that_nobody_reads_are_limited() {
    let mut broker = server(Limits::BEFORE_LOGIN);
    let message = "(message 1 9 a 1 (tuple) (dictionary))";
    for _ in 0..1000 {
        assert_eq!(fault(&mut broker, message), None);
        broker.take_output();
    }
    let faults: Vec<_> = (0..1000)
        .map_while(|_| match fault(&mut broker, message) {
            None => Some(()),
            Some(fault) => {
                assert_eq!(fault, ProtocolError::Refusals);
                None
            }
        })
        .collect();
    assert!(faults.len() < 100);
    assert!(broker.output_len() < 2 * Limits::BEFORE_LOGIN.message_bytes);
}
