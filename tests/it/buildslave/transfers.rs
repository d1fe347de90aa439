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

/// Uploads the directory `d` to a played master; answers with what it was sent, whether it was to
/// unpack that, and the exit status.
async fn upload_directory(
    dialect: Dialect,
    world: &mut World,
    compress: Value,
    max_size: Value,
) -> (Vec<u8>, bool, Option<i64>) {
    let master = world.attach(dialect).await;
    let key = match dialect {
        Dialect::Old => "slavesrc",
        Dialect::New => "workersrc",
    };
    let (writer, mut writes) = master.peer.export(1);
    let args = [
        (key, dialect.text("d")),
        ("workdir", dialect.text("w")),
        ("writer", Value::Mine(writer)),
        ("blocksize", Value::Int(1000)),
        ("maxsize", max_size),
        ("compress", compress),
    ];
    let calls = master.start("uploadDirectory", &args).await.unwrap();
    let written = async {
        let (mut bytes, mut is_unpacked) = (Vec::new(), false);
        while let Some(call) = writes.recv().await {
            if call.method == "write" {
                let block = call.args[0].as_raw().unwrap();
                assert!(block.len() <= 1000 && !is_unpacked);
                bytes.extend_from_slice(block);
            } else {
                assert_eq!(call.method, "unpack");
                is_unpacked = true;
            }
            call.reply.value(Value::None);
        }
        (bytes, is_unpacked)
    };
    let ((_, updates, end), (bytes, is_unpacked)) = tokio::join!(finish(calls), written);
    assert_eq!(end, Value::None);
    (bytes, is_unpacked, rc(&updates))
}

#[tokio::test]
async fn a_directory_is_sent_to_a_master() {
    for (dialect, compress) in [
        (Dialect::Old, ""),
        (Dialect::Old, "gz"),
        (Dialect::New, "bz2"),
    ] {
        let mut world = World::new(|_| {});
        fs::create_dir_all(world.file("w/d/sub dir")).unwrap();
        fs::write(world.file("w/d/sub dir/f"), [b'x'; 10_000]).unwrap();
        let word = match compress {
            "" => Value::None,
            word => dialect.text(word),
        };
        let (bytes, is_unpacked, rc) =
            upload_directory(dialect, &mut world, word, Value::None).await;
        assert_eq!((is_unpacked, rc), (true, Some(0)));
        let into = world.file("out");
        fs::create_dir(&into).unwrap();
        fs::write(world.file("archive"), bytes).unwrap();
        let flag = match compress {
            "gz" => "-xzf",
            "bz2" => "-xjf",
            _ => "-xf",
        };
        let mut tar = std::process::Command::new("tar");
        tar.arg(flag)
            .arg(world.file("archive"))
            .arg("-C")
            .arg(&into);
        if compress != "bz2" {
            assert!(tar.status().unwrap().success());
            let out = fs::read(into.join("sub dir/f")).unwrap();
            assert_eq!(out, [b'x'; 10_000]);
        }
    }
}

#[tokio::test]
async fn a_directory_that_is_missing_or_too_large_is_not_unpacked() {
    let mut world = World::new(|_| {});
    let sent = upload_directory(Dialect::New, &mut world, Value::None, Value::None).await;
    assert_eq!(sent, (Vec::new(), false, Some(1)));

    let mut world = World::new(|_| {});
    fs::create_dir_all(world.file("w/d")).unwrap();
    fs::write(world.file("w/d/f"), [b'x'; 10_000]).unwrap();
    let max_size = Value::Int(2500);
    let (bytes, is_unpacked, rc) =
        upload_directory(Dialect::Old, &mut world, Value::None, max_size).await;
    assert_eq!((bytes.len(), is_unpacked, rc), (2500, false, Some(1)));
}
