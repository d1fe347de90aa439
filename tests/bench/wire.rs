//! Costs of the wire protocol: `cargo bench --bench wire`.

#![expect(clippy::unwrap_used, reason = "the input is our own")]

use buildmaster::pb::banana::{Decoder, Encoder, Token, Word};
use buildmaster::pb::jelly::{Jellier, Unjellier};
use buildmaster::pb::{Broker, Event, Limits, Luid, Target, Value};
use bytes::Bytes;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

fn main() {
    divan::main();
}

/// Decodes the six messages of a slave that runs a short command: three updates, the end, the
/// released reference and the answer to the start.
#[divan::bench]
fn decode_six_messages(bencher: Bencher<'_, '_>) {
    let bytes = Bytes::from([command_calls(), command_end(7)].concat());
    let mut decoder = Decoder::default();
    bencher.counter(ItemsCount::new(6_usize)).bench_local(|| {
        decoder.push(bytes.clone());
        let mut values = 0;
        while let Some(mut tokens) = decoder.next(&Limits::LOGGED_IN, true).unwrap() {
            let mut message = tokens.drain(..);
            let fields = message.nth(1).unwrap();
            let jellied = if fields == Token::Bytes(Word::MESSAGE.bytes()) {
                message.nth(3);
                2
            } else {
                message.next();
                usize::from(fields == Token::Bytes(Word::ANSWER.bytes()))
            };
            let mut unjellier = Unjellier::new(&Limits::LOGGED_IN);
            for _ in 0..jellied {
                divan::black_box(unjellier.value(&mut message).unwrap());
                values += 1;
            }
            drop(message);
            decoder.recycle(tokens);
        }
        assert_eq!(values, 9);
    });
}

/// All messages of a master for one short command: it sends one call and four answers, and receives
/// six messages.
#[divan::bench]
fn master_side_of_a_command(bencher: Bencher<'_, '_>) {
    let mut master = negotiated();
    let calls = Bytes::from(command_calls());
    let args = command_args();
    bencher.bench_local(|| {
        let bot = Target::Object(Luid(2));
        let request = master.call(bot, "startCommand", &args, &[]);
        master.take_output();
        master.receive(calls.clone()).unwrap();
        master.receive(Bytes::from(command_end(request.0))).unwrap();
        let mut events = 0;
        while let Some(event) = master.next_event().unwrap() {
            events += 1;
            if let Event::Call { call, .. } = event {
                master.answer(call, &Value::None);
            }
        }
        assert_eq!(events, 6);
        master.take_output()
    });
}

/// Log output in updates of 54 KiB, in reads of 64 KiB, as from a socket.
#[divan::bench]
fn log_updates_in_reads_of_64k(bencher: Bencher<'_, '_>) {
    log_updates(bencher, 64 * 1024);
}

/// Log output in updates of 54 KiB, in reads with one whole update each.
#[divan::bench]
fn log_updates_in_one_read(bencher: Bencher<'_, '_>) {
    log_updates(bencher, usize::MAX);
}

fn log_updates(bencher: Bencher<'_, '_>, read: usize) {
    let mut master = negotiated();
    master.export(Luid(1));
    let update = call(
        1,
        "update",
        &updates("stdout", Value::bytes(vec![b'x'; 54 * 1024])),
    );
    let bytes = Bytes::from(update.repeat(64));
    let chunks: Vec<_> = (0..bytes.len())
        .step_by(read.min(bytes.len()))
        .map(|at| bytes.slice(at..bytes.len().min(at.saturating_add(read))))
        .collect();
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench_local(|| {
            for chunk in &chunks {
                master.receive(chunk.clone()).unwrap();
                while let Some(event) = master.next_event().unwrap() {
                    if let Event::Call { call, args, .. } = event {
                        divan::black_box(args);
                        master.answer(call, &Value::None);
                    }
                }
                master.take_output();
            }
        });
}

/// Copies the bytes of an update, for comparison.
#[divan::bench]
fn copy_of_the_same(bencher: Bencher<'_, '_>) {
    let bytes = vec![b'x'; 64 * 54 * 1024];
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench_local(|| divan::black_box(bytes.clone()));
}

fn negotiated() -> Broker {
    let mut master = Broker::server(Limits::LOGGED_IN);
    master.receive(Bytes::from_static(b"\x02\x82pb")).unwrap();
    while master.next_event().unwrap().is_some() {}
    master.take_output();
    master
}

fn command_args() -> Vec<Value> {
    let env = Value::Dict(vec![(Value::bytes("LANG"), Value::bytes("C.UTF-8"))]);
    let args = [
        (
            "command",
            Value::List(["make", "-j4", "check"].map(Value::bytes).to_vec()),
        ),
        ("workdir", Value::bytes("build")),
        ("env", env),
        ("want_stdout", Value::Int(1)),
        ("want_stderr", Value::Int(1)),
        ("logfiles", Value::Dict(vec![])),
        ("timeout", Value::Int(1200)),
        ("maxTime", Value::None),
        ("usePTY", Value::Bool(false)),
        ("logEnviron", Value::Bool(true)),
    ];
    let args = args.map(|(key, value)| (Value::bytes(key), value)).to_vec();
    vec![
        Value::Mine(Luid(1)),
        Value::bytes("0"),
        Value::bytes("shell"),
        Value::Dict(args),
    ]
}

fn command_calls() -> Vec<u8> {
    let header = "/bin/sh -c 'make check'\n in dir /srv/bb/slave/full/build (timeout 1200 secs)\n";
    [
        call(5, "update", &updates("header", Value::bytes(header))),
        call(
            6,
            "update",
            &updates("stdout", Value::bytes("checking ... 312 passed\n")),
        ),
        call(7, "update", &updates("rc", Value::Int(0))),
        call(8, "complete", &Value::None),
    ]
    .concat()
}

/// The released reference and the answer to request `request`.
fn command_end(request: i64) -> Vec<u8> {
    let mut out = Encoder::default();
    out.set_vocabulary(true);
    out.list(2);
    out.word(Word::DECREF);
    out.int(1);
    out.list(3);
    out.word(Word::ANSWER);
    out.int(request);
    Jellier::new(&mut out).value(&Value::None).unwrap();
    out.take().concat()
}

/// The argument of `update`.
fn updates(key: &str, value: Value) -> Value {
    let update = Value::Dict(vec![(Value::bytes(key), value)]);
    Value::List(vec![Value::List(vec![update, Value::Int(0)])])
}

fn call(request: i64, method: &str, arg: &Value) -> Vec<u8> {
    let mut out = Encoder::default();
    out.set_vocabulary(true);
    out.list(7);
    out.word(Word::MESSAGE);
    out.int(request);
    out.int(1);
    out.slice(method.as_bytes());
    out.int(1);
    let mut jellier = Jellier::new(&mut out);
    jellier.tuple(std::slice::from_ref(arg)).unwrap();
    jellier.dictionary(&[]).unwrap();
    out.take().concat()
}
