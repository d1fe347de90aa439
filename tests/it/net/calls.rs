//! Calls, answers, back-pressure and the end of a connection.

use buildmaster::net::CallError;
use buildmaster::pb::{Failure, Target, Value};

use super::{Server, number};

#[tokio::test(start_paused = true)]
async fn answers_may_come_in_any_order() {
    let mut session = Server::new().session(4).await;
    let (first, second) = (session.call(1), session.call(2));
    let one = session.avatar_calls.recv().await.unwrap();
    let two = session.avatar_calls.recv().await.unwrap();
    assert_eq!((number(&one), number(&two)), (1, 2));
    two.reply.value(Value::Int(20));
    assert_eq!(second.await.unwrap(), Value::Int(20));
    one.reply.fail(Failure::new("builtins.ValueError", "no"));
    let Err(CallError::Remote(failure)) = first.await else {
        panic!("no failure");
    };
    assert!(failure.is("builtins.ValueError"));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_reply_answers_none_and_a_dropped_call_is_still_sent() {
    let mut session = Server::new().session(4).await;
    drop(session.call(1));
    let answered = session.call(2);
    assert_eq!(number(&session.avatar_calls.recv().await.unwrap()), 1);
    drop(session.avatar_calls.recv().await.unwrap());
    assert_eq!(answered.await.unwrap(), Value::None);
}

#[tokio::test(start_paused = true)]
async fn a_full_object_stops_the_reading_and_nothing_is_lost() {
    const CALLS: i64 = 2_000;

    let mut session = Server::new().session(4).await;
    let padding = "x".repeat(1_000);
    let mut answers = Vec::new();
    for n in 0..CALLS {
        let args = vec![Value::Int(n), Value::bytes(&padding)];
        let target = Target::Object(session.avatar);
        answers.push(session.client.call(target, "number", args, vec![]));
    }
    // While nothing is taken from the object the server goes on to write.
    let first = session.avatar_calls.recv().await.unwrap();
    drop(
        session
            .server
            .call(Target::Object(session.bot), "print", vec![], vec![]),
    );
    assert_eq!(session.bot_calls.recv().await.unwrap().method, "print");
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(session.avatar_calls.len(), 4);
    assert_eq!(number(&first), 0);
    first.reply.value(Value::Int(0));
    for n in 1..CALLS {
        let call = session.avatar_calls.recv().await.unwrap();
        assert_eq!(number(&call), n);
        call.reply.value(Value::Int(n));
    }
    for (n, answer) in (0..).zip(answers) {
        assert_eq!(answer.await.unwrap(), Value::Int(n));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_fails_all_calls_and_ends_all_objects() {
    let mut session = Server::new().session(4).await;
    let (first, second) = (session.call(1), session.call(2));
    session.server.close("enough");
    assert!(matches!(first.await, Err(CallError::Lost)));
    assert!(matches!(second.await, Err(CallError::Lost)));
    assert_eq!(session.server.lost().await.0, "enough");
    assert_eq!(session.client.lost().await.0, "closed by the peer");
    assert!(matches!(session.call(3).await, Err(CallError::Lost)));
    assert!(session.bot_calls.recv().await.is_none());
    while session.avatar_calls.recv().await.is_some() {}
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_the_close_is_still_written() {
    let mut session = Server::new().session(4).await;
    drop(
        session
            .server
            .call(Target::Object(session.bot), "print", vec![], vec![]),
    );
    session.server.close("enough");
    assert_eq!(session.bot_calls.recv().await.unwrap().method, "print");
    assert!(session.bot_calls.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_connection_closes_with_its_last_handle() {
    let session = Server::new().session(4).await;
    drop(session.client);
    assert_eq!(session.server.lost().await.0, "closed by the peer");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_dropped() {
    let mut session = Server::new().session(1).await;
    // The client stops reading as its bot is full and nobody takes from it.
    let chunk = Value::bytes(vec![0; 600 * 1024]);
    for _ in 0..60 {
        let target = Target::Object(session.bot);
        drop(
            session
                .server
                .call(target, "print", vec![chunk.clone()], vec![]),
        );
    }
    let why = session.server.lost().await.0;
    assert!(why.starts_with("the peer does not read"), "{why}");
    while session.bot_calls.recv().await.is_some() {}
}

#[tokio::test(start_paused = true)]
async fn inert_and_retired_objects_answer_none() {
    let mut session = Server::new().session(1).await;
    let inert = session.client.export_inert();
    let (retired, retired_calls) = session.client.export(1);
    let print = |n| {
        let args = vec![Value::Mine(n)];
        session
            .client
            .call(Target::Object(session.avatar), "take", args, vec![])
    };
    for object in [inert, retired] {
        let taken = print(object);
        let call = session.avatar_calls.recv().await.unwrap();
        let theirs = call.args[0].as_theirs().unwrap();
        drop(call);
        taken.await.unwrap();
        if object == retired {
            session.client.retire(retired);
        }
        let answer = session
            .server
            .call(Target::Object(theirs), "hello", vec![], vec![]);
        assert_eq!(answer.await.unwrap(), Value::None);
    }
    assert!(retired_calls.is_closed());
}

#[tokio::test(start_paused = true)]
async fn an_object_ends_when_the_peer_has_let_go_of_it() {
    let mut session = Server::new().session(1).await;
    let (object, mut calls) = session.client.export(1);
    let args = vec![Value::Mine(object)];
    drop(
        session
            .client
            .call(Target::Object(session.avatar), "take", args, vec![]),
    );
    let call = session.avatar_calls.recv().await.unwrap();
    session.server.release(call.args[0].as_theirs().unwrap());
    assert!(calls.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_connections() {
    let mut server = Server::new();
    let session = server.session(1).await;
    server.tasks.stop();
    server.tasks.finished().await;
    assert_eq!(session.server.lost().await.0, "stopping");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_a_moment_for_the_answers_to_calls_that_were_taken() {
    let mut server = Server::new();
    let mut session = server.session(4).await;
    let answered = session.call(1);
    let never = session.call(2);
    let call = session.avatar_calls.recv().await.unwrap();
    let other = session.avatar_calls.recv().await.unwrap();
    server.tasks.stop();
    // So that every connection has heard of it.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    call.reply.value(Value::Int(7));
    assert_eq!(answered.await.unwrap(), Value::Int(7));
    assert!(matches!(never.await, Err(CallError::Lost)));
    drop(other);
}
