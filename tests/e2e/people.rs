//! The register of people, as `buildbot user` of Buildbot 0.8.14 manages it (WHO-07).

use crate::harness::master::ShownChange;
use crate::harness::{Finished, Master, Sandbox, Setup, free_port, peer, run, shell};

/// Runs the real `buildbot user`; absent without it.
fn user(sandbox: &Sandbox, port: u16, password: &str, args: &[&str]) -> Option<Finished> {
    let program = peer("bb0814")?.join("buildbot");
    let mut command = sandbox.command(program);
    command
        .args(["user", "--master", &format!("127.0.0.1:{port}")])
        .args(["--username", "manager", "--passwd", password])
        .args(args);
    Some(run(&mut command))
}

#[test]
fn who_07_buildbot_user_0814_manages_the_register() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let manager = format!(
        "[[user_managers]]\ntype = \"CommandlineUserManager\"\nport = \
         \"tcp:{port}:interface=127.0.0.1\"\nuser = \"manager\"\npassword = \"pw\"\n"
    );
    let setup = Setup::new(&[shell("make", "true", "")])
        .local_slave("here")
        .tables(&manager);
    let master = Master::start(&sandbox, &setup);
    let ours = |words: &[&str]| {
        let mut command = master.program();
        run(command.args(words).arg("--basedir").arg(master.dir())).ok()
    };
    let info = "--info=email=ann@example.org,git=Ann <ann@example.org>";
    let Some(added) = user(&sandbox, port, "pw", &["--op", "add", info]) else {
        return;
    };
    let name = "Ann <ann@example.org>";
    assert_eq!(
        added.ok(),
        format!("user(s) added:\nidentifier: {name}\n\n")
    );
    let all = ours(&["user", "list"]);
    assert!(all.contains("ann@example.org"), "{all}");

    let user = |args: &[&str]| user(&sandbox, port, "pw", args).unwrap();
    let svn = format!("--info={name}:svn=ann");
    let updated = user(&["--op", "update", &svn]).ok();
    assert_eq!(updated, format!("user(s) updated:\nidentifier: {name}\n\n"));
    user(&["--op", "update", &format!("--info={name}:svn=annie")]).ok();
    let found = user(&["--op", "get", &format!("--ids={name},nobody")]).ok();
    assert_eq!(
        found,
        format!(
            "user(s) found:\nidentifier: {name}\ngit: {name}\nsvn: annie\nemail: \
             ann@example.org\n\nno match found\n\n"
        )
    );

    // The hash of a password is not stored.
    let password = ["--bb_username", "ann", "--bb_password", "s3cret"];
    let update = ["--op", "update", &format!("--info={name}")];
    let said = user(&[&update[..], &password].concat()).ok();
    assert!(
        said.contains("the password was not set: run `buildmaster user password"),
        "{said}"
    );

    let removed = user(&["--op", "remove", &format!("--ids={name}")]).ok();
    assert_eq!(removed, format!("user(s) removed:\nidentifier: {name}\n\n"));
    assert!(!ours(&["user", "list"]).contains("ann@example.org"));
    let audit = ours(&["audit"]);
    assert!(audit.contains("asked to remove user"), "{audit}");
}

#[test]
fn who_05_the_addresses_of_a_mailmap_come_into_the_register() {
    let sandbox = Sandbox::new();
    let people = "[people.bob]\nemail = \"bob@old\"\n";
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    let master = Master::start(&sandbox, &setup.tables(people));
    let file = "Ann <ann@example.org> <ann@home>\nBob <bob@example.org> <bob@old>\n";
    let file = sandbox.file("mailmap", file);
    let mailmap = || {
        let mut command = master.program();
        command.args(["user", "mailmap"]).arg(&file);
        run(command.arg("--basedir").arg(master.dir())).ok()
    };
    let added = "Ann is a new user: ann@example.org, ann@home\nbob is known: bob@example.org\n";
    assert_eq!(mailmap(), added);
    assert_eq!(mailmap(), "");
    let mut get = master.program();
    let bob = run(get
        .args(["user", "get", "bob", "--basedir"])
        .arg(master.dir()))
    .ok();
    assert_eq!(bob, "bob\n  email: bob@example.org\n  email: bob@old\n");
}

#[test]
fn who_02_the_author_of_a_change_stays_as_it_was_sent() {
    let sandbox = Sandbox::new();
    let people = "[people.ann]\nany = \"alice\"\n";
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    let master = Master::start(&sandbox, &setup.tables(people));
    master.send_change("1");
    let [change] = master.show::<ShownChange>(&["changes"]).try_into().unwrap();
    assert_eq!(change.who, "alice");
}

#[test]
fn who_07_a_user_manager_needs_its_password() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let manager = format!(
        "[[user_managers]]\nport = \"tcp:{port}:interface=127.0.0.1\"\nuser = \"manager\"\n\
         password = \"pw\"\n"
    );
    let setup = Setup::new(&[shell("make", "true", "")])
        .local_slave("here")
        .tables(&manager);
    let master = Master::start(&sandbox, &setup);
    // Its exit code is 0, whatever happens.
    if user(
        &sandbox,
        port,
        "wrong",
        &["--op", "add", "--info=email=a@x"],
    )
    .is_none()
    {
        return;
    }
    let mut command = master.program();
    let all = run(command
        .args(["user", "list", "--basedir"])
        .arg(master.dir()))
    .ok();
    assert!(!all.contains("a@x"), "{all}");
}
