//! Files to and from the master.

use super::*;

#[tokio::test]
async fn a_file_is_sent_to_a_master() {
    for (dialect, key) in [(Dialect::Old, "slavesrc"), (Dialect::New, "workersrc")] {
        let mut world = World::new(|_| {});
        let master = world.attach(dialect).await;
        fs::write(world.file("f"), [b'x'; 10]).unwrap();
        let (writer, mut writes) = master.peer.export(1);
        let args = [
            (key, dialect.text("f")),
            ("workdir", dialect.text(".")),
            ("writer", Value::Mine(writer)),
            ("blocksize", Value::Int(4)),
            ("maxsize", Value::None),
            ("keepstamp", Value::Bool(true)),
        ];
        let calls = master.start("uploadFile", &args).await.unwrap();
        let written = async {
            let mut seen = Vec::new();
            while let Some(call) = writes.recv().await {
                let data = call.args.first().and_then(Value::as_raw);
                seen.push((call.method.clone(), data.map_or(0, |data| data.len())));
                call.reply.value(Value::None);
            }
            seen
        };
        let ((_, updates, end), written) = tokio::join!(finish(calls), written);
        assert_eq!((rc(&updates), end), (Some(0), Value::None));
        let expect = [
            ("write", 4),
            ("write", 4),
            ("write", 2),
            ("close", 0),
            ("utime", 0),
        ];
        assert_eq!(written, expect.map(|(method, len)| (method.into(), len)));
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_closed_and_status_1() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::Old).await;
    let (writer, mut writes) = master.peer.export(1);
    let args = [
        ("slavesrc", Value::bytes("nope")),
        ("workdir", Value::bytes(".")),
        ("writer", Value::Mine(writer)),
        ("blocksize", Value::Int(4)),
        ("maxsize", Value::None),
    ];
    let calls = master.start("uploadFile", &args).await.unwrap();
    let call = writes.recv().await.unwrap();
    assert_eq!(call.method.as_ref(), b"close");
    call.reply.value(Value::None);
    let (_, updates, end) = finish(calls).await;
    assert_eq!((rc(&updates), end), (Some(1), Value::None));
}

#[tokio::test]
async fn a_file_is_fetched_from_a_master_up_to_its_limit() {
    for (max_size, expect_rc, expect) in [(None, 0, "0123456789"), (Some(6), 1, "012345")] {
        let mut world = World::new(|_| {});
        let master = world.attach(Dialect::New).await;
        let (reader, mut reads) = master.peer.export(1);
        let args = [
            ("workerdest", Value::text("d/f")),
            ("workdir", Value::text("w")),
            ("reader", Value::Mine(reader)),
            ("blocksize", Value::Int(4)),
            ("maxsize", max_size.map_or(Value::None, Value::Int)),
            ("mode", Value::Int(0o640)),
        ];
        let calls = master.start("downloadFile", &args).await.unwrap();
        let serve = async {
            let mut left: &[u8] = b"0123456789";
            while let Some(call) = reads.recv().await {
                let wanted = call.args.first().and_then(Value::as_int).unwrap_or(0);
                let size = usize::try_from(wanted).unwrap().min(left.len());
                let (block, rest) = left.split_at(size);
                left = rest;
                call.reply.value(Value::bytes(block));
            }
        };
        let ((_, updates, end), ()) = tokio::join!(finish(calls), serve);
        assert_eq!((rc(&updates), end), (Some(expect_rc), Value::None));
        assert_eq!(fs::read_to_string(world.file("w/d/f")).unwrap(), expect);
    }
}

#[tokio::test]
async fn a_download_that_fails_leaves_what_was_there() {
    let mut world = World::new(|_| {});
    let master = world.attach(Dialect::New).await;
    fs::create_dir_all(world.file("w")).unwrap();
    fs::write(world.file("w/f"), "old").unwrap();
    let (reader, mut reads) = master.peer.export(1);
    let args = [
        ("workerdest", Value::text("f")),
        ("workdir", Value::text("w")),
        ("reader", Value::Mine(reader)),
        ("blocksize", Value::Int(4)),
        ("maxsize", Value::None),
    ];
    let calls = master.start("downloadFile", &args).await.unwrap();
    let serve = async {
        let first = reads.recv().await.unwrap();
        first.reply.value(Value::bytes(b"half"));
        let second = reads.recv().await.unwrap();
        // The first half is on the disk, and not in place of the old file.
        assert_eq!(fs::read_to_string(world.file("w/f")).unwrap(), "old");
        second
            .reply
            .fail(Failure::new("exceptions.IOError", "the disk of the master"));
        while let Some(call) = reads.recv().await {
            call.reply.value(Value::None);
        }
    };
    let ((_, updates, _), ()) = tokio::join!(finish(calls), serve);
    assert_eq!(rc(&updates), Some(1));
    assert_eq!(fs::read_to_string(world.file("w/f")).unwrap(), "old");
    let left = fs::read_dir(world.file("w")).unwrap().count();
    assert_eq!(left, 1, "the half is removed");
}
